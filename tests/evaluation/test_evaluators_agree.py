"""The evaluator of running models and the one of files give the same digits, on shapes in the
official layouts of VIPOSeg, DAVIS and YouTube-VOS.
"""

from __future__ import annotations

import pytest

from vps.d2.data import MetadataCatalog
from vps.data import load_dataset
from vps.data.datasets.davis import register_davis
from vps.data.datasets.viposeg import register_viposeg
from vps.data.datasets.youtube_vos import register_youtube_vos
from vps.data.shapes_world.layouts import default_splits, write_layout
from vps.evaluation import VideoObjectEvaluator
from vps.evaluation.heads import CopyHead, Head, compare_heads
from vps.evaluation.object_scores import flat_scores
from vps.evaluation.official.objects import evaluate_objects
from vps.io import record_references
from vps.io.results import frames_to_submit, open_result_writer
from vps.io.streams import open_stream


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """A function that gives the folder of a layout, written once."""
    made = {}

    def write(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp("layouts") / name
            splits = default_splits(
                name,
                videos=1,
                frames=4,
                val_videos=2,
                val_frames=5,
                height=48,
                width=64,
                things=(2, 3),
            )
            write_layout(made[name], name, splits)
        return made[name]

    return write


def copies(record):
    """The masks given so far, in every frame."""
    with open_stream(record) as stream:
        yield from CopyHead().segment_video(stream, references=record_references(record))


@pytest.mark.parametrize(
    ("name", "register", "options", "split", "form", "mode", "truth"),
    [
        ("viposeg", register_viposeg, {}, "val", "viposeg", "viposeg", "valid"),
        ("davis", register_davis, {"year": 2017}, "val", "davis", "davis2017", "."),
        ("davis", register_davis, {"year": 2016}, "val", "davis", "davis2016", "."),
        # The masks of all frames of valid are not public; train has them.
        ("ytvos", register_youtube_vos, {}, "train", "youtube_vos", "youtube_vos", "train"),
    ],
)
def test_running_and_written(layout, tmp_path, name, register, options, split, form, mode, truth):
    root = layout(name)
    dataset = f"agree_{mode}"
    register(root, name=dataset, **options)
    records = load_dataset(f"{dataset}_{split}")
    evaluator = VideoObjectEvaluator(f"{dataset}_{split}")
    writer = open_result_writer(
        form, tmp_path, MetadataCatalog.get(f"{dataset}_{split}").categories
    )
    for record in records:
        evaluator.process([record], [{"frames": copies(record)}])
        wanted = frames_to_submit(form, record)
        with writer.video(record["video_id"], frame_ids=wanted) as results:
            for frame in copies(record):
                results.write(frame)
    (running,) = evaluator.evaluate().values()
    more = {"train_meta": root / "train" / "meta.json"} if mode == "youtube_vos" else {}
    written, _ = flat_scores(evaluate_objects(mode, root / truth, tmp_path, **more).results[mode])
    assert running == written
    assert max(running.values()) > 0 and len(running) >= 4


def test_a_comparison_has_the_same_score(layout, tmp_path):
    register_viposeg(layout("viposeg"), name="agree_heads")
    records = load_dataset("agree_heads_val")
    evaluator = VideoObjectEvaluator("agree_heads_val")
    for record in records:
        evaluator.process([record], [{"frames": copies(record)}])
    alone = evaluator.evaluate()["viposeg"]
    categories = MetadataCatalog.get("agree_heads_val").categories
    heads = [Head("copy", "vos", CopyHead(), categories)]
    report = compare_heads(heads, "agree_heads_val", records, tmp_path).heads[0]
    compared = report.objects["own ids"]["official"]
    assert {name: compared[name] for name in alone} == alone
    assert "STQ" in report.panoptic["all frames"]
