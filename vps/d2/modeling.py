"""Registries and builders of models, and the two types that backbones share."""

from .contract import resolve

__all__ = [
    "BACKBONE_REGISTRY",
    "META_ARCH_REGISTRY",
    "Backbone",
    "ShapeSpec",
    "build_backbone",
    "build_model",
]

META_ARCH_REGISTRY, BACKBONE_REGISTRY, build_model, build_backbone, Backbone, ShapeSpec = resolve(
    "modeling",
    "META_ARCH_REGISTRY",
    "BACKBONE_REGISTRY",
    "build_model",
    "build_backbone",
    "Backbone",
    "ShapeSpec",
)
