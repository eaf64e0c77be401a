"""Every layout: what was drawn is written, prepared, registered and loaded; it must come back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from layout_worlds import (
    HEIGHT,
    WIDTH,
    check_video,
    draw,
    make_layout,
    make_splits,
    number_in_order,
)

from vps.data import load_dataset
from vps.data.datasets import (
    CITYSCAPES_CATEGORIES,
    VIPER_CATEGORIES,
    VIPSEG_CATEGORIES,
    register_cityscapes_vps,
    register_davis,
    register_viper,
    register_viposeg,
    register_vipseg,
    register_youtube_vos,
)
from vps.data.shapes_world.categories import SHAPES_CATEGORIES, THING_CLASSES
from vps.data.shapes_world.layouts import LAYOUTS
from vps.data.shapes_world.layouts.class_maps import (
    CITYSCAPES_CLASSES,
    VIPER_CLASSES,
    VIPOSEG_UNSEEN,
    VIPSEG_CLASSES,
    YOUTUBE_VOS_CLASSES,
    YOUTUBE_VOS_UNSEEN,
)
from vps.io import read_ground_truth, record_references
from vps.io.images import read_image
from vps.structures import Category, Frame, PanopticFrame, VideoRecord

ALL = range(len(SHAPES_CATEGORIES))


def contiguous(class_map: dict[int, int], categories: Sequence[Category]) -> Callable:
    """The category that the loader gives for one of Shapes-VPS."""
    positions = {category.dataset_id: index for index, category in enumerate(categories)}
    return lambda category: positions[class_map[category]] if category in class_map else None


def read_labels(record: VideoRecord) -> list[PanopticFrame]:
    """The ground truth of the labelled frames."""
    assert (record["height"], record["width"]) == (HEIGHT, WIDTH)
    return [read_ground_truth(record, t) for t, known in enumerate(record["labelled"]) if known]


@pytest.mark.parametrize(
    ("class_map", "categories"),
    [
        (CITYSCAPES_CLASSES, CITYSCAPES_CATEGORIES),
        (VIPER_CLASSES, VIPER_CATEGORIES),
        (VIPSEG_CLASSES, VIPSEG_CATEGORIES),
    ],
)
def test_things_stand_for_things_and_stuff_for_stuff(class_map: dict, categories: list):
    by_id = {category.dataset_id: category for category in categories}
    assert set(class_map) == set(ALL)
    assert len(set(class_map.values())) == len(class_map)
    for own, target in class_map.items():
        assert by_id[target].isthing == SHAPES_CATEGORIES[own].isthing


def test_cityscapes_vps(tmp_path: Path):
    root = make_layout(tmp_path / "city", "cityscapes_vps", frames=10)
    splits = make_splits("cityscapes_vps", frames=10)
    register_cityscapes_vps(root, name="rt_city")
    class_of = contiguous(CITYSCAPES_CLASSES, CITYSCAPES_CATEGORIES)
    for split, names in (("train", ["0001", "0002"]), ("val", ["0005", "0015"])):
        records = load_dataset(f"rt_city_{split}")
        assert [record["video_id"] for record in records] == names
        for video, record in enumerate(records):
            check_video(draw(splits[split], video, (4, 9)), read_labels(record), class_of)
            # All frames of val are there; of train only the labelled ones are shipped.
            labelled = [t for t, known in enumerate(record["labelled"]) if known]
            assert labelled == ([0, 1] if split == "train" else [4, 9])
            assert record["length"] == (2 if split == "train" else 10)
    test = load_dataset("rt_city_test")
    assert [record["length"] for record in test] == [10, 10]
    assert not any(any(record["labelled"]) for record in test)


def test_viper(tmp_path: Path):
    root = make_layout(tmp_path / "viper", "viper", frames=3)
    splits = make_splits("viper", frames=3)
    register_viper(root, name="rt_viper")
    class_of = contiguous(VIPER_CLASSES, VIPER_CATEGORIES)
    for split in ("train", "val"):
        records = load_dataset(f"rt_viper_{split}")
        assert len(records) == 2
        for video, record in enumerate(records):
            check_video(draw(splits[split], video, range(3)), read_labels(record), class_of)


def test_vipseg(tmp_path: Path):
    root = make_layout(tmp_path / "VIPSeg", "vipseg", frames=3)
    splits = make_splits("vipseg", frames=3)
    register_vipseg(root / "VIPSeg_720P", name="rt_vipseg")
    class_of = contiguous(VIPSEG_CLASSES, VIPSEG_CATEGORIES)
    stuff_ids: dict[int, set[int]] = {}
    for split in ("train", "val"):
        for video, record in enumerate(load_dataset(f"rt_vipseg_{split}")):
            drawn = draw(splits[split], video, range(3))
            id_of = check_video(drawn, read_labels(record), class_of)
            for frame in drawn:
                for segment_id, segment in frame.segments.items():
                    if not segment.isthing:
                        stuff_ids.setdefault(segment.category, set()).add(id_of[segment_id])
            # Pictures that have the right size are copied, not compressed again.
            name = Path(record["file_names"][0])
            source = root / "imgs" / record["video_id"] / name.name
            assert name.read_bytes() == source.read_bytes()
    assert len(stuff_ids) == 4
    for category, ids in stuff_ids.items():  # the colour of the class, in all videos
        red, green, blue = VIPSEG_CATEGORIES[VIPSEG_CLASSES[category]].color
        assert ids == {red + 256 * green + 65536 * blue}
    test = load_dataset("rt_vipseg_test")
    assert len(list((root / "VIPSeg_720P" / "panomasksRGB").iterdir())) == 4  # none for test
    assert [record["length"] for record in test] == [3, 3]
    assert not any(any(record["labelled"]) for record in test)


@pytest.mark.parametrize("converted", [False, True])
def test_viposeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, converted: bool, load_script: Callable
):
    """VIPOSeg's own layout, and the same made from VIPSeg by the script."""
    root = tmp_path / "VIPOSeg"
    if converted:
        make_layout(tmp_path / "VIPSeg", "vipseg", frames=6)
        source = str(tmp_path / "VIPSeg" / "VIPSeg_720P")
        main = load_script("datasets/prepare_viposeg.py").main
        monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
        root = tmp_path / "VIPOSeg_from_VIPSeg"  # the place of VIPOSeg itself stays free
        assert main(["--from-vipseg", source, "--workers", "1"]) == 0
        assert not (tmp_path / "VIPOSeg").exists()
        assert main(["--root", str(root), "--workers", "1"]) == 0  # which looks through it
    else:
        make_layout(root, "viposeg", frames=6)
    splits = make_splits("vipseg" if converted else "viposeg", frames=6)
    register_viposeg(root, name=f"rt_viposeg_{converted}")
    erased = 0
    for split in ("train", "val"):
        gone = VIPOSEG_UNSEEN if split == "train" else ()
        kept = {own: target for own, target in VIPSEG_CLASSES.items() if own not in gone}
        class_of = contiguous(kept, VIPSEG_CATEGORIES)
        for video, record in enumerate(load_dataset(f"rt_viposeg_{converted}_{split}")):
            drawn = draw(splits[split], video, range(6))
            id_of = check_video(drawn, read_labels(record), class_of)
            if not converted:  # the drawing's order is that of its ids, VIPSeg's that of classes
                numbers = number_in_order(drawn, ALL)
                assert id_of == {key: numbers[key] for key in id_of}
                erased += len(numbers) - len(id_of)
            check_references(record)
    assert converted or erased > 0


def test_davis(tmp_path: Path):
    root = make_layout(tmp_path / "DAVIS", "davis", frames=6)
    splits = make_splits("davis", frames=6)
    register_davis(root, name="rt_davis")
    for split in ("train", "val"):
        for video, record in enumerate(load_dataset(f"rt_davis_{split}")):
            drawn = draw(splits[split], video, range(6))
            numbers = number_in_order(drawn[:1], THING_CLASSES)
            frames = [keep_only(frame, numbers) for frame in drawn]
            id_of = check_video(frames, read_labels(record), lambda category: 0)
            assert id_of == numbers
    test = load_dataset("rt_davis_test_dev")
    assert not any(any(record["labelled"]) for record in test)
    check_references(test[0], against_labels=False)


def test_davis_2016(tmp_path: Path):
    root = make_layout(tmp_path / "DAVIS", "davis", frames=2)
    register_davis(root, year=2016, name="rt_davis2016")
    labels = read_labels(load_dataset("rt_davis2016_val")[0])
    drawn = draw(make_splits("davis", frames=2)["val"], 0, range(2))
    numbers = number_in_order(drawn[:1], THING_CLASSES)
    for expected, frame in zip(drawn, labels):
        assert np.array_equal(frame.ids > 0, np.isin(expected.ids, list(numbers)))


def test_youtube_vos(tmp_path: Path):
    root = make_layout(tmp_path / "YouTubeVOS", "ytvos", frames=4)
    splits = make_splits("ytvos", frames=4)
    register_youtube_vos(root, name="rt_ytvos")
    for split in ("train", "val"):
        gone = YOUTUBE_VOS_UNSEEN if split == "train" else ()
        objects = set(THING_CLASSES) - set(gone)
        for video, record in enumerate(load_dataset(f"rt_ytvos_{split}")):
            drawn = draw(splits[split], video, range(4))
            frames = [keep_only(frame, number_in_order(drawn, objects)) for frame in drawn]
            shown = [frame for frame in frames if frame.segments]  # others are not listed
            id_of = check_video(shown, read_labels(record), lambda category: 0)
            assert id_of == number_in_order(drawn, objects)
            category = {k: s.category for frame in drawn for k, s in frame.segments.items()}
            names = {n: YOUTUBE_VOS_CLASSES[category[key]] for key, n in id_of.items()}
            assert record["object_names"] == names
            check_references(record)
    register_youtube_vos(root, name="rt_ytvos_film", all_frames=True)
    record = load_dataset("rt_ytvos_film_val")[0]
    assert record["length"] == 16
    assert [t for t, wanted in enumerate(record["output_frames"]) if wanted] == [0, 5, 10, 15]
    listed = root / "valid" / "JPEGImages" / record["video_id"] / "00005.jpg"
    assert np.array_equal(read_image(record["file_names"][5]), read_image(listed))


def keep_only(frame: PanopticFrame, kept: dict[int, int]) -> PanopticFrame:
    """A frame without the other segments."""
    segments = {key: value for key, value in frame.segments.items() if key in kept}
    ids = np.where(np.isin(frame.ids, list(segments)), frame.ids, 0).astype(np.int32)
    return PanopticFrame(frame.frame_id, ids, segments)


def check_references(record: VideoRecord, *, against_labels: bool = True) -> None:
    """Every object is given once, where it appears first, with the mask that it has there."""
    references, known = record_references(record), set()
    for t, image_id in enumerate(record["image_ids"]):
        given = references(Frame(image_id, read_image(record["file_names"][t])))
        new = set(given.segments) if given is not None else set()
        assert not new & known
        if against_labels:
            truth = read_ground_truth(record, t)
            assert new == truth.segments.keys() - known
            for number in new:
                assert np.array_equal(given.ids == number, truth.ids == number)
        known |= new
    assert known


@pytest.mark.parametrize("fault", ["identity", "class", "region", "background"])
def test_the_comparison_of_these_tests_sees_faults(fault: str):
    """The witness of all above: what differs from the drawing does not pass."""
    split = make_splits("vipseg", frames=2)["train"]
    drawn, loaded = draw(split, 0, range(2)), draw(split, 0, range(2))
    things = [key for key, segment in loaded[1].segments.items() if segment.isthing]
    ids = loaded[1].ids
    check_video(drawn, loaded, lambda category: category)
    if fault == "identity":
        one, two = (ids == thing for thing in things[:2])
        ids[one], ids[two] = things[1], things[0]
    elif fault == "class":
        loaded[1].segments[things[0]] = loaded[1].segments[things[0]]._replace(category=7)
    elif fault == "region":
        ids[tuple(np.argwhere(ids == things[0])[0])] = things[1]
    else:
        ids[tuple(np.argwhere(ids == 0)[0])] = things[0]
    with pytest.raises(AssertionError):
        check_video(drawn, loaded, lambda category: category)


def test_every_layout_is_tried_here():
    assert set(LAYOUTS) == {"cityscapes_vps", "viper", "vipseg", "viposeg", "davis", "ytvos"}


def test_shipped_files_of_cityscapes_are_as_described(tmp_path: Path):
    """The image list, the film and the names of files, of a video of full length."""
    root = make_layout(tmp_path / "city", "cityscapes_vps", frames=30, videos=1, raw=True)
    images = json.loads((root / "panoptic_im_val_city_vps.json").read_text())["images"]
    assert [image["id"].split("_")[:2] for image in images] == [
        ["0005", f"{number:04d}"] for number in range(25, 31)
    ]
    originals = [image["file_name"].endswith("_leftImg8bit.png") for image in images]
    assert originals == [False, False, False, True, False, False]
    numbers = [int(image["id"][-6:]) for image in images]
    assert np.diff(numbers).tolist() == [5] * 5
    film = json.loads((root / "im_all_info_val_city_vps.json").read_text())["images"]
    assert [image["id"] for image in film] == [50000 + t for t in range(1, 31)]
    assert not (root / "panoptic_gt_val_city_vps.json").exists()
    assert not (root / "val" / "panoptic_video").exists()
