"""Random changes of a clip: one draw for all of its frames.

Geometry (resize, crop, pad, flip; ``vps.data.geometry``) changes pictures smoothly and ids by the
nearest pixel; colour (``vps.data.color``) changes pictures only. Frames of a clip must go through
the same geometry: otherwise a thing would seem to jump.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from PIL import Image

from vps.data.color import ColorAugmentation, change_color
from vps.data.geometry import FILTERS, ClipGeometry, resize_ids, resize_image
from vps.structures import InputError, LabelRuns

_SAMPLE_STEP = 16  # pixels

__all__ = [
    "ClipAugmentation",
    "change_color",
    "resize_ids",
    "resize_image",
    "shortest_edge_size",
]


@dataclass(frozen=True)
class ClipAugmentation:
    """What may be changed, with Detectron2's meaning of the same keys.

    Attributes:
        short_edge: lengths of the shorter side, pixels: one of them is chosen, or with
            ``short_edge_range`` any between the two. Empty or 0: no resizing.
        max_size: the longer side stays within it.
        interpolation: "bilinear" or "bicubic", of pictures.
        crop_type, crop_size: "absolute", "absolute_range", "relative" or "relative_range", and
            (height, width); None: no cropping.
        crop_tries: crops that are drawn until one keeps enough; then one is put around a thing.
        min_object_area: 0: a crop keeps enough if every labelled frame keeps a thing. Else: if the
            first frame, a reference, keeps an object of more pixels than this.
        pad_color: where the frames are smaller than an absolute crop, pad them to its size with
            this colour and with the id 0; None leaves them smaller.
        flip: "none", "horizontal" or "vertical", done to half of the clips.
        color_jitter: brightness, contrast and saturation change by factors in 1 +- this.
        color: all changes of colour, in place of ``color_jitter``; None: that one alone.
    """

    short_edge: tuple[int, ...] = ()
    short_edge_range: bool = False
    max_size: int = 1333
    interpolation: str = "bilinear"
    crop_type: str | None = None
    crop_size: tuple[float, float] = (1.0, 1.0)
    crop_tries: int = 10
    min_object_area: int = 0
    pad_color: tuple[int, int, int] | None = None
    flip: str = "horizontal"
    color_jitter: float = 0.0
    color: ColorAugmentation | None = None

    def __post_init__(self) -> None:
        if self.flip not in ("none", "horizontal", "vertical"):
            raise InputError(
                f"expected INPUT.RANDOM_FLIP none, horizontal or vertical, got {self.flip!r}"
            )
        if self.crop_type not in (None, *_CROP_SIZES):
            raise InputError(
                f"expected INPUT.CROP.TYPE {', '.join(_CROP_SIZES)}, got {self.crop_type!r}"
            )
        if self.pad_color is not None and self.crop_type != "absolute":
            raise InputError(
                "expected INPUT.CROP.ENABLED and INPUT.CROP.TYPE absolute for INPUT.CROP.PAD, got "
                f"{self.crop_type!r}"
            )
        if self.interpolation not in FILTERS:
            raise InputError(
                f"expected INPUT.INTERPOLATION {' or '.join(FILTERS)}, got {self.interpolation!r}"
            )
        if self.short_edge_range and len(self.short_edge) != 2:
            raise InputError(
                "expected INPUT.MIN_SIZE_TRAIN (least, most) for sampling 'range', got "
                f"{self.short_edge}"
            )
        if self.color is None:
            object.__setattr__(self, "color", ColorAugmentation(jitter=self.color_jitter))

    def __call__(
        self,
        images: Sequence[np.ndarray | Image.Image],
        ids: Sequence[np.ndarray],
        things: Collection[int],
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change a clip of T frames.

        Args:
            images: T times uint8 [H, W, 3], or RGB images of Pillow.
            ids: T times int32 [H, W]; an unlabelled frame is all 0.
            things: the ids of things; a crop that loses all of them is drawn again.

        Returns:
            images uint8 [T, H', W', 3], a view of planes [T, 3, H', W'], and ids int32
            [T, H', W']. No id is new.
        """
        geometry = self.draw_geometry(ids, things, rng)
        new_ids = np.empty((len(ids), *geometry.size), np.int32)
        for changed, frame in zip(new_ids, ids):
            changed[:] = geometry.change_ids(frame)
        color = self.pad_color or (0, 0, 0)
        planes = np.empty((len(images), 3, *geometry.size), np.uint8)
        for plane, image in zip(planes, images):
            changed = geometry.change_image(
                image, interpolation=self.interpolation, pad_color=color
            )
            plane[:] = changed.transpose(2, 0, 1)
        self.color.change_in_place(planes, rng)
        return planes.transpose(0, 2, 3, 1), new_ids

    def draw_geometry(
        self, ids: Sequence[np.ndarray], things: Collection[int], rng: np.random.Generator
    ) -> ClipGeometry:
        """Draw the geometry of a clip; arguments as above."""
        height, width = ids[0].shape
        geometry = ClipGeometry((height, width), self._draw_size(height, width, rng))
        if self.crop_type is not None:
            geometry = self._draw_crop(geometry, ids, things, rng)
        if self.flip != "none" and rng.random() < 0.5:
            geometry = replace(geometry, flip=self.flip)
        return geometry

    def _draw_size(self, height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
        if not self.short_edge:
            return height, width
        if self.short_edge_range:
            short_edge = int(rng.integers(self.short_edge[0], self.short_edge[1] + 1))
        else:
            short_edge = self.short_edge[rng.integers(len(self.short_edge))]
        return shortest_edge_size(height, width, short_edge, self.max_size)

    def _draw_crop(
        self,
        geometry: ClipGeometry,
        ids: Sequence[np.ndarray],
        things: Collection[int],
        rng: np.random.Generator,
    ) -> ClipGeometry:
        """Add a crop that keeps enough of what is to be learnt."""
        height, width = geometry.resized
        crop_height, crop_width = _CROP_SIZES[self.crop_type](height, width, self.crop_size, rng)
        if self.pad_color is not None:
            geometry = replace(geometry, padded=tuple(int(side) for side in self.crop_size))
        things = set(things)
        frames = ids[:1] if self.min_object_area else ids
        zoom = height * width / frames[0].size

        @cache
        def wanted(t: int) -> list[int]:
            return self._find_wanted(frames[t], zoom, things)

        for _ in range(self.crop_tries):
            top = int(rng.integers(height - crop_height + 1))
            left = int(rng.integers(width - crop_width + 1))
            geometry = replace(geometry, crop=(top, left, crop_height, crop_width))
            if all(
                self._surely_keeps(geometry, frame, things)
                or _shows_one(geometry.crop_ids(frame), wanted(t), self.min_object_area)
                for t, frame in enumerate(frames)
            ):
                return geometry
        # Things are small or far apart: around one pixel of one, in the first frame that has any.
        t = next(t for t in range(len(frames)) if wanted(t))
        rows, columns = np.nonzero(np.isin(resize_ids(frames[t], geometry.resized), wanted(t)))
        if not len(rows):  # too small to survive the resizing
            return geometry
        chosen = rng.integers(len(rows))
        top = int(np.clip(rows[chosen] - crop_height // 2, 0, height - crop_height))
        left = int(np.clip(columns[chosen] - crop_width // 2, 0, width - crop_width))
        return replace(geometry, crop=(top, left, crop_height, crop_width))

    def _surely_keeps(self, geometry: ClipGeometry, frame: np.ndarray, things: set[int]) -> bool:
        """Whether a few pixels already show that the crop keeps a thing, which is far cheaper."""
        if self.min_object_area:
            return False  # an area takes all of them
        sample = geometry.crop_ids(frame, step=_SAMPLE_STEP)
        return not things.isdisjoint(sample.ravel().tolist())

    def _find_wanted(self, frame: np.ndarray, zoom: float, things: set[int]) -> list[int]:
        """The ids of which it is enough for a crop to keep one, the largest first; none where the
        frame shows nothing. Areas grow by ``zoom``.
        """
        areas = _areas(frame)
        if self.min_object_area:
            preferred = {k for k, area in areas.items() if area * zoom > self.min_object_area}
        else:
            preferred = areas.keys() & things
        return sorted(preferred or areas, key=areas.__getitem__, reverse=True)


def _areas(ids: np.ndarray) -> dict[int, int]:
    keys, areas = LabelRuns.from_map(ids).count_ids()
    return {key: area for key, area in zip(keys.tolist(), areas.tolist()) if key != 0}


def _shows_one(ids: np.ndarray, keys: list[int], area: int) -> bool:
    """Whether one of these segments has more than ``area`` pixels, or there is none."""
    # The largest of the frame decides nearly always, and to count one is far cheaper than all.
    if not keys or np.count_nonzero(ids == keys[0]) > area:
        return True
    areas = _areas(ids)
    return any(areas.get(key, 0) > area for key in keys)


def shortest_edge_size(height: int, width: int, short_edge: int, max_size: int) -> tuple[int, int]:
    """(height, width) with the shorter side ``short_edge`` unless the longer exceeds ``max_size``.

    Rounds as Detectron2 does. ``short_edge`` 0 keeps the size.
    """
    if short_edge == 0:
        return height, width
    scale = min(short_edge / min(height, width), max_size / max(height, width))
    return int(height * scale + 0.5), int(width * scale + 0.5)


def _absolute(height, width, size, rng):
    return min(int(size[0]), height), min(int(size[1]), width)


def _absolute_range(height, width, size, rng):
    sides = []
    for side in (height, width):
        low, high = (min(side, int(limit)) for limit in size)
        sides.append(int(rng.integers(low, high + 1)))
    return tuple(sides)


def _relative(height, width, size, rng):
    return max(int(height * size[0] + 0.5), 1), max(int(width * size[1] + 0.5), 1)


def _relative_range(height, width, size, rng):
    share = [least + rng.random() * (1 - least) for least in size]
    return _relative(height, width, share, rng)


_CROP_SIZES = {
    "absolute": _absolute,
    "absolute_range": _absolute_range,
    "relative": _relative,
    "relative_range": _relative_range,
}
