"""The parameter-free panoptic head: semantic scores and instance masks compete for every pixel.

Source: UPSNet, section 3.3, without its unknown channel, as in VPSNet. The logits of a picture are
[stuff categories | instances]. An instance's logit is the semantic logit of its class plus its mask
logit, both inside of its box only.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vps.modeling.detection.losses import mean_cross_entropy

# Stands for minus infinity; finite, so that a picture without stuff classes gives no NaN, and small
# enough for half precision.
OUTSIDE = -1e4


def panoptic_logits(
    score: Tensor,
    mask_logits: Tensor,
    boxes: Tensor,
    categories: Tensor,
    stuff: Sequence[int],
    *,
    stride: int = 4,
    outside: float = OUTSIDE,
) -> Tensor:
    """Panoptic logits of one picture at the resolution of its semantic scores.

    Args:
        score: (C, h, w) semantic scores.
        mask_logits: (n, m, m) mask logits of each instance's own class over its box.
        boxes: float (n, 4), x0 y0 x1 y1 in image pixels.
        categories: int64 (n,), contiguous category of each instance.
        stuff: contiguous stuff categories, the order of the first channels.
        stride: image pixels per pixel of ``score``.
        outside: logit of an instance outside of its box.

    Returns:
        (len(stuff) + n, h, w).
    """
    height, width = score.shape[-2:]
    stuff_logits = score[list(stuff)]
    if len(boxes) == 0:
        return stuff_logits
    pasted = paste_logits(mask_logits, boxes / stride, (height, width))  # (n, h, w)
    inside = inside_boxes(boxes / stride, (height, width))
    instance_logits = torch.where(inside, score[categories] + pasted, outside)
    return torch.cat([stuff_logits, instance_logits])


def panoptic_loss(logits: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Mean cross-entropy over all valid pixels of the pictures, each with its own channel count.

    Args:
        logits: per picture (channels, h, w).
        targets: per picture int64 (h, w), -1 = ignored.
    """
    losses = [mean_cross_entropy(x[None], y[None]) for x, y in zip(logits, targets, strict=True)]
    return torch.stack(losses).mean()


def box_window(box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The pixels x0, y0, x1, y1 (exclusive) that a box touches, clipped to ``size`` = (h, w).

    At least one pixel wide and high. (The released code rounds right and bottom edges, so that the
    last pixel of a thing can lie outside of its own box.)
    """
    height, width = size
    x0 = min(max(int(box[0] // 1), 0), width - 1)
    y0 = min(max(int(box[1] // 1), 0), height - 1)
    x1 = min(max(int(-(-box[2] // 1)), x0 + 1), width)
    y1 = min(max(int(-(-box[3] // 1)), y0 + 1), height)
    return x0, y0, x1, y1


def inside_boxes(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Bool (n, h, w): the pixels of ``box_window`` for each of n boxes, without a loop."""
    height, width = size
    x = torch.arange(width, device=boxes.device)
    y = torch.arange(height, device=boxes.device)
    x0 = boxes[:, 0].floor().clamp(0, width - 1)[:, None]
    y0 = boxes[:, 1].floor().clamp(0, height - 1)[:, None]
    x1 = torch.maximum(boxes[:, 2].ceil()[:, None], x0 + 1)
    y1 = torch.maximum(boxes[:, 3].ceil()[:, None], y0 + 1)
    columns = (x >= x0) & (x < x1)  # (n, w)
    rows = (y >= y0) & (y < y1)  # (n, h)
    return rows[:, :, None] & columns[:, None, :]


def paste_logits(
    mask_logits: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    *,
    origin: tuple[int, int] = (0, 0),
) -> Tensor:
    """Resample mask logits (n, m, m), each stretched over its box, at the centres of pixels.

    Args:
        mask_logits: (n, m, m).
        boxes: float (n, 4) in pixels of the output grid.
        size: (h, w) of the output.
        origin: (y, x) of the output's first pixel.

    Returns:
        (n, h, w). Beyond the box the border's value continues; mask it with ``inside_boxes``.
    """
    height, width = size
    y = torch.arange(height, device=boxes.device, dtype=boxes.dtype) + origin[0] + 0.5
    x = torch.arange(width, device=boxes.device, dtype=boxes.dtype) + origin[1] + 0.5
    box_width = (boxes[:, 2] - boxes[:, 0]).clamp(min=1e-3)
    box_height = (boxes[:, 3] - boxes[:, 1]).clamp(min=1e-3)
    u = (x[None] - boxes[:, 0:1]) / box_width[:, None] * 2 - 1  # (n, w), -1..1 within the box
    v = (y[None] - boxes[:, 1:2]) / box_height[:, None] * 2 - 1  # (n, h)
    grid = torch.stack(
        [u[:, None, :].expand(-1, height, -1), v[:, :, None].expand(-1, -1, width)], dim=-1
    )
    sampled = F.grid_sample(
        mask_logits[:, None].float(),
        grid.float(),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return sampled[:, 0]
