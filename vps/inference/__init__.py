"""Run a trained model on any video: the Python API."""

from vps.inference.predictor import VideoPredictor
from vps.modeling.strict_weights import load_weights_strict

__all__ = ["VideoPredictor", "load_weights_strict"]
