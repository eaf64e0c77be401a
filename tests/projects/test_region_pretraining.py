"""Regions of pictures without labels: they are cut where colours change, and a network trains on
them as on any data set of one's own.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import vps.modeling  # noqa: F401
from vps.config import load_config
from vps.d2.modeling import build_model
from vps.data import build_train_loader, load_dataset, register_folder_dataset
from vps.io import read_ground_truth, read_image


@pytest.fixture(scope="module")
def make_regions(load_script):
    return load_script("projects/region_pretraining/make_regions.py")


def quarters(height: int = 40, width: int = 60) -> np.ndarray:
    """Four rectangles 1..4 of very different sizes, int32 [H, W]."""
    labels = np.ones((height, width), np.int32)
    labels[:, width // 4 :] = 2
    labels[height // 2 :, : width // 4] = 3
    labels[height // 2 :, width - 10 :] = 4
    return labels


def paint(labels: np.ndarray, seed: int = 0) -> Image.Image:
    """Every label in a colour of its own, with a little noise."""
    colors = np.array([[0, 0, 0], [220, 40, 40], [40, 200, 60], [50, 60, 210], [230, 220, 50]])
    noise = np.random.default_rng(seed).integers(-4, 5, (*labels.shape, 3))
    return Image.fromarray((colors[labels] + noise).clip(0, 255).astype(np.uint8))


def test_colours_are_found_and_numbered_from_the_upper_left(make_regions):
    labels = quarters()
    regions = make_regions.cut_regions(paint(labels), scale=300, blur=0)
    assert regions.dtype == np.int32
    np.testing.assert_array_equal(regions, labels)


def test_a_slope_is_no_edge_and_a_step_is(make_regions):
    slope = np.linspace(0, 200, 80)[None].repeat(20, axis=0)
    picture = np.where(np.arange(80) < 60, slope, slope - 60)[..., None].repeat(3, axis=2)
    regions = make_regions.cut_regions(Image.fromarray(picture.astype(np.uint8)), scale=300, blur=0)
    np.testing.assert_array_equal(regions, np.where(np.arange(80) < 60, 1, 2)[None].repeat(20, 0))


def test_larger_scales_cut_less_and_least_joins_specks(make_regions):
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    picture = Image.fromarray(noise)
    numbers = [
        make_regions.cut_regions(picture, scale=scale, blur=1, least=0).max()
        for scale in (10, 100, 1000, 100000)
    ]
    assert numbers == sorted(numbers, reverse=True) and numbers[0] > numbers[1] > numbers[-1] == 1
    regions = make_regions.cut_regions(picture, scale=10, blur=1, least=0.02)
    assert np.bincount(regions.ravel())[1:].min() >= 0.02 * regions.size
    assert regions.max() > 1


def test_regions_are_connected(make_regions):
    noise = np.random.default_rng(2).integers(0, 256, (30, 30, 3), np.uint8)
    regions = make_regions.cut_regions(Image.fromarray(noise), scale=200, blur=1, least=0.01)
    for region in range(1, regions.max() + 1):
        inside = regions == region
        reached = np.zeros_like(inside)
        reached.flat[np.flatnonzero(inside)[0]] = True
        for _ in range(regions.size):
            wider = reached.copy()
            wider[1:] |= reached[:-1]
            wider[:-1] |= reached[1:]
            wider[:, 1:] |= reached[:, :-1]
            wider[:, :-1] |= reached[:, 1:]
            wider &= inside
            if (wider == reached).all():
                break
            reached = wider
        np.testing.assert_array_equal(reached, inside)


@pytest.fixture
def pictures(tmp_path):
    """Three pictures in two folders, and one in a folder that is left out."""
    for seed, name in enumerate(("a/0.png", "a/1.png", "b/0.png", "c/0.png")):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        paint(quarters(80, 120), seed).save(path)
    return tmp_path / "pictures"


def arguments(pictures, root, *more: str) -> list[str]:
    """Of a command line."""
    given = ["--source", str(pictures), "--root", str(root), "--workers", "1"]
    return [*given, "--long-side", "60", "--blur", "0", "--leave-out", "c", *more]


def test_two_pictures_of_one_name_are_refused(make_regions, pictures, tmp_path, capsys):
    (pictures / "a-b").mkdir()
    paint(quarters(80, 120), 0).save(pictures / "a-b" / "0.png")
    paint(quarters(80, 120), 0).save(pictures / "a" / "b-0.png")
    assert make_regions.main(arguments(pictures, tmp_path / "out")) == 2
    assert "both become the video a-b-0" in capsys.readouterr().err


def test_the_tool_makes_a_data_set_once(make_regions, pictures, tmp_path, capsys):
    root = tmp_path / "regions"
    assert make_regions.main(arguments(pictures, root, "--scales", "300", "3000")) == 0
    assert "6 prepared now" in capsys.readouterr().err
    register_folder_dataset("regions_of_a_test", root)
    records = {record["video_id"]: record for record in load_dataset("regions_of_a_test")}
    names = [f"{name}-{scale}" for name in ("a-0", "a-1", "b-0") for scale in (300, 3000)]
    assert list(records) == names
    truth = read_ground_truth(records["a-0-300"], 0)
    assert read_image(records["a-0-300"]["file_names"][0]).shape == (40, 60, 3)  # shrunk
    changed = truth.ids - 1000 != quarters()  # rims are mixed where pictures are shrunk
    assert changed.mean() < 0.05
    assert truth.segments.keys() == {1001, 1002, 1003, 1004}
    assert all(segment.isthing for segment in truth.segments.values())
    assert make_regions.main(arguments(pictures, root, "--scales", "300", "3000")) == 0
    assert "0 prepared now" in capsys.readouterr().err


def test_the_config_trains_on_it(make_regions, pictures, tmp_path, repository):
    root = tmp_path / "regions"
    assert make_regions.main(arguments(pictures, root, "--scales", "300")) == 0
    options = ["DATASETS.FOLDERS", f"[['regions_to_train_on', '{root}']]"]
    options += ["DATASETS.TRAIN", "('regions_to_train_on',)", "MODEL.VOS.NETWORK.WINDOW", "3"]
    options += ["MODEL.VOS.NETWORK.ENCODER_WIDTH", "0.25", "INPUT.CROP.SIZE", "[33,49]"]
    for path in sorted((repository / "projects" / "region_pretraining").glob("*.yaml")):
        cfg = load_config(path, [*options, "SOLVER.IMS_PER_BATCH", "1"])
        (sample,) = next(iter(build_train_loader(cfg)))
        assert len(sample["segments"]) >= 2
        torch.manual_seed(0)
        losses = build_model(cfg)([sample])
        assert all(torch.isfinite(loss) for loss in losses.values())
        assert losses["loss_cross_entropy"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--leave-out", "d"], "--leave-out: expected folders among ['a', 'b', 'c'], got d"),
        (["--leave-out", "a", "b", "c"], "expected pictures"),
        (["--scales", "0"], "expected --scales of at least 1"),
        (["--long-side", "8"], "--long-side of at least 16"),
        (["--least", "1"], "--least in [0, 1)"),
        (["--source", "nowhere"], "expected folders of pictures, got the folder nowhere"),
    ],
)
def test_what_is_wrong_is_said(make_regions, pictures, tmp_path, capsys, options, message):
    root = tmp_path / "regions"
    assert make_regions.main(arguments(pictures, root, *options)) == 2
    assert message in capsys.readouterr().err
    assert not root.exists()


def test_a_damaged_picture_leaves_nothing_half_done(make_regions, pictures, tmp_path, capsys):
    (pictures / "b" / "0.png").write_bytes(b"no picture")
    root = tmp_path / "regions"
    assert make_regions.main(arguments(pictures, root, "--scales", "300")) == 2
    assert "b/0.png" in capsys.readouterr().err
    assert not (root / "panoptic.json").exists()
    assert not list((root / "frames").glob("b-*"))
