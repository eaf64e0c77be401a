"""One thing of Shapes-VPS: its outline, its individual surface and its path.

The class is in the outline. Colours and patterns are drawn per individual, so that they tell
individuals apart; as with real things a class has colours that it wears more often than others, so
colour hints at the class and does not decide it.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

from vps.data.shapes_world.outlines import coverage, outline_distance

_HUES = (0.0, 0.06, 0.13, 0.30, 0.47, 0.58, 0.74, 0.88)
_USUAL = 0.9  # share of the individuals that wear one of the two hues of their class
PATTERNS = ("stripes", "checks", "dots", "plain")


@dataclass(frozen=True)
class Surface:
    """Two colours (RGB, 0..255) and the pattern that they form, fixed to the thing."""

    color: np.ndarray
    second: np.ndarray
    pattern: str
    angle: float  # radians
    period: float  # in radii of the thing

    def paint(self, u: np.ndarray, v: np.ndarray, radius: float) -> np.ndarray:
        """Colours float32 [..., 3] of the points (u, v) [...] of the thing."""
        if self.pattern == "plain":
            return np.broadcast_to(self.color, (*u.shape, 3))
        # A frequency above one cycle in 3 pixels would alias on small things.
        frequency = 2 * np.pi / max(self.period * radius, 3.0)
        along = frequency * (np.cos(self.angle) * u + np.sin(self.angle) * v)
        across = frequency * (np.cos(self.angle) * v - np.sin(self.angle) * u)
        if self.pattern == "stripes":
            wave = np.sin(along)
        elif self.pattern == "checks":
            wave = np.sin(along) * np.sin(across)
        else:
            wave = np.cos(along) * np.cos(across) - 0.35
        # Divided by its slope, a wave changes from one colour to the other within one pixel.
        share = np.clip(0.5 + wave / frequency, 0.0, 1.0)[..., None]
        return self.color + share * (self.second - self.color)


@dataclass(frozen=True)
class Path:
    """A closed curve, so that a video may have any length and every frame stands for itself.

    position(t) = centre + a sin(2 pi t / period + phase) + b sin(2 pi t / second_period + second),
    with a and b vectors; pixels and frames.
    """

    centre: np.ndarray
    swing: np.ndarray
    period: float
    phase: float
    second_swing: np.ndarray
    second_period: float
    second_phase: float

    def position(self, t: float) -> np.ndarray:
        """Centre of the thing at frame ``t``, float [2] = (x, y) in the world."""
        first = np.sin(2 * np.pi * t / self.period + self.phase)
        second = np.sin(2 * np.pi * t / self.second_period + self.second_phase)
        return self.centre + self.swing * first + self.second_swing * second

    def opposite(self) -> Path:
        """The path of one who meets the first twice per period."""
        return replace(self, phase=self.phase + np.pi)


@dataclass(frozen=True)
class Thing:
    """An individual. ``category`` is contiguous and ``segment_id`` its id in all frames."""

    segment_id: int
    category: int
    radius: float  # pixels
    surface: Surface
    path: Path
    angle: float  # radians, at t = 0
    spin: float  # radians per frame

    def draw(
        self, picture: np.ndarray, ids: np.ndarray, t: float, camera: np.ndarray, border: float
    ) -> None:
        """Paint the thing over ``picture`` float32 [H, W, 3] and ``ids`` int32 [H, W], in place.

        ``camera`` is where the world's origin stands in the view; ``border`` the width of the dark
        rim, in pixels.
        """
        centre_x, centre_y = self.path.position(t) + camera
        reach = self.radius + 1.0
        height, width = ids.shape
        left, right = (int(np.clip(centre_x + s * reach, 0, width)) for s in (-1, 1))
        top, bottom = (int(np.clip(centre_y + s * reach, 0, height)) for s in (-1, 1))
        right, bottom = min(right + 1, width), min(bottom + 1, height)
        if left >= right or top >= bottom:
            return
        x = (np.arange(left, right, dtype=np.float32) + 0.5 - centre_x)[None, :]
        y = (np.arange(top, bottom, dtype=np.float32) + 0.5 - centre_y)[:, None]
        angle = self.angle + self.spin * t
        u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        distance = outline_distance(self.category, u, v, self.radius)
        color = self.surface.paint(u, v, self.radius)
        inner = coverage(distance + border)[..., None]
        light = (1.0 - 0.22 * (x + y) / self.radius)[..., None]  # lit from the upper left
        color = 0.35 * self.surface.color * (1.0 - inner) + color * light * inner
        patch = picture[top:bottom, left:right]
        patch += coverage(distance)[..., None] * (color - patch)
        ids[top:bottom, left:right][distance < 0] = self.segment_id


def draw_surface(rng: np.random.Generator, category: int) -> Surface:
    """Choose colours and pattern of an individual; nine in ten wear a colour of their class."""
    usual = rng.random() < _USUAL
    hue = _HUES[2 * category + rng.integers(2) if usual else rng.integers(len(_HUES))]
    color = _rgb(hue, rng.uniform(0.65, 0.95), rng.uniform(0.65, 0.95))
    if rng.random() < 0.5:
        second = _rgb(_HUES[rng.integers(len(_HUES))], rng.uniform(0.2, 0.9), rng.uniform(0.6, 1.0))
    else:  # light or dark kin of the first colour
        second = _rgb(hue, *((0.25, 1.0) if rng.random() < 0.5 else (0.8, 0.4)))
    pattern = PATTERNS[rng.integers(len(PATTERNS))]
    return Surface(color, second, pattern, rng.uniform(0, np.pi), rng.uniform(0.5, 1.1))


def look_alike(surface: Surface, rng: np.random.Generator) -> Surface:
    """The surface of another individual with the same colours, told apart by its pattern only."""
    others = [pattern for pattern in PATTERNS if pattern != surface.pattern]
    keep = rng.random() < 0.25 and surface.pattern != "plain"  # two plain ones would be one
    return replace(
        surface,
        pattern=surface.pattern if keep else others[rng.integers(len(others))],
        angle=surface.angle + rng.uniform(0.25, 0.75) * np.pi,
        period=surface.period * rng.choice([0.6, 1.6]),
    )


def _rgb(hue: float, saturation: float, value: float) -> np.ndarray:
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), dtype=np.float32) * 255.0
