"""Small networks of every kind, with random weights that make lively labels."""

from __future__ import annotations

import numpy as np
import torch

from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.variants import network_settings
from vps.structures import Frame, PanopticFrame, Segment

STACK = {
    "encoder_width": 0.25,
    "channels": (32,),
    "self_heads": (4,),
    "match_heads": (4,),
    "feed_forward": (64,),
    "window": 5,
    "capacity": 3,
}
PYRAMID = {
    **STACK,
    "encoder": "mobilenet_v2",
    "channels": (32, 32, 32, 16),
    "self_heads": (4, 4, 2, 1),
    "match_heads": (1, 1, 1, 1),
    "feed_forward": (64, 64, 64, 32),
}
KINDS = {
    "AOT": ("AOT-L", STACK),
    "AOST": ("AOST", STACK),
    "AOST-share": ("AOST-share", STACK),
    "PAOT": ("R50-PAOT", PYRAMID),
    "Pano-ID": ("R50-PAOT-PanoID", {**PYRAMID, "stuff_capacity": 2}),
    "Swin": (
        "SwinB-PAOT",
        {**PYRAMID, "encoder": "swin_b", "encoder_width": 0.125, "stuff_capacity": 0},
    ),
}


def small_network(kind: str, **changes) -> VOSNetwork:
    """A network in eval mode; equal arguments give equal weights."""
    variant, settings = KINDS[kind]
    torch.manual_seed(3)
    network = VOSNetwork(network_settings(variant, {**settings, **changes})).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("bank.weight", "stuff.weight", "thing.weight")):
                parameter.normal_(std=0.3)  # identities speak louder than pictures
            elif name.endswith("predictor.weight"):
                parameter.mul_(20)
            elif name.endswith("predictor.bias"):
                parameter[0] = -5  # less background
            elif name.startswith("matching") and parameter.dim() > 1:
                parameter.mul_(1.5)
    return network


def video(length: int, size=(49, 65), seed=0) -> list[Frame]:
    """Coloured noise that drifts to the right."""
    generator = np.random.default_rng(seed)
    height, width = size
    scene = generator.integers(0, 256, (height // 8 + 1, width // 8 + 9, 3), dtype=np.uint8)
    scene = scene.repeat(8, 0).repeat(8, 1)
    return [Frame(f"{t:03d}", scene[:height, t : t + width].copy()) for t in range(length)]


def squares(size, places: dict[int, tuple[int, int]], *, side=9, stuff=()) -> PanopticFrame:
    """Objects as squares: {id: upper left corner}; ids in ``stuff`` are stuff."""
    ids = np.zeros(size, np.int32)
    for object_id, (y, x) in places.items():
        ids[y : y + side, x : x + side] = object_id
    return PanopticFrame("given", ids, {i: Segment(0, i not in stuff) for i in places})


def given_at(masks: dict[str, PanopticFrame]):
    """References that give masks at some frames."""
    return lambda frame: masks.get(frame.frame_id)
