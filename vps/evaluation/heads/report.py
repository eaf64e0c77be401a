"""A comparison of heads as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tabulate import tabulate

from vps.evaluation.heads.comparison import Comparison, HeadReport
from vps.evaluation.heads.cost import bin_names

_PARTS = ("Mth_s", "Mth_u", "Msf_s", "Msf_u", "Bth_s", "Bth_u", "Bsf_s", "Bsf_u")


def format_comparison(comparison: Comparison) -> str:
    """The tables for a terminal; scores in percent, "-" where one is undefined."""
    videos = f"{comparison.num_videos} videos, {comparison.num_frames} frames"
    windows = ",".join(map(str, comparison.windows))
    parts = [
        f"{comparison.dataset}: {videos}; scores in percent, VPQ({windows})",
        _table(*_scores(comparison.heads)),
        _table(*_object_parts(comparison.heads)),
        _table(*_crowd(comparison.heads)),
        _table(*_cost(comparison.heads)),
        "\n".join(_notes(comparison)),
    ]
    return "\n\n".join(part for part in parts if part)


def _scores(heads: Sequence[HeadReport]) -> tuple[list[str], list[list[str]]]:
    head = ["head", "objects by", "VPQ", "STQ", "VPQ*", "STQ*", "G", "lambda", "J&F"]
    head += ["G+ref", "J&F+ref", "G-void", "J&F-void", "MB"]
    rows = []
    for report in heads:
        everything = report.panoptic.get("all frames", {})
        rest = report.panoptic.get("without reference frames", {})
        for number, (answer, by_rule) in enumerate(report.objects.items()):
            official, counted = by_rule["official"], by_rule["reference frames too"]
            void = by_rule.get("void ignored", {})
            panoptic = [everything.get("VPQ"), everything.get("STQ")]
            panoptic += [rest.get("VPQ"), rest.get("STQ")]
            first = number == 0  # what does not depend on the answer is said once
            decay = official.get("lambda")
            rows.append(
                [
                    (report.name + (" (g)" if report.given_classes else "")) if first else "",
                    answer,
                    *(_number(value) if first else "" for value in panoptic),
                    _number(official.get("G")),
                    "-" if decay is None else f"{decay:.2f}",
                    _number(official.get("J&F")),
                    *(_number(by.get(name)) for by in (counted, void) for name in ("G", "J&F")),
                    _megabytes(report.cost.most_memory) if first else "",
                ]
            )
    return head, rows


def _object_parts(heads: Sequence[HeadReport]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [label, *(_number(by_rule["official"].get(part)) for part in _PARTS)]
        for label, by_rule in _answers(heads)
    ]
    return ["VIPOSeg", *_PARTS], rows


def _answers(heads: Sequence[HeadReport]) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    for report in heads:
        for answer, by_rule in report.objects.items():
            yield f"{report.name}, {answer}", by_rule


def _crowd(heads: Sequence[HeadReport]) -> tuple[list[str], list[list[str]]]:
    curves = {
        f"{report.name}, {answer}": bins
        for report in heads
        for answer, bins in report.crowd.items()
    }
    names = [name for name in bin_names() if any(name in bins for bins in curves.values())]
    rows = [
        [label, *(_number(100 * bins[name][1] if name in bins else None) for name in names)]
        for label, bins in curves.items()
    ]
    return ["IoU by number of objects", *names], rows


def _cost(heads: Sequence[HeadReport]) -> tuple[list[str], list[list[str]]]:
    """Milliseconds per frame, and memory by number of objects."""
    names = [name for name in bin_names() if any(name in head.cost.frames for head in heads)]
    rows = []
    for report in heads:
        bins = report.cost.as_dict()
        cells = []
        for name in names:
            one = bins.get(name)
            memory = "" if one is None or one["peak_mb"] is None else f", {one['peak_mb']:.0f} MB"
            cells.append("-" if one is None else f"{one['ms_per_frame']:.0f} ms{memory}")
        rows.append([report.name, *(f"{ms:.0f}" for ms in report.cost.per_frame()), *cells])
    head = ["cost per frame", "ms", "of it backbone", "scoring ms"]
    return [*head, *(f"{name} objects" for name in names)], rows


def _notes(comparison: Comparison) -> Iterator[str]:
    if any(report.given_classes for report in comparison.heads):
        yield (
            "(g): masks and classes were given by the ground truth; VPQ and STQ say how well the "
            "head follows, not how well it recognises"
        )
    yield (
        "VPQ*, STQ*: without the frames that give a mask; +ref: those frames count too; -void: "
        "what is predicted on void is taken away"
    )
    if any("oracle" in report.objects for report in comparison.heads):
        yield (
            "causal: an object is the segment that covers it best (IoU >= 0.5) where its mask is "
            "given; oracle: the best assignment over the whole video, an upper bound"
        )
    shown = (", VPQ", ", STQ", ", G", ", lambda", ", J&F")
    reasons = {
        f"{n}: undefined, {why}"
        for r in comparison.heads
        for n, why in r.undefined.items()
        if n.endswith(shown)
    }
    yield from sorted(reasons)
    for report in comparison.heads:
        if not report.panoptic:
            yield (
                f"{report.name}: no VPQ, no STQ, since its classes are not those of "
                f"{comparison.dataset}, or there is only one"
            )
    yield from (f"WARNING: {warning}" for warning in comparison.warnings)


def _table(head: list[str], rows: list[list[str]]) -> str:
    if len(head) < 2 or not rows:
        return ""
    align = ["left" if name in ("head", "objects by") else "right" for name in head]
    align[0] = "left"
    return tabulate(rows, head, tablefmt="simple", disable_numparse=True, colalign=align)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _megabytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e6:.0f}"
