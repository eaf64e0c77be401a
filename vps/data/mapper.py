"""From a video's record and one of its frames to the ClipSample that every model trains on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from vps.d2.config import configurable
from vps.data.augmentation import ClipAugmentation
from vps.data.clip_reader import ClipReader
from vps.data.clip_sampling import (
    REFERENCE_SAMPLERS,
    ClipSampler,
    make_clip_sampler,
    sample_clip,
)
from vps.data.color import ColorAugmentation
from vps.data.merging import merge_clips
from vps.data.reference_rules import ReferenceRules, count_areas, keep_ids
from vps.data.synthetic_motion import SyntheticMotion
from vps.structures import ClipSample, VideoRecord

# Draws another item of the data set: its record and frame.
ItemDraw = Callable[[np.random.Generator], tuple[VideoRecord, int]]

_MERGE_TRIES = 5  # second clips that are drawn until one shows an object


class ClipMapper:
    """Reads a clip and changes it at random.

    Args:
        clip_sampler: chooses the frames (``vps.data.clip_sampling``).
        augmentation: changes the clip; None leaves it as it is on disk.
        motion: makes the clip of its first frame, in place of the geometry of ``augmentation``.
        reference_rules: what frame 0 has to show, for networks that propagate its objects.
        merge_probability: of pasting the objects of another clip over this one.
        cache_mb: keep up to so many MB of decoded frames; for data sets that fit.
    """

    @configurable
    def __init__(
        self,
        *,
        clip_sampler: ClipSampler,
        augmentation: ClipAugmentation | None = None,
        motion: SyntheticMotion | None = None,
        reference_rules: ReferenceRules | None = None,
        merge_probability: float = 0.0,
        cache_mb: float = 0,
    ) -> None:
        self._clip_sampler = clip_sampler
        self._augmentation = augmentation
        self._motion = motion
        self._reference_rules = reference_rules
        self._merge_probability = merge_probability
        self._reader = ClipReader(cache_mb)

    @classmethod
    def from_config(cls, cfg) -> dict[str, Any]:
        """Arguments from INPUT."""
        clip, crop, color = cfg.INPUT.CLIP, cfg.INPUT.CROP, cfg.INPUT.COLOR
        short_edge = cfg.INPUT.MIN_SIZE_TRAIN
        rules = None
        if clip.SAMPLER in REFERENCE_SAMPLERS:
            rules = ReferenceRules(
                min_reference_area=clip.MIN_REFERENCE_AREA,
                min_object_area=clip.MIN_OBJECT_AREA,
                max_objects=tuple(clip.MAX_OBJECTS),
            )
        return {
            "clip_sampler": make_clip_sampler(
                clip.SAMPLER, length=clip.LENGTH, max_gap=clip.MAX_GAP, reverse=clip.REVERSE
            ),
            "augmentation": ClipAugmentation(
                short_edge=(short_edge,) if isinstance(short_edge, int) else tuple(short_edge),
                short_edge_range=cfg.INPUT.MIN_SIZE_TRAIN_SAMPLING == "range",
                max_size=cfg.INPUT.MAX_SIZE_TRAIN,
                interpolation=cfg.INPUT.INTERPOLATION,
                crop_type=crop.TYPE if crop.ENABLED else None,
                crop_size=tuple(crop.SIZE),
                crop_tries=crop.TRIES,
                min_object_area=rules.min_object_area if rules else 0,
                pad_color=tuple(cfg.INPUT.PAD_COLOR) if crop.PAD else None,
                flip=cfg.INPUT.RANDOM_FLIP,
                color=ColorAugmentation(
                    jitter=cfg.INPUT.COLOR_JITTER,
                    saturation=color.SATURATION,
                    hue=color.HUE,
                    jitter_probability=color.JITTER_PROBABILITY,
                    grayscale_probability=color.GRAYSCALE_PROBABILITY,
                    blur_probability=color.BLUR_PROBABILITY,
                    blur_sigma=tuple(color.BLUR_SIGMA),
                    per_frame=color.PER_FRAME,
                ),
            ),
            "motion": _motion_from_config(cfg) if clip.SAMPLER == "static" else None,
            "reference_rules": rules,
            "merge_probability": clip.MERGE_PROBABILITY,
            "cache_mb": clip.CACHE_MB,
        }

    def __call__(
        self,
        record: VideoRecord,
        frame_index: int,
        rng: np.random.Generator,
        *,
        draw_item: ItemDraw | None = None,
    ) -> ClipSample:
        """Read the clip for frame ``frame_index``; all chance comes from ``rng``.

        Args:
            draw_item: gives the item that is pasted over this one; None: nothing is pasted.

        Raises:
            InputError: a file is missing, corrupt, of another size than the record says, or its ids
                disagree with the record; names the file.
        """
        sample = self._map(record, frame_index, rng)
        kept = self._find_objects(sample)
        if draw_item is not None and self._wants_merging(kept, rng):
            for _ in range(_MERGE_TRIES):
                other = self._map(*draw_item(rng), rng)
                if pasted := self._find_objects(other):
                    break
            sample = merge_clips(sample, self._keep_objects(other, pasted))
            kept = self._find_objects(sample)
        if self._reference_rules is not None:
            kept = self._reference_rules.limit_objects(kept, sample["segments"], rng)
        return self._keep_objects(sample, kept)

    def _find_objects(self, sample: ClipSample) -> list[int]:
        """The ids of what a clip shows; with references, of what its reference shows."""
        ids = sample["ids"].numpy()
        if self._reference_rules is not None:
            return self._reference_rules.find_given(ids)
        return list(count_areas(ids))

    def _keep_objects(self, sample: ClipSample, kept: Sequence[int]) -> ClipSample:
        """The clip with no other objects than these, in its ids and in its table."""
        ids = sample["ids"]
        if self._reference_rules is not None:  # else nothing is left out
            ids = torch.from_numpy(keep_ids(ids.numpy(), kept))
        segments = {key: sample["segments"][key] for key in kept}
        return ClipSample(**{**sample, "ids": ids, "segments": segments})

    def _wants_merging(self, objects: Sequence[int], rng: np.random.Generator) -> bool:
        """Also where a clip of references has lost all of its objects: nothing is learnt of it."""
        if self._reference_rules is not None and not objects:
            return True
        return self._merge_probability > 0 and rng.random() < self._merge_probability

    def _map(self, record: VideoRecord, target: int, rng: np.random.Generator) -> ClipSample:
        """One clip, changed, before objects are chosen; its table of segments may list more than it
        shows.
        """
        clip = self._reader.open(record)
        rules = self._reference_rules
        if rules is None:
            frames = sample_clip(self._clip_sampler, record, target, rng)
        else:
            frames = rules.choose_frames(
                self._clip_sampler,
                record["labelled"],
                target,
                rng,
                area_of=clip.labelled_area,
                objects_of=clip.objects,
            )
        images = [clip.image(t) for t in frames]
        truths = [clip.truth(t) for t in frames]
        void = np.zeros((record["height"], record["width"]), dtype=np.int32)
        ids = [void if truth is None else truth.ids for truth in truths]
        listed = {k: s for truth in truths if truth is not None for k, s in truth.segments.items()}
        pixels, new_ids = self._change(
            images, ids, [k for k, s in listed.items() if s.isthing], rng
        )
        return ClipSample(
            images=torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))),
            ids=torch.from_numpy(np.ascontiguousarray(new_ids)),
            # A stated area is that of the frame on disk, not of the changed one.
            segments={key: segment._replace(area=None) for key, segment in listed.items()},
            labelled=torch.tensor([truth is not None for truth in truths]),
            frame_ids=[record["image_ids"][t] for t in frames],
            video_id=record["video_id"],
        )

    def _change(
        self,
        images: Sequence[Image.Image],
        ids: Sequence[np.ndarray],
        things: Sequence[int],
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        if self._motion is not None:
            pixels, new_ids = self._motion(images[0], ids[0], len(images), rng)
            if self._augmentation is not None:
                pixels = self._augmentation.color(pixels, rng)
            return pixels, new_ids
        if self._augmentation is None:
            return np.stack([np.asarray(image) for image in images]), np.stack(ids)
        return self._augmentation(images, ids, things, rng)


def _motion_from_config(cfg) -> SyntheticMotion:
    """Arguments from INPUT.STATIC."""
    static = cfg.INPUT.STATIC
    return SyntheticMotion(
        size=tuple(int(side) for side in cfg.INPUT.CROP.SIZE),
        clip_flip=0.0 if cfg.INPUT.RANDOM_FLIP == "none" else 0.5,
        frame_flip=static.FLIP,
        rotation=static.ROTATION,
        shift=static.SHIFT,
        scale=tuple(static.SCALE),
        shear=static.SHEAR,
        area=tuple(static.AREA),
        ratio=tuple(static.RATIO),
        spline_probability=static.SPLINE_PROBABILITY,
        spline_points=static.SPLINE_POINTS,
        spline_sigma=static.SPLINE_SIGMA,
        interpolation=cfg.INPUT.INTERPOLATION,
        pad_color=tuple(cfg.INPUT.PAD_COLOR),
    )
