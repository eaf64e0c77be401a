"""Small random videos of object masks with everything that goes wrong in real ones."""

from __future__ import annotations

import numpy as np


def random_labels(rng, shape, ids):
    """A label map of ellipses: some touch or cross the border, some are a pixel, some fill all."""
    labels = np.zeros(shape, np.int32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for object_id in rng.permutation(ids):
        center = rng.uniform(-0.1, 1.1, 2) * shape
        axes = rng.uniform(0.01, 0.5, 2) * shape
        labels[((y - center[0]) / axes[0]) ** 2 + ((x - center[1]) / axes[1]) ** 2 < 1] = object_id
    return labels


def random_pair(rng, shape, ids):
    """A ground truth and a prediction: near it, or of its own, or noise; either may be empty."""
    gt = random_labels(rng, shape, ids)
    kind = rng.integers(6)
    if kind == 0:
        pred = random_labels(rng, shape, ids)
    elif kind == 1:
        pred = rng.choice([0, *ids], shape).astype(np.int32)
    else:
        pred = np.roll(gt, rng.integers(-3, 4, 2), (0, 1))
        pred[rng.random(shape) < 0.01] = rng.choice(ids)
    if rng.random() < 0.1:
        gt[:] = 0
    if rng.random() < 0.1:
        pred[:] = 0
    if rng.random() < 0.1:
        gt[:] = ids[0]
    return gt, pred


def random_video(rng, ids, *, num_frames=None):
    """0 to 7 frames (name, ground truth, prediction) of one random size."""
    shape = tuple(rng.integers(1, (24, 90)))
    number = int(rng.integers(0, 8)) if num_frames is None else num_frames
    return [(f"{index:05d}", *random_pair(rng, shape, ids)) for index in range(number)]
