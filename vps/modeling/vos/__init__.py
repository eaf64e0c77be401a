"""AOT, AOST and PAOT: video object segmentation of things and stuff by identity embeddings."""

from vps.modeling.vos.meta_arch import PanopticVOS
from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.propagator import PropagationRules, Propagator
from vps.modeling.vos.segmenting import segment_frames
from vps.modeling.vos.variants import VARIANTS, NetworkSettings, network_settings

__all__ = [
    "VARIANTS",
    "NetworkSettings",
    "PanopticVOS",
    "PropagationRules",
    "Propagator",
    "VOSNetwork",
    "network_settings",
    "segment_frames",
]
