"""Data sets that share videos: a model trained on one must not be judged by the other unawares.

VIPOSeg divides the videos of VIPSeg's train and val anew, so a model that was trained on VIPSeg has
seen videos of VIPOSeg's validation, and the other way round. What a registered data set is,
whatever its name, stands in the metadata as ``source_split``, such as "vipseg_train"; a data set
without one is known by its own name.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from vps.d2.data import DatasetCatalog, MetadataCatalog
from vps.structures import VideoRecord

logger = logging.getLogger(__name__)


class Overlap(NamedTuple):
    """Two kinds of splits (patterns of ``source_split``) that share videos, and why."""

    one: str
    other: str
    reason: str


_DIVIDED = "VIPOSeg divides the videos of VIPSeg's train and val anew"
_HALVES = "davis2016_vps has frames of every sequence of DAVIS 2016 in train and in val"

OVERLAPS = (
    Overlap(
        "vipseg_train",
        "viposeg_val",
        f"{_DIVIDED}; all 23 videos of its unseen class 'other machine' are of VIPSeg's train, and "
        "so may others of its valid be",
    ),
    Overlap("vipseg_train", "viposeg_train", _DIVIDED),
    Overlap("vipseg_val", "viposeg_*", _DIVIDED),
    Overlap("vip*seg_*", "vosw_val", "the videos of VOSW are from VIPSeg"),
    Overlap(
        "davis2016_train", "davis2017_train", "DAVIS 2017 has the sequences of 2016 in its train"
    ),
    Overlap("davis2016_val", "davis2017_val", "DAVIS 2017 has the sequences of 2016 in its val"),
    Overlap("davis2016_vps_*", "davis201[67]_train", _HALVES),
    Overlap("davis2016_vps_*", "davis201[67]_val", _HALVES),
    Overlap(
        "ytvos2018_train",
        "ytvos2019_train",
        "the editions of YouTube-VOS share their training videos",
    ),
    Overlap(
        "ytvos2018_val", "ytvos2019_val", "the editions of YouTube-VOS share most valid videos"
    ),
    Overlap(
        "cityscapes_fine_*_val",
        "cityscapes_vps_*",
        "the videos of Cityscapes-VPS, those of its train too, are around the pictures of "
        "Cityscapes' val",
    ),
)


def warn_of_leakage(
    trained_on: Sequence[str],
    scored_on: str | Sequence[str],
    *,
    shared: Sequence[str] | None = None,
) -> str | None:
    """Warn, in the log, of scores that tell less than they seem to.

    Args:
        trained_on: names of the data sets that the model was trained on, as DATASETS.TRAIN.
        scored_on: names of the data sets that it is scored on.
        shared: the ids of the videos in common (``shared_videos``), where both sides are loaded.
            An empty list means that there is nothing to warn of.

    Returns:
        The warning, a sentence for each pair of data sets that overlap; None if there is none.
    """
    names = [scored_on] if isinstance(scored_on, str) else scored_on
    sentences = [
        f"{scored} shares videos with {trained}, on which the model was trained: {reason}."
        for scored in names
        for trained in trained_on
        if (reason := overlap_of(trained, scored))
    ]
    if not sentences or (shared is not None and not shared):
        return None
    if shared:
        few = ", ".join(shared[:3]) + (", ..." if len(shared) > 3 else "")
        sentences.append(f"Videos in common: {len(shared)} ({few}).")
    warning = " ".join([*sentences, "Scores of these videos are no measure of new ones."])
    logger.warning("%s", warning)
    return warning


def overlap_of(trained: str, scored: str) -> str | None:
    """Why two registered data sets share videos; None if they are not known to."""
    one, other = source_split(trained), source_split(scored)
    if one == other:
        return "they are the same data"
    for overlap in OVERLAPS:
        for first, second in ((one, other), (other, one)):
            if fnmatchcase(first, overlap.one) and fnmatchcase(second, overlap.other):
                return overlap.reason
    return None


def source_split(name: str) -> str:
    """Which split of which published data set a registered one is; its own name if of none."""
    # Asking the catalog for metadata of an unknown name would make an entry of that name.
    metadata = MetadataCatalog.get(name) if name in DatasetCatalog else None
    return name if metadata is None else metadata.get("source_split") or name


def shared_videos(trained: Iterable[VideoRecord], scored: Iterable[VideoRecord]) -> list[str]:
    """The ids of the scored videos that are among the trained ones, in order.

    Only for data sets that name videos alike, such as VIPSeg and VIPOSeg.
    """
    known = {record["video_id"] for record in trained}
    return [record["video_id"] for record in scored if record["video_id"] in known]
