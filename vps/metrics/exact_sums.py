"""Sums of floats that do not depend on the order in which they are added.

Every finite float64 is a whole multiple of 2^-1074, the smallest one, so sums of such multiples, as
Python's integers, are exact, and only the end result is rounded. Videos may then be scored by any
number of processes and merged in any order, with the same digits; and none has to be remembered
until all others are known.
"""

from __future__ import annotations

import numpy as np

_UNIT = 1 << 1074


def to_exact(values: np.ndarray) -> np.ndarray:
    """Finite float64 [N] as integers of any size, object [N]: multiples of 2^-1074."""
    exact = np.zeros(len(values), object)
    for index in np.flatnonzero(values).tolist():
        numerator, denominator = float(values[index]).as_integer_ratio()
        exact[index] = numerator * (_UNIT // denominator)
    return exact


def from_exact(sums: np.ndarray) -> np.ndarray:
    """Sums of what ``to_exact`` gives, object [N], as the nearest float64 [N]."""
    return np.array([total / _UNIT for total in sums.tolist()], np.float64)
