"""The semantic head of UPSNet and VPSNet: deformable convolutions shared by all pyramid levels.

Source: UPSNet, section 3.2; VPSNet's released code has three deformable convolutions with GroupNorm
in place of UPSNet's two without. Levels p2..p5 (N, C, H/4..H/32, W/4..W/32) become one score map
(N, categories, H/4, W/4).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vps.layers import Conv2d, DeformConv2d, get_norm
from vps.modeling.detection.losses import mean_cross_entropy


class SemanticHead(nn.Module):
    """Class scores of all categories, stuff and things, at stride 4.

    Args:
        in_channels: channels of every pyramid level.
        num_categories: contiguous categories, stuff and things.
        in_features: the levels, finest first.
        conv_dims: output channels of each convolution of the shared sub-net.
        norm: normalisation after each convolution ("GN", "BN", "" ...).
        deformable: deformable convolutions (DCNv1) where True, ordinary ones where False.
        loss_resolution: "full" takes the cross-entropy after upsampling to the image's resolution
            (released code), "score" at stride 4 (VPSNet++ paper).
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_categories: int,
        in_features: Sequence[str] = ("p2", "p3", "p4", "p5"),
        conv_dims: Sequence[int] = (256, 128, 128),
        norm: str = "GN",
        deformable: bool = True,
        loss_weight: float = 1.0,
        loss_resolution: str = "full",
    ):
        super().__init__()
        if loss_resolution not in ("full", "score"):
            raise ValueError(f"expected LOSS_RESOLUTION 'full' or 'score', got {loss_resolution!r}")
        self.in_features = tuple(in_features)
        self.loss_weight = loss_weight
        self.loss_resolution = loss_resolution
        layers: list[nn.Module] = []
        for channels in conv_dims:
            if deformable:
                # Its offsets start at zero and must stay so: no global initialisation over it.
                layers += [DeformConv2d(in_channels, channels), get_norm(norm, channels), nn.ReLU()]
            else:
                conv = Conv2d(in_channels, channels, 3, padding=1, bias=not norm)
                nn.init.kaiming_uniform_(conv.weight, a=1)
                layers += [conv, get_norm(norm, channels), nn.ReLU()]
            in_channels = channels
        self.subnet = nn.Sequential(*(layer for layer in layers if layer is not None))
        self.score = nn.Conv2d(len(self.in_features) * in_channels, num_categories, 1)
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.zeros_(self.score.bias)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """Scores (N, categories, H/4, W/4) from the pyramid's levels."""
        size = features[self.in_features[0]].shape[-2:]
        levels = [self.subnet(features[name]) for name in self.in_features]
        levels = levels[:1] + [_resize(level, size) for level in levels[1:]]
        return self.score(torch.cat(levels, dim=1))

    def loss(self, score: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy over the labelled pixels.

        Args:
            score: (N, categories, H/4, W/4).
            labels: int64 (N, H, W) of contiguous categories, -1 = ignored.
        """
        if self.loss_resolution == "full":
            score = _resize(score, labels.shape[-2:])
        else:
            labels = labels[:, ::4, ::4]
        return self.loss_weight * mean_cross_entropy(score, labels)


def _resize(tensor: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(tensor, size=tuple(size), mode="bilinear", align_corners=False)
