"""A made-up panoptic video with the statistics of a real one, and an imperfect prediction of it.

Six stuff regions (the largest of six drifting smooth fields), 8 to 11 blobs as things that enter,
leave, hide for a while and cover each other, and two blobs of void: 12 to 18 segments and about a
dozen runs per row. The prediction draws the same scene again with everything that goes wrong in
practice: objects shifted, wobbling, scaled, missed or dropped for some frames, identities switched,
wrong classes, classes that flip under one id, two stuff classes confused, objects that are not
there, void. Masks are drawn from a seed, so every machine sees the same pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from vps.structures import Category, Segment

NUM_STUFF, NUM_VOID = 6, 2
# 58 classes of things and 66 of stuff, as many as VIPSeg has.
CATEGORIES = tuple(
    Category(f"class {c}", c < 58, ((37 * c) % 256, (91 * c) % 256, (53 * c) % 256), c)
    for c in range(124)
)


class Labels(NamedTuple):
    """One side of one frame: ids int32 [H, W] (0 = void) and {id: Segment}."""

    ids: np.ndarray
    segments: dict[int, Segment]


class FramePair(NamedTuple):
    """Ground truth and prediction of one frame."""

    gt: Labels
    pred: Labels


@dataclass(frozen=True)
class Blob:
    """A thing (or a void region): a closed curve around a moving centre.

    Positions and radii are parts of the picture's height; ``gaps`` are the frames without it;
    ``segment_ids`` and ``categories`` are those up to a frame and from it on.
    """

    center: tuple[float, float]
    speed: tuple[float, float]
    radius: float
    lobes: tuple[float, float, float, float]
    gaps: frozenset[int]
    segment_ids: tuple[int, int]
    categories: tuple[int, int]
    change: int

    def paint(self, ids: np.ndarray, t: int) -> None:
        """Draw over ``ids`` what the blob covers in frame ``t``."""
        if t in self.gaps:
            return
        height, width = ids.shape
        y0, x0 = ((c + t * s) * height for c, s in zip(self.center, self.speed))
        radius = self.radius * height
        reach = 1.6 * radius
        top, bottom = (int(np.clip(y0 + side * reach, 0, height)) for side in (-1, 1))
        left, right = (int(np.clip(x0 + side * reach, 0, width)) for side in (-1, 1))
        y, x = np.mgrid[top:bottom, left:right] - np.array([y0, x0]).reshape(2, 1, 1)
        angle = np.arctan2(y, x)
        a, b, phase, turn = self.lobes
        border = 1 + a * np.cos(2 * angle + phase + turn * t) + b * np.cos(3 * angle - phase)
        border += 0.03 * np.cos(19 * angle + turn * t)  # a ragged outline
        inside = y * y + x * x < (radius * border) ** 2
        ids[top:bottom, left:right][inside] = self.segment_ids[t >= self.change]


@dataclass(frozen=True)
class Scene:
    """Everything that is drawn, from back to front."""

    waves: np.ndarray  # float64 [NUM_STUFF, 4 waves, (along y, along x, drift, phase)]
    stuff: tuple[int, ...]  # category of each field; the segment id is category + 1
    blobs: tuple[Blob, ...]

    def draw(self, t: int, height: int, width: int) -> Labels:
        """Labels of frame ``t``."""
        y, x = np.arange(height)[:, None] / height, np.arange(width)[None] / height
        fields = np.empty((NUM_STUFF, height, width), np.float32)
        for field, waves in zip(fields, self.waves):
            field[:] = 0
            for along_y, along_x, drift, phase in waves:
                row, column = along_y * y, along_x * x + drift * t + phase
                # cos(row + column) as two outer products
                field += np.cos(row) * np.cos(column) - np.sin(row) * np.sin(column)
        ids = (np.array(self.stuff, np.int32) + 1)[fields.argmax(axis=0)]
        categories = {c + 1: c for c in self.stuff}
        for blob in self.blobs:
            blob.paint(ids, t)
            categories[blob.segment_ids[t >= blob.change]] = blob.categories[t >= blob.change]
        present = np.flatnonzero(np.bincount(ids.ravel()))
        segments = {
            segment_id: Segment(categories[segment_id], CATEGORIES[categories[segment_id]].isthing)
            for segment_id in present.tolist()
            if segment_id
        }
        return Labels(ids, segments)


def draw_video(seed: int, frames: int, height: int, width: int) -> Iterator[FramePair]:
    """The frames of a video, one after the other."""
    rng = np.random.default_rng(seed)
    scene = _random_scene(rng, frames, width / height)
    guess = _imperfect(scene, rng, frames)
    for t in range(frames):
        yield FramePair(scene.draw(t, height, width), guess.draw(t, height, width))


def _random_scene(rng: np.random.Generator, frames: int, aspect: float) -> Scene:
    waves = rng.uniform([-11, -11, -0.04, 0], [11, 11, 0.04, 2 * np.pi], (NUM_STUFF, 4, 4))
    stuff = tuple(rng.choice(np.arange(58, 124), NUM_STUFF, replace=False).tolist())
    things = [_random_blob(rng, frames, aspect, k) for k in range(rng.integers(8, 12))]
    voids = [
        replace(_random_blob(rng, frames, aspect, 0), segment_ids=(0, 0), gaps=frozenset())
        for _ in range(NUM_VOID)
    ]
    return Scene(waves, stuff, (*things, *voids))


def _random_blob(rng: np.random.Generator, frames: int, aspect: float, k: int) -> Blob:
    category = int(rng.integers(0, 58))
    enters, leaves = 0, frames
    if rng.random() < 0.3:
        enters, leaves = sorted(rng.integers(0, frames + 1, 2).tolist())
    hides = int(rng.integers(0, frames))
    gaps = set(range(enters)) | set(range(leaves, frames))
    if rng.random() < 0.3:
        gaps |= set(range(hides, hides + 3))
    segment_id = 125 + 100 * category + k  # things have their class and a number, as in VIPSeg
    return Blob(
        center=(rng.uniform(0.1, 0.9), rng.uniform(0.1, aspect - 0.1)),
        speed=tuple(rng.uniform(-0.008, 0.008, 2)),
        radius=rng.uniform(0.05, 0.2),
        lobes=(*rng.uniform(0, 0.3, 2), rng.uniform(0, 6.3), rng.uniform(-0.1, 0.1)),
        gaps=frozenset(gaps),
        segment_ids=(segment_id, segment_id),
        categories=(category, category),
        change=frames,
    )


def _imperfect(scene: Scene, rng: np.random.Generator, frames: int) -> Scene:
    """The scene as a model would see it."""
    waves = scene.waves + rng.normal(0, 0.03, scene.waves.shape) * [1, 1, 0, 1]
    stuff = list(scene.stuff)
    stuff[0] = int(rng.choice([c for c in range(58, 124) if c not in stuff]))  # confused
    blobs = []
    for blob in scene.blobs:
        fate = rng.random()
        if fate < 0.1:
            continue  # missed
        y, x = (c + rng.normal(0, 0.008) for c in blob.center)
        a, b, phase, turn = blob.lobes
        changed = replace(
            blob,
            center=(y, x),
            radius=blob.radius * rng.uniform(0.9, 1.1),
            lobes=(a, b, phase + rng.normal(0, 0.1), turn),
            gaps=blob.gaps | set(rng.integers(0, frames, 2).tolist()),
            change=frames // 2,
        )
        segment_id, category = blob.segment_ids[0], blob.categories[0]
        if segment_id and fate < 0.3:  # another identity from the middle on
            changed = replace(changed, segment_ids=(segment_id, segment_id + 50))
        elif segment_id and fate < 0.4:  # the class flips under the same id
            changed = replace(changed, categories=(category, (category + 1) % 58))
        elif segment_id and fate < 0.5:  # the wrong class throughout
            changed = replace(changed, categories=((category + 7) % 58,) * 2)
        blobs.append(changed)
    one, two = (blobs[k].segment_ids[0] for k in (0, 1))
    kinds = (blobs[0].categories[0], blobs[1].categories[0])
    if one and two:  # two objects swap their identities half-way
        blobs[0] = replace(blobs[0], segment_ids=(one, two), categories=kinds)
        blobs[1] = replace(blobs[1], segment_ids=(two, one), categories=kinds[::-1])
    for number in range(2):  # objects that are not there
        blobs.append(_random_blob(rng, frames, 1.5, 60 + number))
    return Scene(waves, tuple(stuff), tuple(blobs))
