"""The backbone as a config names it: ``MODEL.BACKBONE.NAME: build_vps_resnet_fpn_backbone``."""

from __future__ import annotations

from vps.d2.config import CfgNode
from vps.d2.modeling import BACKBONE_REGISTRY, Backbone, ShapeSpec
from vps.modeling.backbone.fpn import FPN, LastLevelMaxPool
from vps.modeling.backbone.resnet import ResNet


class ResNetFPN(FPN, Backbone):
    """FPN under the host's ``Backbone`` interface, so that ``build_backbone`` accepts it."""

    size_divisibility = 0  # FPN sets the instance's; this hides the host's read-only property

    @property
    def padding_constraints(self) -> dict[str, int]:
        """Images need not be padded to squares."""
        return {"square_size": 0}

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Channels and stride of each level, finest first."""
        return {
            name: ShapeSpec(channels=self.channels[name], stride=self.strides[name])
            for name in self.strides
        }


@BACKBONE_REGISTRY.register()
def build_vps_resnet_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec | None = None) -> ResNetFPN:
    """Build ResNet + FPN + p6 from MODEL.RESNETS, MODEL.FPN and MODEL.BACKBONE.FREEZE_AT.

    Raises:
        ValueError: a key asks for what this backbone does not have.
    """
    resnets, fpn = cfg.MODEL.RESNETS, cfg.MODEL.FPN
    if input_shape is not None and input_shape.channels not in (None, 3):
        raise ValueError(f"expected images of 3 channels, got {input_shape.channels}")
    if resnets.RES5_DILATION != 1 or any(resnets.DEFORM_ON_PER_STAGE):
        raise ValueError(
            "expected MODEL.RESNETS.RES5_DILATION 1 and DEFORM_ON_PER_STAGE all False, got "
            f"{resnets.RES5_DILATION} and {resnets.DEFORM_ON_PER_STAGE}"
        )
    bottom_up = ResNet(
        resnets.DEPTH,
        norm=resnets.NORM,
        stem_out_channels=resnets.STEM_OUT_CHANNELS,
        res2_out_channels=resnets.RES2_OUT_CHANNELS,
        num_groups=resnets.NUM_GROUPS,
        width_per_group=resnets.WIDTH_PER_GROUP,
        stride_in_1x1=resnets.STRIDE_IN_1X1,
        out_features=resnets.OUT_FEATURES,
        freeze_at=cfg.MODEL.BACKBONE.FREEZE_AT,
    )
    return ResNetFPN(
        bottom_up,
        fpn.IN_FEATURES,
        fpn.OUT_CHANNELS,
        norm=fpn.NORM,
        fuse_type=fpn.FUSE_TYPE,
        top_block=LastLevelMaxPool(),
    )
