"""VIPOSeg, DAVIS, YouTube-VOS and VOSW in their official layouts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dataset_trees import HEIGHT, WIDTH, edit_json, save_index, save_json, save_picture

from vps.data import (
    load_dataset,
    register_davis,
    register_viposeg,
    register_vosw,
    register_youtube_vos,
)
from vps.data.datasets import VIPSEG_CATEGORIES
from vps.io import read_ground_truth, read_label_map
from vps.structures import InputError

FRAMES = ("00000", "00001", "00002")
# Object 7 comes in frame 1. Numbers are neither contiguous nor in the order of appearance.
COLUMNS = ([0, 0, 200, 200, 3, 3], [7, 7, 200, 200, 3, 3], [7, 7, 200, 0, 0, 0])
GIVEN = {"00000": [0, 0, 200, 200, 3, 3], "00001": [7, 7, 0, 0, 0, 0]}
APPEARANCES = {"3": FRAMES[:2], "7": FRAMES[1:], "200": FRAMES}


@pytest.fixture
def viposeg(tmp_path: Path) -> Path:
    root, video = tmp_path / "VIPOSeg", "187_WUZUSD4477I"
    for folder, truth in (("train", "Annotations"), ("valid", "Annotations_gt")):
        for frame, columns in zip(FRAMES, COLUMNS):
            save_picture(root / folder / "JPEGImages" / video / f"{frame}.jpg")
            save_index(root / folder / truth / video / f"{frame}.png", columns)
        # Classes as numbers or as text; 0 is a class.
        classes = {video: {"3": 0, "7": "60", "200": 98}}
        save_json(root / folder / "obj_class.json", classes)
    for frame, columns in GIVEN.items():
        save_index(root / "valid" / "Annotations" / video / f"{frame}.png", columns)
    objects = {number: {"frames": list(frames)} for number, frames in APPEARANCES.items()}
    save_json(root / "valid" / "meta.json", {"videos": {video: {"objects": objects}}})
    return root


def test_viposeg_train(viposeg: Path, name: str):
    register_viposeg(viposeg, name=name)
    (record,) = load_dataset("tree_train")
    assert (record["height"], record["width"], record["length"]) == (HEIGHT, WIDTH, 3)
    assert record["image_ids"] == list(FRAMES)
    assert record["label_coding"] == "index"
    assert "reference_file_names" not in record
    truth = read_ground_truth(record, 1)
    assert truth.ids[0].tolist() == COLUMNS[1]
    names = {key: VIPSEG_CATEGORIES[s.category].name for key, s in truth.segments.items()}
    assert names == {3: "wall", 7: "person", 200: "other_machine"}
    assert [s.isthing for s in truth.segments.values()] == [False, True, False]
    # An object that has left is no error, and is not among the segments of the frame.
    assert read_ground_truth(record, 2).segments.keys() == {7, 200}


def test_viposeg_val_gives_objects_where_they_appear(viposeg: Path, name: str):
    register_viposeg(viposeg, name=name)
    (record,) = load_dataset("tree_val")
    assert record["labelled"] == [True] * 3
    references = record["reference_file_names"]
    assert [path and Path(path).parts[-3:] for path in references] == [
        ("Annotations", "187_WUZUSD4477I", "00000.png"),
        ("Annotations", "187_WUZUSD4477I", "00001.png"),
        None,
    ]
    assert read_label_map(references[1], "index")[0].tolist() == GIVEN["00001"]
    assert read_ground_truth(record, 1).ids[0].tolist() == COLUMNS[1]


def test_viposeg_frames_are_those_with_objects(viposeg: Path, name: str):
    """As the official program does: pictures that no object of meta.json names are left out."""
    folder = viposeg / "valid" / "JPEGImages" / "187_WUZUSD4477I"
    save_picture(folder / "00003.jpg")
    register_viposeg(viposeg, name=name)
    assert load_dataset("tree_val")[0]["image_ids"] == list(FRAMES)
    save_picture(viposeg / "train" / "JPEGImages" / "187_WUZUSD4477I" / "00003.jpg")
    (record,) = load_dataset("tree_train")
    assert record["labelled"] == [True, True, True, False]


def test_viposeg_without_public_truth(viposeg: Path, name: str):
    """Frames with references keep their table: it says what the given objects are."""
    shutil.rmtree(viposeg / "valid" / "Annotations_gt")
    register_viposeg(viposeg, name=name)
    (record,) = load_dataset("tree_val")
    assert record["labelled"] == [False] * 3
    assert record["pan_seg_file_names"] == [None] * 3
    listed = [infos and [info["id"] for info in infos] for infos in record["segments_infos"]]
    assert listed == [[3, 7, 200], [3, 7, 200], None]


VIDEO = "187_WUZUSD4477I"
# what is broken, in which split it shows, what the error must say
BAD_VIPOSEG = [
    (lambda r: (r / "train/obj_class.json").unlink(), "train", "obj_class.json does not exist"),
    (lambda r: (r / "valid/meta.json").unlink(), "val", "meta.json"),
    (
        lambda r: edit_json(r / "train/obj_class.json", lambda c: c[VIDEO].update({"3": 124})),
        "train",
        "expected a class of the 124 from 0 to 123 for object 3",
    ),
    (
        lambda r: edit_json(r / "train/obj_class.json", lambda c: c[VIDEO].update({"255": 1})),
        "train",
        "numbers of objects in 1..254",
    ),
    (
        lambda r: edit_json(r / "train/obj_class.json", lambda c: c[VIDEO].update({"x": 1})),
        "train",
        "expected a number in",
    ),
    (
        lambda r: edit_json(r / "train/obj_class.json", lambda c: c.clear()),
        "train",
        "expected videos in",
    ),
    (
        lambda r: edit_json(r / "valid/meta.json", lambda c: c["videos"].clear()),
        "val",
        f"expected video {VIDEO} of",
    ),
    (
        lambda r: (r / f"valid/JPEGImages/{VIDEO}/00001.jpg").unlink(),
        "val",
        "expected a picture of frame 00001",
    ),
    (
        lambda r: shutil.rmtree(r / f"train/JPEGImages/{VIDEO}"),
        "train",
        "expected a folder of frames",
    ),
    (
        lambda r: [p.unlink() for p in (r / f"train/JPEGImages/{VIDEO}").iterdir()],
        "train",
        "expected pictures (.jpg .jpeg .png) in",
    ),
    (
        lambda r: [p.unlink() for p in (r / f"valid/Annotations/{VIDEO}").iterdir()],
        "val",
        f"expected masks that are given for video {VIDEO}, got none",
    ),
    (
        lambda r: save_index(r / f"valid/Annotations/{VIDEO}/00009.png", COLUMNS[0]),
        "val",
        "00009.png, got none of this name among 3 frames",
    ),
    (
        lambda r: (r / f"train/JPEGImages/{VIDEO}/00000.jpg").write_bytes(b"no picture"),
        "train",
        "00000.jpg",
    ),
]


@pytest.mark.parametrize(
    ("damage", "split", "message"), BAD_VIPOSEG, ids=[message for *_, message in BAD_VIPOSEG]
)
def test_bad_viposeg(viposeg: Path, name: str, damage: Callable, split: str, message: str):
    damage(viposeg)
    register_viposeg(viposeg, name=name)
    with pytest.raises(InputError) as caught:
        load_dataset(f"tree_{split}")
    assert message in str(caught.value)
    assert str(viposeg) in str(caught.value) or VIDEO in str(caught.value)


# the first mask's columns, how it is stored, coding, what is read
CODINGS = [
    ([0, 1, 2, 254, 255, 0], True, "index", [0, 1, 2, 254, 0, 0], "255 is void"),
    ([0, 1, 2, 254, 255, 0], False, "index", [0, 1, 2, 254, 0, 0], "gray as palette"),
    ([0, 1, 2, 254, 255, 0], True, "binary", [0, 1, 1, 1, 1, 0], "all above 0 is one"),
    ([0, 255, 255, 0, 0, 0], False, "binary", [0, 1, 1, 0, 0, 0], "DAVIS 2016 as published"),
]


@pytest.mark.parametrize(
    ("columns", "palette", "coding", "expected", "remark"), CODINGS, ids=[c[-1] for c in CODINGS]
)
def test_label_codings(tmp_path: Path, columns, palette, coding, expected, remark):
    save_index(tmp_path / "mask.png", columns, palette=palette)
    ids = read_label_map(tmp_path / "mask.png", coding)
    assert ids.dtype == "int32"
    assert ids.tolist() == [expected] * HEIGHT


def test_unlisted_objects_and_other_pictures_are_errors(viposeg: Path, name: str):
    register_viposeg(viposeg, name=name)
    (record,) = load_dataset("tree_train")
    path = Path(record["pan_seg_file_names"][0])
    save_index(path, [0, 0, 200, 3, 4, 5])
    with pytest.raises(InputError, match=rf"objects 4, 5 are painted in {path}, but video {VIDEO}"):
        read_ground_truth(record, 0)
    save_index(path, [0, 0, 200])
    with pytest.raises(InputError, match=rf"expected a mask of 4x6 .* got 4x3 in {path}"):
        read_ground_truth(record, 0)
    save_picture(path)
    with pytest.raises(InputError, match=rf"expected a palette PNG .* got 8-bit RGB in {path}"):
        read_ground_truth(record, 0)


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    """Two sequences in the form of DAVIS 2017; bee is in test-dev, too, where only frame 0 has a
    mask.
    """
    root = tmp_path / "DAVIS"
    for sequence in ("ant", "bee", "cow"):
        for frame, columns in zip(FRAMES, ([0, 2, 2, 5, 5, 255], [2] * 6, [0] * 6)):
            save_picture(root / "JPEGImages" / "480p" / sequence / f"{frame}.jpg")
            if sequence != "cow" or frame == FRAMES[0]:
                save_index(root / "Annotations" / "480p" / sequence / f"{frame}.png", columns)
    for file, lines in (
        ("2017/train", "ant\n"),
        ("2017/val", "bee\nant\n"),
        ("2017/test-dev", "cow"),
        ("2016/val", "ant\n"),
        # DAVIS 2016's own lists, beside those of 2017
        ("480p/train", "/JPEGImages/480p/bee/00000.jpg /Annotations/480p/bee/00000.png\n" * 2),
    ):
        path = root / "ImageSets" / f"{file}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines)
    return root


def test_davis_2017(davis: Path, name: str):
    register_davis(davis, name=name)
    records = load_dataset("tree_val")
    assert [record["video_id"] for record in records] == ["bee", "ant"]
    assert records[0]["label_coding"] == "index"
    truth = read_ground_truth(records[0], 0)
    assert truth.ids[0].tolist() == [0, 2, 2, 5, 5, 0]
    assert truth.segments.keys() == {2, 5}
    assert read_ground_truth(records[0], 2).segments == {}
    save_index(davis / "Annotations/480p/bee/00001.png", [0, 2, 7, 5, 9, 255])
    truth = read_ground_truth(records[0], 1)  # 7 and 9 are not in the first mask
    assert truth.ids[0].tolist() == [0, 2, 0, 5, 0, 0]
    assert truth.segments.keys() == {2, 5}
    (record,) = load_dataset("tree_test_dev")
    assert record["labelled"] == [False] * 3
    assert record["reference_file_names"][1:] == [None, None]
    assert [info["id"] for info in record["segments_infos"][0]] == [2, 5]


def test_davis_2016_has_one_object(davis: Path, name: str):
    register_davis(davis, year=2016, name=name)
    assert [record["video_id"] for record in load_dataset("tree_train")] == ["bee"]
    (record,) = load_dataset("tree_val")
    truth = read_ground_truth(record, 0)
    assert truth.ids[0].tolist() == [0, 1, 1, 1, 1, 1]
    assert truth.segments[1].isthing


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda r: (r / "ImageSets/2017/val.txt").unlink(),
            "ImageSets/2017/val.txt does not exist",
        ),
        (lambda r: (r / "ImageSets/2017/val.txt").write_text("\n"), "expected names of sequences"),
        (
            lambda r: (r / "Annotations/480p/bee/00000.png").unlink(),
            "expected a mask of the first frame of sequence bee",
        ),
        (lambda r: (r / "ImageSets/2017/val.txt").write_text("elk"), "JPEGImages/480p/elk"),
        (
            lambda r: (r / "Annotations/480p/bee/00000.png").write_bytes(b""),
            "expected a PNG in",
        ),
    ],
)
def test_bad_davis(davis: Path, name: str, damage: Callable, message: str):
    damage(davis)
    register_davis(davis, name=name)
    with pytest.raises(InputError) as caught:
        load_dataset("tree_val")
    assert message in str(caught.value)


def test_there_is_no_davis_2018():
    with pytest.raises(InputError, match="2016 or 2017, got 2018"):
        register_davis(year=2018)


@pytest.fixture
def youtube(tmp_path: Path) -> Path:
    """Every fifth frame of the film is listed; object 7 comes in frame 00005."""
    root, video = tmp_path / "YouTubeVOS", "0062f687f1"
    listed = ("00005", "00010", "00015")
    for frame, columns in zip(listed, COLUMNS):
        for folder in ("train", "valid"):
            save_picture(root / folder / "JPEGImages" / video / f"{frame}.jpg")
        save_index(root / "train" / "Annotations" / video / f"{frame}.png", columns)
    for frame, columns in zip(listed, GIVEN.values()):
        save_index(root / "valid" / "Annotations" / video / f"{frame}.png", columns)
    for t in range(20):
        save_picture(root / "valid_all_frames" / "JPEGImages" / video / f"{t:05d}.jpg")
    objects = {
        number: {"category": "sedan", "frames": [listed[int(frame)] for frame in frames]}
        for number, frames in APPEARANCES.items()
    }
    for folder in ("train", "valid"):
        save_json(root / folder / "meta.json", {"videos": {video: {"objects": objects}}})
    return root


def test_youtube_vos(youtube: Path, name: str):
    register_youtube_vos(youtube, name=name)
    (train,), (val,) = load_dataset("tree_train"), load_dataset("tree_val")
    assert train["image_ids"] == val["image_ids"] == ["00005", "00010", "00015"]
    assert train["labelled"] == [True] * 3
    assert val["labelled"] == [False] * 3
    assert [path is not None for path in val["reference_file_names"]] == [True, True, False]
    assert train["object_names"] == {3: "sedan", 7: "sedan", 200: "sedan"}
    assert read_ground_truth(train, 0).ids[0].tolist() == COLUMNS[0]
    assert "output_frames" not in val


def test_all_frames_of_youtube_vos(youtube: Path, name: str):
    register_youtube_vos(youtube, name=name, all_frames=True)
    (record,) = load_dataset("tree_val")
    assert record["image_ids"] == [f"{t:05d}" for t in range(5, 16)]
    assert [t for t in range(11) if record["output_frames"][t]] == [0, 5, 10]
    given = [t for t in range(11) if record["reference_file_names"][t]]
    assert given == [0, 5]
    assert len(load_dataset("tree_train")[0]["image_ids"]) == 3


def test_held_masks_and_vosw(youtube: Path, name: str):
    """Masks of all frames, for those who have them, make valid videos fit to be scored."""
    shutil.copytree(youtube / "train" / "Annotations", youtube / "valid" / "Annotations_gt")
    register_vosw(youtube, name=name)
    (record,) = load_dataset("tree_val")
    assert record["labelled"] == [True] * 3
    assert read_ground_truth(record, 2).segments.keys() == {7, 200}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda r: (r / "valid/meta.json").unlink(), "meta.json does not exist"),
        (
            lambda r: edit_json(r / "valid/meta.json", lambda c: c["videos"].clear()),
            "expected videos in",
        ),
        (
            lambda r: edit_json(
                r / "valid/meta.json",
                lambda c: c["videos"]["0062f687f1"]["objects"]["7"].update(frames=[]),
            ),
            "expected a list of frames in",
        ),
        (
            lambda r: edit_json(
                r / "valid/meta.json", lambda c: c["videos"]["0062f687f1"]["objects"].clear()
            ),
            "expected frames of video 0062f687f1, got none",
        ),
    ],
)
def test_bad_youtube_vos(youtube: Path, name: str, damage: Callable, message: str):
    damage(youtube)
    register_youtube_vos(youtube, name=name)
    with pytest.raises(InputError) as caught:
        load_dataset("tree_val")
    assert message in str(caught.value)


def test_real_davis(shared_dir: Path, tmp_path: Path, name: str):
    """Pictures and masks as they are downloaded; the lists are made here."""
    source, root = shared_dir / "data" / "davis2016", tmp_path / "DAVIS"
    sequences = sorted(path.name for path in (source / "JPEGImages" / "480p").iterdir())
    (root / "ImageSets" / "2016").mkdir(parents=True)
    for folder in ("JPEGImages", "Annotations"):
        (root / folder).symlink_to(source / folder)
    (root / "ImageSets" / "2016" / "val.txt").write_text("\n".join(sequences))
    register_davis(root, year=2016, name=name)
    records = load_dataset("tree_val")
    assert [record["video_id"] for record in records] == sequences
    assert {record["height"] for record in records} == {480}
    for record in records:
        truth = read_ground_truth(record, 0)
        assert truth.segments.keys() == {1}
        assert 0.001 < (truth.ids == 1).mean() < 0.6
