"""What passes between the steps of the network for one batch of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from vps.modeling.vos.memory import KeyValue


@dataclass
class FrameFeatures:
    """What the encoder sees in a batch of frames.

    Attributes:
        raw: the encoder's maps at strides 4, 8 and 16, (B, C, h, w); empty where the decoder has no
            use for them.
        projected: the maps that are matched, one per scale, coarse to fine.
    """

    raw: list[Tensor]
    projected: list[Tensor]

    @property
    def batch(self) -> int:
        return len(self.projected[0])

    def select(self, rows: slice | Sequence[int]) -> FrameFeatures:
        """The features of some frames of the batch."""
        return FrameFeatures([x[rows] for x in self.raw], [x[rows] for x in self.projected])

    def expand(self, groups: int) -> FrameFeatures:
        """Every frame ``groups`` times, one after the other: rows of its groups of objects."""
        return FrameFeatures(
            [x.repeat_interleave(groups, 0) for x in self.raw],
            [x.repeat_interleave(groups, 0) for x in self.projected],
        )


@dataclass
class Propagated:
    """What a frame's matching gives.

    Attributes:
        logits: (B, channels, H/4, W/4); None if not wanted; one per depth with ``all_depths``.
        entries: keys and values of every passed layer, identities not yet fused in.
        sizes: (h, w) of each layer's tokens.
    """

    logits: Tensor | list[Tensor] | None
    entries: list[KeyValue]
    sizes: list[tuple[int, int]]
