"""RoI heads: proposals become classified boxes with masks (Mask R-CNN on a feature pyramid).

The steps are separate methods, because a video model interleaves its own: it re-uses the pooled
box features for its track head and wants the scores of every class, not one NMS for all.

    training:   sample -> pool_boxes -> box_losses, mask_losses
    inference:  pool_boxes -> predict_boxes -> (own rule, or ``detect``) -> mask_logits
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms, roi_align

from vps.layers import BoxCoder, Matcher, RoIPooler, box_iou, clip_boxes, sample_labels
from vps.modeling.detection.heads import BoxHead, BoxPredictor, MaskHead
from vps.modeling.detection.losses import (
    mean_binary_cross_entropy,
    mean_cross_entropy,
    smooth_l1_sum,
)
from vps.modeling.detection.roi_config import roi_heads_arguments
from vps.modeling.detection.targets import Detections, ImageTargets, SampledBoxes, in_crowd


class RoIHeads(nn.Module):
    """Box head and mask head on pooled regions.

    Args:
        num_classes: of things.
        in_features: names of the pyramid levels that regions are pooled from, finest first.
        box_pooler, box_head, box_predictor, mask_pooler, mask_head: the parts.
        class_agnostic_mask: the mask head gives one mask per region, for whichever class.
        iou_thresholds, iou_labels: which proposals are positive, see ``Matcher``.
        batch_size_per_image, positive_fraction: proposals of an image that train the heads, and
            the largest share of positives.
        append_gt: the targets' boxes join the proposals in training.
        box_reg_weights, smooth_l1_beta, box_reg_loss_weight: of the box regression.
        score_thresh, nms_thresh, detections_per_image: the rule of ``detect``.
    """

    def __init__(
        self,
        num_classes: int,
        in_features: Sequence[str],
        box_pooler: RoIPooler,
        box_head: BoxHead,
        box_predictor: BoxPredictor,
        mask_pooler: RoIPooler,
        mask_head: MaskHead,
        *,
        class_agnostic_mask: bool = False,
        iou_thresholds: Sequence[float] = (0.5,),
        iou_labels: Sequence[int] = (0, 1),
        batch_size_per_image: int = 512,
        positive_fraction: float = 0.25,
        append_gt: bool = True,
        box_reg_weights: Sequence[float] = (10.0, 10.0, 5.0, 5.0),
        smooth_l1_beta: float = 0.0,
        box_reg_loss_weight: float = 1.0,
        score_thresh: float = 0.05,
        nms_thresh: float = 0.5,
        detections_per_image: int = 100,
    ):
        super().__init__()
        self.num_classes = num_classes
        self.in_features = tuple(in_features)
        self.box_pooler = box_pooler
        self.box_head = box_head
        self.box_predictor = box_predictor
        self.mask_pooler = mask_pooler
        self.mask_head = mask_head
        self.class_agnostic_mask = class_agnostic_mask
        self.matcher = Matcher(iou_thresholds, iou_labels)
        self.coder = BoxCoder(box_reg_weights)
        self.batch_size_per_image = batch_size_per_image
        self.positive_fraction = positive_fraction
        self.append_gt = append_gt
        self.smooth_l1_beta = smooth_l1_beta
        self.box_reg_loss_weight = box_reg_loss_weight
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_image = detections_per_image

    @classmethod
    def from_config(cls, cfg, input_shape: Mapping) -> RoIHeads:
        """Build from MODEL.ROI_HEADS, MODEL.ROI_BOX_HEAD and MODEL.ROI_MASK_HEAD.

        Args:
            cfg: a Detectron2-style config node.
            input_shape: ``backbone.output_shape()``.
        """
        return cls(**roi_heads_arguments(cfg, input_shape))

    @torch.no_grad()
    def sample(
        self, proposals: Sequence[Tensor], targets: Sequence[ImageTargets]
    ) -> list[SampledBoxes]:
        """Draw the proposals that train the heads, positives first, at random.

        Args:
            proposals: per image float (R, 4).
            targets: per image.
        """
        samples = []
        for boxes, target in zip(proposals, targets):
            if self.append_gt:  # early proposals are poor; the targets' own boxes never are
                boxes = torch.cat([boxes, target.boxes.to(boxes)])
            matched, labels = self.matcher(box_iou(target.boxes.to(boxes), boxes))
            positive = labels == 1
            classes = torch.full_like(matched, self.num_classes)
            if len(target):
                classes[positive] = target.classes[matched[positive]]
            ignored = (labels == -1) | (~positive & in_crowd(boxes, target.crowd_boxes))
            classes[ignored] = -1
            chosen = torch.cat(
                sample_labels(
                    classes, self.batch_size_per_image, self.positive_fraction, self.num_classes
                )
            )
            gt_index = torch.where(positive, matched, -1)
            samples.append(SampledBoxes(boxes[chosen], classes[chosen], gt_index[chosen]))
        return samples

    def pool_boxes(self, features: Mapping[str, Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Features of each box, (sum of R, C, 7, 7); boxes per image (R, 4)."""
        return self.box_pooler([features[name] for name in self.in_features], boxes)

    def box_losses(
        self,
        box_features: Tensor,
        samples: Sequence[SampledBoxes],
        targets: Sequence[ImageTargets],
    ) -> dict[str, Tensor]:
        """Softmax cross-entropy over all samples, smooth L1 of the positive ones.

        Both are divided by the number of samples, so that each sample counts the same whether it
        is positive or not.

        Args:
            box_features: ``pool_boxes`` of the samples' boxes.
            samples: from ``sample``.
            targets: per image.

        Returns:
            {"loss_cls", "loss_box_reg"}.
        """
        logits, deltas = self.box_predictor(self.box_head(box_features))
        classes = torch.cat([sample.classes for sample in samples])
        boxes = torch.cat([sample.boxes for sample in samples])
        goals = torch.cat(
            [t.boxes[s.gt_index[s.gt_index >= 0]] for s, t in zip(samples, targets)]
        ).to(boxes)
        positive = torch.nonzero((classes >= 0) & (classes < self.num_classes)).squeeze(1)
        deltas = deltas.unflatten(1, (-1, 4))
        if deltas.shape[1] == 1:
            chosen = deltas[positive, 0]
        else:
            chosen = deltas[positive, classes[positive]]
        encoded = self.coder.encode(boxes[positive], goals)
        regression = smooth_l1_sum(chosen, encoded, self.smooth_l1_beta) / max(len(classes), 1)
        return {
            "loss_cls": mean_cross_entropy(logits, classes),
            "loss_box_reg": regression * self.box_reg_loss_weight,
        }

    def mask_losses(
        self,
        features: Mapping[str, Tensor],
        samples: Sequence[SampledBoxes],
        targets: Sequence[ImageTargets],
    ) -> dict[str, Tensor]:
        """Sigmoid cross-entropy of the target class's mask, mean over positive samples' pixels.

        Returns:
            {"loss_mask"}.
        """
        keep = [sample.gt_index >= 0 for sample in samples]
        boxes = [sample.boxes[kept] for sample, kept in zip(samples, keep)]
        classes = [sample.classes[kept] for sample, kept in zip(samples, keep)]
        logits = self.mask_logits(features, boxes, classes)
        goals = [
            crop_masks(target.masks, sample.gt_index[kept], sample.boxes[kept], logits.shape[-1])
            for sample, kept, target in zip(samples, keep, targets)
        ]
        return {"loss_mask": mean_binary_cross_entropy(logits, torch.cat(goals))}

    def predict_boxes(
        self,
        box_features: Tensor,
        proposals: Sequence[Tensor],
        image_sizes: Sequence[tuple[int, int]],
    ) -> list[tuple[Tensor, Tensor]]:
        """Probabilities and boxes of every class.

        Args:
            box_features: ``pool_boxes`` of the proposals.
            proposals: per image (R, 4).
            image_sizes: (height, width) of each image; boxes are clipped to it.

        Returns:
            per image probabilities (R, K + 1), background last, and boxes (R, K, 4).
        """
        logits, deltas = self.box_predictor(self.box_head(box_features))
        boxes = self.coder.decode(deltas, torch.cat(list(proposals)))
        boxes = boxes.expand(-1, self.num_classes, -1)
        counts = [len(p) for p in proposals]
        probabilities = logits.float().softmax(dim=1).split(counts)
        return [
            (probability, clip_boxes(box, size))
            for probability, box, size in zip(probabilities, boxes.split(counts), image_sizes)
        ]

    def mask_logits(
        self, features: Mapping[str, Tensor], boxes: Sequence[Tensor], classes: Sequence[Tensor]
    ) -> Tensor:
        """Mask of each box for its class.

        Args:
            boxes: per image (R, 4).
            classes: per image long (R,).

        Returns:
            logits (sum of R, 28, 28), not sigmoid.
        """
        pooled = self.mask_pooler([features[name] for name in self.in_features], boxes)
        logits = self.mask_head(pooled)
        if self.class_agnostic_mask:
            return logits[:, 0]
        rows = torch.arange(len(logits), device=logits.device)
        return logits[rows, torch.cat(list(classes))]

    def detect(
        self,
        features: Mapping[str, Tensor],
        proposals: Sequence[Tensor],
        image_sizes: Sequence[tuple[int, int]],
    ) -> list[Detections]:
        """Detectron2's rule: every class of every proposal above a score, NMS within each class,
        the best of an image.
        """
        box_features = self.pool_boxes(features, proposals)
        predictions = self.predict_boxes(box_features, proposals, image_sizes)
        return [
            select_detections(*p, self.score_thresh, self.nms_thresh, self.detections_per_image)
            for p in predictions
        ]


def select_detections(
    probabilities: Tensor, boxes: Tensor, score_thresh: float, nms_thresh: float, limit: int
) -> Detections:
    """Threshold, class-aware NMS, best ``limit`` (all when negative).

    Args:
        probabilities: (R, K + 1), background last.
        boxes: (R, K, 4).
    """
    finite = torch.isfinite(boxes).all(dim=2).all(dim=1) & torch.isfinite(probabilities).all(dim=1)
    scores = torch.where(finite[:, None], probabilities[:, :-1], 0.0)
    candidates = torch.nonzero(scores > score_thresh)  # (M, 2): proposal, class
    rows, classes = candidates.unbind(1)
    scores, boxes = scores[rows, classes], boxes[rows, classes]
    kept = batched_nms(boxes, scores, classes, nms_thresh)
    if limit >= 0:
        kept = kept[:limit]
    return Detections(boxes[kept], scores[kept], classes[kept])


@torch.no_grad()
def crop_masks(masks: Tensor, index: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Cut the part of a mask under each box and resize it.

    Args:
        masks: bool (G, H, W).
        index: long (R,): which mask each box is about.
        boxes: float (R, 4).
        size: side of the answer.

    Returns:
        bool (R, size, size): RoIAlign of the mask is at least one half.
    """
    if len(boxes) == 0:
        return torch.zeros(0, size, size, dtype=torch.bool, device=boxes.device)
    # Boxes refer to a mask by its number, so no mask is copied once per box.
    rois = torch.cat([index[:, None].float(), boxes.float()], dim=1)
    cut = roi_align(masks[:, None].float(), rois, (size, size), 1.0, 0, aligned=True)
    return cut.squeeze(1) >= 0.5
