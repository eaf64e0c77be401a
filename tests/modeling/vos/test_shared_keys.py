"""Keys that groups of objects share in the first layer, against keys of their own."""

from __future__ import annotations

import pytest
import torch
from small_networks import KINDS, small_network, squares, video

from vps.modeling.vos.memory import KeyValue, own_keys, select_rows
from vps.modeling.vos.propagator import PropagationRules, Propagator, apply_update

SIZES = {True: (49, 65), False: (48, 64)}  # by align_corners
EARLY = {1: (4, 4), 2: (30, 40), 3: (20, 20), 4: (4, 40), 5: (35, 5)}  # two groups
LATE = {6: (22, 44), 7: (12, 30), 8: (38, 28)}  # one more


def follow(network, *, retired=()):
    """Logits and state of six frames; a third group begins at frame 2, some objects end at 3."""
    size = SIZES[network.align_corners]
    engine = Propagator(network, PropagationRules(memory_gap=1, merge=network.settings.merge))
    given = {0: squares(size, EARLY, stuff=(2,)), 2: squares(size, LATE)}
    state, logits = engine.begin(), []
    with torch.inference_mode():
        for t, frame in enumerate(video(6, size)):
            prediction = engine.predict(state, frame.image)
            if t:
                logits.append(prediction.propagated.logits)
            gone = retired if t == 3 else ()
            ids = apply_update(engine.ids(state, prediction), given.get(t), gone)
            engine.commit(state, prediction, ids, given=given.get(t), retired=gone)
    return logits, state


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("retired", [(), (1, 2, 3), (4, 5, 6, 7, 8)])
def test_shared_keys_change_nothing(kind, retired, monkeypatch):
    """With groups that are born late, and groups that are left alone when others end."""
    network = small_network(kind)
    found, state = follow(network, retired=retired)
    kept = [entry.key for bundle in state.bundles for entry in [bundle.stores[0].read()]]
    assert all(len(key) == 1 for key in kept)
    for block in {network.matching.layer(i)[0] for i in range(network.depth)}:
        monkeypatch.setattr(block, "fuse", with_own_keys(block.fuse))
    expected, state = follow(network, retired=retired)
    if not retired:
        assert len(state.bundles[0].stores[0].read().key) == 2
    for ours, plain in zip(found, expected, strict=True):
        assert ours.shape == plain.shape
        assert (ours - plain).abs().max() <= 1e-4 * plain.std()


def with_own_keys(fuse):
    return lambda entry, identity: own_keys(fuse(entry, identity))


def test_deeper_layers_have_keys_of_their_own():
    _, state = follow(small_network("PAOT"))
    stores = state.bundles[0].stores
    assert [len(store.read().key) for store in stores] == [1, 2, 2, 2]
    assert all(len(store.read().value) == 2 for store in stores)
    assert stores[0].read().gate.shape[:2] == (2, 1) and stores[1].read().gate is None


def test_a_row_of_shared_keys():
    """By hand: two heads, gates 2 and 3; a group that is alone takes its gate into its keys."""
    key, value = torch.ones(1, 1, 4), torch.arange(12.0).view(3, 1, 4)
    gate = torch.tensor([[[1.0, 1.0]], [[2.0, 3.0]], [[4.0, 5.0]]])
    entry = KeyValue(key, value, gate)
    assert own_keys(entry).key[1].tolist() == [[2, 2, 3, 3]]
    two = select_rows(entry, [0, 2])
    assert len(two.key) == 1 and two.gate[1].tolist() == [[4, 5]]
    one = select_rows(entry, slice(1, 2))
    assert one.gate is None and one.key.tolist() == [[[2, 2, 3, 3]]]
    assert one.value.tolist() == [[[4, 5, 6, 7]]]
