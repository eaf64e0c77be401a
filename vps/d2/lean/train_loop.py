"""The training loop: iterations, with hooks around each of them.

::

    before_train of every hook
    for each iteration:
        before_step of every hook;  run_step (which calls after_backward);  after_step of every hook
    after_train of every hook, also when a step has raised

``trainer.iter`` counts from ``start_iter``; it equals ``max_iter`` in ``after_train`` only after
success.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from . import comm
from .events import EventStorage, get_event_storage

__all__ = ["HookBase", "SimpleTrainer", "TrainerBase"]

logger = logging.getLogger("detectron2.engine.train_loop")


class HookBase:
    """Something done before, within or after training; ``self.trainer`` is a weak reference to the
    trainer.

    What takes time belongs into ``after_step``, not into ``before_step``: the timer counts the
    latter.
    """

    trainer: TrainerBase = None

    def before_train(self) -> None:
        """Called once, before the first iteration."""

    def after_train(self) -> None:
        """Called once, after the last iteration or after a failure."""

    def before_step(self) -> None:
        """Called before each iteration."""

    def after_backward(self) -> None:
        """Called in each iteration, between the backward pass and the optimizer's step."""

    def after_step(self) -> None:
        """Called after each iteration."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep; a hook that returns something also has
        ``load_state_dict``.
        """
        return {}


class TrainerBase:
    """A loop with hooks; knows of no model and no data. Subclasses write ``run_step``.

    Attributes: ``iter``, ``start_iter``, ``max_iter`` (int), ``storage`` (:class:`EventStorage`,
    while training).
    """

    def __init__(self) -> None:
        self._hooks: list[HookBase] = []
        self.iter = 0
        self.start_iter = 0
        self.max_iter: int
        self.storage: EventStorage

    def register_hooks(self, hooks: Iterable[HookBase | None]) -> None:
        """Append hooks; they run in the order of registration. None entries are skipped."""
        hooks = [hook for hook in hooks if hook is not None]
        for hook in hooks:
            if not isinstance(hook, HookBase):
                raise AssertionError(f"expected a HookBase, got {hook!r}")
            hook.trainer = weakref.proxy(self)  # the trainer owns the hook, not the reverse
        self._hooks.extend(hooks)

    def train(self, start_iter: int, max_iter: int) -> None:
        """Run iterations ``start_iter`` to ``max_iter - 1``."""
        logger.info("Starting training from iteration %d", start_iter)
        self.iter = self.start_iter = start_iter
        self.max_iter = max_iter
        with EventStorage(start_iter) as self.storage:
            try:
                self.before_train()
                for self.iter in range(start_iter, max_iter):
                    self.before_step()
                    self.run_step()
                    self.after_step()
                self.iter += 1  # tells after_train that training came to its end
            except Exception:
                logger.exception("Exception during training:")
                raise
            finally:
                self.after_train()

    def before_train(self) -> None:
        """Call the hooks."""
        for hook in self._hooks:
            hook.before_train()

    def after_train(self) -> None:
        """Call the hooks."""
        self.storage.iter = self.iter
        for hook in self._hooks:
            hook.after_train()

    def before_step(self) -> None:
        """Call the hooks."""
        self.storage.iter = self.iter
        for hook in self._hooks:
            hook.before_step()

    def after_backward(self) -> None:
        """Call the hooks."""
        for hook in self._hooks:
            hook.after_backward()

    def after_step(self) -> None:
        """Call the hooks."""
        for hook in self._hooks:
            hook.after_step()

    def run_step(self) -> None:
        """One iteration."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """``iteration`` and, by class name, the states of ``hooks``; of two hooks of one class,
        the first one's.
        """
        state: dict[str, Any] = {"iteration": self.iter}
        hooks: dict[str, Any] = {}
        for hook in self._hooks:
            hook_state = hook.state_dict()
            if hook_state:
                hooks.setdefault(type(hook).__qualname__, hook_state)
        if hooks:
            state["hooks"] = hooks
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of :meth:`state_dict`."""
        self.iter = state_dict["iteration"]
        for name, hook_state in state_dict.get("hooks", {}).items():
            hook = next((h for h in self._hooks if type(h).__qualname__ == name), None)
            if hook is None:
                logger.warning("No hook %r is registered, its state is ignored", name)
            else:
                hook.load_state_dict(hook_state)


class SimpleTrainer(TrainerBase):
    """One model, one optimizer, one source of data; the model returns losses, their sum is
    minimised.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        data_loader: Iterable,
        optimizer: torch.optim.Optimizer,
        gather_metric_period: int = 1,
        zero_grad_before_forward: bool = False,
    ) -> None:
        """
        Args:
            model: called with what the loader gives; returns a dict of scalar losses, or one
                scalar loss.
            data_loader: an endless iterable.
            optimizer: of the model's parameters.
            gather_metric_period: every so many iterations the losses of all processes are gathered
                and logged.
            zero_grad_before_forward: clear gradients before the forward pass, not before the
                backward pass.
        """
        super().__init__()
        model.train()
        self.model = model
        self.data_loader = data_loader
        self.optimizer = optimizer
        self.gather_metric_period = gather_metric_period
        self.zero_grad_before_forward = zero_grad_before_forward
        self._data_loader_iter_obj: Iterator | None = None

    @property
    def _data_loader_iter(self) -> Iterator:
        if self._data_loader_iter_obj is None:  # workers start when the first batch is asked for
            self._data_loader_iter_obj = iter(self.data_loader)
        return self._data_loader_iter_obj

    def reset_data_loader(self, data_loader_builder: Callable[[], Iterable]) -> None:
        """Let go of the loader, then take what ``data_loader_builder()`` makes."""
        del self.data_loader
        self.data_loader = data_loader_builder()
        self._data_loader_iter_obj = None

    def run_step(self) -> None:
        """Load, forward, backward, log, step."""
        data, data_time = self._next_batch()
        if self.zero_grad_before_forward:
            self.optimizer.zero_grad()
        losses, total = self._sum(self.model(data))
        if not self.zero_grad_before_forward:
            self.optimizer.zero_grad()
        total.backward()
        self.after_backward()
        self._write_metrics(losses, data_time)
        self.optimizer.step()

    def _next_batch(self) -> tuple[Any, float]:
        if not self.model.training:
            raise AssertionError(
                f"[{type(self).__name__}] expected the model in training mode, "
                "something has called eval()"
            )
        start = time.perf_counter()
        data = next(self._data_loader_iter)
        return data, time.perf_counter() - start

    @staticmethod
    def _sum(losses: Mapping[str, torch.Tensor] | torch.Tensor):
        if isinstance(losses, torch.Tensor):
            return {"total_loss": losses}, losses
        return losses, sum(losses.values())

    def _write_metrics(
        self, loss_dict: Mapping[str, torch.Tensor], data_time: float, prefix: str = ""
    ) -> None:
        if (self.iter + 1) % self.gather_metric_period == 0:
            SimpleTrainer.write_metrics(loss_dict, data_time, self.iter, prefix)

    @staticmethod
    def write_metrics(
        loss_dict: Mapping[str, torch.Tensor], data_time: float, cur_iter: int, prefix: str = ""
    ) -> None:
        """Log losses, averaged over processes, and the longest loading time.

        Raises:
            FloatingPointError: the sum of the losses is infinite or not a number; names the
                iteration.
        """
        storage = get_event_storage()
        metrics = {name: loss.detach().cpu().item() for name, loss in loss_dict.items()}
        storage.put_scalar("rank_data_time", data_time, cur_iter=cur_iter)
        gathered = comm.gather({**metrics, "data_time": data_time})
        if not comm.is_main_process():
            return
        longest = max(row.pop("data_time") for row in gathered)
        storage.put_scalar("data_time", longest, cur_iter=cur_iter)
        means = {name: np.mean([row[name] for row in gathered]) for name in gathered[0]}
        total = sum(means.values())
        if not np.isfinite(total):
            raise FloatingPointError(
                f"Loss became infinite or NaN at iteration={cur_iter}!\nloss_dict = {means}"
            )
        storage.put_scalar(f"{prefix}total_loss", total, cur_iter=cur_iter)
        if len(means) > 1:
            storage.put_scalars(cur_iter=cur_iter, **means)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.optimizer.load_state_dict(state_dict["optimizer"])
