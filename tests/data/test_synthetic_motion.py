"""Frames made of one picture: picture and ids move together, and as far as asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vps.data.synthetic_motion import SyntheticMotion, make_mesh, thin_plate_spline
from vps.structures import InputError

SIZE = (48, 56)
PAD = (9, 9, 9)
STILL = SyntheticMotion(
    SIZE,
    clip_flip=0,
    frame_flip=0,
    rotation=0,
    shift=0,
    scale=(1, 1),
    shear=0,
    area=(1, 1),
    ratio=(60 / 48, 60 / 48),
    pad_color=PAD,
)
MOTIONS = {
    "all": SyntheticMotion(SIZE, pad_color=PAD),
    "spline": SyntheticMotion(SIZE, spline_probability=1.0, pad_color=PAD),
    "cubic": SyntheticMotion(SIZE, interpolation="bicubic", pad_color=PAD),
    "large": SyntheticMotion((20, 24), pad_color=PAD),
}


@pytest.fixture
def picture() -> tuple[np.ndarray, np.ndarray]:
    """A picture of 48x60 whose colours tell its ids: colour = (id, id, id)."""
    ids = np.full((48, 60), 100, np.int32)
    ids[8:24, 10:30], ids[26:44, 34:56] = 180, 250
    return np.repeat(ids[..., None], 3, axis=2).astype(np.uint8), ids


@pytest.mark.parametrize("name", MOTIONS)
def test_picture_and_ids_go_the_same_way(name: str, picture):
    for seed in range(4):
        images, ids = MOTIONS[name](*picture, 5, np.random.default_rng(seed))
        assert images.shape == (5, *MOTIONS[name].size, 3)
        assert images.dtype == np.uint8
        assert ids.shape == images.shape[:3]
        assert ids.dtype == np.int32
        assert set(np.unique(ids)) <= {0, 100, 180, 250}
        outside = (images == PAD).all(axis=-1)
        assert np.array_equal(ids == 0, outside) or ((ids == 0) != outside).mean() < 0.01
        # Blended at borders, a colour is still nearer to its own id than to the others.
        agree = np.abs(images[..., 0].astype(int) - ids) <= 40
        assert agree[ids != 0].mean() > 0.9


def test_without_motion_it_is_the_picture(picture):
    still = replace(STILL, size=(48, 60))
    images, ids = still(*picture, 3, np.random.default_rng(0))
    for t in range(3):
        assert np.array_equal(images[t], picture[0])
        assert np.array_equal(ids[t], picture[1])


def test_ids_beyond_bytes_survive(picture):
    ids = picture[1] * 60_000
    made = replace(STILL, size=(48, 60))(picture[0], ids, 1, np.random.default_rng(0))[1]
    assert np.array_equal(made[0], ids)


def test_the_flip_of_the_clip_is_common_and_that_of_frames_is_not(picture):
    common = replace(STILL, size=(48, 60), clip_flip=1.0)
    assert np.array_equal(common(*picture, 2, np.random.default_rng(0))[1][1], picture[1][:, ::-1])
    single = replace(STILL, size=(48, 60), frame_flip=1.0)
    ids = single(*picture, 3, np.random.default_rng(0))[1]
    assert np.array_equal(ids[0], picture[1])  # the reference does not move
    assert np.array_equal(ids[1], picture[1][:, ::-1])
    assert np.array_equal(ids[2], picture[1][:, ::-1])


def centre(ids: np.ndarray, key: int) -> np.ndarray:
    rows, columns = np.nonzero(ids == key)
    return np.array([columns.mean(), rows.mean()])


def angle(ids: np.ndarray) -> float:
    x, y = centre(ids, 250) - centre(ids, 180)
    return np.rad2deg(np.arctan2(y, x))


@pytest.mark.parametrize(
    ("change", "measure", "low", "high"),
    [
        ({"rotation": 20.0}, angle, -20, 20),
        ({"shift": 0.1}, lambda ids: centre(ids, 180)[0], -6, 6),
        ({"shift": 0.1}, lambda ids: centre(ids, 180)[1], -4.8, 4.8),
    ],
)
def test_ranges_of_the_affine_motion(change: dict, measure, low: float, high: float, picture):
    """Measured on the frames made: within the range, and over most of it."""
    motion = replace(STILL, size=(48, 60), **change)
    _, ids = motion(*picture, 60, np.random.default_rng(0))
    moved = np.array([measure(frame) for frame in ids[1:]]) - measure(ids[0])
    assert low - 1 <= moved.min() < 0.6 * low
    assert 0.6 * high < moved.max() <= high + 1


def test_zoom_and_shear(picture):
    ids = replace(STILL, size=(48, 60), scale=(1.1, 1.1))(*picture, 2, np.random.default_rng(0))[1]
    zoom = np.linalg.norm(centre(ids[1], 250) - centre(ids[1], 180)) / np.linalg.norm(
        centre(ids[0], 250) - centre(ids[0], 180)
    )
    assert abs(zoom - 1.1) < 0.03
    made = replace(STILL, size=(48, 60), shear=10.0)(*picture, 9, np.random.default_rng(0))[1]
    assert np.std([angle(frame) for frame in made[1:]]) > 1


def test_crops_have_the_area_asked_for(picture):
    """What of a picture of positions is left in a frame tells the box that fills it."""
    y, x = np.mgrid[:48, :60]
    image = np.stack([x, y, x], axis=-1).astype(np.uint8)
    motion = replace(STILL, area=(0.5, 0.6), ratio=(0.75, 4 / 3))
    for seed in range(20):
        frame = motion(image, picture[1], 1, np.random.default_rng(seed))[0][0].astype(float)
        width, height = np.ptp(frame[..., 0]) + 1, np.ptp(frame[..., 1]) + 1
        assert 0.45 < width * height / (48 * 60) < 0.65
        assert 0.7 < width / height < 1.4


def test_a_large_picture_is_smoothed_before_it_is_sampled():
    """A fine checkerboard becomes gray: sampled at points it would flicker black and white."""
    board = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    image, ids = np.repeat(board[..., None], 3, axis=2), np.ones((512, 512), np.int32)
    frames = SyntheticMotion((32, 32))(image, ids, 3, np.random.default_rng(0))[0]
    assert 100 < np.median(frames) < 160
    assert frames[0].std() < 20


def test_a_spline_takes_its_points_there_and_bends_nothing_for_an_affine_map():
    rng = np.random.default_rng(0)
    sources, targets = rng.random((12, 2)) * 50, rng.random((12, 2)) * 50
    spline = thin_plate_spline(sources, targets)
    assert np.allclose(spline(sources), targets, atol=1e-6)
    matrix, points = np.array([[1.2, 0.3], [-0.1, 0.9]]), rng.random((30, 2)) * 50
    affine = thin_plate_spline(sources, sources @ matrix + (3, -2))
    assert np.allclose(affine(points), points @ matrix + (3, -2), atol=1e-6)


def test_the_mesh_covers_the_frame_once():
    mesh = make_mesh((10, 7), [lambda points: points * 2], 4)
    covered = np.zeros((10, 7), int)
    for (left, top, right, bottom), corners in mesh:
        covered[top:bottom, left:right] += 1
        assert corners[:2] == (2 * left, 2 * top)
        assert corners[4:6] == (2 * right, 2 * bottom)
    assert (covered == 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (0, 5)}, "CROP.SIZE"),
        ({"size": SIZE, "area": (1.0, 0.8)}, "STATIC.AREA"),
        ({"size": SIZE, "ratio": (0, 1)}, "STATIC.RATIO"),
        ({"size": SIZE, "scale": (1,)}, "STATIC.SCALE"),
        ({"size": SIZE, "interpolation": "nearest"}, "INTERPOLATION"),
    ],
)
def test_bad_settings(arguments: dict, message: str):
    with pytest.raises(InputError, match=message):
        SyntheticMotion(**arguments)
