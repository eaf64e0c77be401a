"""VideoPredictor: a config, weights and any video in; panoptic frames out, one after the other.

::

    from vps import VideoPredictor

    predictor = VideoPredictor("config.yaml", "model_final.pth")
    for frame in predictor("video.mp4"):
        names = [predictor.categories[s.category].name for s in frame.segments.values()]
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import torch

from vps.config import load_config
from vps.d2.data import MetadataCatalog
from vps.d2.modeling import META_ARCH_REGISTRY, build_model
from vps.io.streams import open_stream
from vps.modeling.strict_weights import load_weights_strict
from vps.structures import (
    Category,
    Frame,
    FrameStream,
    InputError,
    PanopticFrame,
    ReferencePolicy,
    References,
    VideoRecord,
)

_logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Source = str | os.PathLike | int | VideoRecord | FrameStream


class VideoPredictor:
    """Segments videos with a trained model.

    One predictor serves any number of videos, also at the same time: what a model remembers of a
    video belongs to the iterator. Memory does not grow with the length of a video.

    Attributes:
        cfg: the config, frozen.
        model: the meta-architecture, in eval mode.
        categories: of the data set that the model was trained on; ``Segment.category`` is a
            position in this list.
        device: where the model is.
    """

    def __init__(
        self,
        config_file: str | os.PathLike,
        weights: str | os.PathLike | None = None,
        *,
        device: str | torch.device | None = None,
        opts: Sequence[str] = (),
    ) -> None:
        """
        Args:
            config_file: YAML with which the model was trained.
            weights: checkpoint; None takes MODEL.WEIGHTS of the config.
            device: "cpu", "cuda", ...; None takes MODEL.DEVICE, and the CPU where that is absent.
            opts: [key, value, ...] to change the config by.

        Raises:
            InputError: the config or the weights cannot be used, or do not fit each other.
        """
        # Registers the meta-architectures, backbones and data sets that a config may name.
        import vps.data
        import vps.modeling  # noqa: F401

        self.cfg = load_config(config_file, opts).clone()
        self.cfg.defrost()
        self.cfg.MODEL.DEVICE = str(_choose_device(device, self.cfg.MODEL.DEVICE))
        if weights is not None:
            self.cfg.MODEL.WEIGHTS = str(weights)
        self.cfg.freeze()
        self.device = torch.device(self.cfg.MODEL.DEVICE)
        self.categories = _categories_of(self.cfg.DATASETS.TRAIN, config_file)
        if self.cfg.MODEL.META_ARCHITECTURE not in META_ARCH_REGISTRY:
            raise InputError(
                f"MODEL.META_ARCHITECTURE {self.cfg.MODEL.META_ARCHITECTURE!r} in {config_file} is "
                "none that this program knows"
            )
        if not self.cfg.MODEL.WEIGHTS:
            raise InputError(f"expected weights, got none; add MODEL.WEIGHTS for {config_file}")
        self.model = build_model(self.cfg).eval()
        load_weights_strict(self.model, self.cfg.MODEL.WEIGHTS)

    def __call__(
        self, source: Source, *, references: References | ReferencePolicy | None = None
    ) -> Iterator[PanopticFrame]:
        """Segment a video.

        Args:
            source: a folder of frames, a video file, the number of a camera, a VideoRecord, or an
                open FrameStream.
            references: gives the masks that a video object segmentation model follows, say
                ``vps.io.record_references(record)``; None leaves that to the model's config.

        Returns:
            An iterator of PanopticFrames at the resolution of the video, in order. Closing or
            dropping it ends the reading of the video.

        Raises:
            InputError: at once if the source cannot be opened; while iterating, if a later frame
                cannot be read.
        """
        return (result for _, result in self.with_images(source, references=references))

    def with_images(
        self, source: Source, *, references: References | ReferencePolicy | None = None
    ) -> Iterator[tuple[Frame, PanopticFrame]]:
        """Segment a video as ``predictor(source)`` does, and give each result beside its frame."""
        stream = source if isinstance(source, FrameStream) else open_stream(source)
        return self._segment(stream, references)

    def _segment(
        self, stream: FrameStream, references: References | ReferencePolicy | None
    ) -> Iterator[tuple[Frame, PanopticFrame]]:
        # A model may look a few frames ahead; they wait here until their results come.
        waiting: deque[Frame] = deque()

        def frames() -> Iterator[Frame]:
            for frame in stream:
                waiting.append(frame)
                yield frame

        try:
            results = self.model.segment_video(frames(), references=references)
            for result in without_gradients(results):
                frame = waiting.popleft()
                if result.frame_id != frame.frame_id:
                    raise RuntimeError(
                        f"expected the result of frame {frame.frame_id} of {stream.name}, got that "
                        f"of frame {result.frame_id}; {type(self.model).__name__}.segment_video "
                        "must give one result per frame, in order"
                    )
                yield frame, result
        finally:
            stream.close()


def without_gradients(items: Iterable[Item]) -> Iterator[Item]:
    """Yield ``items``, each made in inference mode.

    A ``with torch.inference_mode()`` around the ``yield`` of a generator would stay on in the code
    of the caller between two items; this one is off there.
    """
    iterator = iter(items)
    try:
        while True:
            with torch.inference_mode():
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
    finally:
        if hasattr(iterator, "close"):
            iterator.close()


def _choose_device(asked: str | torch.device | None, configured: str) -> torch.device:
    device = torch.device(asked if asked is not None else configured)
    if device.type != "cuda" or torch.cuda.is_available():
        return device
    if asked is not None:
        raise InputError(f"device {asked} was asked for, but torch finds no CUDA GPU here")
    _logger.info("MODEL.DEVICE is %s, but torch finds no CUDA GPU here: using the CPU", configured)
    return torch.device("cpu")


def _categories_of(dataset_names: Sequence[str], config_file: str | os.PathLike) -> list[Category]:
    if not dataset_names:
        raise InputError(
            f"expected the training data in DATASETS.TRAIN of {config_file}, got none; the names "
            "of the classes come from there"
        )
    categories = getattr(MetadataCatalog.get(dataset_names[0]), "categories", None)
    if categories is None:
        raise InputError(
            f"DATASETS.TRAIN of {config_file} names {dataset_names[0]!r}, which is no registered "
            "data set with categories"
        )
    return list(categories)
