"""The detection core as a whole: it learns, and no empty list breaks it."""

from __future__ import annotations

import pytest
import torch
from detection_toy import SIZE, toy_batch, toy_cfg, toy_model, toy_picture

from vps.d2.modeling import ShapeSpec
from vps.modeling.detection import RPN, ImageTargets, PanopticFPN, RoIHeads, merge_panoptic

LOSSES = {
    "loss_sem_seg",
    "loss_rpn_cls",
    "loss_rpn_loc",
    "loss_cls",
    "loss_box_reg",
    "loss_mask",
}


def test_it_learns_two_pictures():
    model = toy_model().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batch = toy_batch()
    curve = []
    for step in range(60):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 if step < 40 else 1e-3
        losses = model(batch)
        assert set(losses) == LOSSES
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        curve.append(total.item())
    assert curve[-1] < 0.3 * curve[0], curve[::10]
    # Statistics of 60 steps of a batch of 2 do not fit eval mode well; take the batch's own.
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
            module.reset_running_stats()
    with torch.no_grad():
        model(batch)
        outputs = model.eval()(batch)
    for item, output in zip(batch, outputs):
        target = item["targets"]
        found = output["instances"]
        best = found.classes[: len(target)]
        assert sorted(best.tolist()) == sorted(target.classes.tolist())
        for box, cls, mask in zip(found.boxes, best, output["masks"]):
            index = int((target.classes == cls).nonzero())
            assert (box - target.boxes[index]).abs().max() < 8
            overlap = (mask & target.masks[index]).sum() / (mask | target.masks[index]).sum()
            assert overlap > 0.5
        assert (output["ids"] > 0).float().mean() > 0.9
        assert output["ids"].shape == SIZE


def empty_targets(crowd=None):
    nothing = torch.zeros(0, 4)
    return ImageTargets(
        nothing,
        torch.zeros(0, dtype=torch.long),
        torch.zeros(0, *SIZE, dtype=torch.bool),
        nothing if crowd is None else torch.tensor(crowd, dtype=torch.float32),
    )


@pytest.mark.parametrize(
    "which", ["first", "both", "crowd everywhere", "unlabelled semantics", "degenerate box"]
)
def test_training_without_ground_truth(which):
    """Losses stay finite and every trainable parameter gets a gradient (else DDP would hang)."""
    model = toy_model().train()
    batch = toy_batch()
    if which == "first":
        batch[0]["targets"] = empty_targets()
    elif which == "both":
        for item in batch:
            item["targets"] = empty_targets()
    elif which == "crowd everywhere":
        for item in batch:
            item["targets"] = empty_targets([[-200, -200, 300, 300]])
    elif which == "unlabelled semantics":
        for item in batch:
            item["sem_seg"].fill_(255)
    else:
        batch[0]["targets"].boxes[0] = torch.tensor([5.0, 5.0, 5.0, 20.0])
    losses = model(batch)
    assert set(losses) == LOSSES
    assert all(torch.isfinite(loss) for loss in losses.values())
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    if which == "both":
        assert losses["loss_mask"] == losses["loss_box_reg"] == losses["loss_rpn_loc"] == 0
        assert losses["loss_cls"] > 0, "background is learned"
    if which == "crowd everywhere":
        assert losses["loss_rpn_cls"] == losses["loss_cls"] == 0, "no negative inside a crowd"


def test_inference_that_finds_nothing():
    model = toy_model().eval()
    model.roi_heads.score_thresh = 1.1
    with torch.no_grad():
        (output,) = model(toy_batch()[:1])
    assert len(output["instances"].boxes) == 0
    assert output["masks"].shape == (0, *SIZE)
    assert not any(segment.isthing for segment in output["segments"].values())


def test_pictures_of_different_size_and_answers_of_another():
    model = toy_model().eval()
    pictures = [
        {"image": torch.rand(3, 50, 70) * 255, "height": 100, "width": 139},
        {"image": torch.rand(3, 33, 90) * 255},
    ]
    with torch.no_grad():
        first, second = model(pictures)
    assert first["ids"].shape == (100, 139) and second["ids"].shape == (33, 90)
    assert first["masks"].shape[1:] == (100, 139)
    if len(first["instances"].boxes):
        assert first["instances"].boxes[:, 2].max() <= 139


def test_memory_format_does_not_change_the_losses():
    model = toy_model().train()
    batch = toy_batch()
    torch.manual_seed(5)
    expected = model(batch)
    model = toy_model().train().to(memory_format=torch.channels_last)
    torch.manual_seed(5)
    got = model(batch)
    for key, loss in expected.items():
        torch.testing.assert_close(got[key], loss, rtol=1e-3, atol=1e-5)


def test_every_parameter_of_an_empty_picture_in_the_state_dict():
    names = toy_model().state_dict()
    for name in (
        "backbone.fpn_lateral2.weight",
        "proposal_generator.rpn_head.conv.weight",
        "proposal_generator.rpn_head.objectness_logits.bias",
        "proposal_generator.rpn_head.anchor_deltas.weight",
        "roi_heads.box_head.fc1.weight",
        "roi_heads.box_predictor.cls_score.bias",
        "roi_heads.box_predictor.bbox_pred.weight",
        "roi_heads.mask_head.mask_fcn1.weight",
        "roi_heads.mask_head.deconv.weight",
        "roi_heads.mask_head.predictor.bias",
        "sem_seg_head.p5.0.norm.weight",
        "sem_seg_head.predictor.weight",
    ):
        assert name in names
    assert not any("pixel" in name or "anchor_generator" in name for name in names)


@pytest.mark.parametrize(
    ("node", "key", "value"),
    [
        ("RPN", "BBOX_REG_LOSS_TYPE", "giou"),
        ("ROI_BOX_HEAD", "POOLER_TYPE", "ROIPool"),
        ("ROI_MASK_HEAD", "POOLER_TYPE", "ROIAlign"),
        ("ROI_BOX_HEAD", "TRAIN_ON_PRED_BOXES", True),
    ],
)
def test_config_that_asks_for_too_much(node, key, value):
    cfg = toy_cfg()
    if key not in cfg.MODEL[node]:
        pytest.skip(f"this host has no MODEL.{node}.{key}")
    cfg.MODEL[node][key] = value
    shape = {f"p{i}": ShapeSpec(channels=16, stride=2**i) for i in range(2, 7)}
    with pytest.raises(ValueError, match=f"{key}.*{value}"):
        RPN.from_config(cfg, shape)
        RoIHeads.from_config(cfg, shape)


def test_canonical_box_size_is_a_config_key():
    cfg = toy_cfg()
    if "CANONICAL_BOX_SIZE" in cfg.MODEL.ROI_HEADS:
        assert cfg.MODEL.ROI_HEADS.CANONICAL_BOX_SIZE == 224
    cfg.MODEL.ROI_HEADS.CANONICAL_BOX_SIZE = 56
    shape = {f"p{i}": ShapeSpec(channels=16, stride=2**i) for i in range(2, 7)}
    heads = RoIHeads.from_config(cfg, shape)
    assert heads.box_pooler.canonical_box_size == heads.mask_pooler.canonical_box_size == 56


MASKS = torch.zeros(3, 4, 6, dtype=torch.bool)
MASKS[0, :2, :3] = True
MASKS[1, 1:3, :3] = True
MASKS[2, 1:4, :3] = True


@pytest.mark.parametrize(
    ("scores", "kept", "remark"),
    [
        ([0.9, 0.8, 0.7], [0, 1], "the third is two thirds covered"),
        ([0.7, 0.8, 0.9], [2, 0], "the second is all covered, the first half"),
        ([0.9, 0.4, 0.4], [0], "below the score"),
        ([0.1, 0.1, 0.1], [], "none"),
    ],
)
def test_merge_of_instances(scores, kept, remark):
    semantic = torch.ones(4, 6, dtype=torch.long)
    classes = torch.tensor([5, 6, 7])
    ids, segments = merge_panoptic(
        MASKS, torch.tensor(scores), classes, semantic, stuff_area_min=1, overlap_thresh=0.5
    )
    things = [segment.category - 5 for segment in segments.values() if segment.isthing]
    assert things == kept, remark
    assert set(ids.unique().tolist()) == set(segments), "stuff fills the rest"
    for rank, index in enumerate(kept[:1]):
        assert torch.equal(ids == rank + 1, MASKS[index]), "the best keeps its whole mask"


def test_merge_leaves_small_stuff_and_semantic_things_void():
    semantic = torch.zeros(4, 6, dtype=torch.long)  # 0: things, which must not become stuff
    semantic[:2] = 3
    semantic[3, 0] = 4
    nothing = torch.zeros(0, 4, 6, dtype=torch.bool)
    ids, segments = merge_panoptic(
        nothing, torch.zeros(0), torch.zeros(0, dtype=torch.long), semantic, stuff_area_min=2
    )
    assert [s.category for s in segments.values()] == [3]
    assert int((ids > 0).sum()) == 12
    assert ids.dtype == torch.int32


def test_a_picture_without_things_trains_in_a_batch_of_one():
    losses = toy_model().train()([toy_picture([], [])])
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert isinstance(toy_model(), PanopticFPN)


def test_losses_in_mixed_precision_are_near_those_in_full():
    model, batch = toy_model().train(), toy_batch()
    torch.manual_seed(5)
    expected = model(batch)
    model = toy_model().train()
    torch.manual_seed(5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model(batch)
    sum(losses.values()).backward()
    for key in ("loss_sem_seg", "loss_rpn_cls", "loss_cls", "loss_mask"):
        torch.testing.assert_close(losses[key].float(), expected[key], rtol=0.05, atol=0.05)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        (output, _) = model.eval()(batch)
    assert output["ids"].shape == SIZE
