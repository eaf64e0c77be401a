"""VIPSeg as it is downloaded, to be checked before ``datasets/prepare_vipseg.py`` runs.

<folder>/{train,val,test}.txt                one video per line
<folder>/imgs/<video>/<frame>.jpg
<folder>/panomasks/<video>/<frame>.png       none for test videos
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from vps.data.check.plan import FramePlan, VideoPlan
from vps.data.check.problems import Problem
from vps.data.check.sources import Source, unlisted_videos
from vps.data.datasets.vipseg_categories import VIPSEG_CATEGORIES
from vps.data.folders import MASKS, PICTURES, Folders, MissingFileError

_SPLITS = ("train", "val", "test")


class RawVIPSeg(Source):
    """The folder of the download."""

    def __init__(self, folder: str | os.PathLike) -> None:
        self._folder = Path(folder)
        self._categories = {category.dataset_id: category for category in VIPSEG_CATEGORIES}

    def read(self) -> Iterator[Problem | VideoPlan]:
        """See ``Source``."""
        lists = {split: self._folder / f"{split}.txt" for split in _SPLITS}
        lists = {split: path for split, path in lists.items() if path.is_file()}
        if not lists:
            message = f"expected train.txt, val.txt or test.txt in {self._folder}, got none"
            yield Problem("index-unreadable", os.fspath(self._folder), message)
            return
        list_of: dict[str, Path] = {}
        for split, path in lists.items():
            for video_id in path.read_text(encoding="utf-8").split():
                if video_id in list_of:
                    message = (
                        f"expected video {video_id} in one list, got it in {list_of[video_id]} and "
                        f"{path}"
                    )
                    yield Problem("video-twice", os.fspath(path), message, video_id)
                    continue
                list_of[video_id] = path
                yield from self._plan(video_id, path, labelled=split != "test")
        for folder in ("imgs", "panomasks"):
            yield from unlisted_videos(self._folder / folder, list_of, os.fspath(self._folder))

    def _plan(self, video_id: str, index: Path, *, labelled: bool) -> Iterator[Problem | VideoPlan]:
        folders = Folders()
        found: dict[str, dict[str, str]] = {}
        for folder, endings in (("imgs", PICTURES), ("panomasks", MASKS)):
            found[folder] = {}
            path = self._folder / folder / video_id
            try:
                found[folder] = folders.stems(path, endings)
            except MissingFileError as error:
                if folder == "imgs" or labelled:
                    yield Problem("video-missing", os.fspath(path), str(error), video_id)
        pictures, masks = found["imgs"], found["panomasks"]
        if pictures and (masks or not labelled):
            for frame_id, mask in masks.items():
                if frame_id not in pictures:
                    message = f"expected a picture for {mask}, got none in imgs/{video_id}"
                    yield Problem("picture-missing", mask, message, video_id, frame_id)
            for frame_id, picture in pictures.items():
                if labelled and frame_id not in masks:
                    message = f"expected a mask for {picture}, got none in panomasks/{video_id}"
                    yield Problem("label-missing", picture, message, video_id, frame_id)
        elif not pictures:
            message = f"expected frames of video {video_id} in imgs/{video_id}, got none"
            yield Problem("video-empty", os.fspath(index), message, video_id)
        frames = tuple(
            FramePlan(name, picture, label=masks.get(name)) for name, picture in pictures.items()
        )
        if frames:
            yield VideoPlan(video_id, frames, os.fspath(index), self._categories, "vipseg_raw")
