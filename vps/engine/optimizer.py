"""Optimizer from the config: which parameter gets which learning rate and weight decay.

| parameter                     | learning rate                   | weight decay               |
|-------------------------------|---------------------------------|----------------------------|
| any                           | BASE_LR                         | WEIGHT_DECAY               |
| of a normalisation layer      | the same                        | WEIGHT_DECAY_NORM          |
| named ``bias``, of any layer  | the same * BIAS_LR_FACTOR       | WEIGHT_DECAY_BIAS, if set  |
| named in NO_WEIGHT_DECAY      | the same                        | 0                          |
| under ``backbone``, encoders  | the same * BACKBONE_MULTIPLIER  | the same                   |

A later row changes what the earlier ones say. All keys are under ``cfg.SOLVER``; the first three
rows are Detectron2's rules. With the schedule "WarmupPolyLR" BACKBONE_MULTIPLIER multiplies what a
rate exceeds BASE_LR_END by, as AOT has it. Parameters that are treated alike form one group, which
keeps the optimizer's loops over many tensors long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from vps.d2.config import CfgNode
from vps.d2.solver import maybe_add_gradient_clipping
from vps.engine.schedule import POLY
from vps.structures import InputError

BACKBONES = ("backbone.", "network.encoder.")  # how the model families name them

NORM_LAYERS = (
    nn.modules.batchnorm._NormBase,  # batch, synchronised batch and instance normalisation
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
)


def build_optimizer(cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
    """SGD or AdamW over ``parameter_groups``, with gradient clipping where the config asks for it.

    ``SOLVER.CLIP_GRADIENTS.CLIP_TYPE`` is "value" or "norm" (each parameter for itself, as
    Detectron2 does) or "full_model" (one norm over all gradients, as the VPS papers do).

    Raises:
        InputError: ``SOLVER.OPTIMIZER`` or the clip type is unknown.
    """
    solver = cfg.SOLVER
    groups = parameter_groups(
        model,
        base_lr=solver.BASE_LR,
        weight_decay=solver.WEIGHT_DECAY,
        weight_decay_norm=solver.WEIGHT_DECAY_NORM,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        backbone_multiplier=solver.BACKBONE_MULTIPLIER,
        no_weight_decay=solver.NO_WEIGHT_DECAY,
        last_lr=solver.BASE_LR_END if solver.LR_SCHEDULER_NAME == POLY else 0.0,
    )
    if solver.OPTIMIZER == "SGD":
        optimizer = torch.optim.SGD(
            groups, solver.BASE_LR, momentum=solver.MOMENTUM, nesterov=solver.NESTEROV
        )
    elif solver.OPTIMIZER == "ADAMW":
        optimizer = torch.optim.AdamW(groups, solver.BASE_LR, fused=True)
    else:
        raise InputError(f"SOLVER.OPTIMIZER: expected SGD or ADAMW, got {solver.OPTIMIZER!r}")
    return _with_clipping(cfg, optimizer)


def parameter_groups(
    model: nn.Module,
    *,
    base_lr: float,
    weight_decay: float,
    weight_decay_norm: float,
    weight_decay_bias: float | None = None,
    bias_lr_factor: float = 1.0,
    backbone_multiplier: float = 1.0,
    no_weight_decay: Sequence[str] = (),
    last_lr: float = 0.0,
) -> list[dict[str, Any]]:
    """The trainable parameters of ``model``, each once, as torch's parameter groups.

    ``no_weight_decay`` lists modules and parameters by one part of their dotted names;
    ``backbone_multiplier`` multiplies what a rate exceeds ``last_lr`` by.

    Groups stand in the order in which their first parameter appears, so that the state of an
    optimizer is read back in the order in which it was written.
    """
    exempt = frozenset(no_weight_decay)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, module, parameter in _trainable_parameters(model):
        rate, decay = base_lr, weight_decay
        if isinstance(module, NORM_LAYERS):
            decay = weight_decay_norm
        if name.rpartition(".")[2] == "bias":
            rate *= bias_lr_factor
            decay = decay if weight_decay_bias is None else weight_decay_bias
        if not exempt.isdisjoint(name.split(".")):
            decay = 0.0
        if name.startswith(BACKBONES):
            rate = last_lr + (rate - last_lr) * backbone_multiplier
        groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def _trainable_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Module, nn.Parameter]]:
    seen = set()  # shared parameters have several names
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad and parameter not in seen:
                seen.add(parameter)
                yield f"{module_name}.{name}".lstrip("."), module, parameter


def _with_clipping(cfg: CfgNode, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    clip = cfg.SOLVER.CLIP_GRADIENTS
    kinds = ("value", "norm", "full_model")
    if not clip.ENABLED:
        return optimizer
    if clip.CLIP_TYPE not in kinds:
        raise InputError(
            f"SOLVER.CLIP_GRADIENTS.CLIP_TYPE: expected one of {', '.join(kinds)}, "
            f"got {clip.CLIP_TYPE!r}"
        )
    if clip.CLIP_TYPE != "full_model":
        return maybe_add_gradient_clipping(cfg, optimizer)

    def clip_gradients(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        parameters = _all_parameters(optimizer.param_groups)
        nn.utils.clip_grad_norm_(parameters, clip.CLIP_VALUE, clip.NORM_TYPE)

    # Runs within step(); with mixed precision the trainer has undone the scaling before
    # (``UnscaledGradients``).
    optimizer.register_step_pre_hook(clip_gradients)
    return optimizer


def _all_parameters(groups: Iterable[dict[str, Any]]) -> list[nn.Parameter]:
    return [parameter for group in groups for parameter in group["params"]]
