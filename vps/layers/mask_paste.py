"""Put the small square masks of boxes into full-size images.

Bilinear interpolation with half-pixel centres (``F.grid_sample`` with align_corners=False) is
separable, so pasting is two small matrix products per box: rows (H, S) @ mask (S, S) @ columns
(S, W). That is one code path for one box or a hundred, differentiable, and needs no sampling grid
of H x W x 2 floats per box.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

# Boxes are pasted in chunks of about this many pixels. On the CPU a chunk is worked out only inside
# the region that holds its boxes, so small chunks save work; a GPU wants few, large ones.
CHUNK_PIXELS = {"cpu": 2**18}
DEFAULT_CHUNK_PIXELS = 2**26


def paste_masks(
    masks: Tensor, boxes: Tensor, image_size: tuple[int, int], *, threshold: float = 0.5
) -> Tensor:
    """Paste mask probabilities and threshold them.

    Beyond a mask's rim the probability falls linearly to 0 within half a mask cell, as Detectron2's
    pasting does.

    Args:
        masks: float (N, S, S) in 0..1.
        boxes: float (N, 4), xyxy in pixels; may reach over the image's border.
        image_size: (H, W).
        threshold: a pixel belongs to the mask when its probability is at least this.

    Returns:
        bool (N, H, W).
    """
    out = torch.zeros(len(masks), *image_size, dtype=torch.bool, device=masks.device)
    for chunk, (top, bottom, left, right) in _chunks(boxes, image_size):
        pasted = _interpolate(masks[chunk], boxes[chunk], (top, bottom), (left, right))
        out[chunk, top:bottom, left:right] = pasted >= threshold
    return out


def _chunks(
    boxes: Tensor, image_size: tuple[int, int]
) -> Iterator[tuple[slice, tuple[int, int, int, int]]]:
    """Slices of the boxes, each with the region (top, bottom, left, right) that holds its boxes."""
    height, width = image_size
    pixels = CHUNK_PIXELS.get(boxes.device.type, DEFAULT_CHUNK_PIXELS)
    step = max(1, pixels // max(1, height * width))
    for start in range(0, len(boxes), step):
        chunk = slice(start, min(start + step, len(boxes)))
        if boxes.device.type != "cpu":  # reading the region back would stall the device
            yield chunk, (0, height, 0, width)
            continue
        left, top = (boxes[chunk, :2].amin(0).floor() - 1).clamp(min=0).int().tolist()
        right, bottom = (boxes[chunk, 2:].amax(0).ceil() + 1).int().tolist()
        right, bottom = min(right, width), min(bottom, height)
        if right > left and bottom > top:
            yield chunk, (top, bottom, left, right)


def _interpolate(
    masks: Tensor,
    boxes: Tensor,
    rows: tuple[int, int],
    columns: tuple[int, int],
) -> Tensor:
    """Masks (N, S, S) of boxes (N, 4), sampled at the pixels of a region: (N, rows, columns)."""
    height, width = masks.shape[-2:]
    with torch.autocast(masks.device.type, enabled=False):  # half would move the masks' rims
        row_weights = _hat_weights(rows, boxes[:, 1:2], boxes[:, 3:4], height)
        column_weights = _hat_weights(columns, boxes[:, 0:1], boxes[:, 2:3], width)
        return row_weights @ masks.float() @ column_weights.transpose(1, 2)


def _hat_weights(span: tuple[int, int], low: Tensor, high: Tensor, size: int) -> Tensor:
    """Weight of each mask cell for each pixel of a span, (N, pixels, cells).

    Linear interpolation gives cell s the weight max(0, 1 - |position - s|), which falls to 0 beyond
    the outer cells.
    """
    pixels = torch.arange(*span, device=low.device, dtype=torch.float32) + 0.5
    extent = (high - low).float().clamp(min=1e-6)  # a box without area must not give NaN
    positions = (pixels - low) / extent * size - 0.5  # (N, pixels), in mask cells
    cells = torch.arange(size, device=low.device, dtype=torch.float32)
    return (1 - (positions[:, :, None] - cells).abs()).clamp_(min=0)
