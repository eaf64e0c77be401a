"""The poly schedule: by hand, per group, under both hosts' trainers, and across a resume."""

from __future__ import annotations

import pytest
import torch

from vps.config import add_vps_config
from vps.d2.config import get_cfg
from vps.engine import WarmupPolyLR, build_lr_scheduler, build_optimizer
from vps.structures import InputError


def optimizer_of(*rates):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=1.0)


def rates_of(schedule, optimizer, steps):
    seen = []
    for _ in range(steps):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return seen


def test_rates_by_hand():
    optimizer = optimizer_of(1.0, 0.2)
    schedule = WarmupPolyLR(optimizer, last_rate=0.1, power=2.0, warmup_iterations=2, iterations=6)
    rates = rates_of(schedule, optimizer, 7)
    parts = [0, 1 / 2, 1, (3 / 4) ** 2, (2 / 4) ** 2, (1 / 4) ** 2, 0]
    for (first, second), part in zip(rates, parts, strict=True):
        assert first == pytest.approx(0.1 + 0.9 * part)
        assert second == pytest.approx(0.1 + 0.1 * part)  # never below the last rate


def test_no_warmup_starts_at_the_full_rate():
    optimizer = optimizer_of(1.0)
    schedule = WarmupPolyLR(optimizer, last_rate=0, power=0.9, warmup_iterations=0, iterations=4)
    assert rates_of(schedule, optimizer, 2) == [[1.0], [pytest.approx(0.75**0.9)]]


def test_state_goes_on_where_it_was():
    settings = {"last_rate": 0.1, "power": 0.9, "warmup_iterations": 3, "iterations": 9}
    optimizer = optimizer_of(1.0, 0.5)
    schedule = WarmupPolyLR(optimizer, **settings)
    rates_of(schedule, optimizer, 5)
    state, rest = schedule.state_dict(), rates_of(schedule, optimizer, 4)
    assert all(isinstance(value, (int, float, list)) for value in state.values())

    other = optimizer_of(1.0, 0.5)
    resumed = WarmupPolyLR(other, **settings)
    resumed.load_state_dict(state)
    for group, rate in zip(other.param_groups, rest[0]):
        group["lr"] = rate  # as the optimizer's own state brings it back
    assert rates_of(resumed, other, 4) == rest


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        ({"WARMUP_ITERS": 10}, "WARMUP_ITERS < SOLVER.MAX_ITER.*got 10 and 10"),
        ({"BASE_LR_END": 2.0}, "BASE_LR_END between 0 and the rate of every parameter group"),
    ],
)
def test_impossible_schedules(solver, message):
    cfg = config(**{"WARMUP_ITERS": 1, **solver})
    with pytest.raises(InputError, match=message):
        build_lr_scheduler(cfg, optimizer_of(1.0))


def config(**solver):
    cfg = get_cfg()
    add_vps_config(cfg)
    cfg.SOLVER.LR_SCHEDULER_NAME = "WarmupPolyLR"
    cfg.SOLVER.MAX_ITER = 10
    for name, value in solver.items():
        setattr(cfg.SOLVER, name, value)
    return cfg


def test_the_encoder_moves_by_a_tenth_above_the_last_rate():
    """(lr - min) * 0.1 + min at every iteration, as AOT has it."""
    model = torch.nn.ModuleDict(
        {"backbone": torch.nn.Linear(1, 1, bias=False), "head": torch.nn.Linear(1, 1, bias=False)}
    )
    cfg = config(BASE_LR=1.0, BASE_LR_END=0.1, BACKBONE_MULTIPLIER=0.1, WARMUP_ITERS=2)
    optimizer = build_optimizer(cfg, model)
    rates = rates_of(build_lr_scheduler(cfg, optimizer), optimizer, 10)
    assert len({head for _, head in rates}) > 5
    for encoder, head in rates:
        assert encoder == pytest.approx((head - 0.1) * 0.1 + 0.1)


def test_other_names_are_the_hosts():
    cfg = config(LR_SCHEDULER_NAME="WarmupCosineLR", WARMUP_ITERS=1)
    assert not isinstance(build_lr_scheduler(cfg, optimizer_of(1.0)), WarmupPolyLR)
