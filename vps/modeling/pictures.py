"""From decoded pictures to the batch that a backbone takes; shared by all model families."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def resize_shorter_side(image: np.ndarray, shorter: int, longest: int = 0) -> Tensor:
    """Resize a picture for testing, keeping its proportions.

    Args:
        image: uint8 [H, W, 3].
        shorter: wanted length of the shorter side (INPUT.MIN_SIZE_TEST); 0 keeps the size.
        longest: the longer side is at most so long (INPUT.MAX_SIZE_TEST); 0 = no limit.

    Returns:
        [3, h, w], uint8 where nothing was resized, else float, 0..255.
    """
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    height, width = tensor.shape[-2:]
    if shorter <= 0:
        return tensor
    scale = shorter / min(height, width)
    if longest > 0:
        scale = min(scale, longest / max(height, width))
    size = (round(height * scale), round(width * scale))
    if size == (height, width):
        return tensor
    return F.interpolate(
        tensor[None].float(), size=size, mode="bilinear", align_corners=False, antialias=True
    )[0]


def batch_pictures(
    images: Sequence[Tensor], mean: Tensor, std: Tensor, *, divisor: int, bgr: bool = False
) -> tuple[Tensor, list[tuple[int, int]]]:
    """Normalise RGB pictures and pad them with zeros, on the right and below, to one batch.

    Args:
        images: N tensors [3, h, w], 0..255, RGB.
        mean: (3, 1, 1), on the model's device, in the order that the model wants.
        std: (3, 1, 1).
        divisor: the batch's sides are multiples of it.
        bgr: the model wants BGR, as weights converted from Caffe2 do.

    Returns:
        float (N, 3, H, W) and the (h, w) of each picture.
    """
    sizes = [(image.shape[-2], image.shape[-1]) for image in images]
    divisor = max(divisor, 1)
    height = -(-max(h for h, _ in sizes) // divisor) * divisor
    width = -(-max(w for _, w in sizes) // divisor) * divisor
    batch = mean.new_zeros((len(images), 3, height, width))
    for row, image, (h, w) in zip(batch, images, sizes, strict=True):
        image = image.to(mean.device).to(mean.dtype)
        row[:, :h, :w] = ((image.flip(0) if bgr else image) - mean) / std
    return batch, sizes
