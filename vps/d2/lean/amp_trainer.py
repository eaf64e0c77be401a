"""The trainer of mixed precision: forward in float16 or bfloat16, losses scaled before backward."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn.parallel import DataParallel, DistributedDataParallel

from .train_loop import SimpleTrainer

__all__ = ["AMPTrainer"]


class AMPTrainer(SimpleTrainer):
    """Like :class:`SimpleTrainer`, with automatic mixed precision and scaled gradients; needs
    CUDA.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        data_loader: Iterable,
        optimizer: torch.optim.Optimizer,
        gather_metric_period: int = 1,
        zero_grad_before_forward: bool = False,
        grad_scaler: torch.amp.GradScaler | None = None,
        precision: torch.dtype = torch.float16,
    ) -> None:
        """
        Args:
            grad_scaler: None makes one. Others as in :class:`SimpleTrainer`.
            precision: type of the low-precision operations.
        """
        several = isinstance(model, DistributedDataParallel) and len(model.device_ids or ()) > 1
        if several or isinstance(model, DataParallel):
            raise AssertionError("expected one device per process, AMPTrainer got several")
        super().__init__(
            model, data_loader, optimizer, gather_metric_period, zero_grad_before_forward
        )
        self.grad_scaler = torch.amp.GradScaler("cuda") if grad_scaler is None else grad_scaler
        self.precision = precision

    def run_step(self) -> None:
        """Load, forward in low precision, backward with scaled losses, log, step."""
        if not torch.cuda.is_available():
            raise AssertionError(
                "[AMPTrainer] mixed precision needs CUDA; set SOLVER.AMP.ENABLED to False to train "
                "on the CPU"
            )
        data, data_time = self._next_batch()
        if self.zero_grad_before_forward:
            self.optimizer.zero_grad()
        with torch.autocast("cuda", dtype=self.precision):
            losses, total = self._sum(self.model(data))
        if not self.zero_grad_before_forward:
            self.optimizer.zero_grad()
        self.grad_scaler.scale(total).backward()
        self.after_backward()
        self._write_metrics(losses, data_time)
        self.grad_scaler.step(self.optimizer)
        self.grad_scaler.update()

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "grad_scaler": self.grad_scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.grad_scaler.load_state_dict(state_dict["grad_scaler"])
