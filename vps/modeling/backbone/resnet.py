"""Residual networks (He et al. 2015) of depth 18, 34, 50, 101 and 152 at any width.

An image (N, 3, H, W) becomes the maps ``res2`` .. ``res5`` at strides 4, 8, 16 and 32. Parameter
names are Detectron2's: ``stem.conv1.weight``, ``res2.0.conv1.norm.weight``,
``res3.0.shortcut.weight``, ... (torchvision's names become these by ``tools/convert_weights.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from vps.layers import Conv2d, freeze_batch_norm, get_norm, init_msra

BLOCKS_PER_STAGE = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


class ResNet(nn.Module):
    """A residual network without its classifier.

    Args:
        depth: 18 or 34 (two 3x3 convolutions per block), 50, 101 or 152 (1x1, 3x3, 1x1).
        norm: name for ``get_norm``; "EvalBN" keeps the statistics and trains the affine part.
        stem_out_channels: channels of the stem (64 in the paper; any number trains from scratch).
        res2_out_channels: channels of res2, doubled at each further stage: 64 for 18 and 34, 256
            for deeper ones in the paper.
        num_groups, width_per_group: of the 3x3 convolutions in deep blocks (ResNeXt).
        stride_in_1x1: a deep block strides in its first 1x1 convolution (Caffe2, MSRA weights) and
            not in its 3x3 (torchvision weights).
        out_features: which maps to give, of "stem", "res2" .. "res5"; later stages are not built.
        freeze_at: stages that are fixed, statistics included: 1 is the stem, 2 is stem and res2 ...

    Attributes:
        channels, strides: of each map in ``out_features``.
    """

    def __init__(
        self,
        depth: int,
        *,
        norm: str = "BN",
        stem_out_channels: int = 64,
        res2_out_channels: int | None = None,
        num_groups: int = 1,
        width_per_group: int = 64,
        stride_in_1x1: bool = False,
        out_features: Sequence[str] = ("res2", "res3", "res4", "res5"),
        freeze_at: int = 0,
    ):
        super().__init__()
        if depth not in BLOCKS_PER_STAGE:
            raise ValueError(f"expected a ResNet depth of {list(BLOCKS_PER_STAGE)}, got {depth}")
        names = ["stem", "res2", "res3", "res4", "res5"]
        if not out_features or not set(out_features) <= set(names):
            raise ValueError(f"expected out_features among {names}, got {list(out_features)}")
        deep = depth >= 50
        if res2_out_channels is None:
            res2_out_channels = 256 if deep else 64
        self.out_features = tuple(out_features)
        self.stem = Stem(3, stem_out_channels, norm)
        self.channels, self.strides = {"stem": stem_out_channels}, {"stem": 4}
        in_channels = stem_out_channels
        out_channels = res2_out_channels
        inner_channels = num_groups * width_per_group
        last = max(names.index(name) for name in out_features)
        self.stage_names = names[1 : last + 1]
        for index, name in enumerate(self.stage_names):
            blocks = []
            for block in range(BLOCKS_PER_STAGE[depth][index]):
                stride = 2 if block == 0 and index > 0 else 1
                if deep:
                    blocks.append(
                        BottleneckBlock(
                            in_channels,
                            out_channels,
                            inner_channels,
                            stride=stride,
                            norm=norm,
                            num_groups=num_groups,
                            stride_in_1x1=stride_in_1x1,
                        )
                    )
                else:
                    blocks.append(BasicBlock(in_channels, out_channels, stride=stride, norm=norm))
                in_channels = out_channels
            self.add_module(name, nn.Sequential(*blocks))
            self.channels[name], self.strides[name] = out_channels, 4 * 2**index
            out_channels *= 2
            inner_channels *= 2
        self.channels = {name: self.channels[name] for name in self.out_features}
        self.strides = {name: self.strides[name] for name in self.out_features}
        self.freeze(freeze_at)

    def freeze(self, freeze_at: int) -> None:
        """Fix the first ``freeze_at`` of (stem, res2, res3, res4, res5), statistics included."""
        for name in ["stem", *self.stage_names][:freeze_at]:
            part = freeze_batch_norm(getattr(self, name))
            for parameter in part.parameters():
                parameter.requires_grad_(False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised images (N, 3, H, W) -> the maps of ``out_features``."""
        features = {}
        x = self.stem(images)
        if "stem" in self.out_features:
            features["stem"] = x
        for name in self.stage_names:
            x = getattr(self, name)(x)
            if name in self.out_features:
                features[name] = x
        return features


class Stem(nn.Module):
    """7x7 convolution of stride 2, norm, ReLU, 3x3 max-pooling of stride 2."""

    def __init__(self, in_channels: int, out_channels: int, norm: str):
        super().__init__()
        self.conv1 = _conv(in_channels, out_channels, 7, norm, stride=2, activation=F.relu_)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(self.conv1(x), kernel_size=3, stride=2, padding=1)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, norm: str):
        super().__init__()
        # The shortcut is made first, as in Detectron2: the order of the state dict is part of what
        # is compared.
        self.shortcut = _shortcut(in_channels, out_channels, stride, norm)
        self.conv1 = _conv(in_channels, out_channels, 3, norm, stride=stride, activation=F.relu_)
        self.conv2 = _conv(out_channels, out_channels, 3, norm)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return F.relu_(self.conv2(self.conv1(x)) + shortcut)


class BottleneckBlock(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        inner_channels: int,
        *,
        stride: int,
        norm: str,
        num_groups: int,
        stride_in_1x1: bool,
    ):
        super().__init__()
        stride_1x1, stride_3x3 = (stride, 1) if stride_in_1x1 else (1, stride)
        inner = inner_channels
        self.shortcut = _shortcut(in_channels, out_channels, stride, norm)
        self.conv1 = _conv(in_channels, inner, 1, norm, stride=stride_1x1, activation=F.relu_)
        self.conv2 = _conv(
            inner, inner, 3, norm, stride=stride_3x3, groups=num_groups, activation=F.relu_
        )
        self.conv3 = _conv(inner, out_channels, 1, norm)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return F.relu_(self.conv3(self.conv2(self.conv1(x))) + shortcut)


def _conv(in_channels: int, out_channels: int, size: int, norm: str, **kwargs) -> Conv2d:
    conv = Conv2d(
        in_channels,
        out_channels,
        size,
        padding=size // 2,
        bias=norm == "",
        norm=get_norm(norm, out_channels),
        **kwargs,
    )
    init_msra(conv)
    return conv


def _shortcut(in_channels: int, out_channels: int, stride: int, norm: str) -> Conv2d | None:
    """A 1x1 projection where the number of channels changes, else the identity (None)."""
    if in_channels == out_channels and stride == 1:
        return None
    return _conv(in_channels, out_channels, 1, norm, stride=stride)
