"""Checking the tables of a video: ids, categories, the order of frames. No file is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from vps.data.check.plan import FramePlan, VideoPlan
from vps.data.check.problems import Problem
from vps.structures import MAX_ID


def check_tables(plan: VideoPlan) -> Iterator[Problem]:
    """Problems of the tables of a video."""
    yield from _check_order(plan)
    yield from _check_sizes(plan)
    category_of: dict[int, int] = {}
    for frame in plan.frames:
        yield from _check_frame(plan, frame)
        for segment in frame.segments or ():
            first = category_of.setdefault(segment.id, segment.category_id)
            if first != segment.category_id and segment.id > 0:
                category_of[segment.id] = segment.category_id  # each change is told once
                yield Problem(
                    "category-changes",
                    plan.index,
                    f"expected category {_name(plan, first)} for segment {segment.id} in all of "
                    f"video {plan.video_id}, got {_name(plan, segment.category_id)} from frame "
                    f"{frame.frame_id} on",
                    plan.video_id,
                    frame.frame_id,
                )


def _check_frame(plan: VideoPlan, frame: FramePlan) -> Iterator[Problem]:
    where = f"frame {frame.frame_id} of video {plan.video_id}"
    segments = frame.segments or ()

    def problem(kind: str, message: str) -> Problem:
        return Problem(kind, plan.index, message, plan.video_id, frame.frame_id)

    for segment_id, times in Counter(segment.id for segment in segments).items():
        if times > 1:
            yield problem(
                "segment-twice", f"expected segment {segment_id} once in {where}, got it {times}x"
            )
        if not 0 < segment_id <= MAX_ID:
            yield problem(
                "segment-void", f"expected segment ids in 1..{MAX_ID} in {where}, got {segment_id}"
            )
    stuff: Counter[int] = Counter()
    for segment in segments:
        category = plan.categories.get(segment.category_id)
        if category is None:
            yield problem(
                "category-unknown",
                f"expected one of the {len(plan.categories)} registered categories for segment "
                f"{segment.id} in {where}, got category_id {segment.category_id}",
            )
        elif not category.isthing:
            stuff[segment.category_id] += 1
    for category_id, parts in stuff.items():
        if parts > 1:
            yield problem(
                "stuff-in-parts",
                f"expected one segment of {_name(plan, category_id)} in {where}, got {parts}",
            )


def _check_order(plan: VideoPlan) -> Iterator[Problem]:
    names = [frame.frame_id for frame in plan.frames]
    for before, name in pairwise(names):
        if len(name) == len(before) and name < before:  # "9" before "10" is right as well
            yield Problem(
                "frame-order",
                plan.index,
                f"expected the frames of video {plan.video_id} in the order of time, got {name} "
                f"after {before}",
                plan.video_id,
                name,
            )
            return


def _check_sizes(plan: VideoPlan) -> Iterator[Problem]:
    sizes = Counter(frame.size for frame in plan.frames if frame.size is not None)
    if len(sizes) > 1:
        found = ", ".join(f"{height}x{width}" for height, width in sizes)
        yield Problem(
            "size-changes",
            plan.index,
            f"expected one size (height x width) for all frames of video {plan.video_id}, got "
            f"{found}",
            plan.video_id,
        )


def _name(plan: VideoPlan, category_id: int) -> str:
    category = plan.categories.get(category_id)
    return f"{category_id} ({category.name})" if category else f"{category_id}"
