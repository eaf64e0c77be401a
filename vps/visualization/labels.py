"""Where the label of a segment belongs: well inside of it, and steady from frame to frame.

The centre of gravity of a ring or of a crescent lies outside of it, and the point that is farthest
from the border jumps about. So: of the points that are nearly as far from the border as any, the
one nearest to the centre of gravity.
"""

from __future__ import annotations

import numpy as np

_COARSE = 160  # longer side of the grid on which places are searched; pixels
_NEARLY = 0.7  # share of the greatest distance to the border that is inside enough


def interior_points(ids: np.ndarray, wanted: list[int]) -> dict[int, tuple[int, int]]:
    """A point (y, x) well inside of each wanted segment; ``ids[y, x]`` is that segment.

    Args:
        ids: integers [H, W].
        wanted: ids to place; those without a pixel are left out of the result.
    """
    height, width = ids.shape
    step = max(1, -(-max(height, width) // _COARSE))
    offset = step // 2 if min(height, width) > step else 0
    coarse = ids[offset::step, offset::step]
    depth = border_distance(coarse)
    points: dict[int, tuple[int, int]] = {}
    for segment_id in wanted:
        rows, columns = np.nonzero(coarse == segment_id)
        if len(rows):
            y, x = _deep_and_central(rows, columns, depth[rows, columns])
            points[segment_id] = (y * step + offset, x * step + offset)
        else:  # smaller than the grid
            rows, columns = np.nonzero(ids == segment_id)
            if len(rows):
                points[segment_id] = _deep_and_central(rows, columns, np.ones(len(rows), int))
    return points


def border_distance(ids: np.ndarray) -> np.ndarray:
    """City-block distance of each pixel to the nearest pixel of another id or to the edge.

    Args:
        ids: integers [H, W].

    Returns:
        int32 [H, W], >= 1.
    """
    framed = np.pad(ids, 1, constant_values=-1)
    inside = np.ones(ids.shape, dtype=bool)
    for neighbour in _neighbours(framed):
        inside &= neighbour == ids
    distance = np.ones(ids.shape, dtype=np.int32)
    # Peel all segments at once. Neighbours of an inner pixel have its id, so depth alone decides.
    while inside.any():
        distance += inside
        framed = np.pad(inside, 1, constant_values=False)
        for neighbour in _neighbours(framed):
            inside = inside & neighbour
    return distance


def _neighbours(framed: np.ndarray) -> tuple[np.ndarray, ...]:
    return framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]


def _deep_and_central(rows: np.ndarray, columns: np.ndarray, depth: np.ndarray) -> tuple[int, int]:
    centre_y, centre_x = rows.mean(), columns.mean()
    candidates = np.flatnonzero(depth >= _NEARLY * depth.max())
    rows, columns = rows[candidates], columns[candidates]
    best = np.argmin((rows - centre_y) ** 2 + (columns - centre_x) ** 2)
    return int(rows[best]), int(columns[best])
