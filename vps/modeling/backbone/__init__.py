"""Backbones: an image becomes a pyramid of feature maps."""

from vps.modeling.backbone.build import ResNetFPN, build_vps_resnet_fpn_backbone
from vps.modeling.backbone.fpn import FPN, LastLevelMaxPool
from vps.modeling.backbone.resnet import ResNet

__all__ = ["FPN", "LastLevelMaxPool", "ResNet", "ResNetFPN", "build_vps_resnet_fpn_backbone"]
