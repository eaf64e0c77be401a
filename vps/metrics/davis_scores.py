"""From the statistics of every object to the DAVIS scores: means over objects, per sequence and of
all sequences. An undefined value is None, with the reason beside it, never NaN.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from vps.metrics.object_accuracy import QuarterEdges, Statistics


class ObjectScores(NamedTuple):
    """One object: how many frames were scored, and J and F over them (None where no frame was)."""

    frames: int
    j: Statistics | None
    f: Statistics | None


class SequenceScores(NamedTuple):
    """One sequence: its number of frames and its objects."""

    num_frames: int
    objects: dict[int, ObjectScores]


@dataclass(frozen=True)
class DavisMeans:
    """Means over objects, as fractions; None where undefined."""

    jf_mean: float | None
    j_mean: float | None
    j_recall: float | None
    j_decay: float | None
    f_mean: float | None
    f_recall: float | None
    f_decay: float | None
    num_objects: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Plain values under the official names."""
        return {
            "J&F-Mean": self.jf_mean,
            "J-Mean": self.j_mean,
            "J-Recall": self.j_recall,
            "J-Decay": self.j_decay,
            "F-Mean": self.f_mean,
            "F-Recall": self.f_recall,
            "F-Decay": self.f_decay,
            "num_objects": self.num_objects,
        }


@dataclass(frozen=True, eq=False)
class DavisResult:
    """The scores of an evaluation.

    Attributes:
        name: "DAVIS 2017".
        total: means over the objects of all sequences.
        reasons: why a value of the total is None, by its official name.
        remarks: what a reader of the total should know, in sentences.
        per_sequence: {sequence: means over its objects}.
        per_object: {sequence: {object: ObjectScores}}.
        num_frames: {sequence: number of frames}.
    """

    name: str
    total: DavisMeans
    reasons: dict[str, str]
    remarks: tuple[str, ...]
    per_sequence: dict[str, DavisMeans]
    per_object: dict[str, dict[int, ObjectScores]]
    num_frames: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file, under the official names."""
        return {
            "name": self.name,
            **self.total.as_dict(),
            "undefined": dict(self.reasons),
            "remarks": list(self.remarks),
            "per_video": {
                name: {"num_frames": self.num_frames[name], **means.as_dict()}
                for name, means in self.per_sequence.items()
            },
            "per_object": {
                f"{name}_{object_id}": _object_row(scores)
                for name, objects in self.per_object.items()
                for object_id, scores in objects.items()
            },
        }


def summarize(
    name: str, sequences: Mapping[str, SequenceScores], *, quarter_edges: QuarterEdges
) -> DavisResult:
    """Average over all objects of the sequences, given in a fixed order.

    ``quarter_edges`` is the rule that the decays were made by. Objects without a scored frame
    (sequences of one or two frames) have no value and are left out.
    """
    scored = [one for video in sequences.values() for one in video.objects.values() if one.frames]
    total = _means(scored)
    reasons, remarks = {}, []
    for key, value in total.as_dict().items():
        if value is None:
            reasons[key] = (
                "the quarters of a sequence with more than 256 scored frames are empty, because "
                "the official indices wrap at 256 (quarter_edges='exact' avoids it)"
                if scored
                else "no object has a frame that is scored; the first and the last frame of a "
                "sequence are not"
            )
    if unscored := [
        video
        for video, scores in sequences.items()
        if not any(one.frames for one in scores.objects.values())
    ]:
        remarks.append(f"left out, because no frame of an object is scored: {', '.join(unscored)}")
    if quarter_edges == "uint8" and any(one.frames > 256 for one in scored):
        remarks.append(
            "the decay of sequences with more than 256 scored frames is what the official program "
            "prints, whose indices wrap at 256; quarter_edges='exact' gives the defined value"
        )
    return DavisResult(
        name=name,
        total=total,
        reasons=reasons,
        remarks=tuple(remarks),
        per_sequence={
            video: _means([one for one in scores.objects.values() if one.frames])
            for video, scores in sequences.items()
        },
        per_object={video: dict(scores.objects) for video, scores in sequences.items()},
        num_frames={video: scores.num_frames for video, scores in sequences.items()},
    )


def _means(objects: Collection[ObjectScores]) -> DavisMeans:
    def mean(values: list[float | None]) -> float | None:
        if not values or any(value is None for value in values):
            return None
        return sum(values) / len(values)

    j, f = [one.j for one in objects], [one.f for one in objects]
    j_mean, f_mean = mean([one.mean for one in j]), mean([one.mean for one in f])
    return DavisMeans(
        jf_mean=None if j_mean is None else (j_mean + f_mean) / 2,
        j_mean=j_mean,
        j_recall=mean([one.recall for one in j]),
        j_decay=mean([one.decay for one in j]),
        f_mean=f_mean,
        f_recall=mean([one.recall for one in f]),
        f_decay=mean([one.decay for one in f]),
        num_objects=len(objects),
    )


def _object_row(scores: ObjectScores) -> dict[str, float | int | None]:
    row: dict[str, float | int | None] = {"frames": scores.frames}
    for letter, statistics in (("J", scores.j), ("F", scores.f)):
        mean, recall, decay = statistics or (None, None, None)
        row |= {f"{letter}-Mean": mean, f"{letter}-Recall": recall, f"{letter}-Decay": decay}
    return row
