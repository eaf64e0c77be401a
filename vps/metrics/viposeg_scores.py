"""From sums per object to the VIPOSeg scores: the eight parts, their means, and the crowd decay.

Each part is the mean over all object-frames of its subset in the whole data set, so a long video
weighs more. An undefined value is None, with the reason beside it, never NaN or infinite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from vps.metrics.viposeg_subsets import SUBSETS


class ObjectSums(NamedTuple):
    """One object of one video: its class and subset, the object-frames that were scored, and the
    sums over them of the IoU of masks and of boundaries.
    """

    category: int
    subset: str | None
    frames: int
    mask: float
    boundary: float


class VideoSums(NamedTuple):
    """One video: its frames, its objects, and {number of objects n: (object-frames, sum of the mean
    of mask and boundary IoU)}.
    """

    num_frames: int
    objects: dict[int, ObjectSums]
    crowd: dict[int, tuple[int, float]]


@dataclass(frozen=True, eq=False)
class VIPOSegResult:
    """The scores of an evaluation, all as fractions; None where undefined.

    Attributes:
        parts: the eight parts ("thing_seen_miou", "thing_seen_biou", ...: mask and boundary IoU).
        subsets: {subset: mean of its two parts}.
        groups: the means of the two subsets that are "seen", "unseen", "thing", "stuff".
        overall: G, the mean over the four subsets.
        decay: the crowd decay lambda; the smaller the better.
        reasons: why a value is None, by its name.
        crowd: {n: (object-frames, mean IoU)} behind the decay.
        per_class: {class: (object-frames, mask IoU, boundary IoU)}.
        per_video: {video id: {"num_frames", "num_objects", "object_frames", "miou", "biou"}}.
        per_object: {video id: {object: ObjectSums}}.
    """

    parts: dict[str, float | None]
    subsets: dict[str, float | None]
    groups: dict[str, float | None]
    overall: float | None
    decay: float | None
    reasons: dict[str, str]
    crowd: dict[int, tuple[int, float]]
    per_class: dict[int, tuple[int, float, float]]
    per_video: dict[str, dict[str, float | int | None]]
    per_object: dict[str, dict[int, ObjectSums]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        means = {"overall": self.overall, **self.subsets, **self.groups}
        return {
            "name": "VIPOSeg",
            "overall_iou": self.overall,
            "decay": self.decay,
            **{f"{name}_iou": value for name, value in means.items()},
            **self.parts,
            "undefined": {
                f"{name}_iou" if name in means else name: why for name, why in self.reasons.items()
            },
            "crowd": {
                str(n): {"object_frames": frames, "iou": mean}
                for n, (frames, mean) in self.crowd.items()
            },
            "per_class": {
                str(category): {"object_frames": frames, "miou": mask, "biou": boundary}
                for category, (frames, mask, boundary) in self.per_class.items()
            },
            "per_video": {video_id: dict(row) for video_id, row in self.per_video.items()},
        }


def summarize(
    videos: Mapping[str, VideoSums], *, most_objects: int = 60, leave_out_missing: bool = False
) -> VIPOSegResult:
    """Average the sums of all videos, given in a fixed order.

    Args:
        most_objects: the decay looks at numbers of objects below this.
        leave_out_missing: means over subsets leave out those without an object, instead of being
            undefined.
    """
    objects = [one for video in videos.values() for one in video.objects.values()]
    parts: dict[str, float | None] = {}
    subsets: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for subset in SUBSETS:
        _, mask, boundary = _means(one for one in objects if one.subset == subset)
        parts[f"{subset}_miou"], parts[f"{subset}_biou"] = mask, boundary
        subsets[subset] = None if mask is None else (mask + boundary) / 2
        if mask is None:
            why = f"no object of {subset.replace('_', ' ')} classes was scored"
            reasons |= dict.fromkeys((f"{subset}_miou", f"{subset}_biou", subset), why)

    means: dict[str, float | None] = {}
    for name, kind in (
        ("overall", ""),
        ("seen", "_seen"),
        ("unseen", "_unseen"),
        ("thing", "thing_"),
        ("stuff", "stuff_"),
    ):
        members = [subset for subset in SUBSETS if kind in subset]
        missing = [subset for subset in members if subsets[subset] is None]
        values = [subsets[subset] for subset in members if subset not in missing]
        means[name] = None
        if values and (leave_out_missing or not missing):
            means[name] = sum(values) / len(values)
        else:
            reasons[name] = "no object was scored of " + ", ".join(missing)
    overall = means.pop("overall")

    crowd = _crowd_means(videos.values())
    decay, reason = crowd_decay({n: mean for n, (_, mean) in crowd.items()}, most_objects)
    if reason:
        reasons["decay"] = reason
    return VIPOSegResult(
        parts=parts,
        subsets=subsets,
        groups=means,
        overall=overall,
        decay=decay,
        reasons=reasons,
        crowd=crowd,
        per_class={
            category: row
            for category in sorted({one.category for one in objects})
            if (row := _means(one for one in objects if one.category == category))[0]
        },
        per_video={name: _video_row(video) for name, video in videos.items()},
        per_object={name: dict(video.objects) for name, video in videos.items()},
    )


def crowd_decay(
    mean_iou: Mapping[int, float], most_objects: int = 60
) -> tuple[float | None, str | None]:
    """Fit IoU(n) = exp(-lambda n / 100) by least squares on the logarithm, every n alike.

    Args:
        mean_iou: {number of objects n >= 1: mean IoU in 0..1}.
        most_objects: n from here on are left out.

    Returns:
        lambda and None, or None and the reason why it is undefined.
    """
    used = {n: iou for n, iou in sorted(mean_iou.items()) if n < most_objects}
    if not used:
        return None, f"no frame has between 1 and {most_objects - 1} objects to score"
    hopeless = [str(n) for n, iou in used.items() if iou <= 0]
    if hopeless:
        return None, (
            f"the mean IoU of frames with {', '.join(hopeless)} objects is 0, so the decay is "
            "infinite"
        )
    above = sum(n / 100 * -math.log(iou) for n, iou in used.items())
    return above / sum((n / 100) ** 2 for n in used), None


def _means(objects: Iterable[ObjectSums]) -> tuple[int, float | None, float | None]:
    """Object-frames, mean mask IoU, mean boundary IoU; None where there is no object-frame."""
    frames, mask, boundary = 0, 0.0, 0.0
    for one in objects:
        frames, mask, boundary = frames + one.frames, mask + one.mask, boundary + one.boundary
    return (frames, mask / frames, boundary / frames) if frames else (0, None, None)


def _crowd_means(videos: Iterable[VideoSums]) -> dict[int, tuple[int, float]]:
    totals: dict[int, tuple[int, float]] = {}
    for video in videos:
        for n, (frames, total) in video.crowd.items():
            before = totals.get(n, (0, 0.0))
            totals[n] = before[0] + frames, before[1] + total
    return {n: (frames, total / frames) for n, (frames, total) in sorted(totals.items())}


def _video_row(video: VideoSums) -> dict[str, float | int | None]:
    frames, mask, boundary = _means(video.objects.values())
    return {
        "num_frames": video.num_frames,
        "num_objects": len(video.objects),
        "object_frames": frames,
        "miou": mask,
        "biou": boundary,
    }
