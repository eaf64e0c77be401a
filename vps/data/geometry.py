"""The geometry of a clip: resize, crop, pad, flip, in this order, the same for all of its frames.

It is drawn once per clip (``vps.data.augmentation``) and can then be applied to anything that lies
on the frames' pixels: pictures, ids, and optical flow that was computed beforehand, whose *values*
change too. Only the part of a frame that the crop keeps is ever resized.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

# Ways to resize pictures, by their names in INPUT.INTERPOLATION, as Pillow knows them.
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class ClipGeometry:
    """One drawn change of the frames' geometry.

    Attributes:
        source: (height, width) of the frames as they are.
        resized: (height, width) to resize them to.
        crop: (top, left, height, width) to keep of that; None keeps all.
        padded: (height, width) to pad the crop to, at the bottom and at the right; None pads
            nothing.
        flip: "none", "horizontal" or "vertical".
    """

    source: tuple[int, int]
    resized: tuple[int, int]
    crop: tuple[int, int, int, int] | None = None
    padded: tuple[int, int] | None = None
    flip: str = "none"

    @property
    def kept(self) -> tuple[int, int, int, int]:
        """(top, left, height, width) of what is kept of the resized frame."""
        return self.crop or (0, 0, *self.resized)

    @property
    def source_box(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) of what is kept, in whole pixels of the source.

        The crop is moved by less than one of them, so that it can be cut out before it is resized.
        """
        top, left, height, width = self.kept
        down, across = self.source[0] / self.resized[0], self.source[1] / self.resized[1]
        first_row = min(round(top * down), self.source[0] - 1)
        first_column = min(round(left * across), self.source[1] - 1)
        last_row = max(round((top + height) * down), first_row + 1)
        last_column = max(round((left + width) * across), first_column + 1)
        return first_column, first_row, last_column, last_row

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        return self.padded or self.kept[2:]

    def change_image(
        self,
        image: np.ndarray | Image.Image,
        *,
        interpolation: str = "bilinear",
        pad_color: tuple[int, int, int] = (0, 0, 0),
    ) -> np.ndarray:
        """Change a picture uint8 [H, W, 3] or RGB; anti-aliased where it gets smaller.

        Returns:
            uint8 [H', W', 3], a view of planes [3, H', W'], which is how models want it.
        """
        picture = as_picture(image)
        if self.crop is None:
            kept = torch.from_numpy(np.array(self._resize_whole(picture, interpolation)))
            planes = kept.permute(2, 0, 1)  # (3, h, w)
        else:
            planes = self._resize_part(picture, interpolation)
        height, width = planes.shape[1:]
        if self.size != (height, width):
            color = torch.tensor(pad_color, dtype=torch.uint8)[:, None, None]
            planes, smaller = color.repeat(1, *self.size), planes
            planes[:, :height, :width] = smaller
        if self.flip != "none":
            planes = planes.flip(2 if self.flip == "horizontal" else 1)
        return planes.contiguous().permute(1, 2, 0).numpy()

    def _resize_whole(self, picture: Image.Image, interpolation: str) -> Image.Image:
        if self.resized == self.source:
            return picture
        return picture.resize(self.resized[::-1], FILTERS[interpolation])

    def _resize_part(self, picture: Image.Image, interpolation: str) -> torch.Tensor:
        """The crop as uint8 [3, height, width].

        PyTorch's kernels are vectorised and five times as fast as Pillow's; the two agree within
        one or two levels of 255 on photos, a few more on noise. Whole frames stay with Pillow, so
        that trainings without crops see what they always saw.
        """
        part = torch.from_numpy(np.array(picture.crop(self.source_box)))
        planes = part.permute(2, 0, 1)  # (3, h, w)
        size = self.kept[2:]
        if planes.shape[1:] == size:
            return planes
        return F.interpolate(planes[None], size=size, mode=interpolation, antialias=True)[0]

    def change_ids(self, ids: np.ndarray) -> np.ndarray:
        """Change ids int32 [H, W]: the id under the centre of each new pixel; padding is 0."""
        kept = self.crop_ids(ids)
        if kept.shape == self.size:
            return kept
        changed = np.zeros(self.size, kept.dtype)
        rows, columns = (slice(size) for size in kept.shape)
        if self.flip == "vertical":
            rows = slice(-kept.shape[0], None)
        elif self.flip == "horizontal":
            columns = slice(-kept.shape[1], None)
        changed[rows, columns] = kept
        return changed

    def crop_ids(self, ids: np.ndarray, *, step: int = 1) -> np.ndarray:
        """The ids int32 that the crop keeps, flipped but not padded; of every ``step``-th row and
        column of them.
        """
        left, top, right, bottom = self.source_box
        height, width = self.kept[2:]
        rows = _nearest(bottom - top, height)[::step]
        columns = left + _nearest(right - left, width)[::step]
        if self.flip == "vertical":
            rows = rows[::-1]
        elif self.flip == "horizontal":
            columns = columns[::-1]
        part = ids[top:bottom]
        if len(rows) < len(part):
            return part.take(rows, axis=0).take(columns, axis=1)
        # Rows are repeated last: that is copying, while columns are picked pixel by pixel.
        return part.take(columns, axis=1).take(rows, axis=0)

    def change_flow(self, flow: np.ndarray) -> np.ndarray:
        """Change optical flow float [H, W, 2] = (x, y) in pixels from one frame of the clip to
        another: its values grow with the frames and turn round with them. Padding does not move.
        """
        left, top, right, bottom = self.source_box
        height, width = self.kept[2:]
        part = torch.from_numpy(flow[top:bottom, left:right].astype(np.float32))
        planes = F.interpolate(
            part.permute(2, 0, 1)[None], size=(height, width), mode="bilinear", antialias=True
        )[0]
        changed = planes.permute(1, 2, 0).numpy() * np.array(
            [width / (right - left), height / (bottom - top)], np.float32
        )
        changed = self._finish(changed)
        if self.flip == "horizontal":
            changed[..., 0] *= -1
        elif self.flip == "vertical":
            changed[..., 1] *= -1
        return changed

    def _finish(self, kept: np.ndarray) -> np.ndarray:
        """Pad with 0 and flip."""
        height, width = kept.shape[:2]
        if self.size != (height, width):
            kept, smaller = np.zeros((*self.size, *kept.shape[2:]), kept.dtype), kept
            kept[:height, :width] = smaller
        if self.flip == "none":
            return kept
        return np.ascontiguousarray(np.flip(kept, 1 if self.flip == "horizontal" else 0))


def as_picture(image: np.ndarray | Image.Image) -> Image.Image:
    """An image of Pillow from uint8 [H, W, 3] or from one."""
    return image if isinstance(image, Image.Image) else Image.fromarray(image)


def resize_image(
    image: np.ndarray, size: tuple[int, int], *, interpolation: str = "bilinear"
) -> np.ndarray:
    """Resize uint8 [H, W, 3] to ``size`` = (height, width), anti-aliased."""
    geometry = ClipGeometry(image.shape[:2], tuple(size))
    return geometry.change_image(image, interpolation=interpolation)


def resize_ids(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize int32 [H, W] to ``size`` = (height, width): the id under the centre of each pixel."""
    return ids if ids.shape == tuple(size) else ClipGeometry(ids.shape, size).change_ids(ids)


def _nearest(old: int, new: int) -> np.ndarray:
    """Index intp [new] of the old pixel under the centre of each new one."""
    return ((np.arange(new) + 0.5) * (old / new)).astype(np.intp)
