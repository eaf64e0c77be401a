"""Training and propagation on another device than the inputs': nothing is computed on both."""

from __future__ import annotations

import pretend_gpu
import pytest
import torch
from small_networks import small_network, squares, video
from test_training_network import build, make_clips

from vps.modeling.vos.propagator import PropagationRules, Propagator
from vps.modeling.vos.segmenting import segment_frames
from vps.modeling.vos.targets import clip_targets
from vps.modeling.vos.training import StepRules, clip_images, layout_of, sequence_losses
from vps.structures import ReferenceUpdate

CPU = torch.device("cpu")


def training_losses(device, name, feedback):
    """{name: (loss, its device)} of a training step."""
    network, clips = build(name).to(device), make_clips(frames=3)
    mean, std = (torch.full((3, 1, 1), x, device=device) for x in (110.0, 60.0))
    layout = layout_of(network)
    targets = clip_targets(clips, layout, device=device)
    rules = StepRules(0.5, 0.5, feedback, depth_factor=2.0 if name == "AOST" else 0.0)
    torch.manual_seed(0)
    losses = sequence_losses(network, clip_images(clips, mean, std), targets, layout, rules)
    sum(losses.values()).backward()
    return {key: (loss.item(), loss.device.type) for key, loss in losses.items()}


@pytest.mark.parametrize(("name", "feedback"), [("AOST", True), ("Pano-ID", False)])
def test_training(name, feedback, on_pretended_gpu):
    found = on_pretended_gpu(training_losses, name, feedback)
    for key, (expected, _) in training_losses(CPU, name, feedback).items():
        loss, device = found[key]
        assert loss == pytest.approx(expected, rel=1e-4), key
        assert device == pretend_gpu.NAME


class Script:
    """Five objects in two groups; one leaves, another comes, one is seen again."""

    def update(self, frame, predicted):
        places = {300: (4, 4), 7: (30, 40), 8: (20, 20), 9: (4, 40), 10: (35, 5)}
        masks = {
            "000": squares((49, 65), places, stuff=(7,)),
            "002": squares((49, 65), {11: (10, 10), 300: (5, 5)}),
        }
        retired = frozenset({9}) if frame.frame_id == "002" else frozenset()
        return ReferenceUpdate(masks.get(frame.frame_id), retired)


def followed_ids(device, kind, merge, flip):
    """Labels of each frame."""
    network = small_network(kind).to(device)
    views = [
        Propagator(network, PropagationRules(memory_gap=1, memory_cap=2, merge=merge, flip=f))
        for f in ((False, True) if flip else (False,))
    ]
    with torch.no_grad():
        return [x.ids.tolist() for x in segment_frames(views, video(4), Script())]


@pytest.mark.parametrize("case", [("AOT", "full", True), ("AOST", "stride4", False)])
def test_propagation(case, on_pretended_gpu):
    found = on_pretended_gpu(followed_ids, *case)
    assert found == followed_ids(CPU, *case)
    assert {i for row in found[3] for i in row} - {0}, "random networks still have to give labels"
