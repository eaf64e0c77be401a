"""Learning-rate schedules: a multiplier over the optimizer's base rates, with a warm-up.

The multiplier is a fvcore schedule, a function of the progress in [0, 1), so the relative rates of
parameter groups never change.
"""

from __future__ import annotations

import logging

import torch
from fvcore.common.param_scheduler import (
    CompositeParamScheduler,
    ConstantParamScheduler,
    CosineParamScheduler,
    LinearParamScheduler,
    MultiStepParamScheduler,
    ParamScheduler,
)
from torch.optim.lr_scheduler import LRScheduler

__all__ = ["LRMultiplier", "build_lr_scheduler"]


def build_lr_scheduler(cfg, optimizer: torch.optim.Optimizer) -> LRScheduler:
    """The schedule that ``cfg.SOLVER`` describes: ``WarmupMultiStepLR`` or ``WarmupCosineLR``.

    Raises:
        ValueError: another name is given.
    """
    solver = cfg.SOLVER
    if solver.LR_SCHEDULER_NAME == "WarmupMultiStepLR":
        steps = [step for step in solver.STEPS if step <= solver.MAX_ITER]
        if len(steps) < len(solver.STEPS):
            logging.getLogger("detectron2.solver.build").warning(
                "SOLVER.STEPS beyond SOLVER.MAX_ITER are ignored: %s, %d",
                solver.STEPS,
                solver.MAX_ITER,
            )
        schedule = MultiStepParamScheduler(
            values=[solver.GAMMA**power for power in range(len(steps) + 1)],
            milestones=steps,
            num_updates=solver.MAX_ITER,
        )
    elif solver.LR_SCHEDULER_NAME == "WarmupCosineLR":
        end = solver.BASE_LR_END / solver.BASE_LR
        if not 0.0 <= end <= 1.0:
            raise AssertionError(
                "expected SOLVER.BASE_LR_END between 0 and SOLVER.BASE_LR, "
                f"got {solver.BASE_LR_END}"
            )
        schedule = CosineParamScheduler(1, end)
    else:
        raise ValueError(
            "expected SOLVER.LR_SCHEDULER_NAME WarmupMultiStepLR or WarmupCosineLR, "
            f"got {solver.LR_SCHEDULER_NAME!r}"
        )
    schedule = with_warmup(
        schedule,
        solver.WARMUP_FACTOR,
        min(solver.WARMUP_ITERS / solver.MAX_ITER, 1.0),
        solver.WARMUP_METHOD,
        solver.RESCALE_INTERVAL,
    )
    return LRMultiplier(optimizer, multiplier=schedule, max_iter=solver.MAX_ITER)


def with_warmup(
    schedule: ParamScheduler,
    factor: float,
    length: float,
    method: str = "linear",
    rescale_interval: bool = False,
) -> ParamScheduler:
    """Put a warm-up in front of a schedule.

    Args:
        schedule: what follows.
        factor: first value, relative to the schedule's first.
        length: share of the training in [0, 1] that the warm-up takes.
        method: ``"linear"`` or ``"constant"``.
        rescale_interval: squeeze the schedule into what is left; otherwise the warm-up covers its
            start.
    """
    start = factor * schedule(0.0)
    if method == "linear":
        end = schedule(0.0) if rescale_interval else schedule(length)
        warmup: ParamScheduler = LinearParamScheduler(start, end)
    elif method == "constant":
        warmup = ConstantParamScheduler(start)
    else:
        raise ValueError(f"expected WARMUP_METHOD 'linear' or 'constant', got {method!r}")
    return CompositeParamScheduler(
        [warmup, schedule],
        interval_scaling=["rescaled", "rescaled" if rescale_interval else "fixed"],
        lengths=[length, 1 - length],
    )


class LRMultiplier(LRScheduler):
    """A torch scheduler: every group's rate is its initial one times a fvcore schedule."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        multiplier: ParamScheduler,
        max_iter: int,
        last_iter: int = -1,
    ) -> None:
        """
        Args:
            optimizer: its rates are set.
            multiplier: called with iteration / max_iter.
            max_iter: iterations of the whole training.
            last_iter: the last iteration done; -1 at the start.
        """
        if not isinstance(multiplier, ParamScheduler):
            raise ValueError(f"expected a fvcore ParamScheduler, got {multiplier!r}")
        self._multiplier = multiplier
        self._max_iter = max_iter
        super().__init__(optimizer, last_epoch=last_iter)

    def state_dict(self) -> dict:
        """``base_lrs`` and ``last_epoch``; fvcore's schedules have no state."""
        return {"base_lrs": self.base_lrs, "last_epoch": self.last_epoch}

    def get_lr(self) -> list[float]:
        """The rate of each group at the current iteration."""
        factor = self._multiplier(self.last_epoch / self._max_iter)
        return [base * factor for base in self.base_lrs]
