"""The in-process evaluator: values, one pass over the frames, errors, files, several processes."""

from __future__ import annotations

import json
import logging
import math
import weakref

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from evaluator_world import CATEGORIES, make_records, predict, register

from vps.d2.evaluation import inference_on_dataset
from vps.evaluation import VideoPanopticEvaluator
from vps.io import read_ground_truth
from vps.metrics import (
    FrameTable,
    PanopticQuality,
    SegmentationTrackingQuality,
    VideoPanopticQuality,
    VideoTables,
)
from vps.structures import InputError, PanopticFrame, Segment

NAME = register("evaluator_world")
LENGTHS = [5, 7, 1, 4, 6]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return make_records(tmp_path_factory.mktemp("world"), LENGTHS)


class Model(torch.nn.Module):
    def forward(self, batch):
        assert not self.training and not torch.is_grad_enabled()
        return [{"frames": predict(record)} for record in batch]


def run(evaluator, records):
    evaluator.reset()
    for record in records:
        evaluator.process([record], [{"frames": predict(record)}])
    return evaluator.evaluate()


def test_values_and_files(records, tmp_path):
    evaluator = VideoPanopticEvaluator(NAME, windows=(1, 2, 4), output_dir=tmp_path / "scores")
    results = inference_on_dataset(Model(), [[record] for record in records], evaluator)
    assert list(results) == ["panoptic_video"]
    percent = results["panoptic_video"]
    assert all(type(value) is float and math.isfinite(value) for value in percent.values())

    vpq, pq = VideoPanopticQuality(CATEGORIES, (1, 2, 4)), PanopticQuality(CATEGORIES)
    stq = SegmentationTrackingQuality(CATEGORIES)
    for record in records:
        tables = [
            FrameTable.from_frames(read_ground_truth(record, t), frame)
            for t, frame in enumerate(predict(record))
            if record["labelled"][t]
        ]
        for metric in (vpq, pq, stq):
            metric.update(VideoTables.from_frames(record["video_id"], tables))
    vpq, pq, stq = vpq.compute(), pq.compute(), stq.compute()
    expected = {
        "VPQ": vpq.all,
        "VPQ_th": vpq.things,
        "VPQ_st": vpq.stuff,
        "VPQ1": vpq.per_window[1].all.pq,
        "VPQ2": vpq.per_window[2].all.pq,
        "VPQ4": vpq.per_window[4].all.pq,
        **{
            f"{key.upper()}{suffix}": getattr(getattr(pq, group), key)
            for group, suffix in (("all", ""), ("things", "_th"), ("stuff", "_st"))
            for key in ("pq", "sq", "rq")
        },
        "STQ": stq.total.stq,
        "AQ": stq.total.aq,
        "SQ_stq": stq.total.sq,
        "mIoU": stq.semantic.miou,
        **{f"VPQ-{c.name}": vpq.per_class[i] for i, c in enumerate(CATEGORIES)},
    }
    assert percent == {name: 100 * value for name, value in expected.items()}
    assert 50 < percent["VPQ"] < 100 and percent["VPQ"] != percent["PQ"]

    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert scores["percent"] == percent and scores["dataset"] == NAME
    assert scores["VPQ(1,2,4)"]["all"] == vpq.all and scores["STQ"]["AQ"] == stq.total.aq
    assert scores["VPQ(1,2,4)"]["per_window"]["2"]["per_class"][0]["tp"] > 0
    assert set(scores["VPQ(1,2,4)"]["per_video"]) == {record["video_id"] for record in records}
    labelled = sum(sum(record["labelled"]) for record in records)
    assert scores["num_labelled_frames"] == labelled == sum(LENGTHS) - 4
    assert scores["code_version"]
    names = sorted(path.name for path in (tmp_path / "scores").iterdir())
    assert names == ["scores.json", "scores.txt"]


def test_undefined_values_are_left_out_and_logged(records, caplog):
    with caplog.at_level(logging.INFO, logger="vps"):
        results = run(VideoPanopticEvaluator(NAME, windows=(2, 40)), records)["panoptic_video"]
    assert "VPQ" not in results and "VPQ40" not in results
    assert {"VPQ2", "PQ", "STQ"} <= results.keys()
    assert "VPQ is undefined on evaluator_world: window 40: no video has 40" in caplog.text
    assert "VPQ(2,40)" in caplog.text  # the printed mean names its windows


def test_nothing_to_score(records, caplog):
    evaluator = VideoPanopticEvaluator(NAME)
    assert run(evaluator, []) == {"panoptic_video": {}}
    blind = {**records[0], "labelled": [False] * LENGTHS[0]}
    frames = [
        PanopticFrame(name, np.zeros((6, 8), np.int32), {}) for name in records[0]["image_ids"]
    ]
    evaluator.process([blind], [{"frames": iter(frames)}])
    assert "video-0 has no labelled frame" in caplog.text


def test_frames_are_read_once_and_let_go(records):
    alive, most = weakref.WeakSet(), 0

    class Watched(PanopticFrame):
        __hash__ = object.__hash__

    def watched():
        nonlocal most
        for frame in predict(records[1]):
            frame = Watched(frame.frame_id, frame.ids, frame.segments)
            alive.add(frame)
            most = max(most, len(alive))
            yield frame
            del frame

    evaluator = VideoPanopticEvaluator(NAME)
    evaluator.process([records[1]], [{"frames": watched()}])
    assert 1 <= most <= 2  # the one just made and the one before it
    with pytest.raises(InputError, match="got 0; was the iterator of frames read by another"):
        evaluator.process([records[0]], [{"frames": iter(())}])


def broken(record, kind):
    frames = list(predict(record))
    second = frames[1]
    if kind == "missing":
        del frames[-1]
    elif kind == "too many":
        frames.append(second)
    elif kind == "order":
        frames[0], frames[1] = frames[1], frames[0]
    elif kind == "size":
        frames[1] = PanopticFrame(second.frame_id, second.ids[:, :-1].copy(), second.segments)
    elif kind == "unlisted":
        frames[1] = PanopticFrame(second.frame_id, second.ids * 0 + 77, {})
    elif kind == "category":
        ids = np.ones_like(second.ids)
        frames[1] = PanopticFrame(second.frame_id, ids, {1: Segment(4, True)})
    return iter(frames)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "expected 5 predicted frames for video video-0, got 4"),
        ("too many", "expected 5 predicted frames for video video-0, got more"),
        ("order", "frame 00000 of video video-0 at position 0, got one for frame 00001"),
        ("size", "expected a prediction of 6x8 pixels .* got 6x7 in frame 00001 of video video-0"),
        ("unlisted", "prediction of frame 00001 of video video-0 paints segment ids 77 "),
        ("category", "in 0..3, got category 4 for segment 1 in the prediction of frame 00001"),
    ],
)
def test_bad_predictions(records, kind, message):
    evaluator = VideoPanopticEvaluator(NAME)
    with pytest.raises(InputError, match=message):
        evaluator.process([records[0]], [{"frames": broken(records[0], kind)}])


def test_ground_truth_of_another_size(records):
    record = {**records[0], "height": 7}
    with pytest.raises(InputError, match=r"expected a panoptic PNG of 7x8.*00000\.png"):
        VideoPanopticEvaluator(NAME).process([record], [{"frames": predict(record)}])


def test_saved_results(records, tmp_path):
    from vps.io.results import read_results

    with pytest.raises(InputError, match="output_dir"):
        VideoPanopticEvaluator(NAME, save_results=True)
    evaluator = VideoPanopticEvaluator(NAME, output_dir=tmp_path, save_results=True)
    first = run(evaluator, records)
    assert run(evaluator, records) == first  # a second round writes over the first
    saved = read_results(tmp_path / "results").videos
    assert set(saved) == {record["video_id"] for record in records}
    for record in records:
        for frame, written in zip(predict(record), saved[record["video_id"]], strict=True):
            np.testing.assert_array_equal(frame.ids, written.ids)
            assert frame.segments.keys() == written.segments.keys()


def evaluate_a_share(rank, world_size, records, folder):
    """One process of several: every second video, in its own order."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size
    )
    register(NAME)
    evaluator = VideoPanopticEvaluator(
        NAME, windows=(1, 2, 4), output_dir=f"{folder}/two", save_results=True
    )
    results = run(evaluator, records[rank::world_size][::-1])
    assert (results is None) == (rank > 0)
    alone = VideoPanopticEvaluator(NAME, windows=(1, 2, 4), distributed=False)
    assert run(alone, records[rank::world_size]) is not None
    dist.barrier()
    dist.destroy_process_group()


def test_two_processes_give_the_same_digits(records, tmp_path):
    mp.start_processes(
        evaluate_a_share, args=(2, records, str(tmp_path)), nprocs=2, start_method="spawn"
    )
    evaluator = VideoPanopticEvaluator(
        NAME, windows=(1, 2, 4), output_dir=tmp_path / "one", save_results=True
    )
    run(evaluator, records)
    for name in ("scores.json", "results/panoptic.json"):
        one, two = ((tmp_path / folder / name).read_bytes() for folder in ("one", "two"))
        assert one == two
