"""Faults of VIPSeg as it is downloaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from check_world import assert_found
from PIL import Image

from vps.data.check import check_source
from vps.data.check.folder import folder_source

# number in a raw mask, kind (None: sound), what the sentence says
RAW_NUMBERS = [
    (1, None, ""),
    (61, "thing-without-instance", "got 61, the thing person without an instance"),
    (6100, None, ""),
    (6199, "too-many-instances", "got 6199, instance 99 of person.*read as class 62"),
    (255, "stray-255", "got 255, void elsewhere, which would be read as ceiling"),
    (1903, "stuff-with-instance", "got 1903, an instance of the stuff road"),
    (199, "number-unknown", "got 199, which stands for no class"),
    (201, "number-unknown", "got 201, which stands for no class"),
    (12500, "number-unknown", "got 12500, which stands for no class"),
]


@pytest.mark.parametrize(("number", "kind", "sentence"), RAW_NUMBERS)
def test_numbers_of_raw_vipseg(tmp_path, number, kind, sentence):
    raw_vipseg(tmp_path, number)
    problems = list(check_source(folder_source(tmp_path, "vipseg_raw")))
    if kind is None:
        assert problems == []
    else:
        assert_found(problems, kind, sentence)


def raw_vipseg(root: Path, number: int = 0) -> None:
    """Two frames of one video; ``number`` is painted into the second."""
    for t in range(2):
        labels = np.full((6, 8), 1, np.uint16)
        labels[2:, 2:] = 6100
        labels[0, 0] = number if t else 0
        for folder in ("imgs", "panomasks"):
            (root / folder / "12_x").mkdir(parents=True, exist_ok=True)
        Image.fromarray(labels).save(root / f"panomasks/12_x/{t:08d}.png")
        Image.new("RGB", (8, 6)).save(root / f"imgs/12_x/{t:08d}.jpg")
    (root / "train.txt").write_text("12_x\n")


@pytest.mark.parametrize(
    ("plant", "kinds", "sentence"),
    [
        (lambda r: (r / "train.txt").unlink(), "index-unreadable", "train.txt"),
        (lambda r: (r / "val.txt").write_text("12_x\n"), "video-twice", "video 12_x in one list"),
        (
            lambda r: (r / "val.txt").write_text("gone\n"),
            ("video-missing", "video-empty"),
            "imgs/gone",
        ),
        (lambda r: (r / "panomasks/12_x/00000001.png").unlink(), "label-missing", "00000001"),
        (lambda r: (r / "imgs/12_x/00000001.jpg").unlink(), "picture-missing", "00000001"),
        (
            lambda r: Image.new("RGB", (8, 6)).save(r / "panomasks/12_x/00000001.png"),
            "label-format",
            "one channel of whole numbers, got mode RGB",
        ),
        (
            lambda r: Image.fromarray(np.ones((3, 8), np.uint16)).save(
                r / "panomasks/12_x/00000000.png"
            ),
            "label-size",
            "expected 6x8 .*got 3x8",
        ),
    ],
)
def test_a_fault_of_raw_vipseg_is_found(tmp_path, plant, kinds, sentence):
    raw_vipseg(tmp_path)
    plant(tmp_path)
    assert_found(list(check_source(folder_source(tmp_path, "vipseg_raw"))), kinds, sentence)
