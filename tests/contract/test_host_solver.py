"""Solver: learning-rate curves, parameter groups, gradient clipping."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from vps.d2.config import get_cfg
from vps.d2.solver import (
    build_lr_scheduler,
    build_optimizer,
    get_default_optimizer_params,
    maybe_add_gradient_clipping,
)


def solver_config(**settings):
    cfg = get_cfg()
    for name, value in settings.items():
        node, key = (cfg.SOLVER, name) if "." not in name else (None, name)
        node[key] = value
    return cfg


def curve(cfg) -> list[float]:
    """The rate at each iteration."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=cfg.SOLVER.BASE_LR)
    scheduler = build_lr_scheduler(cfg, optimizer)
    rates = []
    for _ in range(cfg.SOLVER.MAX_ITER):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def multistep(i: int) -> float:
    return 0.1 ** sum(i >= step for step in (6, 8))


def cosine(i: int, end: float = 0.0, total: int = 10) -> float:
    return end + 0.5 * (1 - end) * (1 + math.cos(math.pi * i / total))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (  # linear warm-up from 0.1 to 1 in 4 iterations, steps at 6 and 8
            {"STEPS": (6, 8), "WARMUP_ITERS": 4, "WARMUP_FACTOR": 0.1},
            lambda i: 0.1 + 0.9 * i / 4 if i < 4 else multistep(i),
        ),
        (  # constant warm-up
            {"STEPS": (6, 8), "WARMUP_ITERS": 4, "WARMUP_FACTOR": 0.1, "WARMUP_METHOD": "constant"},
            lambda i: 0.1 if i < 4 else multistep(i),
        ),
        ({"STEPS": (6, 8), "WARMUP_ITERS": 0}, multistep),
        (  # a step beyond the end is ignored
            {"STEPS": (6, 8, 99), "WARMUP_ITERS": 0},
            multistep,
        ),
        (  # the warm-up ends where the cosine is by then
            {"LR_SCHEDULER_NAME": "WarmupCosineLR", "WARMUP_ITERS": 4, "WARMUP_FACTOR": 0.1},
            lambda i: 0.1 + (cosine(4) - 0.1) * i / 4 if i < 4 else cosine(i),
        ),
        (
            {"LR_SCHEDULER_NAME": "WarmupCosineLR", "WARMUP_ITERS": 0, "BASE_LR_END": 0.5},
            lambda i: cosine(i, end=0.25),
        ),
        (  # the whole cosine after the warm-up
            {
                "LR_SCHEDULER_NAME": "WarmupCosineLR",
                "WARMUP_ITERS": 4,
                "WARMUP_FACTOR": 0.1,
                "RESCALE_INTERVAL": True,
            },
            lambda i: 0.1 + 0.9 * i / 4 if i < 4 else cosine(i - 4, total=6),
        ),
    ],
)
def test_learning_rate_curve(settings, expected):
    cfg = solver_config(MAX_ITER=10, BASE_LR=2.0, GAMMA=0.1, **settings)
    assert curve(cfg) == pytest.approx([2.0 * expected(i) for i in range(10)])


def test_schedule_resumes():
    cfg = solver_config(MAX_ITER=10, BASE_LR=2.0, STEPS=(6, 8), WARMUP_ITERS=4)
    whole = curve(cfg)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = build_lr_scheduler(cfg, optimizer)
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    state, optimizer_state = scheduler.state_dict(), optimizer.state_dict()
    assert state == {"base_lrs": [2.0], "last_epoch": 5}  # the layout of Detectron2's checkpoints
    other = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    resumed = build_lr_scheduler(cfg, other)
    other.load_state_dict(optimizer_state)
    resumed.load_state_dict(state)
    other.step()
    resumed.step()
    assert other.param_groups[0]["lr"] == whole[6]


def test_unknown_schedule():
    with pytest.raises(ValueError, match="NoSuchLR"):
        curve(solver_config(LR_SCHEDULER_NAME="NoSuchLR"))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)
        self.norm = nn.GroupNorm(1, 2)
        self.embedding = nn.Parameter(torch.zeros(3))
        self.frozen = nn.Linear(1, 1).requires_grad_(False)
        self.shared = self.conv


def settings_by_name(model, groups) -> dict[str, dict]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: {key: value for key, value in group.items() if key != "params"}
        for group in groups
        for parameter in group["params"]
    }


def test_parameter_groups():
    model = Net()
    groups = get_default_optimizer_params(
        model,
        base_lr=0.1,
        weight_decay=0.5,
        weight_decay_norm=0.0,
        bias_lr_factor=2.0,
        weight_decay_bias=0.25,
        overrides={"embedding": {"lr": 7.0}},
    )
    assert settings_by_name(model, groups) == {
        "conv.weight": {"lr": 0.1, "weight_decay": 0.5},
        "conv.bias": {"lr": 0.2, "weight_decay": 0.25},
        "norm.weight": {"lr": 0.1, "weight_decay": 0.0},
        "norm.bias": {"lr": 0.2, "weight_decay": 0.25},  # a bias before a norm's parameter
        "embedding": {"lr": 7.0, "weight_decay": 0.5},
    }
    assert len(groups) == 4  # the two biases share one


def test_rate_by_name():
    model = Net()
    groups = get_default_optimizer_params(
        model, base_lr=1.0, lr_factor_func=lambda name: 0.1 if "conv" in name else 1.0
    )
    got = settings_by_name(model, groups)
    assert (got["conv.weight"], got["norm.bias"]) == ({"lr": 0.1}, {"lr": 1.0})
    with pytest.raises(ValueError, match="base_lr"):
        get_default_optimizer_params(model, lr_factor_func=lambda name: 1.0)
    with pytest.raises(ValueError, match="base_lr"):
        get_default_optimizer_params(model, bias_lr_factor=2.0)
    with pytest.raises(ValueError, match="bias"):
        get_default_optimizer_params(model, weight_decay_bias=0.0, overrides={"bias": {"lr": 1.0}})


def test_build_optimizer():
    cfg = solver_config(BASE_LR=0.1, WEIGHT_DECAY=0.5, WEIGHT_DECAY_NORM=0.25, MOMENTUM=0.8)
    model = Net()
    optimizer = build_optimizer(cfg, model)
    assert type(optimizer) is torch.optim.SGD
    settings = settings_by_name(model, optimizer.param_groups)
    assert settings["conv.weight"]["weight_decay"] == 0.5
    assert settings["norm.weight"]["weight_decay"] == 0.25
    assert settings["conv.bias"]["momentum"] == 0.8


GRADIENT = [3.0, -4.0, 0.25]


@pytest.mark.parametrize(
    ("kind", "limit", "norm_type", "expected"),
    [
        ("value", 1.0, 2.0, [1.0, -1.0, 0.25]),
        ("norm", 2.5, 1.0, [g * 2.5 / 7.25 for g in GRADIENT]),
        ("norm", 100.0, 2.0, GRADIENT),
        ("norm", 2.0, float("inf"), [g / 2 for g in GRADIENT]),
    ],
)
def test_gradient_clipping(kind, limit, norm_type, expected):
    cfg = get_cfg()
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = True
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = kind
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE = limit
    cfg.SOLVER.CLIP_GRADIENTS.NORM_TYPE = norm_type
    # two parameters: each is clipped by itself, not the model as a whole
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))]

    made = maybe_add_gradient_clipping(cfg, torch.optim.SGD(parameters, lr=1.0))
    assert isinstance(made, torch.optim.SGD)
    of_class = maybe_add_gradient_clipping(cfg, torch.optim.SGD)
    assert issubclass(of_class, torch.optim.SGD)
    for optimizer in (made, of_class(parameters, lr=1.0)):
        for parameter in parameters:
            parameter.data.zero_()
            parameter.grad = torch.tensor(GRADIENT)
        optimizer.step()
        for parameter in parameters:
            assert (-parameter).tolist() == pytest.approx(expected, rel=1e-5)


def test_gradient_clipping_disabled_or_unknown():
    cfg = get_cfg()
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    assert maybe_add_gradient_clipping(cfg, optimizer) is optimizer
    assert type(optimizer) is torch.optim.SGD
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = True
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = "somehow"
    with pytest.raises(ValueError, match="somehow"):
        maybe_add_gradient_clipping(cfg, optimizer)
