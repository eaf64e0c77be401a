"""Numbers of raw masks: what each means, and what odd ones become."""

from __future__ import annotations

import numpy as np
import pytest

from vps.data.check.problems import KINDS
from vps.data.datasets import CITYSCAPES_CATEGORIES, VIPER_CATEGORIES, VIPSEG_CATEGORIES
from vps.data.datasets.viper_categories import VIPER_RAW_IDS
from vps.data.prepare import cityscapes_vps, viper
from vps.data.prepare.segment_ids import SegmentIds
from vps.data.prepare.vipseg_coding import decode_raw_mask
from vps.data.vipseg_numbers import read_raw_number
from vps.structures import Category, InputError

CAR, SLIDE = 48, 6  # of VIPSeg, with one colour


def color_id(category: Category) -> int:
    red, green, blue = category.color
    return red + 256 * green + 65536 * blue


def test_every_class_of_vipseg_comes_back_from_its_raw_number():
    for category in VIPSEG_CATEGORIES:
        raw = category.dataset_id + 1
        found = [(raw, category.dataset_id, None)]
        if category.isthing:
            found = [(100 * raw + n, category.dataset_id, n) for n in (0, 7, 98)]
        for value, number, instance in found:
            assert read_raw_number(value) == (number, instance, "", "")


@pytest.mark.parametrize(
    ("value", "expected", "problem"),
    [
        (0, (None, None), ""),  # void, and nothing odd
        (255, (None, None), "void elsewhere"),  # the official tool makes a ceiling of it
        (125, (None, None), "stands for no class"),
        (199, (None, None), "stands for no class"),
        (299, (None, None), "stands for no class"),
        (12500, (None, None), "stands for no class"),
        (65535, (None, None), "stands for no class"),
        (61, (60, None), "without an instance"),
        (100 * 19 + 3, (18, None), "an instance of the stuff road"),
        (100 * 61 + 99, (60, 99), "instance 99"),
    ],
)
def test_odd_numbers_of_vipseg(value: int, expected: tuple, problem: str):
    *found, fault, meaning = read_raw_number(value)
    assert tuple(found) == expected
    assert problem in meaning
    assert (fault in KINDS) == bool(problem) == bool(fault)


def test_a_mask_of_vipseg():
    raw = np.array([[0, 19, 6100], [29, 29, 4900], [255, 6101, 6100]], np.uint16)
    ids, problems = SegmentIds(VIPSEG_CATEGORIES), []
    labels, categories = decode_raw_mask(raw, ids, problems.append)
    assert labels.dtype == np.int32
    assert (labels > 0).tolist() == [[False, True, True], [True, True, True], [False, True, True]]
    assert list(categories.values()) == [18, 28, CAR, 60, 60]  # stuff first, then by raw number
    assert labels[0, 1] == color_id(VIPSEG_CATEGORIES[18])
    assert labels[0, 2] == labels[2, 2] == color_id(VIPSEG_CATEGORIES[60])
    assert labels[2, 1] not in (labels[0, 2], 0)
    assert len(problems) == 1
    again, _ = decode_raw_mask(raw[::-1], ids, problems.append)  # the next frame: the same ids
    assert np.array_equal(again, labels[::-1])


def test_ids_look_like_their_class_and_never_collide():
    ids = SegmentIds(VIPSEG_CATEGORIES)
    stuff = {ids.of(c.dataset_id) for c in VIPSEG_CATEGORIES if not c.isthing}
    assert stuff == {color_id(c) for c in VIPSEG_CATEGORIES if not c.isthing}
    things = [
        ids.of(c.dataset_id, number)
        for number in range(100)
        for c in VIPSEG_CATEGORIES
        if c.isthing
    ]
    assert len(set(things)) == len(things) == 5800
    assert not stuff & set(things)
    assert 0 not in things
    cars = [ids.of(CAR, number) for number in range(100)]
    color = np.array(VIPSEG_CATEGORIES[CAR].color)
    shown = np.array([[i & 255, i >> 8 & 255, i >> 16] for i in cars])
    assert np.abs(shown - color).max() <= 30
    assert color_id(VIPSEG_CATEGORIES[CAR]) not in cars  # stuff owns it, present or not
    assert color_id(VIPSEG_CATEGORIES[SLIDE]) in stuff


def test_ids_are_the_same_in_every_run():
    """A number that was written down: it may not depend on the process, nor on the version."""
    ids = SegmentIds(VIPSEG_CATEGORIES)
    assert [ids.of(60, number) for number in range(3)] == [13158411, 14992398, 14597668]


def test_ids_when_colors_run_out():
    """Black classes of one colour, and more things than there are colours near it."""
    dark = [Category("a", False, (0, 0, 0), 0), Category("b", False, (0, 0, 0), 1)]
    ids = SegmentIds([*dark, Category("c", True, (0, 0, 0), 2)])
    given = [ids.of(0), ids.of(1)] + [ids.of(2, number) for number in range(50)]
    assert len(set(given)) == 52
    assert 0 not in given


@pytest.mark.parametrize(
    ("value", "expected", "problem"),
    [
        (0, (0, None), ""),  # road, not void
        (10, (10, None), ""),
        (11000, (11, 0), ""),  # an instance may have the number 0
        (18999, (18, 999), ""),
        (255, None, ""),
        (13, None, "without an instance"),
        (19, None, "stands for nothing"),
        (1000, None, "stands for nothing"),
        (19000, None, "stands for nothing"),
    ],
)
def test_numbers_of_cityscapes_vps(value: int, expected: tuple | None, problem: str):
    problems: list[str] = []
    assert cityscapes_vps.read_value(value, problems.append) == expected
    assert len(problems) == bool(problem)
    assert problem in "".join(problems)


def test_class_and_instance_masks_of_cityscapes():
    """The rules of the conversion: colour decides the class, by majority within an instance."""
    road, car, truck = (CITYSCAPES_CATEGORIES[n].color for n in (0, 13, 14))
    black, odd = (0, 0, 0), (1, 2, 3)
    colors = np.array(
        [[road, road, car, car], [car, truck, car, car], [black, odd, road, truck]], np.uint8
    )
    instances = np.array(
        [[7, 7, 26001, 26001], [26001, 26001, 26, 26], [0, 0, 24005, 27002]], np.uint16
    )
    assert cityscapes_vps.combine_class_and_instance(colors, instances).tolist() == [
        [0, 0, 13001, 13001],
        [13001, 13001, 255, 255],  # the truck's pixel is the car's; a car without instance is void
        [255, 255, 0, 14002],  # an instance that is coloured as stuff is that stuff
    ]


def test_every_class_of_viper():
    ids = SegmentIds(VIPER_CATEGORIES)
    classes = np.arange(32, dtype=np.uint8)[None]
    instances = np.zeros((1, 32, 3), np.uint8)
    instances[..., 0], instances[..., 1], instances[..., 2] = classes, 1, 2
    labels, categories = viper.number_segments(classes, instances, ids, pytest.fail)
    void = {0, 1, 5, 21, 22, 28, 29, 30, 31}
    for raw in range(32):
        assert (labels[0, raw] == 0) == (raw in void)
        if raw not in void:
            assert categories[int(labels[0, raw])] == VIPER_RAW_IDS.index(raw)
    assert len(categories) == 23


def test_instances_of_viper_have_two_bytes():
    ids, problems = SegmentIds(VIPER_CATEGORIES), []
    classes = np.full((1, 4), 24, np.uint8)
    instances = np.array([[[24, 0, 1], [24, 1, 0], [24, 1, 0], [0, 0, 0]]], np.uint8)
    labels, categories = viper.number_segments(classes, instances, ids, problems.append)
    first, second, third, none = labels[0].tolist()
    assert second == third != first
    assert none == 0
    assert set(categories.values()) == {19}
    assert problems == ["car without an instance number: void"]
    with pytest.raises(InputError, match="classes of 1x3 and instances of 1x4"):
        viper.number_segments(classes[:, :3], instances, ids, problems.append)
