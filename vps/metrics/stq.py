"""Segmentation and tracking quality, STQ (Weber et al., "STEP", NeurIPS 2021, section 4).

    STQ = sqrt(AQ * SQ)

SQ is the mean IoU of the classes over all pixels of all videos. AQ asks how well the things' pixels
keep their identity: for ground-truth tubes g and predicted tubes p of things,

    AQ = 1/|G| sum_g 1/|g| sum_p TPA(g, p)^2 / (|g| + |p| - TPA(g, p))

with TPA the pixels that both have. The class plays no part in pairing g with p. A tube is all
pixels of one (class, id) in a video. Everything comes from the frame tables; no pixel is read here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vps.metrics.confusion import MeanIoUResult, PairClasses, confusion_matrix, mean_iou
from vps.metrics.exact_sums import from_exact, to_exact
from vps.metrics.video_metric import VideoMetric
from vps.metrics.video_tables import VideoTables
from vps.structures import Category, InputError


@dataclass(frozen=True)
class STQRules:
    """Where evaluators differ. The defaults are those of VIPSeg's script.

    Attributes:
        crowd: whose pixels AQ leaves out on both sides. "first_listed": the id that the ground
            truth of a video lists first, if it is a thing: that script counts instances from 0, and
            0 means crowd to the metric. Listed crowds are instances like any other there.
            "listed": the things listed as crowd (deeplab2's definition). "none".
        void_column: predicted void on labelled pixels makes one more class, with IoU 0, in SQ's
            mean (VIPSeg and deeplab2 alike).
        without_things: AQ of frames whose ground truth has no thing: "zero" (official) or
            "undefined".
    """

    crowd: Literal["first_listed", "listed", "none"] = "first_listed"
    void_column: bool = True
    without_things: Literal["zero", "undefined"] = "zero"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("crowd", ("first_listed", "listed", "none")),
            ("without_things", ("zero", "undefined")),
        ):
            if getattr(self, name) not in allowed:
                raise InputError(f"expected {name} in {allowed}, got {getattr(self, name)!r}")


STQ_RULES = {"vipseg": STQRules(), "deeplab2": STQRules(crowd="listed")}


@dataclass(frozen=True)
class STQScores:
    """STQ, AQ and SQ as fractions, of one video or of all; None where undefined (see ``reason``).

    ``num_tubes`` counts the ground-truth tubes of things that AQ is a mean over.
    """

    stq: float | None
    aq: float | None
    sq: float | None
    num_frames: int
    num_tubes: int
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values; ``reason`` only where there is one."""
        values = {
            "STQ": self.stq,
            "AQ": self.aq,
            "SQ": self.sq,
            "num_frames": self.num_frames,
            "num_tubes": self.num_tubes,
        }
        return values if self.reason is None else {**values, "reason": self.reason}


@dataclass(frozen=True, eq=False)
class STQResult:
    """The scores over all videos, those of each video, and the mean IoU of the same pixels."""

    total: STQScores
    per_video: dict[str, STQScores]
    semantic: MeanIoUResult

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            **self.total.as_dict(),
            "semantic": self.semantic.as_dict(),
            "per_video": {name: scores.as_dict() for name, scores in self.per_video.items()},
        }


class SegmentationTrackingQuality(VideoMetric):
    """Accumulates STQ video by video.

    Sums are exact, so the result does not depend on how the videos were spread over processes, to
    the last bit. Of a video only its own scores are kept.
    """

    _settings = ("categories", "rules")

    def __init__(
        self,
        categories: Sequence[Category],
        mode: Literal["vipseg", "deeplab2"] = "vipseg",
        *,
        rules: STQRules | None = None,
    ) -> None:
        """
        Args:
            categories: the classes, in contiguous order.
            mode: whose rules to follow; counts are exact integers in both (deeplab2's NumPy code
                rounds them to float32, so its values differ from ours by some 1e-8).
            rules: the quirks one by one, instead of a mode.
        """
        if rules is None and mode not in STQ_RULES:
            raise InputError(f"expected mode in {tuple(STQ_RULES)}, got {mode!r}")
        self.categories = tuple(categories)
        self.rules = STQ_RULES[mode] if rules is None else rules
        super().__init__()

    def update(self, video: VideoTables) -> None:
        """Score one video.

        Raises:
            InputError: the video was scored before, or a category is unknown.
        """
        self._check_new(video.video_id)
        num = len(self.categories)
        video.check_categories(num)
        pairs = PairClasses.of(video, num)
        confusion = confusion_matrix(video.pixels, pairs, num)
        isthing = np.array([category.isthing for category in self.categories], dtype=bool)
        association, num_tubes = associate(video, pairs, isthing, self.rules)
        self._videos[video.video_id] = self._scores(confusion, association, num_tubes, len(video))
        self._confusion = self._confusion + confusion
        self._association = self._association + to_exact(np.array([association]))

    def compute(self) -> STQResult:
        """Scores over all videos so far."""
        per_video = {video_id: self._videos[video_id] for video_id in self.video_ids}
        return STQResult(
            total=self._scores(
                self._confusion,
                float(from_exact(self._association)[0]),
                sum(scores.num_tubes for scores in per_video.values()),
                sum(scores.num_frames for scores in per_video.values()),
            ),
            per_video=per_video,
            semantic=mean_iou(self._confusion),
        )

    def _clear(self) -> None:
        super()._clear()
        num = len(self.categories)
        self._confusion = np.zeros((num, num + 1), np.int64)
        self._association = to_exact(np.zeros(1))

    def _add_totals(self, other: SegmentationTrackingQuality) -> None:
        self._confusion = self._confusion + other._confusion
        self._association = self._association + other._association

    def _scores(
        self, confusion: np.ndarray, association: float, tubes: int, frames: int
    ) -> STQScores:
        reasons = []
        sq = segmentation_quality(confusion, void_column=self.rules.void_column)
        if sq is None:
            reasons.append("the ground truth has no labelled pixel")
        if tubes:
            aq = association / tubes
        elif frames and self.rules.without_things == "zero":
            aq = 0.0
        else:
            aq = None
            reasons.append("the ground truth has no thing")
        stq = None if sq is None or aq is None else math.sqrt(aq * sq)
        return STQScores(stq, aq, sq, frames, tubes, "; ".join(reasons) or None)


def segmentation_quality(confusion: np.ndarray, *, void_column: bool = True) -> float | None:
    """SQ, the mean IoU over the classes that either side has, from int64 [C, C + 1].

    Unlike ``mean_iou`` it counts a class that is predicted but absent from the ground truth, with
    IoU 0, and, with ``void_column``, the missing prediction as such a class. None without pixels.
    """
    num = len(confusion)
    square = np.zeros((num + 1, num + 1), np.int64)
    square[:num] = confusion
    if not void_column:
        # The pixels stay errors of their own class, but are no class themselves.
        rows = square.sum(axis=1)[:num]
        square = square[:num, :num]
    else:
        rows = square.sum(axis=1)
    right = np.diagonal(square)
    union = rows + square.sum(axis=0) - right
    if not (union > 0).any():
        return None
    iou = right[union > 0] / union[union > 0]
    return float(iou.sum() / len(iou))


def associate(
    video: VideoTables, pairs: PairClasses, isthing: np.ndarray, rules: STQRules
) -> tuple[float, int]:
    """Sum of association over a video's ground-truth tubes of things, and their number.

    Args:
        video: the tables.
        pairs: the classes of its entries.
        isthing: bool [C].
        rules: whom to leave out.
    """
    isthing = np.append(isthing, False)  # void is no thing
    gt_thing, pred_thing = isthing[pairs.gt_classes], isthing[pairs.pred_classes]
    crowd = gt_thing & _is_crowd(video, pairs, rules)
    gt_thing, pred_thing = gt_thing & ~crowd, pred_thing & ~crowd
    # A predicted thing counts with all its pixels outside crowds, on void and stuff as well.
    gt_tube, gt_area = _number_tubes(video.gt_ids, pairs.gt_classes, gt_thing, video.pixels)
    pred_tube, pred_area = _number_tubes(
        video.pred_ids, pairs.pred_classes, pred_thing, video.pixels
    )
    both = gt_thing & pred_thing
    keys, index = np.unique(
        gt_tube[both] * (len(pred_area) + 1) + pred_tube[both], return_inverse=True
    )
    common = np.zeros(len(keys), np.int64)  # TPA
    np.add.at(common, index, video.pixels[both])
    g, p = keys // (len(pred_area) + 1), keys % (len(pred_area) + 1)
    union = gt_area[g] + pred_area[p] - common
    per_pair = common * (common / union)  # the square of an integer could leave 64 bits
    per_tube = np.bincount(g, weights=per_pair, minlength=len(gt_area)) / gt_area
    return float(per_tube.sum()), len(gt_area)


def _is_crowd(video: VideoTables, pairs: PairClasses, rules: STQRules) -> np.ndarray:
    """bool [N]: the entries whose ground-truth id is crowd to AQ, were it a thing."""
    if rules.crowd == "none" or len(video.gt.ids) == 0:
        return np.zeros(len(video.pixels), bool)
    if rules.crowd == "first_listed":
        return video.gt_ids == video.gt.ids[0]
    return (pairs.gt_rows >= 0) & video.gt.crowd[pairs.gt_rows]


def _number_tubes(
    ids: np.ndarray, classes: np.ndarray, chosen: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Number the chosen entries' (class, id) from 0, -1 elsewhere; and the pixels of each tube."""
    _, index = np.unique((classes[chosen] << 24) | ids[chosen], return_inverse=True)
    tubes = np.full(len(ids), -1)
    tubes[chosen] = index
    area = np.zeros(int(index.max()) + 1 if len(index) else 0, np.int64)
    np.add.at(area, index, pixels[chosen])
    return tubes, area
