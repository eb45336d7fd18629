"""One page about a study that a person reads: ``report.html``, and figures for a paper."""

from optimize.report.page import write_report

__all__ = ["write_report"]
