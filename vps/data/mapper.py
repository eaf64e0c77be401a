"""From a video's record and one of its frames to the ClipSample that every model trains on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from vps.d2.config import configurable
from vps.data.augmentation import ClipAugmentation
from vps.data.clip_sampling import ClipSampler, make_clip_sampler
from vps.io import read_ground_truth, read_image
from vps.structures import ClipSample, InputError, PanopticFrame, VideoRecord


class ClipMapper:
    """Reads a clip and changes it at random.

    Args:
        clip_sampler: chooses the frames (``vps.data.clip_sampling``).
        augmentation: changes the clip; None leaves it as it is on disk.
        cache_mb: keep up to so many MB of decoded frames; for data sets that fit.
    """

    @configurable
    def __init__(
        self,
        *,
        clip_sampler: ClipSampler,
        augmentation: ClipAugmentation | None = None,
        cache_mb: float = 0,
    ) -> None:
        self._clip_sampler = clip_sampler
        self._augmentation = augmentation
        self._cache = FrameCache(cache_mb)

    @classmethod
    def from_config(cls, cfg) -> dict[str, Any]:
        """Arguments from INPUT."""
        clip, crop = cfg.INPUT.CLIP, cfg.INPUT.CROP
        short_edge = cfg.INPUT.MIN_SIZE_TRAIN
        return {
            "clip_sampler": make_clip_sampler(
                clip.SAMPLER, length=clip.LENGTH, max_gap=clip.MAX_GAP, reverse=clip.REVERSE
            ),
            "augmentation": ClipAugmentation(
                short_edge=(short_edge,) if isinstance(short_edge, int) else tuple(short_edge),
                short_edge_range=cfg.INPUT.MIN_SIZE_TRAIN_SAMPLING == "range",
                max_size=cfg.INPUT.MAX_SIZE_TRAIN,
                crop_type=crop.TYPE if crop.ENABLED else None,
                crop_size=tuple(crop.SIZE),
                flip=cfg.INPUT.RANDOM_FLIP,
                color_jitter=cfg.INPUT.COLOR_JITTER,
            ),
            "cache_mb": clip.CACHE_MB,
        }

    def __call__(
        self, record: VideoRecord, frame_index: int, rng: np.random.Generator
    ) -> ClipSample:
        """Read the clip for frame ``frame_index``; all chance comes from ``rng``.

        Raises:
            InputError: a file is missing, corrupt, of another size than the record says, or its ids
                disagree with the record; names the file.
        """
        frames = self._clip_sampler(record["labelled"], frame_index, rng)
        images = [self._read_image(record, t) for t in frames]
        labelled = [record["labelled"][t] for t in frames]
        truths = [self._read_truth(record, t) for t in frames if record["labelled"][t]]
        listed = {key: value for truth in truths for key, value in truth.segments.items()}
        ids = np.zeros((len(frames), *images[0].shape[:2]), dtype=np.int32)
        for t, truth in zip(np.flatnonzero(labelled), truths):
            ids[t] = truth.ids
        if self._augmentation is None:
            pixels = np.stack(images)
        else:
            things = [key for key, segment in listed.items() if segment.isthing]
            pixels, ids = self._augmentation(images, ids, things, rng)
        present = np.unique(ids).tolist()
        return ClipSample(
            images=torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))),
            ids=torch.from_numpy(np.ascontiguousarray(ids)),
            # A stated area is that of the frame on disk, not of the changed one.
            segments={key: listed[key]._replace(area=None) for key in present if key != 0},
            labelled=torch.tensor(labelled),
            frame_ids=[record["image_ids"][t] for t in frames],
            video_id=record["video_id"],
        )

    def _read_image(self, record: VideoRecord, t: int) -> np.ndarray:
        path = record["file_names"][t]
        image = self._cache.get(path, lambda: read_image(path), lambda image: image.nbytes)
        expected = (record["height"], record["width"])
        if image.shape[:2] != expected:
            raise InputError(
                f"expected an image of {expected[0]}x{expected[1]} (height x width, as video "
                f"{record['video_id']} says), got {image.shape[0]}x{image.shape[1]} in {path}"
            )
        return image

    def _read_truth(self, record: VideoRecord, t: int) -> PanopticFrame:
        return self._cache.get(
            record["pan_seg_file_names"][t],
            lambda: read_ground_truth(record, t),
            lambda truth: truth.ids.nbytes,
        )


class FrameCache:
    """What was read last, up to a number of megabytes. 0 keeps nothing."""

    def __init__(self, megabytes: float) -> None:
        self._limit = megabytes * 2**20
        self._held = 0
        self._entries: OrderedDict[Any, tuple[Any, int]] = OrderedDict()

    def get(self, key: Any, read: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """The value of ``key``, from ``read()`` if it is not held; ``size`` is in bytes."""
        if key in self._entries:
            self._entries.move_to_end(key)
            return self._entries[key][0]
        value = read()
        number = size(value)
        if number <= self._limit:
            self._entries[key] = (value, number)
            self._held += number
            while self._held > self._limit:
                self._held -= self._entries.popitem(last=False)[1][1]
        return value
