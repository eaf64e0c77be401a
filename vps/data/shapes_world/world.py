"""A video of Shapes-VPS: any frame of it, drawn from the seed, with exact labels.

    world = ShapesWorld(seed=7)
    image, frame = world.render(12)   # uint8 [128, 192, 3] and its PanopticFrame

Nothing is carried from frame to frame, so a video may be of any length and costs no memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vps.data.shapes_world.cast import draw_cast
from vps.data.shapes_world.categories import SHAPES_CATEGORIES
from vps.data.shapes_world.outlines import coverage
from vps.data.shapes_world.scenery import Scenery
from vps.structures import InputError, PanopticFrame, Segment


class ShapesWorld:
    """One video.

    Args:
        seed: an int, or several, all >= 0. The same seed and sizes give the same bytes.
        height, width: of the frames in pixels, at least 32. Things and scenery grow with them.
        things: how many things there are; None draws 4..8.
    """

    def __init__(
        self,
        seed: int | Sequence[int],
        *,
        height: int = 128,
        width: int = 192,
        things: int | None = None,
    ) -> None:
        if min(height, width) < 32:
            raise InputError(f"expected frames of at least 32x32 pixels, got {height}x{width}")
        if things is not None and not 0 <= things <= 99:
            raise InputError(f"expected 0..99 things in a video, got {things}")
        self.height, self.width = height, width
        self._scale = min(height / 128, width / 192)
        # Streams of their own: textures draw more numbers for larger pictures, and neither they nor
        # the number of things may change the rest of the world.
        rng, scenery_rng, cast_rng = (
            np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(3)
        )
        self._scenery = Scenery(scenery_rng, height, width, self._scale)
        count = int(rng.integers(4, 9)) if things is None else things
        self.things = draw_cast(cast_rng, count, height, width, self._scale)
        self._pan = rng.uniform(0.03, 0.09, 2) * (width, 0.5 * height)
        self._pan_phase = rng.uniform(0, 2 * np.pi, 4)
        self._bonnet = rng.uniform((0.35, 0.38, 0.045), (0.65, 0.5, 0.075))
        self._stuff_ids = {
            index: 1000 * category.dataset_id
            for index, category in enumerate(SHAPES_CATEGORIES)
            if not category.isthing
        }
        self._segments = {
            segment_id: Segment(index, False) for index, segment_id in self._stuff_ids.items()
        }
        self._segments |= {thing.segment_id: Segment(thing.category, True) for thing in self.things}

    def render(self, t: float) -> tuple[np.ndarray, PanopticFrame]:
        """Draw frame ``t``; a fraction is a moment between two frames.

        Returns:
            image uint8 [H, W, 3], RGB, and its labels. A pixel belongs to what covers its centre.
        """
        camera = self._camera(t)
        picture, ids = self._scenery.draw(t, camera, self._stuff_ids)
        for thing in self.things:
            thing.draw(picture, ids, t, camera, border=1.3 * self._scale)
        self._draw_bonnet(picture, ids)
        image = (np.clip(picture, 0, 255) + 0.5).astype(np.uint8)
        segments = self._drop_slivers(ids)
        return image, PanopticFrame(f"{int(t):05d}", ids, segments)

    def _camera(self, t: float) -> np.ndarray:
        """Where the world's origin stands in the view, float [2] = (x, y): a pan and a shake."""
        phases = self._pan_phase
        pan = self._pan * np.sin(2 * np.pi * np.array([t / 31, t / 43]) + phases[:2])
        # Waves without a common period: never twice the same, yet every frame stands for itself.
        shake = np.sin(2.4 * t + phases[2:]) + 0.6 * np.sin(1.33 * t + phases[:2])
        return pan + 0.8 * self._scale * shake

    def _draw_bonnet(self, picture: np.ndarray, ids: np.ndarray) -> None:
        """The void region: the bonnet of the car that carries the camera, fixed in the view."""
        middle, half_width, rise = self._bonnet * (self.width, self.width, self.height)
        x = (np.arange(self.width, dtype=np.float32) + 0.5 - middle)[None, :] / half_width
        y = (self.height - np.arange(self.height, dtype=np.float32) - 0.5)[:, None] / rise
        first = int(self.height - 1.5 * rise) - 2  # above, there is none of it
        top = 1.5 * (1 - x**2)
        distance = ((y - top) * rise)[first:] / np.sqrt(1 + (3 * x * rise / half_width) ** 2)
        color = 38 + 30 * np.clip(y[first:] / 1.5, 0, 1)[..., None] * np.array([0.9, 1.0, 1.25])
        color = color + 60 * coverage(np.abs(distance + 1.6) - 0.5)[..., None]
        patch = picture[first:]
        patch += coverage(distance)[..., None] * (color - patch)
        ids[first:][distance < 0] = 0

    def _drop_slivers(self, ids: np.ndarray) -> dict[int, Segment]:
        """Turn segments too small to be recognised into void, in place; the others' table."""
        area = self.height * self.width
        present, counts = np.unique(ids, return_counts=True)
        segments = {}
        for segment_id, count in zip(present.tolist(), counts.tolist()):
            if segment_id == 0:
                continue
            segment = self._segments[segment_id]
            if count < area * (0.0006 if segment.isthing else 0.003):
                ids[ids == segment_id] = 0
            else:
                segments[segment_id] = segment._replace(area=count)
        return segments
