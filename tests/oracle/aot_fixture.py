"""The official programs' recorded numbers: weights by recipe, frames, masks, expected outputs.

Nothing is stored of the weights: each follows from its official name and shape.
"""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.official_names import PREFIX, convert_official
from vps.modeling.vos.variants import network_settings

MODELS = {  # name of the recorded model -> variant, changed settings
    "aott": ("AOT-T", {}),
    "aots": ("AOT-S", {}),
    "aotl": ("AOT-L", {}),
    "r50_aotl": ("R50-AOT-L", {}),
    "swinb_aotl": ("SwinB-AOT-L", {}),
    "aost_d1": ("AOST", {"layers": (1,)}),
    "aost_d2": ("AOST", {"layers": (2,)}),
    "aost_d3": ("AOST", {}),
    "r50_paot_generic": ("R50-PAOT", {}),
    "r50_paot_pano": ("R50-PAOT-PanoID", {}),
}
_GAINS = (
    ("adapter", 0.25),
    ("encoder_projector", 0.25),
    ("decoder.conv_out.", 12),
    ("conv_output2.", 12),
    ("id_bank", 6),
    (".linear_Q.", 2),
    (".linear_QV.", 2),
    ("term_attn.projection.", 4),
    (".linear_ID_KV.", 2),
)


def recipe(key: str, shape: list[int]) -> Tensor:
    """The recorded model's tensor of this official name and shape."""
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    x = torch.randn(tuple(shape), generator=generator, dtype=torch.float32)
    if key.endswith("running_var"):
        return 1 + 0.1 * x.abs()
    if key in ("decoder.conv_4x.gn.bias", "conv_output1.gn.bias"):
        return -1.5 + 0.05 * x
    if key.endswith(("running_mean", "bias")):
        return 0.05 * x
    if not key.endswith("weight"):
        return 0.1 * x
    if x.ndim == 1:
        return 1 + 0.1 * x
    gain = next((gain for part, gain in _GAINS if part in key), 1.0)
    gain = 1.2 if key.startswith("encoder.") else gain
    return x * (gain / math.sqrt(x.numel() // x.shape[0]))


def official_weights(keys_file: Path, *, fill: bool = True) -> dict[str, Tensor]:
    """All tensors of a recorded state dict; zeros of the right shapes where not ``fill``."""
    keys = json.loads(keys_file.read_text())["keys"]
    weights = {}
    for key, shape, kind in keys:
        if kind.startswith("float"):
            weights[key] = recipe(key, shape) if fill else torch.empty(shape, device="meta")
        else:
            weights[key] = swin_index()
    return weights


def swin_index(window: int = 7) -> Tensor:
    """Swin's table of relative positions, (window**2, window**2)."""
    places = torch.stack(
        torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    ).flatten(1)
    relative = (places[:, :, None] - places[:, None] + window - 1).permute(1, 2, 0)
    return relative[..., 0] * (2 * window - 1) + relative[..., 1]


def recorded_network(folder: Path, model: str) -> VOSNetwork:
    """Our network with the recorded model's weights, through the importer."""
    variant, changes = MODELS[model]
    settings = network_settings(variant, changes)
    with torch.device("meta"):  # all of it comes from the recipe
        network = VOSNetwork(settings).eval()
    converted = convert_official(official_weights(folder / "keys.json"), settings)
    tensors = {key.removeprefix(PREFIX): value for key, value in converted.tensors.items()}
    network.load_state_dict(tensors, assign=True)
    return network


def images(frames: np.ndarray) -> Tensor:
    """uint8 (T, H, W, 3) at the network's size -> normalised (T, 3, H, W)."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = torch.from_numpy(frames).float() / 255
    return ((pixels - mean) / std).permute(0, 3, 1, 2)
