"""ImageNet weights of torchvision for the encoders, from a file.

MobileNetV2 and Swin are torchvision's own modules here, so their names are the same; ResNet's are
translated. What the encoder does not have (the classifier, the last stage of ResNet and Swin, step
counters) is left; anything else that is missing or too much is an error. Swin's three output norms
are no part of a classifier and keep their initial values.
"""

from __future__ import annotations

import os
import re

import torch
from torch import nn

from vps.io.checkpoint import read_checkpoint
from vps.modeling.vos.encoders import MobileNetV2Encoder, ResNetEncoder, SwinEncoder
from vps.modeling.weights import PREFIX, from_torchvision
from vps.structures import InputError

# What a classifier has and the encoder has not.
_LEFT = {
    MobileNetV2Encoder: r"^classifier\.|tracked$",
    ResNetEncoder: r"^(fc|layer4)\.|tracked$",
    SwinEncoder: r"^(head|norm|features\.[67])\.",
}


@torch.no_grad()
def load_encoder_weights(encoder: nn.Module, path: str | os.PathLike) -> None:
    """Copy torchvision's weights into an encoder.

    Raises:
        InputError: the file cannot be read or does not fit; names it.
    """
    weights = read_checkpoint(path)["model"]
    left = _LEFT[type(encoder)]
    kept = {key: value for key, value in weights.items() if not re.search(left, key)}
    if isinstance(encoder, ResNetEncoder):
        kept = {_resnet_name(key): value for key, value in kept.items()}
    expected = {k: v for k, v in encoder.state_dict().items() if not k.endswith("tracked")}
    optional = {key for key in expected if key.startswith("norms.")}  # Swin's
    missing = sorted(expected.keys() - kept.keys() - optional)
    unknown = sorted(kept.keys() - expected.keys())
    wrong = sorted(
        key for key in kept.keys() & expected.keys() if kept[key].shape != expected[key].shape
    )
    for what, names in (("lacks", missing), ("has unknown", unknown), ("has misshapen", wrong)):
        if names:
            raise InputError(
                f"expected torchvision weights of a {type(encoder).__name__} in {path}, which "
                f"{what} {', '.join(names[:5])} ({len(names)}); is MODEL.VOS.ENCODER_WEIGHTS of "
                "another network?"
            )
    for key, value in kept.items():
        expected[key].copy_(value)


def _resnet_name(key: str) -> str:
    name = from_torchvision(key)
    return key if name is None else "resnet." + name.removeprefix(PREFIX)
