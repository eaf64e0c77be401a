"""The PNGs of paired frames: where they are, and which of them nobody asks for.

The official programs name a prediction's PNG after the ground truth (VIPSeg: after its PNG,
Cityscapes-VPS: after the image id); where there is none, the name that the prediction states
counts.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

import numpy as np

from vps.evaluation.official.layouts import PngFolder
from vps.evaluation.official.panoptic_json import FrameListing, ImageInfo, PanopticListing
from vps.evaluation.official.tasks import CATEGORY, ID, FrameTask, PanopticTask
from vps.structures import Category, InputError


@dataclass(eq=False)
class PairedFrame:
    """A labelled frame and its prediction, or the problem that keeps them apart."""

    video_id: str
    frame_id: str
    truth: FrameListing
    info: ImageInfo | None
    prediction: FrameListing | None = None
    problem: str | None = None

    @property
    def stems(self) -> set[str]:
        """The names by which a prediction may mean this frame."""
        names = (self.frame_id, self.truth.file_name, self.info and self.info.file_name)
        return {stem(name) for name in names if name}


class TaskBuilder:
    """Finds the PNGs of paired frames and makes the tasks."""

    def __init__(
        self,
        truth: PanopticListing,
        predictions: PanopticListing,
        truth_pngs: PngFolder,
        prediction_pngs: PngFolder,
        *,
        strict: bool,
        allow_extra: bool,
    ) -> None:
        """
        Args:
            truth, predictions: the JSONs.
            truth_pngs, prediction_pngs: the folders of the PNGs.
            strict: of the tasks.
            allow_extra: ignore PNGs that no frame asks for.
        """
        self.truth = truth
        self.predictions = predictions
        self.truth_pngs = truth_pngs
        self.prediction_pngs = prediction_pngs
        self.strict = strict
        self.allow_extra = allow_extra
        self.categories = Contiguous(truth.categories or [])
        self.folders: set[str] = set()  # subfolders whose pictures were looked at
        self.flat_names: set[str] = set()  # pictures in use that lie in no subfolder

    def task(self, video_id: str, frames: list[PairedFrame]) -> PanopticTask:
        """The task of one video. What keeps it from being scored is the task's problem."""
        try:
            made = tuple(self._frame(frame) for frame in frames)
            self._check_folder(video_id, frames)
            problem = None
        except InputError as error:
            made, problem = (), str(error)
            self.flat_names |= {name for frame in frames for name in self._names(frame)}
        self.folders.add(video_id)
        for pictures in (self.truth_pngs, self.prediction_pngs):
            pictures.forget(video_id)
        return PanopticTask(
            video_id,
            made,
            gt_json=self.truth.path,
            pred_json=self.predictions.path,
            strict=self.strict,
            problem=problem,
        )

    def check_other_pictures(self) -> None:
        """Raise InputError when there are predictions of videos that nobody asks for, or, in one
        folder for all, of such frames. Call it after the last task.
        """
        if self.allow_extra:
            return
        images = self.truth.images
        self._raise_extra("", self.flat_names | _names_of_images("", images.get("", {})))
        for folder in sorted(self.prediction_pngs.subfolders() - self.folders):
            self._raise_extra(folder, _names_of_images(f"{folder}/", images.get(folder, {})))

    def _frame(self, frame: PairedFrame) -> FrameTask:
        if frame.problem is not None or frame.prediction is None:
            raise InputError(str(frame.problem))
        where = f"frame {frame.frame_id} of video {frame.video_id}"
        folder = f"{frame.video_id}/" if self.truth.nested else ""
        own_name = f"{folder}{stem(frame.truth.file_name or frame.frame_id)}.png"
        if not self.truth_pngs.has(own_name):
            raise InputError(
                f"the ground truth of {where} is missing: expected {self.truth_pngs.path(own_name)}"
            )
        name = next(filter(self.prediction_pngs.has, names := self._names(frame)), None)
        if name is None:
            raise InputError(
                f"the prediction of {where} is missing: expected "
                f"{self.prediction_pngs.path(names[0])}"
            )
        if "/" not in name:
            self.flat_names.add(name)
        return FrameTask(
            frame.frame_id,
            self.truth_pngs.path(own_name),
            self.prediction_pngs.path(name),
            self.categories.translate(frame.truth, self.truth.path, where),
            self.categories.translate(frame.prediction, self.predictions.path, where),
            frame.info.size if frame.info else None,
        )

    def _names(self, frame: PairedFrame) -> list[str]:
        """Where the PNG of a prediction may be: the official name, then those that are stated."""
        official = stem(frame.truth.file_name or frame.frame_id)
        stated = frame.prediction.file_name if frame.prediction else None
        bases = [official, frame.frame_id] if self.truth.nested else [frame.frame_id, official]
        bases += [stem(stated)] if stated else []
        nested = [f"{frame.video_id}/{base}.png" for base in bases]
        flat = [f"{base}.png" for base in bases]
        return [*nested, *flat] if self.truth.nested else [*flat, *nested]

    def _check_folder(self, video_id: str, frames: list[PairedFrame]) -> None:
        """Refuse PNGs in the video's own folder that are of no frame, labelled or not."""
        if not self.allow_extra and self.prediction_pngs.names(video_id):
            known = {name for frame in frames for name in self._names(frame)}
            known |= _names_of_images(f"{video_id}/", self.truth.images.get(video_id, {}))
            self._raise_extra(video_id, known)

    def _raise_extra(self, folder: str, known: set[str]) -> None:
        prefix = f"{folder}/" if folder else ""
        extra = {prefix + name for name in self.prediction_pngs.names(folder)} - known
        if extra:
            raise InputError(
                f"no frame of {self.truth.path} belongs to the prediction "
                f"{self.prediction_pngs.path(min(extra))} ({len(extra)} such in its folder); "
                "ignore them with --allow-extra"
            )


def _names_of_images(prefix: str, images: dict[str, ImageInfo]) -> set[str]:
    """The PNGs that predictions of all images, labelled or not, may have."""
    names = {name for item in images.items() for name in (item[0], item[1].file_name) if name}
    return {f"{prefix}{stem(name)}.png" for name in names}


class Contiguous:
    """From the data set's category ids to contiguous ones."""

    def __init__(self, categories: list[Category]) -> None:
        ids = np.array([category.dataset_id for category in categories], np.int64)
        self.order = np.argsort(ids)
        self.ids = ids[self.order]

    def translate(self, frame: FrameListing, path: str, where: str) -> np.ndarray:
        """The table of a frame with contiguous categories.

        Raises:
            InputError: a category is unknown.
        """
        table = frame.segments.copy()
        place = np.searchsorted(self.ids, table[:, CATEGORY]).clip(max=len(self.ids) - 1)
        unknown = self.ids[place] != table[:, CATEGORY]
        if unknown.any():
            row = int(np.flatnonzero(unknown)[0])
            raise InputError(
                f"category_id {table[row, CATEGORY]} of segment {table[row, ID]} in {where} in "
                f"{path} is none of the {len(self.ids)} categories of the ground truth"
            )
        table[:, CATEGORY] = self.order[place]
        return table


def stem(name: str) -> str:
    """A file name without the extension of a picture; an image id stays as it is."""
    root, extension = posixpath.splitext(name)
    pictures = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
    return posixpath.normpath(root) if extension.lower() in pictures else name
