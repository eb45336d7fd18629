"""What a search will take, foretold from a short calibration on this machine: trainings, core- or GPU-hours, disk."""

from optimize.forecast.calibration import Calibration, calibrate
from optimize.forecast.disk import disk_of_trials
from optimize.forecast.totals import Forecast, forecast

__all__ = ["Calibration", "Forecast", "calibrate", "disk_of_trials", "forecast"]
