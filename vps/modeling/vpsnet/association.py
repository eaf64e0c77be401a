"""Association: detections of a frame meet the tracks of the frames before.

Source: VPSNet's four-term score, facts in MaskTrack R-CNN, section 3.3. For detection i and track j
(j = 0: a new thing)

    log softmax_j(match)(i, j) + a log s_i + b IoU(box_i, box_j) + c [class_i = class_j]

with IoU 0 and class term 1 for j = 0. All state of a video is in ``VideoState``; nothing is in the
model.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torchvision.ops import box_iou

from vps.modeling.vpsnet.track_head import match_logits


@dataclass(frozen=True)
class AssociationRules:
    """The coefficients a, b, c above, and what else ``MODEL.VPSNET.TRACK_HEAD`` sets.

    ``mask_iou`` is the weight of VPSNet++'s cue and 0 in VPSNet; ``next_best`` is explained at
    ``assign_tracks``; ``max_tracks`` bounds the memory.
    """

    score: float = 1.0
    iou: float = 2.0
    category: float = 10.0
    mask_iou: float = 0.0
    next_best: bool = False
    max_tracks: int = 1000


@dataclass
class Detections:
    """The detections of one frame that ask for a track.

    Attributes:
        embeddings: (n, D) of the track head.
        boxes: (n, 4); any unit, the same in all frames.
        categories: int64 (n,).
        scores: (n,) in 0..1.
        masks: bool (n, h, w) on a coarse grid, or None where the mask cue is off.
    """

    embeddings: Tensor
    boxes: Tensor
    categories: Tensor
    scores: Tensor
    masks: Tensor | None = None

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass
class VideoState:
    """What VPSNet knows of a video: its tracks, each by its latest detection.

    Attributes:
        tracks: the latest detection of each remembered track, or None before the first one.
        track_ids: 0, 1, ... for each row of ``tracks``; never given twice.
        next_id: the id of the next new track.
        last_seen: frame number of each row.
        frame: number of frames so far.
    """

    tracks: Detections | None = None
    track_ids: list[int] = field(default_factory=list)
    last_seen: list[int] = field(default_factory=list)
    next_id: int = 0
    frame: int = 0


def association_scores(
    detections: Detections, tracks: Detections, rules: AssociationRules
) -> Tensor:
    """The score above for n detections and M tracks: (n, 1 + M), column 0 = new."""
    matching = match_logits(detections.embeddings, tracks.embeddings).log_softmax(dim=1)
    overlap = _behind_new(box_iou(detections.boxes, tracks.boxes), new=0.0)
    same = detections.categories[:, None] == tracks.categories[None]
    same = _behind_new(same.to(matching.dtype), new=1.0)
    confidence = detections.scores.clamp(min=1e-6).log()[:, None]
    scores = matching + rules.score * confidence + rules.iou * overlap + rules.category * same
    if rules.mask_iou and detections.masks is not None and tracks.masks is not None:
        cue = _behind_new(mask_iou(detections.masks, tracks.masks), new=0.0)
        scores = scores + rules.mask_iou * cue
    return scores


def assign_tracks(scores: Tensor, *, next_best: bool = False) -> list[int]:
    """Row of the track for each detection, -1 for a new one.

    Each detection takes its best column. Where several want the same track the highest score wins.
    The others become new tracks, as in VPSNet (MaskTrack R-CNN would drop them); with
    ``next_best`` they take the best column that is still free.

    Args:
        scores: (n, 1 + M), column 0 = new.
    """
    if next_best:
        return _assign_next_best(scores)
    best_scores, best = scores.max(dim=1)
    columns = best.tolist()
    chosen = [-1] * len(scores)
    taken: set[int] = set()
    for detection in torch.argsort(best_scores, descending=True, stable=True).tolist():
        track = columns[detection] - 1
        if track >= 0 and track not in taken:
            taken.add(track)
            chosen[detection] = track
    return chosen


def _assign_next_best(scores: Tensor) -> list[int]:
    columns = scores.shape[1]
    chosen: dict[int, int] = {}
    taken: set[int] = set()
    order = torch.argsort(scores.flatten(), descending=True, stable=True)
    for detection, column in (divmod(place, columns) for place in order.tolist()):
        if detection not in chosen and column not in taken:
            chosen[detection] = column - 1
            if column > 0:  # any number of things may be new
                taken.add(column)
    return [chosen[detection] for detection in range(len(scores))]


def update_tracks(
    state: VideoState,
    detections: Detections,
    rules: AssociationRules,
) -> tuple[list[int], list[int]]:
    """Match the detections of the next frame to the tracks and remember them.

    A track keeps the category of its first detection, so that no id ever changes its class.

    Returns:
        The track id and the category of each detection.
    """
    if state.tracks is None or len(state.tracks) == 0:
        rows = [-1] * len(detections)
        state.tracks = _select(detections, [])
    else:
        scores = association_scores(detections, state.tracks, rules)
        rows = assign_tracks(scores, next_best=rules.next_best)

    matched = [(row, i) for i, row in enumerate(rows) if row >= 0]
    new = [i for i, row in enumerate(rows) if row < 0]
    categories = detections.categories.clone()
    for row, i in matched:
        categories[i] = state.tracks.categories[row]
        state.last_seen[row] = state.frame
    known = Detections(detections.embeddings, detections.boxes, categories, detections.scores)
    known.masks = detections.masks
    _overwrite(state.tracks, [row for row, _ in matched], known, [i for _, i in matched])
    state.tracks = _concatenate(state.tracks, _select(known, new))
    ids = [state.track_ids[row] if row >= 0 else -1 for row in rows]
    for i in new:
        ids[i] = state.next_id
        state.track_ids.append(state.next_id)
        state.last_seen.append(state.frame)
        state.next_id += 1
    _forget(state, rules.max_tracks)
    state.frame += 1
    return ids, categories.tolist()


def mask_iou(masks: Tensor, others: Tensor) -> Tensor:
    """IoU (n, M) of bool masks (n, h, w) and (M, h, w); 0 where both are empty."""
    a, b = masks.flatten(1).float(), others.flatten(1).float()
    with torch.autocast(masks.device.type, enabled=False):  # half counts to 2048, bfloat16 to 256
        intersection = a @ b.T
    union = a.sum(dim=1)[:, None] + b.sum(dim=1)[None] - intersection
    return intersection / union.clamp(min=1)


def _behind_new(columns: Tensor, *, new: float) -> Tensor:
    return torch.cat([columns.new_full((len(columns), 1), new), columns], dim=1)


_FIELDS = ("embeddings", "boxes", "categories", "scores", "masks")


def _select(detections: Detections, rows: list[int]) -> Detections:
    values = {name: getattr(detections, name) for name in _FIELDS}
    return Detections(**{k: v if v is None else v[rows].clone() for k, v in values.items()})


def _overwrite(tracks: Detections, rows: list[int], source: Detections, picked: list[int]) -> None:
    for name in _FIELDS:
        target = getattr(tracks, name)
        if target is not None and rows:
            target[rows] = getattr(source, name)[picked]


def _concatenate(first: Detections, second: Detections) -> Detections:
    pairs = {name: (getattr(first, name), getattr(second, name)) for name in _FIELDS}
    return Detections(
        **{k: None if a is None else torch.cat([a, b]) for k, (a, b) in pairs.items()}
    )


def _forget(state: VideoState, max_tracks: int) -> None:
    """Drop the tracks that were not seen for longest, so that a long video needs no more memory."""
    surplus = len(state.track_ids) - max_tracks
    if surplus <= 0:
        return
    by_age = sorted(range(len(state.track_ids)), key=lambda row: state.last_seen[row])
    keep = sorted(by_age[surplus:])
    state.tracks = _select(state.tracks, keep)
    state.track_ids = [state.track_ids[row] for row in keep]
    state.last_seen = [state.last_seen[row] for row in keep]
