"""Checkpoints: saving and loading a model with everything that must be resumed with it."""

from .contract import resolve

__all__ = ["DetectionCheckpointer", "PeriodicCheckpointer"]

DetectionCheckpointer, PeriodicCheckpointer = resolve(
    "checkpoint", "DetectionCheckpointer", "PeriodicCheckpointer"
)
