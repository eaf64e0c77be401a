"""The dense, group by group reference of ``benchmark.py vos`` agrees with the engine."""

from __future__ import annotations

import copy

import pytest
import torch
from small_networks import KINDS, small_network, squares, video

from vps.modeling.vos.propagator import PropagationRules, Propagator, positions_of
from vps.modeling.vos.resolution import normalize, resize_image
from vps.modeling.vos.slots import layout_of


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_dense_attention_and_a_loop_over_groups_give_the_same_logits(kind, repository, monkeypatch):
    """Three frames: reference, match, and a match with what the second one left."""
    monkeypatch.syspath_prepend(repository / "tools")
    from benchmarks.dense_propagation import DenseEngine

    network = small_network(kind)
    size = (49, 65) if network.align_corners else (48, 64)
    places = {1: (4, 4), 2: (30, 40), 3: (20, 20), 4: (4, 40), 5: (35, 5)}
    given = squares(size, places, stuff=(2,))
    frames = video(3, size)
    engine = Propagator(network, PropagationRules(merge=network.settings.merge))
    dense = DenseEngine(copy.deepcopy(network))
    state = engine.begin()
    prediction = engine.predict(state, frames[0].image)
    ids = torch.from_numpy(given.ids)
    engine.commit(state, prediction, ids, given=given)
    layout = layout_of(state.groups, network.channels, torch.device("cpu"))
    pixels = [normalize(resize_image(frame.image, size)) for frame in frames]
    dense.begin(pixels[0], positions_of(ids, layout), layout)
    for frame, picture in zip(frames[1:], pixels[1:], strict=True):
        prediction = engine.predict(state, frame.image)
        expected = dense.step(picture, layout)
        assert expected.shape[0] == len(state.groups) == 2
        difference = (prediction.propagated.logits - expected).abs().max()
        assert difference <= 1e-4 * expected.std()
        engine.commit(state, prediction, engine.ids(state, prediction))
