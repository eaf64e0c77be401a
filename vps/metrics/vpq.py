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
from typing import Any

from vps.metrics.matching_rules import VIPSEG_RULES, MatchingRules
from vps.metrics.panoptic_scores import ClassCounts, PanopticScores, SparseCounts
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


class VideoPanopticQuality:
    """Accumulates VPQ video by video.

    The counts of every video are kept under its id and added in the order of the ids, so the result
    does not depend on how the videos were spread over processes, to the last bit.
    """

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
        self._videos: dict[str, tuple[int, dict[int, tuple[SparseCounts, int]]]] = {}

    @property
    def name(self) -> str:
        """The mean with its windows, as in ``VPQ(1,2,4,6)``."""
        return f"VPQ({','.join(map(str, self.windows))})"

    @property
    def _settings(self) -> tuple:
        return self.categories, self.windows, self.rules, self.excluded_classes

    @property
    def video_ids(self) -> list[str]:
        """The videos seen so far, sorted."""
        return sorted(self._videos)

    def update(self, video: VideoTables) -> None:
        """Score one video.

        Raises:
            InputError: the video was scored before; a category is unknown; listed areas cannot be.
        """
        _check_new(video.video_id, self._videos)
        video.check_categories(len(self.categories))
        if self.rules.tube_class == "each_frame":
            video = video.split_by_class()
        counts = {}
        for window in self.windows:
            dense, number = count_windows(video, window, len(self.categories), self.rules)
            counts[window] = dense.to_sparse(), number
        self._videos[video.video_id] = (len(video), counts)

    def merge(self, other: VideoPanopticQuality) -> None:
        """Take over the videos of another metric (another process') with the same settings."""
        if self._settings != other._settings:
            raise InputError(
                "metrics with different categories, windows, rules or excluded classes cannot be "
                "merged"
            )
        for video_id in other._videos:
            _check_new(video_id, self._videos)
        self._videos.update(other._videos)

    def compute(self) -> VPQResult:
        """Scores over all videos so far."""
        per_window = {}
        per_video: dict[str, dict[int, float | None]] = {name: {} for name in self.video_ids}
        for window in self.windows:
            total, num_windows = ClassCounts.zeros(len(self.categories)), 0
            for video_id in self.video_ids:
                sparse, number = self._videos[video_id][1][window]
                counts = ClassCounts.from_sparse(sparse, len(self.categories))
                total, num_windows = total + counts, num_windows + number
                alone = PanopticScores.from_counts(
                    counts, self.categories, window=window, excluded=self.excluded_classes
                )
                per_video[video_id][window] = alone.all.pq
            per_window[window] = PanopticScores.from_counts(
                total,
                self.categories,
                window=window,
                num_windows=num_windows,
                excluded=self.excluded_classes,
            )
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
            per_video=per_video,
            num_frames={video_id: self._videos[video_id][0] for video_id in self.video_ids},
        )


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


def _check_new(video_id: str, videos: dict[str, Any]) -> None:
    if video_id in videos:
        raise InputError(
            f"video {video_id} was already scored; every video must have its own video_id and be "
            "evaluated once"
        )
