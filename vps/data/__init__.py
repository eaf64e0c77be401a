"""Data: registered data sets, clips for training, videos for inference."""

from vps.data.catalog import dataset_categories, load_dataset, register_panoptic_video
from vps.data.datasets import register_davis2016, register_shapes
from vps.data.loader import build_test_loader, build_train_loader
from vps.data.mapper import ClipMapper
from vps.data.panoptic_video_json import read_categories

__all__ = [
    "ClipMapper",
    "build_test_loader",
    "build_train_loader",
    "dataset_categories",
    "load_dataset",
    "read_categories",
    "register_davis2016",
    "register_panoptic_video",
    "register_shapes",
]
