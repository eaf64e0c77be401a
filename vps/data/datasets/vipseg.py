"""VIPSeg as ``datasets/prepare_vipseg.py`` leaves it: 720 pixels high, with RGB masks.

    VIPSeg/VIPSeg_720P/images/<video>/<frame>.jpg
    VIPSeg/VIPSeg_720P/panomasksRGB/<video>/<frame>.png       none for test videos
    VIPSeg/VIPSeg_720P/panoptic_gt_VIPSeg_{train,val,test}.json

The JSON is nested by video and gives pictures the names of their masks. That of the test videos has
no annotations.
"""

from __future__ import annotations

import os

from vps.data.catalog import register_panoptic_video
from vps.data.datasets.roots import dataset_root
from vps.data.datasets.vipseg_categories import VIPSEG_CATEGORIES


def register_vipseg(root: str | os.PathLike | None = None, *, name: str = "vps_vipseg") -> None:
    """Register ``<name>_train``, ``_val`` and ``_test``, which lie in ``root`` (VIPSeg_720P)."""
    folder = dataset_root(root, "VIPSeg/VIPSeg_720P")
    for split in ("train", "val", "test"):
        register_panoptic_video(
            f"{name}_{split}",
            image_root=folder / "images",
            panoptic_root=folder / "panomasksRGB",
            panoptic_json=folder / f"panoptic_gt_VIPSeg_{split}.json",
            categories=VIPSEG_CATEGORIES,
            source_split=f"vipseg_{split}",
        )
