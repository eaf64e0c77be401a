"""In every mode: a mean that is undefined is null in the JSON, empty in the CSV and a dash on the
terminal, and the reason stands beside it. No NaN, no infinity, no zero in its stead.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vps.evaluation.official import RunOptions, evaluate_objects, evaluate_panoptic
from vps.evaluation.official.report import as_text, write_report
from vps.structures import ids_to_rgb

EMPTY = np.zeros((8, 9), np.uint8)
SQUARE = EMPTY.copy()
SQUARE[2:5, 2:6] = 1
CATEGORIES = [{"id": n, "name": f"class {n}", "isthing": int(n > 20)} for n in range(24)]


def save(path: Path, labels: np.ndarray, *, palette: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels if palette else ids_to_rgb(labels.astype(int)))
    if palette:
        image.putpalette(list(range(256)) * 3)
    image.save(path)


def panoptic_set(root: Path, labels: np.ndarray) -> None:
    """One video of one frame, scored against itself; a square is stuff."""
    area = int((labels > 0).sum())
    segments = [{"id": 1, "category_id": 5, "iscrowd": 0, "area": area}] if area else []
    frame = {"image_id": "0001_x", "file_name": "0001_x.png", "segments_info": segments}
    content = {
        "categories": CATEGORIES,
        "videos": [{"video_id": "0001", "images": [{"id": "0001_x"}]}],
        "annotations": [{"video_id": "0001", "annotations": [frame]}],
    }
    for side in ("gt", "pred"):
        save(root / side / "panoptic" / "0001" / "0001_x.png", labels, palette=False)
        (root / side / "panoptic.json").write_text(json.dumps(content))


def object_set(root: Path, folder: str, prediction: np.ndarray, frames: int) -> None:
    for t in range(frames):
        save(root / "gt" / folder / "a" / f"{t:05d}.png", SQUARE, palette=True)
        save(root / "pred" / "a" / f"{t:05d}.png", prediction, palette=True)


def score_panoptic(mode, root, labels):
    panoptic_set(root, labels)
    return evaluate_panoptic(mode, root / "gt", root / "pred", run=RunOptions())


def score_davis(mode, root, labels):
    """Two frames, of which neither is scored."""
    object_set(root, "Annotations/480p", labels, 2)
    names = root / "gt" / "ImageSets" / mode[-4:] / "val.txt"
    names.parent.mkdir(parents=True)
    names.write_text("a\n")
    return evaluate_objects(mode, root / "gt", root / "pred")


def score_youtube_vos(mode, root, labels):
    """Classes that nobody knows."""
    object_set(root, "Annotations", labels, 2)
    return evaluate_objects(mode, root / "gt", root / "pred")


def score_viposeg(mode, root, labels):
    """One object: seven subsets of eight have none."""
    object_set(root, "Annotations_gt", labels, 3)
    save(root / "gt" / "Annotations" / "a" / "00000.png", SQUARE, palette=True)
    (root / "gt" / "obj_class.json").write_text(json.dumps({"a": {"1": 60}}))
    return evaluate_objects(mode, root / "gt", root / "pred")


CASES = [
    *((score_panoptic, mode, SQUARE) for mode in ("vipseg", "cityscapes_vps", "viper")),
    (score_panoptic, "panoptic", SQUARE),
    *((score_panoptic, mode, EMPTY) for mode in ("vipseg", "cityscapes_vps", "viper")),
    *((score_panoptic, mode, EMPTY) for mode in ("panoptic", "stq")),
    *((score_davis, mode, SQUARE) for mode in ("davis2016", "davis2017")),
    (score_youtube_vos, "youtube_vos", SQUARE),
    *((score_viposeg, "viposeg", labels) for labels in (SQUARE, EMPTY)),
]


def no_such_number(text):
    raise AssertionError(f"{text} in a JSON file")


def check_reasons(values: dict, where: str) -> int:
    """How many means are null; each has its reason, which is a sentence."""
    count = 0
    for name, value in values.items():
        if name in ("per_video", "per_object", "undefined"):  # single ones may lack a value
            continue
        if isinstance(value, dict):
            count += check_reasons(value, f"{where}.{name}")
        elif value is None:
            reason = values.get("reason") or values.get("undefined", {}).get(name, "")
            assert len(reason.split()) > 3, f"{where}.{name} is null without a reason"
            count += 1
    return count


@pytest.mark.parametrize(("score", "mode", "labels"), CASES)
def test_null_with_the_reason(tmp_path, score, mode, labels):
    evaluation = score(mode, tmp_path, labels)
    write_report(evaluation, tmp_path / "out")
    text = (tmp_path / "out" / "scores.json").read_text()
    scores = json.loads(text, parse_constant=no_such_number)["scores"]
    assert check_reasons(scores, mode) > 0
    printed = as_text(evaluation, per_class=True, per_video=True)
    assert " -" in printed and ": undefined, " in printed
    for path in (tmp_path / "out").glob("*.csv"):
        printed += path.read_text()
    assert not {"nan", "inf"} & set(printed.lower().replace(",", " ").split())
