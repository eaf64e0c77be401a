"""RoI pooling over a pyramid, and pasting of masks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vps.layers import RoIPooler, assign_levels, mask_paste, paste_masks


@pytest.mark.parametrize(
    ("side", "canonical", "level"),
    [
        (1, 224, 0),
        (111, 224, 0),
        (112, 224, 1),
        (223, 224, 1),
        (224, 224, 2),
        (448, 224, 3),
        (5000, 224, 3),
        (0, 224, 0),
        (56, 56, 2),
        (14, 56, 0),
    ],
)
def test_levels(side, canonical, level):
    boxes = torch.tensor([[3.0, 3.0, 3.0 + side, 3.0 + side]])
    assert assign_levels(boxes, 2, 5, canonical).item() == level


def ramp_pyramid(strides, size=256):
    """Maps in which each pixel knows where it is: (x, y, level)."""
    features = []
    for level, stride in enumerate(strides):
        count = size // stride
        axis = (torch.arange(count) + 0.5) * stride
        x = axis.expand(count, count)
        features.append(torch.stack([x, x.T, torch.full_like(x, level)]).expand(2, -1, -1, -1))
    return features


def test_pooling_reads_the_right_place_level_and_image():
    pooler = RoIPooler(4, [4, 8, 16, 32], canonical_box_size=64)
    features = ramp_pyramid([4, 8, 16, 32])
    features = [f + torch.tensor([0.0, 1000.0]).view(2, 1, 1, 1) for f in features]
    first = torch.tensor([[40.0, 80, 104, 144], [60, 60, 70, 72]])
    second = torch.tensor([[64.0, 64, 192, 192]])
    pooled = pooler(features, [first, second])
    assert pooled.shape == (3, 3, 4, 4)
    # Channel means are the boxes' centres: half-pixel exact, which needs aligned RoIAlign.
    expected = torch.tensor([[72.0, 112, 2], [65, 66, 0], [1128, 1128, 1003]])
    torch.testing.assert_close(pooled.mean(dim=(2, 3)), expected)
    torch.testing.assert_close(pooled[0, 0, 0], torch.tensor([48.0, 64, 80, 96]))


def test_one_level_is_pooled_like_many():
    torch.manual_seed(0)
    features = [torch.randn(1, 3, 64, 64)]
    boxes = [torch.tensor([[10.0, 10, 60, 90]])]
    single = RoIPooler(7, [4])(features, boxes)
    several = RoIPooler(7, [4, 8])([features[0], torch.zeros(1, 3, 32, 32)], boxes)
    torch.testing.assert_close(single, several)


@pytest.mark.parametrize("counts", [(0, 0), (0, 3), (2, 0)])
def test_pooling_of_few_or_no_boxes_is_connected_to_the_graph(counts):
    features = [f.clone().requires_grad_() for f in ramp_pyramid([4, 8])]
    boxes = [torch.tensor([[5.0, 5, 25, 25]]).repeat(n, 1) for n in counts]
    pooled = RoIPooler(7, [4, 8])(features, boxes)
    assert pooled.shape == (sum(counts), 3, 7, 7)
    pooled.sum().backward()
    assert all(f.grad is not None and torch.isfinite(f.grad).all() for f in features)


def test_pooling_keeps_coordinates_exact_in_half_precision():
    features = [f.to(torch.bfloat16) for f in ramp_pyramid([4, 8])]
    boxes = [torch.tensor([[200.3, 5.0, 230.9, 25.0]]), torch.zeros(0, 4)]
    pooled = RoIPooler(7, [4, 8])(features, boxes)
    assert pooled.dtype == torch.bfloat16
    assert pooled[0, 0].float().mean() == pytest.approx(215.6, abs=1)


@pytest.mark.parametrize("strides", [[4, 16], [3, 6], [8, 4]])
def test_strides_that_are_no_pyramid(strides):
    with pytest.raises(ValueError, match="expected"):
        RoIPooler(7, strides)


def test_wrong_number_of_maps():
    with pytest.raises(ValueError, match="got 1 maps"):
        RoIPooler(7, [4, 8])([torch.zeros(1, 1, 4, 4)], [torch.zeros(0, 4)])


def paste_by_sampling(masks, boxes, size):
    """The definition: every pixel's centre is looked up in the mask by grid_sample."""
    height, width = size
    answer = []
    for mask, (x0, y0, x1, y1) in zip(masks, boxes):
        y = (torch.arange(height) + 0.5 - y0) / (y1 - y0) * 2 - 1
        x = (torch.arange(width) + 0.5 - x0) / (x1 - x0) * 2 - 1
        grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)
        answer.append(F.grid_sample(mask[None, None], grid[None], align_corners=False)[0, 0])
    return torch.stack(answer)


def random_boxes(count):
    torch.manual_seed(1)
    boxes = torch.rand(count, 4) * 50 - 10
    boxes[:, 2:] = boxes[:, :2] + torch.rand(count, 2) * 60 + 0.5
    return boxes


@pytest.mark.parametrize("pixels", [1, 5000, 10**9])
def test_pasting_equals_grid_sampling_whatever_the_chunks(monkeypatch, pixels):
    monkeypatch.setitem(mask_paste.CHUNK_PIXELS, "cpu", pixels)
    boxes = random_boxes(12)
    masks = torch.rand(12, 28, 28)
    expected = paste_by_sampling(masks, boxes, (48, 60))
    clear = (expected - 0.5).abs() > 1e-4  # rounding decides the others
    got = paste_masks(masks, boxes, (48, 60))
    assert got.dtype == torch.bool and got.shape == (12, 48, 60)
    assert torch.equal(got[clear], (expected >= 0.5)[clear])
    assert got.any()


@pytest.mark.parametrize("box", [[100, 100, 120, 120], [-30, -30, -10, -5], [5, 5, 5, 9]])
def test_boxes_outside_the_image_or_without_area_paste_nothing(box):
    boxes = torch.tensor([box, [2, 2, 8, 8]], dtype=torch.float32)
    pasted = paste_masks(torch.ones(2, 28, 28), boxes, (20, 20))
    assert not pasted[0].any()
    assert pasted[1].sum() == 36


def test_no_masks():
    assert paste_masks(torch.zeros(0, 28, 28), torch.zeros(0, 4), (5, 6)).shape == (0, 5, 6)
