"""Learning-rate schedules: Detectron2's by name, and the "poly" schedule of the VOS papers.

"WarmupPolyLR" (AOT, AOST, PAOT): every parameter group goes linearly from ``SOLVER.BASE_LR_END`` to
its own rate in the first ``WARMUP_ITERS`` iterations, and then back to ``BASE_LR_END`` along
(1 - progress) ** ``POLY_POWER``. It is affine in the rate, lr = end + (rate - end) * f, and not a
multiple of it as Detectron2's schedules are: no group, however small its rate, falls below
``BASE_LR_END``.
"""

from __future__ import annotations

import torch
from torch.optim.lr_scheduler import LRScheduler

from vps.d2.config import CfgNode
from vps.d2.solver import build_lr_scheduler as build_lr_scheduler_of_host
from vps.structures import InputError

POLY = "WarmupPolyLR"


def build_lr_scheduler(cfg: CfgNode, optimizer: torch.optim.Optimizer) -> LRScheduler:
    """The schedule that ``SOLVER.LR_SCHEDULER_NAME`` names: "WarmupPolyLR" or one of the host's.

    Raises:
        InputError: the warm-up is as long as the training, or the last rate is above the first.
    """
    solver = cfg.SOLVER
    if solver.LR_SCHEDULER_NAME != POLY:
        return build_lr_scheduler_of_host(cfg, optimizer)
    return WarmupPolyLR(
        optimizer,
        last_rate=solver.BASE_LR_END,
        power=solver.POLY_POWER,
        warmup_iterations=solver.WARMUP_ITERS,
        iterations=solver.MAX_ITER,
    )


class WarmupPolyLR(LRScheduler):
    """See the module's docstring. A group's own rate is the one that it was made with."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        *,
        last_rate: float,
        power: float,
        warmup_iterations: int,
        iterations: int,
    ) -> None:
        """
        Args:
            optimizer: its rates are set.
            last_rate: the rate of all groups at the first iteration and after the last.
            power: of the decrease; 1 is a straight line.
            warmup_iterations: iterations until each group has its own rate; 0 = no warm-up.
            iterations: of the whole training.

        Raises:
            InputError: the warm-up is as long as the training, or a group's rate is below the last.
        """
        if not 0 <= warmup_iterations < iterations:
            raise InputError(
                "expected 0 <= SOLVER.WARMUP_ITERS < SOLVER.MAX_ITER for WarmupPolyLR, got "
                f"{warmup_iterations} and {iterations}"
            )
        rates = [group["lr"] for group in optimizer.param_groups]
        if not 0 <= last_rate <= min(rates):
            raise InputError(
                "expected SOLVER.BASE_LR_END between 0 and the rate of every parameter group for "
                f"WarmupPolyLR, got {last_rate} and a group with {min(rates)}"
            )
        self._last_rate = last_rate
        self._power = power
        self._warmup_iterations = warmup_iterations
        self._iterations = iterations
        super().__init__(optimizer)

    def state_dict(self) -> dict:
        """``base_lrs`` and ``last_epoch`` (an iteration); the rest is the config's."""
        return {"base_lrs": self.base_lrs, "last_epoch": self.last_epoch}

    def get_lr(self) -> list[float]:
        """The rate of each group at the current iteration."""
        part = self.factor(self.last_epoch)
        return [self._last_rate + (rate - self._last_rate) * part for rate in self.base_lrs]

    def factor(self, iteration: int) -> float:
        """f of the module's docstring, in [0, 1]."""
        if iteration < self._warmup_iterations:
            return iteration / self._warmup_iterations
        rest = self._iterations - self._warmup_iterations
        progress = min((iteration - self._warmup_iterations) / rest, 1.0)
        return (1 - progress) ** self._power
