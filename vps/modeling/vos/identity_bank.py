"""Identity banks: from a one-hot mask to an embedding per token (AOT, section 3.2).

The paper gives each of M identities a vector and embeds a mask Y as Y D. The code has a patch of
vectors per identity: a convolution whose kernel covers a token's patch of the mask ("patch"). With
a kernel that is constant over space both are the same, up to the area ("vector" is that one).

PAOT's panoptic banks (section 3.2) keep things and stuff apart: two convolutions side by side,
normalised, then mixed by a residual unit. Background is the first identity of stuff.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def bank_geometry(stride: int, align_corners: bool) -> tuple[int, int]:
    """Kernel side and padding of a bank's convolution.

    Sides of 16k + 1 need one more pixel and half a patch of margin for k + 1 tokens.
    """
    return (stride + 1, stride // 2) if align_corners else (stride, 0)


class PatchBank(nn.Conv2d):
    """One-hot masks (B, identities, H, W) -> (B, C, h, w)."""

    def __init__(self, identities: int, channels: int, stride: int, align_corners: bool):
        kernel, padding = bank_geometry(stride, align_corners)
        super().__init__(identities, channels, kernel, stride=stride, padding=padding)
        # Scaled by the area, so that a mask that fills a patch starts at unit length.
        nn.init.orthogonal_(self.weight.view(channels, -1), gain=kernel**-2)


class VectorBank(nn.Module):
    """The paper's bank: the area of each identity in a token's patch times its vector."""

    def __init__(self, identities: int, channels: int, stride: int, align_corners: bool):
        super().__init__()
        self.stride = stride
        self.kernel, self.padding = bank_geometry(stride, align_corners)
        self.vectors = nn.Conv2d(identities, channels, 1)
        nn.init.orthogonal_(self.vectors.weight.view(channels, -1))

    def forward(self, one_hot: Tensor) -> Tensor:
        return self.vectors(F.avg_pool2d(one_hot, self.kernel, self.stride, self.padding))


BANKS = {"patch": PatchBank, "vector": VectorBank}


class IdentityBank(nn.Module):
    """The bank of one scale for all kinds of objects.

    Args:
        identities: background and objects.
        channels: of the tokens.
        stride: pixels of the input per token.
        align_corners: whether sides of the input are 16k + 1.
        kind: "patch" or "vector".
        norm: LayerNorm behind the bank.
    """

    def __init__(
        self,
        identities: int,
        channels: int,
        stride: int,
        *,
        align_corners: bool,
        kind: str = "patch",
        norm: bool = False,
    ):
        super().__init__()
        self.bank = BANKS[kind](identities, channels, stride, align_corners)
        self.norm = nn.LayerNorm(channels) if norm else None

    def forward(self, one_hot: Tensor) -> Tensor:
        """(B, identities, H, W) -> tokens (B, h * w, C)."""
        tokens = self.bank(one_hot).flatten(2).transpose(1, 2)
        return tokens if self.norm is None else self.norm(tokens)


class PanopticIdentityBank(nn.Module):
    """The bank of one scale for things and stuff.

    Args:
        stuff: identities of stuff, background included.
        things: identities of things.
        others: as for ``IdentityBank``; the norm is always there.
    """

    def __init__(
        self,
        stuff: int,
        things: int,
        channels: int,
        stride: int,
        *,
        align_corners: bool,
        kind: str = "patch",
    ):
        super().__init__()
        self.split = [stuff, things]
        self.stuff = BANKS[kind](stuff, channels, stride, align_corners)
        self.thing = BANKS[kind](things, channels, stride, align_corners)
        self.norm = nn.LayerNorm(2 * channels)
        self.mix = ResidualMix(2 * channels, channels)

    def forward(self, one_hot: Tensor) -> Tensor:
        """(B, stuff + things, H, W) -> tokens (B, h * w, C), never negative."""
        stuff, thing = one_hot.split(self.split, dim=1)
        grid = torch.cat((self.stuff(stuff), self.thing(thing)), dim=1)
        return self.mix(channel_norm(self.norm, grid)).flatten(2).transpose(1, 2)


class ResidualMix(nn.Module):
    """Two 3 x 3 convolutions beside a 1 x 1 shortcut, each normalised over channels, then ReLU."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = nn.LayerNorm(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.LayerNorm(out_channels)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.shortcut_norm = nn.LayerNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = channel_norm(self.shortcut_norm, self.shortcut(x))
        x = F.relu(channel_norm(self.norm1, self.conv1(x)))
        return F.relu(channel_norm(self.norm2, self.conv2(x)) + shortcut)


def channel_norm(norm: nn.LayerNorm, grid: Tensor) -> Tensor:
    """LayerNorm over the channels of (B, C, h, w)."""
    return norm(grid.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
