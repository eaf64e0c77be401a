"""The score table as text, in percent: one row per window and group, on request one per class."""

from __future__ import annotations

from vps.metrics.stq import STQResult
from vps.metrics.vpq import VPQResult


def format_table(
    vpq: VPQResult, stq: STQResult | None = None, *, per_class: bool = False, digits: int = 3
) -> str:
    """Lay out VPQ, and STQ where given, as a text table.

    All values are percent; "-" stands for an undefined value, whose reason follows below the table.
    The row of VPQ's mean carries its set of windows, without which it cannot be compared.
    """
    parts = [_layout(["", "group", "PQ", "SQ", "RQ", "classes"], _vpq_rows(vpq, digits))]
    notes = [f"{vpq.name} of {group}: undefined, {why}" for group, why in vpq.reasons.items()]
    if stq is not None:
        values = (stq.total.stq, stq.total.aq, stq.total.sq, stq.semantic.miou)
        row = [_percent(value, digits) for value in values]
        head = ["STQ", "AQ", "SQ", "mIoU", "thing tubes"]
        parts.append(_layout(head, [[*row, str(stq.total.num_tubes)]]))
        if stq.total.reason:
            notes.append(f"STQ: undefined, {stq.total.reason}")
    if per_class:
        parts.append(_layout(*_class_rows(vpq, digits)))
    if notes:
        parts.append("\n".join(notes))
    return "\n\n".join(parts)


def _vpq_rows(vpq: VPQResult, digits: int) -> list[list[str]]:
    rows = []
    for window, scores in vpq.per_window.items():
        for group, means in scores.groups.items():
            label = f"window {window}" if group == "All" else ""
            values = [_percent(value, digits) for value in (means.pq, means.sq, means.rq)]
            rows.append([label, group, *values, str(means.n)])
    for group in ("all", "things", "stuff"):
        label = vpq.name if group == "all" else ""
        mean = _percent(getattr(vpq, group), digits)
        rows.append([label, group.capitalize(), mean, "", "", ""])
    return rows


def _class_rows(vpq: VPQResult, digits: int) -> tuple[list[str], list[list[str]]]:
    """A row per class; the counts are those of the first window."""
    windows = list(vpq.per_window)
    first = vpq.per_window[windows[0]]
    counts = (f"{name}{windows[0]}" for name in ("TP", "FP", "FN"))
    head = ["class", "kind", vpq.name, *(f"PQ{window}" for window in windows), *counts]
    rows = []
    sums = (first.counts.tp, first.counts.fp, first.counts.fn)
    for category, mean in vpq.per_class.items():
        values = [
            float(scores.counts.pq[category]) if scores.counts.scored[category] else None
            for scores in vpq.per_window.values()
        ]
        rows.append(
            [
                first.categories[category].name,
                "thing" if first.categories[category].isthing else "stuff",
                *(_percent(value, digits) for value in (mean, *values)),
                *(str(int(number[category])) for number in sums),
            ]
        )
    return head, rows


def _percent(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f}"


def _layout(head: list[str], rows: list[list[str]]) -> str:
    """Columns of equal width below a head and a rule; columns of words stand to the left."""
    columns = []
    for cells in zip(head, *rows, strict=True):
        width = max(map(len, cells))
        words = any(any(letter.isalpha() for letter in cell) for cell in cells[1:])
        columns.append([cell.ljust(width) if words else cell.rjust(width) for cell in cells])
    lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)
