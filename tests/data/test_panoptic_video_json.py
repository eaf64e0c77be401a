"""The panoptic video layout: what is written is read, and bad files are named."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vps.data.panoptic_video_files import SourceFrame, write_index, write_video
from vps.data.panoptic_video_json import load_panoptic_video_json, read_categories
from vps.data.shapes_world import SHAPES_CATEGORIES, ShapesWorld
from vps.io import read_ground_truth, read_image
from vps.structures import InputError, PanopticFrame, Segment


def load(folder: Path, categories=SHAPES_CATEGORIES) -> list:
    return load_panoptic_video_json(
        folder / "images", folder / "panoptic", folder / "panoptic.json", categories
    )


@pytest.fixture
def folder(shapes_folder: Path, tmp_path: Path) -> Path:
    """A copy of the small data set, to be broken."""
    return Path(shutil.copytree(shapes_folder, tmp_path / "copy"))


def test_what_is_written_is_read(shapes_records: list):
    assert [record["video_id"] for record in shapes_records] == ["0000", "0001", "0002"]
    for number, record in enumerate(shapes_records):
        world = ShapesWorld((5, 0, number), height=64, width=96, things=4 + number)
        assert (record["height"], record["width"], record["length"]) == (64, 96, 6)
        assert record["labelled"] == [True, False] * 3
        for t in range(6):
            image, truth = world.render(t)
            assert record["image_ids"][t] == truth.frame_id
            difference = read_image(record["file_names"][t]).astype(int) - image
            assert np.abs(difference).mean() < 3  # JPEG
            if not record["labelled"][t]:
                assert record["pan_seg_file_names"][t] is None
                assert record["segments_infos"][t] is None
                continue
            frame = read_ground_truth(record, t)
            assert np.array_equal(frame.ids, truth.ids)
            assert frame.segments == truth.segments  # category contiguous again, area kept


def test_segment_ids_that_need_three_bytes_survive(tmp_path: Path):
    ids = np.array([[0, 255], [256, 256**3 - 1]], dtype=np.int32)
    segments = {255: Segment(0, True), 256: Segment(4, False), 256**3 - 1: Segment(1, True)}
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    frame = SourceFrame("a", image, PanopticFrame("a", ids, segments))
    entry = write_video(tmp_path, "v", [frame], SHAPES_CATEGORIES)
    write_index(tmp_path, SHAPES_CATEGORIES, [entry])
    assert np.array_equal(read_ground_truth(load(tmp_path)[0], 0).ids, ids)


def test_categories_can_be_read_from_the_file(shapes_folder: Path):
    assert read_categories(shapes_folder / "panoptic.json") == SHAPES_CATEGORIES


def test_pictures_may_be_listed_by_the_names_of_their_masks(folder: Path):
    """VIPSeg's JSON says 00000.png where the picture is 00000.jpg."""

    def rename(content: dict) -> None:
        for image in content["videos"][0]["images"]:
            image["file_name"] = image["file_name"].replace(".jpg", ".png")

    edit(folder, rename)
    assert load(folder)[0]["file_names"][0].endswith("00000.jpg")


def test_a_video_without_annotations_is_unlabelled(folder: Path):
    edit(folder, lambda content: content["annotations"].pop(0))
    records = load(folder)
    assert records[0]["labelled"] == [False] * 6
    assert records[1]["labelled"] == [True, False] * 3


def edit(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / "panoptic.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _image(content: dict) -> dict:
    return content["videos"][1]["images"][2]


def _annotation(content: dict) -> dict:
    return content["annotations"][1]["annotations"][1]


def _segment(content: dict) -> dict:
    return _annotation(content)["segments_info"][0]


# What is broken in panoptic.json, and what the error must say; all say the file.
BAD_INDEX = [
    (lambda c: c.pop("videos"), "the field 'videos'"),
    (lambda c: c.pop("annotations"), "the field 'annotations'"),
    (lambda c: c.update(videos={}), "an array, got {} at videos"),
    (lambda c: c.update(videos=[], annotations=[]), "at least one video"),
    (lambda c: c["videos"][1].update(images=[]), "frames of video '0001', got [] at videos[1]"),
    (
        lambda c: c["videos"][1].update(video_id="0000"),
        "'0000' a second time at videos[1].video_id",
    ),
    (lambda c: c["videos"][1].update(video_id=None), "a name, got None at videos[1].video_id"),
    (lambda c: _image(c).update(id="00000"), "'00000' a second time at videos[1].images[2].id"),
    (lambda c: _image(c).update(file_name="00000.jpg"), "a file_name twice"),
    (lambda c: _image(c).update(file_name="x.jpg"), "x.jpg, which does not at videos[1].images[2]"),
    (lambda c: _image(c).update(file_name="no/x.jpg"), "cannot be listed"),
    (lambda c: _image(c).pop("file_name"), "the field 'file_name'"),
    (lambda c: _image(c).update(width=95), "96 as in the first frame of '0001', got 95"),
    (lambda c: c["videos"][1]["images"][0].update(height=0), "a whole number >= 1, got 0"),
    (lambda c: c["annotations"][1].update(video_id="x"), "a video that the field videos lists"),
    (lambda c: _annotation(c).update(image_id="x"), "an image id of video '0001', got 'x'"),
    (lambda c: _annotation(c).update(image_id="00000"), "a second time"),
    (lambda c: _annotation(c).update(file_name="x.png"), "annotations[1].annotations[1].file_name"),
    (lambda c: _segment(c).update(category_id=99), "one of the category ids [1, 2, 3, 4, 11"),
    (lambda c: _segment(c).update(category_id="1"), "a whole number >= 0, got '1'"),
    (lambda c: _segment(c).update(id=0), "a whole number >= 1, got 0"),
    (lambda c: _segment(c).update(iscrowd=2), "0 or 1, got 2"),
    (lambda c: _segment(c).pop("id"), "the field 'id'"),
    (
        lambda c: _annotation(c)["segments_info"].append(copy.copy(_segment(c))),
        "ids that appear once in a frame",
    ),
    (
        lambda c: _segment(c).update(category_id=_segment(c)["category_id"] % 4 + 1),
        "one category for segment",
    ),
    (lambda c: c["categories"][0].update(name="plate"), "'disc', as category 1 was registered"),
    (lambda c: c["categories"][0].update(isthing=0), "True, as category 1 was registered"),
]


@pytest.mark.parametrize(
    ("change", "message"), BAD_INDEX, ids=[message for _, message in BAD_INDEX]
)
def test_bad_index(folder: Path, change: Callable[[dict], object], message: str):
    edit(folder, change)
    with pytest.raises(InputError) as caught:
        load(folder)
    assert message in str(caught.value)
    assert str(folder / "panoptic.json") in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        ("", "empty file"),
        ('{"videos": [', "line 1"),
        ("[]", "an object, got [] at the top"),
    ],
)
def test_bad_json(folder: Path, content: str | None, message: str):
    path = folder / "panoptic.json"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(InputError) as caught:
        load(folder)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_folder_of_pictures(folder: Path):
    shutil.rmtree(folder / "images" / "0002")
    with pytest.raises(InputError, match=r"images/0002, which cannot be listed"):
        load(folder)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _unlisted_id(path: Path) -> None:
    pixels = np.array(Image.open(path))
    pixels[:3, :3] = (9, 9, 9)
    Image.fromarray(pixels).save(path)


def _unpainted_id(path: Path) -> None:
    pixels = np.array(Image.open(path))
    Image.fromarray(np.where(pixels == pixels[0, 0], 0, pixels)).save(path)


# What is broken in a picture or a mask after the records were read.
BAD_FILES = [
    ("images/0000/00000.jpg", Path.unlink, "does not exist"),
    ("images/0000/00000.jpg", _truncate, "truncated"),
    ("images/0000/00000.jpg", lambda p: p.write_bytes(b""), "0 bytes of no known image format"),
    (
        "images/0000/00000.jpg",
        lambda p: Image.new("RGB", (96, 60)).save(p),
        "expected an image of 64x96 (height x width, as video 0000 says), got 60x96",
    ),
    ("panoptic/0000/00000.png", Path.unlink, "does not exist"),
    ("panoptic/0000/00000.png", _truncate, "truncated"),
    (
        "panoptic/0000/00000.png",
        lambda p: Image.new("RGB", (90, 64)).save(p),
        "expected a panoptic PNG of 64x96",
    ),
    ("panoptic/0000/00000.png", lambda p: Image.new("L", (96, 64)).save(p), "got mode L"),
    ("panoptic/0000/00000.png", _unlisted_id, "592137 are painted"),
    ("panoptic/0000/00000.png", _unpainted_id, "but no pixel has them"),
]


@pytest.mark.parametrize(
    ("name", "damage", "message"), BAD_FILES, ids=[f"{n}: {m}" for n, _, m in BAD_FILES]
)
def test_bad_files_are_named_by_the_mapper(
    folder: Path, name: str, damage: Callable[[Path], object], message: str
):
    from vps.data import ClipMapper
    from vps.data.clip_sampling import make_clip_sampler

    record = load(folder)[0]
    damage(folder / name)
    sampler = make_clip_sampler("pair", length=2, max_gap=2, reverse=False)
    with pytest.raises(InputError) as caught:
        ClipMapper(clip_sampler=sampler)(record, 0, np.random.default_rng(0))
    assert message in str(caught.value)
    assert str(folder / name) in str(caught.value)
