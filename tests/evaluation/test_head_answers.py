"""Which predicted tube answers for which object: the assignment, on line and with hindsight."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from heads_world import frame_of

from vps.evaluation.heads.answers import CausalTubes, TubeOverlaps, rename
from vps.evaluation.heads.assignment import assign_most
from vps.metrics import FrameTable

# ------------------------------------------------------------------------------------ assignment


@pytest.mark.parametrize(
    ("weights", "pairs", "why"),
    [
        ([[0.9, 0.8], [0.8, 0.1]], [(0, 1), (1, 0)], "the best pair is not in the best assignment"),
        ([[0.5, 0.0], [0.6, 0.0]], [(1, 0)], "a pair that wins nothing is none"),
        ([[0.1], [0.3], [0.2]], [(1, 0)], "more objects than tubes"),
        ([[0.1, 0.3, 0.2]], [(0, 1)], "more tubes than objects"),
        ([[0.0, 0.0]], [], "nothing in common"),
        (np.zeros((0, 3)), [], "no object"),
        (np.zeros((3, 0)), [], "no tube"),
    ],
)
def test_assignment(weights, pairs, why):
    assert assign_most(np.array(weights)) == pairs, why


def test_assignment_is_the_best_of_all():
    rng = np.random.default_rng(3)
    for _ in range(150):
        rows, columns = (int(n) for n in rng.integers(1, 6, 2))
        weights = rng.integers(0, 5, (rows, columns)) / 4  # many ties
        pairs = assign_most(weights)
        assert len(pairs) == len({row for row, _ in pairs}) == len({c for _, c in pairs})
        small, large = sorted((rows, columns))
        square = weights if rows <= columns else weights.T
        best = max(
            sum(square[i, chosen[i]] for i in range(small))
            for chosen in itertools.permutations(range(large), small)
        )
        assert sum(weights[pair] for pair in pairs) == best


@pytest.mark.parametrize("weights", [[[np.nan]], [[np.inf]], [[-0.1]], [0.5]])
def test_weights_that_are_none(weights):
    with pytest.raises(ValueError, match="finite numbers >= 0"):
        assign_most(np.array(weights))


# --------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("given", "prediction", "answers", "why"),
    [
        (("1122",), ("3344",), {3: 1, 4: 2}, "each its own"),
        (("1110",), ("3344",), {3: 1}, "IoU 2/3 and 1/4"),
        (("1100",), ("3330",), {3: 1}, "IoU 2/3"),
        (("1100",), ("3000",), {3: 1}, "an IoU of exactly 0.5 will do"),
        (("1000",), ("3330",), {}, "IoU 1/3"),
        (("1100",), ("0000",), {}, "void is no tube"),
        (("1122",), ("3333",), {3: 1}, "a tube is given once; of two the lower id"),
        (("1122",), ("3400",), {3: 1}, "4 covers nothing of 2"),
    ],
)
def test_causal_answers(given, prediction, answers, why):
    assert CausalTubes().update(frame_of(*given), frame_of(*prediction)) == answers, why


def test_causal_answers_stay_and_are_not_given_twice():
    tubes = CausalTubes()
    assert tubes.update(frame_of("1100"), frame_of("3300")) == {3: 1}
    assert tubes.update(None, frame_of("0033")) == {3: 1}
    # Object 2 comes where tube 3 is now, which has an object; object 1 is given once more.
    assert tubes.update(frame_of("1122"), frame_of("4433")) == {3: 1}
    assert tubes.update(frame_of("0002"), frame_of("3335")) == {3: 1, 5: 2}


def test_oracle_answers_look_at_the_whole_video():
    tubes = TubeOverlaps([1, 2])
    for truth, prediction in (
        (("1122",), ("3344",)),
        (("1122",), ("4433",)),
        (("1122",), ("4433",)),
    ):
        table = FrameTable.from_frames(frame_of(*truth), frame_of(*prediction))
        tubes.add(table)
    assert tubes.oracle() == {3: 2, 4: 1}
    assert TubeOverlaps([1]).oracle() == {}
    assert TubeOverlaps([]).oracle() == {}


def test_what_is_no_object_gets_no_tube():
    tubes = TubeOverlaps([2])
    tubes.add(FrameTable.from_frames(frame_of("1122"), frame_of("3344")))
    assert tubes.oracle() == {4: 2}


def test_rename():
    ids = np.array([[0, 7, 7], [300_000, 9, 7]], np.int32)
    renamed = rename(ids, {7: 1, 300_000: 70_000})
    np.testing.assert_array_equal(renamed, [[0, 1, 1], [70_000, 0, 1]])
    assert renamed.dtype == np.int32
