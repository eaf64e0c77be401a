"""Bitmaps and the bands of all objects at once equal erosion and dilation object by object."""

from __future__ import annotations

import numpy as np
import pytest
from naive_objects import naive_band, naive_dilate_disk, shifted
from random_objects import random_pair

from vps.compiled import load_kernels
from vps.metrics import bit_rows
from vps.metrics.boundary import band_width, check_label_maps, count_objects, present_ids
from vps.structures import InputError

SHAPES = [(1, 1), (1, 70), (40, 1), (7, 63), (9, 64), (9, 65), (12, 128), (25, 150), (31, 200)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bitmaps(shape):
    rng = np.random.default_rng(sum(shape))
    mask = rng.random((2, *shape)) < 0.2
    bits = bit_rows.pack(mask)
    assert bits.shape == (2, shape[0], bit_rows.num_words(shape[1]))
    np.testing.assert_array_equal(bit_rows.unpack(bits, shape[1]), mask)
    for distance in (0, 1, 5, 63, 64, 65, 130, 300):
        moved = [shifted(one, 0, -distance, False) for one in mask]
        got = bit_rows.unpack(bit_rows.later(bits, distance), shape[1])
        np.testing.assert_array_equal(got, moved, err_msg=f"later {distance}")
        moved = [shifted(one, 0, distance, False) for one in mask]
        got = bit_rows.unpack(bit_rows.earlier(bits, distance), shape[1])
        np.testing.assert_array_equal(got, moved, err_msg=f"earlier {distance}")
    words = bits.shape[2]
    places = bit_rows.set_places(bits[0])
    np.testing.assert_array_equal(places, bit_rows.places_of(*np.nonzero(mask[0]), words))
    pixels = bit_rows.pixels_at(places, words, shape[1])
    np.testing.assert_array_equal(pixels, np.flatnonzero(mask[0]))
    y, x = (one.ravel() for one in np.indices(shape))
    everywhere = bit_rows.places_of(y, x, words)
    np.testing.assert_array_equal(bit_rows.contains(bits[0], everywhere), mask[0].ravel())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("radius", [0, 1, 2, 3, 5, 12])
def test_disk(shape, radius):
    mask = np.random.default_rng(radius).random((2, *shape)) < 0.02
    got = bit_rows.unpack(bit_rows.dilate_disk(bit_rows.pack(mask), radius), shape[1])
    np.testing.assert_array_equal(got, [naive_dilate_disk(one, radius) for one in mask])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_compiled_square(shape):
    """Every word, also the bits beyond the width, is as NumPy has it."""
    kernels = load_kernels("vps.metrics.boundary_kernels")
    if kernels is None:
        pytest.skip("needs numba, which is absent or not wanted")
    bits = bit_rows.pack(np.random.default_rng(sum(shape)).random(shape) < 0.02)
    for size in (1, 2, 3, 8, 20, 63, 64, 65, 127, 128, 129, 200):
        expected = bit_rows.dilate_square(bits, size)
        np.testing.assert_array_equal(kernels.dilate_square(bits, size), expected, str(size))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("width", [None, 1, 2, 4, 9])
@pytest.mark.parametrize("ids", [(1, 2, 3, 250, 255), (7, 65_535, 65_536, 16_777_215)], ids=str)
def test_counts_against_naive(shape, width, ids):
    rng = np.random.default_rng([*shape, width or 0])
    asked = [*ids, 99]  # an object that no pixel has
    for _ in range(6):
        gt, pred = random_pair(rng, shape, ids)
        if max(ids) < 256:
            gt, pred = gt.astype(np.uint8), pred.astype(np.uint8)
        counts = count_objects(gt, pred, asked, width)
        for index, object_id in enumerate(asked):
            true, guess = gt == object_id, pred == object_id
            got = [counts.gt[index], counts.pred[index], counts.common[index]]
            assert got == [true.sum(), guess.sum(), (true & guess).sum()]
            if width is not None:
                true, guess = naive_band(true, width), naive_band(guess, width)
                want = [true.sum(), guess.sum(), (true & guess).sum()]
                bands = counts.gt_band, counts.pred_band, counts.common_band
                assert [band[index] for band in bands] == want
        np.testing.assert_array_equal(present_ids(gt), np.unique(gt))


def test_nothing_to_count():
    empty = np.zeros((0, 5), np.uint8)
    assert count_objects(empty, empty, [1, 2], 3).boundary_iou().tolist() == [1, 1]
    frame = np.ones((4, 5), np.uint8)
    assert count_objects(frame, frame, [], 3).mask_iou().shape == (0,)
    assert count_objects(frame, frame, [1]).gt_band is None
    assert present_ids(empty).size == 0


def test_maps_that_are_not_contiguous():
    rng = np.random.default_rng(4)
    gt, pred = random_pair(rng, (30, 150), (1, 2, 3))
    want = count_objects(gt.T.copy(), pred.T.copy(), (1, 2, 3), 2)
    got = count_objects(gt.T, pred.T, (1, 2, 3), 2)
    np.testing.assert_array_equal(got.common_band, want.common_band)
    half = count_objects(gt[:, ::2], pred[:, ::2], (1, 2, 3), 2)
    want = count_objects(gt[:, ::2].copy(), pred[:, ::2].copy(), (1, 2, 3), 2)
    np.testing.assert_array_equal(half.gt_band, want.gt_band)


@pytest.mark.parametrize(
    ("shape", "width"), [((720, 1280), 29), ((1080, 1920), 44), ((480, 854), 20), ((3, 4), 1)]
)
def test_band_width(shape, width):
    assert band_width(shape) == width


@pytest.mark.parametrize(
    ("gt", "pred", "message"),
    [
        (np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), "of 2x3 pixels .* got 3x2"),
        (np.zeros((2, 3)), np.zeros((2, 3), np.uint8), "integers .* float64 .* ground truth"),
        (np.zeros((2, 3), int), np.zeros((2, 3, 3), int), r"\[2, 3, 3\] as the prediction"),
    ],
)
def test_maps_that_are_refused(gt, pred, message):
    with pytest.raises(InputError, match=message + ".* frame 7 of video v"):
        check_label_maps(gt, pred, "frame 7 of video v")
