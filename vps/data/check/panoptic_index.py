"""Finding the files of a panoptic JSON for a check: what is listed and missing, and the reverse.

The layouts are those of ``vps.data.panoptic_video_json``, nested by video or flat.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from vps.data.check.panoptic_lists import ListedLabel, PanopticLists
from vps.data.check.plan import FramePlan, VideoPlan
from vps.data.check.problems import Problem
from vps.data.check.sources import Source, unlisted_files, unlisted_videos
from vps.data.folders import MASKS, PICTURES, Folders, MissingFileError
from vps.structures import Category, InputError


class PanopticIndex(Source):
    """A panoptic JSON with its folders of pictures and of label PNGs."""

    def __init__(
        self,
        image_root: str | os.PathLike,
        panoptic_root: str | os.PathLike,
        panoptic_json: str | os.PathLike,
        categories: Sequence[Category],
        *,
        video_of: Callable[[str], str] | None = None,
        spellings: Mapping[str, str] | None = None,
    ) -> None:
        """Arguments as of ``load_panoptic_video_json``."""
        self._image_root, self._panoptic_root = Path(image_root), Path(panoptic_root)
        self._json = os.fspath(panoptic_json)
        self._categories = {category.dataset_id: category for category in categories}
        self._one_folder_allowed = video_of is not None
        self._lists = PanopticLists(
            self._json, categories, video_of=video_of, spellings=spellings or {}
        )
        self._folders = Folders()
        self._used: dict[str, list[str]] = {"picture": [], "label": []}  # in folders for all

    def read(self) -> Iterator[Problem | VideoPlan]:
        """See ``Source``."""
        lists = self._lists
        try:
            lists.read_lists()
            self.num_frames = sum(map(len, lists.videos.values()))
            unlabelled = dict.fromkeys(lists.videos)
            for video_id, labels in lists.read_labels():
                unlabelled.pop(video_id, None)
                yield from self._plan(video_id, labels)
        except InputError as error:
            yield from lists.take_problems()
            yield Problem("index-unreadable", self._json, str(error))
            return
        for video_id in unlabelled:
            yield from self._plan(video_id, {})
        yield from lists.take_problems()
        yield from self._unlisted()

    def _plan(self, video_id: str, labels: dict[str, ListedLabel]) -> Iterator[Problem | VideoPlan]:
        """The plan of a video, after the problems of finding its files."""
        images = self._lists.videos.get(video_id, {})
        for image_id in sorted(labels.keys() - images.keys()):
            message = (
                f"expected labels of listed frames of video {video_id} in {self._json}, got some "
                f"of frame {image_id}"
            )
            self._lists.tell("frame-unknown", message, video_id=video_id, frame_id=image_id)
        picture_folder = self._folder(self._image_root, video_id)
        label_folder = self._folder(self._panoptic_root, video_id)
        frames, pictures = [], set()
        for image_id, image in images.items():
            picture = self._find(
                "picture", picture_folder, image.file_name, PICTURES, video_id, image_id
            )
            if picture is not None and picture in pictures:
                message = (
                    f"expected a picture of its own for every frame of video {video_id} in "
                    f"{self._json}, got {picture} again for frame {image_id}"
                )
                self._lists.tell("frame-twice", message, video_id=video_id, frame_id=image_id)
            pictures.add(picture)
            label = labels.get(image_id)
            path = None
            if label is not None:
                path = self._find("label", label_folder, label.file_name, MASKS, video_id, image_id)
            segments = None if label is None else label.segments
            frames.append(FramePlan(image_id, picture, image.size, path, segments))
        for what, folder, endings, used in (
            ("picture", picture_folder, PICTURES, (f.picture for f in frames)),
            ("label", label_folder, MASKS, (f.label for f in frames)),
        ):
            paths = list(filter(None, used))
            if folder in (self._image_root, self._panoptic_root):
                self._used[what] += paths
            else:
                self._lists.problems += unlisted_files(
                    f"{what}-unlisted", folder, paths, endings, self._folders, video_id
                )
        yield from self._lists.take_problems()
        if frames:
            yield VideoPlan(video_id, tuple(frames), self._json, self._categories)

    def _folder(self, root: Path, video_id: str) -> Path:
        """A folder of the video's own, or, where the file may be flat, that of all."""
        folder = root / video_id
        return root if self._one_folder_allowed and not folder.is_dir() else folder

    def _find(
        self, what: str, folder: Path, name: str, endings: Sequence[str],
        video_id: str, image_id: str,
    ) -> str | None:  # fmt: skip
        """The path of a listed file, or None, after telling that it is missing. A folder that is
        missing is told once, not for every file.
        """
        try:
            return self._folders.find(folder, name, endings)
        except MissingFileError as error:
            if (folder / name).parent.is_dir():
                path = os.fspath(folder / name)
                message = f"expected {path}, as {self._json} lists it, got no such file"
                self._lists.tell(
                    f"{what}-missing", message, file=path, video_id=video_id, frame_id=image_id
                )
            elif not any(
                p.kind == "video-missing" and p.file == f"{folder}" for p in self._lists.problems
            ):
                self._lists.tell("video-missing", str(error), file=f"{folder}", video_id=video_id)
            return None

    def _unlisted(self) -> Iterator[Problem]:
        """What lies in the folders of the data set and is in no list."""
        for what, root, endings in (
            ("picture", self._image_root, PICTURES),
            ("label", self._panoptic_root, MASKS),
        ):
            if self._used[what]:
                kind = f"{what}-unlisted"
                yield from unlisted_files(kind, root, self._used[what], endings, self._folders)
            else:
                yield from unlisted_videos(root, self._lists.videos, self._json)
