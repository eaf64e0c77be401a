"""Training that changes with time (AOT): resumed after the change it is as if never stopped.

In the middle of the training memory begins to get the network's own answers, the identity bank is
frozen, and the loss looks at fewer pixels; all of that depends on the iteration alone.
"""

from __future__ import annotations

import pytest
import torch
from engine_toy import toy_config
from test_resume import assert_same, assert_same_checkpoint, run, state_of

VOS = (
    *("MODEL.META_ARCHITECTURE", "PanopticVOS", "INPUT.FORMAT", "RGB"),
    *("MODEL.VOS.NETWORK.ENCODER_WIDTH", 0.25, "MODEL.VOS.NETWORK.WINDOW", 3),
    *("MODEL.VOS.NETWORK.ENCODER_NORM", "BN", "MODEL.VOS.NETWORK.ENCODER_FREEZE_AT", 0),
    *("MODEL.VOS.NETWORK.CHANNELS", [32], "MODEL.VOS.NETWORK.FEED_FORWARD", [64]),
    *("INPUT.CLIP.SAMPLER", "sequence", "INPUT.CLIP.LENGTH", 3, "INPUT.CLIP.MAX_GAP", 2),
    *("INPUT.CROP.ENABLED", True, "INPUT.CROP.TYPE", "absolute", "INPUT.CROP.SIZE", [33, 33]),
    *("INPUT.CROP.PAD", True, "INPUT.CLIP.MIN_OBJECT_AREA", 10),
    *("INPUT.CLIP.MERGE_PROBABILITY", 0.5, "INPUT.MIN_SIZE_TRAIN", (36,)),
    *("SOLVER.EMA.ENABLED", True, "SOLVER.EMA.SPAN", 0.5, "DATASETS.TEST", ()),
)
BANK = "network.identity_banks.0.bank.weight"


@pytest.fixture(scope="module")
def uninterrupted(toy_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vos")
    return folder, run(toy_config(folder, *VOS))


@pytest.mark.parametrize("stop_before", [2, 5])  # before and after the change at iteration 3
def test_resume_is_exact(uninterrupted, tmp_path, stop_before):
    cfg = toy_config(tmp_path, *VOS)
    before = run(cfg, stop_before=stop_before)
    after = run(cfg, resume=True)
    folder, expected = uninterrupted
    assert before[: len(expected) - len(after)] + after == expected
    assert_same_checkpoint(state_of(tmp_path), state_of(folder))


def test_the_bank_is_frozen_in_the_second_half_bit_for_bit(toy_root, tmp_path):
    run(toy_config(tmp_path, *VOS, "SOLVER.CHECKPOINT_PERIOD", 1))
    # Checkpoint n is that after iteration n; iterations 0, 1, 2 are the first half.
    states = [
        torch.load(tmp_path / f"model_{n:07d}.pth", weights_only=True)["averaging"]["weights"]
        for n in (1, 2, 3, 5)
    ]
    assert not torch.equal(states[0][BANK], states[1][BANK])
    assert_same(states[1][BANK], states[2][BANK])
    assert_same(states[1][BANK], states[3][BANK])
    other = "network.matching.projection.weight"
    assert not torch.equal(states[2][other], states[3][other])
