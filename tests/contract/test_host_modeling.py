"""Registries, builders, and the backbone's base class."""

from __future__ import annotations

import pytest
import torch
from contract_toy import ContractToy, toy_config

from vps.d2.modeling import (
    BACKBONE_REGISTRY,
    META_ARCH_REGISTRY,
    Backbone,
    ShapeSpec,
    build_backbone,
    build_model,
)
from vps.d2.utils import Registry


def test_registry():
    registry = Registry("CONTRACT")

    @registry.register()
    def one():
        return 1

    class Two:
        pass

    registry.register(Two)
    assert registry.get("one") is one
    assert registry.get("Two") is Two
    assert "one" in registry
    assert dict(registry) == {"one": one, "Two": Two}
    with pytest.raises(KeyError, match="three"):
        registry.get("three")
    with pytest.raises(AssertionError):
        registry.register(Two)


def test_registries_are_registries():
    assert isinstance(META_ARCH_REGISTRY, Registry)
    assert isinstance(BACKBONE_REGISTRY, Registry)


def test_shape_spec():
    assert ShapeSpec(channels=3) == ShapeSpec(channels=3, height=None, width=None, stride=None)
    assert ShapeSpec(channels=3, stride=4) != ShapeSpec(channels=3)


class ContractBackbone(Backbone):
    def __init__(self, cfg, input_shape):
        super().__init__()
        self.input_shape = input_shape
        self._out_features = ["p2"]
        self._out_feature_channels = {"p2": 7}
        self._out_feature_strides = {"p2": 4}

    def forward(self, images):
        return {"p2": images}


def test_build_backbone(tmp_path):
    if "ContractBackbone" not in BACKBONE_REGISTRY:
        BACKBONE_REGISTRY.register(ContractBackbone)
    cfg = toy_config(tmp_path)
    cfg.MODEL.BACKBONE.NAME = "ContractBackbone"
    backbone = build_backbone(cfg)
    assert backbone.input_shape == ShapeSpec(channels=3)
    assert build_backbone(cfg, ShapeSpec(channels=1)).input_shape.channels == 1
    assert backbone.output_shape() == {"p2": ShapeSpec(channels=7, stride=4)}
    assert (backbone.size_divisibility, backbone.padding_constraints) == (0, {})


def test_backbone_is_abstract():
    with pytest.raises(TypeError):
        Backbone()


def test_build_model(tmp_path):
    cfg = toy_config(tmp_path)
    model = build_model(cfg)
    assert isinstance(model, ContractToy)
    assert model.slope.weight.device == torch.device("cpu")
    cfg.MODEL.META_ARCHITECTURE = "NoSuchModel"
    with pytest.raises(KeyError, match="NoSuchModel"):
        build_model(cfg)
