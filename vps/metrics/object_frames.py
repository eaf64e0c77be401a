"""What the metrics of video object segmentation share: the frames of a video, one at a time, and
where each object's mask is given.

A frame is (name, ground truth, prediction), both label maps, integers [H, W], 0 = background. Only
one frame is held at a time, so an evaluation of any length runs in bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from vps.metrics.boundary import check_label_maps
from vps.structures import InputError

ObjectFrame = tuple[str, np.ndarray, np.ndarray]
References = Mapping[int, int | Iterable[int]]

Item = TypeVar("Item")


def checked_frames(video_id: str, frames: Iterable[ObjectFrame]) -> Iterator[ObjectFrame]:
    """The frames, each checked to be two label maps of one size.

    Raises:
        InputError: naming the frame and the video.
    """
    for name, gt, pred in frames:
        check_label_maps(gt, pred, f"frame {name} of video {video_id}")
        yield name, gt, pred


def reference_frames(video_id: str, references: References) -> dict[int, list[int]]:
    """{object: the indices of its reference frames, sorted, each once}.

    Raises:
        InputError: an object id below 1 or a negative index.
    """
    found = {}
    for object_id, frames in references.items():
        indices = [frames] if isinstance(frames, int | np.integer) else frames
        found[int(object_id)] = sorted({int(index) for index in indices})
        if object_id < 1 or any(index < 0 for index in found[int(object_id)]):
            raise InputError(
                "expected references {object id >= 1: frame index >= 0}, got "
                f"{{{object_id}: {found[int(object_id)]}}} for video {video_id}"
            )
    return found


def check_references_met(
    video_id: str, references: Mapping[int, Sequence[int]], num_frames: int
) -> None:
    """Raise InputError when a reference lies beyond the last frame that the video had."""
    for object_id, indices in references.items():
        if indices and indices[-1] >= num_frames:
            raise InputError(
                f"the reference of object {object_id} is frame {indices[-1]} (counted from 0), but "
                f"video {video_id} has {num_frames} frames"
            )


def with_last(items: Iterable[Item]) -> Iterator[tuple[Item, bool]]:
    """Each item and whether it is the last one; looks one item ahead."""
    iterator = iter(items)
    try:
        item = next(iterator)
    except StopIteration:
        return
    for following in iterator:
        yield item, False
        item = following
    yield item, True
