"""Cityscapes-VPS, VIPER and VIPSeg, in the layout that their preparation leaves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dataset_trees import (
    HEIGHT,
    WIDTH,
    category_rows,
    edit_json,
    flat_json,
    save_ids,
    save_json,
    save_picture,
    segments,
)

from vps.data import (
    load_dataset,
    register_cityscapes_vps,
    register_viper,
    register_vipseg,
)
from vps.data.clip_sampling import make_clip_sampler, sample_clip
from vps.data.datasets import CITYSCAPES_CATEGORIES, VIPER_CATEGORIES, VIPSEG_CATEGORIES
from vps.io import read_ground_truth
from vps.structures import InputError

SIZE = {"height": HEIGHT, "width": WIDTH}
COLUMNS = [8, 8, 900, 900, 901, 0]
CITY_CLASSES = {8: 0, 900: 13, 901: 13}  # road and two cars


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """One video of each split: ten frames of film, of which frames 4 and 9 are labelled."""
    root, rows = tmp_path / "city", category_rows(CITYSCAPES_CATEGORIES, vegetation="vegitation")
    for split, video in (("train", 1), ("val", 5), ("test", 10)):
        plain = [f"munster_000003_{t:06d}" for t in range(10)]
        images = []
        for number, t in enumerate((4, 9)):
            image_id = f"{video:04d}_{6 * (video - 1) + number + 1:04d}_{plain[t]}"
            images.append(
                {
                    "id": image_id,
                    "file_name": f"{image_id}_newImg8bit.png",
                    "png": f"{image_id}_final_mask.png",
                    "columns": COLUMNS,
                    "classes": CITY_CLASSES,
                }
            )
            if split != "test":
                save_picture(root / split / "img" / images[-1]["file_name"])
                save_ids(root / split / "panoptic_video" / images[-1]["png"], COLUMNS)
        content = flat_json(images, rows)
        save_json(root / f"panoptic_im_{split}_city_vps.json", {"images": content["images"]})
        if split != "test":
            save_json(root / f"panoptic_gt_{split}_city_vps.json", content)
        if split != "train":
            film = [
                {"id": 10000 * video + t + 1, "file_name": f"{n}_leftImg8bit.png", **SIZE}
                for t, n in enumerate(plain)
            ]
            # The file may list them in any order.
            save_json(root / f"im_all_info_{split}_city_vps.json", {"images": film[::-1]})
            for entry in film:
                save_picture(root / split / "img_all" / entry["file_name"])
    return root


def test_cityscapes_frames_in_between(city: Path, name: str):
    register_cityscapes_vps(city, name=name)
    (record,) = load_dataset("tree_val")
    assert (record["video_id"], record["length"]) == ("0005", 10)
    assert [t for t in range(10) if record["labelled"][t]] == [4, 9]
    assert record["output_frames"] == record["labelled"]
    assert record["image_ids"][3:5] == [
        "munster_000003_000003",
        "0005_0025_munster_000003_000004",
    ]
    assert [Path(path).name for path in record["file_names"]] == [
        f"munster_000003_{t:06d}_leftImg8bit.png" for t in range(10)
    ]
    assert "frame_numbers" not in record  # none is left out
    truth = read_ground_truth(record, 4)
    assert truth.ids[0].tolist() == COLUMNS
    names = {key: CITYSCAPES_CATEGORIES[s.category].name for key, s in truth.segments.items()}
    assert names == {8: "road", 900: "car", 901: "car"}
    with pytest.raises(InputError, match="no ground truth"):
        read_ground_truth(record, 5)


def test_cityscapes_train_has_labelled_frames_and_their_numbers(city: Path, name: str):
    register_cityscapes_vps(city, name=name)
    (record,) = load_dataset("tree_train")
    assert record["labelled"] == [True, True]
    assert record["frame_numbers"] == [4, 9]


def test_cityscapes_test_has_no_labels(city: Path, name: str):
    register_cityscapes_vps(city, name=name)
    (record,) = load_dataset("tree_test")
    assert not any(record["labelled"])
    assert [t for t in range(10) if record["output_frames"][t]] == [4, 9]
    assert record["image_ids"][9] == "0010_0056_munster_000003_000009"


def test_cityscapes_without_the_sequences(city: Path, name: str, caplog: pytest.LogCaptureFixture):
    (city / "im_all_info_val_city_vps.json").unlink()
    register_cityscapes_vps(city, name=name)
    with caplog.at_level(logging.WARNING):
        (record,) = load_dataset("tree_val")
    assert record["labelled"] == [True, True]
    assert "labelled frames alone" in caplog.text


def test_cityscapes_nested_file(city: Path, name: str):
    """The other form of the file that is about: grouped by video."""

    def nest(content: dict) -> None:
        images, annotations = content.pop("images"), content.pop("annotations")
        content["videos"] = [{"video_id": "0001", "images": images}]
        content["annotations"] = [{"video_id": "0001", "annotations": annotations}]

    register_cityscapes_vps(city, name=name)
    flat = load_dataset("tree_train")
    edit_json(city / "panoptic_gt_train_city_vps.json", nest)
    assert load_dataset("tree_train") == flat


def _image(content: dict) -> dict:
    return content["images"][0]


# file, what is broken in it, what the error must say
BAD_CITY = [
    (
        "panoptic_gt_train_city_vps.json",
        lambda c: c["categories"][8].update(name="vegetaton"),
        "'vegetation', as category 8 was registered, got 'vegetaton' at categories[8].name",
    ),
    (
        "panoptic_gt_train_city_vps.json",
        lambda c: c["annotations"][0].update(image_id="0001_9999_x"),
        "an image id of video '0001', got '0001_9999_x' at annotations[0].image_id",
    ),
    (
        "panoptic_gt_train_city_vps.json",
        lambda c: c["annotations"][0].update(image_id="0002_9999_x"),
        "an image id that the field images lists, got '0002_9999_x' at annotations[0].image_id",
    ),
    (
        "panoptic_gt_train_city_vps.json",
        lambda c: c.update(images=[], annotations=[]),
        "at least one video, got [] at images",
    ),
    (
        "panoptic_gt_train_city_vps.json",
        lambda c: _image(c).update(file_name="x.png"),
        "x.png, which does not at images[0].file_name",
    ),
    (
        "im_all_info_val_city_vps.json",
        lambda c: _image(c).update(id=7),
        "a whole number >= 10001, got 7 at images[0].id",
    ),
    (
        "im_all_info_val_city_vps.json",
        lambda c: c["images"][1].update(id=_image(c)["id"]),
        "50010 a second time at images[1].id",
    ),
    (
        "im_all_info_val_city_vps.json",
        lambda c: c["images"].pop(0),
        "expected frame munster_000003_000009 of video 0005",
    ),
    (
        "im_all_info_val_city_vps.json",
        lambda c: _image(c).update(width=7),
        "frames of one size (height, width) in video 0005",
    ),
    ("panoptic_im_test_city_vps.json", lambda c: c.update(images=[]), "expected images in"),
]


@pytest.mark.parametrize(("file", "change", "message"), BAD_CITY, ids=[m for *_, m in BAD_CITY])
def test_bad_cityscapes(city: Path, name: str, file: str, change: Callable, message: str):
    edit_json(city / file, change)
    register_cityscapes_vps(city, name=name)
    with pytest.raises(InputError) as caught:
        load_dataset(f"tree_{file.split('_')[-3]}")
    assert message in str(caught.value)
    assert file in str(caught.value)


@pytest.fixture
def viper(tmp_path: Path) -> Path:
    root = tmp_path / "viper"
    for folder, first in (("train", 12), ("val_day", 1)):
        images = []
        for t in (first, first + 5):
            image_id = f"007_{t:05d}"
            save_picture(root / folder / "img" / f"{image_id}.jpg")
            save_ids(root / folder / "panoptic_video" / f"{image_id}.png", COLUMNS)
            images.append(
                {
                    "id": image_id,
                    "file_name": f"{image_id}.jpg",
                    "png": f"{image_id}.png",
                    "columns": COLUMNS,
                    "classes": {8: 12, 900: 13, 901: 22},
                }
            )
        content = flat_json(images, category_rows(VIPER_CATEGORIES))
        save_json(root / f"viper_panoptic_{folder}_video.json", content)
    return root


def test_viper(viper: Path, name: str):
    register_viper(viper, name=name)
    (record,) = load_dataset("tree_train")
    assert record["video_id"] == "007"
    assert record["frame_numbers"] == [12, 17]
    assert load_dataset("tree_val")[0]["frame_numbers"] == [1, 6]
    truth = read_ground_truth(record, 1)
    names = {key: VIPER_CATEGORIES[s.category].name for key, s in truth.segments.items()}
    assert names == {8: "trash", 900: "trafficlight", 901: "truck"}
    assert {key: s.isthing for key, s in truth.segments.items()} == {8: False, 900: True, 901: True}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("00012", "first", "expected image ids that end with _ and the number of the frame in"),
        ("00012", "00018", "in the order of time, got '007_00017' behind frame 18"),
    ],
)
def test_viper_frames_have_ascending_numbers(
    viper: Path, name: str, old: str, new: str, message: str
):
    path = viper / "viper_panoptic_train_video.json"
    path.write_text(path.read_text().replace(f"007_{old}", f"007_{new}"))
    for file in viper.rglob(f"007_{old}.*"):
        file.rename(file.with_name(file.name.replace(old, new)))
    register_viper(viper, name=name)
    with pytest.raises(InputError, match=message):
        load_dataset("tree_train")


def test_pairs_are_drawn_in_the_time_of_the_film():
    """Of six frames that lie five apart only the neighbours are within five frames."""
    sampler = make_clip_sampler("pair", length=2, max_gap=5, reverse=False)
    record = {"labelled": [True] * 6, "frame_numbers": [4, 9, 14, 19, 24, 29]}
    rng = np.random.default_rng(0)
    drawn = {tuple(sample_clip(sampler, record, 2, rng)) for _ in range(50)}
    assert drawn == {(2, 1), (2, 3)}
    del record["frame_numbers"]
    drawn = {tuple(sample_clip(sampler, record, 2, rng)) for _ in range(200)}
    assert drawn == {(2, t) for t in (0, 1, 3, 4, 5)}
    record = {"labelled": [True, False, True, True], "frame_numbers": [1, 3, 4, 9]}
    sampler = make_clip_sampler("consecutive", length=3, max_gap=1, reverse=False)
    assert sample_clip(sampler, record, 2, rng) == [0, 2, 3]


@pytest.fixture
def vipseg(tmp_path: Path) -> Path:
    """A wall (category 0, which is no void), a car, and the last class, a train."""
    root, video, names = tmp_path / "VIPSeg_720P", "12_abcdefghijk", ("00000300", "00000336")
    for split in ("train", "val", "test"):
        images = []
        annotations = []
        for stem in names:
            save_picture(root / "images" / video / f"{stem}.jpg")
            images.append({"id": stem, "file_name": f"{stem}.png", **SIZE})
            if split == "test":
                continue
            save_ids(root / "panomasksRGB" / video / f"{stem}.png", COLUMNS)
            table = segments(COLUMNS, {8: 0, 900: 48, 901: 123})
            annotations.append(
                {"image_id": stem, "file_name": f"{stem}.png", "segments_info": table}
            )
        content = {
            "videos": [{"video_id": video, "images": images}],
            "annotations": [{"video_id": video, "annotations": annotations}] if annotations else [],
            "categories": category_rows(VIPSEG_CATEGORIES),
        }
        save_json(root / f"panoptic_gt_VIPSeg_{split}.json", content)
    return root


def test_vipseg(vipseg: Path, name: str):
    register_vipseg(vipseg, name=name)
    (record,) = load_dataset("tree_val")
    assert record["image_ids"] == ["00000300", "00000336"]
    assert [Path(path).suffix for path in record["file_names"]] == [".jpg", ".jpg"]
    assert "frame_numbers" not in record
    truth = read_ground_truth(record, 0)
    names = {key: VIPSEG_CATEGORIES[s.category].name for key, s in truth.segments.items()}
    assert names == {8: "wall", 900: "car", 901: "train"}
    (record,) = load_dataset("tree_test")
    assert record["labelled"] == [False, False]


@pytest.mark.parametrize(
    ("register", "split", "file"),
    [
        (register_cityscapes_vps, "train", "panoptic_gt_train_city_vps.json"),
        (register_cityscapes_vps, "test", "panoptic_im_test_city_vps.json"),
        (register_viper, "val", "viper_panoptic_val_day_video.json"),
        (register_vipseg, "test", "panoptic_gt_VIPSeg_test.json"),
    ],
)
def test_absent_data_sets(tmp_path: Path, name: str, register: Callable, split: str, file: str):
    register(tmp_path / "nowhere", name=name)
    with pytest.raises(InputError, match=rf"{file} does not exist.*DETECTRON2_DATASETS"):
        load_dataset(f"tree_{split}")
