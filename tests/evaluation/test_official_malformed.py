"""Malformed panoptic files: one sentence each, with file and id, and never a score."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from official_damage import PRED, TRUTH, edit, entry, repeat_segment, segment, take_list, text
from official_world import (
    Files,
    change,
    cut,
    exchange,
    flip_byte,
    frame,
    frames_of,
    repaint,
    two_videos,
    write_ids,
    write_set,
)
from PIL import Image

from vps.evaluation.official import evaluate_panoptic
from vps.structures import InputError

IN_FRAME = "frame 00000005 of video 0_street"
AT_SEGMENT = r"segments_info\[0\]"
PNG = r"0_street/00000005\.png"

# (remark, damage, sentence)
PICTURES = [
    (
        "missing",
        lambda f: frame(f).unlink(),
        rf"the prediction of {IN_FRAME} is missing: expected .*pan_pred/{PNG}",
    ),
    (
        "truth missing",
        lambda f: frame(f, TRUTH).unlink(),
        rf"the ground truth of {IN_FRAME} is missing: expected .*gt/{PNG}",
    ),
    (
        "extra",
        lambda f: shutil.copy(frame(f), frame(f, name="00000099")),
        r"no frame of .*gt\.json belongs to the prediction .*pan_pred/0_street/00000099\.png",
    ),
    (
        "extra video",
        lambda f: shutil.copytree(f.pan_pred / "0_street", f.pan_pred / "9_street"),
        r"no frame of .*gt\.json belongs to the prediction .*pan_pred/9_street/00000000\.png",
    ),
    ("truncated", lambda f: cut(frame(f), 60), rf"the PNG .*{PNG} is truncated: .* 60 bytes"),
    ("truth truncated", lambda f: cut(frame(f, TRUTH), 60), rf"the PNG .*gt/{PNG} is truncated"),
    ("empty", lambda f: cut(frame(f), 0), rf"expected a PNG in .*{PNG}, got an empty file"),
    ("damaged", lambda f: flip_byte(frame(f), 50), rf"the PNG .*{PNG} is damaged: .*b'IDAT'"),
    ("text", lambda f: frame(f).write_text("nothing"), rf"a PNG in .*{PNG}, got 7 bytes of some"),
    (
        "JPEG",
        lambda f: Image.new("RGB", (8, 6)).save(frame(f), "JPEG"),
        rf"expected a PNG in .*{PNG}, got \d+ bytes",
    ),
    (
        "palette",
        lambda f: Image.new("P", (8, 6)).save(frame(f)),
        rf"expected an 8-bit RGB panoptic PNG .* got \d-bit palette in .*{PNG}",
    ),
    (
        "wrong size",
        lambda f: write_ids(frame(f), np.zeros((6, 9), np.int32)),
        rf"expected a prediction of 6x8 .*got 6x9 in .*pan_pred/{PNG}",
    ),
    (
        "truth of wrong size",
        lambda f: write_ids(frame(f, TRUTH), np.zeros((6, 9), np.int32)),
        rf"expected a ground truth of 6x8 .*gt\.json says.*got 6x9 in .*gt/{PNG}",
    ),
    (
        "painted, not listed",
        lambda f: repaint(frame(f), 300, 301),
        rf"prediction of {IN_FRAME} paints segment ids 301 .*PNG .*{PNG}, list .*pred\.json",
    ),
    (
        "listed, not painted",
        lambda f: repaint(frame(f), 300, 7),
        rf"prediction of {IN_FRAME} lists segment ids 300 .*list .*pred\.json",
    ),
    (
        "truth painted, not listed",
        lambda f: repaint(frame(f, TRUTH), 300, 301),
        rf"ground truth of {IN_FRAME} paints segment ids 301 .*list .*gt\.json",
    ),
    (
        "truth listed, not painted",
        lambda f: repaint(frame(f, TRUTH), 300, 7),
        rf"ground truth of {IN_FRAME} lists segment ids 300",
    ),
]

SEGMENTS = [
    (
        "area lies",
        segment(TRUTH, area=9),
        rf"expected 9 pixels of segment 7 in .*gt/{PNG}, .*gt\.json states, got 25; --lenient",
    ),
    (
        "unknown category",
        segment(PRED, 2, category_id=99),
        rf"category_id 99 of segment 70000 in {IN_FRAME} in .*pred\.json is none of the 5",
    ),
    (
        "unknown category of the truth",
        segment(TRUTH, 2, category_id=99),
        rf"category_id 99 of segment 70000 in {IN_FRAME} in .*gt\.json is none of the 5",
    ),
    ("id twice", edit(PRED, repeat_segment), rf"prediction of {IN_FRAME} lists .* ids 7 twice"),
    (
        "id twice in the truth",
        edit(TRUTH, repeat_segment),
        rf"ground truth of {IN_FRAME} lists segment ids 7 twice",
    ),
    (
        "id 0",
        segment(PRED, id=0),
        r"an integer in 1\.\.16777215 in .*pred\.json at annotations\[0\] \(video 0_street\)\."
        rf"annotations\[1\] \(image 00000005\)\.{AT_SEGMENT}\.id, got 0",
    ),
    ("id too large", segment(PRED, id=1 << 24), rf"{AT_SEGMENT}\.id, got 16777216"),
    ("id negative", segment(PRED, id=-7), rf"{AT_SEGMENT}\.id, got -7"),
    ("id text", segment(PRED, id="7"), rf"a number in .*00000005\)\.{AT_SEGMENT}\.id, got a text"),
    ("id fraction", segment(PRED, id=7.5), rf"an integer in .*{AT_SEGMENT}\.id, got 7\.5"),
    ("id true", segment(PRED, id=True), r"an integer in .*id, got true or false"),
    ("id a list", segment(PRED, id=[7]), r"a number in .*id, got a list"),
    ("area NaN", segment(TRUTH, area=float("nan")), r"integer in .*gt\.json at .*area, got nan"),
    ("area infinite", segment(TRUTH, area=float("inf")), r"integer in .*area, got inf"),
    ("crowd 2", segment(TRUTH, iscrowd=2), r"an integer in 0\.\.1 in .*iscrowd, got 2"),
    (
        "no category",
        segment(PRED, category_id=None),
        r"expected the field 'category_id' in .*pred\.json at .*image 00000005",
    ),
    (
        "no segments_info",
        entry(PRED, segments_info=None),
        r"expected the field 'segments_info' in .*pred\.json at .*image 00000005",
    ),
    (
        "no id",
        segment(TRUTH, id=None),
        r"expected the field 'id' in .*gt\.json at .*image 00000005",
    ),
]

FILES = [
    ("zero bytes", text(PRED, ""), r"expected JSON in .*pred\.json, got an empty file"),
    ("white truth", text(TRUTH, " \n"), r"expected JSON in .*gt\.json, got an empty file"),
    (
        "missing",
        lambda f: f.pred_json.unlink(),
        r"expected predictions with one of pred\.json, .* in .*pred, got none",
    ),
    (
        "cut",
        lambda f: cut(f.pred_json, 300),
        r"expected JSON in .*pred\.json, got an error in line 1, column .*cut short",
    ),
    ("a list", take_list, r"expected a JSON object .* in .*pred\.json, got a list"),
    ("a number", text(PRED, "5"), r"expected a JSON object .*pred\.json, got something else"),
    (
        "another object",
        text(PRED, '{"a": [1]}'),
        r"a panoptic JSON with the lists annotations and categories in .*pred\.json, got neither",
    ),
    (
        "annotations are an object",
        text(PRED, '{"annotations": {"a": 1}}'),
        r"expected a list as annotations in .*pred\.json, got an object",
    ),
    (
        "a list twice",
        text(PRED, '{"annotations": [], "annotations": []}'),
        r"expected one list annotations in .*pred\.json, got a second",
    ),
    (
        "detections",
        text(PRED, '{"annotations": [{"bbox": [1, 2, 3, 4], "score": 1}]}'),
        r"the field 'segments_info' in .*pred\.json at annotations\[0\], got 'bbox', 'score'",
    ),
    (
        "Latin-1",
        text(PRED, b'{"annotations": "\xe9"}'),
        r"expected JSON text in UTF-8 in .*pred\.json",
    ),
    ("deep", text(PRED, '{"annotations": ' + "[" * 100_000), r"in .*pred\.json"),
    ("digits", text(PRED, '{"annotations": [' + "1" * 5000 + "]}"), r"in .*pred\.json"),
    (
        "no categories",
        edit(TRUTH, lambda c: c.pop("categories")),
        r"expected categories in the ground truth .*gt\.json",
    ),
    (
        "category twice",
        edit(TRUTH, lambda c: c["categories"].append(c["categories"][0])),
        r"expected every category id once in .*gt\.json, got 7 twice",
    ),
    (
        "isthing 2",
        edit(TRUTH, lambda c: c["categories"][0].update(isthing=2)),
        r"expected 0 or 1 in .*gt\.json at categories\[0\], got isthing 2",
    ),
    (
        "nothing annotated",
        edit(TRUTH, lambda c: c.update(annotations=[])),
        r"expected annotated frames in the ground truth .*gt\.json",
    ),
    (
        "name outside",
        entry(TRUTH, file_name="../x.png"),
        r"a name inside the data set's folder in .*gt\.json at .*file_name, got '\.\./x\.png'",
    ),
    (
        "name with a zero byte",
        entry(TRUTH, file_name="a\0.png"),
        r"expected a name inside the data set's folder in .*gt\.json",
    ),
    (
        "half a surrogate pair",
        entry(TRUTH, file_name="\ud800"),
        r"a name in .*gt\.json at .*file_name, got text that no file name can have",
    ),
]

ENTRIES = [
    (
        "missing video",
        edit(PRED, lambda c: c["annotations"].pop()),
        r"expected 2 videos, got 1 \(video 1_street is the first that lacks\) in .*pred\.json",
    ),
    (
        "videos exchanged",
        edit(PRED, lambda c: exchange(c["annotations"], 0, 1)),
        r"expected video 0_street at position 0, got 1_street in .*pred\.json; .*--pair id",
    ),
    (
        "frames exchanged",
        edit(PRED, lambda c: exchange(frames_of(c), 0, 1)),
        r"expected frame 00000000 of video 0_street at position 0, got 00000005 in .*--pair id",
    ),
    (
        "missing frame",
        edit(PRED, lambda c: frames_of(c).pop()),
        r"expected predictions of 3 frames for video 0_street, got 2 in .*pred\.json",
    ),
    (
        "other image id",
        entry(PRED, 2, image_id="00000011"),
        r"frame 00000010 of video 0_street at position 2, got 00000011 in .*pred\.json",
    ),
    (
        "other file name",
        entry(PRED, 2, file_name="00000011.jpg"),
        r"frame 00000010 of video 0_street at position 2, got 00000011\.jpg in .*pred\.json",
    ),
    (
        "image annotated twice",
        edit(TRUTH, lambda c: frames_of(c).append(frames_of(c)[0])),
        r"image 00000000 is annotated twice in .*gt\.json",
    ),
    (
        "video twice",
        edit(TRUTH, lambda c: c["annotations"].append(c["annotations"][0])),
        r"video 0_street stands twice in .*gt\.json",
    ),
    (
        "image unknown to the list",
        edit(TRUTH, lambda c: c["videos"][0]["images"].pop()),
        r"image 00000010 is annotated in .*gt\.json, but its list of images lacks it",
    ),
]


@pytest.fixture
def nested(tmp_path):
    return write_set(tmp_path / "set", two_videos())


@pytest.fixture
def flat(tmp_path):
    return write_set(tmp_path / "set", two_videos(), nested=False)


def assert_sentence(files: Files, sentence: str, **options) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        evaluate_panoptic("vipseg", **files.arguments(), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("remark", "damage", "sentence"),
    [*PICTURES, *SEGMENTS, *FILES, *ENTRIES],
    ids=[row[0] for row in [*PICTURES, *SEGMENTS, *FILES, *ENTRIES]],
)
def test_malformed(nested, remark, damage, sentence):
    damage(nested)
    assert_sentence(nested, sentence)


BY_ID = [
    (
        "missing video",
        lambda c: c["annotations"].pop(),
        r"expected a prediction of video 1_street in .*pred\.json, got none",
    ),
    (
        "missing frame",
        lambda c: frames_of(c).pop(),
        r"a prediction of frame 00000010 of video 0_street in .*pred\.json, got none",
    ),
    (
        "extra frame",
        lambda c: frames_of(c).append({"image_id": "00000099", "segments_info": []}),
        r"image 00000099 of video 0_street is predicted in .*pred\.json, but not known to .*gt",
    ),
    (
        "frame twice",
        lambda c: frames_of(c).append(frames_of(c)[0]),
        r"image 00000000 of video 0_street stands twice in .*pred\.json",
    ),
    (
        "no name",
        lambda c: [frames_of(c)[0].pop(key) for key in ("image_id", "file_name")],
        r"a video_id and an image_id for every frame in .*pred\.json, got none; --pair position",
    ),
]


@pytest.mark.parametrize(("remark", "work", "sentence"), BY_ID, ids=[row[0] for row in BY_ID])
def test_malformed_by_id(nested, remark, work, sentence):
    change(nested.pred_json, work)
    assert_sentence(nested, sentence, pair="id")


FLAT = [
    (
        "missing frame",
        PRED,
        lambda c: c["annotations"].pop(),
        r"expected predictions of 5 frames, as in .*gt\.json, got 4 in .*pred\.json",
    ),
    (
        "exchanged",
        PRED,
        lambda c: exchange(c["annotations"], 2, 3),
        r"frame 0000_0002_town of video 0000 at position 2, got 0001_0000_town in .*pred\.json",
    ),
    (
        "mixed with videos",
        PRED,
        lambda c: c["annotations"].append({"video_id": "x", "annotations": []}),
        r"either the one or the other in .*pred\.json at annotations\[5\], got videos and single",
    ),
    (
        "truth not in order",
        TRUTH,
        lambda c: exchange(c["annotations"], 1, 2),
        r"images of video 0000 in the order .*gt\.json, got 0000_0001_town after 0000_0002_town",
    ),
]


@pytest.mark.parametrize(("remark", "side", "work", "sentence"), FLAT, ids=[row[0] for row in FLAT])
def test_malformed_flat(flat, remark, side, work, sentence):
    edit(side, work)(flat)
    assert_sentence(flat, sentence)
