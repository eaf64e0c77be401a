"""RPN and RoI heads piece by piece: labels, sampling, cropping, selecting."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from detection_toy import toy_model, toy_picture

from vps.modeling.detection import ImageTargets, SampledBoxes, crop_masks, select_detections
from vps.modeling.detection.losses import smooth_l1_sum
from vps.modeling.detection.targets import in_crowd


@pytest.fixture(scope="module")
def heads():
    return toy_model().roi_heads


@pytest.fixture(scope="module")
def features():
    torch.manual_seed(0)
    return {
        name: torch.randn(2, 16, 64 // stride, 96 // stride)
        for name, stride in (("p2", 4), ("p3", 8), ("p4", 16), ("p5", 32), ("p6", 64))
    }


def targets_of(*boxes, crowd=()):
    picture = toy_picture(list(boxes), [i % 3 for i in range(len(boxes))])
    targets = picture["targets"]
    targets.crowd_boxes = torch.tensor(crowd, dtype=torch.float32).view(-1, 4)
    return targets


def test_crowds():
    boxes = torch.tensor([[0.0, 0, 10, 10], [4, 0, 14, 10], [5, 0, 15, 10], [6, 0, 16, 10]])
    crowd = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]])
    assert in_crowd(boxes, crowd).tolist() == [True, True, True, False]
    assert in_crowd(boxes, crowd[:0]).tolist() == [False] * 4


def test_anchor_labels():
    rpn = toy_model().proposal_generator
    anchors = torch.tensor(
        [[10.0, 10, 30, 30], [12, 10, 32, 30], [60, 10, 80, 30], [40, 40, 60, 60], [0, 40, 9, 49]]
    )
    target = targets_of((10, 10, 30, 30), crowd=[[38, 38, 62, 62]])
    labels, matched = rpn.label_anchors(anchors, (64, 96), target)
    assert labels.tolist() == [1, 1, 0, -1, 0], "the fourth lies in a crowd"
    assert matched[:2].tolist() == [0, 0]
    rpn.boundary_thresh = 0
    anchors[0, 0] = -0.5
    labels, _ = rpn.label_anchors(anchors, (64, 96), target)
    assert labels[0] == -1, "reaches over the border"


def test_proposals_are_clipped_sorted_and_without_gradient(features):
    rpn = toy_model().proposal_generator
    leaves = {name: f.clone().requires_grad_() for name, f in features.items()}
    proposals, losses = rpn(leaves, [(64, 96), (40, 50)])
    assert losses == {}
    for boxes, (height, width) in zip(proposals, [(64, 96), (40, 50)]):
        assert 0 < len(boxes) <= 50 and not boxes.requires_grad
        assert boxes.min() >= 0
        assert boxes[:, 2].max() <= width and boxes[:, 3].max() <= height


def test_diverged_training_says_so(features):
    rpn = toy_model().proposal_generator.train()
    broken = {name: f * float("nan") for name, f in features.items()}
    with pytest.raises(FloatingPointError, match="diverged"):
        rpn(broken, [(64, 96)] * 2)
    proposals, _ = rpn.eval()(broken, [(64, 96)] * 2)
    assert [len(p) for p in proposals] == [0, 0], "at inference there is simply nothing"


def test_sampling(heads):
    target = targets_of((10, 10, 30, 30), (50, 20, 80, 50), crowd=[[0, 50, 12, 64]])
    proposals = torch.tensor(
        [[50.0, 20, 80, 48], [0, 0, 8, 8], [1, 51, 11, 63], [12, 10, 30, 30], [80, 0, 96, 10]]
    )
    torch.manual_seed(0)
    (sample,) = heads.sample([proposals], [target])
    positive = sample.gt_index >= 0
    assert int(positive.sum()) == 4, "two proposals and two ground truths, a quarter of 16"
    assert torch.equal(sample.classes[positive], target.classes[sample.gt_index[positive]])
    assert (sample.classes[~positive] == heads.num_classes).all()
    assert len(sample.boxes) == 6, "the proposal inside the crowd is neither"
    assert not (sample.boxes == proposals[2]).all(dim=1).any()
    for box in target.boxes:
        assert (sample.boxes == box).all(dim=1).any(), "ground truth is appended"


def test_sampling_without_targets_or_proposals(heads):
    none = targets_of()
    empty, negatives = heads.sample([torch.zeros(0, 4), torch.rand(5, 4)], [none, none])
    assert len(empty.boxes) == 0
    assert negatives.classes.tolist() == [3] * 5 and negatives.gt_index.tolist() == [-1] * 5


def test_box_features_can_be_shared(heads, features):
    boxes = [torch.tensor([[10.0, 10, 30, 30]]), torch.tensor([[5.0, 5, 90, 60], [0, 0, 9, 9]])]
    pooled = heads.pool_boxes(features, boxes)
    assert pooled.shape == (3, 16, 7, 7)
    predictions = heads.predict_boxes(pooled, boxes, [(64, 96), (40, 50)])
    (first, first_boxes), (second, second_boxes) = predictions
    assert first.shape == (1, 4) and first_boxes.shape == (1, 3, 4)
    assert second.shape == (2, 4) and second_boxes.shape == (2, 3, 4)
    torch.testing.assert_close(second.sum(dim=1), torch.ones(2))
    assert second_boxes[..., 2].max() <= 50 and second_boxes[..., 3].max() <= 40


def test_mask_logits_are_of_the_asked_class(heads, features):
    boxes = [torch.tensor([[10.0, 10, 30, 30]]).repeat(3, 1), torch.zeros(0, 4)]
    classes = [torch.tensor([0, 1, 2]), torch.zeros(0, dtype=torch.long)]
    logits = heads.mask_logits(features, boxes, classes)
    assert logits.shape == (3, 28, 28)
    again = heads.mask_logits(features, boxes, [torch.tensor([2, 1, 0]), classes[1]])
    torch.testing.assert_close(again, logits.flip(0))
    assert not torch.equal(logits[0], logits[1])


def test_losses_count_each_sample_once(heads, features):
    """The regression is divided by all samples, not by the positive ones (Detectron2's rule)."""
    target = targets_of((10, 10, 30, 30))
    boxes = torch.tensor([[12.0, 10, 30, 30], [60, 40, 70, 60], [0, 0, 8, 8]])
    classes = torch.tensor([int(target.classes[0]), 3, 3])
    none = targets_of()
    empty = SampledBoxes(boxes[:0], classes[:0], classes[:0])
    losses = []
    for count in (1, 3):
        gt_index = torch.tensor([0, -1, -1])[:count]
        sample = SampledBoxes(boxes[:count], classes[:count], gt_index)
        pooled = heads.pool_boxes(features, [sample.boxes, empty.boxes])
        losses.append(heads.box_losses(pooled, [sample, empty], [target, none]))
    torch.testing.assert_close(losses[0]["loss_box_reg"], losses[1]["loss_box_reg"] * 3)


def test_mask_loss_is_the_mean_over_positive_samples(heads, features):
    target = targets_of((10, 10, 30, 30))
    box = torch.tensor([[10.0, 10, 30, 30], [60, 40, 70, 60]])
    sample = SampledBoxes(box, torch.tensor([0, 3]), torch.tensor([0, -1]))
    none = targets_of()
    empty = SampledBoxes(box[:0], sample.classes[:0], sample.gt_index[:0])
    loss = heads.mask_losses(features, [sample, empty], [target, none])["loss_mask"]
    logits = heads.mask_logits(features, [box[:1], box[:0]], [sample.classes[:1], empty.classes])
    expected = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    torch.testing.assert_close(loss, expected)


def test_class_agnostic_heads():
    from detection_toy import toy_cfg

    from vps.d2.modeling import build_backbone
    from vps.modeling.detection import PanopticFPN

    cfg = toy_cfg()
    cfg.MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG = True
    cfg.MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK = True
    model = PanopticFPN.from_config(cfg, build_backbone(cfg)).train()
    losses = model([toy_picture([(10, 10, 40, 40)], [2])] * 2)
    assert all(torch.isfinite(loss) for loss in losses.values())
    pooled = torch.rand(4, 16, 7, 7)
    ((_, boxes),) = model.roi_heads.predict_boxes(pooled, [torch.rand(4, 4) * 50], [(64, 96)])
    assert boxes.shape == (4, 3, 4)
    assert torch.equal(boxes[:, 0], boxes[:, 2])


def test_cropped_masks():
    masks = torch.zeros(2, 40, 40, dtype=torch.bool)
    masks[1, 10:20, 10:30] = True
    boxes = torch.tensor([[10.0, 10, 30, 30], [10, 10, 30, 20], [0, 0, 10, 10]])
    index = torch.tensor([1, 1, 0])
    cropped = crop_masks(masks, index, boxes, 28)
    assert cropped.shape == (3, 28, 28) and cropped.dtype == torch.bool
    assert cropped[0, :14].all() and not cropped[0, 14:].any()
    assert cropped[1].all()
    assert not cropped[2].any()
    assert crop_masks(masks[:0], index[:0], boxes[:0], 28).shape == (0, 28, 28)


@pytest.mark.parametrize(
    ("limit", "expected", "remark"),
    [
        (100, [(0, 0.9), (1, 0.55), (0, 0.3)], "NMS within a class, not across"),
        (2, [(0, 0.9), (1, 0.55)], "the best of an image"),
        (-1, [(0, 0.9), (1, 0.55), (0, 0.3)], "no limit"),
    ],
)
def test_selection(limit, expected, remark):
    same, other = [0.0, 0, 10, 10], [30.0, 30, 40, 40]
    boxes = torch.tensor([[same, same], [same, same], [other, other], [same, same]])
    probabilities = torch.tensor(
        [[0.9, 0.05, 0.05], [0.4, 0.55, 0.05], [0.3, 0.04, 0.66], [float("nan")] * 3]
    )
    found = select_detections(probabilities, boxes, 0.05, 0.5, limit)
    got = [(int(c), round(float(s), 4)) for c, s in zip(found.classes, found.scores)]
    assert got == expected, remark


@pytest.mark.parametrize(
    ("beta", "expected"), [(0.0, 3.5), (1.0, 0.125 + 2.5), (3.0, 0.5 * 0.25 / 3 + 1.5)]
)
def test_smooth_l1(beta, expected):
    loss = smooth_l1_sum(torch.tensor([0.5, 3.0]), torch.zeros(2), beta)
    assert loss.item() == pytest.approx(expected)


def test_smooth_l1_of_nothing_is_connected():
    x = torch.zeros(0, 4, requires_grad=True)
    smooth_l1_sum(x, x.detach(), 0.0).backward()
    assert x.grad is not None


def test_targets_move_together():
    moved = targets_of((1, 1, 5, 5)).to("meta")
    assert isinstance(moved, ImageTargets) and len(moved) == 1
    assert {t.device.type for t in vars(moved).values()} == {"meta"}
