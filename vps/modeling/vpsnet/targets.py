"""VPSNet's targets from the ids and segments of a clip sample, made on the device.

One clip frame gives: semantic labels of all categories, the instances of things with boxes and
masks, the track id of each, and the boxes of crowd regions. An id means the same thing in all
frames of a clip, so track ids are the segment ids themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import masks_to_boxes

from vps.modeling.detection import ImageTargets
from vps.modeling.detection.losses import IGNORE
from vps.structures import ClipSample, Segment


@dataclass
class FrameTargets:
    """Targets of one frame.

    Attributes:
        semantic: int64 [H, W], contiguous category of each pixel, -1 where there is none.
        instances: boxes, thing classes and masks of the G things that are no crowd.
        track_ids: int64 [G], segment id of each instance.
    """

    semantic: Tensor
    instances: ImageTargets
    track_ids: Tensor


def make_targets(
    ids: Tensor, segments: Mapping[int, Segment], thing_index: Mapping[int, int]
) -> FrameTargets:
    """Targets of one frame.

    Args:
        ids: int [H, W] segment ids, 0 = void.
        segments: what the ids mean; ids that are not listed count as void.
        thing_index: contiguous category -> thing class 0..K-1.
    """
    present = [i for i in torch.unique(ids).tolist() if i in segments]
    things = [i for i in present if segments[i].isthing and not segments[i].iscrowd]
    crowds = [i for i in present if segments[i].isthing and segments[i].iscrowd]

    semantic = torch.full(ids.shape, IGNORE, dtype=torch.int64, device=ids.device)
    for segment_id in present:
        semantic[ids == segment_id] = segments[segment_id].category

    masks = _masks(ids, things)
    classes = [thing_index[segments[i].category] for i in things]
    return FrameTargets(
        semantic=semantic,
        instances=ImageTargets(
            boxes=_boxes(masks),
            classes=torch.tensor(classes, dtype=torch.int64, device=ids.device),
            masks=masks,
            crowd_boxes=_boxes(_masks(ids, crowds)),
        ),
        track_ids=torch.tensor(things, dtype=torch.int64, device=ids.device),
    )


def frame_targets(
    clips: Sequence[ClipSample],
    size: Sequence[int],
    things: Sequence[int],
    device: torch.device,
) -> list[FrameTargets]:
    """Targets of all frames of all clips, in order, padded to ``size`` = (H, W) with void.

    Args:
        things: contiguous thing categories in the order of the thing classes.
    """
    thing_index = {category: index for index, category in enumerate(things)}
    targets = []
    for clip in clips:
        for ids in clip["ids"].to(device):
            padding = (0, size[1] - ids.shape[1], 0, size[0] - ids.shape[0])
            targets.append(make_targets(F.pad(ids, padding), clip["segments"], thing_index))
    return targets


def pair_frames(
    clips: Sequence[ClipSample], *, both_ways: bool
) -> tuple[list[int], list[int | None]]:
    """The frames that losses are taken on, and the reference of each.

    Frames are counted through the batch. Frame 0 of a clip is the target and frame 1 its reference;
    with ``both_ways`` a labelled reference is a target too, and the target its reference.

    Returns:
        frame numbers, and for each the number of its reference or None where it has none.
    """
    supervised: list[int] = []
    partners: list[int | None] = []
    first = 0
    for clip in clips:
        labelled = clip["labelled"].tolist()
        if not labelled[0]:
            raise ValueError(f"the target frame of a clip of {clip['video_id']} is unlabelled")
        has_reference = len(labelled) > 1 and labelled[1]
        supervised.append(first)
        partners.append(first + 1 if has_reference else None)
        if has_reference and both_ways:
            supervised.append(first + 1)
            partners.append(first)
        first += len(labelled)
    return supervised, partners


def panoptic_target(targets: FrameTargets, stuff: Sequence[int], stride: int = 4) -> Tensor:
    """Channel index of the panoptic logits [stuff | instances] for every ``stride``-th pixel.

    Stuff pixels get the position of their category in ``stuff``, instance pixels len(stuff) + their
    index; void, crowd and things without an instance are -1 and ignored.

    Returns:
        int64 [ceil(H / stride), ceil(W / stride)].
    """
    semantic = targets.semantic[::stride, ::stride]
    target = torch.full_like(semantic, IGNORE)
    for channel, category in enumerate(stuff):
        target[semantic == category] = channel
    for index, mask in enumerate(targets.instances.masks[:, ::stride, ::stride]):
        target[mask] = len(stuff) + index
    return target


def _masks(ids: Tensor, wanted: list[int]) -> Tensor:
    """Bool [G, H, W], one mask per wanted id."""
    wanted_ids = torch.tensor(wanted, dtype=ids.dtype, device=ids.device)
    return ids[None] == wanted_ids[:, None, None]


def _boxes(masks: Tensor) -> Tensor:
    """Float [G, 4] boxes x0, y0, x1, y1 with exclusive right and bottom edges, as Detectron2's."""
    boxes = masks_to_boxes(masks) if len(masks) else masks.new_zeros((0, 4), dtype=torch.float32)
    return boxes + boxes.new_tensor([0, 0, 1, 1])
