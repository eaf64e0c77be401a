"""One label per pixel: the streaming competition equals the plain argmax, and each rule has a
witness.
"""

import pytest
import torch

from vps.modeling.vpsnet.panoptic_head import panoptic_logits
from vps.modeling.vpsnet.panoptic_inference import (
    PanopticRules,
    SemanticMaps,
    compete,
    prune_covered,
    resolve,
    select_boxes,
    semantic_maps,
)
from vps.structures import stuff_segment_id

KEEP_ALL = PanopticRules(stuff_area_min=0)


def test_competition_equals_the_argmax_over_all_channels():
    torch.manual_seed(0)
    score = torch.randn(5, 6, 8)
    stuff, boxes = [0, 2], torch.tensor([[2.0, 3.0, 20.0, 17.0], [9.5, 0.0, 31.0, 23.0]])
    categories, masks = torch.tensor([1, 4]), 2 * torch.randn(2, 28, 28)
    maps = semantic_maps(score, stuff, {1, 4}, (24, 32), (24, 32), chunk=2)
    owner = compete(maps, masks, boxes, categories)

    full = torch.nn.functional.interpolate(score[None], scale_factor=4, mode="bilinear")[0]
    logits = panoptic_logits(full, masks, boxes, categories, stuff, stride=1)
    winner = logits.argmax(dim=0)
    assert torch.equal(owner, torch.where(winner >= 2, winner - 2, -1))
    stuff_wins = owner < 0
    assert torch.equal(maps.stuff_winner[stuff_wins], torch.tensor(stuff)[winner[stuff_wins]])
    assert torch.equal(maps.winner, full.argmax(dim=0))


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_the_chunk_size_changes_nothing(chunk):
    torch.manual_seed(0)
    score = torch.randn(7, 5, 5)
    a = semantic_maps(score, [0, 3], {1}, (18, 20), (36, 40), chunk=chunk)
    b = semantic_maps(score, [0, 3], {1}, (18, 20), (36, 40), chunk=7)
    assert a.winner.shape == (36, 40)
    assert torch.equal(a.winner, b.winner) and torch.equal(a.stuff_best, b.stuff_best)
    assert torch.equal(a.things[1], b.things[1])


def test_a_data_set_without_stuff_leaves_void():
    maps = semantic_maps(torch.zeros(1, 2, 2), [], {0}, (8, 8), (8, 8))
    ids = resolve(torch.full((8, 8), -1), maps, [], KEEP_ALL)
    assert (ids == 0).all()


def test_boxes_are_selected_across_classes():
    probabilities = torch.tensor([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.55, 0.05, 0.4]])
    box = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    boxes = torch.stack([box.repeat(2, 1), box.repeat(2, 1) + 0.5, box.repeat(2, 1) + 50])
    kept, classes, scores = select_boxes(probabilities, boxes, PanopticRules())
    # The second box has another class, but lies on the first; the third is not sure enough.
    assert classes.tolist() == [0] and scores.tolist() == pytest.approx([0.9])
    assert torch.equal(kept, box)


@pytest.mark.parametrize(
    ("categories", "kept"),
    [
        ([1, 1], [0]),  # the second lies on the first
        ([1, 2], [0, 1]),  # another class does not count
    ],
)
def test_pruning_is_within_a_class(categories, kept):
    masks = torch.ones(2, 28, 28)
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [4.0, 0.0, 14.0, 10.0]])
    assert prune_covered(masks, boxes, torch.tensor(categories), (16, 16), 0.3) == kept


def test_pruning_drops_empty_masks_and_measures_the_share_of_the_new_one():
    masks = torch.stack([torch.ones(28, 28), -torch.ones(28, 28), torch.ones(28, 28)])
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [7, 0, 17, 10]])
    categories = torch.tensor([1, 1, 1])
    assert prune_covered(masks, boxes, categories, (20, 20), 0.3) == [0, 2]  # 0.3 is not more
    assert prune_covered(masks, boxes, categories, (20, 20), 0.29) == [0]


def _maps(winner: torch.Tensor) -> SemanticMaps:
    stuff_winner = torch.where(winner < 2, winner, 0)
    return SemanticMaps((0, 1), winner, stuff_winner, torch.zeros(winner.shape), {})


@pytest.mark.parametrize(
    ("stuff_pixels", "expected"),
    [(0, 77), (1, 77), (2, stuff_segment_id(1)), (4, stuff_segment_id(1))],
)
def test_the_semantic_head_overrules_an_instance_by_half_of_its_pixels(stuff_pixels, expected):
    winner = torch.zeros(4, 4, dtype=torch.long)
    winner[0] = 3  # the instance's own class, except where stuff is likelier
    winner[0, :stuff_pixels] = 1
    owner = torch.full((4, 4), -1)
    owner[0] = 0
    ids = resolve(owner, _maps(winner), [77], KEEP_ALL)
    assert (ids[0] == expected).all()
    assert (ids[1:] == stuff_segment_id(0)).all()


def test_another_thing_class_does_not_overrule():
    winner = torch.full((2, 2), 3)
    ids = resolve(torch.zeros(2, 2, dtype=torch.long), _maps(winner), [77], KEEP_ALL)
    assert (ids == 77).all()


def test_small_stuff_and_small_things_become_void():
    winner = torch.zeros(4, 4, dtype=torch.long)
    winner[0, 0] = 1
    winner[3, 3] = 3
    owner = torch.full((4, 4), -1)
    owner[3, 3] = 0
    rules = PanopticRules(stuff_area_min=2, thing_area_min=2)
    ids = resolve(owner, _maps(winner), [77], rules)
    assert ids[0, 0] == 0 and ids[3, 3] == 0
    assert (ids == stuff_segment_id(0)).sum() == 14
