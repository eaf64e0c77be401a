"""VIPER as ``datasets/prepare_viper.py`` leaves it, in the form that VPSNet reads.

viper_vps/{train,val_day}/img/SSS_FFFFF.jpg
viper_vps/{train,val_day}/panoptic_video/SSS_FFFFF.png
viper_vps/viper_panoptic_{train,val_day}_video.json       flat; video SSS, frame FFFFF
"""

from __future__ import annotations

import os

from vps.data.catalog import register_panoptic_video
from vps.data.datasets.frame_numbers import number_frames
from vps.data.datasets.roots import dataset_root
from vps.data.datasets.viper_categories import VIPER_CATEGORIES

VIPER_FOLDERS = {"train": "train", "val": "val_day"}


def register_viper(root: str | os.PathLike | None = None, *, name: str = "vps_viper") -> None:
    """Register ``<name>_train`` and ``<name>_val``, which lie in ``root`` (viper_vps)."""
    folder = dataset_root(root, "viper_vps")
    for split, subfolder in VIPER_FOLDERS.items():
        register_panoptic_video(
            f"{name}_{split}",
            image_root=folder / subfolder / "img",
            panoptic_root=folder / subfolder / "panoptic_video",
            panoptic_json=folder / f"viper_panoptic_{subfolder}_video.json",
            categories=VIPER_CATEGORIES,
            flat_names="prefix",
            finish=number_frames,
            source_split=f"viper_{split}",
        )
