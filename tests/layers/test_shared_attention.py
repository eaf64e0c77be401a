"""Attention of groups that share queries and keys, against plain attention of each group."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vps.layers import shared_attention as module
from vps.layers.shared_attention import shared_attention


@pytest.mark.parametrize(
    ("groups", "heads", "queries", "keys", "gated"),
    [
        (3, 1, 7, 11, True),  # blocks that do not divide the sides
        (3, 2, 7, 11, False),
        (2, 2, 4, 6, True),  # whole blocks
        (2, 1, 1, 1, True),
        (1, 2, 5, 7, False),  # nobody to share with
    ],
)
@pytest.mark.parametrize("spread", [1.0, 100.0])  # of the scores: flat, and one key takes all
def test_equals_plain_attention(groups, heads, queries, keys, gated, spread, monkeypatch):
    monkeypatch.setattr(module, "QUERIES", 4)
    monkeypatch.setattr(module, "KEYS", 3)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, 6, generator=generator, dtype=torch.float64)

    query, key = spread * draw(1, heads, queries), draw(1, heads, keys)
    value = draw(groups, heads, keys)
    gate = 1 + draw(groups, heads, keys)[..., :1].tanh() if gated else None
    found = shared_attention(query, key, value, gate)
    own = key * gate if gated else key.expand_as(value)
    expected = F.scaled_dot_product_attention(query.expand(groups, *query.shape[1:]), own, value)
    assert torch.allclose(found, expected, atol=1e-9)


def test_scores_far_from_zero_do_not_overflow():
    """Scores of thousands in float32, in several blocks, the largest in the first or the last."""
    keys = torch.linspace(-50, 50, 2 * module.KEYS + 5)[:, None].expand(-1, 4)
    value = torch.arange(float(len(keys)))[:, None].expand(-1, 4)
    query = torch.full((2, 4), 100.0) * torch.tensor([[1.0], [-1.0]])
    found = shared_attention(query[None, None], keys[None, None], value[None, None], None)
    expected = torch.tensor([[len(keys) - 1.0], [0.0]]).expand(-1, 4)
    assert torch.allclose(found[0, 0], expected, atol=0.01)
