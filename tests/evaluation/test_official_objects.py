"""Folders of palette PNGs: one sentence with the file for everything that is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from official_world import cut
from PIL import Image

from vps.evaluation.official import evaluate_objects
from vps.structures import InputError


def object_set(root: Path) -> None:
    """A VIPOSeg set of two videos of three frames."""
    for video in ("a", "b"):
        for folder in ("valid/Annotations_gt", "result"):
            for t in range(3):
                labels = np.zeros((6, 8), np.uint8)
                labels[1:4, t : t + 4] = 1
                path = root / folder / video / f"{t:05d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                image = Image.fromarray(labels, mode="P")
                image.putpalette([0, 0, 0, 255, 0, 0])
                image.save(path)
        (root / "valid/Annotations" / video).mkdir(parents=True)
        shutil.copy(
            root / f"valid/Annotations_gt/{video}/00000.png", root / "valid/Annotations" / video
        )
    (root / "valid/obj_class.json").write_text('{"a": {"1": "60"}, "b": {"1": 28}}')


def classes(content):
    """Damage: another obj_class.json."""
    return lambda root: (root / "valid/obj_class.json").write_text(content)


def picture(mode, size=(8, 6)):
    """Damage: another picture as a prediction."""
    return lambda root: Image.new(mode, size).save(root / "result/a/00001.png")


PNG = r"result/a/00001\.png"

# (remark, damage, sentence)
OBJECTS = [
    (
        "missing frame",
        lambda root: (root / "result/a/00001.png").unlink(),
        rf"prediction of frame 00001 of video a is missing: expected .*{PNG}",
    ),
    (
        "missing video",
        lambda root: shutil.rmtree(root / "result/b"),
        r"expected predictions of video b in .*result/b, got none",
    ),
    (
        "extra frame",
        lambda root: shutil.copy(root / "result/a/00001.png", root / "result/a/00009.png"),
        r"video a has no frame for the prediction .*result/a/00009\.png .*--allow-extra",
    ),
    (
        "extra video",
        lambda root: shutil.copytree(root / "result/a", root / "result/c"),
        r"knows no video c, for which .*result/c has predictions",
    ),
    ("truncated", lambda root: cut(root / "result/a/00001.png", 70), rf"{PNG} is truncated"),
    ("RGB", picture("RGB"), rf"expected a palette PNG .*got 8-bit RGB in .*{PNG}"),
    ("wrong size", picture("P", (8, 7)), rf"a prediction of 6x8 .*got 7x8 in .*{PNG}"),
    (
        "no classes",
        lambda root: (root / "valid/obj_class.json").unlink(),
        r"cannot read .*obj_class\.json",
    ),
    ("video unknown", classes('{"a": {"1": 60}}'), r"video b is missing in .*obj_class\.json"),
    (
        "object without class",
        classes('{"a": {"2": 60}, "b": {"1": 6}}'),
        r"video a give masks of objects \[1\], for which",
    ),
    (
        "class is no number",
        classes('{"a": {"1": "dog"}, "b": {}}'),
        r"expected a number in .*obj_class\.json at a\.1, got 'dog'",
    ),
    ("a list", classes("[1]"), r"expected an object in .*obj_class\.json, got list"),
    (
        "no references",
        lambda root: shutil.rmtree(root / "valid/Annotations/a"),
        r"expected PNGs with reference masks in .*Annotations/a",
    ),
    (
        "reference of no frame",
        lambda root: shutil.copy(root / "result/a/00001.png", root / "valid/Annotations/a/7.png"),
        r"expected a frame of Annotations_gt for .*Annotations/a/7\.png",
    ),
]


@pytest.mark.parametrize(("remark", "damage", "sentence"), OBJECTS, ids=[row[0] for row in OBJECTS])
def test_malformed_objects(tmp_path, remark, damage, sentence):
    object_set(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=sentence):
        evaluate_objects("viposeg", tmp_path / "valid", tmp_path / "result")


def test_first_and_last_frame_of_davis_may_be_missing(tmp_path):
    object_set(tmp_path)
    (tmp_path / "valid/Annotations_gt").rename(tmp_path / "480p")
    shutil.rmtree(tmp_path / "valid")
    (tmp_path / "DAVIS/ImageSets/2017").mkdir(parents=True)
    (tmp_path / "DAVIS/ImageSets/2017/val.txt").write_text("a\nb\n")
    (tmp_path / "DAVIS/Annotations").mkdir()
    (tmp_path / "480p").rename(tmp_path / "DAVIS/Annotations/480p")
    for name in ("00000", "00002"):
        (tmp_path / f"result/a/{name}.png").unlink()
    evaluation = evaluate_objects("davis2017", tmp_path / "DAVIS", tmp_path / "result")
    assert evaluation.results["davis2017"].total.j_mean == 1.0
    with pytest.raises(InputError, match=r"expected the list of sequences .*2017/test\.txt"):
        evaluate_objects("davis2017", tmp_path / "DAVIS", tmp_path / "result", split="test")
