"""Checking a data set: every file is read as a training would read it, and all that is wrong is
listed. ``python -m vps.data.check NAME`` is the command.
"""

from vps.data.check.problems import KINDS, Kind, Problem, Severity
from vps.data.check.report import Report
from vps.data.check.run import Progress, check_dataset, check_source

__all__ = [
    "KINDS",
    "Kind",
    "Problem",
    "Progress",
    "Report",
    "Severity",
    "check_dataset",
    "check_source",
]
