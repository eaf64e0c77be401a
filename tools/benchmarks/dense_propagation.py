"""The reference of ``benchmark.py vos``: the same weights, propagated in the plain way.

As the published programs do on a CPU: every attention is a softmax over its whole matrix of scores
(the short-term one over all places of the padded frame, with a mask), groups of objects pass the
network one after the other, memory is concatenated anew at each write, and the probabilities of all
objects are held at full size. The picture is encoded once for all groups, as there.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vps.modeling.vos.memory import (
    KeyValue,
    LayerMemory,
    Memory,
    join_frames,
    join_heads,
    split_heads,
)
from vps.modeling.vos.merging import merge_groups
from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.slots import Layout, group_one_hot


class DenseSelfAttention(nn.Module):
    """Self-attention with its whole matrix of scores; the weights of ``inner``."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, tokens: Tensor, position: Tensor) -> Tensor:
        inner = self.inner
        placed = tokens + position
        query, key, value = (
            split_heads(x, inner.heads)
            for x in (
                inner.query(placed),
                inner.key(placed[:, :: inner.stride]),
                inner.value(tokens[:, :: inner.stride]),
            )
        )
        return inner.output(join_heads(attend(query, key, value)))


class DenseLongTerm(nn.Module):
    """Long-term attention with its whole matrix of scores; the weights of ``inner``."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner
        self.heads = inner.heads

    def forward(self, query: Tensor, memory: KeyValue) -> Tensor:
        query = split_heads(query, self.inner.heads)
        return self.inner.output(join_heads(attend(query, memory.key, memory.value)))


class DenseShortTerm(nn.Module):
    """Short-term attention as a matrix over all places of the padded frame, of which most are
    masked; the weights of ``inner``.
    """

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, query: Tensor, memory: KeyValue, size: tuple[int, int]) -> Tensor:
        inner, (height, width) = self.inner, size
        margin = inner.window // 2
        steps = torch.arange(inner.window, device=query.device)

        def padded(tokens: Tensor) -> Tensor:
            grid = split_heads(tokens, inner.heads).unflatten(2, size)
            return F.pad(grid, (0, 0, *4 * (margin,))).flatten(2, 3)

        # Place (y, x) of the frame is (y + margin, x + margin) of the padded frame, so the window
        # around it begins at (y, x) there.
        rows = torch.arange(height, device=query.device)[:, None, None, None] + steps[:, None]
        columns = torch.arange(width, device=query.device)[None, :, None, None] + steps
        places = (rows * (width + 2 * margin) + columns).flatten(2).flatten(0, 1)  # (N, window^2)
        inside = (rows >= margin) & (rows < height + margin)
        inside = (inside & (columns >= margin) & (columns < width + margin)).flatten(2)

        query, key, value = (
            split_heads(query, inner.heads),
            padded(memory.key),
            padded(memory.value),
        )
        weight = inner.relative_key.weight.unflatten(0, (inner.heads, -1))
        relative = query @ weight.transpose(1, 2)
        relative = relative + inner.relative_key.bias.unflatten(0, (inner.heads, 1, -1))
        relative = relative.masked_fill(~inside.flatten(0, 1), -torch.inf)
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)  # (B, heads, N, padded N)
        places = places.expand_as(relative)
        mask = torch.full_like(scores, -torch.inf).scatter_(3, places, relative)
        weights = (scores + mask).softmax(-1)
        found = weights @ value
        found = found + weights.gather(3, places) @ inner.relative_value.transpose(1, 2)
        return inner.output(join_heads(found))


DENSE = {
    "self_attention": DenseSelfAttention,
    "long_term": DenseLongTerm,
    "short_term": DenseShortTerm,
}


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V, (B, heads, N, d), as it is written."""
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)
    return scores.softmax(-1) @ value


class DenseEngine:
    """Follows groups of objects in a loop; see the module's docstring.

    Args:
        network: in eval mode; its attentions are replaced by dense ones.
    """

    def __init__(self, network: VOSNetwork):
        self.network = network
        for block in list(self.network.modules()):
            for name, dense in DENSE.items():
                if hasattr(block, name):
                    setattr(block, name, dense(getattr(block, name)))
        self.long: list[list[KeyValue]] = []  # per group and layer
        self.short: list[list[KeyValue]] = []

    def begin(self, pixels: Tensor, labels: Tensor, layout: Layout) -> None:
        """Take the masks of the first frame.

        Args:
            pixels: normalised (1, 3, H, W).
            labels: positions of the layout, (H, W).
            layout: of all groups.
        """
        features = self.network.encode(pixels)
        for row in range(len(layout.used)):
            identities = self.network.embed_identities(group_one_hot(labels, layout, row))
            first = self.network.propagate(features, None, identities=identities, decode=False)
            self.short.append(self.network.remember(first, identities))
            self.long.append(self.network.keep(self.short[-1], first.sizes))

    def store(self, row: int, entries: list[KeyValue]) -> None:
        """Put a frame's tokens behind those of a group."""
        self.long[row] = [join_frames(both) for both in zip(self.long[row], entries, strict=True)]

    def step(self, pixels: Tensor, layout: Layout) -> Tensor:
        """Propagate one frame and keep it as the previous one; the groups' logits at stride 4,
        (G, channels, h, w).
        """
        features = self.network.encode(pixels)
        found = []
        for long, short in zip(self.long, self.short, strict=True):
            layers = [LayerMemory([x], y) for x, y in zip(long, short, strict=True)]
            found.append(self.network.propagate(features, Memory(layers)))
        logits = torch.cat([propagated.logits for propagated in found])
        labels = self._label(logits, layout, tuple(pixels.shape[-2:]))
        for row, propagated in enumerate(found):
            identities = self.network.embed_identities(group_one_hot(labels, layout, row))
            self.short[row] = self.network.remember(propagated, identities)
        return logits

    def _label(self, logits: Tensor, layout: Layout, size: tuple[int, int]) -> Tensor:
        """Merge and enlarge, in the network's order, all objects at once."""
        network = self.network

        def enlarge(maps: Tensor) -> Tensor:
            return F.interpolate(maps, size, mode="bilinear", align_corners=network.align_corners)

        if network.settings.merge == "full":
            merged = merge_groups(enlarge(logits), layout, always=network.panoptic)
        else:
            merged = enlarge(merge_groups(logits, layout, always=network.panoptic)[None])[0]
        return merged.softmax(0).argmax(0)
