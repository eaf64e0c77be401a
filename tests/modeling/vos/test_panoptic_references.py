"""References from a panoptic model: matching, the pixels that are given, births and retirements."""

from __future__ import annotations

import numpy as np
import pytest

from vps.config import add_vps_config
from vps.d2.config import CfgNode, get_cfg
from vps.modeling.vos.references import (
    MatchingRules,
    PanopticReferences,
    build_reference_source,
    match_segments,
    merge_detection,
)
from vps.structures import Category, Frame, InputError, PanopticFrame, ReferencePolicy, Segment

# Categories: 0 sky, 1 road (stuff), 2 car, 3 dog (things). Ids of stuff are category + 1, of
# things 5, 6, ...
NUM = 4
ISTHING = {0: False, 1: False, 2: True, 3: True}


def frame_of(rows: list[str], kinds: dict[int, int], *, crowd: int | None = None) -> PanopticFrame:
    """Digits are ids; ``kinds`` their categories."""
    ids = np.array([[int(digit) for digit in row] for row in rows], np.int32)
    present = [i for i in np.unique(ids).tolist() if i]
    segments = {i: Segment(kinds[i], ISTHING[kinds[i]], 0.5, iscrowd=i == crowd) for i in present}
    return PanopticFrame("0", ids, segments)


def tracks_of(frame: PanopticFrame) -> dict[int, Segment]:
    return dict(frame.segments)


FOLLOWED = frame_of(["1111", "1556", "1556", "2222"], {1: 0, 2: 1, 5: 2, 6: 3})


ALL_KINDS = {1: 0, 2: 1, 5: 2, 6: 3}
SWAPPED = {1: 1, 2: 0, 3: 2, 6: 3}


@pytest.mark.parametrize(
    ("rows", "kinds", "iou", "matches", "why"),
    [
        ("1111 1556 1556 2222", ALL_KINDS, 0.5, {1: 1, 2: 2, 5: 5, 6: 6}, "nothing has moved"),
        ("1111 1336 1336 2222", SWAPPED, 0.5, {1: 2, 2: 1, 3: 5, 6: 6}, "stuff goes by its class"),
        ("0000 0330 0330 0000", {3: 3}, 0.5, {3: 5}, "things go by their masks, not their class"),
        ("0000 0330 0000 0000", {3: 2}, 0.5, {}, "an IoU of exactly 0.5 is no match"),
        ("0000 0330 0000 0000", {3: 2}, 0.4, {3: 5}, "but is above 0.4"),
        ("0000 0110 0110 0000", {1: 0}, 0.5, {1: 1}, "stuff never matches a thing"),
        ("0000 0333 0333 0000", {3: 2}, 0.2, {3: 5}, "of two tracks the better one"),
        ("0000 0340 0340 0000", {3: 2, 4: 2}, 0.4, {3: 5}, "a track is matched once"),
    ],
)
def test_matching(rows, kinds, iou, matches, why):
    found = match_segments(FOLLOWED, frame_of(rows.split(), kinds), tracks_of(FOLLOWED), iou=iou)
    assert found == matches, why


def test_crowds_and_the_first_frame_match_nothing():
    crowd = frame_of(["0000", "0330", "0330", "0000"], {3: 2}, crowd=3)
    assert match_segments(FOLLOWED, crowd, tracks_of(FOLLOWED)) == {}
    assert match_segments(None, FOLLOWED, {}) == {}


HOLES = frame_of(["0000", "0550", "0550", "0000"], {5: 2})
SEEN = frame_of(["3330", "3334", "0334", "0044"], {3: 2, 4: 3})


@pytest.mark.parametrize(
    ("known", "rows", "why"),
    [
        ("keep", ["0000", "0006", "0006", "0066"], "the matched track gets nothing"),
        ("fill", ["5550", "5006", "0006", "0066"], "it gets what nobody was predicted to have"),
        ("replace", ["5550", "5556", "0556", "0066"], "it gets all of its detection"),
    ],
)
def test_pixels_of_known_tracks(known, rows, why):
    rules = MatchingRules(known=known, min_area=1)
    ids = merge_detection(HOLES, SEEN, {3: 5}, {4: 6}, rules=rules)
    np.testing.assert_array_equal(ids, frame_of(rows, {5: 2, 6: 3}).ids, err_msg=why)


def test_new_tracks_take_nothing_from_things_that_are_still_seen():
    ids = merge_detection(
        frame_of(["5555", "5500"], {5: 2}),
        frame_of(["3336", "3366"], {3: 2, 6: 3}),
        {3: 5},
        {6: 7},
        rules=MatchingRules(known="keep", min_area=1),
    )
    np.testing.assert_array_equal(ids, [[0, 0, 0, 0], [0, 0, 7, 7]])


@pytest.mark.parametrize(("min_area", "painted"), [(2, {7}), (3, set())])
def test_small_ones_are_not_born(min_area, painted):
    ids = merge_detection(
        None, frame_of(["0044"], {4: 3}), {}, {4: 7}, rules=MatchingRules(min_area=min_area)
    )
    assert set(np.unique(ids).tolist()) - {0} == painted


class Script:
    """A panoptic model that says what it is told to, one frame after the other."""

    def __init__(self, *frames: PanopticFrame) -> None:
        self.frames = list(frames)
        self.calls = 0

    def __call__(self, frame: Frame) -> PanopticFrame:
        self.calls += 1
        return self.frames.pop(0)


def picture() -> Frame:
    return Frame("0", np.zeros((2, 4, 3), np.uint8))


CAR = frame_of(["0550", "0550"], {5: 2})
CAR_AND_SKY = frame_of(["1559", "1559"], {1: 0, 5: 2, 9: 3})
NOTHING = frame_of(["0000", "0000"], {})


def test_first_frame_only():
    script = Script(NOTHING, CAR_AND_SKY)
    policy = PanopticReferences(script, num_categories=NUM, rules=MatchingRules(min_area=1))
    assert isinstance(policy, ReferencePolicy)
    assert policy.update(picture(), None).given is None  # nothing seen: look again
    given = policy.update(picture(), None).given
    np.testing.assert_array_equal(given.ids, [[1, 5, 5, 6], [1, 5, 5, 6]])
    sky, car, dog = Segment(0, False, 0.5), Segment(2, True, 0.5), Segment(3, True, 0.5)
    assert given.segments == {1: sky, 5: car, 6: dog}
    for _ in range(3):
        assert policy.update(picture(), given) == (None, frozenset())
    assert script.calls == 2


def test_tracks_are_born_kept_and_retired():
    """Every second frame: the car stays, a dog comes, the car is missed twice and goes, a new thing
    in its place gets a number of its own.
    """
    dog = frame_of(["0553", "0553"], {5: 2, 3: 3})
    only_dog = frame_of(["0003", "0003"], {3: 3})
    script = Script(CAR, dog, only_dog, only_dog, dog)
    rules = MatchingRules(min_area=1, misses=2, known="keep")
    policy = PanopticReferences(script, num_categories=NUM, every=2, rules=rules)
    car = policy.update(picture(), None).given
    assert list(car.segments) == [5]
    assert policy.update(picture(), car) == (None, frozenset())

    born = policy.update(picture(), car)
    np.testing.assert_array_equal(born.given.ids, [[0, 0, 0, 6], [0, 0, 0, 6]])
    both = PanopticFrame("0", car.ids + born.given.ids, {**car.segments, **born.given.segments})
    policy.update(picture(), both)
    assert policy.update(picture(), both) == (None, frozenset())  # missed once
    policy.update(picture(), both)
    assert policy.update(picture(), both) == (None, frozenset({5}))  # and twice
    policy.update(picture(), born.given)
    again = policy.update(picture(), born.given)
    assert list(again.given.segments) == [7]
    assert script.calls == 5


def test_a_class_of_stuff_is_one_track():
    sky = frame_of(["1100", "1100"], {1: 0})
    elsewhere = frame_of(["0011", "0011"], {1: 0})
    policy = PanopticReferences(
        Script(sky, elsewhere, NOTHING, sky),
        num_categories=NUM,
        every=1,
        rules=MatchingRules(min_area=1, misses=1),
    )
    first = policy.update(picture(), None).given
    np.testing.assert_array_equal(first.ids, sky.ids)
    np.testing.assert_array_equal(policy.update(picture(), first).given.ids, elsewhere.ids)
    assert policy.update(picture(), first) == (None, frozenset({1}))
    assert list(policy.update(picture(), NOTHING).given.segments) == [1]  # and comes back


def test_another_size_is_refused():
    policy = PanopticReferences(Script(FOLLOWED), num_categories=NUM, every=1)
    with pytest.raises(InputError, match=r"at its size \[2, 4\], got \[4, 4\]"):
        policy.update(picture(), CAR)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MatchingRules(iou=1.0), "iou < 1, got 1.0"),
        (lambda: MatchingRules(known="all"), "keep, fill, replace, got 'all'"),
        (lambda: MatchingRules(misses=0), "at least 1, got 0 and 64"),
        (lambda: PanopticReferences(Script(), num_categories=1, every=0), "every 0"),
    ],
)
def test_bad_rules(make, message):
    with pytest.raises(InputError, match=message):
        make()


CONFIG = "configs/shapes_vps/vpsnet_track_R_18.yaml"


def config_of(**references) -> CfgNode:
    cfg = get_cfg()
    add_vps_config(cfg)
    for name, value in references.items():
        cfg.MODEL.VOS.REFERENCES[name] = value
    return cfg


def categories_of(*names: str) -> list[Category]:
    return [Category(name, True, (1, 2, 3), number) for number, name in enumerate(names)]


def test_the_ground_truth_needs_no_source():
    assert build_reference_source(config_of(), categories_of("a")) is None


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ({"MODE": "panoptic"}, "MODEL.VOS.REFERENCES.MODE: expected one of .* got 'panoptic'"),
        ({"MODE": "panoptic_first"}, "in MODEL.VOS.REFERENCES.CONFIG_FILE, got none"),
    ],
)
def test_a_source_that_cannot_be(references, message):
    with pytest.raises(InputError, match=message):
        build_reference_source(config_of(**references), categories_of("a"))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("", r"expected weights for .*R_18\.yaml in MODEL\.VOS\.REFERENCES\.WEIGHTS, got none"),
        ("some.pth", "to know the same classes in the same order .* got those of"),
    ],
)
def test_a_panoptic_model_that_does_not_fit(repository, weights, message):
    cfg = config_of(
        MODE="panoptic_every_k", CONFIG_FILE=str(repository / CONFIG), WEIGHTS=weights, EVERY=2
    )
    source = build_reference_source(cfg, categories_of("a"))  # nothing is built yet
    with pytest.raises(InputError, match=message):
        source().update(picture(), None)
