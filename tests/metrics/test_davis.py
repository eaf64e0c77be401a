"""J&F of DAVIS: equal to the naive scores on random videos, and what is promised beside them."""

from __future__ import annotations

import json
import pickle
import weakref

import numpy as np
import pytest
from naive_objects import naive_davis_object, naive_f, naive_iou, naive_statistics
from random_objects import random_video

from vps.metrics import DavisQuality, DavisRules, VIPOSegQuality, YouTubeVOSQuality
from vps.metrics.object_accuracy import score_objects, statistics_of
from vps.structures import InputError

IDS = (1, 2, 4, 255)


def random_set(seed, number=25):
    rng = np.random.default_rng(seed)
    return {f"seq{index:02d}": random_video(rng, IDS) for index in range(number)}


def evaluate(videos, **options):
    metric = DavisQuality(**options)
    for name, frames in videos.items():
        metric.update(name, iter(frames), references={}, object_classes=None)
    return metric


def assert_equals_naive(result, videos, objects_of):
    """``objects_of(frames)``: the ids to expect; frames already as the rules want them."""
    rows = []
    for name, frames in videos.items():
        ids = objects_of(frames) if frames else []
        assert list(result.per_object[name]) == list(ids)
        for object_id in ids:
            scores = result.per_object[name][object_id]
            j, f = naive_davis_object(frames, object_id)
            assert scores.frames == len(j)
            if not j:
                assert scores.j is None and scores.f is None
                continue
            want = (*naive_statistics(j), *naive_statistics(f))
            assert (*scores.j, *scores.f) == pytest.approx(want, abs=1e-12)
            rows.append(want)
    means = np.mean(rows, axis=0)
    total = result.total
    got = (total.j_mean, total.j_recall, total.j_decay, total.f_mean, total.f_recall, total.f_decay)
    assert got == pytest.approx(means, abs=1e-12)
    assert total.jf_mean == pytest.approx((means[0] + means[3]) / 2, abs=1e-12)
    assert total.num_objects == len(rows) > 10


def without_void(videos):
    return {
        name: [(frame, np.where(gt == 255, 0, gt), pred) for frame, gt, pred in frames]
        for name, frames in videos.items()
    }


@pytest.mark.parametrize("numba", ["0", "1"])
def test_2017_against_naive(numba, monkeypatch):
    monkeypatch.setenv("VPS_NUMBA", numba)
    videos = random_set(0)
    result = evaluate(videos).compute()
    assert_equals_naive(result, without_void(videos), lambda f: range(1, int(f[0][1].max()) + 1))
    assert any(len(frames) in (1, 2) for frames in videos.values())
    assert "left out" in result.remarks[0]


def test_2016_against_naive():
    videos = random_set(1)
    binary = {
        name: [(frame, (gt > 0).astype(int), (pred > 0).astype(int)) for frame, gt, pred in frames]
        for name, frames in videos.items()
    }
    result = evaluate(videos, year=2016).compute()
    assert_equals_naive(result, binary, lambda frames: [1])


def test_objects_of_the_first_frame_only():
    videos = random_set(2)
    result = evaluate(videos, rules=DavisRules(objects="first_frame")).compute()
    ids = lambda frames: sorted(set(frames[0][1].ravel().tolist()) - {0})  # noqa: E731
    assert_equals_naive(result, without_void(videos), ids)


def test_objects_by_reference():
    videos = {name: frames for name, frames in random_set(3).items() if len(frames) > 3}
    metric = DavisQuality(rules=DavisRules(objects="references", frames="after_first"))
    for name, frames in videos.items():
        metric.update(name, frames, references={2: 0, 4: 1})
    for name, frames in videos.items():
        for object_id, begin in ((2, 1), (4, 2)):
            want = [naive_iou(gt == object_id, pred == object_id) for _, gt, pred in frames[begin:]]
            got = metric.compute().per_object[name][object_id]
            assert got.j == pytest.approx(naive_statistics(want), abs=1e-12)


def test_which_frames_are_scored():
    frames = next(frames for frames in random_set(4).values() if len(frames) == 6)
    for rule, number in (("inner", 4), ("after_first", 5), ("all", 6)):
        metric = evaluate({"v": frames}, rules=DavisRules(frames=rule, void_label=None), year=2016)
        assert metric.compute().per_object["v"][1].frames == number


@pytest.mark.parametrize("shape", [(1, 1), (11, 130), (30, 64)], ids=str)
def test_scores_of_a_frame(shape):
    rng = np.random.default_rng(6)
    gt, pred = rng.integers(0, 3, shape), rng.integers(0, 3, shape)
    j, f = score_objects(gt, pred, [1, 2, 3], bound=2)
    for index, object_id in enumerate((1, 2, 3)):
        masks = gt == object_id, pred == object_id
        assert j[index] == pytest.approx(naive_iou(*masks), abs=1e-15)
        assert f[index] == pytest.approx(naive_f(*masks, 2), abs=1e-15)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7, 9, 22, 102, 256])
def test_statistics(length):
    values = np.random.default_rng(length).random(length)
    for edges in ("uint8", "exact"):
        got = statistics_of(values, quarter_edges=edges)
        assert got == pytest.approx(naive_statistics(values.tolist()), abs=1e-12)


def test_long_sequences():
    """The official indices of quarters wrap at 256; the remark or the reason says so."""
    rng = np.random.default_rng(7)
    frames = [(str(i), *rng.integers(0, 2, (2, 3, 4))) for i in range(302)]
    frames[0][1][0, 0] = 1
    official = evaluate({"long": frames}).compute()
    assert official.total.j_decay is None and "wrap at 256" in official.reasons["J-Decay"]
    assert official.total.j_mean is not None and "J-Mean" not in official.reasons
    exact = evaluate({"long": frames}, rules=DavisRules(quarter_edges="exact")).compute()
    j, _ = naive_davis_object(frames, 1)
    assert exact.total.j_decay == pytest.approx(naive_statistics(j)[2], abs=1e-12)
    assert not exact.remarks and not exact.reasons
    wrong = evaluate({"long": [*frames, *frames]}).compute()
    assert any("wrap at 256" in remark for remark in wrong.remarks)


def test_partitions_and_processes_give_the_same_bits():
    videos = random_set(5)
    whole = json.dumps(evaluate(videos).compute().as_dict(), allow_nan=False)
    names = list(videos)
    parts = [evaluate({name: videos[name] for name in names[rank::3]}) for rank in (2, 0, 1)]
    merged = pickle.loads(pickle.dumps(parts[0]))
    for part in parts[1:]:
        merged.merge(pickle.loads(pickle.dumps(part)))
    assert json.dumps(merged.compute().as_dict()) == whole
    with pytest.raises(InputError, match="was already scored"):
        merged.merge(parts[1])
    with pytest.raises(InputError, match="different year and rules cannot be merged"):
        merged.merge(DavisQuality(year=2016))


def test_nothing_to_score():
    result = DavisQuality().compute()
    assert result.total.jf_mean is None and result.total.num_objects == 0
    assert result.reasons.keys() == set(result.as_dict()) & set(result.reasons)
    empty = np.zeros((3, 4), np.uint8)
    result = evaluate({"v": [("0", empty, empty)] * 5}).compute()
    assert result.total.jf_mean is None and "v" in result.remarks[0]
    json.dumps(result.as_dict(), allow_nan=False)


FRAME = np.ones((4, 5), np.uint8)


@pytest.mark.parametrize(
    ("frames", "rules", "message"),
    [
        ([("7", FRAME, FRAME.T)], {}, "of 4x5 pixels .* frame 7 of video v"),
        ([("7", FRAME, 3 * FRAME)], {"unknown_objects": "refuse"}, "frame 7 of video v has .* 3"),
        ([("7", FRAME, FRAME)], {"objects": "references"}, "references for video v"),
    ],
)
def test_errors(frames, rules, message):
    metric = DavisQuality(rules=DavisRules(**rules))
    with pytest.raises(InputError, match=message):
        metric.update("v", frames)
    assert not metric.video_ids
    with pytest.raises(InputError, match="2016 or 2017"):
        DavisQuality(year=2018)
    with pytest.raises(InputError, match="quarter_edges"):
        DavisRules(quarter_edges="int8")


@pytest.mark.parametrize(
    "metric",
    [DavisQuality(), VIPOSegQuality(), YouTubeVOSQuality()],
    ids=lambda m: type(m).__name__,
)
def test_frames_are_let_go(metric):
    """A video of any length runs in the memory of a few frames."""
    alive: list[weakref.ref] = []
    most = 0

    def frames():
        nonlocal most
        for index in range(12):
            gt, pred = (np.ones((5, 6), np.uint8) for _ in range(2))
            alive.extend(map(weakref.ref, (gt, pred)))
            most = max(most, sum(one() is not None for one in alive))
            yield str(index), gt, pred
            del gt, pred

    metric.update("v", frames(), references={1: 0}, object_classes={1: 60})
    assert 2 <= most <= 6
