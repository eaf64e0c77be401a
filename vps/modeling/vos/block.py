"""One block of the long short-term transformer, as AOT has it (v1) and as AOST and PAOT (v2).

A block takes the tokens of a frame through self-attention, through matching with memory and through
a feed-forward part, each behind a LayerNorm and beside a shortcut. Matching is "siamese": the same
projection makes the frame's queries and the keys that it will leave in memory. How the identities
E get into what is remembered differs:

* v1 (AOT, eq. 4): value = W (x + E), key unchanged. (The paper has x W + E; the code is followed.)
* v2 (AOST, section 3.3): key = k (1 + tanh(gate(E))), value = v + W E. The gate has one channel per
  head as in the code, or one in all as in eq. 5. The query is never gated.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from vps.modeling.vos.attention import (
    LongTermAttention,
    SelfAttention,
    ShortTermAttention,
    row_by_row,
)
from vps.modeling.vos.memory import KeyValue, LayerMemory, share_keys, spread, thin_out

FEED_FORWARD_GROUPS = 32


class Block(nn.Module):
    """What v1 and v2 share.

    Args:
        channels: of the tokens.
        self_heads, match_heads: of self-attention, of both attentions to memory.
        feed_forward: width of the last part.
        window: side of the short-term attention's window.
        self_stride: see ``SelfAttention``.
        memory_stride: long-term memory keeps every n-th row and column.
        drop_path: probability that a sample's part is left out in training.
        drop_path_match: whether that holds for matching too.
    """

    def __init__(
        self,
        channels: int,
        *,
        self_heads: int = 8,
        match_heads: int = 8,
        feed_forward: int = 1024,
        window: int = 15,
        self_stride: int = 1,
        memory_stride: int = 1,
        drop_path: float = 0.0,
        drop_path_match: bool = False,
    ):
        super().__init__()
        self.channels = channels
        self.memory_stride = memory_stride
        self.norm1 = nn.LayerNorm(channels)
        self.self_attention = SelfAttention(channels, self_heads, self_stride)
        self.norm2 = nn.LayerNorm(channels)
        self.long_term = LongTermAttention(channels, match_heads)
        self.short_term = ShortTermAttention(channels, match_heads, window)
        self.norm3 = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(channels, feed_forward)
        self.drop_path = StochasticDepth(drop_path, "row")
        self.drop_path_match = StochasticDepth(drop_path if drop_path_match else 0.0, "row")

    def forward(
        self,
        stream: Tensor,
        position: Tensor,
        size: tuple[int, int],
        memory: LayerMemory | None,
        *,
        identity: Tensor | None = None,
        match: bool = True,
    ) -> tuple[Tensor, KeyValue]:
        """Take a frame's tokens through the block.

        Args:
            stream: (b, h * w, C), one row per frame, or per group of objects.
            position: (h * w, C).
            size: (h, w).
            memory: of B = b * groups rows; None: the frame matches itself with ``identity``.
            identity: (B, h * w, C), for the reference pass.
            match: False stops before matching: the stream returned is of no use.

        Returns:
            The stream, (B, h * w, C), and the frame's keys and values, (b, h * w, C), into which
            no identity is fused yet.
        """
        stream = row_by_row(lambda x: self._look_within(x, position), stream)
        entry = self.project(self.norm2(stream))
        if not match:
            return stream, entry
        if memory is None:
            fused = self.fuse(entry, identity)
            memory = LayerMemory([self.keep(fused, size)], fused)

        def part(tokens: Tensor, rows: slice) -> Tensor:
            return tokens if len(tokens) == 1 else spread(tokens, memory.batch)[rows]

        outputs = [
            self._match(part(stream, rows), part(entry.key, rows), long, short, size)
            for rows, long, short in memory.parts()
        ]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs), entry

    def _look_within(self, stream: Tensor, position: Tensor) -> Tensor:
        return stream + self.drop_path(self.self_attention(self.norm1(stream), position))

    def _match(
        self,
        stream: Tensor,
        query: Tensor,
        long: KeyValue,
        short: KeyValue,
        size: tuple[int, int],
    ) -> Tensor:
        """All that comes behind the projection, for groups with equally long memories."""

        def finish(stream: Tensor, query: Tensor, found: Tensor, *short: Tensor) -> Tensor:
            matched = self.short_term(query, KeyValue(*short), size) + found
            return self._feed(stream, matched, size)

        def match(
            stream: Tensor, query: Tensor, key: Tensor, value: Tensor, *short: Tensor
        ) -> Tensor:
            return finish(stream, query, self.long_term(query, KeyValue(key, value)), *short)

        tokens = [x for x in short if x is not None]
        # Nobody else has the stream between two parts of a block.
        into = stream if len(stream) == len(long.value) else None
        if len(long.key) < len(long.value):  # what groups share is looked at for all at once
            found = self.long_term(query, long)
            return row_by_row(finish, stream, query, found, *tokens, into=into)
        return row_by_row(match, stream, query, long.key, long.value, *tokens, into=into)

    def _feed(self, stream: Tensor, matched: Tensor, size: tuple[int, int]) -> Tensor:
        stream = spread(stream, len(matched)) + self.drop_path_match(matched)
        return stream + self.drop_path(self.feed_forward(self.norm3(stream), size))

    def keep(self, entry: KeyValue, size: tuple[int, int]) -> KeyValue:
        """What long-term memory keeps of a frame's fused tokens (``thin_out``)."""
        return thin_out(entry, size, self.memory_stride, self.long_term.heads)

    def project(self, tokens: Tensor) -> KeyValue:
        """Normalised tokens -> keys, which are the queries too, and values."""
        raise NotImplementedError

    def fuse(self, entry: KeyValue, identity: Tensor) -> KeyValue:
        """Put identities (B, N, C) into keys and values (b, N, C): what memory holds, (B, N, C);
        one row of keys stays one, shared by all groups.
        """
        raise NotImplementedError


class BlockV1(Block):
    """AOT's block."""

    def __init__(self, channels: int, **settings):
        super().__init__(channels, **settings)
        self.query = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        init_block(self)

    def project(self, tokens: Tensor) -> KeyValue:
        return KeyValue(self.query(tokens), tokens)

    def fuse(self, entry: KeyValue, identity: Tensor) -> KeyValue:
        value = self.value(spread(entry.value, len(identity)) + identity)
        return share_keys(KeyValue(entry.key, value))


class BlockV2(Block):
    """AOST's and PAOT's block."""

    def __init__(self, channels: int, *, gate_per_head: bool = True, **settings):
        super().__init__(channels, **settings)
        self.gates = settings.get("match_heads", 8) if gate_per_head else 1
        self.query_value = nn.Linear(channels, 2 * channels)
        self.identity = nn.Linear(channels, self.gates + channels)
        init_block(self)

    def project(self, tokens: Tensor) -> KeyValue:
        return KeyValue(*self.query_value(tokens).chunk(2, dim=-1))

    def fuse(self, entry: KeyValue, identity: Tensor) -> KeyValue:
        gate, offset = self.identity(identity).split([self.gates, self.channels], dim=-1)
        gate = (1 + gate.tanh()).expand(-1, -1, self.long_term.heads)
        value = spread(entry.value, len(identity)) + offset
        return share_keys(KeyValue(entry.key, value, gate))


class FeedForward(nn.Module):
    """Linear, GroupNorm, GELU, depth-wise 5 x 5 convolution, linear."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.expand = nn.Linear(channels, width)
        self.norm = nn.GroupNorm(min(FEED_FORWARD_GROUPS, width), width)
        self.depthwise = nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False)
        self.reduce = nn.Linear(width, channels)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        # The grid of tokens is a picture in memory format channels_last: no copy in between.
        grid = self.expand(tokens).unflatten(1, size).permute(0, 3, 1, 2)
        grid = self.norm(grid)  # one name, so that what is over is freed at once
        grid = F.gelu(grid)
        grid = self.depthwise(grid)
        return self.reduce(grid.flatten(2).transpose(1, 2))


BLOCKS = {"v1": BlockV1, "v2": BlockV2}


@torch.no_grad()
def init_block(block: nn.Module) -> None:
    """Xavier's uniform initialisation of everything with more than one axis; biases start at 0."""
    for name, parameter in block.named_parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
