"""The network of the family: a frame and what is remembered in, logits per identity out.

One network knows a fixed number of *identities*: background and ``capacity`` objects (panoptic
banks: background, ``stuff_capacity`` regions of stuff, ``capacity`` things). Which object holds
which identity is the caller's business, and so is all state; the network has none.

A frame takes three steps (AOT, section 3)::

    features = network.encode(images)
    propagated = network.propagate(features, memory)          # logits at stride 4
    entries = network.remember(propagated, network.embed_identities(one_hot))

and the entries of one or several frames make the memory of the next: ``network.build_memory``.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from vps.modeling.vos.encoders import build_encoder
from vps.modeling.vos.features import FrameFeatures, Propagated
from vps.modeling.vos.identity_bank import IdentityBank, PanopticIdentityBank
from vps.modeling.vos.matching import StackedMatching
from vps.modeling.vos.memory import KeyValue, LayerMemory, Memory, join_frames
from vps.modeling.vos.pyramid import PyramidMatching
from vps.modeling.vos.variants import NetworkSettings

__all__ = ["FrameFeatures", "Memory", "Propagated", "VOSNetwork"]


class VOSNetwork(nn.Module):
    """See the module's docstring.

    Attributes:
        settings: the network's row of the table of variants.
        channels: of the one-hot masks and the logits: 0 is background; panoptic banks have their
            stuff next, things last.
        align_corners: how all maps are resized; sides of the input are 16k+1 if True, else 16k.
        depth: number of layers, at most.
        panoptic: whether things and stuff have banks of their own.
    """

    def __init__(self, settings: NetworkSettings):
        super().__init__()
        self.settings = settings
        self.channels = settings.output_channels
        self.align_corners = settings.align_corners
        self.depth = settings.depth
        self.panoptic = settings.panoptic
        self.encoder = build_encoder(settings)
        matching = PyramidMatching if settings.decoder == "pyramid" else StackedMatching
        self.matching = matching(settings, self.encoder.channels, self.encoder.last_channels)
        # Scales without layers have no use for identities; the official code embeds them all the
        # same, at considerable cost.
        self.identity_banks = nn.ModuleList(
            _build_bank(settings, scale, stride)
            for scale, stride in enumerate(self.matching.strides)
            if settings.layers[scale]
        )

    def encode(self, images: Tensor) -> FrameFeatures:
        """Features of frames (B, 3, H, W), RGB, normalised with ImageNet's mean and deviation."""
        return self.matching.project(self.encoder(images))

    def embed_identities(self, one_hot: Tensor) -> list[Tensor]:
        """Identity embeddings, one per scale with layers, (B, h * w, C) each.

        Args:
            one_hot: float (B, channels, H, W) at the size of the network's input; a pixel without
                any identity (such as void) is zero in all channels.
        """
        return [bank(one_hot) for bank in self.identity_banks]

    def propagate(
        self,
        features: FrameFeatures,
        memory: Memory | None,
        *,
        identities: Sequence[Tensor] | None = None,
        depth: int | None = None,
        all_depths: bool = False,
        decode: bool = True,
    ) -> Propagated:
        """Match frames with the memory; or, without one, with themselves and their ``identities``
        (the reference pass).

        Args:
            features: of B frames, or of b frames whose B / b groups the memory (or identities)
                holds row by row: what does not depend on the group is computed once.
            memory: None for the reference pass.
            identities: for the reference pass, as ``embed_identities`` gives them.
            depth: pass so many layers; None = all.
            all_depths: give the logits of depth 1, 2, ... ``depth`` (scalable decoder only).
            decode: False leaves out what only the logits need.

        Raises:
            ValueError: neither memory nor identities, or a depth that the network cannot decode.
        """
        depth = depth or self.depth
        if not 1 <= depth <= self.depth:
            raise ValueError(f"expected a depth of 1 to {self.depth}, got {depth}")
        if decode and not self.matching.any_depth and (all_depths or depth < self.depth):
            raise ValueError(
                f"this network decodes after all of its {self.depth} layers only; a depth of its "
                "own choice needs the decoder scalable_fpn (AOST)"
            )
        if memory is None and identities is None:
            raise ValueError("expected a memory, or identities for the reference pass; got neither")
        return self.matching(
            features,
            memory.layers if memory is not None else None,
            identities,
            depth=depth,
            all_depths=all_depths,
            decode=decode,
        )

    def remember(self, propagated: Propagated, identities: Sequence[Tensor]) -> list[KeyValue]:
        """Fuse the frame's identities into its keys and values, per layer; dense, (B, h * w, C)."""
        fused = []
        for index, entry in enumerate(propagated.entries):
            block, bank = self.matching.layer(index)
            fused.append(block.fuse(entry, identities[bank]))
        return fused

    def keep(self, entries: Sequence[KeyValue], sizes: Sequence[tuple[int, int]]) -> list[KeyValue]:
        """What long-term memory keeps of a frame's fused entries, per layer."""
        return [
            self.matching.layer(index)[0].keep(entry, size)
            for index, (entry, size) in enumerate(zip(entries, sizes, strict=True))
        ]

    def build_memory(
        self,
        stored: Sequence[Sequence[KeyValue]],
        previous: Sequence[KeyValue],
        sizes: Sequence[tuple[int, int]],
    ) -> Memory:
        """The memory of some stored frames and the previous one, as ``remember`` gave them.

        Plain concatenation, differentiable: for training. ``sizes`` as in ``Propagated``.
        """
        frames = [self.keep(entries, sizes) for entries in stored]
        return Memory(
            [
                LayerMemory([join_frames(tokens)], short)
                for *tokens, short in zip(*frames, previous, strict=True)
            ]
        )


def _build_bank(settings: NetworkSettings, scale: int, stride: int) -> nn.Module:
    channels = settings.channels[scale]
    common = {"align_corners": settings.align_corners, "kind": settings.identity_bank}
    if settings.panoptic:
        stuff = 1 + settings.stuff_capacity
        return PanopticIdentityBank(stuff, settings.capacity, channels, stride, **common)
    identities = 1 + settings.capacity
    return IdentityBank(identities, channels, stride, norm=settings.identity_norm, **common)
