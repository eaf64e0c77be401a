"""Squares that move over a floor, on disk, and models that follow them in known ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vps.d2.data import MetadataCatalog
from vps.io import read_ground_truth, write_panoptic_png
from vps.structures import Category, PanopticFrame, Segment, VideoRecord

CATEGORIES = [
    Category("floor", False, (90, 90, 90), 3),
    Category("square", True, (200, 0, 0), 8),
    Category("dot", True, (0, 200, 0), 9),
]
SHAPE = (40, 64)
FLOOR, RED, GREEN, LATE = 1, 300, 70_000, 70_001
KINDS = {FLOOR: 0, RED: 1, GREEN: 2, LATE: 1}
SIDE = 12


def register(name: str = "heads_world") -> str:
    metadata = MetadataCatalog.get(name)
    if not hasattr(metadata, "categories"):
        metadata.set(categories=CATEGORIES, evaluator_type="video_panoptic_seg")
    return name


def labels_at(t: int) -> np.ndarray:
    """Segment ids int32 of frame t: void at the left, three squares, the last from frame 2 on."""
    ids = np.full(SHAPE, FLOOR, np.int32)
    ids[:, :3] = 0
    ids[2 : 2 + SIDE, 5 + 4 * t : 5 + SIDE + 4 * t] = RED
    ids[16 : 16 + SIDE, 40 - 3 * t : 40 + SIDE - 3 * t] = GREEN
    if t >= 2:
        ids[30:38, 10 + 2 * t : 20 + 2 * t] = LATE
    return ids


def make_records(folder: Path, lengths: tuple[int, ...] = (6, 5)) -> list[VideoRecord]:
    """Videos of the same squares; frame 4 has no ground truth."""
    records = []
    for number, length in enumerate(lengths):
        record = VideoRecord(
            video_id=f"video-{number}",
            height=SHAPE[0],
            width=SHAPE[1],
            length=length,
            file_names=[],
            image_ids=[f"{t:05d}" for t in range(length)],
            labelled=[t != 4 for t in range(length)],
            pan_seg_file_names=[],
            segments_infos=[],
        )
        for t in range(length):
            ids = labels_at(t)
            image = np.stack([ids % 251, ids % 241, ids % 239], -1).astype(np.uint8)
            path = folder / f"{number}" / f"{t:05d}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(f"{path}_image.png")
            record["file_names"].append(f"{path}_image.png")
            if not record["labelled"][t]:
                record["pan_seg_file_names"].append(None)
                record["segments_infos"].append(None)
                continue
            write_panoptic_png(f"{path}.png", ids)
            record["pan_seg_file_names"].append(f"{path}.png")
            record["segments_infos"].append(
                [
                    {
                        "id": i,
                        "category_id": KINDS[i],
                        "isthing": CATEGORIES[KINDS[i]].isthing,
                        "iscrowd": False,
                    }
                    for i in np.unique(ids).tolist()
                    if i
                ]
            )
        records.append(record)
    return records


def truth_frames(record: VideoRecord) -> list[PanopticFrame]:
    """The ground truth of every frame, of the unlabelled one too."""
    frames = []
    for t, frame_id in enumerate(record["image_ids"]):
        if record["labelled"][t]:
            frames.append(read_ground_truth(record, t))
        else:
            frames.append(panoptic(frame_id, labels_at(t)))
    return frames


def panoptic(frame_id: str, ids: np.ndarray, kinds: dict[int, int] | None = None) -> PanopticFrame:
    """A frame whose segments have the categories ``kinds``."""
    kinds = kinds or KINDS
    present = [i for i in np.unique(ids).tolist() if i]
    return PanopticFrame(
        frame_id,
        ids.astype(np.int32),
        {i: Segment(kinds[i], CATEGORIES[kinds[i]].isthing) for i in present},
    )


def frame_of(*rows: str) -> PanopticFrame:
    """A small frame of things, one digit per pixel."""
    ids = np.array([[int(digit) for digit in row] for row in rows], np.int32)
    present = [i for i in np.unique(ids).tolist() if i]
    return PanopticFrame("0", ids, {i: Segment(1, True) for i in present})


class FollowsPerfectly:
    """Knows the world: every object that was given is where it is."""

    def segment_video(self, frames, *, references):
        known: set[int] = set()
        for t, frame in enumerate(frames):
            given = references(frame)
            known |= set(given.segments) if given is not None else set()
            ids = labels_at(t)
            yield panoptic(frame.frame_id, np.where(np.isin(ids, sorted(known)), ids, 0))


NAMES = {FLOOR: 1, RED: 5, GREEN: 6, LATE: 7}
SWITCHED = {FLOOR: 1, RED: 6, GREEN: 5, LATE: 7}


class SegmentsPerfectly:
    """Finds everything, under ids of its own; from ``switch`` on two things change their ids."""

    def __init__(self, switch: int | None = None, *, fill_void: bool = False) -> None:
        self.switch = switch
        self.fill_void = fill_void

    def segment_video(self, frames, *, references=None):
        assert references is None
        for t, frame in enumerate(frames):
            names = NAMES if self.switch is None or t < self.switch else SWITCHED
            ids = labels_at(t)
            renamed = np.zeros_like(ids)
            kinds = {}
            for old, new in names.items():
                renamed[ids == old] = new
                kinds[new] = KINDS[old]
            if self.fill_void:
                renamed[ids == 0] = 1
            yield panoptic(frame.frame_id, renamed, {1: 0, 5: 1, 6: 1, 7: 1} | kinds)
