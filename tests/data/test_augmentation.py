"""One random change for all frames of a clip; ids stay exact."""

from __future__ import annotations

import numpy as np
import pytest

from vps.data.augmentation import (
    ClipAugmentation,
    change_color,
    resize_ids,
    resize_image,
    shortest_edge_size,
)
from vps.structures import InputError


@pytest.fixture
def clip() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Three frames of 40x60 whose pictures tell the ids: colour = (id, id, id)."""
    rng = np.random.default_rng(0)
    ids = [rng.choice([0, 50, 120, 250], (5, 6)).repeat(8, 0).repeat(10, 1) for _ in range(3)]
    images = [np.repeat(frame[..., None], 3, axis=2).astype(np.uint8) for frame in ids]
    return images, [frame.astype(np.int32) for frame in ids]


AUGMENTATIONS = [
    ClipAugmentation(short_edge=(32, 40, 64), max_size=90),
    ClipAugmentation(short_edge=(30, 70), short_edge_range=True, flip="vertical"),
    ClipAugmentation(crop_type="absolute", crop_size=(20, 30)),
    ClipAugmentation(crop_type="absolute_range", crop_size=(10, 30)),
    ClipAugmentation(crop_type="relative", crop_size=(0.5, 0.7)),
    ClipAugmentation(crop_type="relative_range", crop_size=(0.3, 0.3), short_edge=(64,)),
]


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_pictures_and_ids_go_the_same_way(augmentation: ClipAugmentation, clip):
    images, ids = clip
    for seed in range(5):
        new_images, new_ids = augmentation(images, ids, [50], np.random.default_rng(seed))
        assert new_images.dtype == np.uint8
        assert new_ids.dtype == np.int32
        assert new_images.shape == (*new_ids.shape, 3)
        assert set(np.unique(new_ids)) <= {0, 50, 120, 250}
        # Away from borders, where the picture is blended, it still tells the id.
        agree = np.abs(new_images[..., 0].astype(int) - new_ids) <= 1
        assert agree.mean() > 0.6


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_all_frames_get_the_same_transform(augmentation: ClipAugmentation, clip):
    images, ids = [clip[0][0]] * 3, [clip[1][0]] * 3
    new_images, new_ids = augmentation(images, ids, [50], np.random.default_rng(1))
    for frame in (1, 2):
        assert np.array_equal(new_images[0], new_images[frame])
        assert np.array_equal(new_ids[0], new_ids[frame])


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_chance_comes_from_the_generator_alone(augmentation: ClipAugmentation, clip):
    results = [augmentation(*clip, [50], np.random.default_rng(4)) for _ in range(2)]
    assert np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(results[0][1], results[1][1])


def test_flipping_twice_is_nothing(clip):
    images, ids = clip
    flip = ClipAugmentation(flip="horizontal")
    seed = next(s for s in range(99) if np.random.default_rng(s).random() < 0.5)
    once = flip(images, ids, [], np.random.default_rng(seed))
    assert not np.array_equal(once[1], ids)
    twice = flip(once[0], once[1], [], np.random.default_rng(seed))
    assert np.array_equal(twice[0], images)
    assert np.array_equal(twice[1], ids)


def test_crop_keeps_the_only_thing():
    """One pixel of a thing in 200x200 is not lost, though few crops of 20x20 have it."""
    ids = np.full((1, 200, 200), 7, dtype=np.int32)
    ids[0, 150, 31] = 9
    images = np.zeros((1, 200, 200, 3), dtype=np.uint8)
    crop = ClipAugmentation(crop_type="absolute", crop_size=(20, 20))
    for seed in range(10):
        assert 9 in crop(images, ids, [9], np.random.default_rng(seed))[1]


def test_crop_keeps_labels_in_a_frame_that_is_mostly_void():
    ids = np.zeros((2, 100, 100), dtype=np.int32)  # the second frame is not labelled
    ids[0, 3:5, 90] = 4
    images = np.zeros((2, 100, 100, 3), dtype=np.uint8)
    crop = ClipAugmentation(crop_type="relative", crop_size=(0.2, 0.2))
    for seed in range(10):
        assert 4 in crop(images, ids, [], np.random.default_rng(seed))[1][0]


@pytest.mark.parametrize(
    ("height", "width", "short_edge", "max_size", "expected"),
    [
        (480, 640, 800, 1333, (800, 1067)),  # Detectron2's documentation example
        (480, 854, 800, 1333, (749, 1333)),
        (854, 480, 240, 1333, (427, 240)),
        (480, 640, 0, 1333, (480, 640)),  # 0 leaves it
    ],
)
def test_shortest_edge_size(height, width, short_edge, max_size, expected):
    assert shortest_edge_size(height, width, short_edge, max_size) == expected


def test_nearest_ids_lie_under_the_bilinear_picture():
    """A border must stay where the picture has it: half a pixel off would cost IoU."""
    ids = np.zeros((64, 64), dtype=np.int32)
    ids[:, 32:] = 200
    image = np.repeat(ids[..., None], 3, axis=2).astype(np.uint8)
    for size in ((32, 32), (128, 128), (96, 96)):
        new_ids, new_image = resize_ids(ids, size), resize_image(image, size)
        border = size[1] // 2
        assert (new_ids[:, :border] == 0).all() and (new_ids[:, border:] == 200).all()
        assert (new_image[:, : border - 2] == 0).all() and (new_image[:, border + 2 :] == 200).all()


def test_color_change_matches_its_definition():
    rng = np.random.default_rng(0)
    images = rng.integers(60, 180, (2, 4, 5, 3), dtype=np.uint8)
    assert np.array_equal(change_color(images, 1, 1, 1), images)
    float_images = images.astype(np.float64)
    luma = float_images @ [0.299, 0.587, 0.114]
    for arguments, expected in (
        ((1.2, 1, 1), 1.2 * float_images),
        ((1, 0.7, 1), 0.7 * float_images + 0.3 * luma.mean()),
        ((1, 1, 0.5), 0.5 * float_images + 0.5 * luma[..., None]),
    ):
        changed = change_color(images, *arguments).astype(np.float64)
        assert np.abs(changed - np.clip(expected, 0, 255)).max() <= 0.51


def test_color_jitter_is_one_draw_for_the_clip(clip):
    images, ids = [clip[0][0]] * 2, [clip[1][0]] * 2
    jitter = ClipAugmentation(flip="none", color_jitter=0.4)
    new_images, new_ids = jitter(images, ids, [], np.random.default_rng(3))
    assert not np.array_equal(new_images[0], images[0])
    assert np.array_equal(new_images[0], new_images[1])
    assert np.array_equal(new_ids, ids)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"flip": "sideways"}, "RANDOM_FLIP"),
        ({"crop_type": "round"}, "CROP.TYPE"),
        ({"short_edge": (1, 2, 3), "short_edge_range": True}, "MIN_SIZE_TRAIN"),
        ({"color_jitter": 1.5}, "COLOR_JITTER"),
    ],
)
def test_bad_settings(arguments: dict, message: str):
    with pytest.raises(InputError, match=message):
        ClipAugmentation(**arguments)
