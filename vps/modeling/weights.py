"""Other people's weights under our names.

Three kinds are told apart by their keys:

* torchvision's ResNets (``layer1.0.conv1.weight``): renamed;
* Detectron2's backbones (``res2.0.conv1.weight``): get the prefix ``backbone.bottom_up.``;
* Detectron2's models (``backbone.bottom_up.res2.0.conv1.weight``): our names are theirs.

What is no weight (anchors, pixel statistics, ImageNet classifiers, step counters of batch
normalisation) is left out and named; any other key that is not understood is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vps.modeling.backbone.resnet import ResNet
from vps.structures import InputError

PREFIX = "backbone.bottom_up."
TARGETS = {  # model -> the parts that it shares with Detectron2's panoptic FPN
    "PanopticFPN": ("backbone.", "proposal_generator.", "roi_heads.", "sem_seg_head."),
    "VPSNet": ("backbone.", "proposal_generator.", "roi_heads."),
    "backbone": (PREFIX,),
}
# (pattern, why it is left out), for keys in any of the three forms.
NO_WEIGHTS = (
    (r"(^|\.)num_batches_tracked$", "step counter"),
    (r"^(fc|stem\.fc|linear)\.(weight|bias)$", "ImageNet classifier"),
    (r"^pixel_(mean|std)$", "set by the config"),
    (r"anchor_generator\.cell_anchors\.", "computed from the config"),
)
IMAGENET_RGB = {
    "MODEL.RESNETS.STRIDE_IN_1X1": False,
    "INPUT.FORMAT": "RGB",
    "MODEL.PIXEL_MEAN": [123.675, 116.28, 103.53],
    "MODEL.PIXEL_STD": [58.395, 57.12, 57.375],
}
CAFFE2_BGR = {
    "MODEL.RESNETS.STRIDE_IN_1X1": True,
    "INPUT.FORMAT": "BGR",
    "MODEL.PIXEL_MEAN": [103.53, 116.28, 123.675],
    "MODEL.PIXEL_STD": [1.0, 1.0, 1.0],
}
DEPTHS = {(2, False): 18, (6, False): 34, (6, True): 50, (23, True): 101, (36, True): 152}


@dataclass
class Conversion:
    """Converted weights.

    Attributes:
        tensors: by our name.
        source: what was recognised, for people.
        settings: config keys that these weights were trained with, where that is known.
        left_out: key of the input -> why it is not in ``tensors``.
    """

    tensors: dict[str, Tensor]
    source: str
    settings: dict[str, object]
    left_out: dict[str, str] = field(default_factory=dict)


def convert_weights(
    weights: Mapping[str, Tensor],
    *,
    target: str = "PanopticFPN",
    author: str = "",
    drop_unmapped: bool = False,
) -> Conversion:
    """Rename weights of torchvision or Detectron2.

    Args:
        weights: tensors by name.
        target: a key of ``TARGETS``: only the parts that this model has are kept.
        author: the ``__author__`` of a zoo file; "torchvision" tells the pixel format.
        drop_unmapped: leave out keys that are not understood instead of raising.

    Raises:
        InputError: the weights are of no known kind, hold unknown keys, or lack some of a ResNet.
    """
    weights = {key.removeprefix("module."): value for key, value in weights.items()}
    left_out = {key: _no_weight(key) for key in weights if _no_weight(key)}
    kept = {key: value for key, value in weights.items() if key not in left_out}
    if "layer1.0.conv1.weight" in kept:
        kind, rename, settings = "torchvision ResNet", from_torchvision, IMAGENET_RGB
    elif "res2.0.conv1.weight" in kept:
        kind, rename = "Detectron2 backbone", _from_backbone
        settings = IMAGENET_RGB if author == "torchvision" else CAFFE2_BGR
    elif f"{PREFIX}res2.0.conv1.weight" in kept:
        # What a trained model wants is written in the config that it was trained with.
        kind, rename, settings = "Detectron2 model", _from_model, {}
    else:
        examples = ", ".join(list(weights)[:3]) or "(none)"
        raise InputError(
            "expected weights of a torchvision ResNet, a Detectron2 ResNet backbone or a "
            f"Detectron2 model with one, got keys such as {examples}"
        )
    tensors, unmapped = {}, []
    for key, value in kept.items():
        name = rename(key)
        if name is None:
            unmapped.append(key)
            left_out[key] = "not understood"
        elif not name.startswith(TARGETS[target]):
            left_out[key] = f"no part of {target}"
        else:
            tensors[name] = value
    if unmapped and not drop_unmapped:
        raise InputError(
            f"expected only keys of a {kind}, got {len(unmapped)} others: "
            f"{', '.join(unmapped[:5])}{' ...' if len(unmapped) > 5 else ''}; --drop-unmapped "
            "leaves them out"
        )
    _add_statistics(tensors)
    depth = check_resnet(tensors)
    return Conversion(tensors, f"{kind}, depth {depth}", settings, left_out)


def from_torchvision(key: str) -> str | None:
    """torchvision's name of a ResNet tensor -> ours; None if it is none.

    ``layer1.0.bn2.bias`` -> ``backbone.bottom_up.res2.0.conv2.norm.bias``.
    """
    match = re.fullmatch(r"(?:layer([1-4])\.(\d+)\.)?(.+)\.(\w+)", key)
    if not match:
        return None
    stage, block, layer, tensor = match.groups()
    name = {"downsample.0": "shortcut", "downsample.1": "shortcut.norm"}.get(layer)
    if name is None:
        found = re.fullmatch(r"(conv|bn)([1-3])", layer)
        if not found:
            return None
        name = f"conv{found.group(2)}" + (".norm" if found.group(1) == "bn" else "")
    place = "stem" if stage is None else f"res{int(stage) + 1}.{block}"
    return f"{PREFIX}{place}.{name}.{tensor}"


def check_resnet(tensors: Mapping[str, Tensor]) -> int:
    """Depth of the ResNet in ``tensors``.

    Raises:
        InputError: it is none of the known depths, or some of its tensors are absent or too many.
    """
    keys = {key.removeprefix(PREFIX) for key in tensors if key.startswith(PREFIX)}
    blocks = {int(match.group(1)) for key in keys if (match := re.match(r"res4\.(\d+)\.", key))}
    deep = "res2.0.conv3.weight" in keys
    depth = DEPTHS.get((len(blocks), deep))
    if depth is None:
        raise InputError(
            f"expected a ResNet of depth {sorted(DEPTHS.values())}, got one with {len(blocks)} "
            f"blocks in res4, {'three' if deep else 'two'} convolutions each"
        )
    with torch.device("meta"):  # names alone, no memory
        expected = set(ResNet(depth, norm="FrozenBN").state_dict())
    for what, names in (("lacks", expected - keys), ("has too much", keys - expected)):
        if names:
            raise InputError(
                f"expected the {len(expected)} tensors of a ResNet-{depth} backbone, this one "
                f"{what}: {', '.join(sorted(names)[:5])}; is the file whole?"
            )
    return depth


def _from_backbone(key: str) -> str | None:
    return PREFIX + key if re.match(r"(stem|res[2-5])\.", key) else None


def _from_model(key: str) -> str | None:
    return key if key.startswith(TARGETS["PanopticFPN"]) else None


def _no_weight(key: str) -> str | None:
    return next((why for pattern, why in NO_WEIGHTS if re.search(pattern, key)), None)


def _add_statistics(tensors: dict[str, Tensor]) -> None:
    """Caffe2's weights have the statistics of batch normalisation folded into scale and offset;
    identity statistics say the same.
    """
    for key in [key for key in tensors if key.endswith(".norm.weight")]:
        if not key.startswith(PREFIX):
            continue  # group normalisation has none
        name = key.removesuffix("weight")
        scale = tensors[key]
        tensors.setdefault(f"{name}running_mean", torch.zeros_like(scale))
        tensors.setdefault(f"{name}running_var", torch.ones_like(scale) - 1e-5)  # + eps = 1
