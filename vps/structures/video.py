"""VideoRecord: one video of a registered data set, as a plain dict of paths and tables, never of
pixels.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

LabelCoding = Literal["rgb", "index", "binary"]


class _EveryRecord(TypedDict):
    """The keys that every record has. All lists have one entry per frame, in the order of time."""

    video_id: str
    height: int
    width: int
    length: int
    file_names: list[str]
    image_ids: list[str]
    labelled: list[bool]
    pan_seg_file_names: list[str | None]
    segments_infos: list[list[dict[str, Any]] | None]


class VideoRecord(_EveryRecord, total=False):
    """One video. All lists have one entry per frame, in the order of time.

    ``labelled[t]`` says whether frame t carries ground truth; where it does not,
    ``pan_seg_file_names[t]`` is None, and so is ``segments_infos[t]`` unless the frame has a
    reference (below). A segment of ``segments_infos[t]`` is a dict with ``id`` (int > 0, the same
    through the video), ``category_id`` (contiguous), ``isthing`` and ``iscrowd`` (bool) and, where
    the annotation file states it, ``area`` (pixels).

    Keys that a record may have:

    ``label_coding``: how the label PNGs hold segment ids (``vps.io.read_label_map``).
        "rgb" (where the key is absent): id = R + 256 G + 65536 B, and ``segments_infos[t]`` lists
        exactly the ids of frame t.
        "index": one 8-bit channel, gray or palette, value = id; 255 is void and becomes 0.
        "binary": one 8-bit channel, every value above 0 is object 1.
        With the last two ``segments_infos[t]`` lists the ids that may occur in frame t; one list
        may be shared by all frames of a video. Do not change it.
    ``unlisted_is_background``: with these two: an id that is not listed is no error but background,
        as DAVIS 2017 scores objects that the first mask does not have. Absent: False.
    ``reference_file_names``: per frame the PNG (of ``label_coding``) whose non-zero ids are the
        objects *given* at that frame, as the protocols of video object segmentation have it; None
        where nothing is given. Absent: an object is given where it first appears in the labels.
    ``frame_numbers``: the number of each frame in the film, ascending, where the data set left out
        frames in between. Absent: 0, 1, 2, ...
    ``output_frames``: the frames whose prediction the benchmark asks for. Absent: all.
    ``object_names``: {segment id: name of its class}, where the data set names classes of objects
        that are not among its categories (YouTube-VOS).
    """

    label_coding: LabelCoding
    unlisted_is_background: bool
    reference_file_names: list[str | None]
    frame_numbers: list[int]
    output_frames: list[bool]
    object_names: dict[int, str]
