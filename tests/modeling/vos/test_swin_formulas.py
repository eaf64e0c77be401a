"""Swin, written out a second time window by window, under the names of the authors' checkpoints.

Liu et al. 2021 and the layout of the program for dense tasks: LayerNorm on the output of every
stage, windows of 7 x 7 on maps that are padded with zeros behind the first norm, every second
block shifted by 3, four neighbours merged in the order (0, 0), (1, 0), (0, 1), (1, 1).
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vps.modeling.vos.encoders import SwinEncoder
from vps.modeling.vos.official_names import official_name

WIDTH, WINDOW, SHIFT = 32, 7, 3
STAGES = ((2, 4), (2, 8), (18, 16))  # blocks, heads


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Random weights by official names; norms, biases and relative biases are far from neutral."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"patch_embed.proj.weight": (WIDTH, 3, 4, 4), "patch_embed.proj.bias": (WIDTH,)}

    def linear(name: str, outputs: int, inputs: int, *, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs)
        if bias:
            shapes[f"{name}.bias"] = (outputs,)

    def norm(name: str, channels: int) -> None:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (channels,)

    norm("patch_embed.norm", WIDTH)
    for stage, (blocks, heads) in enumerate(STAGES):
        channels = WIDTH * 2**stage
        for index in range(blocks):
            block = f"layers.{stage}.blocks.{index}"
            norm(f"{block}.norm1", channels)
            norm(f"{block}.norm2", channels)
            shapes[f"{block}.attn.relative_position_bias_table"] = ((2 * WINDOW - 1) ** 2, heads)
            linear(f"{block}.attn.qkv", 3 * channels, channels)
            linear(f"{block}.attn.proj", channels, channels)
            linear(f"{block}.mlp.fc1", 4 * channels, channels)
            linear(f"{block}.mlp.fc2", channels, 4 * channels)
        norm(f"norm{stage}", channels)
        if stage < 2:
            norm(f"layers.{stage}.downsample.norm", 4 * channels)
            linear(f"layers.{stage}.downsample.reduction", 2 * channels, 4 * channels, bias=False)
    found = {}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=generator)
        if len(shape) == 1:
            found[name] = 1 + 0.3 * noise if name.endswith("weight") else 0.3 * noise
        else:
            table = name.endswith("table")
            found[name] = noise * (1.0 if table else 2 * noise[0].numel() ** -0.5)
    return found


@pytest.mark.parametrize(
    "size",
    [(128, 144), (136, 152), (48, 64), (96, 208)],
    ids=["even", "odd maps", "maps within a window", "one side within a window"],
)
@torch.inference_mode()
def test_every_map(weights, size):
    encoder = SwinEncoder(width=WIDTH / 128).eval()
    tensors = {
        official_name(f"encoder.{key}").removeprefix("encoder."): value
        for key, value in weights.items()
    }
    index = {k: v for k, v in encoder.state_dict().items() if k.endswith("relative_position_index")}
    encoder.load_state_dict(tensors | index)
    image = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    found = encoder(image).maps
    expected = swin(weights, image)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= 1e-4 * theirs.std()


def swin(weights: dict[str, Tensor], image: Tensor) -> list[Tensor]:
    """The maps at strides 4, 8 and 16."""

    def linear(name: str, x: Tensor) -> Tensor:
        return F.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    def norm(name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])

    embed = (weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"])
    x = norm("patch_embed.norm", F.conv2d(image, *embed, stride=4).permute(0, 2, 3, 1))
    maps = []
    for stage, (blocks, _) in enumerate(STAGES):
        for index in range(blocks):
            block = f"layers.{stage}.blocks.{index}"
            table = weights[f"{block}.attn.relative_position_bias_table"]

            def attend(tokens: Tensor, places: Tensor, block=block, table=table) -> Tensor:
                qkv = linear(f"{block}.attn.qkv", tokens)
                return linear(f"{block}.attn.proj", attend_in_window(qkv, places, table))

            x = x + windows(norm(f"{block}.norm1", x), SHIFT * (index % 2), attend)
            wide = F.gelu(linear(f"{block}.mlp.fc1", norm(f"{block}.norm2", x)))
            x = x + linear(f"{block}.mlp.fc2", wide)
        maps.append(norm(f"norm{stage}", x).permute(0, 3, 1, 2))
        if stage < 2:
            x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
            neighbours = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
            merged = norm(f"layers.{stage}.downsample.norm", torch.cat(neighbours, dim=-1))
            x = linear(f"layers.{stage}.downsample.reduction", merged)
    return maps


def windows(x: Tensor, shift: int, attend) -> Tensor:
    """Attention within the windows of a map (B, h, w, C) whose corner lies at (shift, shift); what
    a window has from beyond the edge is taken from the other side, and is not mixed with the rest.
    """
    height, width = x.shape[1:3]
    x = F.pad(x, (0, 0, 0, -width % WINDOW, 0, -height % WINDOW))
    high, wide = x.shape[1:3]
    output = torch.empty_like(x)
    for top in range(shift, high + shift, WINDOW):
        for left in range(shift, wide + shift, WINDOW):
            ys, xs = torch.arange(top, top + WINDOW), torch.arange(left, left + WINDOW)
            # Place in the window, and whether it came round which edges: (3, 7 * 7).
            came_round = 2 * (ys >= high).int()[:, None] + (xs >= wide).int()[None]
            places = torch.meshgrid(ys - top, xs - left, indexing="ij")
            places = torch.stack((*places, came_round)).flatten(1)
            ys, xs = ys[:, None] % high, xs[None] % wide
            output[:, ys, xs] = attend(x[:, ys, xs].flatten(1, 2), places).unflatten(
                1, (WINDOW, -1)
            )
    return output[:, :height, :width]


def attend_in_window(qkv: Tensor, places: Tensor, table: Tensor) -> Tensor:
    """(B, 49, 3 C) -> (B, 49, C), before the last linear layer."""
    heads = table.shape[1]
    query, key, value = (
        part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in qkv.chunk(3, dim=-1)
    )
    y, x, came_round = places[:, :, None] - places[:, None, :]  # of the query less the key's
    bias = table[(y + WINDOW - 1) * (2 * WINDOW - 1) + x + WINDOW - 1].permute(2, 0, 1)
    scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5 + bias
    scores = scores.masked_fill(came_round != 0, -float("inf"))
    return (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
