"""The training step with small real networks: gradients, identities, depths, a few steps."""

from __future__ import annotations

import pytest
import torch
from small_networks import PYRAMID, STACK

from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.targets import clip_targets
from vps.modeling.vos.training import StepRules, layout_of, sequence_losses
from vps.modeling.vos.variants import network_settings
from vps.structures import Segment

LEARNING = {"encoder_norm": "BN", "encoder_freeze_at": 0, "window": 3}
SMALL = {**STACK, **LEARNING, "drop_path": (0.0,)}
SMALL_PYRAMID = {**PYRAMID, **LEARNING, "drop_path": (0.0,) * 4}
NETWORKS = {
    "AOT-T": ("AOT-T", SMALL),
    "AOST": ("AOST", SMALL),
    "PAOT": ("R50-PAOT", SMALL_PYRAMID),
    "Pano-ID": ("R50-PAOT-PanoID", {**SMALL_PYRAMID, "stuff_capacity": 2}),
}


def build(name, seed=0):
    torch.manual_seed(seed)
    variant, changes = NETWORKS[name]
    return VOSNetwork(network_settings(variant, changes)).train()


def make_clips(*, frames=4, size=33, number=2):
    """Squares that move over noise: two things and a region of stuff."""
    generator = torch.Generator().manual_seed(0)
    clips = []
    for _ in range(number):
        ids = torch.zeros(frames, size, size, dtype=torch.int32)
        ids[:, 20:] = 7
        images = torch.randint(0, 60, (frames, 3, size, size), generator=generator)
        for frame in range(frames):
            ids[frame, 2:14, 2 * frame : 2 * frame + 12] = 3
            ids[frame, 10:24, 18:30] = 5
        for segment_id, color in ((7, (60, 90, 60)), (3, (190, 20, 20)), (5, (20, 20, 190))):
            mask = (ids == segment_id)[:, None]
            images += mask * torch.tensor(color)[:, None, None]
        clips.append(
            {
                "images": images.to(torch.uint8),
                "ids": ids,
                "segments": {3: Segment(0, True), 5: Segment(0, True), 7: Segment(1, False)},
                "labelled": torch.ones(frames, dtype=torch.bool),
                "frame_ids": [],
                "video_id": "v",
            }
        )
    return clips


def losses_of(network, rules, clips=None):
    clips = clips or make_clips()
    images = torch.stack([clip["images"] for clip in clips], 1).float() / 128 - 1
    layout = layout_of(network)
    return sequence_losses(network, images, clip_targets(clips, layout), layout, rules)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_learns(name):
    network = build(name)
    rules = StepRules(1.0, 1.0, depth_factor=2.0 if name == "AOST" else 0.0)
    losses = losses_of(network, rules)
    assert all(torch.isfinite(loss) for loss in losses.values())
    sum(losses.values()).backward()
    idle = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []


@pytest.mark.parametrize("name", NETWORKS)
def test_under_feedback_the_banks_alone_stand_still(name):
    network = build(name)
    sum(losses_of(network, StepRules(0.5, 0.5, feedback=True)).values()).backward()
    idle = {n.split(".")[0] for n, p in network.named_parameters() if p.grad is None}
    learning = {n.split(".")[0] for n, p in network.named_parameters() if p.grad is not None}
    assert "identity_banks" in idle
    assert "identity_banks" not in learning


def test_gradients_flow_through_what_is_stored():
    """The last frame's loss alone reaches the pictures of the frames that it was matched with: the
    reference, and frame 2, which is stored and the previous one; but not frame 1.
    """
    variant, changes = NETWORKS["AOT-T"]
    network = VOSNetwork(network_settings(variant, {**changes, "memory_gap_train": 2})).train()
    clips = make_clips(number=1)
    for frame in range(1, 3):
        clips[0]["labelled"][frame] = False
        clips[0]["ids"][frame] = 0
    images = torch.stack([clip["images"] for clip in clips], 1).float() / 128 - 1
    images.requires_grad_()
    network.encoder.eval()  # batch statistics would mix the frames
    layout = layout_of(network)
    losses = sequence_losses(network, images, clip_targets(clips, layout), layout, StepRules())
    losses["loss_jaccard"].backward()
    reached = images.grad.abs().flatten(1).sum(1) > 0
    assert reached.tolist() == [True, False, True, True]


@pytest.mark.parametrize("name", ["AOT-T", "Pano-ID"])
def test_permuting_identities_is_permuting_the_banks(name):
    """Losses with drawn identities equal those of a network whose banks and predictor are permuted
    the same way and whose identities are not drawn.
    """
    network = build(name)
    clips, layout = make_clips(number=1), layout_of(build(name))
    torch.manual_seed(5)
    from vps.modeling.vos.training import _draw_channels

    (channel_of,) = _draw_channels(layout, 1, shuffled=True)
    assert channel_of.tolist() != list(range(layout.channels))
    torch.manual_seed(5)
    drawn = losses_of(network, StepRules(1.0, 1.0), clips)

    with torch.no_grad():
        for bank in network.identity_banks:
            if name == "Pano-ID":
                stuff = layout.stuff + 1
                bank.stuff.weight.copy_(bank.stuff.weight[:, channel_of[:stuff]])
                bank.thing.weight.copy_(bank.thing.weight[:, channel_of[stuff:] - stuff])
            else:
                bank.bank.weight.copy_(bank.bank.weight[:, channel_of])
        matching = network.matching
        predictor = getattr(matching, "predictor", None) or matching.decoder.predictor
        predictor.weight.copy_(predictor.weight[channel_of])
        predictor.bias.copy_(predictor.bias[channel_of])
    fixed = losses_of(network, StepRules(1.0, 1.0, permute_identities=False), clips)
    for key in drawn:
        assert drawn[key].item() == pytest.approx(fixed[key].item(), rel=1e-4)


def test_samples_of_a_batch_do_not_meet():
    network = build("AOT-T")
    network.encoder.eval()
    one, other = make_clips()
    other["images"] = 255 - other["images"]
    rules = StepRules(1.0, 1.0, permute_identities=False)
    both = losses_of(network, rules, [one, other])
    single = [losses_of(network, rules, [clip]) for clip in (one, other)]
    for key in both:
        mean = (single[0][key] + single[1][key]) / 2
        assert both[key].item() == pytest.approx(mean.item(), rel=1e-4)


def test_a_few_steps_lower_the_loss():
    network, clips = build("AOT-T"), make_clips(frames=3)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    seen = []
    for _ in range(30):
        losses = losses_of(network, StepRules(), clips)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        seen.append(losses["loss_jaccard"].item())
    assert sum(seen[-5:]) < 0.85 * sum(seen[:5])
