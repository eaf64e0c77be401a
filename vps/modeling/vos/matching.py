"""AOT's and AOST's matching: a stack of blocks at stride 16, then the decoder.

The un-normalised stream feeds the next block; each output passes a LayerNorm of its own for the
decoder only. AOST (scalable LSTT) can stop after any layer: its weights hold all shallower models.
AOST-share applies one block again and again and decodes the last output.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from vps.modeling.vos.attention import sine_position
from vps.modeling.vos.block import BLOCKS
from vps.modeling.vos.decoder import FPNDecoder, init_convolutions
from vps.modeling.vos.encoders import EncoderMaps
from vps.modeling.vos.features import FrameFeatures, Propagated
from vps.modeling.vos.memory import KeyValue, LayerMemory
from vps.modeling.vos.variants import NetworkSettings


class StackedMatching(nn.Module):
    """See the module's docstring.

    Args:
        settings: of the network.
        shortcuts: channels of the encoder's maps at strides 4, 8 and 16.
        last_channels: of the map that is matched.
    """

    strides = (16,)  # pixels of the input per token, per scale

    def __init__(self, settings: NetworkSettings, shortcuts: Sequence[int], last_channels: int):
        super().__init__()
        (channels,), (layers,) = settings.channels, settings.layers
        self.depth = layers
        self.shared = settings.share_layers
        self.projection = nn.Conv2d(last_channels, channels, 1)
        init_convolutions(self.projection)
        built = 1 if self.shared else layers
        self.blocks = nn.ModuleList(build_block(settings, scale=0) for _ in range(built))
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(built))
        if settings.decoder == "scalable_fpn" and not self.shared:
            inputs = [2 + layer for layer in range(layers)]
        else:
            inputs = [2 if self.shared else 1 + layers]
        self.any_depth = self.shared or len(inputs) == layers
        self.decoder = FPNDecoder(
            channels,
            inputs,
            shortcuts,
            settings.output_channels,
            align_corners=settings.align_corners,
        )

    def project(self, maps: EncoderMaps) -> FrameFeatures:
        """What matching and decoder need of the encoder's maps."""
        return FrameFeatures(maps.maps, [self.projection(maps.last)])

    def layer(self, index: int) -> tuple[nn.Module, int]:
        """The block of a layer, and which of the banks feeds it."""
        return self.blocks[0 if self.shared else index], 0

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
        """As ``VOSNetwork.propagate``."""
        grid = features.projected[0]
        size = tuple(grid.shape[-2:])
        stream = grid.flatten(2).transpose(1, 2)  # (b, h * w, C)
        position = sine_position(size, stream.shape[-1], stream.device).to(stream.dtype)
        outputs: list[Tensor] = []
        entries: list[KeyValue] = []
        for index in range(depth):
            block, bank = self.layer(index)
            stream, entry = block(
                stream,
                position,
                size,
                memory[index] if memory is not None else None,
                identity=identities[bank] if identities is not None else None,
                match=decode or index + 1 < depth,
            )
            entries.append(entry)
            outputs.append(stream)
        sizes = [size] * depth
        if not decode:
            return Propagated(None, entries, sizes)
        norms = [self.norms[0 if self.shared else i] for i in range(depth)]
        normalised = [
            norm(output).transpose(1, 2).unflatten(2, size)
            for norm, output in zip(norms, outputs, strict=True)
        ]
        logits = [
            self._decode(grid, normalised[:layer], features.raw)
            for layer in (range(1, depth + 1) if all_depths else [depth])
        ]
        return Propagated(logits if all_depths else logits[0], entries, sizes)

    def _decode(self, grid: Tensor, outputs: list[Tensor], raw: Sequence[Tensor]) -> Tensor:
        seen = outputs[-1:] if self.shared else outputs
        return self.decoder([grid, *seen], raw, len(outputs))


def build_block(settings: NetworkSettings, *, scale: int) -> nn.Module:
    """A block as the settings have it at one scale."""
    extra = {"gate_per_head": settings.gate_per_head} if settings.block == "v2" else {}
    return BLOCKS[settings.block](
        settings.channels[scale],
        self_heads=settings.self_heads[scale],
        match_heads=settings.match_heads[scale],
        feed_forward=settings.feed_forward[scale],
        window=settings.window,
        self_stride=settings.self_stride[scale],
        memory_stride=settings.memory_stride[scale],
        drop_path=settings.drop_path[scale],
        drop_path_match=settings.drop_path_match[scale],
        **extra,
    )
