"""The two small networks behind RoI pooling: class and box of a region, and its mask.

Parameter names are Detectron2's: ``box_head.fc1``, ``box_predictor.cls_score``,
``mask_head.mask_fcn1``, ``mask_head.deconv``, ``mask_head.predictor``, ...
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from vps.layers import Conv2d, get_norm, init_msra, init_normal, init_xavier


class BoxHead(nn.Module):
    """Convolutions (none by default), then fully connected layers, each with ReLU.

    Args:
        in_channels, resolution: of the pooled features (R, in_channels, resolution, resolution).
        num_conv, conv_dim, norm: 3x3 convolutions ``conv1`` ...
        num_fc, fc_dim: fully connected layers ``fc1`` ...
    """

    def __init__(
        self,
        in_channels: int,
        resolution: int,
        *,
        num_conv: int = 0,
        conv_dim: int = 256,
        norm: str = "",
        num_fc: int = 2,
        fc_dim: int = 1024,
    ):
        super().__init__()
        if num_conv + num_fc == 0:
            raise ValueError("expected a box head of at least one layer, got num_conv = num_fc = 0")
        self.convs, self.fcs = [], []
        for index in range(num_conv):
            conv = _conv3x3(in_channels, conv_dim, norm)
            self.add_module(f"conv{index + 1}", conv)
            self.convs.append(f"conv{index + 1}")
            in_channels = conv_dim
        features = in_channels * resolution**2
        for index in range(num_fc):
            fc = nn.Linear(features, fc_dim)
            init_xavier(fc)
            self.add_module(f"fc{index + 1}", fc)
            self.fcs.append(f"fc{index + 1}")
            features = fc_dim
        self.out_features = features

    def forward(self, x: Tensor) -> Tensor:
        """(R, in_channels, resolution, resolution) -> (R, out_features)."""
        for name in self.convs:
            x = getattr(self, name)(x)
        x = x.flatten(1)
        for name in self.fcs:
            x = F.relu_(getattr(self, name)(x))
        return x


class BoxPredictor(nn.Module):
    """Class scores (background last) and box deltas (per class unless class-agnostic)."""

    def __init__(self, in_features: int, num_classes: int, *, class_agnostic: bool = False):
        super().__init__()
        self.cls_score = nn.Linear(in_features, num_classes + 1)
        self.bbox_pred = nn.Linear(in_features, 4 * (1 if class_agnostic else num_classes))
        init_normal(self.cls_score, std=0.01)
        init_normal(self.bbox_pred, std=0.001)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(R, in_features) -> logits (R, num_classes + 1), deltas (R, 4 * num_classes or 4)."""
        return self.cls_score(x), self.bbox_pred(x)


class MaskHead(nn.Module):
    """3x3 convolutions, one 2x enlarging transposed convolution, 1x1 predictor (Mask R-CNN).

    Args:
        in_channels: of the pooled features.
        num_classes: masks per region (1 when class-agnostic).
        num_conv, conv_dim, norm: the convolutions ``mask_fcn1`` ... and the width of ``deconv``.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        num_conv: int = 4,
        conv_dim: int = 256,
        norm: str = "",
    ):
        super().__init__()
        self.convs = [f"mask_fcn{index + 1}" for index in range(num_conv)]
        for name in self.convs:
            self.add_module(name, _conv3x3(in_channels, conv_dim, norm))
            in_channels = conv_dim
        self.deconv = nn.ConvTranspose2d(in_channels, conv_dim, kernel_size=2, stride=2)
        init_msra(self.deconv)
        self.predictor = nn.Conv2d(conv_dim, num_classes, 1)
        init_normal(self.predictor, std=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(R, in_channels, S, S) -> logits (R, num_classes, 2 S, 2 S)."""
        for name in self.convs:
            x = getattr(self, name)(x)
        return self.predictor(F.relu_(self.deconv(x)))


def _conv3x3(in_channels: int, out_channels: int, norm: str) -> Conv2d:
    conv = Conv2d(
        in_channels,
        out_channels,
        3,
        padding=1,
        bias=norm == "",
        norm=get_norm(norm, out_channels),
        activation=F.relu_,
    )
    init_msra(conv)
    return conv
