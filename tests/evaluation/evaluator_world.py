"""A tiny data set on disk and a model that is wrong in known places, for the evaluator's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vps.d2.data import MetadataCatalog
from vps.io import read_ground_truth, write_panoptic_png
from vps.structures import Category, PanopticFrame, Segment, VideoRecord

CATEGORIES = [
    Category("road", False, (90, 90, 90), 3),
    Category("car", True, (200, 0, 0), 8),
    Category("sky", False, (0, 0, 200), 5),
    Category("dog", True, (0, 200, 0), 9),
]
SHAPE = (6, 8)


def register(name: str) -> str:
    metadata = MetadataCatalog.get(name)
    if not hasattr(metadata, "categories"):
        metadata.set(categories=CATEGORIES, evaluator_type="video_panoptic_seg")
    return name


def make_records(folder: Path, lengths: list[int], *, unlabelled: int = 3) -> list[VideoRecord]:
    """Videos of the given lengths; of each, frame ``unlabelled`` has no ground truth."""
    rng = np.random.default_rng(5)
    records = []
    for number, length in enumerate(lengths):
        record = VideoRecord(
            video_id=f"video-{number}",
            height=SHAPE[0],
            width=SHAPE[1],
            length=length,
            file_names=[str(folder / f"{number}/{t:05d}.jpg") for t in range(length)],
            image_ids=[f"{t:05d}" for t in range(length)],
            labelled=[t != unlabelled for t in range(length)],
            pan_seg_file_names=[],
            segments_infos=[],
        )
        for t in range(length):
            if t == unlabelled:
                record["pan_seg_file_names"].append(None)
                record["segments_infos"].append(None)
                continue
            path = folder / f"{number}/{t:05d}.png"
            ids = rng.choice([0, 1, 1, 300, 70_000, 70_001], (3, 4)).astype(np.int32)
            ids = np.kron(ids, np.ones((2, 2), np.int32))
            write_panoptic_png(path, ids)
            kinds = {1: 0, 300: 2, 70_000: 1, 70_001: 3}
            infos = [
                {
                    "id": segment_id,
                    "category_id": kinds[segment_id],
                    "isthing": CATEGORIES[kinds[segment_id]].isthing,
                    "iscrowd": False,
                }
                for segment_id in sorted(set(ids.ravel().tolist()) - {0})
            ]
            record["pan_seg_file_names"].append(str(path))
            record["segments_infos"].append(infos)
        records.append(record)
    return records


def predict(record: VideoRecord) -> Iterator[PanopticFrame]:
    """The ground truth with some pixels changed, the same for every call, lazily."""
    rng = np.random.default_rng(len(record["video_id"]) + record["length"])
    kinds = {1: 0, 5: 1, 6: 3, 3: 2}
    renamed = {0: 0, 1: 1, 300: 3, 70_000: 5, 70_001: 6}
    for t, frame_id in enumerate(record["image_ids"]):
        if record["labelled"][t]:
            truth = read_ground_truth(record, t).ids
        else:
            truth = np.full(SHAPE, 1, np.int32)
        ids = np.vectorize(renamed.get)(truth).astype(np.int32)
        ids[rng.random(ids.shape) < 0.1] = rng.choice([0, 1, 5, 6])
        present = sorted(set(ids.ravel().tolist()) - {0})
        yield PanopticFrame(
            frame_id,
            ids,
            {i: Segment(kinds[i], CATEGORIES[kinds[i]].isthing, 0.5) for i in present},
        )
