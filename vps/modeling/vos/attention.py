"""The three attentions of an LSTT block (AOT, section 3.3), on tokens (B, N, C).

Self-attention looks within the frame, long-term attention at all stored tokens, short-term
attention at a window of the previous frame. The latter two have no projections of their own for
queries and keys: the block makes one projection serve as both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vps.layers.local_attention import local_attention
from vps.layers.shared_attention import shared_attention
from vps.modeling.vos.memory import KeyValue, join_heads, own_keys, split_heads, spread


class SelfAttention(nn.Module):
    """Multi-head attention within a frame; the position is seen by queries and keys alone.

    Args:
        channels: of the tokens.
        heads: number of heads.
        stride: keys and values are every n-th token of the flat sequence (PAOT: a stride along the
            sequence, not along rows and columns, so the pattern depends on the width).
    """

    def __init__(self, channels: int, heads: int, stride: int = 1):
        super().__init__()
        self.heads = heads
        self.stride = stride
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor, position: Tensor) -> Tensor:
        placed = tokens + position
        query = self.query(placed)
        key = self.key(placed[:, :: self.stride])
        value = self.value(tokens[:, :: self.stride])
        query, key, value = (split_heads(x, self.heads) for x in (query, key, value))
        return self.output(join_heads(F.scaled_dot_product_attention(query, key, value)))


class LongTermAttention(nn.Module):
    """Attention to all stored tokens, whatever their place."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.output = nn.Linear(channels, channels)

    def forward(self, query: Tensor, memory: KeyValue) -> Tensor:
        """Query (b, N, C) against a memory of B rows, by head -> (B, N, C)."""
        query = split_heads(query, self.heads)
        shared = len(query) == len(memory.key) == 1 < len(memory.value)
        if shared and one_row_pays(query):
            return self.output(join_heads(shared_attention(query, *memory)))
        memory = own_keys(memory)
        query = spread(query, len(memory.key))
        found = F.scaled_dot_product_attention(query, memory.key, memory.value)
        return self.output(join_heads(found))


class ShortTermAttention(nn.Module):
    """Attention to a window of the previous frame, with relative biases (``local_attention``)."""

    def __init__(self, channels: int, heads: int, window: int):
        super().__init__()
        self.heads = heads
        self.window = window
        head_channels = channels // heads
        # The bias of an offset is a linear function of the head's query, before that is scaled: a
        # holder of weights whose rows are heads, and offsets within them.
        self.relative_key = nn.Linear(head_channels, heads * window**2)
        self.relative_value = nn.Parameter(torch.empty(heads, head_channels, window**2))
        self.output = nn.Linear(channels, channels)

    def forward(self, query: Tensor, memory: KeyValue, size: tuple[int, int]) -> Tensor:
        memory = own_keys(memory)
        found = local_attention(
            split_heads(spread(query, len(memory.key)), self.heads),
            split_heads(memory.key, self.heads),
            split_heads(memory.value, self.heads),
            size,
            window=self.window,
            bias_weight=self.relative_key.weight.unflatten(0, (self.heads, -1)).transpose(1, 2),
            bias=self.relative_key.bias.unflatten(0, (self.heads, -1)),
            value_table=self.relative_value,
        )
        return self.output(join_heads(found))


def row_by_row(
    function: Callable[..., Tensor], *tensors: Tensor, into: Tensor | None = None
) -> Tensor:
    """Apply what treats the rows of a batch alike to one row after the other, where that pays.

    On a CPU one group of objects keeps a core busy, and its intermediate results take a fraction of
    the memory that those of all groups take. On a GPU, and in training, which keeps them anyway,
    all rows go at once.

    Args:
        function: of tensors with one axis of rows, which it keeps.
        tensors: of B rows, or of one row that belongs to all.
        into: memory that may be overwritten with the result, such as a tensor that nobody else
            needs: each of its rows has been read when the result's row is written.
    """
    batch = max(map(len, tensors))
    alike = all(len(tensor) in (1, batch) for tensor in tensors)
    if batch == 1 or not alike or not one_row_pays(tensors[0]):
        return function(*tensors)
    output = into
    for row in range(batch):
        found = function(*(x if len(x) == 1 else x[row : row + 1] for x in tensors))
        if output is None:
            output = found.new_empty((batch, *found.shape[1:]))
        output[row] = found[0]
        del found  # not to be held beside what the next row takes
    return output


def one_row_pays(tensor: Tensor) -> bool:
    """Whether rows should go one after the other: see ``row_by_row``."""
    return tensor.device.type == "cpu" and not torch.is_grad_enabled()


@lru_cache(maxsize=16)
def sine_position(size: tuple[int, int], channels: int, device: torch.device) -> Tensor:
    """DETR's sine embedding of each place of an (h, w) grid: (h * w, channels), y's half first.

    Coordinates start at 0 and end at 2 pi; the temperature is 10,000.
    """
    half = channels // 2
    # Kept between frames, so it must not be born as a tensor that training cannot use.
    with torch.inference_mode(False), torch.no_grad():
        order = torch.arange(half, dtype=torch.float32, device=device)
        period = 10000 ** (2 * torch.div(order, 2, rounding_mode="floor") / half)

        def waves(length: int) -> Tensor:
            places = torch.arange(length, dtype=torch.float32, device=device)
            angle = (places / (places[-1] + 1e-6) * 2 * math.pi)[:, None] / period
            return torch.stack((angle[:, 0::2].sin(), angle[:, 1::2].cos()), dim=2).flatten(1)

        height, width = size
        y = waves(height)[:, None].expand(height, width, half)
        x = waves(width)[None].expand(height, width, half)
        return torch.cat((y, x), dim=2).flatten(0, 1)
