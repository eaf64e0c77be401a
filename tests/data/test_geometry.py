"""One geometry for pictures, ids and flow: the parts that are resized alone fit the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vps.data.augmentation import ClipAugmentation
from vps.data.geometry import ClipGeometry, resize_ids, resize_image

PHOTO = np.asarray(
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).resize(
        (90, 60), Image.Resampling.BICUBIC
    )
)
IDS = np.random.default_rng(1).integers(0, 2**24, (60, 90), dtype=np.int32)

GEOMETRIES = [
    ClipGeometry((60, 90), (60, 90), crop=(7, 11, 20, 30)),
    ClipGeometry((60, 90), (41, 61), crop=(7, 11, 20, 30)),
    ClipGeometry((60, 90), (100, 150), crop=(79, 119, 21, 31)),
    ClipGeometry((60, 90), (120, 180)),
    ClipGeometry((60, 90), (23, 180), crop=(0, 0, 23, 100)),
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_what_is_kept_lies_where_the_crop_says(geometry: ClipGeometry):
    """To less than one source pixel at each side."""
    top, left, height, width = geometry.kept
    zoom = np.array(geometry.source) / np.array(geometry.resized)
    exact = [left * zoom[1], top * zoom[0], (left + width) * zoom[1], (top + height) * zoom[0]]
    assert np.abs(np.array(geometry.source_box) - exact).max() <= 0.5
    part = IDS[geometry.source_box[1] : geometry.source_box[3]]
    part = part[:, geometry.source_box[0] : geometry.source_box[2]]
    assert np.array_equal(geometry.change_ids(IDS), resize_ids(part, (height, width)))
    assert geometry.change_ids(IDS).dtype == np.int32


def test_a_crop_of_less_than_a_source_pixel_is_one():
    geometry = ClipGeometry((4, 4), (100, 100), crop=(98, 99, 1, 1))
    assert geometry.source_box == (3, 3, 4, 4)
    assert geometry.change_ids(IDS[:4, :4]).item() == IDS[3, 3]


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize(("interpolation", "most"), [("bilinear", 1), ("bicubic", 6)])
def test_parts_are_resized_as_pillow_resizes_them(
    geometry: ClipGeometry, interpolation: str, most: int
):
    left, top, right, bottom = geometry.source_box
    expected = resize_image(
        PHOTO[top:bottom, left:right], geometry.kept[2:], interpolation=interpolation
    )
    difference = np.abs(geometry.change_image(PHOTO, interpolation=interpolation) - expected * 1.0)
    assert difference.max() <= most
    assert difference.mean() < 0.3


@pytest.mark.parametrize("flip", ["none", "horizontal", "vertical"])
def test_padding_is_void_and_goes_with_the_flip(flip: str):
    geometry = ClipGeometry((60, 90), (30, 45), crop=(0, 0, 30, 45), padded=(40, 48), flip=flip)
    ids = geometry.change_ids(IDS | 1)  # no id is 0
    image = geometry.change_image(PHOTO, pad_color=(124, 116, 104))
    padding = np.ones((40, 48), bool)
    padding[:30, :45] = False
    if flip != "none":
        padding = np.flip(padding, 1 if flip == "horizontal" else 0)
    assert np.array_equal(ids == 0, padding)
    assert (image[padding] == (124, 116, 104)).all()
    assert geometry.size == ids.shape == image.shape[:2]


@pytest.mark.parametrize("flip", ["none", "horizontal", "vertical"])
@pytest.mark.parametrize("geometry", [*GEOMETRIES, ClipGeometry((60, 90), (60, 90))])
def test_flow_still_leads_to_the_same_place(geometry: ClipGeometry, flip: str):
    """Where two frames are a shift of each other, so are they after the change, by the new flow.

    The frames show a position, x and y, which every change keeps linear.
    """
    geometry = replace(geometry, flip=flip)
    shift = np.array([4.0, -3.0])  # x, y: frame 1 shows at p + shift what frame 0 shows at p
    flow = geometry.change_flow(np.broadcast_to(shift, (60, 90, 2)).copy())
    y, x = np.mgrid[:60, :90].astype(np.float64)
    # Positions as flow: the scaling and signs of values are undone, their places are not.
    planes = geometry.change_flow(np.stack([x, y], axis=-1))
    sign = np.array([-1 if flip == "horizontal" else 1, -1 if flip == "vertical" else 1])
    left, top, right, bottom = geometry.source_box
    _, _, height, width = geometry.kept
    planes *= sign * np.array([right - left, bottom - top]) / (width, height)
    vector = flow[8, 10]
    assert np.allclose(flow, vector, atol=1e-4)
    inner = planes[5:-5, 5:-5]  # resizing repeats the picture's border
    # Following the vector from one pixel to another in the changed frame moves by the shift.
    steps = np.array(inner.shape[1::-1]) - 1
    per_pixel = (inner[-1, -1] - inner[0, 0]) / steps
    assert np.allclose(vector * per_pixel, shift, rtol=0.02)


def test_padded_flow_is_still():
    geometry = ClipGeometry((60, 90), (60, 90), crop=(0, 0, 60, 90), padded=(64, 96))
    flow = geometry.change_flow(np.ones((60, 90, 2)))
    assert (flow[:60, :90] == 1).all()
    assert (flow[60:] == 0).all() and (flow[:, 90:] == 0).all()


def test_a_crop_of_references_keeps_an_object_of_the_first_frame():
    """More than 100 pixels of one, though a later frame has another everywhere."""
    ids = np.zeros((2, 200, 200), np.int32)
    ids[0, 150:162, 30:41] = 9  # 132 pixels
    ids[0, 20:24, 20:24] = 4  # too small
    ids[1] = 4
    images = np.zeros((2, 200, 200, 3), np.uint8)
    crop = ClipAugmentation(
        crop_type="absolute", crop_size=(40, 40), min_object_area=100, crop_tries=500, flip="none"
    )
    for seed in range(10):
        assert (crop(images, ids, [], np.random.default_rng(seed))[1][0] == 9).sum() > 100
    hurried = replace(crop, crop_tries=1)
    for seed in range(10):  # around one pixel of the object that is large enough
        assert 9 in hurried(images, ids, [], np.random.default_rng(seed))[1][0]


def test_a_small_frame_is_padded_to_the_crop():
    augmentation = ClipAugmentation(
        short_edge=(30,), crop_type="absolute", crop_size=(48, 40), pad_color=(124, 116, 104)
    )
    ids = [IDS | 1] * 2
    images, new_ids = augmentation([PHOTO] * 2, ids, [], np.random.default_rng(0))
    assert images.shape == (2, 48, 40, 3)
    assert new_ids.shape == (2, 48, 40)
    assert (new_ids == 0).sum() == 2 * 18 * 40
    assert (images[new_ids == 0] == (124, 116, 104)).all()


@pytest.mark.parametrize("flip", ["none", "horizontal", "vertical"])
@pytest.mark.parametrize("resized", [(4, 5), (8, 10), (23, 31)])
def test_a_sample_of_a_crop_is_part_of_it(resized, flip):
    ids = np.random.default_rng(0).integers(0, 2**24, (8, 10), dtype=np.int32)
    crop = (1, 0, resized[0] - 1, resized[1] - 2)
    geometry = ClipGeometry((8, 10), resized, crop, flip=flip)
    whole, sample = geometry.crop_ids(ids), geometry.crop_ids(ids, step=3)
    assert whole.shape == crop[2:]
    assert sample.shape == tuple(-(-side // 3) for side in crop[2:])
    unflipped = {"none": 1, "horizontal": np.s_[:, ::-1], "vertical": np.s_[::-1]}[flip]
    if flip != "none":
        whole, sample = whole[unflipped], sample[unflipped]
    assert np.array_equal(sample, whole[::3, ::3])
    padded = ClipGeometry((8, 10), resized, crop, (30, 40), flip).change_ids(ids)
    if flip != "none":
        padded = padded[unflipped]
    assert np.array_equal(padded[: crop[2], : crop[3]], whole)
    assert (padded == 0).sum() >= 30 * 40 - whole.size
