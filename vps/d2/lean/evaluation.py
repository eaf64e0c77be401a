"""The loop that runs a model over a data set and hands what it gives to evaluators."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from . import comm

__all__ = ["DatasetEvaluator", "DatasetEvaluators", "inference_context", "inference_on_dataset"]

logger = logging.getLogger("detectron2.evaluation.evaluator")

LOG_EVERY_SECONDS = 5


class DatasetEvaluator:
    """Collects what a model gives for each input, then scores it. All processes make and call
    their own.
    """

    def reset(self) -> None:
        """Forget everything; called before a round."""

    def process(self, inputs: list, outputs: list) -> None:
        """Take one batch: the model's inputs and its outputs, pair by pair."""

    def evaluate(self) -> dict[str, dict[str, float]] | None:
        """``{task: {metric: value}}`` on the main process; other processes may return None."""


class DatasetEvaluators(DatasetEvaluator):
    """Several evaluators as one; their tasks must differ."""

    def __init__(self, evaluators: Sequence[DatasetEvaluator]) -> None:
        self._evaluators = evaluators

    def reset(self) -> None:
        for evaluator in self._evaluators:
            evaluator.reset()

    def process(self, inputs: list, outputs: list) -> None:
        for evaluator in self._evaluators:
            evaluator.process(inputs, outputs)

    def evaluate(self) -> dict[str, Any]:
        results: dict[str, Any] = {}
        for evaluator in self._evaluators:
            for task, scores in (evaluator.evaluate() or {}).items():
                if not comm.is_main_process():
                    continue
                if task in results:
                    raise AssertionError(f"two evaluators give results for the task {task!r}")
                results[task] = scores
        return results


def inference_on_dataset(
    model: Callable,
    data_loader,
    evaluator: DatasetEvaluator | MutableSequence[DatasetEvaluator] | None,
    callbacks: dict[str, Callable[[], None]] | None = None,
) -> dict[str, Any]:
    """Run a model over a loader, without gradients and in eval mode, and evaluate.

    Args:
        model: called with what the loader gives. A module is put back into its mode afterwards.
        data_loader: an iterable with a length.
        evaluator: one, several, or None to measure speed only.
        callbacks: functions by ``on_start``, ``before_inference``, ``after_inference``, ``on_end``.

    Returns:
        what ``evaluator.evaluate()`` returns; an empty dict in place of None.
    """
    total = len(data_loader)
    logger.info("Start inference on %d batches", total)
    if evaluator is None:
        evaluator = DatasetEvaluators([])
    elif isinstance(evaluator, MutableSequence):
        evaluator = DatasetEvaluators(evaluator)
    callbacks = callbacks or {}

    def call(name: str) -> None:
        if name in callbacks:
            callbacks[name]()

    evaluator.reset()
    clock = _Clock(total)
    with ExitStack() as stack:
        if isinstance(model, nn.Module):
            stack.enter_context(inference_context(model))
        stack.enter_context(torch.no_grad())
        call("on_start")
        clock.restart()
        for index, inputs in enumerate(data_loader):
            clock.lap("data")
            if index == clock.warmup:
                clock.restart()
            call("before_inference")
            outputs = model(inputs)
            call("after_inference")
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            clock.lap("compute")
            evaluator.process(inputs, outputs)
            clock.lap("eval")
            clock.report(index + 1)
        call("on_end")
    clock.summary()
    results = evaluator.evaluate()
    return {} if results is None else results


class _Clock:
    """Sums up the time of loading, computing and evaluating, without the first few batches."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.warmup = max(min(5, total - 1), 0)
        self._last_report = None
        self.restart()

    def restart(self) -> None:
        self._start = self._now = time.perf_counter()
        self._seconds = {"data": 0.0, "compute": 0.0, "eval": 0.0}

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self._seconds[part] += now - self._now
        self._now = now

    def report(self, done: int) -> None:
        """Log the progress, at most every few seconds and not while times are still rough."""
        counted = done - self.warmup if done > self.warmup else done
        mean = {part: seconds / counted for part, seconds in self._seconds.items()}
        if done <= 2 * self.warmup and mean["compute"] <= LOG_EVERY_SECONDS:
            return
        now = time.perf_counter()
        if self._last_report is not None and now - self._last_report < LOG_EVERY_SECONDS:
            return
        self._last_report = now
        each = (now - self._start) / counted
        eta = datetime.timedelta(seconds=int(each * (self.total - done)))
        logger.info(
            f"Inference done {done}/{self.total}. Dataloading: {mean['data']:.4f} s/iter. "
            f"Inference: {mean['compute']:.4f} s/iter. Eval: {mean['eval']:.4f} s/iter. "
            f"Total: {each:.4f} s/iter. ETA={eta}"
        )

    def summary(self) -> None:
        counted = max(self.total - self.warmup, 1)
        lines = (
            ("inference time", time.perf_counter() - self._start),
            ("inference pure compute time", self._seconds["compute"]),
        )
        for what, seconds in lines:
            logger.info(
                f"Total {what}: {datetime.timedelta(seconds=seconds)} "
                f"({seconds / counted:.6f} s / iter per device, on {comm.get_world_size()} devices)"
            )


@contextmanager
def inference_context(model: nn.Module) -> Iterator[None]:
    """Within it, the model is in eval mode; afterwards in the mode it was in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
