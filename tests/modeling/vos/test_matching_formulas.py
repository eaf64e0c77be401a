"""The matching of every kind of network, written out a second time, one formula after the other.

From the papers and the published programs' habits: AOT (sections 3.2 to 3.4), AOST (3.3), PAOT (3.3
and 3.4). A reference frame is matched with itself, a second frame with it, a third with both; the
parameters are random, so that no norm, bias or relative table is neutral.
"""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from small_networks import KINDS, small_network
from torch import Tensor

SIZE = {True: (49, 65), False: (48, 64)}  # by align_corners


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_three_frames(kind):
    network = small_network(kind)
    generator = torch.Generator().manual_seed(5)
    for name, parameter in network.named_parameters():
        if parameter.dim() == 1 and not name.startswith("encoder."):
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    formulas = Formulas(network)
    size = SIZE[network.align_corners]
    images = torch.randn(3, 3, *size, generator=generator)
    coarse = (3, *(side // 6 + 1 for side in size))
    labels = torch.randint(0, network.channels, coarse, generator=generator)
    labels = labels.repeat_interleave(6, 1).repeat_interleave(6, 2)[:, : size[0], : size[1]]
    stored, theirs = [], []  # frames, of which each has keys and values of all layers
    for t in range(3):
        one_hot = F.one_hot(labels[t], network.channels).permute(2, 0, 1)[None].float()
        features = network.encode(images[t : t + 1])
        embedded = network.embed_identities(one_hot)
        for ours, expected in zip(embedded, formulas.identities(one_hot), strict=True):
            agree(ours[0], expected)
        if t == 0:
            propagated = network.propagate(features, None, identities=embedded)
        else:
            memory = network.build_memory(stored, stored[-1], propagated.sizes)
            propagated = network.propagate(features, memory)
        logits, raw = formulas.match(features, theirs, formulas.identities(one_hot))
        agree(propagated.logits[0], logits)
        stored.append(network.remember(propagated, embedded))
        theirs.append([formulas.fuse(layer, *entry) for layer, entry in enumerate(raw)])
        for ours, expected in zip(stored[-1], theirs[-1], strict=True):
            agree(ours.key[0], expected[0])
            agree(ours.value[0], expected[1])


def agree(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= 5e-5 * theirs.std()


class Formulas:
    """The network's parameters in plain formulas, for one frame; tokens are (N, C)."""

    def __init__(self, network):
        self.p = dict(network.named_parameters())
        self.settings = network.settings
        stack = network.settings.decoder != "pyramid"
        self.stack = stack
        shared = network.settings.share_layers
        # Of each layer: the name of its block, its scale.
        self.layers = [
            (f"matching.blocks.{0 if shared else i}" if stack else f"matching.scales.{s}.{i}", s)
            for s, count in enumerate(network.settings.layers)
            for i in range(count)
        ]

    # Parts.

    def linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self.p[f"{name}.weight"].T + self.p[f"{name}.bias"]

    def norm(self, name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        deviation = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return centred / deviation * self.p[f"{name}.weight"] + self.p[f"{name}.bias"]

    def conv(self, name: str, x: Tensor, **options) -> Tensor:
        return F.conv2d(x, self.p[f"{name}.weight"], self.p.get(f"{name}.bias"), **options)

    def conv_norm(self, name: str, x: Tensor) -> Tensor:
        x = self.conv(name, x, padding=self.p[f"{name}.weight"].shape[-1] // 2)
        norm = f"{name}.norm"
        return F.group_norm(x, 8, self.p[f"{norm}.weight"], self.p[f"{norm}.bias"])

    def residual(self, name: str, x: Tensor) -> Tensor:
        for unit in (f"{name}.unit1", f"{name}.unit2"):
            y = self.conv_norm(f"{unit}.conv1", F.relu(x))
            y = self.conv_norm(f"{unit}.conv2", F.relu(y))
            changes = f"{unit}.shortcut.weight" in self.p
            x = y + (self.conv_norm(f"{unit}.shortcut", x) if changes else x)
        return x

    def enlarge(self, x: Tensor, like: Tensor) -> Tensor:
        align = self.settings.align_corners
        return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=align)

    # Identities: of each scale with layers, (N, C).

    def identities(self, one_hot: Tensor) -> list[Tensor]:
        scales = [s for s, count in enumerate(self.settings.layers) if count]
        return [
            self._embed(f"identity_banks.{i}", 8 if scale == 2 else 16, one_hot)
            for i, scale in enumerate(scales)
        ]

    def _embed(self, name: str, stride: int, one_hot: Tensor) -> Tensor:
        margin = stride // 2 if self.settings.align_corners else 0

        def bank(part: str, masks: Tensor) -> Tensor:
            return self.conv(f"{name}.{part}", masks, stride=stride, padding=margin)

        def norm(part: str, grid: Tensor) -> Tensor:
            return self.norm(f"{name}.{part}", grid.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

        if not self.settings.stuff_capacity:
            grid = bank("bank", one_hot)
            return tokens_of(norm("norm", grid) if self.settings.identity_norm else grid)
        stuff = 1 + self.settings.stuff_capacity
        grid = torch.cat((bank("stuff", one_hot[:, :stuff]), bank("thing", one_hot[:, stuff:])), 1)
        grid = norm("norm", grid)
        x = F.relu(norm("mix.norm1", self.conv(f"{name}.mix.conv1", grid, padding=1)))
        x = norm("mix.norm2", self.conv(f"{name}.mix.conv2", x, padding=1))
        return tokens_of(
            F.relu(x + norm("mix.shortcut_norm", self.conv(f"{name}.mix.shortcut", grid)))
        )

    # Memory.

    def fuse(self, layer: int, key: Tensor, value: Tensor, identity: Tensor):
        """A frame's keys and values with its identities in them."""
        name, scale = self.layers[layer]
        if self.settings.block == "v1":
            return key, self.linear(f"{name}.value", value + identity)
        heads = self.settings.match_heads[scale]
        gate, offset = self.linear(f"{name}.identity", identity).split([heads, key.shape[1]], 1)
        gates = (1 + gate.tanh()).repeat_interleave(key.shape[1] // heads, dim=1)
        return key * gates, value + offset

    def _thin(self, scale: int, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        step = self.settings.memory_stride[scale]
        y, x = torch.arange(size[0])[:, None], torch.arange(size[1])
        return tokens[((y % step == 0) & (x % step == 0)).flatten()]

    # A layer.

    def _layer(self, layer: int, stream: Tensor, size: tuple[int, int], frames, identity: Tensor):
        name, scale = self.layers[layer]
        settings = self.settings
        x = self.norm(f"{name}.norm1", stream)
        placed, step = x + sine(size, x.shape[1]), settings.self_stride[scale]
        found = attend(
            self.linear(f"{name}.self_attention.query", placed),
            self.linear(f"{name}.self_attention.key", placed)[::step],
            self.linear(f"{name}.self_attention.value", x)[::step],
            settings.self_heads[scale],
        )
        stream = stream + self.linear(f"{name}.self_attention.output", found)
        x = self.norm(f"{name}.norm2", stream)
        if settings.block == "v1":
            query, value = self.linear(f"{name}.query", x), x
        else:
            query, value = self.linear(f"{name}.query_value", x).chunk(2, dim=1)
        entry = (query, value, identity)
        memory = [frame[layer] for frame in frames] or [self.fuse(layer, *entry)]
        long = [[self._thin(scale, tokens, size) for tokens in frame] for frame in memory]
        keys, values = (torch.cat(part) for part in zip(*long, strict=True))
        found = attend(query, keys, values, settings.match_heads[scale])
        stream = stream + self.linear(f"{name}.long_term.output", found)
        found = self._look_around(f"{name}.short_term", scale, query, *memory[-1], size)
        stream = stream + self.linear(f"{name}.short_term.output", found)
        x = self.linear(f"{name}.feed_forward.expand", self.norm(f"{name}.norm3", stream))
        x = x.T.reshape(1, -1, *size)
        norm = f"{name}.feed_forward.norm"
        x = F.gelu(F.group_norm(x, 32, self.p[f"{norm}.weight"], self.p[f"{norm}.bias"]))
        x = self.conv(f"{name}.feed_forward.depthwise", x, padding=2, groups=x.shape[1])
        return stream + self.linear(f"{name}.feed_forward.reduce", tokens_of(x)), entry

    def _look_around(self, name: str, scale: int, query, key, value, size) -> Tensor:
        """Short-term attention, one offset after the other."""
        heads, window = self.settings.match_heads[scale], self.settings.window
        reach, depth = window // 2, query.shape[1] // heads
        y, x = (
            places.flatten() for places in torch.meshgrid(*map(torch.arange, size), indexing="ij")
        )
        relative = self.p[f"{name}.relative_key.weight"].unflatten(0, (heads, -1))
        bias = self.p[f"{name}.relative_key.bias"].unflatten(0, (heads, -1))
        scores, seen = [], []
        for offset in range(window**2):
            v, u = y + offset // window - reach, x + offset % window - reach
            inside = (v >= 0) & (v < size[0]) & (u >= 0) & (u < size[1])
            there = torch.where(inside, v * size[1] + u, 0)
            for_heads = query.unflatten(1, (heads, -1))
            score = (for_heads * key[there].unflatten(1, (heads, -1))).sum(2) / math.sqrt(depth)
            score = score + (for_heads * relative[:, offset]).sum(2) + bias[:, offset]
            scores.append(score.masked_fill(~inside[:, None], -float("inf")))
            table = self.p[f"{name}.relative_value"][:, :, offset]
            seen.append(value[there].unflatten(1, (heads, -1)) + table)
        weights = torch.stack(scores).softmax(0)
        return (weights[..., None] * torch.stack(seen)).sum(0).flatten(1)

    # The whole.

    def match(self, features, frames, identities: list[Tensor]):
        """Logits, and of each layer its key, its value and the identities of its scale."""
        return (self._stack if self.stack else self._pyramid)(features, frames, identities)

    def _stack(self, features, frames, identities):
        grid, (at4, at8, at16) = features.projected[0], features.raw
        size, stream = tuple(grid.shape[-2:]), tokens_of(grid)
        outputs, entries = [grid], []
        shared = self.settings.share_layers
        for layer in range(len(self.layers)):
            stream, entry = self._layer(layer, stream, size, frames, identities[0])
            normalised = self.norm(f"matching.norms.{0 if shared else layer}", stream)
            outputs.append(normalised.T.reshape(1, -1, *size))
            entries.append(entry)
        outputs = [grid, outputs[-1]] if shared else outputs
        depths = len([name for name in self.p if name.startswith("matching.decoder.entries.")]) // 4
        decoder = "matching.decoder"
        x = F.relu(self.conv_norm(f"{decoder}.entries.{depths - 1}", torch.cat(outputs, 1)))
        x = F.relu(
            self.conv_norm(f"{decoder}.conv16", x + self.conv(f"{decoder}.shortcut16", at16))
        )
        x = self.enlarge(x, at8) + self.conv(f"{decoder}.shortcut8", at8)
        x = self.enlarge(F.relu(self.conv_norm(f"{decoder}.conv8", x)), at4)
        x = x + self.conv(f"{decoder}.shortcut4", at4)
        x = F.relu(self.conv_norm(f"{decoder}.conv4", x))
        return self.conv(f"{decoder}.predictor", x)[0], entries

    def _pyramid(self, features, frames, identities):
        x, entries = features.projected[0], []
        for scale in range(3):
            size, stream, seen = tuple(x.shape[-2:]), tokens_of(x), [x]
            for layer, (_, place) in enumerate(self.layers):
                if place == scale:
                    stream, entry = self._layer(layer, stream, size, frames, identities[scale])
                    stream = self.norm(f"matching.norms.{layer}", stream)  # it goes on, too
                    seen.append(stream.T.reshape(1, -1, *size))
                    entries.append(entry)
            mix = self.residual if self.settings.pyramid_entry == "residual" else self.conv_norm
            x = F.relu(mix(f"matching.entries.{scale}", torch.cat(seen, dim=1)))
            projected = features.projected[scale + 1]
            x = self.enlarge(x, projected) + projected
            x = F.relu(self.residual(f"matching.refinements.{scale}", x))
        x = F.relu(self.conv_norm("matching.output", x))
        return self.conv("matching.predictor", x)[0], entries


def tokens_of(grid: Tensor) -> Tensor:
    """(1, C, h, w) -> (h * w, C)."""
    return grid[0].flatten(1).T


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    found = []
    for q, k, v in zip(*(x.chunk(heads, dim=1) for x in (query, key, value)), strict=True):
        found.append((q @ k.T / math.sqrt(q.shape[1])).softmax(-1) @ v)
    return torch.cat(found, dim=1)


def sine(size: tuple[int, int], channels: int) -> Tensor:
    """y's half first; sines at even places, cosines at odd ones, of angles from 0 to 2 pi."""
    half = channels // 2
    rows = []
    for y in range(size[0]):
        for x in range(size[1]):
            row = []
            for place, last in ((y, size[0] - 1), (x, size[1] - 1)):
                angle = place / (last + 1e-6) * 2 * math.pi
                for i in range(half):
                    wave = math.cos if i % 2 else math.sin
                    row.append(wave(angle / 10000 ** (2 * (i // 2) / half)))
            rows.append(row)
    return torch.tensor(rows)
