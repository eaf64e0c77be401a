"""Long-term memory at test time: the tokens of stored frames, in one block of memory per layer.

Writing a frame copies that frame and nothing else; a full store overwrites. Attention does not care
about the order of its keys, so a frame may stand anywhere.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from vps.modeling.vos.memory import KeyValue, own_keys, select_rows


class StoredFrame(NamedTuple):
    """Which frame a place holds, and whether its masks were given."""

    index: int
    reference: bool


class TokenStore:
    """The stored frames of one layer, for some groups.

    Args:
        cap: frames at most; 0 = no limit. When full, the oldest frame goes that is no reference. If
            only references are left, other frames are not stored any more, and a new reference
            takes the place of the second oldest, so that memory stays bounded however many objects
            arrive.
    """

    def __init__(self, cap: int = 0):
        if cap < 0:
            raise ValueError(f"expected a cap of 0 (no limit) or more frames, got {cap}")
        self.cap = cap
        self.frames: list[StoredFrame] = []  # by place
        self._tokens = 0  # per frame
        self._room: KeyValue | None = None  # (G, heads, places * tokens, d)

    def write(self, entry: KeyValue, frame: StoredFrame) -> None:
        """Store what is kept of a frame, (G, heads, N, d)."""
        if self._room is None:
            self._tokens = entry.key.shape[2]
        if self.cap and len(self.frames) >= self.cap:
            place = self._victim(frame.reference)
            if place is None:
                return
            self.frames[place] = frame
        else:
            place = len(self.frames)
            self.frames.append(frame)
            self._make_room(entry)
        where = slice(place * self._tokens, (place + 1) * self._tokens)
        # All frames of a store come in one form: keys are shared, with a gate, or own, without.
        for room, tokens in zip(self._room, entry, strict=True):
            if room is not None:
                room[:, :, where] = tokens

    def read(self) -> KeyValue:
        """The tokens of all stored frames, (G, heads, frames * N, d); a view."""
        count = len(self.frames) * self._tokens
        return self._room.map(lambda room: room[:, :, :count])

    def newest_reference(self) -> KeyValue:
        """The tokens of the latest frame whose masks were given, keys for each group."""
        place = max(
            (place for place, frame in enumerate(self.frames) if frame.reference),
            key=lambda place: self.frames[place].index,
        )
        where = slice(place * self._tokens, (place + 1) * self._tokens)
        return own_keys(self._room.map(lambda room: room[:, :, where]))

    def keep(self, rows: list[int]) -> None:
        """Forget all groups but those in ``rows``."""
        self._room = select_rows(self._room, rows)

    def _victim(self, for_reference: bool) -> int | None:
        order = sorted(range(len(self.frames)), key=lambda place: self.frames[place].index)
        passing = [place for place in order if not self.frames[place].reference]
        if passing:
            return passing[0]
        return order[min(1, len(order) - 1)] if for_reference else None

    def _make_room(self, entry: KeyValue) -> None:
        """Room for the last of ``frames``; doubled when it runs out."""
        have = 0 if self._room is None else self._room.key.shape[2] // self._tokens
        if len(self.frames) <= have:
            return
        places = max(1, 2 * have)
        if self.cap:
            places = min(places, self.cap)
        old = (None, None, None) if self._room is None else self._room
        grown = [
            None if like is None else _grown(tokens, like, places * self._tokens)
            for tokens, like in zip(old, entry, strict=True)
        ]
        self._room = KeyValue(*grown)


def _grown(old: Tensor | None, like: Tensor, tokens: int) -> Tensor:
    groups, heads, _, channels = like.shape
    new = like.new_empty((groups, heads, tokens, channels))
    if old is not None:
        new[:, :, : old.shape[2]] = old
    return new
