"""The scores of an evaluation as text, JSON and CSV.

Text and CSV are percent, the JSON holds fractions. A value that is undefined is "-" in the text
(with the reason below the tables), empty in a CSV, and null in the JSON with the reason beside it.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

import vps
from vps.evaluation.official.code_version import code_hash
from vps.evaluation.official.evaluation import Evaluation
from vps.evaluation.official.report_rows import class_rows, score_name, summary, video_rows
from vps.io import atomic_write, write_json

_TEXT_DIGITS, _CSV_DIGITS = 3, 6


def write_report(evaluation: Evaluation, folder: str | os.PathLike) -> list[Path]:
    """Write ``scores.json``, ``scores.txt``, ``per_video.csv`` and ``per_class.csv``.

    Returns:
        the files.
    """
    folder = Path(folder)
    paths = [folder / "scores.json", folder / "scores.txt"]
    write_json(paths[0], as_dict(evaluation), indent=1)
    with atomic_write(paths[1], "w") as file:
        file.write(as_text(evaluation, per_class=True, per_video=True) + "\n")
    for name, rows in (("per_video", video_rows), ("per_class", class_rows)):
        if table := rows(evaluation):
            paths.append(folder / f"{name}.csv")
            _write_csv(paths[-1], table)
    return paths


def as_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Everything, as plain values: fractions, counts, classes, hashes, settings."""
    content: dict[str, Any] = {
        "mode": evaluation.mode,
        "code": {"version": vps.__version__, "sha256": code_hash()},
        "settings": evaluation.settings,
        "inputs": evaluation.inputs,
        "dataset_sha256": evaluation.dataset_hash,
        "predictions_sha256": evaluation.predictions_hash,
        "video_ids": list(evaluation.num_frames),
        "num_videos": len(evaluation.num_frames),
        "num_frames": sum(evaluation.num_frames.values()),
        "skipped": evaluation.skipped,
        "num_remarks": evaluation.num_remarks,
        "remarks": evaluation.remarks,
    }
    if evaluation.categories is not None:
        content["categories"] = [
            {"id": c.dataset_id, "name": c.name, "isthing": c.isthing}
            for c in evaluation.categories
        ]
    content["scores"] = {
        score_name(evaluation, name): result.as_dict()
        for name, result in evaluation.results.items()
    }
    return content


def as_text(evaluation: Evaluation, *, per_class: bool = False, per_video: bool = False) -> str:
    """The tables for a terminal, in percent."""
    videos, frames = len(evaluation.num_frames), sum(evaluation.num_frames.values())
    parts = [f"{evaluation.mode}: {videos} videos, {frames} frames; scores in percent"]
    notes = []
    for head, rows, remarks in summary(evaluation):
        parts.append(_table(head, [[_text(cell, _TEXT_DIGITS, "-") for cell in r] for r in rows]))
        notes += remarks
    if per_class:
        parts.append(_rows_table(class_rows(evaluation, counts=False)))
    if per_video:
        parts.append(_rows_table(video_rows(evaluation)))
    if evaluation.num_remarks:
        more = evaluation.num_remarks - 1
        notes.append(evaluation.remarks[0] + (f" (and {more} such remarks more)" if more else ""))
    if evaluation.skipped:
        notes.append(
            f"NOT A SCORE OF THE WHOLE SET: {len(evaluation.skipped)} of "
            f"{videos + len(evaluation.skipped)} videos could not be scored and are left out:"
        )
        notes += [f"  {video_id}: {why}" for video_id, why in evaluation.skipped.items()]
    return "\n\n".join(part for part in [*parts, "\n".join(notes)] if part)


def _rows_table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    return _table(list(rows[0]), [[_text(c, _TEXT_DIGITS, "-") for c in r.values()] for r in rows])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns of words stand to the left, of numbers to the right."""
    rows = list(rows)
    columns = list(zip(head, *rows)) if rows else [(name,) for name in head]
    align = [
        "left" if any(letter.isalpha() for cell in column[1:] for letter in cell) else "right"
        for column in columns
    ]
    return tabulate(rows, list(head), tablefmt="simple", disable_numparse=True, colalign=align)


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with atomic_write(path, "w") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: _text(cell, _CSV_DIGITS, "") for name, cell in row.items()} for row in rows
        )


def _text(cell: Any, digits: int, undefined: str) -> str:
    """A cell: fractions (the only floats) become percent."""
    if cell is None:
        return undefined
    return f"{100 * cell:.{digits}f}" if isinstance(cell, float) else str(cell)
