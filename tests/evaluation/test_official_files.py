"""Readers of official files: what is accepted, and how predictions find their frames."""

from __future__ import annotations

import json
import shutil

import pytest
from official_world import (
    CATEGORIES,
    Files,
    assert_equals_naive,
    change,
    exchange,
    frame,
    frames_of,
    naive_read,
    repaint,
    two_videos,
    write_set,
)

from vps.evaluation.official import PANOPTIC_MODES, evaluate_panoptic
from vps.io.json_stream import Member, read_members
from vps.io.results import PanopticResultWriter
from vps.structures import InputError, PanopticFrame


def evaluate(files: Files, **options):
    return evaluate_panoptic("vipseg", **{**files.arguments(), "windows": (1, 2), **options})


@pytest.fixture
def nested(tmp_path):
    return write_set(tmp_path / "set", two_videos())


def assert_naive(evaluation, files, pair="position"):
    rules = PANOPTIC_MODES["vipseg"].rules
    assert_equals_naive(evaluation, *naive_read(files, pair=pair), (1, 2), rules)


def test_exchanged_entries_are_right_by_id(nested):
    files = nested
    want = evaluate(files).results["vpq"].as_dict()
    change(files.pred_json, lambda c: exchange(c["annotations"], 0, 1))
    change(files.pred_json, lambda c: exchange(frames_of(c, 1), 0, 2))
    evaluation = evaluate(files, pair="id")
    assert evaluation.results["vpq"].as_dict() == want
    assert_naive(evaluation, files, "id")


def test_names_are_not_needed(tmp_path):
    for layout in (True, False):
        files = write_set(tmp_path / str(layout), two_videos(), nested=layout, named=False)
        assert_naive(evaluate(files), files)


def test_either_layout_for_either_side(nested, tmp_path):
    """A nested truth with flat predictions in one folder: by position."""
    content = json.loads(nested.pred_json.read_text())
    entries = [frame for video in content["annotations"] for frame in video["annotations"]]
    nested.pred_json.write_text(json.dumps({"annotations": entries}))
    got = evaluate(nested).results["vpq"].as_dict()
    nested.pred_json.write_text(json.dumps(content))
    assert got == evaluate(nested).results["vpq"].as_dict()


def test_extra_predictions_can_be_allowed(nested):
    shutil.copytree(nested.pan_pred / "0_street", nested.pan_pred / "9_street")
    shutil.copy(frame(nested), frame(nested, name="00000099"))
    assert_naive(evaluate(nested, allow_extra=True), nested)
    extra = {"image_id": "00000099", "segments_info": []}
    change(nested.pred_json, lambda c: frames_of(c).append(extra))
    change(
        nested.pred_json, lambda c: c["annotations"].append({"video_id": "9", "annotations": []})
    )
    assert_naive(evaluate(nested, allow_extra=True, pair="id"), nested, "id")


def test_unlabelled_frames_may_be_predicted(nested):
    """Frames of the list of images without an annotation; by id only."""
    change(nested.gt_json, lambda c: frames_of(c).pop(1))
    evaluation = evaluate(nested, pair="id")
    assert evaluation.num_frames == {"0_street": 2, "1_street": 2}
    assert_naive(evaluation, nested, "id")


def test_lenient_scores_as_the_official_programs(nested):
    """A stated area of 9 where 25 pixels are: listed areas count, as officially."""
    change(nested.gt_json, lambda c: frames_of(c, 1)[1]["segments_info"][1].update(area=20))
    with pytest.raises(InputError, match="expected 20 pixels of segment 300"):
        evaluate(nested)
    evaluation = evaluate(nested, lenient=True)
    assert_naive(evaluation, nested)
    right = write_set(nested.root / "right", two_videos())
    assert evaluation.results["vpq"].all != evaluate(right).results["vpq"].all


def test_wrong_predicted_areas_are_recounted(nested):
    change(nested.pred_json, lambda c: frames_of(c)[1]["segments_info"][0].update(area=1))
    evaluation = evaluate(nested)
    assert_naive(evaluation, nested)
    assert evaluation.num_remarks == 1
    assert "pred.json states an area of 1 for segment 7 of" in evaluation.remarks[0]


def test_the_hash_is_that_of_the_content(nested, tmp_path):
    """It follows neither the place nor the date of the files, but every pixel and label."""
    first = evaluate(nested)
    copy = Files(tmp_path / "elsewhere", True)
    shutil.copytree(nested.root, copy.root)
    second = evaluate(copy)
    assert second.dataset_hash == first.dataset_hash
    assert second.predictions_hash == first.predictions_hash
    repaint(frame(copy), 0, 7)
    third = evaluate(copy)
    assert third.dataset_hash == first.dataset_hash
    assert third.predictions_hash != first.predictions_hash
    change(copy.gt_json, lambda c: c["categories"][0].update(isthing=1))
    assert evaluate(copy).dataset_hash != first.dataset_hash


@pytest.mark.parametrize("form", ["panoptic", "vipseg"])
def test_files_of_our_own_writer(nested, tmp_path, form):
    """What PanopticResultWriter writes, in both forms, also as ground truth."""
    writer = PanopticResultWriter(tmp_path / "results", CATEGORIES, form=form)
    for video_id, frames in (("1_street", two_videos()[1]), ("0_street", two_videos()[0])):
        with writer.video(video_id) as video:
            for t, one in enumerate(frames):
                video.write(PanopticFrame(f"{5 * t:08d}", one.pred, one.pred_segments))
    writer.finish(["1_street", "0_street"])  # not the order of the ground truth
    pair = "auto" if form == "panoptic" else "id"
    evaluation = evaluate(nested, pred=tmp_path / "results", pair=pair)
    assert evaluation.results["vpq"].as_dict() == evaluate(nested).results["vpq"].as_dict()
    if form == "panoptic":
        perfect = evaluate_panoptic("vipseg", tmp_path / "results", tmp_path / "results")
        assert perfect.results["vpq"].per_window[1].all.pq == 1.0


def test_panoptic_mode_takes_integer_ids(tmp_path):
    """COCO: ids are numbers, names of files something else."""
    files = write_set(tmp_path, two_videos(), nested=False)
    for path in (files.gt_json, files.pred_json):
        content = json.loads(path.read_text())
        for key in ("images", "annotations"):
            for number, entry in enumerate(content.get(key, [])):
                entry["image_id" if key == "annotations" else "id"] = 139 + number
        path.write_text(json.dumps(content))
    evaluation = evaluate_panoptic("panoptic", **files.arguments())
    assert list(evaluation.num_frames) == ["139", "140", "141", "142", "143"]
    assert 0.3 < evaluation.results["pq"].all.pq < 1


@pytest.mark.parametrize("chunk", [1, 2, 7, 100])
def test_json_in_small_pieces(tmp_path, monkeypatch, chunk):
    """The same members whatever the size of the pieces that are read."""
    content = {
        "first": -12.5e3,
        "empty": [],
        "list": [1, 23, 'te\u00dft \\ " }', {"a": [[], {}]}, None, True],
        "object": {"x": [1, 2]},
        "number": 1234567,
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    monkeypatch.setattr("vps.io.json_stream._CHUNK", chunk)
    want = []
    for key, value in content.items():
        want.append(Member(key, None, [] if isinstance(value, list) else value))
        if isinstance(value, list):
            want += [Member(key, index, element) for index, element in enumerate(value)]
    assert list(read_members(path)) == want


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1,\n "b": [1, 2,\n  x]}', "line 3, column 3"),
        ('{"a": 1,\n "b": 2} 3', "line 2, column 10"),
        ('{"a": 1\n "b": 2}', "line 2, column 2"),
        ('{"a": [1 2]}', "line 1, column 10"),
        ("{1: 2}", "line 1, column 2"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 1000])
def test_places_of_json_errors(tmp_path, monkeypatch, text, place, chunk):
    path = tmp_path / "a.json"
    path.write_text(text)
    monkeypatch.setattr("vps.io.json_stream._CHUNK", chunk)
    with pytest.raises(InputError, match=f"a.json, got an error in {place}: "):
        list(read_members(path))
