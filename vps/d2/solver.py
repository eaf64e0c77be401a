"""Optimisation: parameter groups, optimizer, gradient clipping, learning-rate schedule."""

from .contract import resolve

__all__ = [
    "build_lr_scheduler",
    "build_optimizer",
    "get_default_optimizer_params",
    "maybe_add_gradient_clipping",
]

build_lr_scheduler, build_optimizer, get_default_optimizer_params, maybe_add_gradient_clipping = (
    resolve(
        "solver",
        "build_lr_scheduler",
        "build_optimizer",
        "get_default_optimizer_params",
        "maybe_add_gradient_clipping",
    )
)
