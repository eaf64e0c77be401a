"""Which channel of the network each object of a clip sample gets, and the label maps that follow.

A network has one channel for the background and one per identity that it can tell apart. Two
layouts (``ChannelLayout``):

* generic identities (AOT, AOST, PAOT): [background | objects];
* panoptic identities (PAOT Pano-ID, capacity 5 + 10): [background | stuff | things].

The objects of a clip are those of its first frame, the reference. What appears later is background,
since nobody has said what it is; so is what does not fit into the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vps.modeling.vos.losses import IGNORE
from vps.structures import ClipSample, InputError, Segment

ZERO_LABELS = ("background", "ignore")


@dataclass(frozen=True)
class ChannelLayout:
    """How many identities of which kind a network has.

    Attributes:
        things: thing identities, or all of them if ``stuff`` is None.
        stuff: stuff identities beside the background; None = things and stuff share the
            identities.
    """

    things: int
    stuff: int | None = None

    @property
    def channels(self) -> int:
        """All of them, the background included."""
        return 1 + (self.stuff or 0) + self.things

    @property
    def kinds(self) -> list[range]:
        """The channels of each kind of object; channel 0 belongs to none."""
        first = 1 + (self.stuff or 0)
        things = range(first, first + self.things)
        return [things] if self.stuff is None else [range(1, first), things]

    def kind(self, segment: Segment) -> int:
        """Position in ``kinds`` of the channels that a segment may use."""
        return 0 if self.stuff is None else int(segment.isthing)


@dataclass
class ClipTargets:
    """Targets of B clips of T frames.

    Attributes:
        labels: int64 [T, B, H, W], channel of each pixel's object, 0 = background, 255 = ignored by
            the losses.
        given: bool [T, B], whether the frame has labels at all; if not, they are all 255.
        used: bool [B, channels], the background and the channels of the sample's objects.
    """

    labels: Tensor
    given: Tensor
    used: Tensor

    def identities(self, frame: int) -> Tensor:
        """int64 [B, H, W], what the ground truth of a frame says to the memory: as ``labels``, with
        background in place of 255, because at test time everything that is not given is background.
        """
        labels = self.labels[frame]
        return labels.masked_fill(labels == IGNORE, 0)


def clip_targets(
    clips: Sequence[ClipSample],
    layout: ChannelLayout,
    *,
    zero_label: str = "background",
    device: torch.device | str = "cpu",
) -> ClipTargets:
    """Targets of a batch of clips of one length and size.

    Args:
        clips: of T frames [H, W] each.
        layout: the channels of the network.
        zero_label: what id 0 is in the losses: "background" (VOS data, where it means "none of the
            objects") or "ignore" (panoptic data, where it means "nobody knows").
        device: where the targets are made.

    Raises:
        InputError: ``zero_label`` is unknown, or the clips differ in length or size.
    """
    if zero_label not in ZERO_LABELS:
        raise InputError(
            f"MODEL.VOS.ZERO_LABEL: expected one of {', '.join(ZERO_LABELS)}, got {zero_label!r}"
        )
    shapes = {tuple(clip["ids"].shape) for clip in clips}
    if len(shapes) != 1:
        raise InputError(
            f"expected clips of one length and size in a batch, got {sorted(shapes)} (T, H, W); "
            "set INPUT.CROP to a fixed size"
        )
    labels, used = [], []
    for clip in clips:
        ids = clip["ids"].to(device, torch.int64)
        channel_of = assign_channels(ids[0], clip["segments"], layout)
        labels.append(_label_maps(clip, ids, channel_of, zero_label))
        used.append([c == 0 or c in channel_of.values() for c in range(layout.channels)])
    return ClipTargets(
        labels=torch.stack(labels, 1),
        given=torch.stack([clip["labelled"] for clip in clips], 1).to(device),
        used=torch.tensor(used, device=device),
    )


def assign_channels(
    reference: Tensor, segments: dict[int, Segment], layout: ChannelLayout
) -> dict[int, int]:
    """The channel of each object of the reference frame.

    Crowd regions are no objects. Of more objects than there are channels a random choice stays,
    drawn from torch's generator. In a sample the channels of a kind are taken from the first on, in
    the order of the ids; the random permutation of identities belongs to the training step.

    Args:
        reference: integers [H, W], ids of the reference frame.
        segments: what the ids mean; others are no objects.
    """
    present = [i for i in reference.unique().tolist() if i in segments and not segments[i].iscrowd]
    channel_of = {}
    for kind, channels in enumerate(layout.kinds):
        objects = [i for i in present if layout.kind(segments[i]) == kind]
        if len(objects) > len(channels):
            chosen = torch.randperm(len(objects))[: len(channels)].sort().values
            objects = [objects[n] for n in chosen.tolist()]
        channel_of.update(zip(objects, channels))
    return channel_of


def _label_maps(
    clip: ClipSample, ids: Tensor, channel_of: dict[int, int], zero_label: str
) -> Tensor:
    """int64 [T, H, W]; see ``ClipTargets.labels``."""
    labels = torch.zeros_like(ids)
    for segment_id, channel in channel_of.items():
        labels[ids == segment_id] = channel
    crowds = [key for key, segment in clip["segments"].items() if segment.iscrowd]
    for segment_id in crowds + ([0] if zero_label == "ignore" else []):
        labels[ids == segment_id] = IGNORE
    labels[~clip["labelled"].to(labels.device)] = IGNORE
    return labels
