"""Clip samples to channels: which objects count, where they go, what is ignored."""

from __future__ import annotations

import pytest
import torch

from vps.modeling.vos.targets import ChannelLayout, assign_channels, clip_targets
from vps.structures import InputError, Segment

GENERIC = ChannelLayout(things=10)
PANOPTIC = ChannelLayout(things=10, stuff=5)
THING, STUFF = Segment(0, True), Segment(1, False)


def clip(ids, segments, labelled=None):
    ids = torch.tensor(ids, dtype=torch.int32)[:, None]  # [T, 1, W]
    frames = len(ids)
    return {
        "images": torch.zeros(frames, 3, *ids.shape[1:], dtype=torch.uint8),
        "ids": ids,
        "segments": segments,
        "labelled": torch.tensor(labelled or [True] * frames),
        "frame_ids": [str(t) for t in range(frames)],
        "video_id": "v",
    }


SEGMENTS = {300: THING, 7: STUFF, 40: THING, 9: Segment(0, True, iscrowd=True)}


def test_channels_of_each_layout():
    assert (GENERIC.channels, PANOPTIC.channels) == (11, 16)
    reference = torch.tensor([[0, 300, 7, 40, 9]])
    assert assign_channels(reference, SEGMENTS, GENERIC) == {7: 1, 40: 2, 300: 3}
    assert assign_channels(reference, SEGMENTS, PANOPTIC) == {7: 1, 40: 6, 300: 7}


@pytest.mark.parametrize(
    ("frames", "zero_label", "expected", "remark"),
    [
        ([[0, 300, 7, 40]] * 2, "background", [[0, 3, 1, 2]] * 2, "ids with gaps, in their order"),
        ([[0, 7, 7], [0, 40, 7]], "background", [[0, 1, 1], [0, 0, 1]], "a newcomer is background"),
        ([[0, 7], [0, 40]], "ignore", [[255, 1], [255, 0]], "void is ignored, newcomers are not"),
        ([[9, 7], [7, 9]], "background", [[255, 1], [1, 255]], "a crowd is ignored"),
        ([[0, 0], [7, 7]], "background", [[0, 0], [0, 0]], "no object in the reference"),
        ([[0, 55, 7]], "background", [[0, 0, 1]], "an id that nobody describes is background"),
    ],
)
def test_label_maps(frames, zero_label, expected, remark):
    targets = clip_targets([clip(frames, SEGMENTS)], GENERIC, zero_label=zero_label)
    assert targets.labels[:, 0, 0].tolist() == expected, remark


def test_memory_sees_background_where_the_losses_see_nothing():
    targets = clip_targets([clip([[0, 9, 7]], SEGMENTS)], GENERIC, zero_label="ignore")
    assert targets.labels[0, 0, 0].tolist() == [255, 255, 1]
    assert targets.identities(0)[0, 0].tolist() == [0, 0, 1]


def test_an_unlabelled_frame_is_ignored():
    sample = clip([[7, 7], [0, 0]], SEGMENTS, labelled=[True, False])
    targets = clip_targets([sample], GENERIC)
    assert targets.labels[1].tolist() == [[[255, 255]]]
    assert targets.given.tolist() == [[True], [False]]


def test_used_channels_of_each_sample():
    samples = [clip([[0, 7, 40]], SEGMENTS), clip([[0, 0, 300]], SEGMENTS)]
    assert clip_targets(samples, PANOPTIC).used.nonzero().tolist() == [
        [0, 0],
        [0, 1],
        [0, 6],
        [1, 0],
        [1, 6],
    ]


def test_more_objects_than_channels():
    """A random choice stays, per kind; the rest is background and not ignored."""
    segments = {i: Segment(0, i > 7) for i in range(1, 21)}  # 7 of stuff, 13 things
    sample = clip([list(range(21))] * 2, segments)
    stayed = set()
    for seed in range(20):
        torch.manual_seed(seed)
        targets = clip_targets([sample], PANOPTIC)
        assert targets.used.all()
        first, second = targets.labels[:, 0, 0].tolist()
        assert first == second
        assert sorted(label for label in first if label) == list(range(1, 16))
        assert 255 not in first
        stayed.add(tuple(first))
    assert len(stayed) > 5
    torch.manual_seed(3)
    again = clip_targets([sample], PANOPTIC).labels
    torch.manual_seed(3)
    assert torch.equal(clip_targets([sample], PANOPTIC).labels, again)


def test_bad_input_is_named():
    one, other = clip([[0, 7]], SEGMENTS), clip([[0, 7, 7]], SEGMENTS)
    with pytest.raises(InputError, match="one length and size"):
        clip_targets([one, other], GENERIC)
    with pytest.raises(InputError, match="ZERO_LABEL: expected one of background, ignore"):
        clip_targets([one], GENERIC, zero_label="void")
