"""Data: registered data sets, clips for training, videos for inference."""

from vps.data.catalog import (
    dataset_categories,
    load_dataset,
    register_panoptic_video,
    register_videos,
)
from vps.data.datasets import (
    register_cityscapes_vps,
    register_davis,
    register_davis2016,
    register_shapes,
    register_viper,
    register_viposeg,
    register_vipseg,
    register_vosw,
    register_youtube_vos,
)
from vps.data.folder_dataset import (
    index_folder_dataset,
    register_folder_dataset,
    register_folders,
)
from vps.data.leakage import shared_videos, warn_of_leakage
from vps.data.loader import build_test_loader, build_train_loader
from vps.data.mapper import ClipMapper
from vps.data.panoptic_video_json import read_categories

__all__ = [
    "ClipMapper",
    "build_test_loader",
    "build_train_loader",
    "dataset_categories",
    "index_folder_dataset",
    "load_dataset",
    "read_categories",
    "register_cityscapes_vps",
    "register_davis",
    "register_davis2016",
    "register_folder_dataset",
    "register_folders",
    "register_panoptic_video",
    "register_shapes",
    "register_videos",
    "register_viper",
    "register_viposeg",
    "register_vipseg",
    "register_vosw",
    "register_youtube_vos",
    "shared_videos",
    "warn_of_leakage",
]
