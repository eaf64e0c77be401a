"""Models whose weights are on another device than their inputs: nothing is computed on both."""

from __future__ import annotations

import pretend_gpu
import pytest
import torch
from detection_toy import toy_batch, toy_model
from small_vpsnet import segment, small_vpsnet

CPU = torch.device("cpu")


def check_strictness(device):
    there, here = torch.arange(6.0, device=device).view(2, 3), torch.ones(2, 3)
    assert there.device == torch.device(device.type, 0)
    for wrong in (
        lambda: there + here,
        lambda: torch.where(here > 0, there, 0.0),
        lambda: there.index_select(0, torch.tensor([0])),
        lambda: torch.stack([there.sum(), here.sum()]),
        lambda: here[there > 0],
    ):
        with pytest.raises(RuntimeError, match="one device"):
            wrong()
    with pytest.raises((RuntimeError, TypeError)):
        there.numpy()
    assert (there + here.to(device)).cpu().tolist() == [[1, 2, 3], [4, 5, 6]]
    assert (there * here.sum())[[1]].tolist() == [[18, 24, 30]]  # scalars and indices may mix
    assert torch.zeros(2).device == CPU
    weight = there.clone().requires_grad_()
    (weight**2).sum().backward()
    assert weight.grad.tolist() == (2 * there).tolist() and weight.grad.device == there.device


def test_the_pretended_device_is_strict(on_pretended_gpu):
    on_pretended_gpu(check_strictness)


def with_devices(losses):
    """{name: (loss, its device)}."""
    return {name: (loss.item(), loss.device.type) for name, loss in losses.items()}


def run_vpsnet(device):
    model, sample = small_vpsnet()
    model.to(device)
    losses = model([sample])
    sum(losses.values()).backward()
    results = segment(model.eval())
    assert len(results[1].segments) > 3
    return with_devices(losses), [result.ids.tolist() for result in results]


def run_panoptic_fpn(device):
    model, batch = toy_model().to(device), toy_batch()
    model.roi_heads.score_thresh = 0.01
    for item in batch:
        item.update({key: value.to(device) for key, value in item.items()})
    torch.manual_seed(0)
    losses = model(batch)
    sum(losses.values()).backward()
    model.eval()
    with torch.no_grad():
        results = model(batch)
    assert all(len(result["instances"].boxes) for result in results)
    return with_devices(losses), [result["ids"].tolist() for result in results]


@pytest.mark.parametrize("run", [run_vpsnet, run_panoptic_fpn])
def test_detection_families(run, on_pretended_gpu):
    losses, ids = on_pretended_gpu(run)
    expected_losses, expected_ids = run(CPU)
    for name, (expected, _) in expected_losses.items():
        loss, device = losses[name]
        assert loss == pytest.approx(expected, rel=1e-4), name
        assert device == pretend_gpu.NAME
    assert ids == expected_ids
