"""Training and propagation on another device than the inputs': nothing is computed on both."""

from __future__ import annotations

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


@pytest.mark.parametrize(("name", "feedback"), [("AOST", True), ("Pano-ID", False)])
def test_training(name, feedback, pretend_gpu):
    def losses(device):
        network, clips = build(name).to(device), make_clips(frames=3)
        mean, std = (torch.full((3, 1, 1), x, device=device) for x in (110.0, 60.0))
        layout = layout_of(network)
        targets = clip_targets(clips, layout, device=device)
        rules = StepRules(0.5, 0.5, feedback, depth_factor=2.0 if name == "AOST" else 0.0)
        torch.manual_seed(0)
        found = sequence_losses(network, clip_images(clips, mean, std), targets, layout, rules)
        sum(found.values()).backward()
        return found

    found, expected = losses(pretend_gpu), losses(CPU)
    assert {loss.device.type for loss in found.values()} == {pretend_gpu.type}
    for key, loss in found.items():
        assert loss.item() == pytest.approx(expected[key].item(), rel=1e-4), key


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


@pytest.mark.parametrize(
    ("kind", "merge", "flip"), [("AOT", "full", True), ("AOST", "stride4", False)]
)
def test_propagation(kind, merge, flip, pretend_gpu):
    def ids(device):
        network = small_network(kind).to(device)
        views = [
            Propagator(network, PropagationRules(memory_gap=1, memory_cap=2, merge=merge, flip=f))
            for f in ((False, True) if flip else (False,))
        ]
        with torch.no_grad():
            return [x.ids.tolist() for x in segment_frames(views, video(4), Script())]

    found = ids(pretend_gpu)
    assert found == ids(CPU)
    assert {i for row in found[3] for i in row} - {0}, "random networks still have to give labels"
