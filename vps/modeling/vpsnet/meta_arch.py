"""VPSNet-Track: one picture after the other, with a memory of things.

Source: VPSNet (CVPR 2020), section 4, and VPSNet++. A shared backbone feeds region proposals, box
and mask heads (Mask R-CNN), a semantic head (UPSNet), a parameter-free panoptic head and a track
head. Training takes clips of two frames: the target, on which all losses are taken, and a
reference, whose things the track head has to find again. At test time one frame follows the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vps.d2.config import configurable
from vps.d2.modeling import META_ARCH_REGISTRY
from vps.io.streams import open_stream
from vps.modeling.detection import RPN, RoIHeads
from vps.modeling.pictures import batch_pictures, resize_shorter_side
from vps.modeling.vpsnet.arguments import vpsnet_arguments
from vps.modeling.vpsnet.association import (
    AssociationRules,
    Detections,
    VideoState,
    update_tracks,
)
from vps.modeling.vpsnet.panoptic_head import (
    OUTSIDE,
    inside_boxes,
    panoptic_logits,
    panoptic_loss,
    paste_logits,
)
from vps.modeling.vpsnet.panoptic_inference import (
    PanopticRules,
    compete,
    prune_covered,
    resolve,
    select_boxes,
    semantic_maps,
)
from vps.modeling.vpsnet.semantic_head import SemanticHead
from vps.modeling.vpsnet.targets import (
    FrameTargets,
    frame_targets,
    pair_frames,
    panoptic_target,
)
from vps.modeling.vpsnet.track_head import TrackHead
from vps.structures import (
    Category,
    ClipSample,
    Frame,
    PanopticFrame,
    Segment,
    VideoRecord,
    stuff_segment_id,
    thing_segment_id,
)

STRIDE = 4  # image pixels per pixel of the semantic scores


@META_ARCH_REGISTRY.register()
class VPSNet(nn.Module):
    """See the module's docstring; the arguments mirror ``MODEL.VPSNET`` in ``vps/config.py``."""

    @configurable
    def __init__(
        self,
        *,
        backbone: nn.Module,
        proposal_generator: RPN,
        roi_heads: RoIHeads,
        semantic_head: SemanticHead,
        track_head: TrackHead | None,
        categories: Sequence[Category],
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        input_format: str = "RGB",
        panoptic_loss_weight: float = 0.5,
        outside_box: float = OUTSIDE,
        supervise_reference: bool = False,
        rules: PanopticRules | None = None,
        association: AssociationRules | None = None,
        prune_before_tracking: bool = True,
        min_size_test: int = 0,
        max_size_test: int = 0,
    ):
        super().__init__()
        self.backbone = backbone
        self.proposal_generator = proposal_generator
        self.roi_heads = roi_heads
        self.semantic_head = semantic_head
        self.track_head = track_head
        self.categories = list(categories)
        self.things = [i for i, c in enumerate(self.categories) if c.isthing]
        self.stuff = [i for i, c in enumerate(self.categories) if not c.isthing]
        self.input_format = input_format
        self.panoptic_loss_weight = panoptic_loss_weight
        self.outside_box = outside_box
        self.supervise_reference = supervise_reference
        self.rules = rules or PanopticRules()
        self.association = association or AssociationRules()
        self.prune_before_tracking = prune_before_tracking
        self.min_size_test = min_size_test
        self.max_size_test = max_size_test
        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), False)

    @classmethod
    def from_config(cls, cfg) -> dict:
        return vpsnet_arguments(cfg)

    @property
    def device(self) -> torch.device:
        return self.pixel_mean.device

    def forward(self, batched_inputs: Sequence[ClipSample | VideoRecord]) -> dict | list[dict]:
        """Training: clip samples -> losses. Evaluation: video records -> one lazy result each.

        Returns:
            {"loss_...": scalar} or [{"frames": iterator of PanopticFrame}].
        """
        if self.training:
            return self.losses(batched_inputs)
        return [{"frames": self._segment_record(record)} for record in batched_inputs]

    # ------------------------------------------------------------------------------- training

    def losses(self, clips: Sequence[ClipSample]) -> dict[str, Tensor]:
        """The losses of VPSNet++, section 3.5, over a batch of clips of one or two frames."""
        images, sizes = self._batch([image for clip in clips for image in clip["images"]])
        frames = frame_targets(clips, images.shape[-2:], self.things, self.device)
        supervised, partners = pair_frames(clips, both_ways=self.supervise_reference)
        everything = self.backbone(images)
        features = everything
        if len(supervised) < len(images):
            features = {name: level[supervised] for name, level in everything.items()}
        targets = [frames[i] for i in supervised]
        instances = [target.instances for target in targets]

        proposals, losses = self.proposal_generator(
            features, [sizes[i] for i in supervised], instances
        )
        samples = self.roi_heads.sample(proposals, instances)
        box_features = self.roi_heads.pool_boxes(features, [s.boxes for s in samples])
        losses.update(self.roi_heads.box_losses(box_features, samples, instances))
        losses.update(self.roi_heads.mask_losses(features, samples, instances))

        score = self.semantic_head(features)  # (N, C, H/4, W/4)
        labels = torch.stack([target.semantic for target in targets])
        losses["loss_semantic"] = self.semantic_head.loss(score, labels)
        losses["loss_panoptic"] = self._panoptic_loss(features, score, targets)
        if self.track_head is not None:
            losses["loss_track"] = self._track_loss(
                everything, box_features, samples, frames, supervised, partners
            )
        return losses

    def _panoptic_loss(
        self, features: dict[str, Tensor], score: Tensor, targets: Sequence[FrameTargets]
    ) -> Tensor:
        """Ground-truth boxes and classes stand in for detections."""
        boxes = [target.instances.boxes for target in targets]
        classes = [target.instances.classes for target in targets]
        mask_logits = self.roi_heads.mask_logits(features, boxes, classes)
        things = torch.tensor(self.things, device=self.device)
        logits = [
            panoptic_logits(
                one_score, masks, box, things[cls], self.stuff, outside=self.outside_box
            )
            for one_score, masks, box, cls in zip(
                score, mask_logits.split([len(b) for b in boxes]), boxes, classes, strict=True
            )
        ]
        labels = [panoptic_target(target, self.stuff, STRIDE) for target in targets]
        return self.panoptic_loss_weight * panoptic_loss(logits, labels)

    def _track_loss(
        self,
        features: dict[str, Tensor],
        box_features: Tensor,
        samples: Sequence,
        frames: Sequence[FrameTargets],
        supervised: Sequence[int],
        partners: Sequence[int | None],
    ) -> Tensor:
        """Foreground boxes of the target against the ground-truth boxes of the reference."""
        foreground = [sample.gt_index >= 0 for sample in samples]
        embeddings = self.track_head(box_features[torch.cat(foreground)])
        embeddings = embeddings.split([int(f.sum()) for f in foreground])
        track_ids = [
            frames[i].track_ids[sample.gt_index[f]]
            for i, sample, f in zip(supervised, samples, foreground, strict=True)
        ]
        # Only frames that serve as a reference have boxes to pool; the others contribute none.
        wanted = {p for p in partners if p is not None}
        nothing = torch.zeros((0, 4), device=self.device)
        boxes = [f.instances.boxes if i in wanted else nothing for i, f in enumerate(frames)]
        references = self.track_head(self.roi_heads.pool_boxes(features, boxes))
        references = references.split([len(b) for b in boxes])
        no_ids = torch.zeros(0, dtype=torch.int64, device=self.device)
        return self.track_head.loss(
            embeddings,
            track_ids,
            [references[p] if p is not None else references[0][:0] for p in partners],
            [frames[p].track_ids if p is not None else no_ids for p in partners],
        )

    # ------------------------------------------------------------------------------ inference

    def _segment_record(self, record: VideoRecord) -> Iterator[PanopticFrame]:
        stream = open_stream(record)
        try:
            yield from self.segment_video(stream)
        finally:
            stream.close()

    @torch.inference_mode()
    def segment_video(
        self, frames: Iterable[Frame], *, references: None = None
    ) -> Iterator[PanopticFrame]:
        """Segment and track a video, frame by frame, in memory that does not grow with its length.

        Args:
            frames: the frames in order of time, any number, all of one size.
            references: VPSNet finds its things itself and takes none.

        Yields:
            One PanopticFrame per frame, at the frame's own resolution.
        """
        if references is not None:
            raise ValueError("VPSNet takes no reference masks; use a panoptic VOS model for those")
        if self.training:
            raise RuntimeError("call eval() on the model before segment_video()")
        state = VideoState()
        for frame in frames:
            yield self.segment_frame(frame, state)

    def segment_frame(self, frame: Frame, state: VideoState) -> PanopticFrame:
        """Segment the next frame of the video whose tracks ``state`` holds; updates ``state``."""
        output_size = frame.image.shape[:2]
        images, (size,) = self._batch(
            [resize_shorter_side(frame.image, self.min_size_test, self.max_size_test)]
        )
        features = self.backbone(images)
        proposals, _ = self.proposal_generator(features, [size], None)
        box_features = self.roi_heads.pool_boxes(features, proposals)
        ((probabilities, boxes),) = self.roi_heads.predict_boxes(box_features, proposals, [size])
        boxes, classes, scores = select_boxes(probabilities, boxes, self.rules)
        mask_logits = self.roi_heads.mask_logits(features, [boxes], [classes])
        categories = torch.tensor(self.things, device=self.device)[classes]

        scale = boxes.new_tensor([output_size[1] / size[1], output_size[0] / size[0]] * 2)
        keep = prune_covered(
            mask_logits, boxes * scale, categories, output_size, self.rules.mask_overlap_thresh
        )
        if self.prune_before_tracking:
            boxes, categories, scores = boxes[keep], categories[keep], scores[keep]
            mask_logits, classes = mask_logits[keep], classes[keep]
            keep = list(range(len(keep)))
        detections = self._detections(features, boxes, categories, scores, mask_logits)
        tracks, track_categories = update_tracks(state, detections, self.association)

        score = self.semantic_head(features)[0]
        maps = semantic_maps(score, self.stuff, set(categories.tolist()), size, output_size)
        owner = compete(maps, mask_logits[keep], boxes[keep] * scale, categories[keep])
        segment_ids = [thing_segment_id(tracks[i], len(self.categories)) for i in keep]
        ids = resolve(owner, maps, segment_ids, self.rules)
        things = {
            segment_id: Segment(track_categories[i], True, float(scores[i]))
            for segment_id, i in zip(segment_ids, keep, strict=True)
        }
        return self._panoptic_frame(frame.frame_id, ids, things)

    def _detections(
        self,
        features: dict[str, Tensor],
        boxes: Tensor,
        categories: Tensor,
        scores: Tensor,
        mask_logits: Tensor,
    ) -> Detections:
        if self.track_head is None:
            # Without embeddings every match is as likely as any: boxes and classes decide.
            embeddings = boxes.new_zeros((len(boxes), 0))
        else:
            embeddings = self.track_head(self.roi_heads.pool_boxes(features, [boxes]))
        masks = None
        if self.association.mask_iou:
            grid = features[self.semantic_head.in_features[0]].shape[-2:]
            masks = paste_logits(mask_logits, boxes / STRIDE, grid) > 0
            masks &= inside_boxes(boxes / STRIDE, grid)
        return Detections(embeddings, boxes, categories, scores, masks)

    def _panoptic_frame(
        self, frame_id: str, ids: Tensor, things: dict[int, Segment]
    ) -> PanopticFrame:
        array = ids.to(torch.int32).cpu().numpy()
        segments = {stuff_segment_id(c): Segment(c, False) for c in self.stuff} | things
        present = np.unique(array).tolist()
        return PanopticFrame(frame_id, array, {i: segments[i] for i in present if i})

    def _batch(self, images: Sequence[Tensor]) -> tuple[Tensor, list[tuple[int, int]]]:
        return batch_pictures(
            images,
            self.pixel_mean,
            self.pixel_std,
            divisor=self.backbone.size_divisibility,
            bgr=self.input_format == "BGR",
        )
