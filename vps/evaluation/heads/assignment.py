"""The best one-to-one assignment (Kuhn, "The Hungarian method", 1955), exact.

Shortest augmenting paths with potentials, as Jonker and Volgenant have it: rows are added one by
one, and each step is one NumPy operation over the columns. Some hundred objects against some
hundred tubes take milliseconds, and no further package is needed.
"""

from __future__ import annotations

import numpy as np


def assign_most(weights: np.ndarray) -> list[tuple[int, int]]:
    """Pair rows with columns, each at most once, so that the sum of weights is as large as can be.

    Args:
        weights: float64 [N, M], >= 0, finite. 0 means that nothing is won by the pair.

    Returns:
        (row, column) of the pairs with a weight above 0, by row.
    """
    weights = np.asarray(weights, np.float64)
    if weights.ndim != 2 or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("expected weights as finite numbers >= 0, [N, M]")
    if weights.shape[0] > weights.shape[1]:
        return sorted((row, column) for column, row in assign_most(weights.T))
    columns = _assign_rows(-weights)
    return [(row, int(column)) for row, column in enumerate(columns) if weights[row, column] > 0]


def _assign_rows(cost: np.ndarray) -> np.ndarray:
    """The column int64 [N] of every row at the least total cost, for float64 [N, M], N <= M."""
    rows, columns = cost.shape
    # Column 0 is a stand-in for the row that is being added; real columns count from 1.
    row_of = np.full(columns + 1, -1)
    row_potential, column_potential = np.zeros(rows), np.zeros(columns + 1)
    for row in range(rows):
        row_of[0] = row
        column = 0
        distance = np.full(columns + 1, np.inf)
        previous = np.zeros(columns + 1, np.int64)
        visited = np.zeros(columns + 1, bool)
        while row_of[column] >= 0:
            visited[column] = True
            here = row_of[column]
            reduced = cost[here] - row_potential[here] - column_potential[1:]
            nearer = ~visited[1:] & (reduced < distance[1:])
            distance[1:][nearer] = reduced[nearer]
            previous[1:][nearer] = column
            column = 1 + int(np.where(visited[1:], np.inf, distance[1:]).argmin())
            step = distance[column]
            row_potential[row_of[visited]] += step
            column_potential[visited] -= step
            distance[1:][~visited[1:]] -= step
        while column:
            row_of[column] = row_of[previous[column]]
            column = previous[column]
    result = np.zeros(rows, np.int64)
    result[row_of[1:][row_of[1:] >= 0]] = np.flatnonzero(row_of[1:] >= 0)
    return result
