"""Predictions on disk in official layouts, scored as the official programs score them."""

from vps.evaluation.official.evaluation import Evaluation, RunOptions, evaluate_panoptic
from vps.evaluation.official.modes import PANOPTIC_MODES, PanopticMode
from vps.evaluation.official.objects import OBJECT_MODES, evaluate_objects

__all__ = [
    "OBJECT_MODES",
    "PANOPTIC_MODES",
    "Evaluation",
    "PanopticMode",
    "RunOptions",
    "evaluate_objects",
    "evaluate_panoptic",
]
