"""Atomic writing, JSON, images and panoptic PNGs: whole or absent, and errors that name the
file.
"""

import json
import os

import numpy as np
import pytest
from PIL import Image

from vps.io import (
    atomic_folder,
    atomic_write,
    read_ground_truth,
    read_image,
    read_json,
    read_panoptic_png,
    write_json,
    write_panoptic_png,
)
from vps.structures import InputError


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with atomic_write(path, "w") as file:
        file.write("first")
        assert not path.exists()
    with pytest.raises(RuntimeError), atomic_write(path, "w") as file:
        file.write("second, cut o")
        raise RuntimeError
    assert path.read_text() == "first"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    for content in ("first", "second"):
        with atomic_folder(tmp_path / "data") as folder:
            (folder / content).write_text(content)
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "data") as folder:
        (folder / "third").write_text("third")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["second"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"  \n", "empty file"),
        (b'{"a": 1,\n "b" 2}', "line 2, column 6"),
        (b'{"a": "\xff"}', "byte 7"),
    ],
)
def test_broken_json_is_named(tmp_path, content, message):
    path = tmp_path / "table.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"table\.json.*{message}"):
        read_json(path)


def test_json_round_trip_and_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1, None]})
    assert read_json(tmp_path / "a.json") == {"x": [1, None]}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, None]}
    with pytest.raises(InputError, match=r"absent\.json"):
        read_json(tmp_path / "absent.json")


def test_broken_images_are_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    for suffix in ("png", "jpg"):
        path = tmp_path / f"whole.{suffix}"
        Image.fromarray(noise).save(path)
        assert read_image(path).shape == (40, 60, 3)
        cut = tmp_path / f"cut.{suffix}"
        cut.write_bytes(path.read_bytes()[: os.path.getsize(path) // 2])
        with pytest.raises(InputError, match=rf"cut\.{suffix} is corrupt or truncated"):
            read_image(cut)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match=r"text\.png, got 10 bytes"):
        read_image(tmp_path / "text.png")
    with pytest.raises(InputError, match=r"absent\.png does not exist"):
        read_image(tmp_path / "absent.png")


def test_images_are_turned_as_exif_says(tmp_path):
    picture = Image.fromarray(np.zeros((10, 20, 3), np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # a quarter turn
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg").shape == (20, 10, 3)


def test_panoptic_png_round_trip(tmp_path):
    ids = np.random.default_rng(0).integers(0, 2**24, (30, 20)).astype(np.int32)
    write_panoptic_png(tmp_path / "ids.png", ids)
    assert (read_panoptic_png(tmp_path / "ids.png") == ids).all()
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "grey.png")
    with pytest.raises(InputError, match=r"RGB panoptic PNG.*mode L.*grey\.png"):
        read_panoptic_png(tmp_path / "grey.png")


def info(segment_id, **more):
    return {"id": segment_id, "category_id": 0, "isthing": False, "iscrowd": False, **more}


@pytest.mark.parametrize(
    ("infos", "height", "message"),
    [
        ([info(5)], 4, r"ids 9 are painted in .*000\.png but missing"),
        ([info(5), info(9), info(11)], 4, r"ids 11 stand in segments_info of .*000\.png but no"),
        ([info(5), info(9), info(9)], 4, r"id 9 in segments_info of .*000\.png is listed twice"),
        ([info(0), info(5), info(9)], 4, r"id 0 .* void"),
        ([info(5), info(9)], 5, r"5x6 .*video v.*got 4x6 in .*000\.png"),
    ],
)
def test_png_and_table_must_agree(tmp_path, infos, height, message):
    ids = np.full((4, 6), 5, dtype=np.int32)
    ids[0] = 9
    path = str(tmp_path / "000.png")
    write_panoptic_png(path, ids)
    record = {
        "video_id": "v",
        "height": height,
        "width": 6,
        "image_ids": ["000"],
        "pan_seg_file_names": [path],
        "segments_infos": [infos],
    }
    with pytest.raises(InputError, match=message):
        read_ground_truth(record, 0)
    record |= {"height": 4, "segments_infos": [[info(5), info(9, area=6)]]}
    truth = read_ground_truth(record, 0)
    assert (truth.ids == ids).all() and truth.segments[9].area == 6


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
