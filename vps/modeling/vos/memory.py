"""What a network remembers of earlier frames: keys and values, per layer.

A stored token is a pair of a key (where does it match?) and a value (what is there, and whose is
it?), into which the identities of the objects are fused. Long-term memory holds tokens of many
frames, short-term memory those of the frame before, in the same layout as the current frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class KeyValue(NamedTuple):
    """Tokens of one layer: key and value, both (B, N, C) for the h * w tokens of a frame, or both
    (B, heads, M, C / heads) for the tokens that long-term memory holds, which are only ever read
    head by head.
    """

    key: Tensor
    value: Tensor


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
        return len(self.short.key)


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
        entry: (B, h * w, C).
        size: (h, w).

    Returns:
        (B, heads, M, C / heads).
    """

    def thin(tokens: Tensor) -> Tensor:
        if stride > 1:
            grid = tokens.unflatten(1, size)
            tokens = grid[:, ::stride, ::stride].flatten(1, 2)
        return split_heads(tokens, heads)

    return KeyValue(thin(entry.key), thin(entry.value))


def join_frames(entries: Sequence[KeyValue]) -> KeyValue:
    """What long-term memory keeps of several frames as one memory."""
    if len(entries) == 1:
        return entries[0]
    return KeyValue(*(torch.cat(tokens, dim=2) for tokens in zip(*entries, strict=True)))


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """(B, N, C) -> (B, heads, N, C / heads)."""
    return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(tokens: Tensor) -> Tensor:
    """(B, heads, N, d) -> (B, N, heads * d)."""
    return tokens.transpose(1, 2).flatten(2)
