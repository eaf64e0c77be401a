"""Video panoptic segmentation and panoptic video object segmentation on Detectron2.

Importing this package is cheap: neither torch nor a Detectron2 host is imported before something
needs it, so that ``vps.structures`` and ``vps.metrics`` are useful on their own.
"""

__version__ = "0.1.0"

__all__ = ["VideoPredictor", "__version__"]


def __getattr__(name: str):
    if name == "VideoPredictor":
        from vps.inference import VideoPredictor

        return VideoPredictor
    raise AttributeError(f"module 'vps' has no attribute {name!r}")
