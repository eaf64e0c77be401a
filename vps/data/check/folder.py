"""Sources of folders that have no name: ``check FOLDER --layout LAYOUT``."""

from __future__ import annotations

import os
from pathlib import Path

from vps.data.check.panoptic_index import PanopticIndex
from vps.data.check.sources import Source
from vps.data.check.vipseg_raw import RawVIPSeg
from vps.data.folder_dataset import FRAMES, read_folder_categories
from vps.data.panoptic_video_files import IMAGES, INDEX, PANOPTIC
from vps.data.panoptic_video_json import read_categories
from vps.structures import InputError

LAYOUTS = ("panoptic", "folder", "vipseg_raw")


def folder_source(folder: str | os.PathLike, layout: str) -> Source:
    """The source of a folder.

    Args:
        folder: where the data lies.
        layout: "panoptic": our own (``vps.data.panoptic_video_files``), with the categories that
            its JSON lists; "folder": frames and ids of one's own (``vps.data.folder_dataset``),
            indexed; "vipseg_raw": VIPSeg as it is downloaded.

    Raises:
        InputError: there is no such folder or layout, or the categories cannot be read.
    """
    if not Path(folder).is_dir():
        raise InputError(f"expected a folder to check, got {folder}, which is none")
    if layout == "vipseg_raw":
        return RawVIPSeg(folder)
    if layout not in LAYOUTS:
        raise InputError(f"expected a layout of {', '.join(LAYOUTS)}, got {layout!r}")
    index = Path(folder, INDEX)
    if layout == "folder":
        images, categories = Path(folder, FRAMES), read_folder_categories(Path(folder))
    else:
        images, categories = Path(folder, IMAGES), read_categories(index)
    return PanopticIndex(images, Path(folder, PANOPTIC), index, categories)
