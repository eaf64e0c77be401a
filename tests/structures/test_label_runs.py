"""A map as runs is the same map, and counts the same."""

from __future__ import annotations

import numpy as np
import pytest

from vps.structures import MAX_ID, LabelRuns, rgb_to_ids


def masks(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Blocks of a few ids, some large: int32 [H, W]."""
    rng = np.random.default_rng(seed)
    pool = np.append(rng.integers(0, MAX_ID + 1, 6), [0, 255, 256, MAX_ID])
    coarse = rng.choice(pool, (shape[0] // 3 + 1, shape[1] // 7 + 1))
    return np.kron(coarse, np.ones((3, 7), int))[: shape[0], : shape[1]].astype(np.int32)


def words_of(ids: np.ndarray) -> np.ndarray:
    """Ids as colours with Pillow's fourth byte: uint32 [H, W]."""
    return ids.astype(np.uint32) | np.uint32(0xFF000000)


SHAPES = [(1, 1), (1, 2), (2, 1), (1, 50), (50, 1), (9, 20), (300, 700)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["masks", "noise", "constant", "ramp"])
def test_there_and_back(shape, kind):
    size = shape[0] * shape[1]
    ids = {
        "masks": masks(shape, 0),
        "noise": np.random.default_rng(1).integers(0, MAX_ID + 1, shape, dtype=np.int32),
        "constant": np.full(shape, 7, np.int32),
        "ramp": np.arange(size, dtype=np.int32).reshape(shape),
    }[kind]
    for runs in (LabelRuns.from_map(ids), LabelRuns.from_words(words_of(ids))):
        np.testing.assert_array_equal(runs.to_map(), ids)
        assert runs.to_map().dtype == np.int32
        assert runs.starts.dtype == np.int64 and runs.ids.dtype == np.int32
        assert runs.lengths.min() > 0 and runs.lengths.sum() == runs.size == size
        assert (runs.ids[1:] != runs.ids[:-1]).all()
        for got, expected in zip(runs.count_ids(), np.unique(ids, return_counts=True)):
            np.testing.assert_array_equal(got, expected)


def test_one_channel_at_a_time():
    """Neighbours that differ in one channel only, and in all three."""
    colours = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 1, 1), (2, 2, 2), (0, 2, 2)]
    runs = LabelRuns.from_words(words_of(rgb_to_ids(np.array([colours], np.uint8))))
    assert runs.starts.tolist() == [0, 1, 2, 3, 5, 6]
    assert runs.ids.tolist() == [r + 256 * g + 65536 * b for r, g, b in dict.fromkeys(colours)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_no_pixels(shape):
    for runs in (
        LabelRuns.from_map(np.zeros(shape, np.int32)),
        LabelRuns.from_words(np.zeros(shape, np.uint32)),
    ):
        assert runs.size == len(runs.starts) == 0
        assert runs.to_map().shape == shape
        assert [len(part) for part in runs.count_ids()] == [0, 0]


def test_ids_that_no_segment_can_have_stay_so():
    """They must not wrap around into legal ids on their way to the check."""
    ids = np.array([[2**32 + 5, -(2**40), 5, -1]])
    assert LabelRuns.from_map(ids).ids.tolist() == [2**31 - 1, -(2**31), 5, -1]


def test_a_map_that_is_not_contiguous():
    ids = masks((30, 40), 3)[::2, ::-3]
    np.testing.assert_array_equal(LabelRuns.from_map(ids).to_map(), ids)
    words = words_of(masks((30, 40), 3))[:, ::2]
    np.testing.assert_array_equal(LabelRuns.from_words(words).to_map(), words & MAX_ID)


def test_the_highest_byte_of_a_word_means_nothing():
    ids = masks((20, 30), 4)
    rng = np.random.default_rng(0)
    words = ids.astype(np.uint32) | (rng.integers(0, 256, ids.shape, np.uint32) << 24)
    np.testing.assert_array_equal(LabelRuns.from_words(words).to_map(), ids)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2,), (5, 7), (2, 3, 4)])
def test_rgb_to_ids_against_arithmetic(shape):
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    r, g, b = (rgb[..., channel].astype(np.int64) for channel in range(3))
    ids = rgb_to_ids(rgb)
    assert ids.dtype == np.int32 and ids.shape == shape
    np.testing.assert_array_equal(ids, r + 256 * g + 65536 * b)
    np.testing.assert_array_equal(rgb_to_ids(rgb[..., ::-1]), b + 256 * g + 65536 * r)
