"""Where tools/evaluate.py finds the ordinary set, where it leaves its scores, and what those
should be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

EXACT = 1e-12


def vipseg_options(folder: Path) -> list[str]:
    root = folder / "vipseg"
    return [
        *("--gt", str(root / "gt" / "panomasksRGB")),
        *("--gt-json", str(root / "panoptic_gt_VIPSeg_val.json")),
        *("--pred", str(root / "pred")),
    ]


def scores_of(output: Path) -> dict:
    return json.loads((output / "scores.json").read_text())


def assert_windows(per_window: dict, expected: dict) -> None:
    """PQ, SQ, RQ and N of the groups, IoU, TP, FP and FN of the classes."""
    assert per_window.keys() == expected.keys()
    for window, want in expected.items():
        assert_groups(per_window[window], want)


def assert_groups(got: dict, want: dict) -> None:
    for group in ("All", "Things", "Stuff"):
        for key, value in want[group].items():
            assert got[group][key] == pytest.approx(value, abs=EXACT, rel=0), group
    if "per_class_iou_tp_fp_fn" in want:
        rows = {str(row["category"]): row for row in got["per_class"]}
        assert rows.keys() == want["per_class_iou_tp_fp_fn"].keys()
        for category, (iou, tp, fp, fn) in want["per_class_iou_tp_fp_fn"].items():
            row = rows[category]
            assert (row["tp"], row["fp"], row["fn"]) == (tp, fp, fn)
            assert row["iou"] == pytest.approx(iou, abs=EXACT, rel=EXACT)


def flat_copy(folder: Path, target: Path, *, named: bool) -> list[str]:
    """The set in the layout of Cityscapes-VPS: flat, ids that begin with four figures."""
    root = folder / "vipseg"
    truth = json.loads((root / "panoptic_gt_VIPSeg_val.json").read_text())
    predictions = json.loads((root / "pred" / "pred.json").read_text())
    images, entries, guesses = [], [], []
    for number, (video, guess) in enumerate(zip(truth["annotations"], predictions["annotations"])):
        for frame, guessed in zip(video["annotations"], guess["annotations"]):
            image_id = f"{number:04d}_{frame['image_id']}_town"
            for source, place in (
                (root / "gt" / "panomasksRGB", target / "panoptic_video"),
                (root / "pred" / "pan_pred", target / "pred" / "pan_pred"),
            ):
                place.mkdir(parents=True, exist_ok=True)
                picture = source / video["video_id"] / frame["file_name"]
                os.link(picture, place / f"{image_id}.png")
            images.append({"id": image_id, "width": 320, "height": 180})
            name = {"image_id": image_id, "file_name": f"{image_id}.png"}
            entries.append({**name, "segments_info": frame["segments_info"]})
            segments = {"segments_info": guessed["segments_info"]}
            guesses.append({**name, **segments} if named else segments)
    categories = truth["categories"]
    (target / "gt.json").write_text(
        json.dumps({"images": images, "annotations": entries, "categories": categories})
    )
    (target / "pred" / "pred.json").write_text(json.dumps({"annotations": guesses}))
    return [
        *("--gt", str(target / "panoptic_video"), "--gt-json", str(target / "gt.json")),
        *("--pred", str(target / "pred"), "--quiet"),
    ]
