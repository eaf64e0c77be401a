"""Evaluators that score a model while it runs, in Detectron2's evaluation loop."""

from vps.evaluation.video_panoptic_evaluator import VideoPanopticEvaluator

__all__ = ["VideoPanopticEvaluator"]
