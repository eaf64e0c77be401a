"""Small random videos with everything that goes wrong in real ones."""

from __future__ import annotations

import numpy as np
from naive_panoptic import NaiveFrame

from vps.metrics import FrameTable, VideoTables
from vps.structures import MAX_ID, Category, Segment

CATEGORIES = [
    Category("road", False, (1, 1, 1), 7),
    Category("car", True, (2, 2, 2), 11),
    Category("sky", False, (3, 3, 3), 3),
    Category("dog", True, (4, 4, 4), 40),
    Category("cat", True, (5, 5, 5), 41),
]


def random_video(rng: np.random.Generator, *, consistent: bool = False) -> list[NaiveFrame]:
    """A video of 0 to 8 frames of 6 x 9 pixels: void, crowds, ids beyond 2^16 and up to 2^24 - 1,
    classes that flip, segments that leave and come back, frames with nothing on one side, areas
    that are stated (right or too large) or not. ``consistent``: one class per id, no stated area.
    """
    pool = rng.choice(MAX_ID, 5, replace=False) + 1
    pool[rng.integers(5)] = rng.choice([1, 255, 65535, 65536, MAX_ID])
    renamed = np.where(rng.random(5) < 0.5, pool, pool % 1000 + 70_000)
    gt_class = rng.integers(0, len(CATEGORIES), 5)
    pred_class = np.where(rng.random(5) < 0.75, gt_class, rng.integers(0, len(CATEGORIES), 5))
    crowd = rng.random(5) < 0.25
    base = rng.integers(0, 6, (3, 3))  # 0 is void
    frames = []
    for _ in range(rng.integers(0, 9)):
        base = np.where(rng.random(base.shape) < 0.15, rng.integers(0, 6, base.shape), base)
        shape = np.kron(base, np.ones((2, 3), int))
        guess = np.where(rng.random(shape.shape) < 0.12, rng.integers(0, 6, shape.shape), shape)
        if rng.random() < 0.1:
            guess[:] = 0
        if rng.random() < 0.07:
            shape[:] = 0
        gt = np.concatenate([[0], pool])[shape].astype(np.int32)
        pred = np.concatenate([[0], renamed])[guess].astype(np.int32)

        def flip(category):
            flips = not consistent and rng.random() < 0.1
            return int(rng.integers(0, len(CATEGORIES)) if flips else category)

        gt_segments, pred_segments = {}, {}
        for index in rng.permutation(5):
            pixels = int((gt == pool[index]).sum())
            if pixels:
                stated = [None] if consistent else [None, pixels, pixels + int(rng.integers(4))]
                gt_segments[int(pool[index])] = Segment(
                    flip(gt_class[index]),
                    True,
                    1.0,
                    bool(crowd[index]),
                    stated[rng.integers(len(stated))],
                )
            if (pred == renamed[index]).any():
                pred_segments[int(renamed[index])] = Segment(flip(pred_class[index]), True, 0.5)
        frames.append(NaiveFrame(gt, gt_segments, pred, pred_segments))
    return frames


def tables_of(name: str, frames: list[NaiveFrame]) -> VideoTables:
    return VideoTables.from_frames(
        name,
        [
            FrameTable.from_maps(
                frame.gt,
                frame.gt_segments,
                frame.pred,
                frame.pred_segments,
                frame_id=f"{index:03d}",
                video_id=name,
            )
            for index, frame in enumerate(frames)
        ],
    )
