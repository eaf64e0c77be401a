"""Reading and writing of files: images, panoptic PNGs, JSON, frame streams, videos and results."""

from vps.io.atomic import atomic_folder, atomic_write
from vps.io.files import read_json, write_json
from vps.io.images import read_image
from vps.io.panoptic import (
    read_ground_truth,
    read_label_map,
    read_panoptic_png,
    read_panoptic_runs,
    write_panoptic_png,
)
from vps.io.references import (
    iterate_references,
    read_reference_frames,
    record_objects,
    record_references,
)

__all__ = [
    "atomic_folder",
    "atomic_write",
    "iterate_references",
    "read_ground_truth",
    "read_image",
    "read_json",
    "read_label_map",
    "read_panoptic_png",
    "read_panoptic_runs",
    "read_reference_frames",
    "record_objects",
    "record_references",
    "write_json",
    "write_panoptic_png",
]
