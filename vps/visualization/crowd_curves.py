"""Curves over the number of objects in a video: how well heads still follow, and what it costs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from vps.io.atomic import atomic_write

Curve = Mapping[str, float]  # bin of numbers of objects, such as "6-10": value


def plot_crowd_curves(
    panels: Mapping[str, Mapping[str, Curve]], bins: Sequence[str], picture: str | os.PathLike
) -> None:
    """Draw curves over bins of numbers of objects, as a PNG.

    Args:
        panels: {title: {name: curve}}, side by side.
        bins: all bins in order; those that no curve has are left out.
        picture: the PNG to write.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "drawing curves needs matplotlib, which is not installed: pip install matplotlib"
        ) from error
    used = [b for b in bins if any(b in c for curves in panels.values() for c in curves.values())]
    figure = Figure(figsize=(5.2 * len(panels), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, curves) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items()
    ):
        for name, curve in curves.items():
            places = [place for place, b in enumerate(used) if b in curve]
            axes.plot(places, [curve[used[place]] for place in places], marker="o", label=name)
        axes.set_xticks(range(len(used)), used)
        axes.set_title(title)
        axes.set_xlabel("objects in the video so far")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        if curves:
            axes.legend(fontsize=7)
    with atomic_write(picture) as file:
        figure.savefig(file, format="png", dpi=110)
