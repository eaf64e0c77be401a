"""From counts per class to PQ, SQ and RQ (Kirillov et al., CVPR 2019, eq. 1-3).

For a class with the sum of matched IoUs, TP, FP and FN:

    PQ = IoU / (TP + FP/2 + FN/2)      SQ = IoU / TP      RQ = TP / (TP + FP/2 + FN/2)

and the score of a group (All, Things, Stuff) is the plain mean over its classes with
TP + FP + FN > 0. A class that was only ever predicted wrongly counts as 0. Where no class of a
group occurs the mean is undefined: it is None here, with the reason beside it, never NaN.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vps.structures import Category


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Matches per class: ``iou`` float64 [C], ``tp``, ``fp``, ``fn`` int64 [C]."""

    iou: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray

    @classmethod
    def zeros(cls, num_categories: int) -> ClassCounts:
        """Counts of nothing."""
        return cls(
            np.zeros(num_categories), *(np.zeros(num_categories, np.int64) for _ in range(3))
        )

    def __add__(self, other: ClassCounts) -> ClassCounts:
        return ClassCounts(
            self.iou + other.iou, self.tp + other.tp, self.fp + other.fp, self.fn + other.fn
        )

    @property
    def scored(self) -> np.ndarray:
        """bool [C]: the classes that enter a mean."""
        return self.tp + self.fp + self.fn > 0

    @property
    def pq(self) -> np.ndarray:
        """float64 [C], 0 for classes that are not scored."""
        return _divide(self.iou, self.tp + self.fp / 2 + self.fn / 2)

    @property
    def sq(self) -> np.ndarray:
        """float64 [C], 0 for classes without a match."""
        return _divide(self.iou, self.tp)

    @property
    def rq(self) -> np.ndarray:
        """float64 [C], 0 for classes that are not scored."""
        return _divide(self.tp, self.tp + self.fp / 2 + self.fn / 2)

    def mean_pq(self, members: np.ndarray) -> float | None:
        """The mean over the scored classes among ``members``, bool [C]; None if there are none."""
        chosen = self.scored & members
        return float(self.pq[chosen].mean()) if chosen.any() else None


@dataclass(frozen=True)
class GroupScores:
    """Means over the scored classes of one group, as fractions; ``n`` is the number of classes.

    All three are None, and ``reason`` says why, where the group has no scored class.
    """

    pq: float | None
    sq: float | None
    rq: float | None
    n: int
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values; ``reason`` only where there is one."""
        values = {"pq": self.pq, "sq": self.sq, "rq": self.rq, "n": self.n}
        return values if self.reason is None else {**values, "reason": self.reason}


@dataclass(frozen=True, eq=False)
class PanopticScores:
    """PQ, SQ and RQ by group and the counts behind them, for one length of window.

    Attributes:
        window: number of frames in a window (1: image PQ).
        num_windows: how many windows were counted.
        all, things, stuff: the means.
        counts: the counts per class.
        categories: the classes, in contiguous order.
        excluded: classes that the means leave out.
    """

    window: int
    num_windows: int
    all: GroupScores
    things: GroupScores
    stuff: GroupScores
    counts: ClassCounts
    categories: tuple[Category, ...]
    excluded: frozenset[int] = frozenset()

    @classmethod
    def from_counts(
        cls,
        counts: ClassCounts,
        categories: Sequence[Category],
        *,
        window: int = 1,
        num_windows: int = 0,
        excluded: Collection[int] = (),
    ) -> PanopticScores:
        """Average the counts of a whole evaluation."""
        isthing = np.array([category.isthing for category in categories], dtype=bool)
        kept = np.ones_like(isthing)
        kept[list(excluded)] = False
        groups = {"all": kept, "things": kept & isthing, "stuff": kept & ~isthing}
        if num_windows == 0:
            reason = f"no video has {window} labelled frames in a row"
        else:
            reason = "no {} occurs in the ground truth or is wrongly predicted"
            reason += " (excluded classes aside)" if excluded else ""
        means = {
            name: _mean_over_classes(
                counts, members, reason.format({"all": "class"}.get(name, f"class of {name}"))
            )
            for name, members in groups.items()
        }
        return cls(
            window,
            num_windows,
            **means,
            counts=counts,
            categories=tuple(categories),
            excluded=frozenset(excluded),
        )

    @property
    def groups(self) -> dict[str, GroupScores]:
        """The means under the names that the official scripts print."""
        return {"All": self.all, "Things": self.things, "Stuff": self.stuff}

    def per_class(self) -> dict[int, tuple[float, int, int, int]]:
        """{contiguous category: (sum of IoU, TP, FP, FN)} of the classes that occur, the excluded
        ones among them.
        """
        counts = self.counts
        return {
            category: (
                float(counts.iou[category]),
                int(counts.tp[category]),
                int(counts.fp[category]),
                int(counts.fn[category]),
            )
            for category in np.flatnonzero(counts.scored).tolist()
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as fractions, with one entry per scored class."""
        classes = [
            {
                "category": category,
                "name": self.categories[category].name,
                "isthing": bool(self.categories[category].isthing),
                "pq": float(self.counts.pq[category]),
                "sq": float(self.counts.sq[category]),
                "rq": float(self.counts.rq[category]),
                "iou": iou,
                "tp": tp,
                "fp": fp,
                "fn": fn,
                **({"excluded": True} if category in self.excluded else {}),
            }
            for category, (iou, tp, fp, fn) in self.per_class().items()
        ]
        groups = {name: scores.as_dict() for name, scores in self.groups.items()}
        return {
            "window": self.window,
            "num_windows": self.num_windows,
            **groups,
            "per_class": classes,
        }


def _mean_over_classes(counts: ClassCounts, members: np.ndarray, reason: str) -> GroupScores:
    chosen = counts.scored & members
    n = int(chosen.sum())
    if n == 0:
        return GroupScores(None, None, None, 0, reason)
    return GroupScores(*(float(v[chosen].mean()) for v in (counts.pq, counts.sq, counts.rq)), n)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    quotient = np.zeros(len(numerator))
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient
