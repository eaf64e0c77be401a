"""Targets from ids and segments."""

import pytest
import torch

from vps.modeling.vpsnet.targets import make_targets, pair_frames, panoptic_target
from vps.structures import Segment

SEGMENTS = {
    1: Segment(0, False),
    300: Segment(2, True),
    70_000: Segment(3, True),
    9: Segment(2, True, iscrowd=True),
    5: Segment(2, True),  # not in this frame
}
THINGS = {2: 0, 3: 1}


@pytest.fixture
def ids() -> torch.Tensor:
    ids = torch.ones(8, 8, dtype=torch.int32)
    ids[0:4, 0:4] = 300
    ids[4:8, 4:8] = 70_000
    ids[0:4, 4:8] = 9
    ids[7, 0] = 0
    ids[7, 1] = 12345  # nobody says what it is
    return ids


def test_targets(ids):
    targets = make_targets(ids, SEGMENTS, THINGS)
    assert targets.track_ids.tolist() == [300, 70_000]
    assert targets.instances.classes.tolist() == [0, 1]
    assert targets.instances.boxes.tolist() == [[0, 0, 4, 4], [4, 4, 8, 8]]
    assert targets.instances.crowd_boxes.tolist() == [[4, 0, 8, 4]]
    assert targets.instances.masks.sum(dim=(1, 2)).tolist() == [16, 16]
    assert (targets.semantic[0:4, 4:8] == 2).all()  # the class of a crowd is known
    assert targets.semantic[7, 0] == targets.semantic[7, 1] == -1


def test_panoptic_targets_ignore_void_and_crowd(ids):
    target = panoptic_target(make_targets(ids, SEGMENTS, THINGS), stuff=[0, 1], stride=4)
    assert target.tolist() == [[2, -1], [0, 3]]


def test_a_frame_without_things():
    targets = make_targets(torch.ones(4, 4, dtype=torch.int32), SEGMENTS, THINGS)
    assert len(targets.instances.boxes) == 0 and targets.instances.boxes.shape == (0, 4)
    assert panoptic_target(targets, [0, 1]).tolist() == [[0]]


@pytest.mark.parametrize(
    ("labelled", "both_ways", "frames", "references"),
    [
        ([[True, True], [True, True]], False, [0, 2], [1, 3]),
        ([[True, True], [True, True]], True, [0, 1, 2, 3], [1, 0, 3, 2]),
        ([[True, False], [True, True]], True, [0, 2, 3], [None, 3, 2]),
        ([[True], [True]], True, [0, 1], [None, None]),
    ],
)
def test_pairs(labelled, both_ways, frames, references):
    clips = [{"labelled": torch.tensor(x), "video_id": "v"} for x in labelled]
    assert pair_frames(clips, both_ways=both_ways) == (frames, references)


def test_an_unlabelled_target_is_refused():
    with pytest.raises(ValueError, match="unlabelled"):
        pair_frames([{"labelled": torch.tensor([False, True]), "video_id": "v"}], both_ways=False)
