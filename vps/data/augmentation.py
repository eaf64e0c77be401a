"""Random changes of a clip: one draw for all of its frames.

Geometry (resize, then crop, then flip) changes pictures bilinearly and ids by the nearest pixel;
colour changes pictures only. Frames of a clip must go through the same geometry: otherwise a thing
would seem to jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vps.structures import InputError

_CROP_TRIES = 10
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class ClipAugmentation:
    """What may be changed, with Detectron2's meaning of the same keys.

    Attributes:
        short_edge: lengths of the shorter side, pixels: one of them is chosen, or with
            ``short_edge_range`` any between the two. Empty or 0: no resizing.
        max_size: the longer side stays within it.
        crop_type, crop_size: "absolute", "absolute_range", "relative" or "relative_range", and
            (height, width); None: no cropping.
        flip: "none", "horizontal" or "vertical", done to half of the clips.
        color_jitter: brightness, contrast and saturation change by factors in 1 +- this.
    """

    short_edge: tuple[int, ...] = ()
    short_edge_range: bool = False
    max_size: int = 1333
    crop_type: str | None = None
    crop_size: tuple[float, float] = (1.0, 1.0)
    flip: str = "horizontal"
    color_jitter: float = 0.0

    def __post_init__(self) -> None:
        if self.flip not in ("none", "horizontal", "vertical"):
            raise InputError(
                f"expected INPUT.RANDOM_FLIP none, horizontal or vertical, got {self.flip!r}"
            )
        if self.crop_type not in (None, *_CROP_SIZES):
            raise InputError(
                f"expected INPUT.CROP.TYPE {', '.join(_CROP_SIZES)}, got {self.crop_type!r}"
            )
        if self.short_edge_range and len(self.short_edge) != 2:
            raise InputError(
                "expected INPUT.MIN_SIZE_TRAIN (least, most) for sampling 'range', got "
                f"{self.short_edge}"
            )
        if not 0 <= self.color_jitter < 1:
            raise InputError(f"expected INPUT.COLOR_JITTER in [0, 1), got {self.color_jitter}")

    def __call__(
        self,
        images: Sequence[np.ndarray],
        ids: Sequence[np.ndarray],
        things: Sequence[int],
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change a clip of T frames.

        Args:
            images: T times uint8 [H, W, 3].
            ids: T times int32 [H, W]; an unlabelled frame is all 0.
            things: the ids of things; a crop that loses all of them is drawn again.

        Returns:
            images uint8 [T, H', W', 3] and ids int32 [T, H', W']. No id is new.
        """
        size = self._draw_size(*ids[0].shape, rng)
        new_ids = np.stack([resize_ids(frame, size) for frame in ids])
        new_images = np.stack([resize_image(image, size) for image in images])
        if self.crop_type is not None:
            crop = self._draw_crop(new_ids, things, rng)
            new_ids, new_images = new_ids[crop], new_images[crop]
        if self.flip != "none" and rng.random() < 0.5:
            axis = 2 if self.flip == "horizontal" else 1
            new_ids, new_images = np.flip(new_ids, axis), np.flip(new_images, axis)
        if self.color_jitter > 0:
            factors = 1 + rng.uniform(-self.color_jitter, self.color_jitter, 3)
            new_images = change_color(new_images, *factors)
        return new_images, new_ids

    def _draw_size(self, height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
        if not self.short_edge:
            return height, width
        if self.short_edge_range:
            short_edge = int(rng.integers(self.short_edge[0], self.short_edge[1] + 1))
        else:
            short_edge = self.short_edge[rng.integers(len(self.short_edge))]
        return shortest_edge_size(height, width, short_edge, self.max_size)

    def _draw_crop(
        self, ids: np.ndarray, things: Sequence[int], rng: np.random.Generator
    ) -> tuple[slice, slice, slice]:
        """Draw a crop in which every labelled frame keeps a thing, or a segment if it has none."""
        height, width = ids.shape[1:]
        crop_height, crop_width = _CROP_SIZES[self.crop_type](height, width, self.crop_size, rng)
        wanted = np.isin(ids, things)  # [T, H, W]
        for frame in range(len(ids)):
            if not wanted[frame].any():
                wanted[frame] = ids[frame] != 0
        wanted = wanted[wanted.any(axis=(1, 2))]
        for _ in range(_CROP_TRIES):
            top = int(rng.integers(height - crop_height + 1))
            left = int(rng.integers(width - crop_width + 1))
            crop = _box(top, left, crop_height, crop_width)
            if wanted[crop].any(axis=(1, 2)).all():
                return crop
        # Things are small or far apart: around one pixel of one, in the first frame that has any.
        rows, columns = np.nonzero(wanted[0])
        chosen = rng.integers(len(rows))
        top = int(np.clip(rows[chosen] - crop_height // 2, 0, height - crop_height))
        left = int(np.clip(columns[chosen] - crop_width // 2, 0, width - crop_width))
        return _box(top, left, crop_height, crop_width)


def _box(top: int, left: int, height: int, width: int) -> tuple[slice, slice, slice]:
    """The index of a box in the arrays [T, H, W, ...] of a clip."""
    return slice(None), slice(top, top + height), slice(left, left + width)


def shortest_edge_size(height: int, width: int, short_edge: int, max_size: int) -> tuple[int, int]:
    """(height, width) with the shorter side ``short_edge`` unless the longer exceeds ``max_size``.

    Rounds as Detectron2 does. ``short_edge`` 0 keeps the size.
    """
    if short_edge == 0:
        return height, width
    scale = min(short_edge / min(height, width), max_size / max(height, width))
    return int(height * scale + 0.5), int(width * scale + 0.5)


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize uint8 [H, W, 3] to ``size`` = (height, width), bilinearly and anti-aliased."""
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))


def resize_ids(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize int32 [H, W] to ``size`` = (height, width): the id under the centre of each pixel."""
    if ids.shape == size:
        return ids
    rows, columns = (
        ((np.arange(new) + 0.5) * (old / new)).astype(np.intp) for new, old in zip(size, ids.shape)
    )
    return ids[rows[:, None], columns]


def change_color(
    images: np.ndarray, brightness: float, contrast: float, saturation: float
) -> np.ndarray:
    """Multiply brightness, contrast and saturation of uint8 [T, H, W, 3]; 1 leaves them."""
    # All three are affine in RGB, so that one product with a 3x3 matrix does them.
    pixels = images.reshape(-1, 3).astype(np.float32)
    mean = float(np.full(len(pixels), 1 / len(pixels), np.float32) @ (pixels @ _LUMA))
    matrix = saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * _LUMA[:, None]
    changed = pixels @ (contrast * brightness * matrix).astype(np.float32)
    changed += (1 - contrast) * brightness * mean + 0.5
    return np.clip(changed, 0, 255, out=changed).astype(np.uint8).reshape(images.shape)


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
