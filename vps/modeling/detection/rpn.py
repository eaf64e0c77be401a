"""Region proposal network (Ren et al. 2015) on a feature pyramid.

A 3x3 convolution and two 1x1 predictors, shared by all levels, say for each anchor whether it
covers an object and how to move it. Arithmetic, defaults and parameter names are Detectron2's
(``rpn_head.conv``, ``rpn_head.objectness_logits``, ``rpn_head.anchor_deltas``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import batched_nms

from vps.layers import (
    AnchorGenerator,
    BoxCoder,
    Conv2d,
    Matcher,
    box_iou,
    clip_boxes,
    init_normal,
    larger_than,
    sample_labels,
)
from vps.modeling.detection.losses import smooth_l1_sum
from vps.modeling.detection.targets import ImageTargets, in_crowd


class RPNHead(nn.Module):
    """Objectness and deltas of every anchor, the same weights on every level."""

    def __init__(self, in_channels: int, num_anchors: int):
        super().__init__()
        self.conv = Conv2d(in_channels, in_channels, 3, padding=1, activation=F.relu_)
        self.objectness_logits = nn.Conv2d(in_channels, num_anchors, 1)
        self.anchor_deltas = nn.Conv2d(in_channels, num_anchors * 4, 1)
        for layer in (self.conv, self.objectness_logits, self.anchor_deltas):
            init_normal(layer, std=0.01)

    def forward(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Maps (N, C, H, W) -> per level logits (N, H*W*A) and deltas (N, H*W*A, 4), where A is the
        number of anchors per cell.
        """
        logits, deltas = [], []
        for feature in features:
            x = self.conv(feature)
            logits.append(self.objectness_logits(x).permute(0, 2, 3, 1).flatten(1))
            delta = self.anchor_deltas(x).permute(0, 2, 3, 1)  # (N, H, W, A * 4)
            deltas.append(delta.reshape(len(x), -1, 4))
        return logits, deltas


class RPN(nn.Module):
    """Anchors, their training and the proposals made of them.

    Args:
        in_channels: of every level.
        in_features: names of the levels, finest first.
        anchor_generator: for these levels.
        iou_thresholds, iou_labels: see ``Matcher``; each target's best anchor is positive anyway.
        batch_size_per_image, positive_fraction: how many anchors of an image train, how many of
            them at most are positive.
        pre_nms_topk, post_nms_topk: (training, inference): best anchors of each level that enter
            non-maximum suppression, and best proposals of an image that leave it.
        nms_thresh: IoU above which the worse of two proposals of one level goes.
        min_box_size: proposals with a shorter side (pixels) are dropped.
        boundary_thresh: anchors that reach this far over the border do not train;
            negative: all train.
        box_reg_weights, smooth_l1_beta: of the regression; beta 0 is the L1 loss.
        loss_weights: of classification and regression.
    """

    def __init__(
        self,
        in_channels: int,
        in_features: Sequence[str],
        anchor_generator: AnchorGenerator,
        *,
        iou_thresholds: Sequence[float] = (0.3, 0.7),
        iou_labels: Sequence[int] = (0, -1, 1),
        batch_size_per_image: int = 256,
        positive_fraction: float = 0.5,
        pre_nms_topk: tuple[int, int] = (2000, 1000),
        post_nms_topk: tuple[int, int] = (1000, 1000),
        nms_thresh: float = 0.7,
        min_box_size: float = 0.0,
        boundary_thresh: float = -1,
        box_reg_weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
        smooth_l1_beta: float = 0.0,
        loss_weights: tuple[float, float] = (1.0, 1.0),
    ):
        super().__init__()
        self.in_features = tuple(in_features)
        self.rpn_head = RPNHead(in_channels, anchor_generator.num_anchors)
        self.anchor_generator = anchor_generator
        self.matcher = Matcher(iou_thresholds, iou_labels, allow_low_quality_matches=True)
        self.coder = BoxCoder(box_reg_weights)
        self.batch_size_per_image = batch_size_per_image
        self.positive_fraction = positive_fraction
        self.pre_nms_topk = pre_nms_topk
        self.post_nms_topk = post_nms_topk
        self.nms_thresh = nms_thresh
        self.min_box_size = min_box_size
        self.boundary_thresh = boundary_thresh
        self.smooth_l1_beta = smooth_l1_beta
        self.loss_weights = loss_weights

    @classmethod
    def from_config(cls, cfg, input_shape: Mapping) -> RPN:
        """Build from MODEL.RPN, MODEL.ANCHOR_GENERATOR and MODEL.PROPOSAL_GENERATOR.

        Args:
            cfg: a Detectron2-style config node.
            input_shape: ``backbone.output_shape()``.
        """
        rpn, anchors = cfg.MODEL.RPN, cfg.MODEL.ANCHOR_GENERATOR
        if rpn.BBOX_REG_LOSS_TYPE != "smooth_l1" or list(rpn.CONV_DIMS) != [-1]:
            raise ValueError(
                "expected MODEL.RPN.BBOX_REG_LOSS_TYPE smooth_l1 and CONV_DIMS [-1], got "
                f"{rpn.BBOX_REG_LOSS_TYPE} and {list(rpn.CONV_DIMS)}"
            )
        shapes = [input_shape[name] for name in rpn.IN_FEATURES]
        generator = AnchorGenerator(
            anchors.SIZES, anchors.ASPECT_RATIOS, [s.stride for s in shapes], anchors.OFFSET
        )
        return cls(
            shapes[0].channels,
            rpn.IN_FEATURES,
            generator,
            iou_thresholds=rpn.IOU_THRESHOLDS,
            iou_labels=rpn.IOU_LABELS,
            batch_size_per_image=rpn.BATCH_SIZE_PER_IMAGE,
            positive_fraction=rpn.POSITIVE_FRACTION,
            pre_nms_topk=(rpn.PRE_NMS_TOPK_TRAIN, rpn.PRE_NMS_TOPK_TEST),
            post_nms_topk=(rpn.POST_NMS_TOPK_TRAIN, rpn.POST_NMS_TOPK_TEST),
            nms_thresh=rpn.NMS_THRESH,
            min_box_size=cfg.MODEL.PROPOSAL_GENERATOR.MIN_SIZE,
            boundary_thresh=rpn.BOUNDARY_THRESH,
            box_reg_weights=rpn.BBOX_REG_WEIGHTS,
            smooth_l1_beta=rpn.SMOOTH_L1_BETA,
            loss_weights=(rpn.LOSS_WEIGHT, rpn.BBOX_REG_LOSS_WEIGHT * rpn.LOSS_WEIGHT),
        )

    def forward(
        self,
        features: Mapping[str, Tensor],
        image_sizes: Sequence[tuple[int, int]],
        targets: Sequence[ImageTargets] | None = None,
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Propose boxes and, given targets, learn.

        Args:
            features: maps (N, C, H, W) by name.
            image_sizes: (height, width) of each image before padding; proposals are clipped to it.
            targets: one record per image, or None.

        Returns:
            per image float32 (R, 4) without gradient, best first;
            {"loss_rpn_cls", "loss_rpn_loc"}, empty without targets.
        """
        maps = [features[name] for name in self.in_features]
        anchors = self.anchor_generator(maps)
        logits, deltas = self.rpn_head(maps)
        losses = {}
        if targets is not None:
            losses = self.losses(anchors, logits, deltas, image_sizes, targets)
        return self.propose(anchors, logits, deltas, image_sizes), losses

    def losses(
        self,
        anchors: Sequence[Tensor],
        logits: Sequence[Tensor],
        deltas: Sequence[Tensor],
        image_sizes: Sequence[tuple[int, int]],
        targets: Sequence[ImageTargets],
    ) -> dict[str, Tensor]:
        """Binary cross-entropy of sampled anchors and smooth L1 of the positive ones, both divided
        by the number of anchors that were asked for.
        """
        all_anchors = torch.cat(list(anchors))
        all_logits = torch.cat(list(logits), dim=1)  # (N, anchors)
        all_deltas = torch.cat(list(deltas), dim=1)  # (N, anchors, 4)
        labels, goals = [], []
        for size, target in zip(image_sizes, targets):
            image_labels, matched = self.label_anchors(all_anchors, size, target)
            positive = torch.nonzero(image_labels == 1).squeeze(1)
            labels.append(image_labels)
            goals.append(self.coder.encode(all_anchors[positive], target.boxes[matched[positive]]))
        labels = torch.stack(labels)
        used, positive = labels >= 0, labels == 1
        classification = F.binary_cross_entropy_with_logits(
            all_logits[used], labels[used].to(all_logits.dtype), reduction="sum"
        )
        regression = smooth_l1_sum(all_deltas[positive], torch.cat(goals), self.smooth_l1_beta)
        normalizer = self.batch_size_per_image * len(targets)
        return {
            "loss_rpn_cls": classification / normalizer * self.loss_weights[0],
            "loss_rpn_loc": regression / normalizer * self.loss_weights[1],
        }

    @torch.no_grad()
    def label_anchors(
        self, anchors: Tensor, image_size: tuple[int, int], target: ImageTargets
    ) -> tuple[Tensor, Tensor]:
        """Labels int8 (anchors,) after sampling (1, 0, or -1 unused), matched target (anchors,)."""
        matched, labels = self.matcher(box_iou(target.boxes, anchors))
        if self.boundary_thresh >= 0:
            height, width = image_size
            limit = anchors.new_tensor([width, height]) + self.boundary_thresh
            inside = (anchors[:, :2] >= -self.boundary_thresh) & (anchors[:, 2:] < limit)
            labels[~inside.all(dim=1)] = -1
        labels[(labels == 0) & in_crowd(anchors, target.crowd_boxes)] = -1
        positive, negative = sample_labels(
            labels, self.batch_size_per_image, self.positive_fraction, background=0
        )
        labels = torch.full_like(labels, -1)
        labels[positive] = 1
        labels[negative] = 0
        return labels, matched

    @torch.no_grad()
    def propose(
        self,
        anchors: Sequence[Tensor],
        logits: Sequence[Tensor],
        deltas: Sequence[Tensor],
        image_sizes: Sequence[tuple[int, int]],
    ) -> list[Tensor]:
        """The best anchors of each level, moved, clipped and thinned by suppression per level."""
        mode = 0 if self.training else 1
        boxes, scores, levels = [], [], []
        for level, (cell, logit, delta) in enumerate(zip(anchors, logits, deltas)):
            count = min(logit.shape[1], self.pre_nms_topk[mode])
            score, best = logit.topk(count, dim=1)  # (N, count)
            chosen = delta.gather(1, best[:, :, None].expand(-1, -1, 4))
            # Only the best are decoded: tens of thousands of anchors never become boxes.
            moved = self.coder.decode(chosen.reshape(-1, 4), cell[best].view(-1, 4))
            boxes.append(moved.view(len(logit), count, 4))
            scores.append(score)
            levels.append(torch.full((count,), level, device=logit.device))
        boxes, scores, levels = torch.cat(boxes, 1), torch.cat(scores, 1), torch.cat(levels)
        return [
            self._suppress(*image, levels, size) for *image, size in zip(boxes, scores, image_sizes)
        ]

    def _suppress(
        self, boxes: Tensor, scores: Tensor, levels: Tensor, image_size: tuple[int, int]
    ) -> Tensor:
        finite = torch.isfinite(boxes).all(dim=1) & torch.isfinite(scores)
        if self.training and not finite.all():
            raise FloatingPointError("the proposals hold NaN or infinity: training has diverged")
        boxes = clip_boxes(boxes, image_size)
        usable = torch.nonzero(finite & larger_than(boxes, self.min_box_size)).squeeze(1)
        boxes, scores, levels = boxes[usable], scores[usable], levels[usable]
        kept = batched_nms(boxes, scores.float(), levels, self.nms_thresh)
        return boxes[kept[: self.post_nms_topk[0 if self.training else 1]]]
