"""Scores of video object segmentation under the names of the papers, and as text."""

from __future__ import annotations

from collections.abc import Iterator

from tabulate import tabulate

from vps.metrics import DavisResult, VIPOSegResult, YouTubeVOSResult

ObjectResult = VIPOSegResult | DavisResult | YouTubeVOSResult
Row = tuple[str, str, float | None]  # name in the papers, key of the reason, value

DECAY = "lambda"  # of VIPOSeg: a rate, no fraction

# The parts of VIPOSeg: mask or boundary (M, B), thing or stuff (th, sf), seen or unseen (s, u).
_SUBSETS = {
    "th_s": "thing_seen",
    "th_u": "thing_unseen",
    "sf_s": "stuff_seen",
    "sf_u": "stuff_unseen",
}
_GROUPS = {"Gs": "seen", "Gu": "unseen", "Gth": "thing", "Gsf": "stuff"}


def flat_scores(result: ObjectResult) -> tuple[dict[str, float], dict[str, str]]:
    """{name: percent} of what is defined (lambda as it is), and {name: why} of what is not."""
    scores: dict[str, float] = {}
    undefined: dict[str, str] = {}
    for name, key, value in _rows(result):
        if value is None:
            undefined[name] = result.reasons.get(key, "undefined")
        else:
            scores[name] = value if name == DECAY else 100 * value
    return scores, undefined


def _rows(result: ObjectResult) -> Iterator[Row]:
    if isinstance(result, VIPOSegResult):
        yield "G", "overall", result.overall
        for name, group in _GROUPS.items():
            yield name, group, result.groups[group]
        for letter, measure in (("M", "miou"), ("B", "biou")):
            for suffix, subset in _SUBSETS.items():
                yield f"{letter}{suffix}", subset, result.parts[f"{subset}_{measure}"]
        yield DECAY, "decay", result.decay
    elif isinstance(result, DavisResult):
        for key, value in result.total.as_dict().items():
            if key != "num_objects":
                yield key.replace("-Mean", "").replace("-", "_"), key, value
    else:
        yield "overall", "overall", result.overall
        for part, value in result.parts.items():
            yield part[0].upper() + part[1:], part, value
        yield "J", "j", result.j
        yield "F", "f", result.f


def format_scores(title: str, result: ObjectResult) -> str:
    """The scores below each other, and why values are missing."""
    scores, undefined = flat_scores(result)
    rows = [[name, f"{value:.3f}"] for name, value in scores.items()]
    table = tabulate(
        rows, [title, ""], tablefmt="simple", disable_numparse=True, colalign=("left", "right")
    )
    return "\n".join([table, *(f"{name}: undefined, {why}" for name, why in undefined.items())])
