"""Hooks of evaluation: score the model now and then, keep the best one."""

from __future__ import annotations

import logging
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from fvcore.common.checkpoint import Checkpointer

from . import comm
from .train_loop import HookBase

__all__ = ["BestCheckpointer", "EvalHook"]

logger = logging.getLogger("detectron2.engine.hooks")


class EvalHook(HookBase):
    """Evaluates every ``eval_period`` iterations and after training; results become scalars.

    Must be registered in all processes or in none.
    """

    def __init__(
        self,
        eval_period: int,
        eval_function: Callable[[], dict | None],
        eval_after_train: bool = True,
    ) -> None:
        """
        Args:
            eval_period: 0 evaluates after training only.
            eval_function: returns a nested dict of numbers; ``{"a": {"b": 1}}`` is logged as
                ``a/b``.
            eval_after_train: whether to evaluate after the last iteration.
        """
        self._period = eval_period
        self._func = eval_function
        self._eval_after_train = eval_after_train

    def _evaluate(self) -> None:
        results = self._func()
        if results:
            if not isinstance(results, dict):
                raise AssertionError(f"expected a dict from the evaluation, got {results!r}")
            scalars = flatten_results(results)
            for name, value in scalars.items():
                try:
                    float(value)
                except (TypeError, ValueError) as error:
                    raise ValueError(
                        f"expected numbers from the evaluation, got {name}: {value!r}"
                    ) from error
            self.trainer.storage.put_scalars(**scalars, smoothing_hint=False)
        comm.synchronize()  # start the next iteration together

    def after_step(self) -> None:
        done = self.trainer.iter + 1
        # the last evaluation is after_train's
        if self._period > 0 and done % self._period == 0 and done != self.trainer.max_iter:
            self._evaluate()

    def after_train(self) -> None:
        # not after a failed training
        if self._eval_after_train and self.trainer.iter + 1 >= self.trainer.max_iter:
            self._evaluate()
        del self._func  # most likely a closure that holds the trainer


def flatten_results(results: Mapping, prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` -> ``{"a/b": 1}``."""
    flat: dict[str, Any] = {}
    for name, value in results.items():
        if isinstance(value, Mapping):
            flat.update(flatten_results(value, f"{prefix}{name}/"))
        else:
            flat[prefix + name] = value
    return flat


class BestCheckpointer(HookBase):
    """Saves a checkpoint when a metric is better than ever. To be registered after the
    :class:`EvalHook`.
    """

    def __init__(
        self,
        eval_period: int,
        checkpointer: Checkpointer,
        val_metric: str,
        mode: str = "max",
        file_prefix: str = "model_best",
    ) -> None:
        """
        Args:
            eval_period: the EvalHook's.
            checkpointer: saves.
            val_metric: a scalar's name, such as ``"video_panoptic_seg/VPQ"``.
            mode: ``"max"`` or ``"min"``.
            file_prefix: name of the file.
        """
        if mode not in ("max", "min"):
            raise AssertionError(f"expected mode 'max' or 'min', got {mode!r}")
        self._period = eval_period
        self._checkpointer = checkpointer
        self._metric = val_metric
        self._is_better = operator.gt if mode == "max" else operator.lt
        self._file_prefix = file_prefix
        self.best_metric: float | None = None
        self.best_iter: int | None = None

    def _check(self) -> None:
        latest = self.trainer.storage.latest().get(self._metric)
        if latest is None:
            logger.warning("No metric %r was logged; no best model is kept by it", self._metric)
            return
        value, iteration = latest
        if not math.isfinite(value):
            return
        if self.best_metric is not None and not self._is_better(value, self.best_metric):
            logger.info(
                "Not saving: %s is %.5f, best is %.5f @ iteration %d",
                self._metric,
                value,
                self.best_metric,
                self.best_iter,
            )
            return
        self.best_metric, self.best_iter = value, iteration
        self._checkpointer.save(self._file_prefix, iteration=iteration)
        logger.info("Saved best model: %s is %.5f @ iteration %d", self._metric, value, iteration)

    def after_step(self) -> None:
        done = self.trainer.iter + 1
        if self._period > 0 and done % self._period == 0 and done != self.trainer.max_iter:
            self._check()

    def after_train(self) -> None:
        if self.trainer.iter + 1 >= self.trainer.max_iter:
            self._check()
