"""Anchors: the fixed boxes around every cell of a feature map (Ren et al. 2015).

Detectron2's convention: anchors are float and centred on the cell's upper left pixel corner times
the stride (offset 0); for each size, one anchor per aspect ratio (height / width) of equal area.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class AnchorGenerator(nn.Module):
    """Lays the anchors of each pyramid level over its feature map.

    Args:
        sizes: per level, the anchors' sides in pixels (a list per level, or one list for all).
        aspect_ratios: height / width, in the same form.
        strides: of the levels, in pixels.
        offset: of the centre inside a cell, in cells; 0 in Detectron2.
    """

    def __init__(
        self,
        sizes: Sequence[Sequence[float]],
        aspect_ratios: Sequence[Sequence[float]],
        strides: Sequence[int],
        offset: float = 0.0,
    ):
        super().__init__()
        self.strides = list(strides)
        self.offset = offset
        sizes = _per_level(sizes, strides, "sizes")
        aspect_ratios = _per_level(aspect_ratios, strides, "aspect ratios")
        self.cell_anchors = [make_cell_anchors(*pair) for pair in zip(sizes, aspect_ratios)]
        counts = {len(cell) for cell in self.cell_anchors}
        if len(counts) != 1:
            raise ValueError(f"expected the same number of anchors on each level, got {counts}")
        self.num_anchors = counts.pop()  # per cell

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Anchors of each level.

        Args:
            features: one (N, C, H, W) map per level.

        Returns:
            per level float32 (H * W * num_anchors, 4), xyxy; the anchors of one cell are adjacent.
        """
        return [
            lay_anchors(cell.to(feature.device), feature.shape[-2:], stride, self.offset)
            for cell, feature, stride in zip(self.cell_anchors, features, self.strides)
        ]


def make_cell_anchors(sizes: Sequence[float], aspect_ratios: Sequence[float]) -> Tensor:
    """Boxes around the origin: float32 (len(sizes) * len(aspect_ratios), 4)."""
    boxes = []
    for size in sizes:
        for ratio in aspect_ratios:
            width = math.sqrt(size**2 / ratio)
            height = ratio * width
            boxes.append([-width / 2, -height / 2, width / 2, height / 2])
    return torch.tensor(boxes, dtype=torch.float32)


def lay_anchors(cell: Tensor, grid: Sequence[int], stride: int, offset: float = 0.0) -> Tensor:
    """Repeat a cell's A boxes over a grid of (height, width) cells: (height * width * A, 4)."""
    height, width = grid
    ys = (torch.arange(height, dtype=torch.float32, device=cell.device) + offset) * stride
    xs = (torch.arange(width, dtype=torch.float32, device=cell.device) + offset) * stride
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    shifts = torch.stack([x, y, x, y], dim=-1).view(-1, 1, 4)
    return (shifts + cell).view(-1, 4)


def _per_level(values: Sequence, strides: Sequence[int], what: str) -> Sequence:
    if len(values) == 1:
        return list(values) * len(strides)
    if len(values) != len(strides):
        levels = f"1 or {len(strides)} levels"
        raise ValueError(f"expected anchor {what} for {levels}, got {len(values)}")
    return values
