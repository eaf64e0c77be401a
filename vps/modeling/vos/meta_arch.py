"""AOT, AOST and PAOT as a meta-architecture: masks given once per object, followed through a video.

Training takes clips and teaches the network to propagate the masks of the first frame
(``training.py``). At test time somebody gives masks - the data set, a panoptic model, or the caller
- and the engine follows their objects (``segmenting.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from vps.d2.config import configurable
from vps.d2.modeling import META_ARCH_REGISTRY
from vps.d2.utils import get_event_storage
from vps.io.references import record_references
from vps.io.streams import open_stream
from vps.modeling.vos.arguments import panoptic_vos_arguments
from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.propagator import PropagationRules, Propagator
from vps.modeling.vos.resolution import MEAN, STD
from vps.modeling.vos.segmenting import Depth, segment_frames
from vps.modeling.vos.targets import clip_targets
from vps.modeling.vos.training import TrainingRules, clip_images, layout_of, sequence_losses
from vps.structures import (
    Category,
    ClipSample,
    Frame,
    InputError,
    PanopticFrame,
    ReferencePolicy,
    References,
    VideoRecord,
)


@META_ARCH_REGISTRY.register()
class PanopticVOS(nn.Module):
    """See the module's docstring.

    Args:
        network: of the family.
        categories: of the data set; what the references' segments speak of.
        pixel_mean, pixel_std: of RGB in 0..255.
        views: how a video is looked at, one propagation each; several = test-time augmentation.
        depth: layers to pass at test time; None = all.
        reference_source: makes who gives the masks of one more video; None: the data set does.
        training_rules: how training changes with time.
        training_length: iterations of the whole training.
        zero_label: what id 0 is in the losses: "background" or "ignore".
    """

    @configurable
    def __init__(
        self,
        *,
        network: VOSNetwork,
        categories: Sequence[Category] = (),
        pixel_mean: Sequence[float] = MEAN,
        pixel_std: Sequence[float] = STD,
        views: Sequence[PropagationRules] = (PropagationRules(),),
        depth: int | None = None,
        reference_source: Callable[[], ReferencePolicy] | None = None,
        training_rules: TrainingRules | None = None,
        training_length: int = 1,
        zero_label: str = "background",
    ):
        super().__init__()
        self.network = network
        self.categories = list(categories)
        self.views = list(views)
        self.depth = depth
        self.reference_source = reference_source
        self.training_rules = training_rules or TrainingRules()
        self.training_length = training_length
        self.zero_label = zero_label
        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), False)

    @classmethod
    def from_config(cls, cfg) -> dict:
        return panoptic_vos_arguments(cfg)

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

    def losses(self, clips: Sequence[ClipSample]) -> dict[str, Tensor]:
        """The losses of a batch of clips of one length and size, at this step of the training."""
        layout = layout_of(self.network)
        targets = clip_targets(clips, layout, zero_label=self.zero_label, device=self.device)
        images = clip_images(clips, self.pixel_mean, self.pixel_std)
        rules = self.training_rules.at(_iteration() / max(self.training_length, 1))
        return sequence_losses(self.network, images, targets, layout, rules)

    def _segment_record(self, record: VideoRecord) -> Iterator[PanopticFrame]:
        references = None if self.reference_source else record_references(record)
        stream = open_stream(record)
        try:
            yield from self.segment_video(stream, references=references)
        finally:
            stream.close()

    @torch.inference_mode()
    def segment_video(
        self,
        frames: Iterable[Frame],
        *,
        references: References | ReferencePolicy | None = None,
        depth: Depth = None,
    ) -> Iterator[PanopticFrame]:
        """Follow given objects through a video, frame by frame.

        Args:
            frames: in the order of time, any number, all of one size.
            references: gives the masks; None asks the source that the config names.
            depth: layers to pass, of all frames or, as a function, of each frame (AOST); None
                takes MODEL.VOS.INFERENCE.DEPTH.

        Yields:
            One PanopticFrame per frame, at the frame's own resolution, with the ids and classes of
            the references. Frames before the first mask are empty.

        Raises:
            InputError: nobody gives masks, or masks, frames or ids do not fit.
        """
        if self.training:
            raise RuntimeError("call eval() on the model before segment_video()")
        if references is None:
            if self.reference_source is None:
                raise InputError(
                    "expected masks to follow, got none: give references=..., or let a panoptic "
                    "model find them with MODEL.VOS.REFERENCES.MODE panoptic_first or "
                    "panoptic_every_k"
                )
            references = self.reference_source()
        views = [Propagator(self.network, rules) for rules in self.views]
        chosen = depth if depth is not None else self.depth
        yield from segment_frames(views, frames, references, depth=chosen)


def _iteration() -> int:
    """The iteration of the training that runs; 0 where none does."""
    try:
        return get_event_storage().iter
    except AssertionError:
        return 0
