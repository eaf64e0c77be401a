"""The stuff of Shapes-VPS: sky, grass, water and road, as noisy textures with moving boundaries.

Every region is the set of points with a negative signed distance, so that its edge is anti-aliased
like those of things. Textures are periodic tiles of filtered noise; a moving camera samples them
bilinearly between their pixels.
"""

from __future__ import annotations

import numpy as np

from vps.data.shapes_world.categories import GRASS, ROAD, SKY, WATER
from vps.data.shapes_world.outlines import coverage

_TILE = 256  # pixels of a picture of 128 rows


class Scenery:
    """The landscape of one video.

    Args:
        rng: all that is random about it is drawn here, once.
        height, width: of the view, in pixels.
        scale: height of the view relative to 128, the size that lengths are written for.
    """

    def __init__(self, rng: np.random.Generator, height: int, width: int, scale: float) -> None:
        self.height, self.width, self.scale = height, width, scale
        self._horizon = height * rng.uniform(0.26, 0.38)
        self._hills = _waves(rng, count=3, height=5.0 * scale, length=width * 0.7)
        self._shore = _waves(rng, count=3, height=3.0 * scale, length=width * 0.5)
        self._lake = self._draw_lake(rng)
        self._road = self._draw_road(rng)
        self._tint = {c: rng.uniform(-14, 14, 3).astype(np.float32) for c in (SKY, GRASS, ROAD)}
        self._tint[WATER] = rng.uniform(-14, 14, 3).astype(np.float32)
        size = round(_TILE * scale)  # what follows draws more numbers the larger it is: last
        self._clouds = _noise_tile(rng, size, low=1.5, high=6, stretch=2.0)
        self._meadow = _noise_tile(rng, size, low=2, high=10, stretch=1.0)
        self._blades = _noise_tile(rng, size, low=25, high=70, stretch=0.5)
        self._ripples = _noise_tile(rng, size, low=6, high=24, stretch=4.0)
        self._grain = _noise_tile(rng, size, low=40, high=110, stretch=1.0)

    def _draw_lake(self, rng: np.random.Generator) -> tuple[float, float, float, float]:
        """A band of water: height of its middle line at x = 0, slope, half its width, drift."""
        middle = self._horizon + (self.height - self._horizon) * rng.uniform(0.35, 0.65)
        slope = rng.uniform(-0.25, 0.25)
        half = rng.uniform(11, 18) * self.scale
        return middle - slope * self.width / 2, slope, half, rng.uniform(-0.6, 0.6)

    def _draw_road(self, rng: np.random.Generator) -> tuple[float, float, float, float]:
        """A road towards the horizon: x there, x at the lower edge, half its widths at both."""
        far = self.width * rng.uniform(0.2, 0.8)
        near = np.clip(
            far + self.width * rng.uniform(-0.4, 0.4), 0.1 * self.width, 0.9 * self.width
        )
        return far, near, rng.uniform(4, 7) * self.scale, rng.uniform(22, 34) * self.scale

    def draw(
        self, t: float, camera: np.ndarray, segment_ids: dict[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Paint the landscape of frame ``t``.

        Returns:
            picture float32 [H, W, 3] in about 0..255, and ids int32 [H, W] with
            ``segment_ids[category]``.
        """
        x = (np.arange(self.width, dtype=np.float32) + 0.5 - camera[0])[None, :]  # of the world
        y = (np.arange(self.height, dtype=np.float32) + 0.5 - camera[1])[:, None]
        picture = self._sky(y, camera)
        ids = np.full((self.height, self.width), segment_ids[SKY], dtype=np.int32)
        horizon = self._horizon + _height(self._hills, x, 0.0)
        above = horizon - y  # [H, W], negative below the horizon
        for category, distance, color in (
            (GRASS, above, self._grass(camera)),
            (WATER, np.maximum(above + 4 * self.scale, self._water_distance(x, y, t)), None),
            (ROAD, *self._road_region(x, y, above, camera)),
        ):
            if color is None:
                color = self._water(camera, t)
            picture += coverage(distance)[..., None] * (color - picture)
            ids[distance < 0] = segment_ids[category]
        return picture, ids

    def _water_distance(self, x: np.ndarray, y: np.ndarray, t: float) -> np.ndarray:
        start, slope, half, drift = self._lake
        middle = start + slope * x + _height(self._shore, x, 0.35 * t)
        middle = middle + drift * self.scale * 8 * np.sin(0.2 * t)  # tide
        return np.abs(y - middle) - half

    def _road_region(
        self, x: np.ndarray, y: np.ndarray, above: np.ndarray, camera: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        far, near, half_far, half_near = self._road
        depth = (y - self._horizon) / (self.height - self._horizon)
        bend = np.maximum(depth, 0.0)
        middle = far + (near - far) * bend * (0.6 + 0.4 * bend)  # [H, 1]
        half = half_far + (half_near - half_far) * bend
        aside = np.abs(x - middle)
        distance = np.maximum(above, aside - half)
        color = np.array([112, 110, 114], np.float32) + self._tint[ROAD]
        color = color + 13 * self._sample(self._grain, camera)[..., None]
        dashes = np.sin(30 * np.sqrt(np.maximum(depth, 0.02))) > 0
        marking = coverage(aside - 0.05 * half) * dashes
        edge = coverage(np.abs(aside - 0.88 * half) - 0.03 * half)
        paint = np.clip(marking + 0.8 * edge, 0, 1)[..., None]
        return distance, color + paint * (np.array([225, 215, 170], np.float32) - color)

    def _sky(self, y: np.ndarray, camera: np.ndarray) -> np.ndarray:
        depth = np.clip(y / self._horizon, 0, 1)[..., None]
        zenith, haze = np.array([92, 150, 222], np.float32), np.array([196, 222, 244], np.float32)
        color = zenith + depth * (haze - zenith) + self._tint[SKY]
        clouds = np.clip(0.55 * self._sample(self._clouds, 0.5 * camera) - 0.1, 0, 0.85)[..., None]
        return color + clouds * (np.float32(248) - color)

    def _grass(self, camera: np.ndarray) -> np.ndarray:
        patches = self._sample(self._meadow, camera)[..., None]
        blades = self._sample(self._blades, camera)[..., None]
        color = np.array([92, 142, 62], np.float32) + self._tint[GRASS]
        return color + patches * np.array([13, 10, 3], np.float32) + 13 * blades

    def _water(self, camera: np.ndarray, t: float) -> np.ndarray:
        flow = np.array([1.4 * t, 0.4 * t]) * self.scale
        ripples = self._sample(self._ripples, camera + flow)[..., None]
        glints = np.clip(ripples - 1.3, 0, 1)
        color = np.array([46, 108, 158], np.float32) + self._tint[WATER]
        return color + ripples * np.array([13, 15, 15], np.float32) + 90 * glints

    def _sample(self, tile: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """The tile as seen by a view moved by ``shift`` (x, y): float32 [H, W]."""
        rows = _interpolate(tile, -shift[1], self.height)
        return _interpolate(rows.T, -shift[0], self.width).T


def _interpolate(tile: np.ndarray, start: float, count: int) -> np.ndarray:
    """``count`` rows of a periodic tile from the row ``start``, which may lie between two rows."""
    first = int(np.floor(start))
    share = np.float32(start - first)
    rows = tile[np.arange(first, first + count + 1) % len(tile)]
    return rows[:-1] + share * (rows[1:] - rows[:-1])


def _noise_tile(
    rng: np.random.Generator, size: int, *, low: float, high: float, stretch: float
) -> np.ndarray:
    """Periodic noise of mean 0 and deviation 1, float32 [size, size], of ``low`` to ``high`` cycles
    per tile, stretched along x.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    cycles = np.hypot(
        np.fft.fftfreq(size, 1 / size)[:, None], stretch * np.fft.rfftfreq(size, 1 / size)
    )
    spectrum *= np.exp(-((cycles / high) ** 2)) * (1 - np.exp(-((cycles / low) ** 2)))
    noise = np.fft.irfft2(spectrum, s=(size, size))
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)


def _waves(
    rng: np.random.Generator, *, count: int, height: float, length: float
) -> list[tuple[float, float, float, float]]:
    """Sines (height, wave number, phase, speed), shorter ones lower."""
    return [
        (
            height / k * rng.uniform(0.5, 1.0),
            2 * np.pi * k / (length * rng.uniform(0.8, 1.25)),
            rng.uniform(0, 2 * np.pi),
            rng.choice([-1.0, 1.0]) * k,
        )
        for k in range(1, count + 1)
    ]


def _height(waves: list[tuple[float, float, float, float]], x: np.ndarray, t: float) -> np.ndarray:
    """Height of the sum of waves at ``x`` [...]."""
    return sum(a * np.sin(k * x + phase + speed * t) for a, k, phase, speed in waves)
