"""The panoptic head in training and at test time agree, and boxes are borders."""

import pytest
import torch

from vps.modeling.vpsnet.panoptic_head import (
    OUTSIDE,
    box_window,
    inside_boxes,
    panoptic_logits,
    panoptic_loss,
    paste_logits,
)

STUFF = [0, 1]


@pytest.mark.parametrize(
    ("box", "window"),
    [
        ((0.0, 0.0, 4.0, 4.0), (0, 0, 4, 4)),
        ((0.5, 1.9, 3.1, 4.0), (0, 1, 4, 4)),  # every pixel that the box touches
        ((2.2, 2.2, 2.3, 2.3), (2, 2, 3, 3)),  # at least one pixel
        ((-5.0, -5.0, -1.0, -1.0), (0, 0, 1, 1)),  # outside: one pixel of the border
        ((7.9, 7.9, 99.0, 99.0), (7, 7, 8, 8)),
    ],
)
def test_box_window_and_inside_boxes_agree(box, window):
    assert box_window(box, (8, 8)) == window
    inside = inside_boxes(torch.tensor([box]), (8, 8))[0]
    expected = torch.zeros(8, 8, dtype=torch.bool)
    x0, y0, x1, y1 = window
    expected[y0:y1, x0:x1] = True
    assert torch.equal(inside, expected)


def test_a_constant_mask_stays_constant_and_a_ramp_stays_a_ramp():
    boxes = torch.tensor([[1.0, 2.0, 7.0, 8.0]])
    flat = paste_logits(torch.full((1, 28, 28), 3.0), boxes, (10, 10))
    assert torch.allclose(flat, torch.tensor(3.0))
    ramp = torch.arange(28.0).expand(1, 28, 28)
    pasted = paste_logits(ramp, boxes, (10, 10))[0, 4]
    # Pixel centre x lies at (x + 0.5 - 1) / 6 of the box, and cell i of the mask at (i + 0.5) / 28.
    centres = (torch.arange(1, 7) + 0.5 - 1) / 6 * 28 - 0.5
    assert torch.allclose(pasted[1:7], centres, atol=1e-4)


def test_a_window_is_a_part_of_the_whole():
    masks, boxes = torch.randn(1, 28, 28), torch.tensor([[3.3, 5.1, 20.7, 17.9]])
    whole = paste_logits(masks, boxes, (24, 24))
    part = paste_logits(masks, boxes, (6, 7), origin=(8, 9))
    assert torch.allclose(whole[:, 8:14, 9:16], part, atol=1e-5)


def test_an_instance_is_its_semantic_score_plus_its_mask_inside_of_its_box_only():
    score = torch.randn(3, 8, 8)
    logits = panoptic_logits(
        score,
        torch.full((1, 28, 28), 2.0),
        torch.tensor([[8.0, 8.0, 24.0, 24.0]]),
        torch.tensor([2]),
        STUFF,
    )
    assert logits.shape == (3, 8, 8)
    assert torch.equal(logits[:2], score[:2])
    assert torch.allclose(logits[2, 2:6, 2:6], score[2, 2:6, 2:6] + 2.0)
    outside = torch.ones(8, 8, dtype=torch.bool)
    outside[2:6, 2:6] = False
    assert (logits[2][outside] == OUTSIDE).all()


def test_a_far_away_instance_never_wins_where_all_stuff_is_unlikely():
    """With logit 0 outside of the box, as released, it would."""
    score = torch.full((3, 8, 8), -3.0)
    arguments = (score, torch.ones(1, 28, 28), torch.tensor([[0.0, 0.0, 8.0, 8.0]]))
    categories = torch.tensor([2])
    ours = panoptic_logits(*arguments, categories, STUFF).argmax(dim=0)
    released = panoptic_logits(*arguments, categories, STUFF, outside=0.0).argmax(dim=0)
    assert (ours[4:, 4:] != 2).all()
    assert (released[4:, 4:] == 2).all()


def test_the_loss_takes_pictures_of_different_channel_counts_and_no_instance():
    score = torch.randn(3, 4, 4, requires_grad=True)
    without = panoptic_logits(
        score, torch.zeros(0, 28, 28), torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), STUFF
    )
    target = torch.zeros(4, 4, dtype=torch.long)
    ignored = torch.full((4, 4), -1)
    loss = panoptic_loss([without, without], [target, ignored])
    loss.backward()
    expected = torch.nn.functional.cross_entropy(without[None], target[None])
    assert torch.allclose(loss, expected / 2)
    assert torch.isfinite(score.grad).all()
