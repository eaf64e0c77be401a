"""Panoptic FPN (Kirillov et al. 2019): the image baseline on which the detection core is checked.

It holds every part of the core in the arrangement of Detectron2's ``PanopticFPN``, with the same
state dict, so that a checkpoint of Detectron2's model zoo loads strictly and losses and outputs can
be compared number by number. It knows images, not videos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vps.layers import clip_boxes, larger_than, paste_masks
from vps.modeling.detection.merge import merge_panoptic
from vps.modeling.detection.roi_heads import RoIHeads
from vps.modeling.detection.rpn import RPN
from vps.modeling.detection.semantic import SemSegFPNHead
from vps.modeling.detection.targets import Detections


class PanopticFPN(nn.Module):
    """Images -> losses, or instances, semantic map and panoptic map.

    Args:
        backbone, proposal_generator, roi_heads, sem_seg_head: the parts.
        pixel_mean, pixel_std: per channel, of 0..255 images.
        merge: options of ``merge_panoptic``.
    """

    def __init__(
        self,
        backbone: nn.Module,
        proposal_generator: RPN,
        roi_heads: RoIHeads,
        sem_seg_head: SemSegFPNHead,
        *,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        merge: Mapping[str, float] | None = None,
    ):
        super().__init__()
        self.backbone = backbone
        self.proposal_generator = proposal_generator
        self.roi_heads = roi_heads
        self.sem_seg_head = sem_seg_head
        mean, std = torch.tensor(pixel_mean), torch.tensor(pixel_std)
        self.register_buffer("pixel_mean", mean.view(-1, 1, 1), persistent=False)
        self.register_buffer("pixel_std", std.view(-1, 1, 1), persistent=False)
        self.merge = dict(merge or {})

    @classmethod
    def from_config(cls, cfg, backbone: nn.Module) -> PanopticFPN:
        """Build the heads from a Detectron2-style config on top of a backbone with
        ``output_shape()``.
        """
        combine = cfg.MODEL.PANOPTIC_FPN.COMBINE
        shape = backbone.output_shape()
        return cls(
            backbone,
            RPN.from_config(cfg, shape),
            RoIHeads.from_config(cfg, shape),
            SemSegFPNHead.from_config(cfg, shape),
            pixel_mean=cfg.MODEL.PIXEL_MEAN,
            pixel_std=cfg.MODEL.PIXEL_STD,
            merge={
                "overlap_thresh": combine.OVERLAP_THRESH,
                "stuff_area_min": combine.STUFF_AREA_LIMIT,
                "score_thresh": combine.INSTANCES_CONFIDENCE_THRESH,
            },
        )

    def forward(self, inputs: Sequence[dict]) -> dict[str, Tensor] | list[dict]:
        """One step.

        Args:
            inputs: per image ``image`` (3, H, W), 0..255, in the channel order of ``pixel_mean``;
                in training also ``targets`` (ImageTargets) and ``sem_seg`` long (H, W); at
                inference optionally ``height`` and ``width`` of the answer.

        Returns:
            training: the six losses; inference: per image ``instances`` (Detections),
            ``masks`` bool (D, H, W), ``sem_seg`` logits (K, H, W), ``ids`` and ``segments``.
        """
        sizes = [tuple(item["image"].shape[-2:]) for item in inputs]
        images = [(item["image"] - self.pixel_mean) / self.pixel_std for item in inputs]
        features = self.backbone(pad_and_stack(images, self.backbone.size_divisibility, 0.0))
        semantic = self.sem_seg_head(features)
        if self.training:
            targets = [item["targets"] for item in inputs]
            labels = [item["sem_seg"] for item in inputs]
            labels = pad_and_stack(
                labels, self.backbone.size_divisibility, self.sem_seg_head.ignore_value
            )
            losses = self.sem_seg_head.losses(semantic, labels)
            proposals, rpn_losses = self.proposal_generator(features, sizes, targets)
            samples = self.roi_heads.sample(proposals, targets)
            pooled = self.roi_heads.pool_boxes(features, [s.boxes for s in samples])
            losses.update(rpn_losses)
            losses.update(self.roi_heads.box_losses(pooled, samples, targets))
            losses.update(self.roi_heads.mask_losses(features, samples, targets))
            return losses
        proposals, _ = self.proposal_generator(features, sizes)
        found = self.roi_heads.detect(features, proposals, sizes)
        logits = self.roi_heads.mask_logits(
            features, [d.boxes for d in found], [d.classes for d in found]
        )
        masks = logits.sigmoid().split([len(d.boxes) for d in found])
        return [
            self._finish(item, size, *outputs)
            for item, size, *outputs in zip(inputs, sizes, semantic, found, masks)
        ]

    def _finish(
        self,
        item: dict,
        size: tuple[int, int],
        semantic: Tensor,
        found: Detections,
        masks: Tensor,
    ) -> dict:
        """Bring one image's outputs to the wanted size and merge them."""
        height, width = item.get("height", size[0]), item.get("width", size[1])
        semantic = F.interpolate(
            semantic[None, :, : size[0], : size[1]], size=(height, width), mode="bilinear"
        )[0]
        scale = found.boxes.new_tensor([width / size[1], height / size[0]]).repeat(2)
        boxes = clip_boxes(found.boxes * scale, (height, width))
        kept = larger_than(boxes)
        found = Detections(boxes[kept], found.scores[kept], found.classes[kept])
        pasted = paste_masks(masks[kept], found.boxes, (height, width))
        ids, segments = merge_panoptic(
            pasted, found.scores, found.classes, semantic.argmax(dim=0), **self.merge
        )
        return {
            "instances": found,
            "masks": pasted,
            "sem_seg": semantic,
            "ids": ids,
            "segments": segments,
        }


def pad_and_stack(tensors: Sequence[Tensor], divisibility: int, value: float) -> Tensor:
    """Pad (..., H, W) tensors at the bottom and right to one common, divisible size; stack."""
    height = max(t.shape[-2] for t in tensors)
    width = max(t.shape[-1] for t in tensors)
    if divisibility > 1:
        height = -(-height // divisibility) * divisibility
        width = -(-width // divisibility) * divisibility
    return torch.stack(
        [F.pad(t, (0, width - t.shape[-1], 0, height - t.shape[-2]), value=value) for t in tensors]
    )
