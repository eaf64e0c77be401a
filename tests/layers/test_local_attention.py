"""Windowed attention against dense attention with a mask, and its gradients."""

from __future__ import annotations

import pytest
import torch

from vps.layers.local_attention import local_attention


def inputs(batch, heads, size, channels, window, *, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    tokens = size[0] * size[1]
    query, key, value = (draw(batch, heads, tokens, channels) for _ in range(3))
    tables = {
        "bias_weight": draw(heads, channels, window**2),
        "bias": draw(heads, window**2),
        "value_table": draw(heads, channels, window**2),
    }
    return query, key, value, tables


def dense(query, key, value, size, *, window, bias_weight, bias, value_table):
    """The definition, one query and one offset after the other, in a dense matrix."""
    height, width = size
    tokens, reach = height * width, window // 2
    scores = torch.full((*key.shape[:2], tokens, tokens), -torch.inf, dtype=key.dtype)
    offsets = torch.full((tokens, tokens), -1)
    products = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
    for p in range(tokens):
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                y, x = p // width + dy, p % width + dx
                if 0 <= y < height and 0 <= x < width:
                    k, o = y * width + x, (dy + reach) * window + dx + reach
                    offsets[p, k] = o
                    relative = (query[:, :, p] * bias_weight[:, :, o]).sum(-1) + bias[:, o]
                    scores[:, :, p, k] = products[:, :, p, k] + relative
    weights = scores.softmax(-1)
    table = value_table[:, :, offsets.clamp(min=0)]  # (heads, d, tokens, tokens)
    return weights @ value + torch.einsum("bhpk,hdpk->bhpd", weights, table)


@pytest.mark.parametrize(
    ("size", "window", "heads"),
    [
        ((10, 14), 5, 2),  # several tiles, none divides the sides
        ((4, 5), 15, 1),  # the window is larger than the map
        ((1, 9), 3, 2),  # one row
        ((9, 1), 3, 1),  # one column
        ((17, 8), 7, 1),
        ((1, 1), 3, 1),
    ],
)
def test_equals_dense_masked_attention(size, window, heads):
    query, key, value, tables = inputs(2, heads, size, 4, window)
    found = local_attention(query, key, value, size, window=window, **tables)
    expected = dense(query, key, value, size, window=window, **tables)
    assert torch.allclose(found, expected, atol=1e-10)


def test_gradients_equal_those_of_dense_attention():
    """Of queries, keys, values and all tables; padding of the tiles leaves no NaN."""
    size, window = (5, 9), 3
    query, key, value, tables = inputs(1, 2, size, 3, window, seed=1)
    leaves = [query, key, value, *tables.values()]
    grads = []
    for attention in (local_attention, dense):
        for leaf in leaves:
            leaf.grad = None
            leaf.requires_grad_(True)
        output = attention(query, key, value, size, window=window, **tables)
        (output**2).sum().backward()
        grads.append([leaf.grad.clone() for leaf in leaves])
    for ours, expected in zip(*grads, strict=True):
        assert torch.allclose(ours, expected, atol=1e-9)


def test_uniform_weights_count_places_inside_only():
    """Without scores and tables each query takes the mean of the values that its window holds."""
    size, window = (3, 4), 3
    value = torch.arange(12.0).view(1, 1, 12, 1)
    zero = torch.zeros(1, 1, 12, 1)
    tables = {
        "bias_weight": torch.zeros(1, 1, 9),
        "bias": torch.zeros(1, 9),
        "value_table": torch.zeros(1, 1, 9),
    }
    found = local_attention(zero, zero, value, size, window=window, **tables)[0, 0, :, 0]
    corner = torch.tensor([0.0, 1, 4, 5]).mean()
    assert found[0] == pytest.approx(corner.item())
    assert found[5] == pytest.approx(5.0)
