"""What is remembered of one video while it is propagated.

The groups of objects stand on the batch axis, in *bundles* of groups that began at the same frame
and so have equally long memories. Everything else treats them as one batch. Frames are counted over
the whole video for all groups. (The reference program for PAOT counts a late group's frames from 0
but notes the global frame as its last write, so that group stores nothing for a while.)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from vps.modeling.vos.memory import KeyValue, LayerMemory, Memory, join_heads, select_rows
from vps.modeling.vos.slots import Group, Layout, SlotTable, layout_of
from vps.modeling.vos.token_store import StoredFrame, TokenStore
from vps.structures import Segment


@dataclass
class Bundle:
    """Groups that began at the same frame, and their long-term memory per layer."""

    groups: list[Group]
    stores: list[TokenStore]


@dataclass
class VideoState:
    """The state of one video, made by ``Propagator.begin``.

    Attributes:
        table: which object holds which identity of which group.
        segments: what each object is, by id.
        bundles: the groups; their order is the order of the rows of the batch.
        previous: per layer, the tokens of the last frame of all groups; shorter than the network is
            deep if that frame passed fewer layers.
        frame: index of the last frame; -1 before the first.
        last_write: index of the last frame that went into long-term memory.
        size: (height, width) of the video; None before the first frame.
    """

    table: SlotTable
    segments: dict[int, Segment] = field(default_factory=dict)
    bundles: list[Bundle] = field(default_factory=list)
    previous: list[KeyValue] = field(default_factory=list)
    frame: int = -1
    last_write: int = -1
    size: tuple[int, int] | None = None

    @property
    def groups(self) -> list[Group]:
        """All groups in the order of the batch."""
        return [group for bundle in self.bundles for group in bundle.groups]

    def layout(self, channels: int, device: torch.device) -> Layout:
        """Where the objects stand in the batch of groups."""
        return layout_of(self.groups, channels, device)

    def memory(self, depth: int) -> Memory:
        """What the next frame attends to in its first ``depth`` layers.

        A layer that the last frame did not pass has no short-term memory; the latest reference,
        which passes all layers, stands in for it.
        """
        layers = []
        for index in range(depth):
            stores = [bundle.stores[index] for bundle in self.bundles]
            if index < len(self.previous):
                short = self.previous[index]
            else:
                references = [store.newest_reference() for store in stores]
                short = KeyValue(
                    join_heads(torch.cat([reference.key for reference in references])),
                    join_heads(torch.cat([reference.value for reference in references])),
                )
            layers.append(LayerMemory([store.read() for store in stores], short))
        return Memory(layers)

    def store(self, entries: list[KeyValue], *, reference: bool) -> None:
        """Put what is kept of a frame's tokens, of all groups, into long-term memory."""
        frame = StoredFrame(self.frame, reference)
        first = 0
        for bundle in self.bundles:
            rows = slice(first, first + len(bundle.groups))
            first = rows.stop
            for store, entry in zip(bundle.stores, entries):
                store.write(select_rows(entry, rows), frame)
        self.last_write = self.frame

    def drop(self, groups: list[Group]) -> None:
        """Forget the memory of some groups."""
        kept = [row for row, group in enumerate(self.groups) if group not in groups]
        if len(kept) == len(self.groups):
            return
        self.previous = [select_rows(entry, kept) for entry in self.previous]
        for bundle in self.bundles:
            rows = [row for row, group in enumerate(bundle.groups) if group not in groups]
            if rows and len(rows) < len(bundle.groups):
                for store in bundle.stores:
                    store.keep(rows)
            bundle.groups = [bundle.groups[row] for row in rows]
        self.bundles = [bundle for bundle in self.bundles if bundle.groups]
