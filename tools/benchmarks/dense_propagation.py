"""The reference of ``benchmark.py vos``: the same weights, propagated in the plain way.

Every attention is a dense matrix, groups of objects pass the network one after the other, memory is
concatenated anew at each write, and all probabilities are held at full size.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vps.modeling.vos.memory import KeyValue, LayerMemory, Memory, join_heads, split_heads
from vps.modeling.vos.merging import merge_groups
from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.slots import Layout, group_one_hot


class DenseLongTerm(nn.Module):
    """Long-term attention with its whole matrix of scores."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.heads, self.output = inner.heads, inner.output

    def forward(self, query: Tensor, memory: list[KeyValue]) -> Tensor:
        (tokens,) = memory
        query = split_heads(query, self.heads)
        scores = (query * query.shape[-1] ** -0.5) @ tokens.key.transpose(2, 3)
        return self.output(join_heads(scores.softmax(-1) @ tokens.value))


class DenseShortTerm(nn.Module):
    """Short-term attention as a dense matrix of which most is masked."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, query: Tensor, memory: KeyValue, size: tuple[int, int]) -> Tensor:
        inner, (height, width) = self.inner, size
        query, key, value = (split_heads(x, inner.heads) for x in (query, memory.key, memory.value))
        steps = torch.arange(inner.window) - inner.window // 2
        rows = torch.arange(height)[:, None, None, None] + steps[:, None]
        columns = torch.arange(width)[None, :, None, None] + steps
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        places = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
        places, inside = places.flatten(2).flatten(0, 1), inside.flatten(2).flatten(0, 1)
        # Places outside are sent to one more key, which is cut off again.
        places = places.masked_fill(~inside, height * width).expand(*query.shape[:2], -1, -1)
        weight = inner.relative_key.weight.unflatten(0, (inner.heads, -1))
        bias = inner.relative_key.bias.unflatten(0, (inner.heads, 1, -1))
        relative = query @ weight.transpose(1, 2) + bias
        scores = F.pad(query * query.shape[-1] ** -0.5 @ key.transpose(2, 3), (0, 1))
        seen = torch.full_like(scores, -torch.inf).scatter_(3, places, 0.0)
        scores = (scores + seen).scatter_add_(3, places, relative)[..., :-1]
        weights = scores.softmax(-1)
        near = F.pad(weights, (0, 1)).gather(3, places)
        found = weights @ value + near @ inner.relative_value.transpose(1, 2)
        return inner.output(join_heads(found))


class DenseEngine:
    """Follows groups of objects in a loop; see the module's docstring."""

    def __init__(self, network: VOSNetwork):
        self.network = copy.deepcopy(network)
        for block in self.network.modules():
            if hasattr(block, "long_term"):
                block.long_term = DenseLongTerm(block.long_term)
                block.short_term = DenseShortTerm(block.short_term)
        self.long: list[list[KeyValue]] = []  # per group and layer
        self.short: list[list[KeyValue]] = []

    def begin(self, pixels: Tensor, labels: Tensor, layout: Layout) -> None:
        """Take the masks of the first frame."""
        features = self.network.encode(pixels)
        for row in range(len(layout.used)):
            identities = self.network.embed_identities(group_one_hot(labels, layout, row))
            first = self.network.propagate(features, None, identities=identities, decode=False)
            self.short.append(self.network.remember(first, identities))
            self.long.append(self.network.keep(self.short[-1], first.sizes))

    def store(self, row: int, entries: list[KeyValue]) -> None:
        """Put a frame's tokens behind those of a group."""
        self.long[row] = [
            KeyValue(*(torch.cat(pair, dim=2) for pair in zip(old, new, strict=True)))
            for old, new in zip(self.long[row], entries, strict=True)
        ]

    def step(self, pixels: Tensor, layout: Layout) -> Tensor:
        """Propagate one frame and remember it; gives the groups' logits."""
        features = self.network.encode(pixels)
        found = []
        for long, short in zip(self.long, self.short, strict=True):
            layers = [LayerMemory([x], y) for x, y in zip(long, short, strict=True)]
            found.append(self.network.propagate(features, Memory(layers)))
        logits = torch.cat([propagated.logits for propagated in found])
        align = self.network.align_corners
        large = F.interpolate(logits, pixels.shape[-2:], mode="bilinear", align_corners=align)
        labels = merge_groups(large, layout, always=self.network.panoptic).softmax(0).argmax(0)
        for row, propagated in enumerate(found):
            identities = self.network.embed_identities(group_one_hot(labels, layout, row))
            self.short[row] = self.network.remember(propagated, identities)
        return logits
