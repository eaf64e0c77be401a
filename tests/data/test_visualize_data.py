"""The tool draws what is on disk and what the loader makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vps.data import register_shapes
from vps.io import read_image

NAME = "shapes_for_pictures"


@pytest.fixture
def tool(load_script, shapes_folder: Path):
    register_shapes(shapes_folder.parent, name=NAME)
    return load_script("tools/visualize_data.py")


def test_annotations(tool, tmp_path: Path):
    assert tool.main([f"{NAME}_train", "-o", str(tmp_path), "--max", "7"]) == 0
    pictures = sorted(tmp_path.rglob("*.png"))
    assert [str(p.relative_to(tmp_path)) for p in pictures] == [
        *(f"0000/{t:05d}.png" for t in range(6)),
        "0001/00000.png",
    ]
    assert read_image(pictures[0]).shape == (384, 576, 3)  # 64x96, six times as large


def test_clips_of_the_loader(tool, tmp_path: Path):
    config = tmp_path / "input.yaml"
    config.write_text("INPUT:\n  MIN_SIZE_TRAIN: (32,)\nSOLVER:\n  IMS_PER_BATCH: 2\nSEED: 1\n")
    arguments = [f"{NAME}_train", "-o", str(tmp_path / "out"), "--source", "dataloader"]
    assert tool.main([*arguments, "--config-file", str(config), "--max", "3"]) == 0
    pictures = sorted((tmp_path / "out").iterdir())
    assert len(pictures) == 3
    assert read_image(pictures[0]).shape == (384, 2 * 576, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such_data"], "'no_such_data' is not"),
        ([f"{NAME}_val"], "panoptic.json does not exist"),
        ([f"{NAME}_train", "--max", "0"], "--max"),
        ([f"{NAME}_train", "--source", "dataloader"], "--config-file"),
    ],
)
def test_bad_input(tool, tmp_path: Path, capsys, arguments: list[str], message: str):
    assert tool.main([*arguments, "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "out").exists()
