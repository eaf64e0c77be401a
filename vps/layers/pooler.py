"""RoIAlign over a feature pyramid: each box is pooled from the level that suits its size.

Level = floor(4 + log2(sqrt(area) / canonical size)), equation 1 of the FPN paper: a box of the
canonical size (224 px: an ImageNet picture) is read from P4. Small pictures want a smaller one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from vps.layers.boxes import box_area

CANONICAL_LEVEL = 4


class RoIPooler(nn.Module):
    """Pool boxes from a pyramid into maps of one size.

    Args:
        output_size: side of the pooled maps.
        strides: of the pyramid's levels, each twice the one before.
        sampling_ratio: samples per side of an output cell; 0 takes as many as the cell has pixels.
        canonical_box_size: side in pixels of the boxes that belong to stride 16.
    """

    def __init__(
        self,
        output_size: int,
        strides: Sequence[int],
        *,
        sampling_ratio: int = 0,
        canonical_box_size: float = 224.0,
    ):
        super().__init__()
        levels = [int(math.log2(stride)) for stride in strides]
        if [2**level for level in levels] != list(strides) or levels != sorted(set(levels)):
            raise ValueError(f"expected increasing powers of two as strides, got {list(strides)}")
        if len(levels) != levels[-1] - levels[0] + 1:
            raise ValueError(f"expected each stride to double the one before, got {list(strides)}")
        self.output_size = output_size
        self.strides = list(strides)
        self.min_level, self.max_level = levels[0], levels[-1]
        self.sampling_ratio = sampling_ratio
        self.canonical_box_size = canonical_box_size

    def forward(self, features: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Pool.

        Args:
            features: one (N, C, H, W) map per level.
            boxes: per image float (R, 4), xyxy in pixels of the input image.

        Returns:
            (sum of R, C, output_size, output_size), boxes in the order given. No boxes give an
            empty tensor that is still connected to the features.
        """
        if len(features) != len(self.strides):
            raise ValueError(
                f"expected a feature map for each stride {self.strides}, got {len(features)} maps"
            )
        rois = with_image_index(boxes)  # (R, 5)
        if len(features) == 1:
            return self._align(features[0], rois, self.strides[0])
        levels = assign_levels(
            torch.cat(list(boxes)), self.min_level, self.max_level, self.canonical_box_size
        )
        pooled, order = [], []
        for level, (feature, stride) in enumerate(zip(features, self.strides)):
            chosen = torch.nonzero(levels == level).squeeze(1)
            pooled.append(self._align(feature, rois[chosen], stride))
            order.append(chosen)
        # Undo the sorting by level: row order[i] of the answer is row i of what was pooled.
        return torch.cat(pooled)[torch.argsort(torch.cat(order))]

    def _align(self, feature: Tensor, rois: Tensor, stride: int) -> Tensor:
        size = (self.output_size, self.output_size)
        # roi_align wants one dtype, and half cannot hold pixel coordinates.
        pooled = roi_align(
            feature.to(rois.dtype), rois, size, 1.0 / stride, self.sampling_ratio, aligned=True
        )
        return pooled.to(feature.dtype)


def assign_levels(
    boxes: Tensor, min_level: int, max_level: int, canonical_box_size: float = 224.0
) -> Tensor:
    """Pyramid level of each box (N, 4) -> long (N,), counted from 0 = ``min_level``."""
    sizes = box_area(boxes).sqrt()
    levels = torch.floor(CANONICAL_LEVEL + torch.log2(sizes / canonical_box_size + 1e-8))
    return levels.clamp(min=min_level, max=max_level).long() - min_level


def with_image_index(boxes: Sequence[Tensor]) -> Tensor:
    """Boxes of each image (R, 4) -> (sum of R, 5) with the image's number in front."""
    counts = torch.tensor([len(b) for b in boxes])
    index = torch.repeat_interleave(torch.arange(len(boxes)), counts).to(boxes[0])
    return torch.cat([index[:, None], torch.cat(list(boxes))], dim=1)
