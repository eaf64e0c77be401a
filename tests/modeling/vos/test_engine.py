"""The engine over whole videos: objects that come and go; groups, memory, depth, views."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_networks import KINDS, given_at, small_network, squares, video

from vps.modeling.vos.propagator import PropagationRules, Propagator, apply_update
from vps.modeling.vos.segmenting import segment_frames
from vps.structures import Frame, InputError, PanopticFrame, ReferenceUpdate, Segment

SIZE = (49, 65)
TWO = squares(SIZE, {1: (4, 4), 2: (30, 40)})


def run(network, frames, references, *, depth=None, **rules):
    rules = {"memory_gap": 2, "merge": network.settings.merge, **rules}
    views = [Propagator(network, PropagationRules(**rules))]
    with torch.inference_mode():
        return list(segment_frames(views, frames, references, depth=depth))


def ids(results):
    return [result.ids.tolist() for result in results]


@pytest.mark.parametrize("kind", KINDS)
def test_a_video(kind):
    """The given mask comes back in its frame; later frames have given ids, classes and sizes."""
    network = small_network(kind)
    size = SIZE if network.align_corners else (48, 64)
    given = squares(size, {300: (4, 4), 7: (30, 40)}, stuff=(7,))
    results = run(network, video(5, size), given_at({"000": given}))
    assert [r.frame_id for r in results] == [f"{t:03d}" for t in range(5)]
    assert (results[0].ids == given.ids).all()
    seen = set()
    for result in results:
        assert result.ids.shape == size
        present = set(np.unique(result.ids).tolist()) - {0}
        assert present == set(result.segments) <= {7, 300}
        assert all(result.segments[i] == given.segments[i] for i in present)
        seen |= present if result is not results[0] else set()
    assert seen, "random networks still have to give labels"


def test_frames_before_the_first_mask_are_empty_and_change_nothing():
    network, frames = small_network("AOT"), video(5)
    late = run(network, frames, given_at({"002": TWO}))
    assert not late[0].ids.any() and not late[1].ids.any() and not late[1].segments
    assert ids(late[2:]) == ids(run(network, frames[2:], given_at({"002": TWO})))


def test_videos_of_one_frame_and_without_masks():
    network = small_network("AOT")
    (only,) = run(network, video(1), given_at({"000": TWO}))
    assert (only.ids == TWO.ids).all()
    assert all(not r.ids.any() for r in run(network, video(2), given_at({})))
    assert run(network, [], given_at({})) == []


@pytest.mark.parametrize("kind", ["AOT", "AOST", "Pano-ID"])
def test_ids_do_not_matter(kind):
    """Ids with gaps and beyond 255 give the same video under other names."""
    network, frames = small_network(kind), video(4)
    names = {1: 5, 2: 260, 3: 100_000, 4: 100_001}
    places = {1: (4, 4), 2: (30, 40), 3: (20, 20), 4: (4, 40)}
    plain = run(network, frames, given_at({"000": squares(SIZE, places, stuff=(2, 4))}))
    renamed = squares(SIZE, {names[i]: p for i, p in places.items()}, stuff=(260, 100_001))
    lookup = np.vectorize(lambda i: names.get(i, 0))
    for result, other in zip(plain, run(network, frames, given_at({"000": renamed})), strict=True):
        assert (lookup(result.ids) == other.ids).all()


def test_many_objects():
    """90 objects in groups of three; one group does not see the pixels of another as its own."""
    network = small_network("AOST")
    size = (97, 113)
    places = {1000 + i: (1 + 9 * (i // 11), 2 + 10 * (i % 11)) for i in range(90)}
    results = run(network, video(3, size), given_at({"000": squares(size, places, side=8)}))
    assert len(results[0].segments) == 90
    assert len(results[2].segments) > 3


@pytest.mark.parametrize("kind", ["AOT", "PAOT", "Pano-ID"])
@torch.inference_mode()
def test_groups_equal_engines_of_their_own(kind):
    """Five objects in two groups have the logits of two engines with the objects of one each."""
    network, frames = small_network(kind), video(4)
    places = {1: (4, 4), 2: (30, 40), 3: (20, 20), 4: (4, 40), 5: (35, 5)}
    groups = ((1, 2, 3), (4, 5))
    rules = PropagationRules(memory_gap=2, merge=network.settings.merge)
    engine = Propagator(network, rules)
    states = [engine.begin() for _ in range(3)]
    masks = [squares(SIZE, {i: places[i] for i in members}) for members in (places, *groups)]
    for t, frame in enumerate(frames):
        predictions = [engine.predict(state, frame.image) for state in states]
        if t:
            together = predictions[0].propagated.logits
            for row in range(2):
                alone = predictions[row + 1].propagated.logits[0]
                assert (together[row] - alone).abs().max() < 1e-4 * alone.std(), (t, row)
        # All engines remember the labels of the first: others' objects are background to them.
        truth = engine.ids(states[0], predictions[0])
        for state, prediction, mask in zip(states, predictions, masks, strict=True):
            own = truth.masked_fill(~torch.isin(truth, torch.tensor(list(mask.segments))), 0)
            given = mask if t == 0 else None
            engine.commit(state, prediction, apply_update(own, given, ()), given=given)


def test_a_late_object():
    """Its mask wins where it is not 0; before it nothing has its id; after it something may."""
    network, frames = small_network("AOT", capacity=2), video(5)
    late = squares(SIZE, {3: (10, 10), 4: (30, 10)})
    results = run(network, frames, given_at({"000": TWO, "002": late}))
    alone = run(network, frames, given_at({"000": TWO}))
    assert ids(results[:2]) == ids(alone[:2])
    assert (results[2].ids[late.ids > 0] == late.ids[late.ids > 0]).all()
    assert (results[2].ids[late.ids == 0] == alone[2].ids[late.ids == 0]).all()
    assert ids(results[3:]) != ids(alone[3:])


@torch.inference_mode()
def test_a_late_group_stores_frames_at_once():
    """It is written to whenever the older group is (not so in one of the official programs)."""
    network = small_network("AOT")
    engine = Propagator(network, PropagationRules(memory_gap=2))
    state = engine.begin()
    late = squares(SIZE, {i: (5 * i, 3) for i in (3, 4, 5)}, side=4)
    stored = []
    for t, frame in enumerate(video(8)):
        given = {0: TWO, 3: late}.get(t)
        prediction = engine.predict(state, frame.image)
        update = apply_update(engine.ids(state, prediction), given, ())
        engine.commit(state, prediction, update, given=given)
        stored.append([len(bundle.stores[0].frames) for bundle in state.bundles])
    assert stored == [[1], [1], [2], [3, 1], [3, 1], [4, 2], [4, 2], [5, 3]]


class Script:
    """A policy that retires and gives as written: {frame id: ReferenceUpdate}."""

    def __init__(self, updates):
        self.updates = updates
        self.predicted = {}

    def update(self, frame, predicted):
        self.predicted[frame.frame_id] = predicted
        return self.updates.get(frame.frame_id, ReferenceUpdate())


@pytest.mark.parametrize("kind", ["AOT", "Pano-ID"])
def test_retired_objects_leave_and_free_their_slot(kind):
    """A second group closes when its only object is retired; the first one goes on as if it had
    never been there but for the pixels that it took.
    """
    network, frames = small_network(kind), video(6)
    places = {1: (4, 4), 2: (30, 40), 3: (20, 20), 4: (4, 40)}
    script = Script(
        {
            "000": ReferenceUpdate(squares(SIZE, places)),
            "002": ReferenceUpdate(None, frozenset({4, 77})),
            "004": ReferenceUpdate(squares(SIZE, {9: (4, 40)}), frozenset({1})),
        }
    )
    results = run(network, frames, script)
    assert script.predicted["000"] is None and script.predicted["001"] is not None
    assert all(4 not in r.segments for r in results[2:])
    assert all(1 not in r.segments for r in results[4:])
    assert results[4].ids[4, 40] == 9


@torch.inference_mode()
def test_a_slot_that_is_used_again_begins_a_new_memory():
    """The group's old memory shows the retired object under that identity, so it is dropped: the
    video goes on as one that begins here, with the masks of this frame.
    """
    network = small_network("AOT")
    engine = Propagator(network, PropagationRules(memory_gap=1))
    state, frames = engine.begin(), video(5)
    updates = {
        0: (squares(SIZE, {1: (4, 4), 2: (30, 40), 3: (20, 20)}), ()),
        3: (squares(SIZE, {8: (4, 4)}), (1,)),
    }
    held = None
    for t, frame in enumerate(frames):
        prediction = engine.predict(state, frame.image)
        given, retired = updates.get(t, (None, ()))
        new = apply_update(engine.ids(state, prediction), given, retired)
        engine.commit(state, prediction, new, given=given, retired=retired)
        held = new if t == 3 else held
    assert len(state.groups) == 1
    assert state.table.places[8].channel == 1
    assert [f.index for f in state.bundles[0].stores[0].frames] == [3, 4]

    fresh = engine.begin()
    held = torch.where(held == 8, 1, held)  # the new object has the first slot here too
    masks = PanopticFrame("", held.numpy(), {i: Segment(0, True) for i in (1, 2, 3)})
    engine.commit(fresh, engine.predict(fresh, frames[3].image), held, given=masks)
    assert set(fresh.table.places) == {1, 2, 3}, "an object was lost before: take another seed"
    expected = engine.predict(fresh, frames[4].image).propagated.logits
    assert torch.allclose(prediction.propagated.logits, expected, atol=1e-3)


@pytest.mark.parametrize("kind", ["AOT", "PAOT"])
def test_memory_cap(kind):
    """A cap that is never reached changes nothing; a small one does, and holds."""
    network, frames = small_network(kind), video(9)
    free = run(network, frames, given_at({"000": TWO}))
    assert ids(run(network, frames, given_at({"000": TWO}), memory_cap=5)) == ids(free)
    assert ids(run(network, frames, given_at({"000": TWO}), memory_cap=2)) != ids(free)
    assert ids(run(network, frames, given_at({"000": TWO}), memory_gap=0)) == ids(
        run(network, frames, given_at({"000": TWO}), memory_cap=1)
    )


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_constant_depth_equals_the_model_of_that_depth(depth):
    deep, shallow = small_network("AOST"), small_network("AOST", layers=(depth,))
    kept = shallow.state_dict().keys()
    shallow.load_state_dict({key: value for key, value in deep.state_dict().items() if key in kept})
    frames, masks = video(6), given_at({"000": TWO, "003": squares(SIZE, {5: (10, 30)})})
    assert ids(run(deep, frames, masks, depth=depth)) == ids(run(shallow, frames, masks))


def test_depth_that_changes_inside_a_video():
    """3 -> 1 -> 3 -> 2: a layer that the last frame did not pass uses the reference instead."""
    network, frames = small_network("AOST"), video(8)
    depths = {"000": 1, "001": 3, "002": 1, "003": 1, "004": 3, "005": 2, "006": 3, "007": 1}
    masks = given_at({"000": TWO})
    results = run(network, frames, masks, depth=lambda frame: depths[frame.frame_id])
    constant = run(network, frames, masks, depth=3)
    assert ids(results[:2]) == ids(constant[:2])
    assert ids(results) != ids(constant)
    assert len(results) == 8


def test_a_tiny_object_reaches_the_memory():
    """One pixel that nearest resizing would miss: the reference pass must see its identity."""
    network = small_network("AOT")
    size = (196, 260)
    mask = np.zeros(size, np.int32)
    mask[101, 131] = 6
    given = PanopticFrame("", mask, {6: Segment(0, True)})
    engine = Propagator(network, PropagationRules(max_long_side=65))
    seen = []
    network.identity_banks[0].register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0][:, 1:].sum().item())
    )
    list(segment_frames([engine], video(1, size), given_at({"000": given})))
    assert seen == [1.0]


def test_mirrored_video_and_view_cancel():
    """A flipped view of a flipped video is the video."""
    network, frames = small_network("AOT"), video(4)
    mirrored = [Frame(f.frame_id, f.image[:, ::-1].copy()) for f in frames]
    mask = PanopticFrame("", TWO.ids[:, ::-1].copy(), TWO.segments)
    plain = run(network, frames, given_at({"000": TWO}))
    flipped = run(network, mirrored, given_at({"000": mask}), flip=True)
    for result, other in zip(plain, flipped, strict=True):
        assert (result.ids == other.ids[:, ::-1]).all()


@pytest.mark.parametrize("kind", ["AOT", "AOST", "Pano-ID"])
@torch.inference_mode()
def test_test_time_augmentation(kind):
    """Equal views vote as one; views have memories of their own; scales change the result."""
    network, frames, masks = small_network(kind), video(4), given_at({"000": TWO})
    rules = PropagationRules(memory_gap=2, merge=network.settings.merge)
    single = list(segment_frames([Propagator(network, rules)], frames, masks))
    twice = list(segment_frames([Propagator(network, rules)] * 2, frames, masks))
    assert ids(twice) == ids(single)
    scaled = PropagationRules(memory_gap=2, merge=network.settings.merge, scale=1.3, flip=True)
    views = [Propagator(network, rules), Propagator(network, scaled)]
    mixed = list(segment_frames(views, frames, masks))
    assert ids(mixed) != ids(single)
    assert (mixed[0].ids == TWO.ids).all()


def test_bad_input_is_said():
    network, frames = small_network("AOT"), video(2)
    small = squares((20, 20), {1: (2, 2)})
    with pytest.raises(InputError, match=r"49x65.*20x20"):
        run(network, frames, given_at({"000": small}))
    nameless = PanopticFrame("", TWO.ids, {1: Segment(0, True)})
    with pytest.raises(InputError, match="segment for every id"):
        run(network, frames, given_at({"000": nameless}))
    other = Frame("001", frames[1].image[:40])
    with pytest.raises(InputError, match=r"49x65.*40x65"):
        run(network, [frames[0], other], given_at({"000": TWO}))
