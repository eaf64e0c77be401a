"""Training curves from the ``metrics.json`` of a training run: one JSON object per line."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vps.io.atomic import atomic_write
from vps.structures import InputError

# Written by every run, and of no interest as a curve.
_CLOCKS = ("iteration", "time", "data_time", "eta_seconds", "rank_data_time", "eval_time")
_MEMORY = ("max_mem", "max_mem_mb")

Curve = tuple[np.ndarray, np.ndarray]  # iterations, values


def plot_curves(metrics_file: str | os.PathLike, picture: str | os.PathLike) -> None:
    """Draw losses, learning rate and scores over the iterations, as a PNG.

    Args:
        metrics_file: JSON lines with ``iteration`` and numbers. ``*loss*`` are losses, ``lr`` the
            learning rate, and the rest scores, without those of single classes (``VPQ-car``).
        picture: the PNG to write.

    Raises:
        InputError: the file is missing, empty or no JSON lines.
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "drawing curves needs matplotlib, which is not installed: pip install matplotlib"
        ) from error
    curves = read_curves(metrics_file)
    panels = [(title, group) for title, group in _group(curves).items() if group]
    if not panels:
        raise InputError(f"expected losses or scores in {metrics_file}, got neither")
    # Not pyplot: it keeps global state and would choose a window system.
    figure = Figure(figsize=(5.2 * len(panels), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, group) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
        _draw_panel(axes, title, group, log=title == "loss")
    with atomic_write(picture) as file:
        figure.savefig(file, format="png", dpi=110)


def read_curves(metrics_file: str | os.PathLike) -> dict[str, Curve]:
    """Read {name: (iterations int64 [n], values float64 [n])} from JSON lines.

    A last line that is cut off is left out: a run may have been killed while writing it. Where a
    resumed run repeats an iteration, the later value counts.

    Raises:
        InputError: the file is missing, holds no numbers, or a line in its midst is no JSON.
    """
    path = Path(metrics_file)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    points: dict[str, dict[int, float]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            iteration = int(row["iteration"])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break
            raise InputError(
                f"expected a JSON object with 'iteration' in line {number} of {path}, got "
                f"{line[:60]!r}"
            ) from error
        for name, value in row.items():
            if name in _CLOCKS or name in _MEMORY or not isinstance(value, (int, float)):
                continue
            if math.isfinite(value):
                points.setdefault(name, {})[iteration] = float(value)
    if not points:
        raise InputError(f"expected numbers over iterations in {path}, got none")
    curves = {}
    for name, values in points.items():
        iterations = sorted(values)
        curves[name] = (
            np.array(iterations, dtype=np.int64),
            np.array([values[i] for i in iterations], dtype=np.float64),
        )
    return curves


def smooth(values: Sequence[float] | np.ndarray, share: float = 0.03) -> np.ndarray:
    """Running mean over ``share`` of the curve, narrower at both ends, so that they stay."""
    values = np.asarray(values, dtype=np.float64)
    reach = int(len(values) * share / 2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    half = np.minimum(reach, np.minimum(places, len(values) - 1 - places))
    return (sums[places + half + 1] - sums[places - half]) / (2 * half + 1)


def _group(curves: dict[str, Curve]) -> dict[str, dict[str, Curve]]:
    """Curves by panel: losses, learning rate, scores in per cent and scores in 0..1."""
    groups: dict[str, dict[str, Curve]] = {}
    for title in ("loss", "learning rate", "scores", "scores, 0 to 1"):
        groups[title] = {}
    for name, curve in curves.items():
        metric = name.split("/")[-1]
        if "loss" in name:
            groups["loss"][name] = curve
        elif metric == "lr":
            groups["learning rate"][name] = curve
        elif "-" not in metric:
            small = curve[1].min() >= 0 and curve[1].max() <= 1
            groups["scores, 0 to 1" if small else "scores"][metric] = curve
    return groups


def _draw_panel(axes, title: str, group: dict[str, Curve], *, log: bool) -> None:
    # The sum first, so that it has the first colour and lies on top in the legend.
    for name in sorted(group, key=lambda name: (name != "total_loss", name)):
        iterations, values = group[name]
        width = 2.2 if name == "total_loss" else 1.3
        (line,) = axes.plot(
            iterations,
            smooth(values),
            linewidth=width,
            marker="o" if len(values) < 30 else None,
            markersize=3,
            label=name,
        )
        if len(values) >= 30:
            axes.plot(iterations, values, linewidth=0.5, alpha=0.25, color=line.get_color())
    if log and all((values > 0).all() for _, values in group.values()):
        axes.set_yscale("log")
    axes.set_title(title)
    axes.set_xlabel("iteration")
    axes.grid(alpha=0.25, which="both")
    if len(group) <= 16:
        axes.legend(fontsize=7)
