"""PAOT's matching: a pyramid of four scales, coarse to fine (PAOT, section 3.3).

The stride 16 map is matched twice, through two projections, then the stride 8 map; the stride 4 map
only refines. Unlike in AOT a layer's normalised output replaces the stream. On the way to the next
scale what the scale saw and made is mixed, enlarged, and added to the next projected map.

The efficient attention (section 3.4) is in the settings: one head for both attentions to memory,
and at stride 8 a thinned-out long-term memory and self-attention.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vps.modeling.vos.attention import row_by_row, sine_position
from vps.modeling.vos.decoder import conv_norm, enlarge, init_convolutions
from vps.modeling.vos.encoders import EncoderMaps
from vps.modeling.vos.features import FrameFeatures, Propagated
from vps.modeling.vos.matching import build_block
from vps.modeling.vos.memory import KeyValue, LayerMemory, spread
from vps.modeling.vos.variants import NetworkSettings


class PyramidMatching(nn.Module):
    """See the module's docstring; arguments as for ``StackedMatching``."""

    strides = (16, 16, 8, 4)  # pixels of the input per token, per scale
    any_depth = False

    def __init__(self, settings: NetworkSettings, shortcuts: Sequence[int], last_channels: int):
        super().__init__()
        channels, layers = settings.channels, settings.layers
        self.depth = sum(layers)
        self.align_corners = settings.align_corners
        sources = (last_channels, shortcuts[2], shortcuts[1], shortcuts[0])
        self.projections = nn.ModuleList(
            nn.Conv2d(source, width, 1) for source, width in zip(sources, channels, strict=True)
        )
        self.scales = nn.ModuleList(
            nn.ModuleList(build_block(settings, scale=scale) for _ in range(count))
            for scale, count in enumerate(layers)
        )
        self.norms = nn.ModuleList(  # one per layer, over all scales
            nn.LayerNorm(channels[scale])
            for scale, count in enumerate(layers)
            for _ in range(count)
        )
        self.normalize_stream = settings.normalize_stream
        entry = {"conv": _entry_convolution, "residual": ResidualUnits}[settings.pyramid_entry]
        self.entries = nn.ModuleList(
            entry(channels[s] * (1 + layers[s]), channels[s + 1]) for s in range(3)
        )
        self.refinements = nn.ModuleList(
            ResidualUnits(channels[s + 1], channels[s + 1]) for s in range(3)
        )
        self.output = conv_norm(channels[3], channels[3], 3)
        self.predictor = nn.Conv2d(channels[3], settings.output_channels, 1)
        for part in (self.projections, self.entries, self.refinements, self.output):
            init_convolutions(part)
        init_convolutions(self.predictor)

    def project(self, maps: EncoderMaps) -> FrameFeatures:
        """The maps that are matched, one per scale; the encoder's own are not needed any more."""
        sources = (maps.last, maps.maps[2], maps.maps[1], maps.maps[0])
        projected = [conv(x) for conv, x in zip(self.projections, sources, strict=True)]
        return FrameFeatures([], projected)

    def layer(self, index: int) -> tuple[nn.Module, int]:
        """The block of a layer, counted over all scales, and which of the banks feeds it."""
        for scale, blocks in enumerate(self.scales):
            if index < len(blocks):
                return blocks[index], self._bank(scale)
            index -= len(blocks)
        raise IndexError("the pyramid has no such layer")

    def _bank(self, scale: int) -> int:
        """Scales without layers have no bank."""
        return sum(len(blocks) > 0 for blocks in self.scales[:scale])

    def forward(
        self,
        features: FrameFeatures,
        memory: Sequence[LayerMemory] | None,
        identities: Sequence[Tensor] | None,
        *,
        depth: int,
        all_depths: bool,
        decode: bool,
    ) -> Propagated:
        """As ``VOSNetwork.propagate``; a pyramid is always passed whole."""
        entries: list[KeyValue] = []
        sizes: list[tuple[int, int]] = []
        seen = [features.projected[0]]
        for scale, blocks in enumerate(self.scales):
            if scale == len(self.scales) - 1 and not blocks:
                logits = self._ascend(scale, seen, features.projected[scale], decode=True)
                return Propagated([logits] if all_depths else logits, entries, sizes)
            if scale:
                seen = [self._ascend(scale, seen, features.projected[scale])]
            x = seen[0]
            size = tuple(x.shape[-2:])
            stream = x.flatten(2).transpose(1, 2)
            for block in blocks:
                index = len(entries)
                match = decode or index + 1 < depth
                stream, entry = block(
                    stream,
                    sine_position(size, stream.shape[-1], stream.device).to(stream.dtype),
                    size,
                    memory[index] if memory is not None else None,
                    identity=identities[self._bank(scale)] if identities is not None else None,
                    match=match,
                )
                entries.append(entry)
                sizes.append(size)
                if len(entries) == depth and not decode:
                    return Propagated(None, entries, sizes)
                normalised = self.norms[index](stream)
                if self.normalize_stream:
                    stream = normalised
                seen.append(normalised.transpose(1, 2).unflatten(2, size))
        logits = row_by_row(self._decode, seen[-1])
        return Propagated([logits] if all_depths else logits, entries, sizes)

    def _ascend(
        self, scale: int, seen: list[Tensor], projected: Tensor, *, decode: bool = False
    ) -> Tensor:
        """From what the scale before saw and made to the input of this one; or, if there is nothing
        more to come, to the logits.
        """

        def ascend(projected: Tensor, *seen: Tensor) -> Tensor:
            batch = len(seen[-1])
            x = self.entries[scale - 1](torch.cat([spread(x, batch) for x in seen], dim=1))
            x = enlarge(F.relu(x), projected, self.align_corners) + spread(projected, batch)
            x = F.relu(self.refinements[scale - 1](x))
            return self._decode(x) if decode else x

        return row_by_row(ascend, projected, *seen)

    def _decode(self, x: Tensor) -> Tensor:
        return self.predictor(self.output(x))


class ResidualUnits(nn.Module):
    """Two residual units; the first one changes the number of channels."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.unit1 = ResidualUnit(in_channels, out_channels)
        self.unit2 = ResidualUnit(out_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.unit2(self.unit1(x))


class ResidualUnit(nn.Module):
    """ReLU, 3 x 3 convolution and GroupNorm, twice, beside the identity or a 3 x 3 shortcut."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1 = conv_norm(in_channels, out_channels, 3, activate=False)
        self.conv2 = conv_norm(out_channels, out_channels, 3, activate=False)
        changes = in_channels != out_channels
        self.shortcut = conv_norm(in_channels, out_channels, 3, activate=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return shortcut + self.conv2(F.relu(self.conv1(F.relu(x))))


def _entry_convolution(in_channels: int, out_channels: int) -> nn.Module:
    return conv_norm(in_channels, out_channels, 1, activate=False)
