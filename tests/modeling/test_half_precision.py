"""Detection and VPSNet in half precision: what must not be rounded is computed in float32.

The CPU's autocast in float16 stands for that of a GPU; its list of operations is much the same.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from small_vpsnet import segment, small_vpsnet

from vps.modeling.detection.losses import smooth_l1_sum
from vps.modeling.vpsnet.association import mask_iou
from vps.modeling.vpsnet.panoptic_head import panoptic_logits
from vps.modeling.vpsnet.panoptic_inference import compete, semantic_maps
from vps.modeling.vpsnet.track_head import match_logits


def half():
    return torch.autocast("cpu", torch.float16)


def test_matching_of_embeddings_does_not_overflow():
    embeddings = torch.full((2, 1024), 30.0).half()
    with half():
        logits = match_logits(embeddings, -embeddings)
    assert logits.tolist() == [[0, -921600, -921600]] * 2


def test_pixels_of_large_masks_are_counted():
    masks = torch.zeros(2, 300, 301, dtype=torch.bool)
    masks[0], masks[1, :, 1:] = True, True
    with half():
        overlap = mask_iou(masks, masks)
    assert overlap[0, 0] == 1 and overlap[0, 1].item() == pytest.approx(300 / 301)


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_regression_targets_are_not_rounded(beta):
    prediction, target = torch.tensor([8.0], dtype=torch.float16), torch.tensor([8.003])
    loss = smooth_l1_sum(prediction, target, beta)
    error = target.item() - 8
    expected = error if beta == 0 else 0.5 * error**2 / beta
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_a_logit_below_the_range_of_half_precision():
    score = torch.zeros(2, 4, 4, dtype=torch.float16)
    boxes, masks = torch.tensor([[0.0, 0.0, 8.0, 8.0]]), torch.zeros(1, 4, 4).half()
    logits = panoptic_logits(score, masks, boxes, torch.tensor([1]), [0], outside=-1e10)
    assert logits[1].unique().tolist() == [-1e10, 0]


def test_pictures_without_stuff():
    score = torch.rand(2, 4, 4, dtype=torch.float16)
    maps = semantic_maps(score, [], {1}, (16, 16), (16, 16))
    boxes = torch.tensor([[0.0, 0.0, 8.0, 16.0]])
    owner = compete(maps, torch.ones(1, 4, 4).half(), boxes, torch.tensor([1]))
    assert (owner[:, :8] == 0).all() and (owner[:, 8:] == -1).all()


def run_vpsnet(autocast):
    model, sample = small_vpsnet()
    with autocast:
        losses = model([sample])
    (1024 * sum(losses.values())).backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    with autocast:
        results = segment(model.eval())
    assert all(len(result.segments) > 3 for result in results)
    return losses, gradient / 1024


def test_vpsnet():
    """Losses are float32 and hardly change; gradients are finite and point the same way."""
    losses, gradient = run_vpsnet(half())
    expected, full_gradient = run_vpsnet(torch.autocast("cpu", enabled=False))
    for name, loss in losses.items():
        assert loss.dtype == torch.float32, name
        assert loss.item() == pytest.approx(expected[name].item(), rel=0.1), name
    assert F.cosine_similarity(gradient, full_gradient, 0) > 0.9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_vpsnet_on_a_gpu():
    model, sample = small_vpsnet()
    model.to("cuda")
    scaler = torch.amp.GradScaler("cuda", init_scale=1024.0)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], fused=True)
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    with torch.autocast("cuda", torch.float16):
        losses = model([sample])
    assert {(loss.dtype, loss.device.type) for loss in losses.values()} == {(torch.float32, "cuda")}
    scaler.scale(sum(losses.values())).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    after = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert torch.isfinite(after).all() and (after != before).any()
    assert all(result.segments for result in segment(model.eval()))
