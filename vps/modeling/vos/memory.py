"""What a network remembers of earlier frames: keys and values, per layer.

A stored token is a pair of a key (where does it match?) and a value (what is there, and whose is
it?), into which the identities of the objects are fused. Long-term memory holds tokens of many
frames, short-term memory those of the frame before, in the same layout as the current frame.

What enters the first layer knows nothing of the objects, so all groups of objects have the same
keys there, up to a factor per token (the gate of block v2). Such keys are held once, beside the
groups' values and gates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class KeyValue(NamedTuple):
    """Tokens of one layer: key and value, both (B, N, C) for the h * w tokens of a frame, or both
    (B, heads, M, C / heads) for the tokens that long-term memory holds, which are only ever read
    head by head.

    Attributes:
        key: of B rows, or of one that all groups share (``own_keys`` undoes that).
        value: of B rows.
        gate: factor on shared keys, (B, N, heads) or (B, heads, M, 1); None: 1.
    """

    key: Tensor
    value: Tensor
    gate: Tensor | None = None

    def map(self, function: Callable[[Tensor], Tensor]) -> KeyValue:
        """Apply a function to each of the tensors."""
        return KeyValue(*(function(tokens) for tokens in self if tokens is not None))


@dataclass
class LayerMemory:
    """What one layer attends to.

    Attributes:
        long: tokens of all stored frames, by head. Several entries hold the memories of
            consecutive parts of the batch, whose numbers of frames may differ.
        short: tokens of the previous frame, dense, (B, h * w, C).
    """

    long: Sequence[KeyValue]
    short: KeyValue

    @property
    def batch(self) -> int:
        return len(self.short.value)

    def parts(self) -> Iterator[tuple[slice, KeyValue, KeyValue]]:
        """The parts of the batch: which rows, their long-term and their short-term memory."""
        first = 0
        for long in self.long:
            rows = slice(first, first + len(long.value))
            first = rows.stop
            yield rows, long, select_rows(self.short, rows)


@dataclass
class Memory:
    """``layers[l]`` is what layer l attends to. The rows of the batch belong to the rows of the
    frame's features: b rows of features and b * g rows of memory are g groups of objects each.
    """

    layers: Sequence[LayerMemory]

    @property
    def batch(self) -> int:
        return self.layers[0].batch


def thin_out(entry: KeyValue, size: tuple[int, int], stride: int, heads: int) -> KeyValue:
    """What long-term memory keeps of a frame's tokens: every ``stride``-th row and column (PAOT:
    efficient attention), by head.

    Args:
        entry: dense, (B, h * w, C).
        size: (h, w).

    Returns:
        By head, (B, heads, M, C / heads).
    """

    def thin(tokens: Tensor) -> Tensor:
        if stride > 1:
            grid = tokens.unflatten(1, size)
            tokens = grid[:, ::stride, ::stride].flatten(1, 2)
        return split_heads(tokens, heads)

    return entry.map(thin)


def join_frames(entries: Sequence[KeyValue]) -> KeyValue:
    """What long-term memory keeps of several frames as one memory."""
    if len(entries) == 1:
        return entries[0]
    columns = zip(*entries, strict=True)
    return KeyValue(*(torch.cat(tokens, dim=2) for tokens in columns if tokens[0] is not None))


def own_keys(entry: KeyValue) -> KeyValue:
    """The same with keys for each row, the gate in them."""
    key = spread(entry.key, len(entry.value))
    if entry.gate is not None:
        by_gate = key.unflatten(-1, (entry.gate.shape[-1], -1))
        key = (by_gate * entry.gate[..., None]).flatten(-2)
    return KeyValue(key, entry.value)


def share_keys(entry: KeyValue) -> KeyValue:
    """The same with shared keys if one row of them serves several groups, else with own ones."""
    return entry if len(entry.key) == 1 < len(entry.value) else own_keys(entry)


def select_rows(entry: KeyValue, rows: slice | list[int]) -> KeyValue:
    """The tokens of some groups; one that is alone has nobody to share its keys with."""
    groups = len(entry.value)
    return share_keys(entry.map(lambda tokens: tokens[rows] if len(tokens) == groups else tokens))


def spread(tensor: Tensor, batch: int) -> Tensor:
    """Repeat each row for its groups, so that there are ``batch`` rows; a view where possible."""
    if len(tensor) == batch:
        return tensor
    if len(tensor) == 1:
        return tensor.expand(batch, *tensor.shape[1:])
    return tensor.repeat_interleave(batch // len(tensor), 0)


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """(B, N, C) -> (B, heads, N, C / heads)."""
    return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(tokens: Tensor) -> Tensor:
    """(B, heads, N, d) -> (B, N, heads * d)."""
    return tokens.transpose(1, 2).flatten(2)
