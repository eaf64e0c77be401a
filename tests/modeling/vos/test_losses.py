"""The losses of the VOS family against loops over pixels, and at their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vps.modeling.vos.losses import (
    bootstrapped_cross_entropy,
    hide_unused,
    one_hot,
    soft_jaccard,
)


def random_case(seed, *, channels=4, size=(5, 6), void=0.2):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(2, channels, *size)).astype(np.float32) * 2
    labels = generator.integers(0, channels, (2, *size))
    labels[generator.random(labels.shape) < void] = 255
    return torch.from_numpy(logits), torch.from_numpy(labels)


def naive_cross_entropy(logits, labels, share):
    result = []
    for scores, label in zip(logits.double().numpy(), labels.numpy()):
        losses = []
        for y, x in np.ndindex(*label.shape):
            pixel = scores[:, y, x]
            known = label[y, x] != 255
            losses.append(np.log(np.exp(pixel).sum()) - pixel[label[y, x]] if known else 0.0)
        kept = sorted(losses, reverse=True)[: max(int(share * len(losses)), 1)]
        result.append(sum(kept) / len(kept))
    return result


def naive_jaccard(logits, labels):
    result = []
    for scores, label in zip(logits.double().numpy(), labels.numpy()):
        probability = np.exp(scores) / np.exp(scores).sum(0)
        known = label != 255
        distances = []
        for channel in range(len(scores)):
            truth = label == channel
            if truth.any():
                both = probability[channel][truth].sum()
                either = probability[channel][known].sum() + truth.sum() - both
                distances.append(1 - both / (either + 1e-6))
        result.append(sum(distances) / len(distances))
    return result


@pytest.mark.parametrize("share", [1.0, 0.5, 0.15, 1e-9])
@pytest.mark.parametrize("seed", range(3))
def test_cross_entropy_against_a_loop(seed, share):
    logits, labels = random_case(seed)
    loss = bootstrapped_cross_entropy(logits, labels, share=share)
    assert loss.tolist() == pytest.approx(naive_cross_entropy(logits, labels, share), rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_jaccard_against_a_loop(seed):
    logits, labels = random_case(seed)
    assert soft_jaccard(logits, labels).tolist() == pytest.approx(
        naive_jaccard(logits, labels), rel=1e-5
    )


def test_ignored_pixels_count_in_the_share():
    """Half of the pixels are ignored, and all are kept: the mean is over all of them."""
    logits = torch.zeros(1, 2, 1, 4)
    labels = torch.tensor([[[0, 1, 255, 255]]])
    assert bootstrapped_cross_entropy(logits, labels, share=1.0).item() == pytest.approx(
        math.log(2) / 2
    )
    assert bootstrapped_cross_entropy(logits, labels, share=0.5).item() == pytest.approx(
        math.log(2)
    )


def test_absent_channels_do_not_count():
    """Perfect on the two channels that are there; the third has probability 0 and no pixel."""
    logits = torch.tensor([[[[30.0, -30.0]], [[-30.0, 30.0]], [[-60.0, -60.0]]]])
    loss = soft_jaccard(logits, torch.tensor([[[0, 1]]]))
    assert loss.item() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(
    "loss", [soft_jaccard, lambda x, y: bootstrapped_cross_entropy(x, y, share=0.3)]
)
def test_a_frame_that_is_all_void_gives_nothing(loss):
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    labels = torch.full((2, 4, 4), 255)
    labels[1, 0] = 1
    values = loss(logits, labels)
    assert values[0] == 0
    assert values[1] > 0
    values.sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[0] == 0).all()


def test_unused_channels_take_no_part():
    logits, labels = random_case(0, channels=3)
    used = torch.tensor([[True, True, True, False, False]] * 2)
    wide = hide_unused(torch.cat([logits, torch.full((2, 2, 5, 6), 50.0)], 1), used)
    for loss in (soft_jaccard, lambda x, y: bootstrapped_cross_entropy(x, y, share=0.5)):
        assert torch.allclose(loss(wide, labels), loss(logits, labels), rtol=1e-5)
    assert (wide.argmax(1) < 3).all()


def test_one_hot_of_other_labels_is_zero():
    labels = torch.tensor([[[0, 2, 255, 7]]])
    expected = torch.tensor([[[1.0, 0, 0, 0]], [[0, 0, 0, 0]], [[0, 1.0, 0, 0]]])
    assert torch.equal(one_hot(labels, 3)[0], expected)
