"""What a report says of an evaluation, as rows of plain values; fractions are floats.

``summary`` gives the tables of the scores, ``class_rows`` and ``video_rows`` one row per class and
per video. A value that is undefined is None.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from vps.evaluation.official.evaluation import Evaluation
from vps.metrics import MeanIoUResult, PanopticScores, STQResult, VPQResult


class Table(NamedTuple):
    """A head, rows of cells, and sentences that belong below."""

    head: list[str]
    rows: list[list[Any]]
    notes: list[str]


def score_name(evaluation: Evaluation, name: str) -> str:
    """The printed name of a metric; that of VPQ carries its set of windows."""
    result = evaluation.results[name]
    if isinstance(result, VPQResult):
        step = evaluation.settings.get("window_step")
        if step is None:
            return result.name
        return f"VPQ(k={','.join(str(step * (window - 1)) for window in result.per_window)})"
    return {"stq": "STQ", "pq": "PQ", "miou": "mIoU"}.get(name, name)


def summary(evaluation: Evaluation) -> Iterator[Table]:
    """The tables of the scores, one per metric."""
    for name, result in evaluation.results.items():
        if isinstance(result, VPQResult):
            yield _vpq_table(evaluation, result, score_name(evaluation, name))
        elif isinstance(result, PanopticScores):
            rows = [_group_row("PQ", *item) for item in result.groups.items()]
            notes = [
                f"PQ of {group}: undefined, {means.reason}"
                for group, means in result.groups.items()
                if means.reason
            ]
            yield Table(["", "group", "PQ", "SQ", "RQ", "classes"], rows, notes)
        elif isinstance(result, STQResult):
            total = result.total
            notes = [f"STQ: undefined, {total.reason}"] if total.reason else []
            row = [total.stq, total.aq, total.sq, total.num_tubes]
            yield Table(["STQ", "AQ", "SQ", "thing tubes"], [row], notes)
        elif isinstance(result, MeanIoUResult):
            notes = [f"mIoU: undefined, {result.reason}"] if result.reason else []
            row = [result.miou, result.fwiou, result.accuracy]
            yield Table(["mIoU", "fwIoU", "pixel accuracy"], [row], notes)
        else:
            yield _plain_table(result.as_dict())


def _vpq_table(evaluation: Evaluation, vpq: VPQResult, name: str) -> Table:
    step, rows = evaluation.settings.get("window_step"), []
    for window, scores in vpq.per_window.items():
        label = f"window {window}" + ("" if step is None else f" (k={step * (window - 1)})")
        rows += [_group_row(label, *item) for item in scores.groups.items()]
    for group in ("all", "things", "stuff"):
        label = name if group == "all" else ""
        rows.append([label, group.capitalize(), getattr(vpq, group), "", "", ""])
    notes = [f"{name} of {group}: undefined, {why}" for group, why in vpq.reasons.items()]
    return Table(["", "group", "PQ", "SQ", "RQ", "classes"], rows, notes)


def _group_row(label: str, group: str, means: Any) -> list[Any]:
    return [label if group == "All" else "", group, means.pq, means.sq, means.rq, means.n]


def _plain_table(values: dict[str, Any]) -> Table:
    """A metric of another kind: its numbers, one below the other."""
    undefined: dict[str, list[str]] = {}  # the names by their reason
    for name, why in values.get("undefined", {}).items():
        undefined.setdefault(why, []).append(name)
    rows = [
        [name, f"{value:.4f}" if name == "decay" and value is not None else value]
        for name, value in values.items()  # VIPOSeg's decay is a rate, no fraction
        if value is None or isinstance(value, float | int)
    ]
    notes = [f"{', '.join(names)}: undefined, {why}" for why, names in undefined.items()]
    return Table([str(values.get("name", "")), "score"], rows, notes + values.get("remarks", []))


def class_rows(evaluation: Evaluation, *, counts: bool = True) -> list[dict[str, Any]]:
    """One row per class that occurs: VPQ, PQ per window, IoU; with ``counts`` also SQ, RQ, the sum
    of IoU, TP, FP and FN per window.
    """
    panoptic: dict[str, PanopticScores] = {}
    means: dict[str, dict[int, float]] = {}
    for name, result in evaluation.results.items():
        if isinstance(result, VPQResult):
            means[score_name(evaluation, name)] = result.per_class
            panoptic |= {str(window): scores for window, scores in result.per_window.items()}
        elif isinstance(result, PanopticScores):
            panoptic[""] = result
        elif isinstance(result, MeanIoUResult):
            means["IoU"] = result.per_class
    rows = []
    for index, category in enumerate(evaluation.categories or ()):
        values: dict[str, Any] = {name: scores.get(index) for name, scores in means.items()}
        for window, scores in panoptic.items():
            values |= _class_cells(scores, index, window, counts)
        if any(value is not None for value in values.values()):
            kind = "thing" if category.isthing else "stuff"
            head = {"id": category.dataset_id, "class": category.name, "kind": kind}
            rows.append({**head, **values})
    return rows


def _class_cells(
    scores: PanopticScores, index: int, window: str, with_counts: bool
) -> dict[str, Any]:
    of = scores.counts
    scored = bool(of.scored[index])
    cells: dict[str, Any] = {f"PQ{window}": float(of.pq[index]) if scored else None}
    if with_counts:
        cells |= {
            f"SQ{window}": float(of.sq[index]) if scored else None,
            f"RQ{window}": float(of.rq[index]) if scored else None,
            # A sum and no fraction: as text, so that it does not become percent.
            f"sum of IoU{window}": f"{of.iou[index]:.9f}" if scored else None,
        }
        for name, values in (("TP", of.tp), ("FP", of.fp), ("FN", of.fn)):
            cells[f"{name}{window}"] = int(values[index]) if scored else None
    return cells


def video_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """One row per video: its frames and scores."""
    rows = []
    for video_id, frames in evaluation.num_frames.items():
        row: dict[str, Any] = {"video": video_id, "frames": frames}
        for result in evaluation.results.values():
            if isinstance(result, VPQResult):
                row |= {f"VPQ{k}": value for k, value in result.per_video[video_id].items()}
            elif isinstance(result, STQResult):
                scores = result.per_video[video_id]
                row |= {"STQ": scores.stq, "AQ": scores.aq, "SQ": scores.sq}
            elif not isinstance(result, MeanIoUResult | PanopticScores):
                per_video = result.as_dict()["per_video"].get(video_id, {})
                row |= {name: cell for name, cell in per_video.items() if name != "num_frames"}
        rows.append(row)
    return rows if rows and len(rows[0]) > 2 else []
