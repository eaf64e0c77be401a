"""Sizes and resizing at test time (AOT's official rule).

A frame is shrunk, never enlarged, until its long side is at most 1040 ("1.3 x 480p" of a 16:9
video), then each side goes to the nearest number that the network takes: 16k + 1 if corners are
aligned, else 16k. Several scales (test-time augmentation) limit the short side first and multiply
afterwards. The proportions change a little; results are brought back to the frame's exact size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vps.structures import InputError

STRIDE = 16
MEAN = (123.675, 116.28, 103.53)  # ImageNet's, of RGB in 0..255
STD = (58.395, 57.12, 57.375)


def network_size(
    size: tuple[int, int],
    *,
    align_corners: bool,
    max_long: float = 1040,
    max_short: float = 0,
    scale: float = 1.0,
) -> tuple[int, int]:
    """The size at which the network sees a frame.

    Args:
        size: (height, width) of the frame.
        align_corners: sides become 16k + 1 if True, else 16k.
        max_long, max_short: limits of the sides before ``scale`` is applied; 0 = none.
        scale: factor after the limits.

    Raises:
        InputError: a side would become 0.
    """
    shrink = 1.0
    if max_short and min(size) > max_short:
        shrink = max_short / min(size)
    if max_long and max(size) * shrink > max_long:
        shrink = max_long / max(size)
    extra = 1 if align_corners else 0
    # As in the official program: whole pixels first, then numpy's rounding, halves to even.
    whole = [int(side * shrink * scale) for side in size]
    sides = [int(np.around((side - extra) / STRIDE)) * STRIDE + extra for side in whole]
    if min(sides) <= 0:
        raise InputError(
            f"expected frames of at least {STRIDE // 2 + 1} pixels on each side, got "
            f"{size[0]}x{size[1]} (height x width)"
        )
    return sides[0], sides[1]


def resize_image(
    image: np.ndarray | Tensor, size: tuple[int, int], device=None, *, antialias: bool = False
) -> Tensor:
    """Bicubic (a = -0.75), without anti-aliasing, on floating point numbers that are not clipped.

    Args:
        image: uint8 (H, W, 3), RGB.
        size: (h, w).
        device: where to.
        antialias: take the mean over what is shrunk (a = -0.5); the official program does not, and
            hardly shrinks.

    Returns:
        float (1, 3, h, w), about 0..255.
    """
    pixels = torch.as_tensor(image).to(device).permute(2, 0, 1)[None].float()
    if tuple(pixels.shape[-2:]) == tuple(size):
        return pixels
    return F.interpolate(pixels, size, mode="bicubic", align_corners=False, antialias=antialias)


def normalize(pixels: Tensor, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Tensor:
    """(B, 3, H, W) of 0..255 -> what the encoder takes."""
    mean, std = (pixels.new_tensor(x).view(3, 1, 1) for x in (mean, std))
    return (pixels - mean) / std


def resize_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Nearest neighbour (torch's "nearest": the pixel at the rounded-down place), int (H, W)."""
    if tuple(labels.shape) == tuple(size):
        return labels
    # float32 holds every label below 2**24.
    resized = F.interpolate(labels[None, None].float(), size, mode="nearest")
    return resized[0, 0].to(labels.dtype)


def keep_tiny(resized: Tensor, labels: Tensor) -> Tensor:
    """Give labels that vanished in ``resize_labels`` the places that their pixels fall on.

    An object of a few pixels may fall between the places that nearest neighbour looks at; a network
    that never sees an object in its reference frame cannot follow it.
    """
    present = torch.unique(labels)
    lost = present[~torch.isin(present, torch.unique(resized))]
    if len(lost) == 0:
        return resized
    resized = resized.clone()
    for label in lost.tolist():
        rows, columns = torch.nonzero(labels == label, as_tuple=True)
        rows = rows * resized.shape[0] // labels.shape[0]
        columns = columns * resized.shape[1] // labels.shape[1]
        resized[rows, columns] = label
    return resized
