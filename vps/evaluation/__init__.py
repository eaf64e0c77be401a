"""Evaluation: of a model while it runs (Detectron2's evaluation loop), and of predictions on disk.

``vps.evaluation.official`` needs neither torch nor a host, so the evaluator of running models,
which does, is imported when it is asked for.
"""

__all__ = ["VideoPanopticEvaluator"]


def __getattr__(name: str):
    if name == "VideoPanopticEvaluator":
        from vps.evaluation.video_panoptic_evaluator import VideoPanopticEvaluator

        return VideoPanopticEvaluator
    raise AttributeError(f"module 'vps.evaluation' has no attribute {name!r}")
