"""Checking one video: its tables, then every file of it, frame by frame.

This is the work of one process; one picture is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

from vps.data.check.objects import ObjectTracker
from vps.data.check.pictures import check_picture, check_size, compare_with_table, read_label
from vps.data.check.plan import FramePlan, VideoPlan
from vps.data.check.problems import Problem
from vps.data.check.tables import check_tables
from vps.data.check.vipseg_raw_values import check_raw_values


def check_video(plan: VideoPlan) -> list[Problem]:
    """All problems of a video."""
    problems = list(check_tables(plan))
    if plan.labelled and all(f.segments is None and f.label is None for f in plan.frames):
        message = f"expected labels of video {plan.video_id} in {plan.index}, got none"
        problems.append(Problem("video-unlabelled", plan.index, message, plan.video_id))
    tracker = ObjectTracker(plan)
    size_of_video: tuple[int, int] | None = None
    for frame in plan.frames:
        size, found = check_picture(plan, frame)
        problems += found
        size_of_video = size_of_video or frame.size or size
        problems += _check_files(plan, frame, size, size_of_video, tracker)
    problems += tracker.finish()
    return problems


def _check_files(
    plan: VideoPlan,
    frame: FramePlan,
    size: tuple[int, int] | None,
    size_of_video: tuple[int, int] | None,
    tracker: ObjectTracker,
) -> Iterator[Problem]:
    expected = frame.size or size_of_video
    says = plan.index if frame.size else f"the first frame of video {plan.video_id}"
    if size is not None:
        yield from check_size("picture-size", frame.picture, size, expected, plan, frame, says)
    if expected is None:
        expected = size
    for path in filter(None, dict.fromkeys((frame.label, frame.reference))):
        painted, found = read_label(path, plan, frame)
        yield from found
        if painted is None:
            continue
        if expected not in (None, painted.size):  # then areas and ids are wrong as well
            yield from check_size("label-size", path, painted.size, expected, plan, frame, says)
            continue
        if plan.coding == "rgb":
            yield from compare_with_table(painted, plan, frame)
        if plan.coding == "vipseg_raw":
            yield from check_raw_values(painted.pixels, path, plan, frame)
            continue
        if path == frame.label:
            yield from tracker.see_label(frame, painted)
        if path == frame.reference:
            yield from tracker.see_reference(frame, painted)
