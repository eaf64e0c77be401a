"""Results in the official forms: what our writers leave is scored by the readers of the official
layouts as it is in process.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from evaluator_world import CATEGORIES as WORLD_CATEGORIES
from evaluator_world import SHAPE, make_records
from official_world import CATEGORIES, frame_names, two_videos, write_set
from PIL import Image
from random_objects import random_video

from vps.d2.data import DatasetCatalog, MetadataCatalog
from vps.evaluation import VideoPanopticEvaluator
from vps.evaluation.official import evaluate_objects, evaluate_panoptic
from vps.io import read_ground_truth
from vps.io.index_png import object_palette, write_index_png
from vps.io.results import RESULT_FORMS, frames_to_submit, open_result_writer
from vps.metrics import (
    DavisQuality,
    FrameTable,
    SegmentationTrackingQuality,
    VideoPanopticQuality,
    VideoTables,
    VIPOSegQuality,
    YouTubeVOSQuality,
)
from vps.structures import InputError, PanopticFrame, Segment

OBJECT = {number: Segment(0, True) for number in (1, 2, 7, 254)}


@pytest.mark.parametrize("form", ["vipseg", "cityscapes_vps", "viper"])
def test_panoptic_forms_score_as_in_process(tmp_path, form):
    nested = form == "vipseg"
    files = write_set(tmp_path / "set", two_videos(), nested=nested)
    writer = open_result_writer(form, tmp_path / "results", CATEGORIES)
    vpq = VideoPanopticQuality(CATEGORIES, (1, 2))
    stq = SegmentationTrackingQuality(CATEGORIES)
    videos = {}
    for number, frames in enumerate(two_videos()):
        name = f"{number}_street" if nested else f"{number:04d}"
        names = frame_names(number, len(frames), nested=nested)
        tables = []
        for frame_id, frame in zip(names, frames):
            truth = PanopticFrame(frame_id, frame.gt, frame.gt_segments)
            prediction = PanopticFrame(frame_id, frame.pred, frame.pred_segments)
            tables.append(FrameTable.from_frames(truth, prediction, video_id=name))
            videos.setdefault(name, []).append(prediction)
        for metric in (vpq, stq):
            metric.update(VideoTables.from_frames(name, tables))
    for name in reversed(videos):  # not the order of the ground truth
        with writer.video(name) as video:
            for frame in videos[name]:
                video.write(frame)
    path = writer.finish(list(videos))
    assert path.name == "pred.json"
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["pan_pred", "pred.json"]
    options = {"gt": files.gt, "gt_json": files.gt_json, "pred": tmp_path / "results"}
    mode = "vipseg" if nested else "cityscapes_vps"
    scored = evaluate_panoptic(mode, windows=(1, 2), **options)
    assert scored.results["vpq"].as_dict()["per_window"] == vpq.compute().as_dict()["per_window"]
    assert scored.results["stq"].as_dict() == stq.compute().as_dict()
    # The official programs look at the order alone: without names the score is the same.
    content = json.loads(path.read_text())
    entries = content["annotations"]
    for entry in (
        [frame for video in entries for frame in video["annotations"]] if nested else entries
    ):
        assert all(
            info["bbox"][2] * info["bbox"][3] >= info["area"] for info in entry["segments_info"]
        )
        del entry["image_id"], entry["file_name"]
    path.write_text(json.dumps({"annotations": entries}))
    nameless = evaluate_panoptic(mode, windows=(1, 2), **options)
    assert nameless.results["vpq"].as_dict() == scored.results["vpq"].as_dict()


def test_flat_form(tmp_path):
    ids = np.zeros((4, 6), np.int32)
    ids[1:3, 2:5] = 70_000
    frame = PanopticFrame("0005_0025_city_000000_000004", ids, {70_000: Segment(1, True, 0.5)})
    writer = open_result_writer("cityscapes_vps", tmp_path / "out", CATEGORIES)
    with writer.video("0005") as video:
        video.write(frame)
    assert writer.is_written("0005") and not writer.is_written("0010")
    writer.finish()
    content = json.loads((tmp_path / "out/pred.json").read_text())
    (annotation,) = content["annotations"]
    assert annotation["segments_info"] == [
        {"id": 70_000, "category_id": CATEGORIES[1].dataset_id, "iscrowd": 0, "area": 6,
         "score": 0.5, "bbox": [2, 1, 3, 2]}
    ]  # fmt: skip
    assert content["images"][0]["id"] == annotation["image_id"] == frame.frame_id
    assert (tmp_path / "out/pan_pred" / f"{frame.frame_id}.png").is_file()


def test_flat_form_refuses_names_that_two_videos_share(tmp_path):
    writer = open_result_writer("cityscapes_vps", tmp_path, CATEGORIES)
    for name in ("a", "b"):
        with writer.video(name) as video:
            video.write(PanopticFrame("00000", np.zeros((2, 2), np.int32), {}))
    with pytest.raises(InputError, match="got 00000 in the videos a and b"):
        writer.finish(["a", "b"])
    assert not (tmp_path / "pred.json").exists()


@pytest.mark.parametrize("form", RESULT_FORMS)
def test_an_error_leaves_no_trace_in_any_form(tmp_path, form):
    frame = PanopticFrame("0", np.ones((2, 2), np.int32), {1: Segment(0, True)})
    with (
        pytest.raises(RuntimeError),
        open_result_writer(form, tmp_path / "new/out", CATEGORIES).video("v") as video,
    ):
        video.write(frame)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    writer = open_result_writer(form, tmp_path / "out", CATEGORIES)
    with writer.video("v") as video:
        video.write(frame)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="at least one frame in video w"), writer.video("w"):
        pass
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(InputError, match=r"of 2 videos .* those of w are missing"):
        writer.finish(["v", "w"])


def test_only_the_wanted_frames_are_written(tmp_path):
    writer = open_result_writer("davis", tmp_path, ())
    with writer.video("v", frame_ids=["1", "3"]) as video:
        for t in range(5):
            video.write(PanopticFrame(str(t), np.zeros((2, 2), np.int32), {}))
    assert video.count == 2
    assert sorted(p.name for p in (tmp_path / "v").iterdir()) == ["1.png", "3.png"]


RECORD = {"image_ids": ["a", "b", "c"], "labelled": [True, False, True]}


@pytest.mark.parametrize(
    ("form", "record", "wanted"),
    [
        ("panoptic", RECORD, None),
        ("panoptic", {**RECORD, "output_frames": [True, False, False]}, None),
        ("vipseg", RECORD, ["a", "c"]),
        ("cityscapes_vps", {**RECORD, "labelled": [False] * 3}, None),
        ("cityscapes_vps", {**RECORD, "output_frames": [False, True, False]}, ["b"]),
        ("viposeg", RECORD, None),
        ("youtube_vos", {**RECORD, "output_frames": [True, True, False]}, ["a", "b"]),
    ],
)
def test_frames_to_submit(form, record, wanted):
    assert frames_to_submit(form, record) == wanted


def test_index_png_and_its_colours(tmp_path):
    labels = np.arange(256, dtype=np.int32).reshape(8, 32)
    write_index_png(tmp_path / "a.png", labels)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), labels)
    colors = np.frombuffer(object_palette(), np.uint8).reshape(256, 3).tolist()
    assert colors[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert colors[8] == [64, 0, 0] and colors[255] == [224, 224, 192]
    for bad in (labels - 1, labels + 1):
        with pytest.raises(ValueError, match=r"labels in 0\.\.255"):
            write_index_png(tmp_path / "b.png", bad)


@pytest.mark.parametrize("number", [255, 300])
def test_objects_beyond_a_palette_are_refused(tmp_path, number):
    frame = PanopticFrame("0", np.full((2, 2), number, np.int32), {number: Segment(0, True)})
    with (
        pytest.raises(InputError, match=rf"objects 1\.\.254 .*got object {number}"),
        open_result_writer("viposeg", tmp_path, ()).video("v") as video,
    ):
        video.write(frame)


def write_object_set(root: Path, folder: str, rng: np.random.Generator) -> dict[str, list]:
    """Ground truth of two videos with all objects given in the first frame; their frames."""
    videos = {}
    for name in ("left", "right"):
        frames = videos[name] = random_video(rng, list(OBJECT), num_frames=4)
        everything = frames[0][1]
        everything[0, : len(OBJECT)] = list(OBJECT)
        for frame_id, truth, _ in frames:
            write_index_png(root / folder / name / f"{frame_id}.png", truth)
    return videos


def write_objects(form: str, folder: Path, videos: dict[str, list]) -> None:
    writer = open_result_writer(form, folder, ())
    for name, frames in videos.items():
        with writer.video(name) as video:
            for frame_id, _, prediction in frames:
                video.write(PanopticFrame(frame_id, prediction.astype(np.int32), OBJECT))
    assert writer.finish(list(videos)) == folder


CLASSES = {number: place for place, number in enumerate(OBJECT)}
# form, folder of the ground truth, mode of evaluation, the metric, what it is told of a video
OBJECT_FORMS = [
    (
        "viposeg",
        "Annotations_gt",
        "viposeg",
        VIPOSegQuality,
        {"references": {number: [0] for number in OBJECT}, "object_classes": CLASSES},
    ),
    ("davis", "Annotations/480p", "davis2017", lambda: DavisQuality(2017), {}),
    ("youtube_vos", "Annotations", "youtube_vos", YouTubeVOSQuality, {}),
]


@pytest.mark.parametrize(("form", "folder", "mode", "make_metric", "told"), OBJECT_FORMS)
def test_object_forms_score_as_in_process(tmp_path, form, folder, mode, make_metric, told):
    videos = write_object_set(tmp_path / "gt", folder, np.random.default_rng(3))
    (tmp_path / "gt/ImageSets/2017").mkdir(parents=True)
    (tmp_path / "gt/ImageSets/2017/val.txt").write_text("left\nright\n")
    (tmp_path / "gt/obj_class.json").write_text(json.dumps(dict.fromkeys(videos, CLASSES)))
    perfect = {name: [(f, g, g) for f, g, _ in frames] for name, frames in videos.items()}
    results = []
    for number, answers in enumerate((perfect, videos)):
        metric = make_metric()
        for name, frames in answers.items():
            if form == "viposeg":
                first, truth, _ = frames[0]
                write_index_png(tmp_path / f"gt/Annotations/{name}/{first}.png", truth)
            metric.update(name, frames, **told)
        write_objects(form, tmp_path / f"{number}", answers)
        scored = evaluate_objects(mode, tmp_path / "gt", tmp_path / f"{number}")
        results.append(scored.results[mode].as_dict())
        assert results[-1] == metric.compute().as_dict()
    assert results[0] != results[1]


def test_evaluator_writes_a_submission(tmp_path):
    """Labelled frames only, in the order of the data set, whatever the order of the scoring."""
    records = make_records(tmp_path, [5, 4])[::-1]
    name = "result_forms_world"
    if name not in DatasetCatalog:
        DatasetCatalog.register(name, lambda: records)
        MetadataCatalog.get(name).set(categories=WORLD_CATEGORIES)
    evaluator = VideoPanopticEvaluator(
        name, output_dir=tmp_path / "out", save_results=True, result_form="vipseg"
    )
    try:
        evaluator.reset()
        for record in sorted(records, key=lambda record: record["video_id"]):
            evaluator.process([record], [{"frames": guesses(record)}])
        evaluator.evaluate()
    finally:
        DatasetCatalog.remove(name)
    content = json.loads((tmp_path / "out/results/pred.json").read_text())
    assert [video["video_id"] for video in content["annotations"]] == ["video-1", "video-0"]
    for record, video in zip(records, content["annotations"]):
        frames = [frame["image_id"] for frame in video["annotations"]]
        assert frames == frames_to_submit("vipseg", record) and len(frames) < record["length"]


def guesses(record):
    for t, frame_id in enumerate(record["image_ids"]):
        if record["labelled"][t]:
            truth = read_ground_truth(record, t)
            yield PanopticFrame(frame_id, truth.ids, truth.segments)
        else:
            yield PanopticFrame(frame_id, np.zeros(SHAPE, np.int32), {})


def test_unknown_form_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a form of panoptic, vipseg, .* got 'coco'"):
        open_result_writer("coco", tmp_path, ())
