"""The track head's targets, and the association of detections with tracks."""

import math

import pytest
import torch

from vps.modeling.vpsnet.association import (
    AssociationRules,
    Detections,
    VideoState,
    assign_tracks,
    association_scores,
    mask_iou,
    update_tracks,
)
from vps.modeling.vpsnet.track_head import TrackHead, match_labels, match_logits

RULES = AssociationRules()


def detections(*rows, dim=4):
    """Rows of (embedding index, x, category, score); embeddings of length 3, boxes of 10x10."""
    embeddings = torch.stack([3 * torch.eye(dim)[e] for e, *_ in rows])
    boxes = torch.tensor([[x, 0.0, x + 10.0, 10.0] for _, x, *_ in rows])
    categories = torch.tensor([c for _, _, c, _ in rows])
    scores = torch.tensor([s for *_, s in rows])
    return Detections(embeddings, boxes, categories, scores)


def test_match_labels():
    labels = match_labels(torch.tensor([7, 9, 5]), torch.tensor([5, 7]))
    assert labels.tolist() == [2, 0, 1]
    assert match_logits(torch.ones(2, 3), torch.ones(1, 3)).tolist() == [[0, 3], [0, 3]]


def test_the_scores_are_the_four_terms():
    known, new = detections((0, 0.0, 1, 0.9), (1, 30.0, 2, 0.9)), detections((0, 5.0, 1, 0.8))
    scores = association_scores(new, known, RULES)[0]
    normaliser = math.log(math.exp(0) + math.exp(9) + math.exp(0))
    confidence = math.log(0.8)
    expected = [
        0 - normaliser + confidence + 10,  # new: IoU 0, class term 1
        9 - normaliser + confidence + 2 / 3 + 10,  # IoU 5 / 15
        0 - normaliser + confidence,  # another class
    ]
    assert scores.tolist() == pytest.approx(expected, abs=1e-4)


def test_the_best_detection_gets_the_track_and_the_loser_a_new_one():
    scores = torch.tensor([[0.0, 3.0], [0.0, 5.0], [1.0, 0.0]])
    assert assign_tracks(scores) == [-1, 0, -1]


def test_with_next_best_the_loser_takes_what_is_free():
    scores = torch.tensor([[0.0, 3.0, 2.0], [0.0, 5.0, 4.0], [1.0, 0.0, 9.0]])
    assert assign_tracks(scores) == [-1, 0, 1]
    assert assign_tracks(scores, next_best=True) == [-1, 0, 1]  # both of its tracks are taken
    scores[2] = torch.tensor([1.0, 0.0, 0.0])
    assert assign_tracks(scores) == [-1, 0, -1]
    assert assign_tracks(scores, next_best=True) == [1, 0, -1]
    assert assign_tracks(torch.zeros(0, 3), next_best=True) == []


def test_ids_survive_a_gap_and_are_never_given_twice():
    state = VideoState()
    ids, _ = update_tracks(state, detections((0, 0.0, 1, 0.9), (1, 30.0, 1, 0.9)), RULES)
    assert ids == [0, 1]
    ids, _ = update_tracks(state, detections((1, 60.0, 1, 0.9)), RULES)
    assert ids == [1]
    ids, _ = update_tracks(state, detections((0, 90.0, 1, 0.9), (2, 200.0, 1, 0.9)), RULES)
    assert ids == [0, 2]
    assert state.frame == 3 and state.next_id == 3


def test_look_alikes_are_told_apart_by_place():
    state = VideoState()
    first, _ = update_tracks(state, detections((0, 0.0, 1, 0.9), (0, 40.0, 1, 0.9)), RULES)
    second, _ = update_tracks(state, detections((0, 42.0, 1, 0.9), (0, 2.0, 1, 0.9)), RULES)
    assert second == first[::-1]


def test_another_class_does_not_match_and_a_track_keeps_its_class():
    state = VideoState()
    update_tracks(state, detections((0, 0.0, 1, 0.9)), RULES)
    ids, categories = update_tracks(state, detections((0, 90.0, 2, 0.9)), RULES)
    assert ids == [1] and categories == [2]
    # Without the class term the embedding decides, and the track's first class stands.
    free, state = AssociationRules(category=0.0), VideoState()
    update_tracks(state, detections((0, 0.0, 1, 0.9)), free)
    ids, categories = update_tracks(state, detections((0, 0.0, 2, 0.9)), free)
    assert ids == [0] and categories == [1]


def test_the_mask_cue_decides_between_equal_boxes():
    known, new = detections((0, 0.0, 1, 0.9), (0, 0.0, 1, 0.9)), detections((0, 0.0, 1, 0.9))
    known.masks = torch.tensor([[[1, 0]], [[0, 1]]], dtype=torch.bool)
    new.masks = torch.tensor([[[0, 1]]], dtype=torch.bool)
    scores = association_scores(new, known, AssociationRules(mask_iou=1.0))[0]
    assert scores[2] - scores[1] == pytest.approx(1.0, abs=1e-5)
    assert mask_iou(new.masks, known.masks).tolist() == [[0.0, 1.0]]


def test_memory_is_bounded_and_forgets_what_was_unseen_longest():
    state = VideoState()
    for step in range(50):
        update_tracks(
            state, detections((step, 20.0 * step, 1, 0.9), dim=60), AssociationRules(max_tracks=5)
        )
        assert len(state.tracks) == len(state.track_ids) == len(state.last_seen) <= 5
    assert state.track_ids == [45, 46, 47, 48, 49]


def test_frames_without_detections():
    state = VideoState()
    nothing = Detections(
        torch.zeros(0, 4), torch.zeros(0, 4), torch.zeros(0).long(), torch.zeros(0)
    )
    assert update_tracks(state, nothing, RULES) == ([], [])
    assert update_tracks(state, detections((0, 0.0, 1, 0.9)), RULES)[0] == [0]
    assert update_tracks(state, nothing, RULES) == ([], [])
    assert update_tracks(state, detections((0, 0.0, 1, 0.9)), RULES)[0] == [0]


def test_the_head_learns_who_is_who():
    torch.manual_seed(0)
    head = TrackHead(in_channels=2, resolution=3, fc_dim=16, loss_weight=1.0)
    things = torch.randn(4, 2, 3, 3)
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    ids = torch.arange(4)
    for _ in range(200):
        boxes = head(things + 0.1 * torch.randn_like(things))
        loss = head.loss([boxes], [ids], [head(things)[:3]], [ids[:3]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    best = match_logits(head(things), head(things)[:3]).argmax(dim=1)
    assert best.tolist() == [1, 2, 3, 0]  # the fourth has no reference: new


@pytest.mark.parametrize(("boxes", "references"), [(0, 0), (0, 2), (2, 0)])
def test_the_loss_without_boxes_or_references_is_zero_and_connected(boxes, references):
    head = TrackHead(in_channels=2, resolution=3, fc_dim=8, loss_weight=1.0)
    loss = head.loss(
        [head(torch.randn(boxes, 2, 3, 3))],
        [torch.arange(boxes)],
        [head(torch.randn(references, 2, 3, 3))],
        [torch.arange(references)],
    )
    loss.backward()
    assert loss == 0
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in head.parameters())
