"""A training step: a reference frame, then the other frames of the clip one after the other.

Source: AOT and PAOT (sequence training), AOST section 4 (scalable supervision), as the released
code has them. All frames are encoded at once. The reference frame is matched with itself and its
own ground truth; every later frame with the frame before it and with the stored ones, through whose
keys and values gradients flow. What a frame leaves in memory is its ground truth in the first part
of the training and the network's own answer in the second; then the identity bank learns no more,
for it would adapt to wrong masks.

Which identity an object gets is drawn anew for each sample and step, so that no identity learns to
mean anything. The background is always channel 0; all others move, the first thing included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vps.modeling.vos.losses import (
    bootstrapped_cross_entropy,
    hide_unused,
    one_hot,
    soft_jaccard,
)
from vps.modeling.vos.memory import KeyValue
from vps.modeling.vos.network import Propagated, VOSNetwork
from vps.modeling.vos.targets import ChannelLayout, ClipTargets
from vps.structures import ClipSample, InputError


@dataclass(frozen=True)
class TrainingRules:
    """How training changes with time; parts of the training are in [0, 1].

    Attributes:
        pixel_share: of the pixels, those with the highest loss count; this share in the end.
        pixel_share_until: part of the training in which the share falls from 1 to that, linearly.
        reference_loss_until: part in which the weight of the reference frame's loss falls from 1 to
            0, linearly (0.1 in pre-training, 1 or, for PAOT, 0.75 in main training).
        feedback_from: from this part on the memory gets the network's own answers, and the identity
            bank stands still; 1 = never (pre-training).
        depth_factor: the loss of each further depth weighs so many times the one before (AOST: 2);
            0 = the deepest alone is supervised.
        permute_identities: False gives the k-th object identity k, as at test time.
    """

    pixel_share: float = 0.15
    pixel_share_until: float = 0.5
    reference_loss_until: float = 1.0
    feedback_from: float = 0.5
    depth_factor: float = 0.0
    permute_identities: bool = True

    def at(self, progress: float) -> StepRules:
        """The rules of a step; ``progress`` = iteration / iterations of the training."""
        fallen = _ramp(progress, self.pixel_share_until)
        return StepRules(
            pixel_share=1 - (1 - self.pixel_share) * fallen,
            reference_weight=1 - _ramp(progress, self.reference_loss_until),
            feedback=progress >= self.feedback_from,
            depth_factor=self.depth_factor,
            permute_identities=self.permute_identities,
        )


@dataclass(frozen=True)
class StepRules:
    """``TrainingRules`` at one step; ``feedback`` says whether memory gets the own answers."""

    pixel_share: float = 1.0
    reference_weight: float = 0.0
    feedback: bool = False
    depth_factor: float = 0.0
    permute_identities: bool = True


def sequence_losses(
    network: VOSNetwork,
    images: Tensor,
    targets: ClipTargets,
    layout: ChannelLayout,
    rules: StepRules,
) -> dict[str, Tensor]:
    """The losses of a batch of clips.

    Args:
        network: in training mode.
        images: (T, B, 3, H, W), normalised; sides as the network wants them.
        targets: of the same clips.
        layout: the network's channels.
        rules: of this step.

    Returns:
        "loss_cross_entropy" and "loss_jaccard": half the mean over samples and the frames 1..T-1;
        "loss_reference": the same sum for frame 0, times the weight of this step.

    Raises:
        InputError: the clips have one frame, or sides that the network cannot match exactly.
    """
    frames, batch = images.shape[:2]
    _check_size(network, images)
    channel_of = _draw_channels(layout, batch, shuffled=rules.permute_identities).to(images.device)
    features = network.encode(images.flatten(0, 1))
    all_depths = rules.depth_factor > 0

    def embed(labels: Tensor) -> list[Tensor]:
        """Identity embeddings of label maps [B, H, W]."""
        channels = channel_of.gather(1, labels.flatten(1)).view_as(labels)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not rules.feedback):
            return network.embed_identities(one_hot(channels, network.channels))

    def frame_losses(propagated: Propagated, frame: int) -> tuple[Tensor, Tensor, Tensor]:
        """Cross-entropy, Jaccard and the deepest logits at the size of the labels."""
        logits = propagated.logits if all_depths else [propagated.logits]
        logits = [_logits_of_labels(x, channel_of, targets, network) for x in logits]
        sums = [_weighted(x, targets.labels[frame], rules.pixel_share) for x in logits]
        weights = _depth_weights(len(logits), rules.depth_factor)
        cross_entropy, jaccard = (
            sum(w * term for w, term in zip(weights, terms, strict=True)) for terms in zip(*sums)
        )
        return cross_entropy, jaccard, logits[-1].detach()

    reference = features.select(slice(0, batch))
    identities = embed(targets.identities(0))
    propagated = network.propagate(
        reference,
        None,
        identities=identities,
        all_depths=all_depths,
        decode=rules.reference_weight > 0,
    )
    losses = {}
    if rules.reference_weight > 0:
        cross_entropy, jaccard, _ = frame_losses(propagated, 0)
        losses["loss_reference"] = rules.reference_weight * (cross_entropy + jaccard)
    else:
        losses["loss_reference"] = images.new_zeros(())

    previous = network.remember(propagated, identities)
    memory = LongTermMemory(gap=network.settings.memory_gap_train)
    memory.store(0, previous)
    terms = []
    for frame in range(1, frames):
        state = network.build_memory(memory.entries, previous, propagated.sizes)
        rows = slice(frame * batch, (frame + 1) * batch)
        propagated = network.propagate(features.select(rows), state, all_depths=all_depths)
        cross_entropy, jaccard, logits = frame_losses(propagated, frame)
        terms.append((cross_entropy, jaccard))
        if frame + 1 < frames:
            labels = _labels_for_memory(targets, frame, logits, own=rules.feedback)
            previous = network.remember(propagated, embed(labels))
            memory.store(frame, previous)
    for name, values in zip(("loss_cross_entropy", "loss_jaccard"), zip(*terms, strict=True)):
        losses[name] = torch.stack(values).mean()
    return losses


class LongTermMemory:
    """Which frames are stored: the first, and then each that is ``gap`` frames after the last."""

    def __init__(self, *, gap: int) -> None:
        """``gap``: in frames; 0 = the reference frame alone is stored."""
        self._gap = gap
        self._last: int | None = None
        self.entries: list[list[KeyValue]] = []

    def store(self, frame: int, entries: list[KeyValue]) -> None:
        """Offer the memory of a frame, per layer."""
        if self._last is not None and not 0 < self._gap <= frame - self._last:
            return
        self._last = frame
        self.entries.append(entries)


def _ramp(progress: float, until: float) -> float:
    """0 at the start, 1 from ``until`` on."""
    return min(progress / until, 1.0) if until > 0 else 1.0


def _depth_weights(depths: int, factor: float) -> list[float]:
    """factor ** k for depth k, divided by their sum (AOST: scalable supervision)."""
    powers = [factor**k for k in range(depths)] if depths > 1 else [1.0]
    return [power / sum(powers) for power in powers]


def _draw_channels(layout: ChannelLayout, batch: int, *, shuffled: bool) -> Tensor:
    """Int64 (B, channels): the network's channel for each label, on the CPU.

    Labels of a kind stay among the channels of that kind.
    """
    rows = torch.arange(layout.channels).repeat(batch, 1)
    for row in rows if shuffled else ():
        for channels in layout.kinds:
            row[channels.start : channels.stop] = torch.randperm(len(channels)) + channels.start
    return rows


def _logits_of_labels(
    logits: Tensor, channel_of: Tensor, targets: ClipTargets, network: VOSNetwork
) -> Tensor:
    """Logits in the order of the labels and at their size, float32 (B, channels, H, W)."""
    order = channel_of[:, :, None, None].expand(-1, -1, *logits.shape[-2:])
    logits = F.interpolate(
        logits.gather(1, order).float(),
        size=targets.labels.shape[-2:],
        mode="bilinear",
        align_corners=network.align_corners,
    )
    return hide_unused(logits, targets.used)


def _weighted(logits: Tensor, labels: Tensor, pixel_share: float) -> tuple[Tensor, Tensor]:
    cross_entropy = bootstrapped_cross_entropy(logits, labels, share=pixel_share).mean()
    return 0.5 * cross_entropy, 0.5 * soft_jaccard(logits, labels).mean()


def _labels_for_memory(targets: ClipTargets, frame: int, logits: Tensor, *, own: bool) -> Tensor:
    """Int64 [B, H, W]: the ground truth, or the own answer, also where a frame has no labels."""
    if own:
        return logits.argmax(1)
    given = targets.given[frame]
    truth = targets.identities(frame)
    return torch.where(given[:, None, None], truth, logits.argmax(1))


def _check_size(network: VOSNetwork, images: Tensor) -> None:
    frames, _, _, height, width = images.shape
    rest = 1 if network.align_corners else 0
    if frames < 2:
        raise InputError("expected clips of at least 2 frames, got 1; set INPUT.CLIP.LENGTH to 5")
    if height % 16 != rest or width % 16 != rest:
        raise InputError(
            f"expected training pictures with sides of 16k{'+1' if rest else ''} (the encoder "
            f"resizes {'corner on corner' if rest else 'by whole cells'}), got {height}x{width}; "
            f"set INPUT.CROP.SIZE, for example to {[465, 465] if rest else [464, 464]}"
        )


def layout_of(network: VOSNetwork) -> ChannelLayout:
    """How many identities of which kind a network has."""
    settings = network.settings
    return ChannelLayout(settings.capacity, settings.stuff_capacity or None)


def clip_images(clips: Sequence[ClipSample], mean: Tensor, std: Tensor) -> Tensor:
    """The pictures of a batch of clips of one length and size, normalised: (T, B, 3, H, W).

    Args:
        mean, std: (3, 1, 1), of RGB in 0..255, on the device where the pictures shall be.
    """
    pictures = torch.stack([clip["images"] for clip in clips], 1).to(mean.device)
    return (pictures.float() - mean) / std
