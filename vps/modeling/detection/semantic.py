"""The semantic head of Panoptic FPN (Kirillov et al. 2019, section 3.1).

Each pyramid level is brought to stride 4 by convolutions and 2x enlargements, the levels are added,
a 1x1 convolution classifies. Names are Detectron2's: ``p5.0.weight``, ``p5.0.norm.weight``,
``predictor.weight``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from vps.layers import Conv2d, get_norm, init_msra


class SemSegFPNHead(nn.Module):
    """Per-pixel classes from a pyramid.

    Args:
        in_channels, strides: of each level in ``in_features``.
        in_features: names of the levels, finest first.
        num_classes: of the semantic map.
        conv_dim, norm: of the convolutions.
        common_stride: at which the levels are added and classified.
        loss_weight, ignore_value: of the cross-entropy.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        strides: Sequence[int],
        in_features: Sequence[str],
        num_classes: int,
        *,
        conv_dim: int = 128,
        norm: str = "GN",
        common_stride: int = 4,
        loss_weight: float = 1.0,
        ignore_value: int = 255,
    ):
        super().__init__()
        self.in_features = tuple(in_features)
        self.common_stride = common_stride
        self.loss_weight = loss_weight
        self.ignore_value = ignore_value
        for name, channels, stride in zip(in_features, in_channels, strides):
            doublings = int(math.log2(stride) - math.log2(common_stride))
            layers = []
            for _ in range(max(1, doublings)):
                conv = Conv2d(
                    channels,
                    conv_dim,
                    3,
                    padding=1,
                    bias=norm == "",
                    norm=get_norm(norm, conv_dim),
                    activation=F.relu,
                )
                init_msra(conv)
                layers.append(conv)
                if doublings > 0:
                    layers.append(nn.Upsample(scale_factor=2, mode="bilinear"))
                channels = conv_dim
            self.add_module(name, nn.Sequential(*layers))
        self.predictor = nn.Conv2d(conv_dim, num_classes, 1)
        init_msra(self.predictor)

    @classmethod
    def from_config(cls, cfg, input_shape: Mapping) -> SemSegFPNHead:
        """Build from MODEL.SEM_SEG_HEAD; ``input_shape`` is ``backbone.output_shape()``."""
        head = cfg.MODEL.SEM_SEG_HEAD
        # Detectron2 sorts by stride whatever the order in the config.
        names = sorted(head.IN_FEATURES, key=lambda name: input_shape[name].stride)
        return cls(
            [input_shape[name].channels for name in names],
            [input_shape[name].stride for name in names],
            names,
            head.NUM_CLASSES,
            conv_dim=head.CONVS_DIM,
            norm=head.NORM,
            common_stride=head.COMMON_STRIDE,
            loss_weight=head.LOSS_WEIGHT,
            ignore_value=head.IGNORE_VALUE,
        )

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """Maps by name -> logits (N, num_classes, H, W) of the input's size."""
        x = sum(getattr(self, name)(features[name]) for name in self.in_features)
        x = self.predictor(x).float()
        return F.interpolate(x, scale_factor=self.common_stride, mode="bilinear")

    def losses(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Cross-entropy of logits (N, K, H, W) against long (N, H, W), mean over labelled pixels.

        Returns:
            {"loss_sem_seg"}; 0 where no pixel is labelled (a plain mean would be NaN).
        """
        if not (labels != self.ignore_value).any():
            return {"loss_sem_seg": logits.sum() * 0.0}
        loss = F.cross_entropy(logits, labels, ignore_index=self.ignore_value)
        return {"loss_sem_seg": loss * self.loss_weight}
