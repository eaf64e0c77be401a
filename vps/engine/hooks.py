"""Hooks of ours: losses stay finite, curves go on across a resume, the best model is kept."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vps.d2.engine import HookBase
from vps.d2.utils import comm
from vps.io.checkpoint import read_checkpoint

if TYPE_CHECKING:
    from vps.engine.checkpoint import SafeCheckpointer

logger = logging.getLogger(__name__)


class FiniteLosses(HookBase):
    """Stops training when a loss is infinite or not a number, before the weights are changed.

    The error names the iteration and the clips of the batch. Each process looks at its own losses,
    so the clips are those that did it. Register it with the trainer that runs the backward pass.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._batch: Sequence[Any] = ()
        self._losses: Mapping[str, torch.Tensor] = {}
        model.register_forward_hook(self._remember)

    def _remember(self, model: torch.nn.Module, args: tuple, losses: Any) -> None:
        if model.training:
            self._batch, self._losses = args[0], losses

    def after_backward(self) -> None:
        batch, losses = self._batch, self._losses
        self._batch, self._losses = (), {}
        # One transfer from the GPU for all losses.
        values = torch.stack([loss.detach().float() for loss in losses.values()]).tolist()
        bad = {name: value for name, value in zip(losses, values) if not math.isfinite(value)}
        if bad:
            found = ", ".join(f"{name} = {value}" for name, value in bad.items())
            raise FloatingPointError(
                f"expected finite losses, got {found} at iteration {self.trainer.iter} in process "
                f"{comm.get_rank()}, whose batch holds {describe_batch(batch)}; the weights are as "
                "before this step; try a lower SOLVER.BASE_LR, a longer warm-up or "
                "SOLVER.CLIP_GRADIENTS"
            )


class UnscaledGradients(HookBase):
    """Undoes the loss scaling of mixed precision before anybody reads the gradients.

    GradScaler does so itself only for optimizers that know nothing of scales. AdamW's fused kernel
    divides by the scale within its step, after clipping has run: gradients would be clipped while
    they are 65,536 times too large, and end up as nothing. Register it with the trainer that runs
    the backward pass, after what may refuse the step.
    """

    def after_backward(self) -> None:
        self.trainer.grad_scaler.unscale_(self.trainer.optimizer)


def describe_batch(batch: Sequence[Any]) -> str:
    """The clips of a batch as text: "clip 0003 [000012 000015], clip ..."."""
    return ", ".join(
        f"clip {sample['video_id']} [{' '.join(map(str, sample['frame_ids']))}]" for sample in batch
    )


class SmoothedHistory(HookBase):
    """Keeps the last values of each logged loss in the checkpoint.

    Logs show medians over a window. Without the values before it, the first window after a resume
    would show another median than a run that was never stopped.
    """

    def __init__(self, window: int = 20) -> None:
        self._window = window  # of Detectron2's writers
        self._values: dict[str, list[list[float]]] = {}

    def state_dict(self) -> dict[str, Any]:
        storage = getattr(self.trainer, "storage", None)  # there is none before training starts
        if storage is None:
            return {}
        smoothed = storage.smoothing_hints()
        return {
            name: [[float(value), int(iteration)] for value, iteration in history.values()][
                -self._window :
            ]
            for name, history in storage.histories().items()
            # Learning rates and scores are shown as they are; times are of this process alone.
            if smoothed[name] and not name.endswith("time")
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._values = state

    def before_train(self) -> None:
        for name, values in self._values.items():
            for value, iteration in values:
                self.trainer.storage.put_scalar(name, value, cur_iter=iteration)


class BestWeights(HookBase):
    """Keeps the weights with the highest score in ``model_best.pth``; runs after each evaluation.

    Unlike Detectron2's BestCheckpointer it still knows the best score after a resume (the file
    itself records it), and ``last_checkpoint`` never names the file: it holds nothing to resume
    from.
    """

    NAME = "model_best"

    def __init__(self, period: int, checkpointer: SafeCheckpointer, metric: str) -> None:
        """
        Args:
            period: iterations between evaluations, as given to EvalHook; 0 = only at the end.
            checkpointer: the trainer's.
            metric: "task/name" of the score, as in the log; higher is better.
        """
        self._period = period
        self._checkpointer = checkpointer
        self._metric = metric
        self.score = -math.inf

    def before_train(self) -> None:
        path = Path(self._checkpointer.save_dir, f"{self.NAME}.pth")
        if self.trainer.start_iter == 0 or not path.is_file():
            return
        recorded = read_checkpoint(path, lazily=True)
        if recorded.get("metric") == self._metric:
            self.score = recorded["score"]

    def after_step(self) -> None:
        done = self.trainer.iter + 1
        if self._period > 0 and done % self._period == 0 and done != self.trainer.max_iter:
            self._keep_if_better(self.trainer.iter)

    def after_train(self) -> None:
        if self.trainer.iter == self.trainer.max_iter:  # not after an error
            self._keep_if_better(self.trainer.iter - 1)

    def _keep_if_better(self, iteration: int) -> None:
        latest = self.trainer.storage.latest()
        if self._metric not in latest:
            logger.warning("No score %s to choose the best model by", self._metric)
            return
        score, _ = latest[self._metric]
        if score > self.score:  # False for NaN
            self.score = float(score)
            self._checkpointer.save_weights(
                self.NAME, iteration=iteration, metric=self._metric, score=self.score
            )


def forget_metrics_from(path: str | os.PathLike, iteration: int) -> None:
    """Cut the last lines of a ``metrics.json`` that a resumed run is about to write again.

    A killed run may have logged more iterations than its last checkpoint covers. The file is
    shortened in place, because the writer that appends to it is open already.
    """
    path = Path(path)
    if not path.is_file():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    while lines and _is_rewritten(lines[-1], iteration):
        lines.pop()
    os.truncate(path, sum(map(len, lines)))


def _is_rewritten(line: bytes, start: int) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return True  # the line that was being written when the process died
    # A training that ended at iteration i - 1 logged its final scores under i; they stay.
    least = start if "total_loss" in entry else start + 1
    return entry.get("iteration", -1) >= least
