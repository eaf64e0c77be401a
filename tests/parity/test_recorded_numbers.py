"""Our Panoptic FPN against numbers recorded from Detectron2 (commit 02b5c4e, 0.6, torch 2.14.1,
CPU) by ``test_panoptic_fpn.py``; needs no Detectron2.

The tolerance allows for other processors' rounding, not for another rule.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from parity_cases import fill_weights, make_cfg, make_inputs, without_instances

import vps.modeling.backbone  # noqa: F401  (registers the backbone)
from vps.d2.config import get_cfg
from vps.d2.modeling import build_backbone
from vps.modeling.detection import PanopticFPN


@pytest.fixture(scope="module")
def numbers():
    return json.loads(Path(__file__).with_name("detectron2_numbers.json").read_text())


@pytest.fixture(scope="module")
def model():
    cfg = make_cfg(get_cfg, "r18")
    cfg.MODEL.BACKBONE.NAME = "build_vps_resnet_fpn_backbone"
    return PanopticFPN.from_config(cfg, build_backbone(cfg))


@pytest.mark.parametrize("instances", [True, False], ids=["instances", "no instances"])
def test_losses(model, numbers, instances):
    inputs = make_inputs(4, 9)
    fill_weights(model)
    model.train()
    torch.manual_seed(11)
    losses = model(inputs if instances else without_instances(inputs))
    expected = numbers["losses" if instances else "losses without instances"]
    got = {key: float(value.detach()) for key, value in losses.items()}
    assert got == pytest.approx(expected, rel=1e-3, abs=1e-9)


def test_inference(model, numbers):
    fill_weights(model)
    model.eval()
    with torch.no_grad():
        outputs = model(make_inputs(4, 9))
    for got, expected in zip(outputs, numbers["inference"]):
        found = got["instances"]
        assert found.classes[:10].tolist() == expected["classes"]
        torch.testing.assert_close(
            found.scores[:10], torch.tensor(expected["scores"]), rtol=1e-3, atol=1e-5
        )
        torch.testing.assert_close(
            found.boxes[:10], torch.tensor(expected["boxes"]), rtol=0, atol=0.02
        )
        assert int(got["masks"].sum()) == pytest.approx(expected["mask_pixels"], rel=5e-3)
        assert [s.category for s in got["segments"].values()] == expected["segments"]
