"""The metrics of video object segmentation for a registered data set, and what they need to know of
a video: which objects it has, of which class, and where their masks are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vps.d2.data import MetadataCatalog
from vps.evaluation.official.object_folders import read_seen_classes
from vps.io import read_reference_frames, record_objects
from vps.metrics import (
    DAVIS_2016_RULES,
    DAVIS_2017_RULES,
    DavisQuality,
    DavisRules,
    VIPOSegQuality,
    VIPOSegRules,
    VIPOSegSubsets,
    YouTubeVOSQuality,
)
from vps.structures import InputError, VideoRecord

OBJECT_METRICS = ("viposeg", "davis", "youtube_vos")
ObjectMetric = VIPOSegQuality | DavisQuality | YouTubeVOSQuality


def make_object_metric(name: str, dataset_name: str) -> ObjectMetric:
    """An empty metric under the official rules, if this is a data set of the benchmark.

    On any other data set the same quantities are taken of the objects that the video gives:

    * VIPOSeg: the classes of the data set all count as seen, and a mean over subsets is one over
      those that have objects;
    * J&F: every object from the frame after its reference on, the last frame left out as in DAVIS.

    Args:
        name: of ``OBJECT_METRICS``.
        dataset_name: a registered data set. Its metadata may have ``viposeg_subsets``
            (VIPOSegSubsets), ``davis_year``, and, for YouTube-VOS, ``seen_classes_file``: the
            meta.json of its training set, whose classes are the seen ones.
    """
    metadata = MetadataCatalog.get(dataset_name)
    official = metadata.get("evaluator_type") == name
    if name == "viposeg":
        subsets = metadata.get("viposeg_subsets")
        if subsets is not None or official:
            return VIPOSegQuality(subsets=subsets)
        things = [c for c, category in enumerate(metadata.categories) if category.isthing]
        stuff = [c for c, category in enumerate(metadata.categories) if not category.isthing]
        return VIPOSegQuality(
            rules=VIPOSegRules(missing_subsets="leave_out"),
            subsets=VIPOSegSubsets(
                {
                    "thing_seen": frozenset(things),
                    "thing_unseen": frozenset(),
                    "stuff_seen": frozenset(stuff),
                    "stuff_unseen": frozenset(),
                }
            ),
        )
    if name == "davis":
        if not official:
            return DavisQuality(rules=DavisRules(objects="references", void_label=None))
        year = metadata.get("davis_year", 2017)
        return DavisQuality(year, rules=DAVIS_2016_RULES if year == 2016 else DAVIS_2017_RULES)
    if name == "youtube_vos":
        train_meta = metadata.get("seen_classes_file")
        if train_meta is None or not Path(train_meta).is_file():
            return YouTubeVOSQuality()
        return YouTubeVOSQuality(seen_classes=read_seen_classes(train_meta))
    raise InputError(f"expected a metric of {', '.join(OBJECT_METRICS)}, got {name!r}")


@dataclass(frozen=True)
class ObjectTruth:
    """What is known of a video's objects before any pixel of the prediction is seen.

    Attributes:
        video_id: name of the video.
        given: {object: indices of the frames that give its mask, ascending}.
        references: the same as the metrics count frames: only those that carry ground truth.
        categories: {object: category, contiguous}.
        names: {object: name of its class}, where the data set names classes that are not among its
            categories (YouTube-VOS).
    """

    video_id: str
    given: Mapping[int, list[int]]
    references: Mapping[int, list[int]]
    categories: Mapping[int, int]
    names: Mapping[int, str] | None = None

    @classmethod
    def of_record(cls, record: VideoRecord) -> ObjectTruth:
        """Read where the masks of a video's objects are given.

        Raises:
            InputError: a mask is given in a frame without ground truth; names the frame.
        """
        place, scored = {}, 0
        for index, labelled in enumerate(record["labelled"]):
            if labelled:
                place[index] = scored
                scored += 1
        given = read_reference_frames(record)
        references: dict[int, list[int]] = {}
        for object_id, frames in given.items():
            if outside := [index for index in frames if index not in place]:
                raise InputError(
                    f"frame {record['image_ids'][outside[0]]} of video {record['video_id']} gives "
                    f"the mask of object {object_id}, but has no ground truth to score against"
                )
            references[object_id] = [place[index] for index in frames]
        objects = record_objects(record)
        return cls(
            record["video_id"],
            given,
            references,
            {object_id: objects[object_id].category for object_id in references},
            record.get("object_names"),
        )

    def followed(self, length: int) -> list[int]:
        """Number of objects that are given up to each of ``length`` frames, that one included."""
        first = [frames[0] for frames in self.given.values()]
        return [sum(frame <= index for frame in first) for index in range(length)]

    def arguments(self, metric: ObjectMetric) -> dict[str, Any]:
        """Keyword arguments of ``metric.update`` beside the video's name and frames."""
        named = isinstance(metric, YouTubeVOSQuality) and self.names is not None
        return {
            "references": self.references,
            "object_classes": self.names if named else self.categories,
        }
