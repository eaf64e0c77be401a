"""Run a trained model on any video: the Python API."""

from vps.inference.predictor import VideoPredictor
from vps.inference.weights import load_weights_strict

__all__ = ["VideoPredictor", "load_weights_strict"]
