"""The optimizer: parameter groups with their own rate and decay, SGD, gradient clipping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

__all__ = ["build_optimizer", "get_default_optimizer_params", "maybe_add_gradient_clipping"]

NORM_LAYERS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.GroupNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.LayerNorm,
    nn.LocalResponseNorm,
)


def build_optimizer(cfg, model: nn.Module) -> torch.optim.Optimizer:
    """SGD as ``cfg.SOLVER`` describes it, with gradient clipping where that is enabled."""
    solver = cfg.SOLVER
    groups = get_default_optimizer_params(
        model,
        base_lr=solver.BASE_LR,
        weight_decay_norm=solver.WEIGHT_DECAY_NORM,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
    )
    optimizer = torch.optim.SGD(
        groups,
        lr=solver.BASE_LR,
        momentum=solver.MOMENTUM,
        nesterov=solver.NESTEROV,
        weight_decay=solver.WEIGHT_DECAY,
        foreach=True,
    )
    return maybe_add_gradient_clipping(cfg, optimizer)


def get_default_optimizer_params(
    model: nn.Module,
    base_lr: float | None = None,
    weight_decay: float | None = None,
    weight_decay_norm: float | None = None,
    bias_lr_factor: float | None = 1.0,
    weight_decay_bias: float | None = None,
    lr_factor_func: Callable[[str], float] | None = None,
    overrides: dict[str, dict[str, float]] | None = None,
) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer; parameters with the same settings share a group.

    Frozen parameters are left out; a parameter under several names is taken once.

    Args:
        model: its parameters, in their order.
        base_lr: rate of every group; None leaves it to the optimizer.
        weight_decay: decay of every group; None leaves it to the optimizer.
        weight_decay_norm: decay of the parameters of normalisation layers.
        bias_lr_factor: multiplies the rate of parameters named ``bias``; needs ``base_lr``.
        weight_decay_bias: decay of parameters named ``bias``.
        lr_factor_func: from a parameter's full name to a factor of its rate; needs ``base_lr``.
        overrides: last part of a parameter's name -> settings, ``{"embedding": {"lr": 0.01}}``;
            they win.
    """
    if base_lr is None and (bias_lr_factor not in (None, 1.0) or lr_factor_func is not None):
        raise ValueError("bias_lr_factor and lr_factor_func need base_lr, got base_lr=None")
    overrides = dict(overrides or {})
    bias: dict[str, float] = {}
    if bias_lr_factor not in (None, 1.0):
        bias["lr"] = base_lr * bias_lr_factor
    if weight_decay_bias is not None:
        bias["weight_decay"] = weight_decay_bias
    if bias:
        if "bias" in overrides:
            raise ValueError(
                "settings of 'bias' are given twice, by overrides and by the bias arguments"
            )
        overrides["bias"] = bias
    common = {"lr": base_lr, "weight_decay": weight_decay}
    common = {name: value for name, value in common.items() if value is not None}

    groups: dict[tuple, dict[str, Any]] = {}
    seen: set[nn.Parameter] = set()
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad or parameter in seen:
                continue
            seen.add(parameter)
            settings = dict(common)
            if weight_decay_norm is not None and isinstance(module, NORM_LAYERS):
                settings["weight_decay"] = weight_decay_norm
            if lr_factor_func is not None:
                settings["lr"] *= lr_factor_func(f"{module_name}.{name}")
            settings.update(overrides.get(name, {}))
            # Few large groups, not one per parameter: torch's multi-tensor kernels work per group.
            group = groups.setdefault(tuple(settings.items()), {**settings, "params": []})
            group["params"].append(parameter)
    return list(groups.values())


def maybe_add_gradient_clipping(
    cfg, optimizer: torch.optim.Optimizer | type[torch.optim.Optimizer]
) -> torch.optim.Optimizer | type[torch.optim.Optimizer]:
    """Let an optimizer, or a class of optimizers, clip gradients before each step.

    ``cfg.SOLVER.CLIP_GRADIENTS``: CLIP_TYPE ``"value"`` clips every element to CLIP_VALUE,
    ``"norm"`` clips each parameter's gradient to that norm (of NORM_TYPE). Both work on one
    parameter at a time, as Detectron2 does, not on the model as a whole.

    Returns:
        the input itself where clipping is disabled; the same object, now of a subclass; or a
        subclass.
    """
    clip = cfg.SOLVER.CLIP_GRADIENTS
    if not clip.ENABLED:
        return optimizer
    limit, norm_type = float(clip.CLIP_VALUE), float(clip.NORM_TYPE)

    def clip_value(parameter: torch.Tensor) -> None:
        nn.utils.clip_grad_value_(parameter, limit)

    def clip_norm(parameter: torch.Tensor) -> None:
        nn.utils.clip_grad_norm_(parameter, limit, norm_type)

    clippers = {"value": clip_value, "norm": clip_norm}
    if clip.CLIP_TYPE not in clippers:
        raise ValueError(
            f"expected SOLVER.CLIP_GRADIENTS.CLIP_TYPE 'value' or 'norm', got {clip.CLIP_TYPE!r}"
        )
    base = optimizer if isinstance(optimizer, type) else type(optimizer)
    clipping = _clipping_class(base, clippers[clip.CLIP_TYPE])
    if isinstance(optimizer, type):
        return clipping
    optimizer.__class__ = clipping
    return optimizer


def _clipping_class(
    base: type[torch.optim.Optimizer], clip: Callable[[torch.Tensor], None]
) -> type[torch.optim.Optimizer]:
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                clip(parameter)
        return base.step(self, closure)

    return type(f"{base.__name__}WithGradientClip", (base,), {"step": step})
