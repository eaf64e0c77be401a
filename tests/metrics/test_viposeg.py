"""VIPOSeg scores: equal to the naive ones on random videos, and what is promised beside them."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from naive_objects import naive_viposeg
from random_objects import random_video

from vps.metrics import VIPOSegQuality, VIPOSegRules, VIPOSegSubsets
from vps.metrics.viposeg_scores import crowd_decay
from vps.structures import InputError

IDS = (1, 2, 7, 254, 255, 70_000)
CLASSES = (60, 46, 28, 17, 98, 124)  # thing seen and unseen, stuff seen and unseen, by video, none
UNSEEN_VIDEO = "187_WUZUSD4477I"
BENCHMARK = VIPOSegSubsets.of_benchmark()


def random_set(seed, number=40):
    """{video id: (frames, references, classes)}; some masks are given twice, some late."""
    rng = np.random.default_rng(seed)
    videos = {}
    for index in range(number):
        frames = random_video(rng, IDS)
        references = {}
        for object_id in IDS:
            if frames and rng.random() < 0.8:
                given = rng.integers(0, len(frames), 1 + (rng.random() < 0.2))
                references[object_id] = [int(frame) for frame in given]
            if frames and rng.random() < 0.5 and object_id in references:
                references[object_id][0] = 0
        classes = dict(zip(IDS, rng.permutation(CLASSES).tolist(), strict=True))
        name = UNSEEN_VIDEO if index == 3 else f"{index}_video"
        videos[name] = (frames, references, classes)
    return videos


def evaluate(videos, **options):
    metric = VIPOSegQuality(**options)
    for name, (frames, references, classes) in videos.items():
        metric.update(name, iter(frames), references=references, object_classes=classes)
    return metric


def assert_equals_naive(result, videos):
    parts, crowd = naive_viposeg(videos, BENCHMARK.subset_of)
    got = {name: value for name, value in result.parts.items() if value is not None}
    parts = {name: value for name, value in parts.items() if not name.startswith("None")}
    assert got == pytest.approx(parts, abs=1e-12)
    assert {n: mean for n, (_, mean) in result.crowd.items()} == pytest.approx(crowd, abs=1e-12)


@pytest.mark.parametrize("seed", [0, 1])
def test_against_naive(seed):
    videos = random_set(seed)
    result = evaluate(videos).compute()
    assert_equals_naive(result, videos)
    eight = list(result.parts.values())
    assert None not in eight and not result.reasons
    assert result.overall == pytest.approx(np.mean(eight), abs=1e-12)
    seen = [value for name, value in result.parts.items() if "_seen" in name]
    assert result.groups["seen"] == pytest.approx(np.mean(seen), abs=1e-12)
    things = [value for name, value in result.parts.items() if name.startswith("thing")]
    assert result.groups["thing"] == pytest.approx(np.mean(things), abs=1e-12)
    x = np.array(list(result.crowd)) / 100
    y = np.array([mean for _, mean in result.crowd.values()])
    assert result.decay == pytest.approx((x * -np.log(y)).sum() / (x * x).sum(), abs=1e-12)
    assert len({len(frames) for frames, _, _ in videos.values()}) > 5, "no short videos"
    assert any(len(set(r)) > 1 for _, given, _ in videos.values() for r in given.values())


def test_mask_given_twice():
    rng = np.random.default_rng(5)
    shape = (20, 30)
    frames = [(str(i), *(rng.integers(0, 3, shape) for _ in "ab")) for i in range(5)]
    videos = {"v": (frames, {1: [0, 2], 2: 0}, {1: 60, 2: 28})}
    twice, once = (
        evaluate(videos, rules=VIPOSegRules(repeated_reference=rule)).compute()
        for rule in ("count_again", "once")
    )
    assert {n: frames for n, (frames, _) in twice.crowd.items()} == {2: 4, 3: 6}
    assert {n: frames for n, (frames, _) in once.crowd.items()} == {2: 8}
    assert twice.parts["thing_seen_miou"] != once.parts["thing_seen_miou"]
    assert twice.parts["stuff_seen_miou"] == once.parts["stuff_seen_miou"]
    assert_equals_naive(once, {"v": (frames, {1: [0], 2: [0]}, {1: 60, 2: 28})})
    listed_twice = {"v": (frames, {1: [0, 0], 2: [0]}, {1: 60, 2: 28})}
    assert evaluate(listed_twice).compute().as_dict() == once.as_dict()


def test_partitions_and_processes_give_the_same_bits():
    videos = random_set(2)
    whole = evaluate(videos).compute()
    names = list(videos)
    parts = [evaluate({name: videos[name] for name in names[rank::3]}) for rank in (2, 0, 1)]
    merged = pickle.loads(pickle.dumps(parts[0]))
    for part in parts[1:]:
        merged.merge(pickle.loads(pickle.dumps(part)))
    assert json.dumps(merged.compute().as_dict()) == json.dumps(whole.as_dict())
    assert merged.compute().per_object == whole.per_object
    with pytest.raises(InputError, match="was already scored"):
        merged.merge(parts[1])
    with pytest.raises(InputError, match="different rules"):
        merged.merge(VIPOSegQuality(rules=VIPOSegRules(void_label=None)))


def test_undefined_values_have_reasons():
    frame = np.zeros((8, 9), np.uint8)
    frame[2:5, 2:6] = 1
    nothing = VIPOSegQuality().compute()
    assert nothing.overall is None and nothing.decay is None
    assert {"overall", "decay", "thing_seen", "seen", "stuff"} <= nothing.reasons.keys()
    one_frame = evaluate({"v": ([("0", frame, frame)], {1: 0}, {1: 60})}).compute()
    assert one_frame.decay is None and one_frame.per_video["v"]["num_frames"] == 1
    frames = [("0", frame, frame), ("1", frame, 0 * frame)]
    wrong = evaluate({"v": (frames, {1: 0}, {1: 60})}).compute()
    assert wrong.subsets["thing_seen"] == 0 and wrong.decay is None
    assert "infinite" in wrong.reasons["decay"]
    assert wrong.overall is None and "thing_unseen" in wrong.reasons["overall"]
    rules = VIPOSegRules(missing_subsets="leave_out")
    partial = evaluate({"v": (frames, {1: 0}, {1: 60})}, rules=rules).compute()
    assert partial.overall == 0 and partial.groups["unseen"] is None
    for result in (nothing, one_frame, wrong, partial):
        json.dumps(result.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("means", "most", "decay"),
    [
        ({1: 1.0}, 60, 0.0),
        ({10: math.exp(-0.3)}, 60, 3.0),
        ({10: math.exp(-0.3), 20: math.exp(-0.6), 60: 0.0, 200: 0.0}, 60, 3.0),
        ({10: math.exp(-0.3), 80: math.exp(-2.4)}, 100, 3.0),
        ({60: 0.5, 90: 0.5}, 60, None),
        ({3: 0.5, 4: 0.0}, 60, None),
        ({}, 60, None),
    ],
)
def test_decay(means, most, decay):
    got, reason = crowd_decay(means, most)
    assert got == (None if decay is None else pytest.approx(decay, abs=1e-12))
    assert (reason is None) == (decay is not None)


def test_many_objects():
    """The official program stops at 80 objects; the decay looks at fewer than 60 anyway."""
    gt = np.repeat(np.arange(1, 91), 10).reshape(30, 30)
    frames = [("0", gt, gt), ("1", gt, gt)]
    videos = {"v": (frames, dict.fromkeys(range(1, 91), 0), dict.fromkeys(range(1, 91), 60))}
    result = evaluate(videos).compute()
    assert result.parts["thing_seen_miou"] == 1 and result.crowd == {90: (90, 1.0)}
    assert result.decay is None and "59 objects" in result.reasons["decay"]


def test_subsets_of_the_benchmark():
    sizes = {name: len(classes) for name, classes in BENCHMARK.classes.items()}
    assert sizes == {"thing_seen": 41, "thing_unseen": 17, "stuff_seen": 49, "stuff_unseen": 17}
    assert frozenset().union(*BENCHMARK.classes.values()) == set(range(124))
    assert BENCHMARK.subset_of(UNSEEN_VIDEO, 98) == "stuff_unseen"
    assert BENCHMARK.subset_of("0_video", 98) == "stuff_seen"
    assert BENCHMARK.subset_of(UNSEEN_VIDEO, 60) == "thing_seen"
    assert BENCHMARK.subset_of("0_video", 124) is None
    assert len(BENCHMARK.unseen_videos) == 23


FRAME = np.zeros((4, 5), np.uint8)


@pytest.mark.parametrize(
    ("frames", "references", "classes", "message"),
    [
        ([], {1: 0}, None, "object_classes .* video v, got None"),
        ([], {1: 0, 3: 0}, {1: 60}, r"video v give masks of objects \[3\]"),
        ([], {0: 0}, {0: 60}, "object id >= 1"),
        ([], {1: -1}, {1: 60}, "frame index >= 0"),
        ([("0", FRAME, FRAME)], {1: 1}, {1: 60}, "object 1 is frame 1 .* video v has 1 frames"),
        ([("7", FRAME, FRAME.T)], {1: 0}, {1: 60}, "of 4x5 pixels .* frame 7 of video v"),
    ],
)
def test_errors(frames, references, classes, message):
    metric = VIPOSegQuality()
    with pytest.raises(InputError, match=message):
        metric.update("v", frames, references=references, object_classes=classes)
    assert not metric.video_ids, "a video that failed was kept"
    good = [("0", FRAME, FRAME)]
    metric.update("v", good, references={255: 0}, object_classes={})  # 255 without class: void
    with pytest.raises(InputError, match="v was already scored"):
        metric.update("v", good, references={}, object_classes={})


def test_rules_are_checked():
    with pytest.raises(InputError, match="repeated_reference"):
        VIPOSegRules(repeated_reference="twice")
