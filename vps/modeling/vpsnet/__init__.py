"""VPSNet: online video panoptic segmentation with a two-stage detector and a track head."""

from vps.modeling.vpsnet.association import AssociationRules, VideoState
from vps.modeling.vpsnet.meta_arch import VPSNet
from vps.modeling.vpsnet.panoptic_inference import PanopticRules

__all__ = ["AssociationRules", "PanopticRules", "VPSNet", "VideoState"]
