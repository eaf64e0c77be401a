"""Feature pyramid network (Lin et al. 2017): maps of equal width at strides 4 to 64.

Each bottom-up map goes through a 1x1 lateral convolution, is added to the next coarser map
enlarged twice (nearest), and leaves through a 3x3 convolution; no activation. p6 is p5 subsampled
by 2. Parameter names are Detectron2's: ``fpn_lateral2.weight``, ``fpn_output2.weight``,
``bottom_up.res2.0.conv1.weight``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from vps.layers import Conv2d, get_norm, init_xavier


class LastLevelMaxPool(nn.Module):
    """One more level of twice the stride: every other pixel of the coarsest map."""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, kernel_size=1, stride=2)


class FPN(nn.Module):
    """A pyramid on top of a bottom-up network.

    Args:
        bottom_up: module with ``channels`` and ``strides`` per map name, such as ResNet.
        in_features: names of its maps, finest first; each stride twice the one before.
        out_channels: of every level.
        norm: name for ``get_norm``, "" in the paper.
        fuse_type: "sum", or "avg" (half of it).
        top_block: makes a further level from the last.

    Attributes:
        channels, strides: of each level, by name ("p2", ... "p6"; "p<i>" has stride 2**i).
        size_divisibility: image sides must be multiples of this.
    """

    def __init__(
        self,
        bottom_up: nn.Module,
        in_features: Sequence[str],
        out_channels: int,
        *,
        norm: str = "",
        fuse_type: str = "sum",
        top_block: nn.Module | None = None,
    ):
        super().__init__()
        if fuse_type not in ("sum", "avg"):
            raise ValueError(f"expected fuse_type 'sum' or 'avg', got {fuse_type!r}")
        strides = [bottom_up.strides[name] for name in in_features]
        if any(after != 2 * before for before, after in itertools.pairwise(strides)):
            raise ValueError(f"expected each stride to double the one before, got {strides}")
        self.in_features = tuple(in_features)
        self.fuse_type = fuse_type
        self.stages = [int(math.log2(stride)) for stride in strides]
        for stage, name in zip(self.stages, in_features):
            lateral = _conv(bottom_up.channels[name], out_channels, 1, norm)
            output = _conv(out_channels, out_channels, 3, norm)
            self.add_module(f"fpn_lateral{stage}", lateral)
            self.add_module(f"fpn_output{stage}", output)
        self.top_block = top_block
        self.bottom_up = bottom_up
        self.strides = {f"p{stage}": stride for stage, stride in zip(self.stages, strides)}
        if top_block is not None:
            self.strides[f"p{self.stages[-1] + 1}"] = 2 * strides[-1]
        self.channels = dict.fromkeys(self.strides, out_channels)
        self.size_divisibility = strides[-1]

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised images (N, 3, H, W) -> {"p2": (N, C, H/4, W/4), ...}, finest first."""
        bottom_up = self.bottom_up(images)
        pyramid = {}
        coarser = None
        for stage, name in zip(reversed(self.stages), reversed(self.in_features)):
            x = getattr(self, f"fpn_lateral{stage}")(bottom_up[name])
            if coarser is not None:
                x = x + F.interpolate(coarser, scale_factor=2.0, mode="nearest")
                if self.fuse_type == "avg":
                    x = x / 2
            coarser = x
            pyramid[f"p{stage}"] = getattr(self, f"fpn_output{stage}")(x)
        if self.top_block is not None:
            last = self.stages[-1]
            pyramid[f"p{last + 1}"] = self.top_block(pyramid[f"p{last}"])
        return {name: pyramid[name] for name in self.strides}


def _conv(in_channels: int, out_channels: int, size: int, norm: str) -> Conv2d:
    conv = Conv2d(
        in_channels,
        out_channels,
        size,
        padding=size // 2,
        bias=norm == "",
        norm=get_norm(norm, out_channels),
    )
    init_xavier(conv)
    return conv
