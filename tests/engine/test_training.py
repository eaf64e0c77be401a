"""What happens in a step: seeds, losses that are not finite, memory format, precision, rates."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from engine_toy import toy_config

from vps.d2.engine import hooks
from vps.engine import VPSTrainer
from vps.engine.randomness import SeededBatches, seed_generators, with_seed


def draws():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


@pytest.mark.parametrize("other", [(7, 3, 2), (7, 4, 1), (8, 3, 1), (7, 3), (7, 3, 1, 0, 1)])
def test_positions_give_streams_of_their_own(other):
    def first_draws(position):
        seed_generators(*position)
        return draws()

    assert first_draws((7, 3, 1)) == first_draws((7, 3, 1))
    assert not set(first_draws((7, 3, 1))) & set(first_draws(other))


def test_draws_of_a_step_do_not_depend_on_the_steps_before():
    whole = [draws() for _ in SeededBatches(range(5), seed=1)]
    tail = []
    for _ in SeededBatches(range(2), seed=1, start_iteration=3):
        tail.append(draws())
        draws()
    assert tail == whole[3:]


def test_a_negative_seed_is_drawn():
    cfg = toy_seed(-1)
    assert with_seed(cfg).SEED >= 0
    assert with_seed(cfg).SEED != with_seed(cfg).SEED
    assert with_seed(toy_seed(5)).SEED == 5
    assert cfg.SEED == -1 and with_seed(cfg).is_frozen()


def toy_seed(seed):
    from vps.d2.config import get_cfg

    cfg = get_cfg()
    cfg.SEED = seed
    cfg.freeze()
    return cfg


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_iteration_and_clips(toy_root, tmp_path, value):
    trainer = VPSTrainer(toy_config(tmp_path))
    trainer.resume_or_load(False)
    batches, weights = [], []

    def spoil(model, args, losses):
        batches.append(args[0])
        if len(batches) == 3:
            weights.extend(p.detach().clone() for p in model.parameters())
            return {**losses, "loss_size": losses["loss_size"] * value}
        return losses

    # Before the trainer's own look at the losses.
    trainer.model.register_forward_hook(spoil, prepend=True)
    with pytest.raises(FloatingPointError, match=r"got loss_size = \w+ at iteration 2 ") as error:
        trainer.train()
    for sample in batches[-1]:
        clip = f"clip {sample['video_id']} [{' '.join(sample['frame_ids'])}]"
        assert clip in str(error.value)
    assert all(map(torch.equal, weights, trainer.model.parameters()))


def test_finite_but_high_losses_are_fine(toy_root, tmp_path):
    trainer = VPSTrainer(toy_config(tmp_path, "SOLVER.MAX_ITER", 1))
    trainer.model.register_forward_hook(
        lambda model, args, out: {k: v * 1e30 for k, v in out.items()} if model.training else out,
        prepend=True,
    )
    trainer.train()


def test_channels_last_and_no_half_precision_on_the_cpu(toy_root, tmp_path, caplog):
    trainer = VPSTrainer(
        toy_config(
            tmp_path, "MODEL.CHANNELS_LAST", True, "SOLVER.AMP.ENABLED", True, "SOLVER.MAX_ITER", 1
        )
    )
    weight = trainer.model.backbone[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    trainer.train()


@pytest.mark.parametrize("schedule", ["WarmupMultiStepLR", "WarmupCosineLR"])
def test_schedule(toy_root, tmp_path, schedule):
    trainer = VPSTrainer(
        toy_config(
            tmp_path,
            "SOLVER.LR_SCHEDULER_NAME",
            schedule,
            "SOLVER.STEPS",
            (4,),
            "DATASETS.TEST",
            (),
        )
    )
    rates = []
    trainer.register_hooks(
        [hooks.CallbackHook(before_step=lambda t: rates.append(t.optimizer.param_groups[0]["lr"]))]
    )
    assert trainer.train() == {}  # nothing to evaluate
    assert rates[0] == pytest.approx(1e-5)  # WARMUP_FACTOR 0.001 of BASE_LR 0.01
    if schedule == "WarmupMultiStepLR":
        assert rates[3:] == pytest.approx([0.01, 0.001, 0.001])
    else:
        assert rates[3:] == sorted(rates[3:], reverse=True) and rates[-1] < 0.002
