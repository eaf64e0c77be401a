"""Checks of data sets in the official layouts: sound ones pass, planted faults are found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from check_world import assert_found, cut
from PIL import Image

from vps.d2.data import DatasetCatalog, MetadataCatalog
from vps.data import datasets
from vps.data.catalog import register_videos
from vps.data.check import Severity, check_dataset
from vps.data.object_videos import OBJECT_CATEGORIES, make_object_record
from vps.data.shapes_world.layouts import default_splits, write_layout
from vps.io.index_png import write_index_png

# layout: how to register it, the folder in it that is registered, its splits
LAYOUTS = {
    "cityscapes_vps": ("register_cityscapes_vps", "", ("train", "val", "test")),
    "viper": ("register_viper", "", ("train", "val")),
    "vipseg": ("register_vipseg", "VIPSeg_720P", ("train", "val", "test")),
    "viposeg": ("register_viposeg", "", ("train", "val")),
    "davis": ("register_davis", "", ("train", "val", "test_dev")),
    "ytvos": ("register_youtube_vos", "", ("train", "val")),
}


@pytest.fixture
def register():
    """Registers a layout in a folder; gives the names, which are forgotten after the test."""
    names: list[str] = []

    def register(layout: str, folder: Path) -> list[str]:
        function, subfolder, splits = LAYOUTS[layout]
        getattr(datasets, function)(folder / subfolder, name="check_test")
        names.extend(f"check_test_{split}" for split in splits)
        return names

    yield register
    for name in names:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def shapes_in(layout: str, folder: Path, *, raw: bool = False) -> None:
    options = {"height": 32, "width": 48, "things": (2, 3)}
    splits = default_splits(layout, videos=1, frames=6, val_videos=1, val_frames=6, **options)
    write_layout(folder, layout, splits, raw=raw)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sound_set_has_no_problem_in_any_layout(layout, register, tmp_path):
    shapes_in(layout, tmp_path / "set")
    for name in register(layout, tmp_path / "set"):
        problems = [p for p in check_dataset(name) if p.severity > Severity.NOTE]
        assert problems == [], name


def test_frames_between_the_labelled_ones_are_checked(register, tmp_path):
    """Those of Cityscapes-VPS, which stand in another index than the labels."""
    shapes_in("cityscapes_vps", tmp_path)
    train, val, test = register("cityscapes_vps", tmp_path)
    broken = sorted((tmp_path / "val/img_all").iterdir())[0]
    cut(broken)
    assert [(p.kind, p.file) for p in check_dataset(val)] == [("picture-unreadable", str(broken))]
    errors = {p.kind for name in (train, test) for p in check_dataset(name)}
    assert errors == {"video-unlabelled"}  # of test
    labelled = sorted((tmp_path / "val/img").iterdir())[0]
    cut(labelled)
    assert {p.file for p in check_dataset(val)} == {str(broken), str(labelled)}


def test_a_fault_of_a_flat_index_is_found(register, tmp_path):
    shapes_in("viper", tmp_path)
    train = register("viper", tmp_path)[0]
    index = tmp_path / "viper_panoptic_train_video.json"
    content = json.loads(index.read_text())
    content["annotations"][0]["image_id"] = "777_00000"
    content["annotations"][1]["segments_info"][0]["area"] += 1
    content["annotations"].append(content["annotations"][2])
    index.write_text(json.dumps(content))
    extra = tmp_path / "train/img/001_99999.jpg"
    shutil.copy(sorted(extra.parent.iterdir())[0], extra)
    kinds = {p.kind: p for p in check_dataset(train)}
    unlisted = {"picture-unlisted", "label-unlisted"}
    assert set(kinds) == {"frame-unknown", "frame-twice", "area-wrong"} | unlisted
    assert kinds["picture-unlisted"].file == str(extra)
    assert "some of frame 777_00000" in kinds["frame-unknown"].message


# ---- objects that are given by masks ----


class Objects:
    """``valid`` of VIPOSeg: two videos of four frames; object 1 is there from the first frame,
    object 2 from the third.
    """

    def __init__(self, root: Path) -> None:
        self.valid = root / "valid"
        frames = [f"{t:05d}" for t in range(4)]
        for video in ("a", "b"):
            for t, name in enumerate(frames):
                labels = np.zeros((8, 12), np.int32)
                labels[1:4, t : t + 4] = 1
                labels[5:7, 2:6] = 2 * (t >= 2)
                write_index_png(self.mask(name, video), labels)
                if t in (0, 2):
                    write_index_png(
                        self.reference(name, video), np.where(labels == 1 + t // 2, labels, 0)
                    )
                self.picture(name, video).parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (12, 8)).save(self.picture(name, video))
        objects = {"1": {"frames": frames}, "2": {"frames": frames[2:]}}
        write(self.meta, {"videos": {v: {"objects": objects} for v in ("a", "b")}})
        write(self.classes, {v: {"1": "60", "2": 3} for v in ("a", "b")})

    @property
    def meta(self) -> Path:
        return self.valid / "meta.json"

    @property
    def classes(self) -> Path:
        return self.valid / "obj_class.json"

    def picture(self, frame: str = "00001", video: str = "a") -> Path:
        return self.valid / f"JPEGImages/{video}/{frame}.jpg"

    def mask(self, frame: str = "00001", video: str = "a") -> Path:
        return self.valid / f"Annotations_gt/{video}/{frame}.png"

    def reference(self, frame: str = "00000", video: str = "a") -> Path:
        return self.valid / f"Annotations/{video}/{frame}.png"

    def repaint(self, path: Path, value: int, where=(0, 0)) -> None:
        labels = np.array(Image.open(path)).astype(np.int32)
        labels[where] = value
        write_index_png(path, labels)


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def edit(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    write(path, content)


def meta_objects(content: dict) -> dict:
    return content["videos"]["a"]["objects"]


# fault, the kinds that are told (all of them), what the sentence of one of them says
OBJECT_FAULTS = [
    (lambda o: o.classes.unlink(), ("index-unreadable", "object-class-missing"), "obj_class.json"),
    (lambda o: cut(o.meta), ("index-unreadable",), "expected JSON in .*meta.json"),
    (
        lambda o: edit(o.classes, lambda c: c["a"].pop("2")),
        "object-class-missing",
        r"a class for object 2 of video a in .*obj_class\.json",
    ),
    (
        lambda o: edit(o.classes, lambda c: c["a"].update({"2": 124})),
        "category-unknown",
        r"a class in 0\.\.123, got 124 at a\.2 of .*obj_class\.json",
    ),
    (
        lambda o: edit(o.classes, lambda c: c["a"].update({"2": "cat"})),
        "index-field",
        r"the number of a class, got 'cat' at a\.2",
    ),
    (lambda o: edit(o.classes, lambda c: c.pop("b")),
     ("video-unknown", "object-class-missing"), r"video b in .*obj_class\.json"),
    (
        lambda o: edit(o.meta, lambda c: meta_objects(c)["1"]["frames"].append("00077")),
        "meta-frame-missing",
        r"picture of frame 00077 of video a, which .*meta\.json lists",
    ),
    (
        lambda o: edit(o.meta, lambda c: meta_objects(c).update({"x": {}})),
        "index-field",
        r"as the name, got 'x' at videos\.a\.objects\.x of .*meta\.json",
    ),
    (lambda o: o.picture().unlink(), ("meta-frame-missing", "frame-unknown"), "frame 00001"),
    (lambda o: shutil.rmtree(o.picture().parent), ("video-missing", "video-empty"), "JPEGImages/a"),
    (lambda o: cut(o.picture()), "picture-unreadable", r"JPEGImages/a/00001\.jpg"),
    (lambda o: o.mask().unlink(), "label-missing", r"a mask of frame 00001 of video a"),
    (lambda o: cut(o.mask()), "label-unreadable", r"Annotations_gt/a/00001\.png is truncated"),
    (
        lambda o: Image.new("RGB", (12, 8)).save(o.mask()),
        "label-format",
        r"palette PNG .*got 8-bit RGB in .*Annotations_gt/a/00001\.png",
    ),
    (
        lambda o: write_index_png(o.mask(), np.ones((4, 6), int)),
        "label-size",
        r"expected 8x12 .*got 4x6 in .*a/00001\.png",
    ),
    (
        lambda o: o.repaint(o.mask(), 7),
        ("object-class-missing", "object-never-given"),
        r"obj_class\.json lists for video a, got object 7 in .*a/00001\.png",
    ),
    (lambda o: o.repaint(o.mask(), 255), "stray-255", r"got 255"),
    (
        lambda o: o.repaint(o.mask(), 2),
        "object-given-late",
        r"object 2 of video a to be given in frame 00001, .*got its mask in .*a/00002\.png",
    ),
    (
        lambda o: o.reference("00002").unlink(),
        "object-never-given",
        r"a reference mask of object 2 of video a, got none; it first appears in .*00002\.png",
    ),
    (
        lambda o: o.repaint(o.reference("00002"), 1),
        "object-given-twice",
        r"object 1 to be given once in video a, got it in frame 00000 and again in .*00002\.png",
    ),
    (
        lambda o: write_index_png(o.reference("00001"), np.zeros((8, 12), int)),
        "reference-empty",
        r"objects that are given in .*Annotations/a/00001\.png",
    ),
    (
        lambda o: shutil.rmtree(o.reference().parent),
        ("video-missing", "reference-missing"),
        r"masks that are given in video a",
    ),
    (
        lambda o: shutil.copy(o.reference(), o.reference("00050")),
        "frame-unknown",
        r"a frame of video a for the mask .*Annotations/a/00050\.png",
    ),
    (
        lambda o: edit(o.classes, lambda c: c["a"].update({"3": 5})),
        "object-never-seen",
        r"pixels of object 3, which .*obj_class\.json lists for video a",
    ),
    (
        lambda o: (o.valid / "JPEGImages/c").mkdir(),
        "video-unlisted",
        r"JPEGImages/c is of no video",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "kinds", "sentence"), OBJECT_FAULTS)
def test_a_fault_of_given_objects_is_found(register, tmp_path, plant, kinds, sentence):
    world = Objects(tmp_path)
    plant(world)
    _, val = register("viposeg", tmp_path)
    assert_found(list(check_dataset(val)), kinds, sentence)


def test_the_sound_objects_have_no_problem(register, tmp_path):
    Objects(tmp_path)
    assert list(check_dataset(register("viposeg", tmp_path)[1])) == []


def first(folder: Path) -> Path:
    return sorted(folder.rglob("*.*"))[0]


# layout, split, fault, kinds, sentence
OTHER_FAULTS = [
    (
        "davis",
        "val",
        lambda root: first(root / "Annotations/480p/shapes-val-0").unlink(),
        ("label-missing", "reference-missing"),
        "a mask of frame 00000 of video shapes-val-0",
    ),
    (
        "davis",
        "val",
        lambda root: (root / "ImageSets/2017/val.txt").write_text("shapes-val-0\ngone\n"),
        ("video-missing", "video-empty"),
        "sequence gone",
    ),
    (
        "davis",
        "val",
        lambda root: paint(root / "Annotations/480p/shapes-val-0/00003.png", 200),
        ("object-ignored",),
        r"got object 200 in .*00003\.png: it counts as background",
    ),
    (
        "davis",
        "val",
        lambda root: paint(root / "Annotations/480p/shapes-val-0/00003.png", 255),
        (),  # void
        "",
    ),
    (
        "ytvos",
        "val",
        lambda root: paint(last(root / "valid/Annotations_gt"), 200),
        ("object-unlisted", "object-never-given"),
        r"got object 200 in .*Annotations_gt",
    ),
    (
        "ytvos",
        "val",
        lambda root: (
            shutil.rmtree(root / "valid/Annotations_gt", ignore_errors=True),
            add_object(root / "valid/meta.json"),
        ),
        ("object-never-given", "video-unlabelled"),
        "pixels of object 99, which .*got none in any mask",
    ),
]


def add_object(meta: Path) -> None:
    objects = {"99": {"frames": ["00000"]}}
    edit(meta, lambda c: next(iter(c["videos"].values()))["objects"].update(objects))


def last(folder: Path) -> Path:
    return sorted(folder.rglob("*.png"))[-1]


def paint(path: Path, value: int) -> None:
    labels = np.array(Image.open(path)).astype(np.int32)
    labels[0, 0] = value
    write_index_png(path, labels)


@pytest.mark.parametrize(("layout", "split", "plant", "kinds", "sentence"), OTHER_FAULTS)
def test_a_fault_of_other_layouts_is_found(
    register, tmp_path, layout, split, plant, kinds, sentence
):
    shapes_in(layout, tmp_path / "set")
    plant(tmp_path / "set")
    register(layout, tmp_path / "set")
    problems = list(check_dataset(f"check_test_{split}"))
    if kinds:
        assert_found(problems, kinds, sentence)
    else:
        assert problems == []


def test_records_of_a_loader_of_its_own(tmp_path):
    """No layout that the check knows: the records tell what there is. 255 is void in them."""
    world = Objects(tmp_path)
    frames = [f"{t:05d}" for t in range(4)]
    objects = [{"id": n, "category_id": 0, "isthing": True, "iscrowd": False} for n in (1, 2)]
    record = make_object_record(
        "a",
        {name: str(world.picture(name)) for name in frames},
        objects,
        labels={name: str(world.mask(name)) for name in frames},
    )
    world.repaint(world.mask(), 255)
    register_videos("check_test_own", lambda: [record], OBJECT_CATEGORIES)
    try:
        assert list(check_dataset("check_test_own")) == []
        world.repaint(world.mask(), 9)
        cut(world.picture("00003"))
        problems = list(check_dataset("check_test_own"))
    finally:
        DatasetCatalog.remove("check_test_own")
        MetadataCatalog.remove("check_test_own")
    assert_found(problems, ("object-unlisted", "picture-unreadable"), "got object 9 in")
