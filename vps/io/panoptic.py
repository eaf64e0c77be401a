"""Labels on disk: a PNG of segment ids beside a table of segments.

The table (``segments_info``) stands in a JSON file and reaches us in a VideoRecord. The ids of a
panoptic PNG and of its table must be the same, those of an index PNG must be among the table's, and
the readers say so when they are not: a wrong score is worse than an error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vps.io.atomic import atomic_write
from vps.io.images import colour_words, open_image
from vps.io.index_png import VOID_LABEL
from vps.io.png_file import read_png_file
from vps.io.png_ids import read_plain_ids
from vps.io.png_runs import RGB, decode_runs
from vps.structures import (
    MAX_ID,
    InputError,
    LabelCoding,
    LabelRuns,
    PanopticFrame,
    Segment,
    VideoRecord,
    ids_to_rgb,
)


def read_panoptic_png(path: str | os.PathLike) -> np.ndarray:
    """Read an RGB panoptic PNG as segment ids int32 [H, W] (0 = void).

    Raises:
        InputError: missing, corrupt, or not an RGB picture; names the file.
    """
    runs = _find_runs(path)
    if runs is not None:
        return runs.to_map()
    return (_decode(path) & MAX_ID).view(np.int32)


def read_panoptic_runs(path: str | os.PathLike) -> LabelRuns:
    """Read an RGB panoptic PNG as runs of equal segment ids, which is all that counting needs.

    Raises:
        InputError: as ``read_panoptic_png``.
    """
    runs = _find_runs(path)
    return LabelRuns.from_words(_decode(path)) if runs is None else runs


def read_label_map(
    path: str | os.PathLike, coding: LabelCoding = "rgb", *, trusted: bool = False
) -> np.ndarray:
    """Read a label PNG of any coding of a VideoRecord as segment ids int32 [H, W] (0 = void or
    background).

    Args:
        trusted: leave it at the checksums of the file, where that is faster: what a broken program
            wrote may pass (``vps.io.png_ids``). For training, not for scores.

    Raises:
        InputError: missing, corrupt, or a picture of another coding; names the file.
    """
    if coding == "rgb":
        ids = read_plain_ids(path) if trusted else None
        return read_panoptic_png(path) if ids is None else ids
    return _ID_OF_LABEL[coding][read_png_file(path).decode_labels()]


def _ids_of_labels() -> dict[LabelCoding, np.ndarray]:
    """The segment id int32 [256] of every value of a one-channel PNG, for each coding of such."""
    index = np.arange(256, dtype=np.int32)
    index[VOID_LABEL] = 0
    return {"index": index, "binary": (np.arange(256) > 0).astype(np.int32)}


_ID_OF_LABEL = _ids_of_labels()


def _find_runs(path: str | os.PathLike) -> LabelRuns | None:
    """The runs without decoding the pixels; None where that cannot be done."""
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    return decode_runs(data, (RGB,))


def _decode(path: str | os.PathLike) -> np.ndarray:
    """The colours of a panoptic PNG as ``colour_words``."""
    image = open_image(path)
    if image.mode != "RGB":
        raise InputError(
            f"expected an RGB panoptic PNG (id = R + 256 G + 65536 B), got mode {image.mode} in "
            f"{path}; was the data set prepared with datasets/prepare_*.py?"
        )
    return colour_words(image)


def write_panoptic_png(path: str | os.PathLike, ids: np.ndarray) -> None:
    """Write segment ids, integers [H, W] in 0..2^24-1, as an RGB panoptic PNG, atomically."""
    image = Image.fromarray(ids_to_rgb(ids))
    with atomic_write(path) as file:
        image.save(file, format="PNG", compress_level=1)


def read_ground_truth(record: VideoRecord, index: int, *, trusted: bool = False) -> PanopticFrame:
    """Read the ground truth of frame ``index`` of a video, whatever its ``label_coding`` is.

    Args:
        trusted: as for ``read_label_map``.

    Raises:
        InputError: the frame is unlabelled, the PNG is unreadable or of another size than the
            video, or its ids and ``segments_infos`` disagree; names the file and the ids.
    """
    path, infos = record["pan_seg_file_names"][index], record["segments_infos"][index]
    if path is None or infos is None:
        raise InputError(
            f"frame {record['image_ids'][index]} of video {record['video_id']} has no ground truth"
        )
    coding = record.get("label_coding", "rgb")
    ids = read_label_map(path, coding, trusted=trusted)
    expected = (record["height"], record["width"])
    if ids.shape != expected:
        kind = "a panoptic PNG" if coding == "rgb" else "a mask"
        raise InputError(
            f"expected {kind} of {expected[0]}x{expected[1]} (height x width, as video "
            f"{record['video_id']} says), got {ids.shape[0]}x{ids.shape[1]} in {path}"
        )
    if coding == "rgb":
        segments = read_segments(infos, path)
        check_ids(ids, segments, path)
    else:
        painted = set(np.flatnonzero(np.bincount(ids.ravel(), minlength=1)).tolist()) - {0}
        segments = read_segments([info for info in infos if info["id"] in painted], path)
        if unknown := sorted(painted - segments.keys()):
            if not record.get("unlisted_is_background", False):
                raise InputError(
                    f"objects {_some(unknown)} are painted in {path}, but video "
                    f"{record['video_id']} lists no such objects"
                )
            ids[np.isin(ids, unknown)] = 0
    return PanopticFrame(record["image_ids"][index], ids, segments)


def read_segments(infos: list[dict[str, Any]], path: str) -> dict[int, Segment]:
    """Turn the ``segments_infos`` entry that belongs to the PNG ``path`` into {id: Segment}."""
    segments: dict[int, Segment] = {}
    for info in infos:
        segment_id = int(info["id"])
        if segment_id <= 0 or segment_id in segments:
            problem = "0 or less, which is void" if segment_id <= 0 else "listed twice"
            raise InputError(f"segment id {segment_id} in segments_info of {path} is {problem}")
        segments[segment_id] = Segment(
            category=info["category_id"],
            isthing=bool(info["isthing"]),
            score=float(info.get("score", 1.0)),
            iscrowd=bool(info.get("iscrowd", False)),
            area=info.get("area"),
        )
    return segments


def check_ids(ids: np.ndarray, segments: dict[int, Segment], path: str) -> None:
    """Raise InputError unless the non-zero ids of int32 [H, W] are exactly those of
    ``segments``.
    """
    painted = set(np.unique(LabelRuns.from_map(ids).ids).tolist()) - {0}
    if unlisted := sorted(painted - segments.keys()):
        raise InputError(
            f"segment ids {_some(unlisted)} are painted in {path} but missing from its "
            "segments_info"
        )
    if unpainted := sorted(segments.keys() - painted):
        raise InputError(
            f"segment ids {_some(unpainted)} stand in segments_info of {path} but no pixel has them"
        )


def _some(ids: list[int], most: int = 5) -> str:
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(map(str, ids[:most])) + more
