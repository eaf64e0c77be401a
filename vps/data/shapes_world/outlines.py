"""Outlines of things as signed distances: negative inside, positive outside, in pixels.

Coverage of a pixel follows from the distance of its centre to the outline, which gives edges that
are anti-aliased at any size and angle without drawing the picture larger first.
"""

from __future__ import annotations

import numpy as np

from vps.data.shapes_world.categories import DISC, SQUARE, STAR, TRIANGLE


def outline_distance(shape: int, u: np.ndarray, v: np.ndarray, radius: float) -> np.ndarray:
    """Distance of the points (u, v), float [...] pixels from the centre, to the outline.

    ``radius`` is half the size of the thing: no part of it is farther from the centre.
    """
    return _DISTANCES[shape](u, v, radius)


def coverage(distance: np.ndarray) -> np.ndarray:
    """Share of each pixel that lies inside, in 0..1, from the distance of its centre."""
    return np.clip(0.5 - distance, 0.0, 1.0)


def _disc(u: np.ndarray, v: np.ndarray, radius: float) -> np.ndarray:
    return np.hypot(u, v) - radius


def _square(u: np.ndarray, v: np.ndarray, radius: float) -> np.ndarray:
    rounding = 0.12 * radius
    half = 0.74 * radius - rounding
    over_u, over_v = np.abs(u) - half, np.abs(v) - half
    outside = np.hypot(np.maximum(over_u, 0.0), np.maximum(over_v, 0.0))
    return outside + np.minimum(np.maximum(over_u, over_v), 0.0) - rounding


def _triangle(u: np.ndarray, v: np.ndarray, radius: float) -> np.ndarray:
    # Equilateral, with one corner up; its corners lie on the circle of ``radius``.
    side = np.abs(u) * (3**0.5 / 2) - 0.5 * v
    return np.maximum(side, v) - 0.5 * radius


def _star(u: np.ndarray, v: np.ndarray, radius: float) -> np.ndarray:
    # Fold the plane into one tenth of the star: there its outline is a straight line from the tip
    # to the notch between two tips.
    tenth, notch = np.pi / 5, 0.5
    distance = np.hypot(u, v)
    angle = np.abs((np.arctan2(u, -v) + tenth) % (2 * tenth) - tenth)
    along, across = distance * np.cos(angle), distance * np.sin(angle)
    edge_along, edge_across = notch * np.cos(tenth) - 1.0, notch * np.sin(tenth)
    length = np.hypot(edge_along, edge_across)
    return (across * -edge_along + (along - radius) * edge_across) / length


_DISTANCES = {DISC: _disc, SQUARE: _square, TRIANGLE: _triangle, STAR: _star}
