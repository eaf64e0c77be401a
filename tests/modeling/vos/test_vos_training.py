"""The training step, watched through a network that copies what its memory says."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vps.modeling.vos.memory import KeyValue
from vps.modeling.vos.network import FrameFeatures, Propagated
from vps.modeling.vos.targets import ChannelLayout, clip_targets
from vps.modeling.vos.training import (
    LongTermMemory,
    StepRules,
    TrainingRules,
    _depth_weights,
    _draw_channels,
    clip_images,
    sequence_losses,
)
from vps.structures import InputError, Segment

LAYOUTS = {"generic": ChannelLayout(3), "panoptic": ChannelLayout(3, stuff=2)}


@dataclass
class Seen:
    """What the network was asked: one-hot masks, and (long, previous) per later frame."""

    one_hot: list = field(default_factory=list)
    memories: list = field(default_factory=list)
    all_depths: set = field(default_factory=set)


class CopyNetwork(nn.Module):
    """Answers every frame with the identities that its previous frame left in memory.

    One layer, one scale; a "token" is a pixel at stride 4, and its value the one-hot vector.
    """

    align_corners = True

    def __init__(self, layout, *, gap=2, depths=1):
        super().__init__()
        self.channels = layout.channels
        self.settings = SimpleNamespace(memory_gap_train=gap)
        self.depths = depths
        self.bank = nn.Parameter(torch.ones(()))
        self.scale = nn.Parameter(torch.tensor(4.0))
        self.seen = Seen()

    def encode(self, images):
        self.frames = len(images)
        return FrameFeatures([], [images])

    def embed_identities(self, one_hot):
        self.seen.one_hot.append(one_hot)
        small = F.interpolate(one_hot, scale_factor=0.25, mode="nearest")
        return [self.bank * small.flatten(2).transpose(1, 2)]

    def propagate(self, features, memory, *, identities=None, all_depths=False, decode=True):
        self.seen.all_depths.add(all_depths)
        (images,) = features.projected
        size = (images.shape[-2] // 4, images.shape[-1] // 4)
        if memory is None:
            values = identities[0]
        else:
            self.seen.memories.append(memory)
            values = memory[1][0].value
        logits = self.scale * values.transpose(1, 2).unflatten(2, size)
        entries = [KeyValue(images.mean(1).flatten(1), torch.zeros(()))]
        if all_depths:
            logits = [logits * (depth + 1) for depth in range(self.depths)]
        return Propagated(logits if decode else None, entries, [size])

    def remember(self, propagated, identities):
        return [KeyValue(propagated.entries[0].key, identities[0])]

    def build_memory(self, stored, previous, sizes):
        return ([entries[0] for entries in stored], previous)


def make_clip(*, frames=5, size=17, seed=0):
    """Frame t has the grey value t; three objects, 5 and 6 things and 9 stuff, stay where they are,
    and thing 8 comes in frame 2.
    """
    generator = torch.Generator().manual_seed(seed)
    ids = torch.zeros(frames, size, size, dtype=torch.int32)
    for number, segment_id in enumerate((5, 6, 9)):
        ids[
            :, 4 * number : 4 * number + 4, : 8 + int(torch.randint(8, (), generator=generator))
        ] = segment_id
    ids[2:, 13:, :] = 8
    grey = torch.arange(frames, dtype=torch.uint8)[:, None, None, None]
    return {
        "images": grey.expand(frames, 3, size, size).clone(),
        "ids": ids,
        "segments": {
            5: Segment(0, True),
            6: Segment(0, True),
            8: Segment(0, True),
            9: Segment(1, False),
        },
        "labelled": torch.ones(frames, dtype=torch.bool),
        "frame_ids": [str(t) for t in range(frames)],
        "video_id": "v",
    }


def step(layout, rules, *, network=None, clips=None, seed=0):
    torch.manual_seed(seed)
    clips = clips or [make_clip(seed=1), make_clip(seed=2)]
    network = network or CopyNetwork(layout)
    images = torch.stack([clip["images"] for clip in clips], 1).float()
    return network, sequence_losses(network, images, clip_targets(clips, layout), layout, rules)


def grey(entry):
    """The frame that an entry of the memory comes from."""
    return entry.key[0, 0].item()


@pytest.mark.parametrize(
    ("gap", "stored"),
    [
        (2, [[0], [0], [0, 2], [0, 2]]),
        (1, [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]),
        (0, [[0], [0], [0], [0]]),  # AOT-T, -S, -B: the reference alone
    ],
)
def test_what_each_frame_is_matched_with(gap, stored):
    network, _ = step(
        LAYOUTS["generic"], StepRules(), network=CopyNetwork(LAYOUTS["generic"], gap=gap)
    )
    assert [[grey(e) for e in long] for long, _ in network.seen.memories] == stored
    assert [grey(previous[0]) for _, previous in network.seen.memories] == [0, 1, 2, 3]
    assert network.frames == 10  # all frames of both clips are encoded at once


def test_long_term_gap_counts_from_the_last_stored_frame():
    memory = LongTermMemory(gap=3)
    for frame in (0, 1, 4, 5, 6, 7):
        memory.store(frame, [frame])
    assert memory.entries == [[0], [4], [7]]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("feedback", [False, True])
def test_permuted_identities_change_nothing_for_a_network_without_favourites(layout, feedback):
    results = []
    for permute in (True, False):
        rules = StepRules(0.4, 0.5, feedback, permute_identities=permute)
        network, losses = step(layout, rules)
        sum(losses.values()).backward()
        results.append([*losses.values(), network.scale.grad])
    assert [x.item() for x in results[0]] == pytest.approx([x.item() for x in results[1]], rel=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_identity_moves_except_the_background(layout):
    torch.manual_seed(0)
    rows = _draw_channels(layout, 200, shuffled=True)
    assert (rows[:, 0] == 0).all()
    for channels in layout.kinds:  # the first thing too, and never into another kind
        for label in channels:
            assert set(rows[:, label].tolist()) == set(channels)
    assert all(sorted(row) == list(range(layout.channels)) for row in rows.tolist())
    assert len({tuple(row) for row in rows.tolist()}) > 3  # drawn for each sample by itself


def test_masks_enter_under_the_drawn_identities():
    layout = LAYOUTS["generic"]
    network, _ = step(layout, StepRules())
    clips = [make_clip(seed=1), make_clip(seed=2)]
    labels = clip_targets(clips, layout).identities(0)
    entered = network.seen.one_hot[0].argmax(1)
    for label, channel in zip(labels, entered):
        pairs = set(zip(label.flatten().tolist(), channel.flatten().tolist()))
        assert len(pairs) == 4  # one channel per label
        assert (0, 0) in pairs


def test_memory_gets_the_truth_or_the_own_answer():
    """Thing 8 comes in frame 2 as background; the copier answers with frame 0 for ever."""
    layout = LAYOUTS["generic"]
    clip = make_clip()
    clip["ids"][1:, :4] = 0  # thing 5 leaves
    for feedback in (False, True):
        rules = StepRules(feedback=feedback, permute_identities=False)
        network, _ = step(layout, rules, clips=[clip])
        first, second = (x.argmax(1)[0] for x in network.seen.one_hot[:2])
        if feedback:
            assert second[1, 1] == first[1, 1] == 1
        else:
            assert second[1, 1] == 0
        assert len(network.seen.one_hot) == 4  # nothing is remembered of the last frame


def test_an_unlabelled_frame_leaves_the_own_answer_and_no_loss():
    layout, rules = LAYOUTS["generic"], StepRules(permute_identities=False)
    whole, clip = make_clip(), make_clip()
    clip["labelled"][1], clip["ids"][1] = False, 0
    network, losses = step(layout, rules, clips=[clip])
    first, second = (x.argmax(1)[0] for x in network.seen.one_hot[:2])
    assert second[1, 1] == first[1, 1] == 1
    _, full = step(layout, rules, clips=[whole])
    assert losses["loss_jaccard"] < full["loss_jaccard"]


def test_the_identity_bank_stands_still_under_feedback():
    for feedback in (False, True):
        network, losses = step(LAYOUTS["generic"], StepRules(1.0, 0.5, feedback))
        sum(losses.values()).backward()
        assert (network.bank.grad is None) == feedback  # the optimizer skips it: no weight decay
        assert network.scale.grad is not None


def test_the_mean_over_frames_and_the_weight_of_the_reference():
    layout = LAYOUTS["generic"]
    clip = make_clip(frames=2)
    clip["ids"][1] = clip["ids"][0]
    _, losses = step(layout, StepRules(1.0, 0.25), clips=[clip])
    own = losses["loss_cross_entropy"] + losses["loss_jaccard"]  # both frames have the same answer
    assert losses["loss_reference"].item() == pytest.approx(0.25 * own.item(), rel=1e-5)
    _, losses = step(layout, StepRules(1.0, 0.0), clips=[clip])
    assert losses["loss_reference"] == 0


def test_every_depth_is_supervised_with_its_weight():
    layout = LAYOUTS["generic"]
    single = []
    for depth in (1, 2, 3):
        network = CopyNetwork(layout)
        network.scale.data *= depth
        _, losses = step(layout, StepRules(), network=network)
        single.append(losses["loss_cross_entropy"].item())
    network, losses = step(
        layout, StepRules(depth_factor=2.0), network=CopyNetwork(layout, depths=3)
    )
    expected = (single[0] + 2 * single[1] + 4 * single[2]) / 7
    assert losses["loss_cross_entropy"].item() == pytest.approx(expected, rel=1e-5)
    assert network.seen.all_depths == {True}
    assert _depth_weights(1, 2.0) == [1.0]


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (0.0, StepRules(1.0, 1.0, False)),
        (0.25, StepRules(0.575, 0.75, False)),
        (0.5, StepRules(0.15, 0.5, True)),
        (0.75, StepRules(0.15, 0.25, True)),
        (1.0, StepRules(0.15, 0.0, True)),
    ],
)
def test_rules_of_main_training(progress, expected):
    rules = TrainingRules().at(progress)
    assert rules.pixel_share == pytest.approx(expected.pixel_share)
    assert rules.reference_weight == pytest.approx(expected.reference_weight)
    assert rules.feedback == expected.feedback


def test_rules_of_pre_training():
    rules = TrainingRules(reference_loss_until=0.1, feedback_from=1.0)
    assert rules.at(0.05).reference_weight == pytest.approx(0.5)
    assert rules.at(0.2).reference_weight == 0
    assert not rules.at(0.999).feedback


def test_pictures_are_stacked_by_frame_and_normalised():
    mean, std = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 4.0])
    clips = [make_clip(frames=2), make_clip(frames=2)]
    images = clip_images(clips, mean.view(3, 1, 1), std.view(3, 1, 1))
    assert images.shape == (2, 2, 3, 17, 17)
    assert images[1, 0, :, 0, 0].tolist() == [0.0, -0.5, -0.5]  # grey 1


@pytest.mark.parametrize(
    ("frames", "size", "align", "message"),
    [
        (1, 17, True, "at least 2 frames"),
        (2, 16, True, r"16k\+1.*got 16x16.*\[465, 465\]"),
        (2, 17, False, r"16k .*got 17x17.*\[464, 464\]"),
    ],
)
def test_clips_that_do_not_fit(frames, size, align, message):
    network = CopyNetwork(LAYOUTS["generic"])
    network.align_corners = align
    with pytest.raises(InputError, match=message):
        step(
            LAYOUTS["generic"],
            StepRules(),
            network=network,
            clips=[make_clip(frames=frames, size=size)],
        )
