"""ResNet and FPN: names, shapes, freezing, and the config that builds them."""

from __future__ import annotations

import pytest
import torch
import torchvision

from vps.d2.config import get_cfg
from vps.d2.modeling import ShapeSpec, build_backbone
from vps.layers import EvalBatchNorm2d, FrozenBatchNorm2d
from vps.modeling.backbone import FPN, LastLevelMaxPool, ResNet

LEVELS = ["res2", "res3", "res4", "res5"]


def small_pyramid(**kwargs):
    return FPN(ResNet(18, stem_out_channels=8, res2_out_channels=8), LEVELS, 16, **kwargs)


@pytest.mark.parametrize(
    ("depth", "width", "channels"),
    [
        (18, None, [64, 128, 256, 512]),
        (34, 32, [32, 64, 128, 256]),
        (50, None, [256, 512, 1024, 2048]),
        (101, 64, [64, 128, 256, 512]),
    ],
)
def test_shapes(depth, width, channels):
    with torch.device("meta"):
        network = ResNet(depth, res2_out_channels=width, width_per_group=16 if width else 64)
        features = network(torch.zeros(2, 3, 64, 96))
    assert list(features) == LEVELS
    assert list(network.channels.values()) == channels
    for index, (name, feature) in enumerate(features.items()):
        stride = network.strides[name]
        assert stride == 4 * 2**index
        assert feature.shape == (2, network.channels[name], 64 // stride, 96 // stride)


@pytest.mark.parametrize("depth", [18, 34, 50, 101])
def test_number_of_parameters_is_torchvisions(depth):
    with torch.device("meta"):
        ours = ResNet(depth)
        theirs = getattr(torchvision.models, f"resnet{depth}")()
    count = sum(p.numel() for p in theirs.parameters()) - sum(
        p.numel() for p in theirs.fc.parameters()
    )
    assert sum(p.numel() for p in ours.parameters()) == count


def test_names():
    names = small_pyramid().state_dict()
    for name in (
        "fpn_lateral2.weight",
        "fpn_output5.bias",
        "bottom_up.stem.conv1.norm.running_mean",
        "bottom_up.res2.1.conv2.weight",
        "bottom_up.res3.0.shortcut.norm.bias",
    ):
        assert name in names
    assert "bottom_up.stem.conv1.bias" not in names
    assert "bottom_up.res2.0.shortcut.weight" not in names, "64 -> 64 channels need no projection"


@pytest.mark.parametrize("freeze_at", range(6))
def test_freezing(freeze_at):
    network = ResNet(18, stem_out_channels=8, res2_out_channels=8, freeze_at=freeze_at)
    for index, name in enumerate(["stem", *LEVELS]):
        part = getattr(network, name)
        frozen = index < freeze_at
        assert all(p.requires_grad is not frozen for p in part.parameters()), name
        assert any(isinstance(m, FrozenBatchNorm2d) for m in part.modules()) == frozen, name
    images = torch.rand(2, 3, 32, 32)
    loss = sum(feature.sum() for feature in network(images).values())
    assert loss.requires_grad == (freeze_at < 5)


def test_eval_norm_keeps_statistics_and_trains_the_affine_part():
    network = ResNet(18, stem_out_channels=8, res2_out_channels=8, norm="EvalBN", freeze_at=2)
    network.train()
    before = network.res4[0].conv1.norm.running_mean.clone()
    network(torch.rand(2, 3, 64, 64))["res5"].sum().backward()
    norm = network.res4[0].conv1.norm
    assert isinstance(norm, EvalBatchNorm2d)
    assert torch.equal(norm.running_mean, before)
    assert norm.weight.grad is not None
    assert isinstance(network.stem.conv1.norm, FrozenBatchNorm2d)


@pytest.mark.parametrize("in_1x1", [True, False])
def test_where_a_deep_block_strides(in_1x1):
    with torch.device("meta"):
        block = ResNet(50, stride_in_1x1=in_1x1).res3[0]
    assert (block.conv1.stride[0] == 2) is in_1x1
    assert (block.conv2.stride[0] == 2) is not in_1x1


def test_fewer_outputs_build_fewer_stages():
    network = ResNet(18, stem_out_channels=8, res2_out_channels=8, out_features=["stem", "res3"])
    assert list(network(torch.rand(1, 3, 32, 32))) == ["stem", "res3"]
    assert not hasattr(network, "res4")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [({"depth": 20}, "got 20"), ({"depth": 18, "out_features": ["res6"]}, "res6")],
)
def test_resnets_that_do_not_exist(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ResNet(**kwargs)


def test_pyramid():
    pyramid = small_pyramid(top_block=LastLevelMaxPool()).eval()
    features = pyramid(torch.rand(1, 3, 64, 96))
    assert list(features) == ["p2", "p3", "p4", "p5", "p6"]
    assert pyramid.strides == {"p2": 4, "p3": 8, "p4": 16, "p5": 32, "p6": 64}
    assert pyramid.size_divisibility == 32
    for name, feature in features.items():
        stride = pyramid.strides[name]
        assert feature.shape == (1, 16, -(-64 // stride), -(-96 // stride))
    assert torch.equal(features["p6"], features["p5"][:, :, ::2, ::2])


@pytest.mark.parametrize(("fuse_type", "factor"), [("sum", 1.0), ("avg", 0.5)])
def test_top_down_path(fuse_type, factor):
    pyramid = small_pyramid(fuse_type=fuse_type).eval()
    image = torch.rand(1, 3, 64, 64)
    bottom_up = pyramid.bottom_up(image)
    coarse = pyramid.fpn_lateral5(bottom_up["res5"])
    enlarged = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    merged = (pyramid.fpn_lateral4(bottom_up["res4"]) + enlarged) * factor
    torch.testing.assert_close(pyramid(image)["p4"], pyramid.fpn_output4(merged))


def test_pyramids_that_make_no_sense():
    with pytest.raises(ValueError, match="got 'max'"):
        small_pyramid(fuse_type="max")
    with pytest.raises(ValueError, match="double"):
        FPN(ResNet(18, res2_out_channels=8), ["res2", "res4"], 16)


@pytest.fixture
def cfg():
    cfg = get_cfg()
    cfg.MODEL.BACKBONE.NAME = "build_vps_resnet_fpn_backbone"
    cfg.MODEL.BACKBONE.FREEZE_AT = 0
    cfg.MODEL.RESNETS.OUT_FEATURES = LEVELS
    cfg.MODEL.RESNETS.DEPTH = 18
    cfg.MODEL.RESNETS.NORM = "BN"
    cfg.MODEL.RESNETS.STEM_OUT_CHANNELS = 32
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 32
    cfg.MODEL.FPN.IN_FEATURES = LEVELS
    cfg.MODEL.FPN.OUT_CHANNELS = 64
    return cfg


def test_config(cfg):
    backbone = build_backbone(cfg)
    assert backbone.size_divisibility == 32
    assert backbone.padding_constraints["square_size"] == 0
    assert backbone.output_shape()["p6"] == ShapeSpec(channels=64, stride=64)
    images = torch.rand(2, 3, 64, 64).to(memory_format=torch.channels_last)
    features = backbone.to(memory_format=torch.channels_last)(images)
    assert features["p2"].shape == (2, 64, 16, 16)
    sum(f.mean() for f in features.values()).backward()
    assert all(p.grad is not None for p in backbone.parameters())


@pytest.mark.parametrize(
    ("key", "value"),
    [("DEFORM_ON_PER_STAGE", [False, False, True, True]), ("RES5_DILATION", 2)],
)
def test_config_that_asks_for_too_much(cfg, key, value):
    cfg.MODEL.RESNETS[key] = value
    with pytest.raises(ValueError, match=key):
        build_backbone(cfg)
