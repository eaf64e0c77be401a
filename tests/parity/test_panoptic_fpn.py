"""Our Panoptic FPN against Detectron2's: same weights, same seed, same numbers.

The figures are printed (``pytest -rP``). With VPS_RECORD=1 in the environment the numbers that
``test_recorded_numbers.py`` checks on every machine are written anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from parity_cases import fill_weights, make_cfg, make_inputs, without_instances

import vps.modeling.backbone  # noqa: F401  (registers the backbone)
from vps.modeling.detection import PanopticFPN

RECORD = Path(__file__).with_name("detectron2_numbers.json")


@pytest.fixture(scope="module", params=["r50", "r18"])
def pair(request):
    """Detectron2's model and ours with the same weights."""
    from detectron2.config import get_cfg
    from detectron2.modeling import build_backbone, build_model

    cfg = make_cfg(get_cfg, request.param)
    theirs = build_model(cfg)
    fill_weights(theirs)
    own_cfg = cfg.clone()
    own_cfg.MODEL.BACKBONE.NAME = "build_vps_resnet_fpn_backbone"
    ours = PanopticFPN.from_config(own_cfg, build_backbone(own_cfg))
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    inputs = make_inputs(cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES)
    return request.param, theirs, ours, inputs


def in_their_form(inputs):
    from detectron2.structures import BitMasks, Boxes, Instances

    answer = []
    for item in inputs:
        instances = Instances(tuple(item["image"].shape[-2:]))
        instances.gt_boxes = Boxes(item["targets"].boxes)
        instances.gt_classes = item["targets"].classes
        instances.gt_masks = BitMasks(item["targets"].masks)
        answer.append({**item, "instances": instances})
    return answer


def test_state_dict_is_the_same(pair):
    name, theirs, ours, _ = pair
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, tensor in theirs.state_dict().items():
        assert ours.state_dict()[key].shape == tensor.shape, key
    if name == "r50":
        assert len(ours.state_dict()) == 330
    trained = [key for key, parameter in theirs.named_parameters() if parameter.requires_grad]
    assert [k for k, p in ours.named_parameters() if p.requires_grad] == trained


def test_inference_and_merge_are_the_same(pair):
    name, theirs, ours, inputs = pair
    theirs.eval()
    ours.eval()
    with torch.no_grad():
        expected = theirs(inputs)
        got = ours(inputs)
    for index, (want, have) in enumerate(zip(expected, got)):
        instances = want["instances"]
        found = have["instances"]
        assert len(instances) > 20, "a comparison of next to nothing"
        assert found.classes.tolist() == instances.pred_classes.tolist()
        boxes = float((found.boxes - instances.pred_boxes.tensor).abs().max())
        scores = float((found.scores - instances.scores).abs().max())
        semantic = float((have["sem_seg"] - want["sem_seg"]).abs().max())
        pixels = int((have["masks"] != instances.pred_masks).sum())
        ids, infos = want["panoptic_seg"]
        different = int((ids != have["ids"]).sum())
        print(
            f"{name} image {index}: {len(instances)} detections, boxes {boxes:.1e} px, scores "
            f"{scores:.1e}, semantic logits {semantic:.1e}, {pixels} of {have['masks'].numel()} "
            f"mask pixels; {len(infos)} panoptic segments, {different} of {ids.numel()} pixels"
        )
        assert boxes <= 1e-4 and scores <= 1e-5 and semantic <= 1e-4
        assert pixels <= 20 and different <= 20
        assert sum(info["isthing"] for info in infos) >= 2
        assert [info["id"] for info in infos] == list(have["segments"])
        for info in infos:
            segment = have["segments"][info["id"]]
            assert (info["category_id"], info["isthing"]) == (segment.category, segment.isthing)
    if name == "r18" and os.environ.get("VPS_RECORD"):
        record(
            "inference",
            [
                {
                    "boxes": want["instances"].pred_boxes.tensor[:10].tolist(),
                    "scores": want["instances"].scores[:10].tolist(),
                    "classes": want["instances"].pred_classes[:10].tolist(),
                    "mask_pixels": int(want["instances"].pred_masks.sum()),
                    "segments": [i["category_id"] for i in want["panoptic_seg"][1]],
                }
                for want in expected
            ],
        )


@pytest.mark.parametrize("instances", [True, False], ids=["instances", "no instances"])
def test_losses_and_gradients_are_the_same(pair, instances):
    from detectron2.utils.events import EventStorage

    name, theirs, ours, inputs = pair
    if not instances:
        inputs = without_instances(inputs)
    fill_weights(theirs)  # trainable statistics moved in the test before
    fill_weights(ours)
    theirs.train()
    ours.train()
    with EventStorage():
        torch.manual_seed(11)
        expected = theirs(in_their_form(inputs))
    torch.manual_seed(11)
    got = ours(inputs)
    assert set(got) == set(expected)
    for key, value in expected.items():
        want, have = float(value.detach()), float(got[key].detach())
        difference = abs(have - want) / max(want, 1e-12)
        print(f"{name} {key}: {want:.6f}, relative difference {difference:.1e}")
        assert difference <= 1e-6, key
    theirs.zero_grad()
    ours.zero_grad()
    sum(expected.values()).backward()
    sum(got.values()).backward()
    worst, compared = 0.0, 0
    own_gradients = {key: parameter.grad for key, parameter in ours.named_parameters()}
    for key, parameter in theirs.named_parameters():
        assert (own_gradients[key] is None) == (parameter.grad is None), key
        if parameter.grad is not None and parameter.grad.abs().max() > 1e-6:
            difference = (own_gradients[key] - parameter.grad).abs().max()
            worst = max(worst, float(difference / parameter.grad.abs().max()))
            compared += 1
    print(f"{name} {compared} gradients: largest difference {worst:.1e} of the tensor's maximum")
    assert worst < 2e-3
    if name == "r18" and os.environ.get("VPS_RECORD"):
        what = "losses" if instances else "losses without instances"
        record(what, {key: float(value.detach()) for key, value in expected.items()})


def record(key: str, value) -> None:
    numbers = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    numbers[key] = value
    RECORD.write_text(json.dumps(numbers, indent=1) + "\n")
