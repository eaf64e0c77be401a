"""Every kind of fault of a panoptic data set is planted, and found and named: that one alone."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from check_world import World, cut, flip_bit, write_picture
from PIL import Image


@pytest.fixture
def world(shapes_folder: Path, tmp_path: Path) -> World:
    shutil.copytree(shapes_folder, tmp_path / "set")
    return World(tmp_path / "set")


def exif_rotate(path: Path) -> None:
    """A phone's way of turning a picture: the pixels stay as they are."""
    with Image.open(path) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(path, exif=exif)


def label_as(world: World, mode: str) -> None:
    with Image.open(world.label()) as image:
        image.convert(mode).save(world.label())


def new_size(world: World) -> None:
    ids = np.asarray(Image.open(world.label()))[:-1]
    Image.fromarray(ids).save(world.label())


def blacken(world: World) -> None:
    world.repaint(lambda ids: ids.fill(0))
    world.edit_frame(lambda frame: frame["segments_info"].clear())


def recategorise(world: World) -> None:
    """The first segment of frame 1 becomes another class, that no other segment has."""
    taken = world.segment(0)["category_id"]
    world.edit_frame(
        lambda frame: frame["segments_info"][0].update(category_id=1 if taken != 1 else 2)
    )


def split_stuff(world: World) -> None:
    """A part of a stuff segment gets an id of its own, rightly listed."""
    content = json.loads(world.index.read_text())
    stuff = {c["id"] for c in content["categories"] if not c["isthing"]}
    infos = content["annotations"][1]["annotations"][1]["segments_info"]
    segment = next(info for info in infos if info["category_id"] in stuff and info["area"] > 1)

    def paint(ids):
        rows, columns = np.nonzero(ids == segment["id"])
        ids[rows[0], columns[0]] = 9_999

    def enter(frame):
        entry = next(info for info in frame["segments_info"] if info["id"] == segment["id"])
        entry["area"] -= 1
        frame["segments_info"].append({**entry, "id": 9_999, "area": 1})

    world.repaint(paint)
    world.edit_frame(enter)


def append_twice(infos: list) -> None:
    infos.append(dict(infos[0]))


def images_of(content: dict, video: int = 1) -> list:
    return content["videos"][video]["images"]


def labels_of(content: dict, video: int = 1) -> list:
    return content["annotations"][video]["annotations"]


# fault, the kinds that are told (all of them), what the sentence of the first of them says
FAULTS = [
    # files
    (lambda w: w.picture().unlink(), "picture-missing", r"expected .*images/0001/00002\.jpg"),
    (lambda w: cut(w.picture()), "picture-unreadable", r"images/0001/00002\.jpg .*truncated"),
    (lambda w: w.picture().write_bytes(b""), "picture-unreadable", "got 0 bytes"),
    (lambda w: w.picture().write_text("<html>"), "picture-unreadable", "no known image format"),
    (lambda w: write_picture(w.picture(), (32, 96)), "picture-size", "expected 64x96 .*got 32x96"),
    (lambda w: exif_rotate(w.picture()), "picture-size", "expected 64x96 .*got 96x64"),
    (
        lambda w: shutil.copy(w.picture(), w.picture("00099")),
        "picture-unlisted",
        r"got .*images/0001/00099\.jpg",
    ),
    (lambda w: shutil.rmtree(w.picture().parent), "video-missing", "the folder .*images/0001"),
    (lambda w: w.label().unlink(), "label-missing", r"expected .*panoptic/0001/00002\.png"),
    (lambda w: cut(w.label()), "label-unreadable", r"panoptic/0001/00002\.png is truncated"),
    (lambda w: flip_bit(w.label(), 60), "label-unreadable", "fails its checksum"),
    (lambda w: label_as(w, "L"), "label-format", "RGB panoptic PNG .*got 8-bit gray"),
    (lambda w: label_as(w, "RGBA"), "label-format", "got 8-bit RGBA"),
    (
        new_size,
        "label-size",
        "expected 64x96 .*got 63x96 in .*00002.png",
    ),
    (
        lambda w: shutil.copy(w.label(), w.label("00001")),
        "label-unlisted",
        r"got .*panoptic/0001/00001\.png",
    ),
    (blacken, "label-empty", r"00002\.png, .* listed as labelled, got void alone"),
    (
        lambda w: shutil.copytree(w.picture().parent, w.folder / "images/0009"),
        "video-unlisted",
        r"images/0009 is of no video",
    ),
    # segments
    (
        lambda w: w.repaint(lambda ids: ids.__setitem__((0, slice(0, 3)), 77_777)),
        ("segment-unlisted", "area-wrong"),
        r"only ids that .*panoptic\.json lists in .*00002\.png, got 77777",
    ),
    (
        lambda w: w.repaint(lambda ids: ids.__setitem__((0, slice(0, 3)), 255)),
        ("stray-255", "area-wrong"),
        r"00002\.png, got 255",
    ),
    (
        lambda w: w.edit_frame(
            lambda f: f["segments_info"].append({"id": 4242, "category_id": 1, "area": 9})
        ),
        "segment-unpainted",
        r"every listed id in .*00002\.png, got none of 4242",
    ),
    (
        lambda w: w.edit_frame(lambda f: f["segments_info"][0].update(area=1)),
        "area-wrong",
        r"expected 1 pixels of segment \d+, as .*panoptic\.json states, got \d+ in .*00002\.png",
    ),
    (
        lambda w: w.edit_frame(lambda f: append_twice(f["segments_info"])),
        ("segment-twice",),
        r"segment \d+ once in frame 00002 of video 0001, got it 2x",
    ),
    (
        lambda w: w.edit_frame(
            lambda f: f["segments_info"].append({"id": 0, "category_id": 1, "area": 9})
        ),
        "segment-void",
        r"ids in 1\.\.16777215 in frame 00002 of video 0001, got 0",
    ),
    (
        lambda w: w.edit_frame(
            lambda f: [i.update(category_id=99) for i in f["segments_info"][-1:]]
        ),
        ("category-unknown", "category-changes"),
        r"registered categories for segment \d+ in frame 00002 of video 0001, got category_id 99",
    ),
    (recategorise, "category-changes", r"for segment \d+ in all of video 0001, got .*from frame"),
    (split_stuff, "stuff-in-parts", r"one segment of \d+ \(\w+\) in frame 00002 of video 0001"),
    # the index
    (lambda w: w.index.unlink(), "index-unreadable", r"cannot read .*panoptic\.json"),
    (
        lambda w: w.edit(lambda c: c["categories"][0].update(name="dog")),
        "categories-differ",
        r"got 'dog' at categories\[0\]\.name",
    ),
    (lambda w: cut(w.index), "index-unreadable", r"panoptic\.json, .*was it cut short"),
    (
        lambda w: w.edit(lambda c: c.pop("annotations")),
        ("index-field", "video-unlabelled", "label-unlisted"),
        "expected the list annotations",
    ),
    (
        lambda w: w.edit(lambda c: images_of(c)[2].pop("width")),
        "index-field",
        r"field 'width', got .* at videos\[1\]\.images\[2\]",
    ),
    (
        lambda w: w.edit_frame(lambda f: f["segments_info"][0].update(id="7")),
        "index-field",
        r"got '7' at annotations\[1\]\.annotations\[1\]\.segments_info\[0\]\.id",
    ),
    (
        lambda w: w.edit(lambda c: c["videos"].append(c["videos"][0])),
        "video-twice",
        r"listed once, got '0000' again at videos\[3\]",
    ),
    (
        lambda w: w.edit(lambda c: c["annotations"].append(c["annotations"][0])),
        "video-twice",
        r"got '0000' again at annotations\[3\]",
    ),
    (
        lambda w: w.edit(lambda c: images_of(c).append(dict(images_of(c)[-1]))),
        "frame-twice",
        r"got '00005' again at videos\[1\]\.images\[6\]",
    ),
    (
        lambda w: w.edit(lambda c: images_of(c)[1].update(file_name="00000.jpg")),
        ("frame-twice", "picture-unlisted"),
        r"a picture of its own .*00000\.jpg again for frame 00001",
    ),
    (
        lambda w: w.edit(lambda c: labels_of(c)[0].update(image_id="00077")),
        ("frame-unknown", "label-unlisted"),
        "listed frames of video 0001 in .*got some of frame 00077",
    ),
    (
        lambda w: w.edit(lambda c: c["annotations"][1].update(video_id="no")),
        ("video-unknown", "video-unlabelled", "label-unlisted"),
        "a video that the list of videos has, got 'no'",
    ),
    (
        lambda w: w.edit(lambda c: (images_of(c).clear(), labels_of(c).clear())),
        ("video-empty", "picture-unlisted", "label-unlisted"),
        r"frames of video '0001', got \[\] at videos\[1\]\.images",
    ),
    (
        lambda w: w.edit(lambda c: (c["videos"].clear(), c["annotations"].clear())),
        ("video-empty", "video-unlisted"),
        "at least one video",
    ),
    (
        lambda w: w.edit(lambda c: images_of(c)[3].update(height=65)),
        ("size-changes", "picture-size"),
        "all frames of video 0001, got 64x96, 65x96",
    ),
    (
        lambda w: w.edit(lambda c: images_of(c).reverse()),
        "frame-order",
        "in the order of time, got 00004 after 00005",
    ),
    (
        lambda w: w.edit(lambda c: c["annotations"].pop(1)),
        ("video-unlabelled", "label-unlisted"),
        "labels of video 0001",
    ),
]


@pytest.mark.parametrize(("plant", "kinds", "sentence"), FAULTS)
def test_a_fault_is_found_and_named(world, plant, kinds, sentence):
    plant(world)
    problems = world.problems()
    assert {problem.kind for problem in problems} == (
        {kinds} if isinstance(kinds, str) else {*kinds}
    )
    assert any(re.search(sentence, problem.message) for problem in problems), problems
    for problem in problems:
        assert problem.file and str(world.folder) in problem.file


def test_a_sound_set_has_no_problem(world):
    assert world.problems() == []
