"""Turning data sets as they are downloaded into what the loaders read (``datasets/prepare_*.py``).

All preparations share one frame, ``run_preparation``: a video is the unit of work, whatever is done
already is not done again, and a manifest says what was made.
"""

from vps.data.prepare.frame import MANIFEST, Preparation, run_preparation
from vps.data.prepare.video_job import VideoJob, VideoResult

__all__ = ["MANIFEST", "Preparation", "VideoJob", "VideoResult", "run_preparation"]
