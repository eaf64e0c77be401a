"""The YouTube-VOS measure on ground truth that one has: a local surrogate.

YouTube-VOS (Xu et al., ECCV 2018) keeps the masks of its validation and test videos on a server,
and with them the program that scores. The definition is known: every object is scored in the frames
after the one where it first appears; J and F (see ``object_accuracy``) are averaged per object,
then over the objects whose class occurs in training and over those whose class does not; the
overall score is the mean of the four, J and F, seen and unseen. This computes it for videos with
public masks, say some held out from training. It has not been compared with the server, whose
treatment of image borders, rounding and void is not public, so call its numbers a surrogate.

    metric = YouTubeVOSQuality(seen_classes={"person", "dog"})
    metric.update(video_id, frames, references={1: 0, 2: 3}, object_classes={1: "dog", 2: "lynx"})
    result = metric.compute()
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from vps.metrics.boundary import present_ids
from vps.metrics.object_accuracy import score_objects
from vps.metrics.object_frames import (
    ObjectFrame,
    References,
    check_references_met,
    checked_frames,
    reference_frames,
)
from vps.metrics.video_metric import VideoMetric

PARTS = ("j_seen", "j_unseen", "f_seen", "f_unseen")


class ObjectMeans(NamedTuple):
    """One object: whether its class is seen in training (None: not known), the frames that were
    scored, and the means of J and F over them.
    """

    seen: bool | None
    frames: int
    j: float
    f: float


@dataclass(frozen=True, eq=False)
class YouTubeVOSResult:
    """The scores of an evaluation, as fractions; None where undefined.

    Attributes:
        overall: mean of the four parts.
        parts: "j_seen", "j_unseen", "f_seen", "f_unseen": means over objects.
        j, f: means over all objects, with or without a known class.
        num_objects: {"seen": number, "unseen": number, "unknown": number}.
        reasons: why a value is None, by its name.
        per_object: {video id: {object: ObjectMeans}}; objects that first appear in the last frame
            have no frame that is scored and are left out.
    """

    overall: float | None
    parts: dict[str, float | None]
    j: float | None
    f: float | None
    num_objects: dict[str, int]
    reasons: dict[str, str]
    per_object: dict[str, dict[int, ObjectMeans]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "name": "YouTube-VOS (local surrogate)",
            "overall": self.overall,
            **self.parts,
            "j": self.j,
            "f": self.f,
            "num_objects": dict(self.num_objects),
            "undefined": dict(self.reasons),
            "per_video": {
                video_id: {
                    "num_objects": len(objects),
                    "j": _mean([one.j for one in objects.values()]),
                    "f": _mean([one.f for one in objects.values()]),
                }
                for video_id, objects in self.per_object.items()
            },
            "per_object": {
                f"{video_id}_{object_id}": one._asdict()
                for video_id, objects in self.per_object.items()
                for object_id, one in objects.items()
            },
        }


class YouTubeVOSQuality(VideoMetric):
    """Accumulates J and F video by video; a few numbers per object are kept."""

    _settings = ("seen_classes", "bound")

    def __init__(
        self, *, seen_classes: Collection[Hashable] | None = None, bound: float = 0.008
    ) -> None:
        """
        Args:
            seen_classes: the classes of the training set (the 65 categories of its meta.json);
                any other is unseen. None: the four parts stay undefined, J and F over all objects
                are given.
            bound: tolerance of F as a share of the image's diagonal.
        """
        self.seen_classes = None if seen_classes is None else frozenset(seen_classes)
        self.bound = bound
        super().__init__()

    def update(
        self,
        video_id: str,
        frames: Iterable[ObjectFrame],
        *,
        references: References | None = None,
        object_classes: Mapping[int, Hashable] | None = None,
    ) -> None:
        """Score one video; its frames are consumed one at a time.

        Args:
            video_id: name of the video.
            frames: (name, ground truth, prediction) of the labelled frames in the order of time,
                label maps integers [H, W], 0 = background.
            references: {object id: index of the frame where it first appears}; None: the first
                frame whose ground truth has it.
            object_classes: {object id: class}; an object without one counts only in ``j`` and
                ``f``.

        Raises:
            InputError: the video was scored before; maps differ in size; a reference lies beyond
                the last frame.
        """
        self._check_new(video_id)
        given = {} if references is None else reference_frames(video_id, references)
        first_seen = {object_id: indices[0] for object_id, indices in given.items()}
        sums: dict[int, np.ndarray] = {}  # frames, J, F
        num_frames = 0
        for index, (_, gt, pred) in enumerate(checked_frames(video_id, frames)):
            num_frames = index + 1
            active = sorted(i for i, first in first_seen.items() if first < index)
            if active:
                scores = score_objects(gt, pred, active, bound=self.bound)
                for object_id, j, f in zip(active, *scores, strict=True):
                    sums.setdefault(object_id, np.zeros(3))[:] += 1, j, f
            if references is None:
                for object_id in present_ids(gt).tolist():
                    if object_id > 0:
                        first_seen.setdefault(object_id, index)
        check_references_met(video_id, given, num_frames)
        self._videos[video_id] = {
            object_id: ObjectMeans(
                seen=self._is_seen(object_id, object_classes),
                frames=int(row[0]),
                j=float(row[1] / row[0]),
                f=float(row[2] / row[0]),
            )
            for object_id, row in sorted(sums.items())
        }

    def compute(self) -> YouTubeVOSResult:
        """Scores over all videos so far."""
        videos = {video_id: self._videos[video_id] for video_id in self.video_ids}
        objects = [one for video in videos.values() for one in video.values()]
        values: dict[str, float | None] = {}
        for part in PARTS:
            measure, group = part.split("_")
            values[part] = _mean(
                [getattr(one, measure) for one in objects if one.seen is (group == "seen")]
            )
        missing = [part for part, value in values.items() if value is None]
        reasons = {
            part: f"no object of a class that is {part.split('_')[1]} in training was scored"
            for part in missing
        }
        if missing:
            reasons["overall"] = f"undefined parts: {', '.join(missing)}"
        if not objects:
            reasons["j"] = reasons["f"] = "no object was scored"
        return YouTubeVOSResult(
            overall=None if missing else sum(values.values()) / len(PARTS),
            parts=values,
            j=_mean([one.j for one in objects]),
            f=_mean([one.f for one in objects]),
            num_objects={
                name: sum(one.seen is seen for one in objects)
                for name, seen in (("seen", True), ("unseen", False), ("unknown", None))
            },
            reasons=reasons,
            per_object=videos,
        )

    def _is_seen(self, object_id: int, classes: Mapping[int, Hashable] | None) -> bool | None:
        if self.seen_classes is None or classes is None or object_id not in classes:
            return None
        return classes[object_id] in self.seen_classes


def _mean(values: Collection[float]) -> float | None:
    return sum(values) / len(values) if values else None
