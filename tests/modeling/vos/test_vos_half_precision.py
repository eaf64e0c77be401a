"""Networks that follow masks in half precision, in which they are trained on GPUs.

The CPU's autocast in float16 stands for that of a GPU; its list of operations is much the same.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_networks import given_at, small_network, squares, video
from test_training_network import build, losses_of

from vps.layers.local_attention import local_attention
from vps.modeling.vos.merging import label_groups, merge_groups, merged_probabilities
from vps.modeling.vos.propagator import PropagationRules, Propagator
from vps.modeling.vos.segmenting import segment_frames
from vps.modeling.vos.slots import Group, layout_of
from vps.modeling.vos.training import StepRules

SCALE = 512.0  # of the losses, so that no gradient is lost below the range


def half():
    return torch.autocast("cpu", torch.float16)


@pytest.mark.parametrize("name", ["AOST", "Pano-ID"])
def test_training(name):
    """Losses are float32 and hardly change; gradients are finite and point the same way."""
    rules = StepRules(0.5, 0.5, depth_factor=2.0 if name == "AOST" else 0.0)
    found = []
    for precision in (half(), torch.autocast("cpu", enabled=False)):
        network = build(name)
        torch.manual_seed(0)
        with precision:
            losses = losses_of(network, rules)
        (SCALE * sum(losses.values())).backward()
        gradient = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        found.append((losses, torch.cat(gradient) / SCALE))
    (losses, gradient), (expected, full_gradient) = found
    for key, loss in losses.items():
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(expected[key].item(), rel=0.01), key
    # Batch statistics of a few tokens pass rounding errors on enlarged.
    assert F.cosine_similarity(gradient, full_gradient, 0) > 0.7


@pytest.mark.parametrize(("kind", "merge"), [("AOT", "full"), ("Pano-ID", "stride4")])
def test_propagation(kind, merge):
    """The next frame's labels hardly change. (Random networks soon lose themselves in them.)"""
    network, size = small_network(kind), (49, 65)
    places = {300: (4, 4), 7: (30, 40), 8: (20, 20), 9: (4, 40), 10: (35, 5)}
    given = given_at({"000": squares(size, places, side=12, stuff=(7,))})
    view = Propagator(network, PropagationRules(memory_gap=1, merge=merge))

    def ids():
        with torch.inference_mode():
            return [frame.ids for frame in segment_frames([view], video(3, size), given)]

    expected = ids()
    with half():
        found = ids()
    assert len(np.unique(expected[1])) > 2, "random networks still have to give labels"
    assert len(np.unique(found[2])) > 1
    assert (found[1] == expected[1]).mean() > 0.95


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", ["AOT", "Pano-ID"])
def test_propagation_on_a_gpu(kind):
    network, size = small_network(kind), (49, 65)
    given = given_at({"000": squares(size, {1: (4, 4), 2: (30, 40)}, side=12, stuff=(2,))})

    def ids(network):
        view = Propagator(network, PropagationRules(memory_gap=1))
        with torch.inference_mode():
            return [frame.ids for frame in segment_frames([view], video(2, size), given)]

    expected, found = ids(network), ids(network.to("cuda"))
    assert (found[1] == expected[1]).mean() > 0.95


def test_certain_pixels_have_finite_odds():
    """1 - 1e-5, the highest probability that counts, is 1 in half precision."""
    logits = torch.zeros(2, 3, 2, 2, dtype=torch.float16)
    logits[0, 1], logits[1, 0] = 30, 30
    layout = layout_of([Group({1: 5}), Group({1: 6, 2: 7})], 3, logits.device)
    merged = merge_groups(logits, layout)
    assert torch.isfinite(merged).all() and merged.argmax(0).tolist() == [[1, 1], [1, 1]]
    options = {"align_corners": True, "always": False}
    assert (label_groups(logits, layout, (4, 4), **options) == 1).all()
    for full in (True, False):
        odds = merged_probabilities(logits, layout, (4, 4), full=full, **options)
        assert torch.isfinite(odds).all() and (odds.argmax(0) == 1).all()


def test_windows_of_large_values():
    """Queries and keys whose products overflow before they are scaled; corners see no outside."""
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, 2, 81, 32)
    query, key = 10 * query.abs() + 60, 10 * key.abs() + 60  # 32 * 70 * 70 > 65504
    parts = {
        "bias_weight": torch.randn(2, 32, 25) / 100,
        "bias": torch.randn(2, 25),
        "value_table": torch.zeros(2, 32, 25),
    }
    query, key, value = query.half(), key.half(), value.half()
    narrow = {name: part.half() for name, part in parts.items()}
    wide = {name: part.float() for name, part in narrow.items()}
    assert not torch.isfinite(query @ key.transpose(-1, -2)).all()
    found = local_attention(query, key, torch.ones_like(value), (9, 9), window=5, **narrow)
    torch.testing.assert_close(found, torch.ones_like(found), rtol=0.01, atol=0)
    expected = local_attention(
        *(x.float() for x in (query / 60, key / 60, value)), (9, 9), window=5, **wide
    )
    found = local_attention(query / 60, key / 60, value, (9, 9), window=5, **narrow)
    torch.testing.assert_close(found.float(), expected, rtol=0.02, atol=0.02)
