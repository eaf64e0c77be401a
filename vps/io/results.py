"""Panoptic results on disk, written while a video runs and read back lazily."""

from vps.io.result_reader import PanopticResults, ResultVideo, read_results
from vps.io.result_writer import PanopticResultWriter, VideoResultWriter

__all__ = [
    "PanopticResultWriter",
    "PanopticResults",
    "ResultVideo",
    "VideoResultWriter",
    "read_results",
]
