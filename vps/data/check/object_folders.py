"""Reading the layouts of video object segmentation for a check: VIPOSeg, YouTube-VOS, VOSW, DAVIS.

The layouts are those of the modules of the same names in ``vps.data.datasets``, whose loaders stop
at the first fault.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from vps.data.check.object_lists import read_appearances, read_class, read_classes, read_frames
from vps.data.check.plan import CheckedCoding, FramePlan, VideoPlan
from vps.data.check.problems import Problem
from vps.data.check.sources import Source, unlisted_videos
from vps.data.folders import MASKS, PICTURES, Folders, MissingFileError
from vps.io import read_label_map
from vps.io.object_lists import read_sequences
from vps.structures import Category, InputError


class _FolderSource(Source):
    """What these layouts share: a folder of pictures and one of masks per video."""

    def __init__(self, categories: Iterable[Category]) -> None:
        self._categories = {category.dataset_id: category for category in categories}
        self._found: list[Problem] = []
        self._folders = Folders()

    def _take_found(self) -> Iterator[Problem]:
        found, self._found = self._found, []
        yield from found

    def _tell(
        self, kind: str, file: object, message: str, video_id: str, frame_id: str | None = None
    ) -> None:
        self._found.append(Problem(kind, str(file), message, video_id, frame_id))

    def _stems(self, folder: Path, endings: tuple[str, ...], video_id: str) -> dict[str, str]:
        try:
            return self._folders.stems(folder, endings)
        except MissingFileError as error:
            self._tell("video-missing", folder, str(error), video_id)
            return {}

    def _make_frames(
        self,
        video_id: str,
        pictures: dict[str, str],
        labels: dict[str, str] | None,
        references: dict[str, str] | None,
        *,
        all_labelled: bool = True,
    ) -> tuple[FramePlan, ...]:
        """The frames; tells masks without a picture and, with ``all_labelled``, pictures without a
        mask.
        """
        for name in sorted({*(labels or {}), *(references or {})} - pictures.keys()):
            path = (references or {}).get(name) or labels[name]
            self._tell(
                "frame-unknown",
                path,
                f"expected a frame of video {video_id} for the mask {path}, got none",
                video_id,
                name,
            )
        frames = []
        for name, picture in pictures.items():
            label = (labels or {}).get(name)
            if labels and label is None and all_labelled:
                self._tell(
                    "label-missing",
                    picture,
                    f"expected a mask of frame {name} of video {video_id}, got none for {picture}",
                    video_id,
                    name,
                )
            reference = (references or {}).get(name)
            frames.append(FramePlan(name, picture, label=label, reference=reference))
        return tuple(frames)


class ObjectFolders(_FolderSource):
    """A split of VIPOSeg, YouTube-VOS or VOSW."""

    def __init__(
        self,
        folder: str | os.PathLike,
        categories: Iterable[Category],
        *,
        given: bool,
        classes: bool,
    ) -> None:
        """
        Args:
            folder: of the split.
            categories: of the data set.
            given: whether ``Annotations`` holds the masks of objects that are given (``valid``).
            classes: whether obj_class.json lists the videos and the classes of their objects
                (VIPOSeg); else meta.json lists them.
        """
        super().__init__(categories)
        self._folder, self._given, self._has_classes = Path(folder), given, classes
        self._index = os.fspath(self._folder / ("obj_class.json" if classes else "meta.json"))

    def read(self) -> Iterator[Problem | VideoPlan]:
        """See ``Source``."""
        tell = self._found.append
        classes, entries = {}, {}
        if self._has_classes:
            classes = read_classes(self._index, tell)
        if self._given or not self._has_classes:
            entries = read_appearances(self._folder / "meta.json", tell)
        videos = {**dict.fromkeys(classes), **dict.fromkeys(entries)}
        yield from self._take_found()
        for video_id in videos:
            for listed, file in ((classes, self._index), (entries, self._folder / "meta.json")):
                if listed and video_id not in listed:
                    message = f"expected video {video_id} in {file} as in the other list, got none"
                    self._tell("video-unknown", file, message, video_id)
            objects = set(entries.get(video_id, ()))
            if self._has_classes:
                objects = self._check_classes(video_id, classes.get(video_id, {}))
                for number in sorted(entries.get(video_id, {}).keys() - objects):
                    message = (
                        f"expected a class for object {number} of video {video_id} in "
                        f"{self._index}, got none, though meta.json lists the object"
                    )
                    self._tell("object-class-missing", self._index, message, video_id)
            frames = self._read_frames(video_id, entries.get(video_id))
            yield from self._take_found()
            if frames:
                yield VideoPlan(
                    video_id,
                    frames,
                    self._index,
                    self._categories,
                    "index",
                    frozenset(objects),
                    given=self._given,
                )
        yield from unlisted_videos(self._folder / "JPEGImages", videos, self._index)

    def _check_classes(self, video_id: str, listed: dict) -> set[int]:
        """The objects of a video; tells classes that are none."""
        for number, node in listed.items():
            try:
                if read_class(node) not in self._categories:
                    error = node.error(f"a class in 0..{max(self._categories)}")
                    self._tell("category-unknown", self._index, str(error), video_id)
            except InputError as error:
                self._tell("index-field", self._index, str(error), video_id)
            if number > 254:
                message = f"expected objects 1..254 in video {video_id}, got {number}"
                self._tell("index-field", self._index, message, video_id)
        return set(listed)

    def _read_frames(self, video_id: str, entries: dict | None) -> tuple[FramePlan, ...]:
        pictures = self._stems(self._folder / "JPEGImages" / video_id, PICTURES, video_id)
        if not pictures:
            message = f"expected pictures of video {video_id} in {self._folder}, got none"
            self._tell("video-empty", self._folder / "JPEGImages" / video_id, message, video_id)
            return ()
        if entries is not None:
            pictures = self._listed_pictures(video_id, entries, pictures)
        given = self._folder / "Annotations" / video_id
        truth = self._folder / ("Annotations_gt" if self._given else "Annotations")
        labels = self._stems(truth / video_id, MASKS, video_id) if truth.is_dir() else None
        references = self._stems(given, MASKS, video_id) if self._given else None
        return self._make_frames(video_id, pictures, labels, references)

    def _listed_pictures(
        self, video_id: str, entries: dict, pictures: dict[str, str]
    ) -> dict[str, str]:
        """The pictures that meta.json lists."""
        listed: set[str] = set()
        for entry in entries.values():
            try:
                listed |= {*read_frames(entry)}
            except InputError as error:
                self._tell("index-field", entry.file, str(error), video_id)
        for name in sorted(listed - pictures.keys()):
            message = (
                f"expected a picture of frame {name} of video {video_id}, which "
                f"{self._folder / 'meta.json'} lists, got none in JPEGImages/{video_id}"
            )
            file = self._folder / "meta.json"
            self._tell("meta-frame-missing", file, message, video_id, name)
        return {name: path for name, path in pictures.items() if name in listed}


class DavisFolders(_FolderSource):
    """A split of DAVIS."""

    def __init__(
        self,
        folder: str | os.PathLike,
        categories: Iterable[Category],
        *,
        year: int,
        split: str,
        resolution: str,
    ) -> None:
        """Arguments as of ``vps.data.datasets.davis.load_davis``."""
        super().__init__(categories)
        self._folder, self._year, self._split = Path(folder), year, split
        self._resolution = resolution

    def read(self) -> Iterator[Problem | VideoPlan]:
        """See ``Source``."""
        names = (str(self._year), self._resolution)
        lists = [self._folder / "ImageSets" / name / f"{self._split}.txt" for name in names]
        index = next((path for path in lists if path.is_file()), lists[0])
        try:
            sequences = read_sequences(index)
        except InputError as error:
            yield Problem("index-unreadable", os.fspath(index), str(error))
            return
        if not sequences:
            message = f"expected names of sequences in {index}, got none"
            yield Problem("video-empty", os.fspath(index), message)
        for sequence in sequences:
            plan = self._plan(sequence, os.fspath(index))
            yield from self._take_found()
            if plan is not None:
                yield plan

    def _plan(self, sequence: str, index: str) -> VideoPlan | None:
        folder = self._folder / "JPEGImages" / self._resolution / sequence
        pictures = self._stems(folder, PICTURES, sequence)
        if not pictures:
            message = f"expected pictures of sequence {sequence} in {folder}, got none"
            self._tell("video-empty", folder, message, sequence)
            return None
        masks = self._stems(
            self._folder / "Annotations" / self._resolution / sequence, MASKS, sequence
        )
        test = self._split == "test-dev"
        first = next(iter(pictures))
        references = {first: masks[first]} if first in masks else {}
        coding: CheckedCoding = "binary" if self._year == 2016 else "index"
        return VideoPlan(
            sequence,
            self._make_frames(sequence, pictures, None if test else masks, references),
            index,
            self._categories,
            coding,
            self._objects(references.get(first)),
            unlisted_is_background=self._year == 2017,
            given=True,
            void_label=True,
        )

    def _objects(self, mask: str | None) -> frozenset[int] | None:
        """The objects of the first mask; nothing else says which there are. None where it cannot be
        read, which is told when its frame is checked.
        """
        if self._year == 2016:
            return frozenset({1})
        try:
            return (
                frozenset(np.unique(read_label_map(mask, "index")).tolist()) - {0} if mask else None
            )
        except InputError:
            return None
