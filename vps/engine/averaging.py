"""The exponential moving average of the weights: what is evaluated, kept and trained on from.

Source: every published number of AOT, AOST and PAOT is that of averaged weights. After step n the
average moves towards the weights by 1 - decay, where decay = min(limit, (1 + n) / (10 + n)): the
first steps forget the random start quickly. The published limit is 1 - 1 / (0.1 * steps).

In a checkpoint the averaged weights are the ``model``, so that whoever reads it (evaluation, the
predictor, the next phase of training) gets them without knowing; the weights that the optimizer
works on lie beside them, for ``--resume``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from vps.d2.engine import HookBase
from vps.structures import InputError


class AveragedWeights:
    """The average of a model's trainable parameters.

    The running statistics of batch normalisation that is not frozen are averaged too: they belong
    to the weights that they were measured with.

    Attributes:
        updates: how many steps the average has seen.
    """

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        """
        Args:
            model: not wrapped for distributed training; its weights are the first average.
            decay: the limit, in [0, 1).

        Raises:
            InputError: ``decay`` is out of range.
        """
        if not 0 <= decay < 1:
            raise InputError(
                f"expected the decay of averaged weights in [0, 1), got {decay}; it is "
                "1 - 1 / (SOLVER.EMA.SPAN * SOLVER.MAX_ITER), so that product must be at least 1"
            )
        self._weights = dict(_changing_tensors(model))
        self._decay = decay
        self.updates = 0
        self._average: dict[str, Tensor] = {}
        self.restart()

    def restart(self) -> None:
        """Forget the past: the average is the model's weights as they are now."""
        self.updates = 0
        self._average = {name: weight.detach().clone() for name, weight in self._weights.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take a step of the optimizer into the average."""
        self.updates += 1
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        for name, weight in self._weights.items():
            self._average[name].lerp_(weight, 1 - decay)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Within the context the model has the averaged weights."""
        own = {name: weight.detach().clone() for name, weight in self._weights.items()}
        self._set(self._average)
        try:
            yield
        finally:
            self._set(own)

    def state_dict(self) -> dict[str, Any]:
        """``updates``, and the ``weights`` that the optimizer works on; the average is the
        ``model`` of the checkpoint.
        """
        weights = {name: weight.detach().clone() for name, weight in self._weights.items()}
        return {"updates": self.updates, "weights": weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up ``state``; the model must hold the averaged weights, which a checkpoint gives it
        first.

        Raises:
            InputError: the weights have other names than the model's.
        """
        if state["weights"].keys() != self._weights.keys():
            differing = sorted(state["weights"].keys() ^ self._weights.keys())
            raise InputError(
                "expected a checkpoint that averages the same weights as the config, got "
                f"{len(differing)} others, such as {differing[0]}; was the freezing of layers "
                "changed between the runs?"
            )
        self.restart()
        self.updates = int(state["updates"])
        self._set(state["weights"])

    @torch.no_grad()
    def _set(self, values: dict[str, Tensor]) -> None:
        for name, weight in self._weights.items():
            weight.copy_(values[name])


class AverageAfterStep(HookBase):
    """Updates the average after each step; register it before what saves or evaluates."""

    def __init__(self, average: AveragedWeights) -> None:
        self._average = average

    def after_step(self) -> None:
        self._average.update()


def _changing_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    # A shared parameter is listed under each of its names, as state_dict() does.
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if parameter.requires_grad:
            yield name, parameter
    for prefix, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, nn.modules.batchnorm._NormBase):
            for name, buffer in module.named_buffers(recurse=False):
                if buffer.is_floating_point():
                    yield f"{prefix}.{name}".lstrip("."), buffer
