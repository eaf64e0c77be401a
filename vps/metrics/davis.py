"""J&F of DAVIS, semi-supervised: every object's mask is given in the first frame.

DAVIS 2017 (Pont-Tuset et al., "The 2017 DAVIS Challenge") scores every object, DAVIS 2016 one
foreground per sequence, all labels above 0. J and F of an object (see ``object_accuracy``) are
taken in all frames but the first, which is given, and the last; their statistics are averaged over
all objects of all sequences. J&F is the mean of the means of J and of F.

    metric = DavisQuality(year=2017)
    metric.update("dogs-jump", frames)
    result = metric.compute()
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vps.metrics.boundary import present_ids
from vps.metrics.davis_scores import DavisResult, ObjectScores, SequenceScores, summarize
from vps.metrics.object_accuracy import QuarterEdges, score_objects, statistics_of
from vps.metrics.object_frames import (
    ObjectFrame,
    References,
    check_references_met,
    checked_frames,
    reference_frames,
    with_last,
)
from vps.metrics.video_metric import VideoMetric
from vps.structures import InputError


@dataclass(frozen=True)
class DavisRules:
    """Rules of the official evaluators, each by name; the defaults are the official ones.

    Attributes:
        objects: which objects are scored (2017). "up_to_largest": 1 to the largest label of the
            first frame, also those between that no pixel has (official); "first_frame": the labels
            that the first frame has; "references": those that ``references`` names, each from the
            frame after its reference on.
        frames: which frames are scored. "inner": all but the first and the last (official);
            "after_first"; "all".
        void_label: a label of the ground truth that counts as background. The masks of 2016 are 0
            and 255, so there it must be None.
        unknown_objects: a predicted id beyond the objects of the first frame. "ignore": its pixels
            belong to no object, as the definition has it; "refuse": an InputError (the official
            program stops).
        quarter_edges: of the decay, see ``statistics_of``.
        bound: tolerance of F as a share of the image's diagonal, or, from 1 on, in pixels.
    """

    objects: Literal["up_to_largest", "first_frame", "references"] = "up_to_largest"
    frames: Literal["inner", "after_first", "all"] = "inner"
    void_label: int | None = 255
    unknown_objects: Literal["ignore", "refuse"] = "ignore"
    quarter_edges: QuarterEdges = "uint8"
    bound: float = 0.008

    def __post_init__(self) -> None:
        for name, allowed in (
            ("objects", ("up_to_largest", "first_frame", "references")),
            ("frames", ("inner", "after_first", "all")),
            ("unknown_objects", ("ignore", "refuse")),
            ("quarter_edges", ("uint8", "exact")),
        ):
            if getattr(self, name) not in allowed:
                raise InputError(f"expected {name} in {allowed}, got {getattr(self, name)!r}")


DAVIS_2016_RULES = DavisRules(void_label=None)
DAVIS_2017_RULES = DavisRules()


class DavisQuality(VideoMetric):
    """Accumulates J and F sequence by sequence.

    What is kept of a sequence are six numbers per object, averaged in the order of the sequences'
    names, so the result does not depend on how they were spread over processes.
    """

    _settings = ("year", "rules")

    def __init__(self, year: int = 2017, *, rules: DavisRules | None = None) -> None:
        """
        Args:
            year: 2016 (one foreground per sequence) or 2017 (objects).
            rules: the official rules, each by name; None: those of the year.
        """
        if year not in (2016, 2017):
            raise InputError(f"expected year 2016 or 2017 of DAVIS, got {year!r}")
        self.year = year
        self.rules = rules or (DAVIS_2016_RULES if year == 2016 else DAVIS_2017_RULES)
        super().__init__()

    def update(
        self,
        video_id: str,
        frames: Iterable[ObjectFrame],
        *,
        references: References | None = None,
        object_classes: Mapping[int, int] | None = None,
    ) -> None:
        """Score one sequence; its frames are consumed one at a time.

        Args:
            video_id: name of the sequence.
            frames: (name, ground truth, prediction) of all frames in the order of time, label maps
                integers [H, W].
            references: {object id: index of the frame that gives its mask}; read only with
                ``objects="references"``, otherwise the first frame tells.
            object_classes: not read; DAVIS knows no classes.

        Raises:
            InputError: the sequence was scored before; maps differ in size.
        """
        self._check_new(video_id)
        since: dict[int, int] = {}  # the objects and the frame from which on they are scored
        if self.rules.objects == "references" and self.year == 2017:
            if references is None:
                raise InputError(f"objects='references' needs references for video {video_id}")
            given = reference_frames(video_id, references)
            since = {object_id: indices[0] + 1 for object_id, indices in sorted(given.items())}
        else:
            given = {}
        values: dict[int, list[tuple[float, float]]] = {}
        num_frames = 0
        for index, ((name, gt, pred), last) in enumerate(with_last(self._read(video_id, frames))):
            num_frames = index + 1
            if index == 0:
                if not given:
                    since = dict.fromkeys(self._objects_of_first_frame(gt), 0)
                values = {object_id: [] for object_id in since}
            self._check_predicted(pred, since, f"frame {name} of video {video_id}")
            if self._is_scored(index, last):
                ids = [object_id for object_id, begin in since.items() if begin <= index]
                scores = score_objects(gt, pred, ids, bound=self.rules.bound)
                for object_id, *pair in zip(ids, *scores, strict=True):
                    values[object_id].append((float(pair[0]), float(pair[1])))
        check_references_met(video_id, given, num_frames)
        self._videos[video_id] = SequenceScores(
            num_frames=num_frames,
            objects={object_id: self._summary(rows) for object_id, rows in values.items()},
        )

    def compute(self) -> DavisResult:
        """Scores over all sequences so far."""
        return summarize(
            f"DAVIS {self.year}",
            {name: self._videos[name] for name in self.video_ids},
            quarter_edges=self.rules.quarter_edges,
        )

    def _read(self, video_id: str, frames: Iterable[ObjectFrame]) -> Iterator[ObjectFrame]:
        """The frames as the year and the void label want them."""
        for name, gt, pred in checked_frames(video_id, frames):
            if self.rules.void_label is not None:
                void = gt == self.rules.void_label
                if void.any():
                    gt = np.where(void, 0, gt)
            if self.year == 2016:
                gt, pred = (gt > 0).astype(np.uint8), (pred > 0).astype(np.uint8)
            yield name, gt, pred

    def _objects_of_first_frame(self, gt: np.ndarray) -> list[int]:
        if self.year == 2016:
            return [1]
        if self.rules.objects == "up_to_largest":
            return list(range(1, int(gt.max(initial=0)) + 1))
        return [int(label) for label in present_ids(gt) if label > 0]

    def _check_predicted(self, pred: np.ndarray, objects: Mapping[int, int], where: str) -> None:
        if self.rules.unknown_objects == "refuse":
            beyond = int(pred.max(initial=0))
            if beyond > max(objects, default=0):
                raise InputError(
                    f"the prediction of {where} has object id {beyond}, but the largest object is "
                    f"{max(objects, default=0)}"
                )

    def _is_scored(self, index: int, last: bool) -> bool:
        if self.rules.frames == "all":
            return True
        return index > 0 and not (last and self.rules.frames == "inner")

    def _summary(self, rows: list[tuple[float, float]]) -> ObjectScores:
        if not rows:
            return ObjectScores(0, None, None)
        j, f = np.array(rows).T
        edges = self.rules.quarter_edges
        return ObjectScores(
            len(rows), statistics_of(j, quarter_edges=edges), statistics_of(f, quarter_edges=edges)
        )
