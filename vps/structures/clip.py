"""ClipSample: what the one training mapper gives to every model."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import torch

    from vps.structures.panoptic import Segment


class ClipSample(TypedDict):
    """T frames of one video after one common random geometric transform.

    ``ids`` are segment ids, 0 = void or padding; an id means the same segment in all T frames.
    ``segments`` is the union over the frames. In a frame that is not ``labelled`` all ids are 0 and
    no loss may read them. A crowd segment serves semantic targets only; its pixels are ignored in
    instance and panoptic targets.
    """

    images: torch.Tensor  # uint8 [T, 3, H, W], RGB
    ids: torch.Tensor  # int32 [T, H, W]
    segments: dict[int, Segment]
    labelled: torch.Tensor  # bool [T]
    frame_ids: list[str]
    video_id: str
