"""The encoders: a batch of frames in, feature maps at strides 4, 8 and 16 out.

=============  =====================  ==========================================================
name           channels of the maps   built of
=============  =====================  ==========================================================
mobilenet_v2   24, 32, 96, and 1280   torchvision's, its last stage kept at stride 16 by dilation
resnet50       256, 512, 1024         this project's, up to the third stage
swin_b         128, 256, 512          torchvision's, three stages, each normalised; always shifted
=============  =====================  ==========================================================

An encoder gives its ``maps`` (what decoders take as shortcuts) and the ``last`` one, which is
matched: MobileNetV2's is a map of its own, the others' is the stride 16 map itself. Batch
normalisation is frozen (eps 1e-5) unless the settings say otherwise.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.mobilenetv2 import MobileNetV2
from torchvision.models.swin_transformer import (
    ShiftedWindowAttention,
    SwinTransformer,
    SwinTransformerBlock,
    shifted_window_attention,
)
from torchvision.ops import StochasticDepth

from vps.layers import get_norm
from vps.modeling.backbone.resnet import ResNet
from vps.modeling.vos.variants import NetworkSettings


class EncoderMaps(NamedTuple):
    """``maps`` at strides 4, 8 and 16, and the ``last`` one at stride 16; each (B, C, h, w)."""

    maps: list[Tensor]
    last: Tensor


class MobileNetV2Encoder(nn.Module):
    """MobileNetV2 (Sandler et al. 2018) with an output stride of 16.

    The 160-channel stage loses its stride: its first block keeps dilation 1, the blocks after it,
    the 320-channel one included, are dilated by 2.

    Args:
        width: factor on the channels (torchvision's rounding).
        norm: a name of ``vps.layers.norm``.
        freeze_at: see ``build_encoder``.
    """

    def __init__(self, *, width: float = 1.0, norm: str = "FrozenBN", freeze_at: int = 2):
        super().__init__()
        features = MobileNetV2(width_mult=width, norm_layer=partial(get_norm, norm)).features
        for index in range(14, 18):
            convolution = features[index].conv[1][0]  # expand, depth-wise, project
            dilation = 1 if index == 14 else 2
            convolution.stride = (1, 1)
            convolution.dilation = convolution.padding = (dilation, dilation)
        self.features = features
        self.ends = (3, 6, 13)  # the last block of each stride
        self.channels = [features[end].out_channels for end in self.ends]
        self.last_channels = features[18].out_channels
        freeze([features[:1], features[1:4]][:freeze_at])

    def forward(self, images: Tensor) -> EncoderMaps:
        maps = []
        x = images
        for index, block in enumerate(self.features):
            x = block(x)
            if index in self.ends:
                maps.append(x)
        return EncoderMaps(maps, x)


class ResNetEncoder(nn.Module):
    """ResNet-50 (He et al. 2015) without its last stage, stride in the 3 x 3 convolutions."""

    def __init__(self, *, width: float = 1.0, norm: str = "FrozenBN", freeze_at: int = 2):
        super().__init__()
        names = ("res2", "res3", "res4")
        self.resnet = ResNet(
            50,
            norm=norm,
            stem_out_channels=round(64 * width),
            res2_out_channels=round(256 * width),
            width_per_group=round(64 * width),
            out_features=names,
            freeze_at=freeze_at,
        )
        self.channels = [self.resnet.channels[name] for name in names]
        self.last_channels = self.channels[-1]

    def forward(self, images: Tensor) -> EncoderMaps:
        maps = list(self.resnet(images).values())
        return EncoderMaps(maps, maps[-1])


class AlwaysShiftedAttention(ShiftedWindowAttention):
    """Attention in shifted windows, however small the map (B, h, w, C) is.

    Along a side that is no longer than one window torchvision leaves the shift out. Swin's program
    for dense tasks, which the family builds on, shifts all the same and masks what came round the
    edge. Seen without the shift: the first ``shift`` rows (columns) and the others ignore each
    other. It matters for pictures of up to 112 pixels on a side, at stride 16.
    """

    def forward(self, x: Tensor) -> Tensor:
        bias = self.get_relative_position_bias()
        for axis, (side, window, shift) in enumerate(
            zip(x.shape[1:3], self.window_size, self.shift_size, strict=True)
        ):
            if shift and side <= window:
                place = torch.arange(window, device=x.device) < shift
                place = place[:, None] if axis == 0 else place[None, :]
                part = place.expand(self.window_size).flatten()
                bias = bias.masked_fill(part[:, None] != part[None, :], -100.0)  # as in its masks
        return shifted_window_attention(
            x,
            self.qkv.weight,
            self.proj.weight,
            bias,
            self.window_size,
            self.num_heads,
            shift_size=self.shift_size,
            qkv_bias=self.qkv.bias,
            proj_bias=self.proj.bias,
            training=self.training,
        )


class SwinEncoder(nn.Module):
    """Swin-B (Liu et al. 2021) without its last stage.

    Args:
        width: factor on the channels.
        freeze_at: 2 fixes the patch embedding and the blocks of the first stage, whose drop-path
            then goes too; the patch merging behind them still learns.
        drop_path: of the deepest block of the whole Swin-B; the ramp is cut with the blocks.
    """

    def __init__(self, *, width: float = 1.0, freeze_at: int = 2, drop_path: float = 0.3):
        super().__init__()
        depths, whole = (2, 2, 18), 24
        first = max(4 * round(128 * width / 4), 4)
        heads = (4, 8, 16)
        swin = SwinTransformer(
            patch_size=[4, 4],
            embed_dim=first,
            depths=list(depths),
            num_heads=list(heads),
            window_size=[7, 7],
            # torchvision spreads it over the blocks that it builds.
            stochastic_depth_prob=drop_path * (sum(depths) - 1) / (whole - 1),
            num_classes=1,
            block=partial(SwinTransformerBlock, attn_layer=AlwaysShiftedAttention),
        )
        self.features = swin.features  # embedding, then stages and mergings in turn
        self.channels = [first, 2 * first, 4 * first]
        self.last_channels = self.channels[-1]
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for channels in self.channels)
        freeze([self.features[0], self.features[1]][:freeze_at])
        if freeze_at >= 2:
            for module in self.features[1].modules():
                if isinstance(module, StochasticDepth):
                    module.p = 0.0

    def forward(self, images: Tensor) -> EncoderMaps:
        maps = []
        x = self.features[0](images)  # (B, h, w, C)
        for index, norm in enumerate(self.norms):
            x = self.features[2 * index + 1](x)
            maps.append(norm(x).permute(0, 3, 1, 2))
            if index + 1 < len(self.norms):
                x = self.features[2 * index + 2](x)
        return EncoderMaps(maps, maps[-1])


def build_encoder(settings: NetworkSettings) -> nn.Module:
    """The encoder that the settings name.

    ``encoder_freeze_at`` fixes the parameters of 1: the stem, 2: the stem and the stage of stride
    4 (frozen normalisation is fixed everywhere).
    """
    norm = settings.encoder_norm
    kinds = {
        "mobilenet_v2": partial(MobileNetV2Encoder, norm=norm),
        "resnet50": partial(ResNetEncoder, norm=norm),
        "swin_b": partial(SwinEncoder, drop_path=settings.encoder_drop_path),
    }
    return kinds[settings.encoder](
        width=settings.encoder_width, freeze_at=settings.encoder_freeze_at
    )


def freeze(modules: list[nn.Module]) -> None:
    """Fix the parameters of some modules."""
    for module in modules:
        for parameter in module.parameters():
            parameter.requires_grad_(False)
