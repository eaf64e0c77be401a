"""The VIPOSeg benchmark: panoptic video object segmentation (Xu et al., ICCV 2023, section 4).

Every object is scored in every frame after the one that gives its mask, also where it is out of
sight: IoU of the masks and IoU of the boundary bands. Each is averaged over all object-frames of
four subsets, {thing, stuff} x {seen, unseen in training}; the mean of the eight parts is the
overall score G. The crowd decay lambda says how quickly the IoU falls with the number n of objects
in a video: IoU(n) ~ exp(-lambda n / 100).

    metric = VIPOSegQuality()
    metric.update(video_id, frames, references={1: 0, 2: 0}, object_classes={1: 60, 2: 28})
    result = metric.compute()
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vps.metrics.boundary import band_width, count_objects
from vps.metrics.object_frames import (
    ObjectFrame,
    References,
    check_references_met,
    checked_frames,
    reference_frames,
)
from vps.metrics.video_metric import VideoMetric
from vps.metrics.viposeg_scores import ObjectSums, VideoSums, VIPOSegResult, summarize
from vps.metrics.viposeg_subsets import VIPOSegSubsets
from vps.structures import InputError


@dataclass(frozen=True)
class VIPOSegRules:
    """Rules of the official evaluator, each by name; the defaults are the official ones.

    Attributes:
        repeated_reference: an object whose mask is given in two frames. "count_again": from the
            second on it is two objects, in the means and in the number of objects (official);
            "once".
        void_label: a reference label that no class is known for and that is then no object, but
            void. The official program stops there. None: no such label.
        missing_subsets: what a mean over subsets is when one of them has no object. "undefined":
            None (the official program prints NaN); "leave_out": the mean over the others.
        most_objects: the crowd decay looks at n below this number.
        band_ratio: width of the boundary band as a share of the image's diagonal.
    """

    repeated_reference: Literal["count_again", "once"] = "count_again"
    void_label: int | None = 255
    missing_subsets: Literal["undefined", "leave_out"] = "undefined"
    most_objects: int = 60
    band_ratio: float = 0.02

    def __post_init__(self) -> None:
        for name, allowed in (
            ("repeated_reference", ("count_again", "once")),
            ("missing_subsets", ("undefined", "leave_out")),
        ):
            if getattr(self, name) not in allowed:
                raise InputError(f"expected {name} in {allowed}, got {getattr(self, name)!r}")


class VIPOSegQuality(VideoMetric):
    """Accumulates the VIPOSeg scores video by video.

    What is kept of a video are a few sums per object; they are added in the order of the video ids,
    so the result does not depend on how the videos were spread over processes.
    """

    _settings = ("rules", "subsets")

    def __init__(
        self, *, rules: VIPOSegRules | None = None, subsets: VIPOSegSubsets | None = None
    ) -> None:
        """
        Args:
            rules: the official rules, each by name.
            subsets: which class belongs to which subset; None: those of the benchmark.
        """
        self.rules = rules or VIPOSegRules()
        self.subsets = subsets or VIPOSegSubsets.of_benchmark()
        super().__init__()

    def update(
        self,
        video_id: str,
        frames: Iterable[ObjectFrame],
        *,
        references: References,
        object_classes: Mapping[int, int] | None,
    ) -> None:
        """Score one video; its frames are consumed one at a time.

        Args:
            video_id: name of the video as in the benchmark (class 98 depends on it).
            frames: (name, ground truth, prediction) of every frame in the order of time: label maps
                integers [H, W], 0 = background. Predicted ids that are no object are not looked at.
            references: {object id: index of the frame that gives its mask}, or several indices.
            object_classes: {object id: class, 0..123}.

        Raises:
            InputError: the video was scored before; maps differ in size; an object has no class; a
                reference lies beyond the last frame.
        """
        self._check_new(video_id)
        given = self._objects(video_id, references, object_classes)
        sums = {object_id: np.zeros(3) for object_id in given}  # object-frames, mask, boundary
        crowd: dict[int, np.ndarray] = {}
        num_frames = 0
        for index, (_, gt, pred) in enumerate(checked_frames(video_id, frames)):
            num_frames = index + 1
            times = {
                object_id: sum(frame < index for frame in indices)
                for object_id, indices in given.items()
            }
            active = [object_id for object_id in given if times[object_id]]
            if not active:
                continue
            counts = count_objects(gt, pred, active, band_width(gt.shape, self.rules.band_ratio))
            weights = np.array([times[object_id] for object_id in active], np.float64)
            rows = np.stack([weights, weights * counts.mask_iou(), weights * counts.boundary_iou()])
            for object_id, row in zip(active, rows.T, strict=True):
                sums[object_id] += row
            n = int(weights.sum())
            crowd.setdefault(n, np.zeros(2))[:] += n, rows[1:].sum() / 2
        check_references_met(video_id, given, num_frames)
        self._videos[video_id] = VideoSums(
            num_frames=num_frames,
            objects={
                object_id: self._sums_of(video_id, object_classes[object_id], row)
                for object_id, row in sums.items()
            },
            crowd={n: (int(row[0]), float(row[1])) for n, row in sorted(crowd.items())},
        )

    def compute(self) -> VIPOSegResult:
        """Scores over all videos so far."""
        return summarize(
            {video_id: self._videos[video_id] for video_id in self.video_ids},
            most_objects=self.rules.most_objects,
            leave_out_missing=self.rules.missing_subsets == "leave_out",
        )

    def _objects(
        self, video_id: str, references: References, classes: Mapping[int, int] | None
    ) -> dict[int, list[int]]:
        """{object: its reference frames}, without the void label, by ascending id."""
        if classes is None:
            raise InputError(
                f"expected object_classes {{object id: class}} for video {video_id}, got None; "
                "VIPOSeg keeps them in obj_class.json"
            )
        given = reference_frames(video_id, references)
        unknown = [i for i in sorted(given) if i not in classes and i != self.rules.void_label]
        if unknown:
            raise InputError(
                f"the references of video {video_id} give masks of objects {unknown}, for which "
                "object_classes (VIPOSeg: obj_class.json) has no class"
            )
        once = self.rules.repeated_reference == "once"
        return {i: given[i][:1] if once else given[i] for i in sorted(given) if i in classes}

    def _sums_of(self, video_id: str, category: int, row: np.ndarray) -> ObjectSums:
        return ObjectSums(
            category=int(category),
            subset=self.subsets.subset_of(video_id, int(category)),
            frames=int(row[0]),
            mask=float(row[1]),
            boundary=float(row[2]),
        )
