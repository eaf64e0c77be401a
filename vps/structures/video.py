"""VideoRecord: one video of a registered data set, as a plain dict of paths and tables, never of
pixels.
"""

from __future__ import annotations

from typing import Any, TypedDict


class VideoRecord(TypedDict):
    """One video. All lists have one entry per frame, in the order of time.

    ``labelled[t]`` says whether frame t carries ground truth; where it does not,
    ``pan_seg_file_names[t]`` and ``segments_infos[t]`` are None. A segment of ``segments_infos[t]``
    is a dict with ``id`` (int > 0, the same through the video), ``category_id`` (contiguous),
    ``isthing`` and ``iscrowd`` (bool) and, where the annotation file states it, ``area`` (pixels).
    """

    video_id: str
    height: int
    width: int
    length: int
    file_names: list[str]
    image_ids: list[str]
    labelled: list[bool]
    pan_seg_file_names: list[str | None]
    segments_infos: list[list[dict[str, Any]] | None]
