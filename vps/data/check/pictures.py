"""Opening every picture and label PNG of a video, wholly, and comparing them with the tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ImageOps

from vps.data.check.plan import CheckedCoding, FramePlan, VideoPlan
from vps.data.check.problems import Problem
from vps.data.prepare.sources import read_number_image
from vps.io.images import open_image
from vps.io.index_png import VOID_LABEL
from vps.io.png_file import PngFile, read_png_file
from vps.io.png_runs import GRAY, PALETTE, RGB
from vps.structures import InputError

_MOST_IDS = 5  # that one message names


class Painted(NamedTuple):
    """What a label PNG shows: its (height, width), and {value: pixels} of all its values."""

    size: tuple[int, int]
    pixels: dict[int, int]


def check_picture(
    plan: VideoPlan, frame: FramePlan
) -> tuple[tuple[int, int] | None, list[Problem]]:
    """Decode a picture; its (height, width), None where it cannot be read, and the problems."""
    if frame.picture is None:
        return None, []
    try:
        width, height = ImageOps.exif_transpose(open_image(frame.picture)).size
    except InputError as error:
        return None, [_problem("picture-unreadable", frame.picture, str(error), plan, frame)]
    return (height, width), []


def read_label(
    path: str, plan: VideoPlan, frame: FramePlan
) -> tuple[Painted | None, list[Problem]]:
    """Read a label PNG of the plan's coding and count its values; None where that is impossible."""
    try:
        png = read_png_file(path)
    except InputError as error:
        return None, [_problem("label-unreadable", path, str(error), plan, frame)]
    try:
        ids, counts = _count(png, plan.coding)
    except InputError as error:
        kind = "label-unreadable" if _is_of_coding(png, plan.coding) else "label-format"
        return None, [_problem(kind, path, str(error), plan, frame)]
    return Painted(png.size, dict(zip(ids.tolist(), counts.tolist()))), []


def check_size(
    kind: str, path: str, size: tuple[int, int], expected: tuple[int, int], plan: VideoPlan,
    frame: FramePlan, says: str,
) -> Iterator[Problem]:  # fmt: skip
    """A problem where ``size`` is not what ``says`` (the index, the video) says."""
    if size != expected:
        message = (
            f"expected {expected[0]}x{expected[1]} (height x width, as {says} says), got "
            f"{size[0]}x{size[1]} in {path}"
        )
        yield _problem(kind, path, message, plan, frame)


def compare_with_table(painted: Painted, plan: VideoPlan, frame: FramePlan) -> Iterator[Problem]:
    """The ids and areas of an RGB label against its table, if it has one."""
    if frame.segments is None:
        return
    path, listed = frame.label, {}
    for segment in frame.segments:
        listed.setdefault(segment.id, segment.area)
    ids = painted.pixels.keys() - {0}
    unlisted = sorted(ids - listed.keys())
    if VOID_LABEL in unlisted:
        unlisted.remove(VOID_LABEL)
        message = f"expected listed ids in {path}, got {VOID_LABEL}, which its table does not list"
        yield _problem("stray-255", path, message, plan, frame)
    if unlisted:
        message = f"expected only ids that {plan.index} lists in {path}, got {_some(unlisted)}"
        yield _problem("segment-unlisted", path, message, plan, frame)
    if unpainted := sorted(i for i in listed.keys() - ids if i > 0):
        message = f"expected pixels of every listed id in {path}, got none of {_some(unpainted)}"
        yield _problem("segment-unpainted", path, message, plan, frame)
    for segment_id in sorted(ids & listed.keys()):
        stated, counted = listed[segment_id], painted.pixels[segment_id]
        if stated is not None and stated != counted:
            message = (
                f"expected {stated} pixels of segment {segment_id}, as {plan.index} states, got "
                f"{counted} in {path}"
            )
            yield _problem("area-wrong", path, message, plan, frame)
    if not ids and not listed:
        message = f"expected segments in {path}, which is listed as labelled, got void alone"
        yield _problem("label-empty", path, message, plan, frame)


def _count(png: PngFile, coding: CheckedCoding) -> tuple[np.ndarray, np.ndarray]:
    if coding == "rgb":
        return png.decode_runs().count_ids()
    if coding == "vipseg_raw":
        labels = np.asarray(read_number_image(Path(png.path)))
    else:
        labels = png.decode_labels()
    counts = np.bincount(labels.ravel())
    values = np.flatnonzero(counts)
    return values, counts[values]


def _is_of_coding(png: PngFile, coding: CheckedCoding) -> bool:
    if coding == "rgb":
        return (png.colour, png.depth) == (RGB, 8)
    depths = (8, 16) if coding == "vipseg_raw" else (1, 8)
    return png.colour == PALETTE or (png.colour == GRAY and png.depth in depths)


def _some(ids: list[int]) -> str:
    more = f" and {len(ids) - _MOST_IDS} more" if len(ids) > _MOST_IDS else ""
    return ", ".join(map(str, ids[:_MOST_IDS])) + more


def _problem(kind: str, path: str, message: str, plan: VideoPlan, frame: FramePlan) -> Problem:
    return Problem(kind, path, message, plan.video_id, frame.frame_id)
