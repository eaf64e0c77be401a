"""Registries of models and backbones, the builders that read them, and the types that backbones
share.

A meta-architecture is called with ``(cfg)``, a backbone with ``(cfg, input_shape)``; both are
found by the name that the config gives.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from dataclasses import dataclass

import torch
from fvcore.common.registry import Registry
from torch import nn

__all__ = [
    "BACKBONE_REGISTRY",
    "META_ARCH_REGISTRY",
    "Backbone",
    "Registry",
    "ShapeSpec",
    "build_backbone",
    "build_model",
]

META_ARCH_REGISTRY = Registry("META_ARCH")
BACKBONE_REGISTRY = Registry("BACKBONE")


@dataclass
class ShapeSpec:
    """What is known of a feature map's shape before it is computed; None where it is not."""

    channels: int | None = None
    height: int | None = None
    width: int | None = None
    stride: int | None = None


class Backbone(nn.Module, metaclass=ABCMeta):
    """A network from images to named feature maps."""

    @abstractmethod
    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Feature maps by name, for example ``{"p2": (N, C, H/4, W/4), ...}``."""

    @property
    def size_divisibility(self) -> int:
        """Height and width of the input must be divisible by this; 0 means no demand."""
        return 0

    @property
    def padding_constraints(self) -> dict[str, int]:
        """Further demands on padding (``size_divisibility``, ``square_size``); empty means none."""
        return {}

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Channels and stride of each feature map.

        Reads what a subclass has set: ``_out_features`` list[str], ``_out_feature_channels`` and
        ``_out_feature_strides`` dict[str, int].
        """
        return {
            name: ShapeSpec(
                channels=self._out_feature_channels[name], stride=self._out_feature_strides[name]
            )
            for name in self._out_features
        }


def build_backbone(cfg, input_shape: ShapeSpec | None = None) -> Backbone:
    """The backbone that ``cfg.MODEL.BACKBONE.NAME`` names."""
    if input_shape is None:
        input_shape = ShapeSpec(channels=len(cfg.MODEL.PIXEL_MEAN))
    backbone = BACKBONE_REGISTRY.get(cfg.MODEL.BACKBONE.NAME)(cfg, input_shape)
    if not isinstance(backbone, Backbone):
        raise AssertionError(
            f"expected {cfg.MODEL.BACKBONE.NAME} to build a Backbone, got {type(backbone).__name__}"
        )
    return backbone


def build_model(cfg) -> nn.Module:
    """The model that ``cfg.MODEL.META_ARCHITECTURE`` names, on ``cfg.MODEL.DEVICE``. Loads no
    weights.
    """
    model = META_ARCH_REGISTRY.get(cfg.MODEL.META_ARCHITECTURE)(cfg)
    return model.to(torch.device(cfg.MODEL.DEVICE))
