"""Mixed precision: losses are scaled before the backward pass, and nobody after it may notice.

What needs a GPU is the autocast alone; the rest of the host's step runs here on the CPU, with a
gradient scaler of its own. The scale is a power of two, so it changes no digit.
"""

from __future__ import annotations

from itertools import chain, repeat
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from engine_toy import toy_config
from torch import nn

import vps.engine.trainer
from vps.config import add_vps_config
from vps.d2.config import get_cfg
from vps.d2.engine import AMPTrainer
from vps.engine import VPSTrainer, build_optimizer
from vps.engine.hooks import UnscaledGradients

SCALE = 2.0**16
OPTIMIZERS = ["SGD", "ADAMW"]


class StepOnCPU(AMPTrainer):
    """The host's step, which asks first whether there is a GPU."""

    def __init__(self, model, loader, optimizer):
        scaler = torch.amp.GradScaler("cpu", init_scale=SCALE, growth_interval=4)
        super().__init__(model, loader, optimizer, grad_scaler=scaler)

    def run_step(self):
        answers = chain([True], repeat(False))  # and then autocast, which finds none
        with mock.patch("torch.cuda.is_available", side_effect=answers):
            super().run_step()


def make_optimizer(kind, clip, parameters):
    cfg = get_cfg()
    add_vps_config(cfg)
    cfg.SOLVER.OPTIMIZER, cfg.SOLVER.BASE_LR, cfg.SOLVER.WEIGHT_DECAY = kind, 0.1, 0.0
    if clip:
        cfg.SOLVER.CLIP_GRADIENTS.ENABLED = True
        cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = clip
        cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE = 2.5
    return build_optimizer(cfg, nn.ParameterList(parameters))


def step(kind, clip, gradients, *, scaler=None):
    """The weights after one step from 0 down the given gradients, one parameter each."""
    parameters = [nn.Parameter(torch.zeros(2)) for _ in gradients]
    optimizer = make_optimizer(kind, clip, parameters)
    loss = sum((p * torch.tensor(g)).sum() for p, g in zip(parameters, gradients, strict=True))
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        hook = UnscaledGradients()
        hook.trainer = SimpleNamespace(grad_scaler=scaler, optimizer=optimizer)
        scaler.scale(loss).backward()
        hook.after_backward()
        scaler.step(optimizer)
        scaler.update()
    return [parameter.tolist() for parameter in parameters]


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("clip", [None, "value", "norm", "full_model"])
def test_clipping_sees_gradients_without_the_scale(kind, clip):
    # The last one is small enough for AdamW's epsilon to count, if it were made smaller yet.
    gradients = [[3.0, 4.0], [0.5, 1e-6]]
    scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
    plain = step(kind, clip, gradients)
    for found, expected in zip(step(kind, clip, gradients, scaler=scaler), plain, strict=True):
        assert found == pytest.approx(expected, rel=1e-5, abs=0)


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("bad", [float("inf"), float("nan"), 1e35])  # the last times the scale
def test_a_step_whose_gradients_overflow_is_left_out(kind, bad):
    scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
    assert step(kind, "full_model", [[1.0, bad], [1.0, 1.0]], scaler=scaler) == [[0, 0], [0, 0]]
    assert scaler.get_scale() == SCALE / 2


def train(folder, *opts, steps=vps.engine.trainer.SimpleTrainer, resume=False):
    with mock.patch.object(vps.engine.trainer, "_step_class", lambda cfg: steps):
        trainer = VPSTrainer(toy_config(folder, "TEST.EVAL_PERIOD", 100, *opts))
    trainer.resume_or_load(resume=resume)
    with mock.patch.object(VPSTrainer, "test", classmethod(lambda cls, *args: {})):
        trainer.train()
    return trainer


CLIPPED = ("SOLVER.CLIP_GRADIENTS.ENABLED", True, "SOLVER.CLIP_GRADIENTS.CLIP_VALUE", 0.01)


@pytest.mark.filterwarnings("ignore:.*CUDA is not available.*", "ignore:.*torch.cuda.amp.*")
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_training_with_scaled_losses_equals_one_without(toy_root, tmp_path, kind):
    opts = ("SOLVER.OPTIMIZER", kind, "SOLVER.EMA.ENABLED", True, *CLIPPED)
    opts += ("SOLVER.CLIP_GRADIENTS.CLIP_TYPE", "full_model")
    plain = train(tmp_path / "plain", *opts)
    scaled = train(tmp_path / "scaled", *opts, steps=StepOnCPU)
    assert scaled._trainer.grad_scaler.get_scale() == 2 * SCALE  # it has worked, and grown once
    expected = plain.model.state_dict()
    for name, weight in scaled.model.state_dict().items():
        torch.testing.assert_close(weight, expected[name], msg=name)


@pytest.mark.filterwarnings("ignore:.*CUDA is not available.*", "ignore:.*torch.cuda.amp.*")
def test_a_run_may_change_its_precision(toy_root, tmp_path):
    train(tmp_path, "SOLVER.MAX_ITER", 2, "SOLVER.WARMUP_ITERS", 1)
    middle = train(tmp_path, "SOLVER.MAX_ITER", 6, steps=StepOnCPU, resume=True)
    assert middle.start_iter == 2
    assert middle._trainer.grad_scaler.get_scale() == 2 * SCALE
    again = train(tmp_path, "SOLVER.MAX_ITER", 8, steps=StepOnCPU, resume=True)
    assert again.start_iter == 6
    assert again._trainer.grad_scaler.state_dict()["_growth_tracker"] == 2
    last = train(tmp_path, "SOLVER.MAX_ITER", 9, resume=True)
    assert last.start_iter == 8
