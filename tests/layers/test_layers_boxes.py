"""Box arithmetic, the box coder, anchors, matching and sampling."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vps.layers import (
    AnchorGenerator,
    BoxCoder,
    Matcher,
    box_area,
    box_coverage,
    box_iou,
    clip_boxes,
    larger_than,
    sample_labels,
)


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).view(-1, 4)


UNIT = boxes([0, 0, 10, 10])


@pytest.mark.parametrize(
    ("other", "iou", "coverage", "remark"),
    [
        ([0, 0, 10, 10], 1, 1, "the same"),
        ([10, 0, 20, 10], 0, 0, "touching"),
        ([5, 0, 15, 10], 1 / 3, 0.5, "half"),
        ([2, 2, 4, 4], 0.04, 1, "inside"),
        ([3, 3, 3, 8], 0, 0, "no area"),
        ([30, 30, 20, 20], 0, 0, "inside out"),
    ],
)
def test_overlap(other, iou, coverage, remark):
    assert box_iou(UNIT, boxes(other)).item() == pytest.approx(iou), remark
    assert box_coverage(UNIT, boxes(other)).item() == pytest.approx(coverage), remark


def test_overlap_of_no_boxes_has_a_shape():
    assert box_iou(boxes(), UNIT).shape == (0, 1)
    assert box_iou(UNIT, boxes()).shape == (1, 0)
    assert box_iou(boxes([1, 1, 1, 1]), boxes([1, 1, 1, 1])).item() == 0, "no 0 / 0"


def test_clipping_and_size():
    clipped = clip_boxes(boxes([-5, -5, 30, 8], [3, 9, 4, 50]), (10, 20))
    assert clipped.tolist() == [[0, 0, 20, 8], [3, 9, 4, 10]]
    assert larger_than(clipped).tolist() == [True, True]
    assert larger_than(clipped, 1.0).tolist() == [True, False]
    assert clip_boxes(torch.rand(2, 3, 4), (10, 20)).shape == (2, 3, 4)
    assert box_area(clipped).tolist() == [160, 1]


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (10, 10, 5, 5)])
def test_coder_round_trip(weights):
    torch.manual_seed(0)
    sources, goals = torch.rand(2, 50, 4) * 50
    sources[:, 2:] += sources[:, :2] + 5
    goals[:, 2:] += goals[:, :2] + 5
    coder = BoxCoder(weights)
    deltas = coder.encode(sources, goals)
    torch.testing.assert_close(coder.decode(deltas, sources)[:, 0], goals, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("delta", "goal"),
    [
        ([0, 0, 0, 0], [0, 0, 10, 20]),
        ([1, 0, 0, 0], [10, 0, 20, 20]),
        ([0, 0.5, 0, 0], [0, 10, 10, 30]),
        ([0, 0, math.log(2), 0], [-5, 0, 15, 20]),
    ],
)
def test_meaning_of_deltas(delta, goal):
    source = boxes([0, 0, 10, 20])
    coder = BoxCoder((1, 1, 1, 1))
    torch.testing.assert_close(coder.decode(boxes(delta), source)[:, 0], boxes(goal))
    torch.testing.assert_close(coder.encode(source, boxes(goal)), boxes(delta))


def test_coder_gives_a_box_per_class_and_limits_growth():
    coder = BoxCoder((1, 1, 1, 1))
    assert coder.decode(torch.zeros(0, 8), torch.ones(0, 4)).shape == (0, 2, 4)
    decoded = coder.decode(torch.zeros(3, 8), torch.ones(3, 4))
    assert decoded.shape == (3, 2, 4)
    grown = coder.decode(boxes([0, 0, 100, 100]), boxes([0, 0, 16, 16]))[0, 0]
    assert (grown[2] - grown[0]).item() == pytest.approx(1000, rel=1e-5)
    assert coder.decode(torch.zeros(2, 4).half(), torch.rand(2, 4)).dtype == torch.float32


def test_anchors():
    generator = AnchorGenerator([[32], [64]], [[0.5, 1.0, 2.0]], [4, 8])
    first, second = generator([torch.zeros(1, 1, 2, 3), torch.zeros(1, 1, 1, 2)])
    assert first.shape == (18, 4) and second.shape == (6, 4)
    areas = box_area(first)
    torch.testing.assert_close(areas, torch.full_like(areas, 32**2))
    sides = first[:, 2:] - first[:, :2]
    torch.testing.assert_close(sides[:3, 1] / sides[:3, 0], torch.tensor([0.5, 1, 2]))
    centres = ((first[:, 2:] + first[:, :2]) / 2).view(2, 3, 3, 2)  # row, column, anchor
    torch.testing.assert_close(centres[1, 2, 0], torch.tensor([8.0, 4.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(first[0], torch.tensor([-22.6274, -11.3137, 22.6274, 11.3137]))
    assert list(generator.state_dict()) == [], "anchors are computed, not saved"


@pytest.mark.parametrize(
    ("sizes", "ratios", "message"),
    [
        ([[1], [2], [3]], [[1]], "1 or 2 levels, got 3"),
        ([[1], [2, 3]], [[1]], "same number of anchors"),
    ],
)
def test_wrong_anchors(sizes, ratios, message):
    with pytest.raises(ValueError, match=message):
        AnchorGenerator(sizes, ratios, [4, 8])


@pytest.mark.parametrize(
    ("quality", "low_quality", "index", "labels", "remark"),
    [
        ([[0.1, 0.4, 0.8]], False, [0, 0, 0], [0, -1, 1], "three intervals"),
        ([[0.3, 0.7]], False, [0, 0], [-1, 1], "a threshold belongs to the interval above"),
        ([[0.8, 0.1], [0.9, 0.2]], False, [1, 1], [1, 0], "the best ground truth"),
        ([[0.1, 0.4, 0.2]], True, [0, 0, 0], [0, 1, 0], "its best prediction is positive"),
        ([[0.4, 0.4, 0.2]], True, [0, 0, 0], [1, 1, 0], "so are all that share the best"),
        ([[0.0, 0.0], [0.8, 0.1]], True, [1, 1], [1, 0], "without area: nothing is its best"),
        ([], False, [0, 0], [0, 0], "no ground truth: all negative"),
    ],
)
def test_matcher(quality, low_quality, index, labels, remark):
    matcher = Matcher([0.3, 0.7], [0, -1, 1], allow_low_quality_matches=low_quality)
    matrix = torch.tensor(quality).view(len(quality), -1) if quality else torch.zeros(0, 2)
    got_index, got_labels = matcher(matrix)
    assert (got_index.tolist(), got_labels.tolist()) == (index, labels), remark


def test_matcher_without_predictions():
    index, labels = Matcher([0.5], [0, 1], allow_low_quality_matches=True)(torch.zeros(3, 0))
    assert index.shape == labels.shape == (0,)


def test_matcher_that_makes_no_sense():
    with pytest.raises(ValueError, match="one label more"):
        Matcher([0.3, 0.7], [0, 1])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from([-1, 0, 1, 2, 3]), max_size=40),
    st.integers(0, 20),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_sampling(values, count, share):
    """Never an ignored one, never more than asked for, negatives fill up."""
    labels = torch.tensor(values, dtype=torch.long)
    positive, negative = sample_labels(labels, count, share, background=3)
    assert all(labels[i] in (0, 1, 2) for i in positive)
    assert all(labels[i] == 3 for i in negative)
    chosen = [*positive.tolist(), *negative.tolist()]
    assert len(set(chosen)) == len(chosen)
    available = sum(v in (0, 1, 2) for v in values)
    assert len(positive) == min(available, int(count * share))
    assert len(negative) == min(values.count(3), count - len(positive))


def test_sampling_draws_in_detectron2s_order():
    labels = torch.tensor([1, 0, 1, 0, 1, 0])
    torch.manual_seed(3)
    first, second = torch.randperm(3)[:1], torch.randperm(3)[:3]
    torch.manual_seed(3)
    positive, negative = sample_labels(labels, 4, 0.25, background=0)
    assert positive.tolist() == (first * 2).tolist()
    assert negative.tolist() == (second * 2 + 1).tolist()
