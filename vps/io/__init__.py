"""Reading and writing of files: images, panoptic PNGs, JSON, frame streams, videos and results."""

from vps.io.atomic import atomic_folder, atomic_write
from vps.io.files import read_json, write_json
from vps.io.images import read_image
from vps.io.panoptic import (
    read_ground_truth,
    read_panoptic_png,
    read_panoptic_runs,
    write_panoptic_png,
)

__all__ = [
    "atomic_folder",
    "atomic_write",
    "read_ground_truth",
    "read_image",
    "read_json",
    "read_panoptic_png",
    "read_panoptic_runs",
    "write_json",
    "write_panoptic_png",
]
