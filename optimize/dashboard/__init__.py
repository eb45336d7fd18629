"""A study live in a browser: optuna-dashboard on a view of it that cannot change anything."""

from optimize.dashboard.server import DashboardServer

__all__ = ["DashboardServer"]
