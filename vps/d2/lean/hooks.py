"""Hooks of the default trainer: timing, learning rate, checkpoints, evaluation, writing of events.

Their order matters: the timer first, evaluation after the checkpointer (a failing evaluation then
leaves a checkpoint), writers last.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from fvcore.common.checkpoint import PeriodicCheckpointer as _PeriodicCheckpointer
from fvcore.common.param_scheduler import ParamScheduler
from fvcore.common.timer import Timer
from torch.optim.lr_scheduler import LRScheduler as _TorchLRScheduler

from .eval_hooks import BestCheckpointer, EvalHook
from .lr_scheduler import LRMultiplier
from .train_loop import HookBase
from .writers import EventWriter

__all__ = [
    "BestCheckpointer",
    "CallbackHook",
    "EvalHook",
    "IterationTimer",
    "LRScheduler",
    "PeriodicCheckpointer",
    "PeriodicWriter",
]

logger = logging.getLogger("detectron2.engine.hooks")


class CallbackHook(HookBase):
    """Calls functions; each takes the trainer."""

    def __init__(
        self,
        *,
        before_train: Callable | None = None,
        after_train: Callable | None = None,
        before_step: Callable | None = None,
        after_step: Callable | None = None,
    ) -> None:
        self._functions = {
            "before_train": before_train,
            "after_train": after_train,
            "before_step": before_step,
            "after_step": after_step,
        }

    def _call(self, when: str) -> None:
        function = self._functions.get(when)
        if function is not None:
            function(self.trainer)

    def before_train(self) -> None:
        self._call("before_train")

    def after_train(self) -> None:
        self._call("after_train")
        self._functions.clear()  # closures often hold the trainer, which holds this hook

    def before_step(self) -> None:
        self._call("before_step")

    def after_step(self) -> None:
        self._call("after_step")


class IterationTimer(HookBase):
    """Logs the time of each iteration as the scalar ``time``, and a summary at the end.

    Measured from its ``before_step`` to its ``after_step``, so it should be the first hook: then
    other hooks' work is not counted.
    """

    def __init__(self, warmup_iter: int = 3) -> None:
        """``warmup_iter``: iterations at the start that are not counted."""
        self._warmup_iter = warmup_iter
        self._start_time = time.perf_counter()
        self._step_timer, self._total_timer = Timer(), Timer()

    def before_train(self) -> None:
        self._restart()
        self._total_timer.pause()

    def _restart(self) -> None:
        self._start_time = time.perf_counter()
        self._total_timer.reset()

    def before_step(self) -> None:
        self._step_timer.reset()
        self._total_timer.resume()

    def after_step(self) -> None:
        done = self.trainer.storage.iter - self.trainer.start_iter + 1
        if done >= self._warmup_iter:
            self.trainer.storage.put_scalars(time=self._step_timer.seconds())
        else:
            self._restart()
        self._total_timer.pause()

    def after_train(self) -> None:
        total = time.perf_counter() - self._start_time
        steps = self._total_timer.seconds()
        count = self.trainer.storage.iter + 1 - self.trainer.start_iter - self._warmup_iter
        if count > 0 and steps > 0:
            logger.info(
                "Overall training speed: %d iterations in %s (%.4f s / it)",
                count,
                _clock(steps),
                steps / count,
            )
        logger.info("Total training time: %s (%s on hooks)", _clock(total), _clock(total - steps))


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=int(seconds)))


class PeriodicWriter(HookBase):
    """Lets writers write every ``period`` iterations, after the last one, and once more after
    training.
    """

    def __init__(self, writers: Sequence[EventWriter], period: int = 20) -> None:
        for writer in writers:
            if not isinstance(writer, EventWriter):
                raise AssertionError(f"expected an EventWriter, got {writer!r}")
        self._writers = writers
        self._period = period

    def after_step(self) -> None:
        done = self.trainer.iter + 1
        if done % self._period == 0 or done == self.trainer.max_iter:
            for writer in self._writers:
                writer.write()

    def after_train(self) -> None:
        for writer in self._writers:
            writer.write()  # what other hooks' after_train has produced
            writer.close()


class PeriodicCheckpointer(_PeriodicCheckpointer, HookBase):
    """Saves a checkpoint every ``period`` iterations, and ``model_final`` after the last one."""

    def before_train(self) -> None:
        self.max_iter = self.trainer.max_iter

    def after_step(self) -> None:
        self.step(self.trainer.iter)


class LRScheduler(HookBase):
    """Steps the learning-rate schedule after each iteration, and logs the rate as the scalar
    ``lr``.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer | None = None,
        scheduler: _TorchLRScheduler | ParamScheduler | None = None,
    ) -> None:
        """
        Args:
            optimizer: None means ``trainer.optimizer``.
            scheduler: None means ``trainer.scheduler``; a fvcore schedule multiplies the
                optimizer's base rates.
        """
        self._optimizer = optimizer
        self._scheduler = scheduler

    @property
    def scheduler(self) -> _TorchLRScheduler | ParamScheduler:
        """The schedule, the trainer's where none was given."""
        return self._scheduler or self.trainer.scheduler

    def before_train(self) -> None:
        self._optimizer = self._optimizer or self.trainer.optimizer
        if isinstance(self.scheduler, ParamScheduler):
            self._scheduler = LRMultiplier(
                self._optimizer,
                self.scheduler,
                self.trainer.max_iter,
                last_iter=self.trainer.iter - 1,
            )
        self._shown_group = self.get_best_param_group_id(self._optimizer)

    @staticmethod
    def get_best_param_group_id(optimizer: torch.optim.Optimizer) -> int:
        """The group whose rate is worth showing: the largest one, else one with the most common
        rate.
        """
        groups = optimizer.param_groups
        sizes = [len(group["params"]) for group in groups]
        if max(sizes) > 1:
            return sizes.index(max(sizes))
        rates = [group["lr"] for group in groups]
        return rates.index(Counter(rates).most_common(1)[0][0])

    def after_step(self) -> None:
        rate = self._optimizer.param_groups[self._shown_group]["lr"]
        self.trainer.storage.put_scalar("lr", rate, smoothing_hint=False)
        self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        if isinstance(self.scheduler, _TorchLRScheduler):
            return self.scheduler.state_dict()
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the schedule where a checkpoint left it."""
        if isinstance(self.scheduler, _TorchLRScheduler):
            logger.info("Loading scheduler from state_dict ...")
            self.scheduler.load_state_dict(state_dict)
