"""The decoder of AOT and AOST: from matched tokens at stride 16 to logits at stride 4.

A feature pyramid with a shortcut from the encoder at each stride (AOT, section 4.1). AOST decodes
after any number of layers; its paper shares the whole decoder, its code gives each depth an entry
convolution of its own, since the number of inputs differs ("scalable").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vps.layers import Conv2d
from vps.modeling.vos.attention import row_by_row
from vps.modeling.vos.memory import spread

GROUPS = 8  # of all group normalisations in decoders


class FPNDecoder(nn.Module):
    """See the module's docstring.

    Args:
        channels: of the tokens, and at stride 16.
        inputs: number of maps that enter together, per depth; one number if not scalable.
        shortcuts: channels of the encoder's maps at strides 4, 8 and 16.
        out_channels: identities.
        align_corners: how maps are enlarged.
    """

    def __init__(
        self,
        channels: int,
        inputs: Sequence[int],
        shortcuts: Sequence[int],
        out_channels: int,
        *,
        align_corners: bool,
    ):
        super().__init__()
        half = channels // 2
        self.align_corners = align_corners
        self.entries = nn.ModuleList(conv_norm(channels * n, channels, 1) for n in inputs)
        self.conv16 = conv_norm(channels, channels, 3)
        self.conv8 = conv_norm(channels, half, 3)
        self.conv4 = conv_norm(half, half, 3)
        self.shortcut16 = nn.Conv2d(shortcuts[2], channels, 1)
        self.shortcut8 = nn.Conv2d(shortcuts[1], channels, 1)
        self.shortcut4 = nn.Conv2d(shortcuts[0], half, 1)
        self.predictor = nn.Conv2d(half, out_channels, 1)
        init_convolutions(self)

    def forward(self, inputs: Sequence[Tensor], raw: Sequence[Tensor], depth: int) -> Tensor:
        """Decode after ``depth`` layers.

        Args:
            inputs: (b or B, C, h, w): the projected map, then the outputs of the layers.
            raw: the encoder's maps of b frames at strides 4, 8 and 16.
            depth: chooses the entry convolution where there are several.

        Returns:
            (B, out_channels, H/4, W/4).
        """
        entry = self.entries[depth - 1 if len(self.entries) > 1 else 0]
        shortcuts = (self.shortcut16(raw[2]), self.shortcut8(raw[1]), self.shortcut4(raw[0]))

        def decode(at16: Tensor, at8: Tensor, at4: Tensor, *inputs: Tensor) -> Tensor:
            batch = len(inputs[-1])
            x = entry(torch.cat([spread(x, batch) for x in inputs], dim=1))
            x = self.conv16(spread(at16, batch) + x)
            x = enlarge(x, at8, self.align_corners)
            x = self.conv8(spread(at8, batch) + x)
            x = enlarge(x, at4, self.align_corners)
            x = self.conv4(spread(at4, batch) + x)
            return self.predictor(x)

        return row_by_row(decode, *shortcuts, *inputs)


def conv_norm(in_channels: int, out_channels: int, side: int, *, activate: bool = True) -> Conv2d:
    """Convolution with bias, GroupNorm and, unless told otherwise, ReLU."""
    return Conv2d(
        in_channels,
        out_channels,
        side,
        padding=side // 2,
        norm=nn.GroupNorm(GROUPS, out_channels),
        activation=F.relu if activate else None,
    )


def enlarge(x: Tensor, like: Tensor, align_corners: bool) -> Tensor:
    """Bilinear to the size of another map."""
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=align_corners)


def init_convolutions(module: nn.Module) -> None:
    """Xavier's uniform initialisation of all convolutions below; biases start at 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
