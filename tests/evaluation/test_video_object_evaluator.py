"""The evaluator of models that follow given masks: values, shared runs, files, processes."""

from __future__ import annotations

import json
import logging

import heads_world
import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from heads_world import GREEN, LATE, RED, labels_at, make_records, panoptic, truth_frames

from vps.d2.data import MetadataCatalog
from vps.d2.evaluation import inference_on_dataset
from vps.evaluation import SharedPassEvaluators, VideoObjectEvaluator, VideoPanopticEvaluator
from vps.evaluation.object_metrics import ObjectTruth, make_object_metric
from vps.metrics import VIPOSegSubsets
from vps.structures import Category, InputError

NAME = heads_world.register()
METRICS = ("viposeg", "davis", "youtube_vos")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return make_records(tmp_path_factory.mktemp("world"), (6, 5, 7))


def drift(record):
    """The truth with things one row too low; what comes late is found one frame late."""
    for t, frame_id in enumerate(record["image_ids"]):
        ids = labels_at(t)
        lower = np.roll(ids, 1, axis=0)
        lower[0] = ids[0]
        if t <= 3:
            lower[lower == LATE] = 1
        yield panoptic(frame_id, lower)


class Model(torch.nn.Module):
    runs = 0

    def forward(self, batch):
        Model.runs += len(batch)
        return [{"frames": drift(record)} for record in batch]


def run(evaluator, records):
    evaluator.reset()
    for record in records:
        evaluator.process([record], [{"frames": drift(record)}])
    return evaluator.evaluate()


def expected(records, name):
    """The metric itself, fed by hand."""
    metric = make_object_metric(name, NAME)
    for record in records:
        frames = [
            (truth.frame_id, truth.ids, frame.ids)
            for t, (truth, frame) in enumerate(zip(truth_frames(record), drift(record)))
            if record["labelled"][t]
        ]
        given = {1: [0], RED: [0], GREEN: [0], LATE: [2]}
        kinds = {1: 0, RED: 1, GREEN: 2, LATE: 1}
        metric.update(record["video_id"], frames, references=given, object_classes=kinds)
    return metric.compute()


def test_values_and_files(records, tmp_path):
    evaluator = VideoObjectEvaluator(NAME, metrics=METRICS, output_dir=tmp_path)
    results = inference_on_dataset(Model(), [[record] for record in records], evaluator)
    assert list(results) == list(METRICS)
    viposeg = expected(records, "viposeg")
    assert results["viposeg"]["G"] == 100 * viposeg.overall
    assert results["viposeg"]["Mth_s"] == 100 * viposeg.parts["thing_seen_miou"]
    assert results["viposeg"]["Bsf_s"] == 100 * viposeg.parts["stuff_seen_biou"]
    assert results["viposeg"]["lambda"] == viposeg.decay  # a rate
    assert "Gu" not in results["viposeg"]
    davis = expected(records, "davis").total
    assert results["davis"]["J&F"] == 100 * davis.jf_mean
    assert results["davis"]["F_Recall"] == 100 * davis.f_recall
    surrogate = expected(records, "youtube_vos")
    assert results["youtube_vos"] == {"J": 100 * surrogate.j, "F": 100 * surrogate.f}
    assert 20 < results["davis"]["J"] < results["davis"]["F"] < 100

    content = json.loads((tmp_path / "viposeg.json").read_text())
    assert content["percent"] == results["viposeg"] and content["num_videos"] == 3
    assert content["viposeg"]["thing_seen_miou"] == viposeg.parts["thing_seen_miou"]
    assert content["undefined"]["Gu"] == "no object was scored of thing_unseen, stuff_unseen"
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [f"{name}.{suffix}" for name in sorted(METRICS) for suffix in ("json", "txt")]


def test_one_run_serves_the_panoptic_evaluator_too(records):
    Model.runs = 0
    both = SharedPassEvaluators(
        [
            VideoPanopticEvaluator(NAME, windows=(1, 2)),
            VideoObjectEvaluator(NAME, metrics=METRICS),
        ]
    )
    results = inference_on_dataset(Model(), [[record] for record in records], both)
    assert Model.runs == len(records)
    assert list(results) == ["panoptic_video", *METRICS]
    alone = run(VideoPanopticEvaluator(NAME, windows=(1, 2)), records)
    assert results["panoptic_video"] == alone["panoptic_video"]
    assert results["davis"] == run(VideoObjectEvaluator(NAME, metrics=["davis"]), records)["davis"]


def test_objects_count_from_the_frame_after_their_mask(records):
    truth = ObjectTruth.of_record(records[2])
    assert truth.references == {1: [0], RED: [0], GREEN: [0], LATE: [2]}
    assert truth.followed(4) == [3, 3, 4, 4]
    sums = expected(records, "viposeg").per_object["video-2"]
    assert (sums[RED].frames, sums[LATE].frames) == (5, 3)  # of 7 frames one has no labels


def test_a_mask_in_a_frame_without_labels(records):
    record = dict(records[0])
    record["reference_file_names"] = [None] * 4 + [record["pan_seg_file_names"][0], None]
    with pytest.raises(InputError, match="frame 00004 of video video-0 gives the mask of object 1"):
        VideoObjectEvaluator(NAME).process([record], [{"frames": drift(record)}])


def test_later_references_are_counted_among_labelled_frames(records):
    record = dict(records[0])
    record["reference_file_names"] = [None] * 5 + [record["pan_seg_file_names"][5]]
    truth = ObjectTruth.of_record(record)
    assert set(map(tuple, truth.given.values())) == {(5,)}
    assert set(map(tuple, truth.references.values())) == {(4,)}


def test_errors_come_from_both_sides(records):
    short = list(drift(records[0]))[:-1]
    with pytest.raises(InputError, match="expected 6 predicted frames for video video-0, got 5"):
        VideoObjectEvaluator(NAME, metrics=METRICS).process([records[0]], [{"frames": iter(short)}])
    small = [panoptic(frame.frame_id, frame.ids[:-1]) for frame in short]
    with pytest.raises(InputError, match="frame 00000 of video video-0"):
        VideoObjectEvaluator(NAME, metrics=METRICS).process([records[0]], [{"frames": iter(small)}])
    evaluator = VideoObjectEvaluator(NAME)
    run(evaluator, records[:1])
    with pytest.raises(InputError, match="video-0 was already scored"):
        evaluator.process([records[0]], [{"frames": drift(records[0])}])


def test_a_video_without_labels(records, caplog):
    """A valid set whose ground truth is not public; its predictions may be written all the same."""
    given = [records[0]["pan_seg_file_names"][0], *[None] * 5]
    record = {**records[0], "labelled": [False] * 6, "reference_file_names": given}
    frames = drift(records[0])
    VideoObjectEvaluator(NAME).process([record], [{"frames": frames}])
    assert next(frames, None) is None  # it ran to the end
    assert "video-0 has no labelled frame and is not scored" in caplog.text


def test_a_video_without_objects(records, caplog):
    record = dict(records[0])
    record["reference_file_names"] = [None] * record["length"]
    evaluator = VideoObjectEvaluator(NAME, metrics=["davis"])
    evaluator.process([record], [{"frames": drift(record)}])
    assert "video-0 gives no object" in caplog.text
    with caplog.at_level(logging.INFO, logger="vps"):
        assert evaluator.evaluate() == {"davis": {}}
    assert "J&F: undefined, no object has a frame that is scored" in caplog.text


@pytest.mark.parametrize(
    ("kind", "extra", "check"),
    [
        ("viposeg", {}, lambda m: m.subsets == VIPOSegSubsets.of_benchmark()),
        ("viposeg", {"viposeg_subsets": VIPOSegSubsets({})}, lambda m: m.subsets.classes == {}),
        ("davis", {}, lambda m: m.year == 2017 and m.rules.objects == "up_to_largest"),
        ("davis", {"davis_year": 2016}, lambda m: m.year == 2016 and m.rules.void_label is None),
        ("youtube_vos", {}, lambda m: m.seen_classes is None),
    ],
)
def test_benchmarks_have_their_official_rules(kind, extra, check):
    name = f"benchmark_{kind}_{len(extra)}"
    metadata = MetadataCatalog.get(name)
    metadata.set(categories=[Category("object", True, (1, 2, 3), 1)], evaluator_type=kind, **extra)
    assert check(make_object_metric(kind, name))
    assert VideoObjectEvaluator(name).reset() is None


def test_seen_classes_are_those_of_the_training_set(tmp_path):
    objects = {"1": {"category": "dog", "frames": ["0"]}, "2": {"category": "cat", "frames": ["0"]}}
    meta = tmp_path / "meta.json"
    meta.write_text(json.dumps({"videos": {"a": {"objects": objects}}}))
    metadata = MetadataCatalog.get("benchmark_with_training")
    metadata.set(categories=heads_world.CATEGORIES, seen_classes_file=str(meta))
    metric = make_object_metric("youtube_vos", "benchmark_with_training")
    assert metric.seen_classes == {"dog", "cat"}


def test_an_unknown_metric():
    with pytest.raises(InputError, match="expected a metric of viposeg, davis, youtube_vos"):
        VideoObjectEvaluator(NAME, metrics=["mot"])


def evaluate_a_share(rank, world_size, records, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size
    )
    heads_world.register()
    evaluator = VideoObjectEvaluator(NAME, metrics=METRICS, output_dir=f"{folder}/two")
    results = run(evaluator, records[rank::world_size][::-1])
    assert (results is None) == (rank > 0)
    dist.barrier()
    dist.destroy_process_group()


def test_two_processes_give_the_same_digits(records, tmp_path):
    mp.start_processes(
        evaluate_a_share, args=(2, records, str(tmp_path)), nprocs=2, start_method="spawn"
    )
    run(VideoObjectEvaluator(NAME, metrics=METRICS, output_dir=tmp_path / "one"), records)
    for name in METRICS:
        one, two = ((tmp_path / folder / f"{name}.json").read_bytes() for folder in ("one", "two"))
        assert one == two
