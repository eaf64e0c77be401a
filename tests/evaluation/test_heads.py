"""Comparing heads: the copying head, costs, and whole comparisons of known models."""

from __future__ import annotations

import json
import math

import heads_world
import numpy as np
import pytest
import torch
from heads_world import (
    CATEGORIES,
    GREEN,
    LATE,
    RED,
    FollowsPerfectly,
    SegmentsPerfectly,
    frame_of,
    labels_at,
    make_records,
    panoptic,
)

from vps.d2.data import MetadataCatalog
from vps.evaluation.heads import CopyHead, Head, compare_heads, format_comparison
from vps.evaluation.heads.comparison import crowd_curve
from vps.evaluation.heads.cost import Clock, CostByObjects, bin_name, bin_names
from vps.io import record_references
from vps.metrics import VIPOSegQuality
from vps.structures import Category, Frame, InputError, ReferenceUpdate, Segment

NAME = heads_world.register()


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return make_records(tmp_path_factory.mktemp("world"), (6, 5))


# ------------------------------------------------------------------------------------- copy head


def test_masks_are_copied_forward(records):
    record = records[0]
    frames = [Frame(name, np.zeros((40, 64, 3), np.uint8)) for name in record["image_ids"]]
    copies = list(CopyHead().segment_video(frames, references=record_references(record)))
    first = labels_at(0)
    np.testing.assert_array_equal(copies[0].ids, first)
    np.testing.assert_array_equal(copies[1].ids, first)
    late = labels_at(2) == LATE
    for copy in copies[2:]:
        np.testing.assert_array_equal(copy.ids, np.where(late, LATE, first))
    assert [c.frame_id for c in copies] == record["image_ids"]
    assert copies[2].segments[LATE] == Segment(1, True)


def test_a_copy_ends_where_its_track_is_retired():
    class Policy:
        def update(self, frame, predicted):
            if frame.frame_id == "0":
                assert predicted is None
                return ReferenceUpdate(frame_of("1122"))
            assert sorted(predicted.segments) == [1, 2]
            return ReferenceUpdate(None, frozenset({1}))

    frames = [Frame(str(t), np.zeros((1, 4, 3), np.uint8)) for t in range(2)]
    copies = list(CopyHead().segment_video(frames, references=Policy()))
    np.testing.assert_array_equal(copies[1].ids, [[0, 0, 2, 2]])
    assert list(copies[1].segments) == [2]


def test_before_the_first_mask_there_is_nothing():
    frames = [Frame(str(t), np.zeros((1, 4, 3), np.uint8)) for t in range(2)]
    given = {"1": frame_of("1122")}
    empty, full = CopyHead().segment_video(frames, references=lambda f: given.get(f.frame_id))
    assert not empty.ids.any() and not empty.segments and sorted(full.segments) == [1, 2]


# ------------------------------------------------------------------------------------------ cost


def test_bins():
    assert bin_names() == ["0", "1-5", "6-10", "11-20", "21-40", "41+"]
    numbers = (0, 1, 5, 6, 10, 11, 20, 21, 40, 41, 500)
    names = ["0", "1-5", "1-5", "6-10", "6-10", "11-20", "11-20", "21-40", "21-40", "41+", "41+"]
    assert [bin_name(n) for n in numbers] == names


def test_costs_are_added_up_per_bin():
    cost = CostByObjects()
    for objects, seconds, peak in ((3, 0.1, 10**6), (5, 0.3, 3 * 10**6), (50, 1.0, None)):
        cost.add(objects, seconds, peak, backbone=seconds / 2)
    cost.scoring = 0.6
    first = {"frames": 2, "ms_per_frame": 200.0, "backbone_ms": 100.0, "peak_mb": 3.0}
    last = {"frames": 1, "ms_per_frame": 1000.0, "backbone_ms": 500.0, "peak_mb": None}
    assert cost.as_dict() == {"1-5": pytest.approx(first), "41+": last}
    assert cost.per_frame() == pytest.approx((1400 / 3, 700 / 3, 200))
    assert cost.most_memory == 3 * 10**6
    assert math.isnan(CostByObjects().per_frame()[0]) and CostByObjects().most_memory is None


def test_a_clock_runs_inside_of_its_calls_only(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def slow(items):
        for item in items:
            now[0] += 2
            yield item

    clock = Clock()
    for _ in clock.iterate(slow([1, 2, 3])):
        now[0] += 100
    assert clock.seconds == 6

    def work(argument):
        now[0] += 5
        return argument

    assert clock.call(work)("x") == "x" and clock.seconds == 11


def test_a_clock_watches_a_module(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    class Slow(torch.nn.Module):
        def forward(self, x):
            now[0] += 3
            return x

    clock, slow = Clock(), Slow()
    with clock.watch(slow):
        slow(1)
        now[0] += 100
        slow(1)
    slow(1)  # not any more
    assert clock.seconds == 6
    with Clock().watch(None):
        pass


def test_crowd_curve():
    metric = VIPOSegQuality()
    truth = np.repeat(np.arange(1, 8, dtype=np.int32), 20).reshape(7, 20)
    wrong = np.where(truth == 1, 0, truth)
    frames = [("0", truth, truth), ("1", truth, truth), ("2", truth, wrong)]
    references = dict.fromkeys(range(1, 7), 0) | {7: 1}
    metric.update("v", frames, references=references, object_classes=dict.fromkeys(range(1, 8), 0))
    assert crowd_curve(metric.compute()) == {"6-10": (13, pytest.approx(12 / 13))}


# ----------------------------------------------------------------------------------- comparisons


def head(name, kind, model, categories=CATEGORIES) -> Head:
    return Head(name, kind, model, categories, description={"config": f"{name}.yaml"})


@pytest.fixture(scope="module")
def comparison(records, tmp_path_factory):
    heads = (
        head(name, kind, model)
        for name, kind, model in (
            ("segments", "vps", SegmentsPerfectly()),
            ("fills", "vps", SegmentsPerfectly(fill_void=True)),
            ("switches", "vps", SegmentsPerfectly(switch=1)),
            ("follows", "vos", FollowsPerfectly()),
            ("copy", "vos", CopyHead()),
        )
    )
    folder = tmp_path_factory.mktemp("out")
    seen = []
    result = compare_heads(
        heads,
        NAME,
        records,
        folder,
        windows=(1, 2),
        warnings=["they share videos"],
        progress=lambda *names: seen.append(names),
    )
    assert len(seen) == 20 and seen[0] == ("segments", "video-0")
    assert (folder / "copy" / "panoptic.json").is_file()
    return {report.name: report for report in result.heads} | {"": result}


def test_perfect_heads_are_perfect_in_every_column(comparison):
    for name, answers in (("segments", ["causal", "oracle"]), ("follows", ["own ids"])):
        report = comparison[name]
        assert list(report.objects) == answers
        for scores in report.panoptic.values():
            assert scores["VPQ"] == scores["STQ"] == 100
        for by_rule in report.objects.values():
            assert list(by_rule) == ["official", "reference frames too", "void ignored"]
            for scores in by_rule.values():
                assert scores["G"] == scores["J&F"] == 100 and scores["lambda"] == 0
    assert comparison["follows"].given_classes and not comparison["segments"].given_classes


def test_void_that_is_filled_costs_until_it_is_ignored(comparison):
    scores = comparison["fills"]
    assert scores.panoptic["all frames"]["VPQ"] == 100  # the panoptic metrics do not look at void
    by_rule = scores.objects["causal"]
    assert by_rule["official"]["Msf_s"] < 100 and by_rule["official"]["Mth_s"] == 100
    assert by_rule["void ignored"]["G"] == by_rule["void ignored"]["J&F"] == 100


def test_an_identity_that_changes_after_the_reference(comparison):
    """Red and green swap their ids in frame 1. On line that loses both; over the whole video the
    ids that are right in all frames but the first are the better answer.
    """
    objects = comparison["switches"].objects
    causal, oracle = objects["causal"]["official"], objects["oracle"]["official"]
    # 4 labelled frames of video-0 and 3 of video-1 are scored of both, and 2 and 1 of the late one.
    assert causal["Mth_s"] == pytest.approx(100 * 3 / (7 + 7 + 3))
    assert oracle["Mth_s"] == pytest.approx(100)
    # With the frames of the masks counted the oracle is wrong there.
    with_references = objects["oracle"]["reference frames too"]
    assert with_references["Mth_s"] == pytest.approx(100 * (17 + 2) / (17 + 6))
    assert objects["causal"]["reference frames too"]["Mth_s"] == pytest.approx(100 * 9 / (17 + 6))


def test_a_copy_is_right_where_the_mask_is_given(comparison):
    scores = comparison["copy"]
    everything, rest = scores.panoptic["all frames"], scores.panoptic["without reference frames"]
    assert rest["VPQ"] < everything["VPQ"] < 100 and rest["STQ"] < everything["STQ"] < 100
    by_rule = scores.objects["own ids"]
    assert by_rule["official"]["G"] < by_rule["reference frames too"]["G"] < 100
    assert 0 < by_rule["official"]["J&F"] < 60


def test_curves_and_costs_by_number_of_objects(comparison):
    for name in ("segments", "copy"):
        report = comparison[name]
        assert sum(report.cost.frames.values()) == 11 and set(report.cost.frames) == {"1-5"}
        (curve,) = list(report.crowd.values())[:1]
        # 4 + 3 labelled frames after the first with 3 objects, of which 2 + 1 also with the late.
        assert curve["1-5"][0] == 3 * 7 + 3


def test_tables_and_numbers(comparison):
    whole = comparison[""]
    text = format_comparison(whole)
    lines = text.splitlines()
    assert lines[0] == "heads_world: 2 videos, 11 frames; scores in percent, VPQ(1,2)"
    rows = [line.split() for line in lines]
    assert ["switches", "causal"] in [row[:2] for row in rows]
    assert ["follows", "(g)", "own", "ids", "100.0"] in [row[:5] for row in rows]
    assert "WARNING: they share videos" in lines
    assert any(line.startswith("oracle") or "upper bound" in line for line in lines)
    content = json.loads(json.dumps(whole.as_dict(), allow_nan=False))
    assert content["heads"][0]["name"] == "segments"
    assert content["heads"][0]["config"] == "segments.yaml"
    assert content["heads"][4]["cost"]["1-5"]["frames"] == 11
    assert content["heads"][2]["undefined"]["causal, official, Gu"].startswith("no object was")


def test_other_classes_have_no_panoptic_score(records, tmp_path):
    renamed = [Category(f"my {c.name}", c.isthing, c.color, c.dataset_id) for c in CATEGORIES]
    result = compare_heads(
        [head("other", "vps", SegmentsPerfectly(), renamed)],
        NAME,
        records[:1],
        tmp_path,
    )
    report = result.heads[0]
    assert report.panoptic == {} and report.objects["causal"]["official"]["G"] == 100
    note = "other: no VPQ, no STQ, since its classes are not those of heads_world"
    assert note in format_comparison(result)


def test_data_of_one_class_has_background_and_no_void(records, tmp_path):
    one = [Category("object", True, (1, 2, 3), 1)]
    MetadataCatalog.get("heads_of_one_class").set(categories=one)
    record = {
        **records[0],
        "segments_infos": [
            infos and [{**info, "category_id": 0, "isthing": True} for info in infos]
            for infos in records[0]["segments_infos"]
        ],
    }
    heads = [head("copy", "vos", CopyHead(), one)]
    result = compare_heads(heads, "heads_of_one_class", [record], tmp_path)
    (report,) = result.heads
    assert report.panoptic == {}
    assert list(report.objects["own ids"]) == ["official", "reference frames too"]
    assert "copy: no VPQ, no STQ" in format_comparison(result)


def test_two_heads_of_one_name(records, tmp_path):
    heads = [head("copy", "vos", CopyHead()), head("copy", "vos", CopyHead())]
    with pytest.raises(InputError, match="names of their own, got 'copy' twice"):
        compare_heads(heads, NAME, records[:1], tmp_path)
    with pytest.raises(InputError, match="expected videos of heads_world"):
        compare_heads(heads, NAME, [], tmp_path)


def test_a_head_that_loses_a_frame(records, tmp_path):
    class Loses(FollowsPerfectly):
        def segment_video(self, frames, *, references):
            yield from list(super().segment_video(frames, references=references))[:-1]

    with pytest.raises(InputError, match="expected 6 predicted frames for video video-0, got 5"):
        compare_heads([head("loses", "vos", Loses())], NAME, records[:1], tmp_path)


def test_things_keep_their_names():
    """The world of these tests is what its docstrings say."""
    assert {RED, GREEN, LATE} <= set(np.unique(labels_at(3)).tolist())
    assert panoptic("0", labels_at(0)).segments.keys() == {1, RED, GREEN}
