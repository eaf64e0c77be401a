"""What is done with an evaluation's results: print them for a spreadsheet, hold them to
expectations.
"""

from __future__ import annotations

import logging
import math
import pprint
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["print_csv_format", "verify_results"]

logger = logging.getLogger("detectron2.evaluation.testing")


def print_csv_format(results: Mapping[str, Any]) -> None:
    """Log the metrics of each task in two lines, names and values, ready to copy into a
    spreadsheet.

    Metrics with ``-`` in their name (one per class, by convention) are left out.

    Args:
        results: task -> metric -> value.
    """
    if not isinstance(results, Mapping):
        raise AssertionError(f"expected results as {{task: {{metric: value}}}}, got {results!r}")
    for task, metrics in results.items():
        if not isinstance(metrics, Mapping):
            logger.info("copypaste: %s=%s", task, metrics)
            continue
        shown = {name: value for name, value in metrics.items() if "-" not in name}
        logger.info("copypaste: Task: %s", task)
        logger.info("copypaste: %s", ",".join(shown))
        logger.info("copypaste: %s", ",".join(f"{value:.4f}" for value in shown.values()))


def verify_results(cfg, results: Mapping[str, Mapping[str, float]]) -> bool:
    """Compare with ``cfg.TEST.EXPECTED_RESULTS``: rows of task, metric, value, tolerance.

    Returns:
        True when all agree, or nothing is expected. Otherwise logs both and ends the program with
        exit code 1.
    """
    expected = cfg.TEST.EXPECTED_RESULTS
    if not len(expected):
        return True
    for task, metric, value, tolerance in expected:
        actual = results[task].get(metric)
        if actual is None or not math.isfinite(actual) or abs(actual - value) > tolerance:
            logger.error("Result verification failed!")
            logger.error("Expected Results: %s", expected)
            logger.error("Actual Results: %s", pprint.pformat(results))
            sys.exit(1)
    logger.info("Results verification passed.")
    return True
