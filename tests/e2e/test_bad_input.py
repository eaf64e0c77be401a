"""A table of what users get wrong: one sentence that names file and field, status 2, nothing
left.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

CONFIG = "configs/shapes_vps/vpsnet_track_R_18.yaml"
VIDEO = "0000"


@pytest.fixture
def broken_root(shapes_root, tmp_path):
    """A copy of the data that a test may break."""
    shutil.copytree(shapes_root, tmp_path / "data")
    return tmp_path / "data"


def table_of(root):
    path = root / "shapes_vps" / "val" / "panoptic.json"
    return path, json.loads(path.read_text())


def first_frame(root, kind):
    return sorted((root / "shapes_vps" / "val" / kind / VIDEO).iterdir())[0]


def cut_image(root):
    path = first_frame(root, "images")
    path.write_bytes(path.read_bytes()[:400])
    return [str(path.name), "truncated"]


def remove_image(root):
    path = first_frame(root, "images")
    path.unlink()
    return [path.name]


def shrink_mask(root):
    path = first_frame(root, "panoptic")
    image = Image.open(path)
    image.resize((image.width // 2, image.height // 2), Image.Resampling.NEAREST).save(path)
    return [path.name, "32x48", "64x96"]


def paint_unlisted_id(root):
    path = first_frame(root, "panoptic")
    pixels = np.array(Image.open(path))
    pixels[:3, :3] = (1, 2, 3)
    Image.fromarray(pixels).save(path)
    return [path.name, str(1 + 2 * 256 + 3 * 65536), "painted"]


def list_unpainted_id(root):
    path, table = table_of(root)
    entry = table["annotations"][0]["annotations"][0]
    entry["segments_info"].append({**entry["segments_info"][0], "id": 424242, "area": 9})
    path.write_text(json.dumps(table))
    return [entry["file_name"], "424242"]


def unknown_category(root):
    path, table = table_of(root)
    table["annotations"][0]["annotations"][0]["segments_info"][0]["category_id"] = 999
    path.write_text(json.dumps(table))
    return ["panoptic.json", "category_id", "999"]


def empty_video(root):
    path, table = table_of(root)
    table["videos"][0]["images"] = []
    path.write_text(json.dumps(table))
    return ["panoptic.json", "videos[0]"]


def empty_json(root):
    path, _ = table_of(root)
    path.write_bytes(b"")
    return ["panoptic.json", "empty"]


@pytest.mark.parametrize(
    "damage",
    [
        cut_image,
        remove_image,
        shrink_mask,
        paint_unlisted_id,
        list_unpainted_id,
        unknown_category,
        empty_video,
        empty_json,
    ],
    ids=lambda damage: damage.__name__,
)
def test_broken_data(run_tool, broken_root, weights, tmp_path, damage):
    words = damage(broken_root)
    output = run_tool(
        "tools/train_net.py",
        *("--config-file", CONFIG, "--eval-only", "MODEL.WEIGHTS", weights),
        *("OUTPUT_DIR", tmp_path / "out"),
        status=2,
        env={"DETECTRON2_DATASETS": str(broken_root)},
    )
    sentence = output.splitlines()[-1]
    assert sentence.startswith("error: ") and "Traceback" not in output
    for word in words:
        assert word in sentence
    assert not list((tmp_path / "out").rglob("scores.*"))


def test_an_unknown_key(run_tool, tmp_path):
    config = tmp_path / "typo.yaml"
    config.write_text("MODEL:\n  VPSNET:\n    TRACK_HAED: 1\n")
    output = run_tool("tools/train_net.py", "--config-file", config, status=2)
    sentence = output.splitlines()[-1]
    assert sentence.startswith("error: ") and "typo.yaml" in sentence and "TRACK_HAED" in sentence


def test_weights_of_another_architecture(run_tool, tmp_path):
    other = tmp_path / "other.pth"
    torch.save({"model": {"conv.weight": torch.zeros(3)}}, other)
    arguments = ["--config-file", CONFIG, "MODEL.WEIGHTS", other]
    for command in (
        ["tools/train_net.py", "--eval-only", "OUTPUT_DIR", tmp_path / "out"],
        ["tools/demo.py", first_frame_folder(tmp_path), "-o", tmp_path / "out.mp4"],
    ):
        command[2:2] = arguments[:2]
        output = run_tool(*command, *arguments[2:], status=2)
        sentence = output.splitlines()[-1]
        assert sentence.startswith("error: ") and "other.pth" in sentence
    assert not (tmp_path / "out.mp4").exists()


def first_frame_folder(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((64, 96, 3), np.uint8)).save(folder / "0.png")
    return folder


@pytest.mark.parametrize("kind", ["empty folder", "zero bytes", "no video", "absent"])
def test_no_video(run_tool, weights, tmp_path, kind):
    source = tmp_path / "input.mp4"
    if kind == "empty folder":
        source.mkdir()
    elif kind != "absent":
        source.write_bytes(b"" if kind == "zero bytes" else b"words " * 99)
    output = run_tool(
        *("tools/demo.py", source, "-o", tmp_path / "out.mp4", "--config-file", CONFIG),
        *("MODEL.WEIGHTS", weights),
        status=2,
    )
    sentence = output.splitlines()[-1]
    assert sentence.startswith("error: ") and "input.mp4" in sentence
    assert sorted(p.name for p in tmp_path.iterdir()) in ([], ["input.mp4"])


def test_half_a_video_gives_what_can_be_read(run_tool, weights, tmp_path):
    from vps.io.video import VideoWriter

    whole = tmp_path / "whole.mp4"
    rng = np.random.default_rng(0)
    with VideoWriter(whole, fps=10) as writer:
        for _ in range(20):
            writer.write(rng.integers(0, 256, (64, 96, 3), dtype=np.uint8))
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    output = run_tool(
        *("tools/demo.py", half, "-o", tmp_path / "out.mp4", "--config-file", CONFIG),
        *("MODEL.WEIGHTS", weights),
    )
    assert "warning" in output and "of the 20 announced" in output
    assert (tmp_path / "out.mp4").stat().st_size > 0
