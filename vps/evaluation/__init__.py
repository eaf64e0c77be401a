"""Evaluation: of a model while it runs (Detectron2's evaluation loop), and of predictions on disk.

``vps.evaluation.official`` needs neither torch nor a host, so the evaluators of running models,
which do, are imported when they are asked for.
"""

from importlib import import_module

_MODULES = {
    "SharedPassEvaluators": "shared_pass",
    "VideoObjectEvaluator": "video_object_evaluator",
    "VideoPanopticEvaluator": "video_panoptic_evaluator",
}

__all__ = ["SharedPassEvaluators", "VideoObjectEvaluator", "VideoPanopticEvaluator"]


def __getattr__(name: str):
    if name in _MODULES:
        return getattr(import_module(f"vps.evaluation.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'vps.evaluation' has no attribute {name!r}")
