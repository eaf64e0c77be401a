"""Video panoptic quality, VPQ (Kim et al., "Video Panoptic Segmentation", CVPR 2020, section 3.2).

VPQ^k matches tubes in windows of k labelled frames, adds IoU, TP, FP and FN per class over all
windows of all videos, and averages PQ over the classes; VPQ is the plain mean of VPQ^k over the set
of k. VPQ^1 is image PQ. k counts labelled frames here, as VIPSeg does (its paper: k = 1, 2, 4, 6);
Cityscapes-VPS names its windows of 1, 2, 3, 4 labelled frames k = 0, 5, 10, 15.

    metric = VideoPanopticQuality(categories, windows=(1, 2, 4, 6))
    metric.update(VideoTables.from_frames(video_id, frame_tables))   # once per video
    result = metric.compute()
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from vps.metrics.exact_sums import from_exact, to_exact
from vps.metrics.matching_rules import VIPSEG_RULES, MatchingRules
from vps.metrics.panoptic_scores import ClassCounts, PanopticScores
from vps.metrics.video_metric import VideoMetric
from vps.metrics.video_tables import VideoTables
from vps.metrics.windows import count_windows
from vps.structures import Category, InputError

DEFAULT_WINDOWS = (1, 2, 4, 6)


@dataclass(frozen=True, eq=False)
class VPQResult:
    """The scores of an evaluation, all as fractions.

    Attributes:
        name: "VPQ(1,2,4,6)", with the windows that the mean is over.
        all, things, stuff: means of PQ over the windows; None where a window is undefined.
        reasons: why a mean is None, by its name ("all", "things", "stuff").
        per_window: the scores of each window length.
        per_class: {contiguous category: mean of its PQ over the windows in which it is scored}.
        per_video: {video id: {window: PQ of that video alone, or None}}.
        num_frames: labelled frames that were scored, per video.
    """

    name: str
    all: float | None
    things: float | None
    stuff: float | None
    reasons: dict[str, str]
    per_window: dict[int, PanopticScores]
    per_class: dict[int, float]
    per_video: dict[str, dict[int, float | None]]
    num_frames: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "name": self.name,
            "all": self.all,
            "things": self.things,
            "stuff": self.stuff,
            "undefined": dict(self.reasons),
            "per_window": {str(k): scores.as_dict() for k, scores in self.per_window.items()},
            "per_video": {
                video_id: {
                    "num_frames": self.num_frames[video_id],
                    **{f"PQ{k}": value for k, value in scores.items()},
                }
                for video_id, scores in self.per_video.items()
            },
        }


class _VideoScores(NamedTuple):
    """What is kept of a video: its frames, and {window: its PQ, or None}."""

    num_frames: int
    pq: dict[int, float | None]


class _Totals(NamedTuple):
    """Counts of all videos for one window: exact sums of IoU, object [C]; TP, FP and FN, int64 [C];
    and the number of windows.
    """

    iou: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    num_windows: int

    @classmethod
    def of(cls, counts: ClassCounts, num_windows: int) -> _Totals:
        return cls(to_exact(counts.iou), counts.tp, counts.fp, counts.fn, num_windows)

    def plus(self, other: _Totals) -> _Totals:
        return _Totals(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def counts(self) -> ClassCounts:
        return ClassCounts(from_exact(self.iou), self.tp, self.fp, self.fn)


class VideoPanopticQuality(VideoMetric):
    """Accumulates VPQ video by video.

    Sums are exact, so the result does not depend on how the videos were spread over processes, to
    the last bit. Of a video only its own scores are kept.
    """

    _settings = ("categories", "windows", "rules", "excluded_classes")

    def __init__(
        self,
        categories: Sequence[Category],
        windows: Iterable[int] = DEFAULT_WINDOWS,
        *,
        rules: MatchingRules = VIPSEG_RULES,
        excluded_classes: Collection[int] = (),
    ) -> None:
        """
        Args:
            categories: the classes, in contiguous order.
            windows: window lengths in labelled frames.
            rules: the official quirks, each by name.
            excluded_classes: contiguous classes that are matched and counted like any other, but
                left out of the means over classes (VIPER: ``VIPER_EXCLUDED_CLASSES``).
        """
        self.categories = tuple(categories)
        self.windows = tuple(int(window) for window in windows)
        self.rules = rules
        if not self.windows or min(self.windows) < 1 or len(set(self.windows)) < len(self.windows):
            raise InputError(
                f"expected distinct windows of one or more frames, got {list(self.windows)}"
            )
        self.excluded_classes = frozenset(int(category) for category in excluded_classes)
        if not self.excluded_classes <= set(range(len(self.categories))):
            raise InputError(
                f"expected excluded_classes in 0..{len(self.categories) - 1} (contiguous), got "
                f"{sorted(self.excluded_classes)}"
            )
        self._kept = np.array([i not in self.excluded_classes for i in range(len(categories))])
        super().__init__()

    @property
    def name(self) -> str:
        """The mean with its windows, as in ``VPQ(1,2,4,6)``."""
        return f"VPQ({','.join(map(str, self.windows))})"

    def update(self, video: VideoTables) -> None:
        """Score one video.

        Raises:
            InputError: the video was scored before; a category is unknown; listed areas cannot be.
        """
        self._check_new(video.video_id)
        video.check_categories(len(self.categories))
        if self.rules.tube_class == "each_frame":
            video = video.split_by_class()
        counts = {
            window: count_windows(video, window, len(self.categories), self.rules)
            for window in self.windows
        }
        scores = {}
        for window, (alone, number) in counts.items():
            self._totals[window] = self._totals[window].plus(_Totals.of(alone, number))
            scores[window] = alone.mean_pq(self._kept)
        self._videos[video.video_id] = _VideoScores(len(video), scores)

    def compute(self) -> VPQResult:
        """Scores over all videos so far."""
        per_window = {
            window: self._scores(window, total.counts, total.num_windows)
            for window, total in self._totals.items()
        }
        means, reasons = {}, {}
        for group in ("all", "things", "stuff"):
            scores = [getattr(per_window[window], group) for window in self.windows]
            undefined = [
                f"window {window}: {score.reason}"
                for window, score in zip(self.windows, scores, strict=True)
                if score.pq is None
            ]
            if undefined:
                reasons[group] = "; ".join(undefined)
            means[group] = (
                None if undefined else sum(score.pq for score in scores) / len(self.windows)
            )
        return VPQResult(
            name=self.name,
            **means,
            reasons=reasons,
            per_window=per_window,
            per_class=_class_means(per_window, len(self.categories)),
            per_video={video_id: self._videos[video_id].pq for video_id in self.video_ids},
            num_frames={name: self._videos[name].num_frames for name in self.video_ids},
        )

    def _scores(self, window: int, counts: ClassCounts, num_windows: int) -> PanopticScores:
        return PanopticScores.from_counts(
            counts,
            self.categories,
            window=window,
            num_windows=num_windows,
            excluded=self.excluded_classes,
        )

    def _clear(self) -> None:
        super()._clear()
        nothing = _Totals.of(ClassCounts.zeros(len(self.categories)), 0)
        self._totals = dict.fromkeys(self.windows, nothing)

    def _add_totals(self, other: VideoPanopticQuality) -> None:
        for window, total in other._totals.items():
            self._totals[window] = self._totals[window].plus(total)


class PanopticQuality(VideoPanopticQuality):
    """Image PQ: VPQ with the one window of one frame. ``compute()`` gives its PanopticScores."""

    def __init__(
        self,
        categories: Sequence[Category],
        *,
        rules: MatchingRules = VIPSEG_RULES,
        excluded_classes: Collection[int] = (),
    ) -> None:
        super().__init__(categories, (1,), rules=rules, excluded_classes=excluded_classes)

    def compute(self) -> PanopticScores:  # type: ignore[override]
        """PQ, SQ and RQ over all frames so far."""
        return super().compute().per_window[1]


def _class_means(per_window: dict[int, PanopticScores], num_categories: int) -> dict[int, float]:
    means = {}
    for category in range(num_categories):
        values = [
            float(scores.counts.pq[category])
            for scores in per_window.values()
            if scores.counts.scored[category]
        ]
        if values:
            means[category] = sum(values) / len(values)
    return means
