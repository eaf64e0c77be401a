"""Colour: what each change does, how often, and to which frames."""

from __future__ import annotations

import numpy as np
import pytest

from vps.data.color import ColorAugmentation, blur_image, change_color, hue_matrix
from vps.structures import InputError

CLIP = np.repeat(np.random.default_rng(0).integers(40, 200, (1, 12, 14, 3), np.uint8), 4, axis=0)
LUMA = np.array([0.299, 0.587, 0.114])
# PAOT's.
STRONG = {
    "jitter": 0.4,
    "saturation": 0.2,
    "hue": 0.1,
    "jitter_probability": 0.8,
    "grayscale_probability": 0.2,
    "blur_probability": 0.3,
}


def test_by_default_nothing_changes_and_nothing_is_drawn():
    rng = np.random.default_rng(3)
    assert ColorAugmentation()(CLIP, rng) is CLIP
    assert rng.random() == np.random.default_rng(3).random()


@pytest.mark.parametrize("turn", [-0.3, 0.1, 0.5])
def test_hue_turns_about_gray(turn: float):
    matrix = hue_matrix(turn)
    colors = np.random.default_rng(0).random((20, 3))
    turned = colors @ matrix
    assert np.allclose(turned @ LUMA, colors @ LUMA, atol=2e-3)
    assert np.allclose(np.full(3, 7.0) @ matrix, 7.0, atol=0.05)
    assert np.allclose(turned @ hue_matrix(-turn), colors)
    assert np.abs(turned - colors).max() > 0.1


def test_a_third_of_the_circle_takes_red_towards_green():
    """In YIQ the primaries do not lie exactly at thirds, so towards is what can be asked."""
    red = np.full((1, 1, 1, 3), (180, 60, 60), np.uint8)
    channels = [
        change_color(red, 1, 1, 1, hue=turn)[0, 0, 0].argmax() for turn in (0, 1 / 3, 2 / 3)
    ]
    assert sorted(channels) == [0, 1, 2]


def test_per_frame_draws_are_independent_and_per_clip_are_one():
    for per_frame in (False, True):
        color = ColorAugmentation(**STRONG, per_frame=per_frame)
        for seed in range(5):
            changed = color(CLIP, np.random.default_rng(seed))
            assert changed.shape == CLIP.shape
            assert changed.dtype == np.uint8
            same = [np.array_equal(changed[0], frame) for frame in changed[1:]]
            assert all(same) if not per_frame else not all(same)


def test_probabilities():
    changes = {"jitter": 0, "gray": 0, "blur": 0}
    still = {**STRONG, "jitter_probability": 0, "grayscale_probability": 0, "blur_probability": 0}
    for seed in range(200):
        for name, key in (
            ("jitter", "jitter_probability"),
            ("gray", "grayscale_probability"),
            ("blur", "blur_probability"),
        ):
            color = ColorAugmentation(**{**still, key: STRONG[key]}, blur_sigma=(1, 2))
            if name == "blur":
                color = ColorAugmentation(**{**still, key: 0.3, "blur_sigma": (1, 2)})
            changed = color(CLIP[:1], np.random.default_rng(seed))
            changes[name] += not np.array_equal(changed, CLIP[:1])
    assert 130 < changes["jitter"] < 185
    assert 20 < changes["gray"] < 65
    assert 40 < changes["blur"] < 85


def test_grayscale_is_luma():
    gray = ColorAugmentation(grayscale_probability=1)(CLIP, np.random.default_rng(0))
    assert np.abs(gray - (CLIP @ LUMA)[..., None]).max() <= 0.51


def test_blur_keeps_the_mean_and_spreads_by_sigma():
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20] = 250
    image[18:23, 18:23] = 250
    blurred = blur_image(image, 2.0).astype(float)[..., 0]
    assert abs(blurred.sum() / image[..., 0].astype(float).sum() - 1) < 0.05
    flat = np.full((7, 9, 3), 201, np.uint8)
    assert np.array_equal(blur_image(flat, 1.7), flat)  # also at the border
    assert np.array_equal(blur_image(CLIP[0], 0.0), CLIP[0])
    offset = np.arange(41) - 20
    spread = (blurred.sum(0) * offset**2).sum() / blurred.sum()
    # Variances add: that of five pixels in a row is 2.
    assert abs(spread - (2 + 4)) < 0.3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jitter": 1.5}, "COLOR_JITTER"),
        ({"saturation": -0.1}, "COLOR.SATURATION"),
        ({"hue": 0.6}, "COLOR.HUE"),
        ({"jitter_probability": 2}, "COLOR.JITTER_PROBABILITY"),
        ({"grayscale_probability": -1}, "COLOR.GRAYSCALE_PROBABILITY"),
        ({"blur_probability": 1.1}, "COLOR.BLUR_PROBABILITY"),
        ({"blur_sigma": (2.0, 1.0)}, "COLOR.BLUR_SIGMA"),
    ],
)
def test_bad_settings(arguments: dict, message: str):
    with pytest.raises(InputError, match=message):
        ColorAugmentation(**arguments)


@pytest.mark.parametrize("per_frame", [False, True])
def test_in_place_is_the_same(per_frame):
    color = ColorAugmentation(**STRONG, per_frame=per_frame)
    for seed in range(5):
        before = CLIP.copy()
        changed = color(CLIP, np.random.default_rng(seed))
        assert np.array_equal(CLIP, before)
        planes = np.ascontiguousarray(CLIP.transpose(0, 3, 1, 2))
        color.change_in_place(planes, np.random.default_rng(seed))
        assert np.array_equal(planes.transpose(0, 2, 3, 1), changed)
    with pytest.raises(ValueError, match="contiguous"):
        color.change_in_place(CLIP.transpose(0, 3, 1, 2), np.random.default_rng(0))
