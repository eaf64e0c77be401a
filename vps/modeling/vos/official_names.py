"""Checkpoints of the authors' program under our names.

The released files of AOT, AOST and PAOT hold the weights under ``state_dict`` or ``model``, or
bare, maybe with the prefix ``module.`` on every key. Every key must be understood and every tensor
of our network must be found, with its shape. What has no place here is left out and named: a mask
token that no forward pass reads, the identity banks of a scale that has no layers, and, when a
shallower AOST is wanted, the deeper layers of a deeper one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.variants import NetworkSettings
from vps.modeling.weights import PREFIX as BACKBONE_PREFIX
from vps.modeling.weights import Conversion, from_torchvision
from vps.structures import InputError

PREFIX = "network."  # of the network's parameters in the meta-architecture

# Official name -> ours; every rule is applied in turn. Groups of numbers stay.
RENAMES = (
    # Swin: stages and mergings alternate in torchvision's list; see _swin_stage.
    (r"^encoder\.patch_embed\.proj\.", "encoder.features.0.0."),
    (r"^encoder\.patch_embed\.norm\.", "encoder.features.0.2."),
    (r"^(encoder\.features\..*)\.mlp\.fc1\.", r"\1.mlp.0."),
    (r"^(encoder\.features\..*)\.mlp\.fc2\.", r"\1.mlp.3."),
    (r"^encoder\.norm(\d)\.", r"encoder.norms.\1."),
    # Projections, stacks and pyramids of blocks.
    (r"^encoder_projector\.", "matching.projection."),
    (r"^adapters\.", "matching.projections."),
    (r"^LSTT\.layers\.", "matching.blocks."),
    (r"^MSLSTT\.layers_list\.", "matching.scales."),
    (r"^(MS)?LSTT\.decoder_norms\.", "matching.norms."),
    # Parts of a block.
    (r"\.self_attn\.linear_Q\.", ".self_attention.query."),
    (r"\.self_attn\.linear_K\.", ".self_attention.key."),
    (r"\.self_attn\.linear_V\.", ".self_attention.value."),
    (r"\.self_attn\.projection\.", ".self_attention.output."),
    (r"\.linear_Q\.", ".query."),
    (r"\.linear_V\.", ".value."),
    (r"\.linear_QV\.", ".query_value."),
    (r"\.linear_ID_KV\.", ".identity."),
    (r"\.long_term_attn\.projection\.", ".long_term.output."),
    (r"\.short_term_attn\.projection\.", ".short_term.output."),
    (r"\.short_term_attn\.relative_emb_k\.", ".short_term.relative_key."),
    (r"\.short_term_attn\.relative_emb_v$", ".short_term.relative_value"),
    (r"\.linear1\.", ".feed_forward.expand."),
    (r"\.activation\.gn\.", ".feed_forward.norm."),
    (r"\.activation\.conv\.", ".feed_forward.depthwise."),
    (r"\.linear2\.", ".feed_forward.reduce."),
    # Decoder of AOT and AOST.
    (r"^decoder\.conv_in\.(conv|gn)\.", r"decoder.conv_in.0.\1."),
    (r"^decoder\.conv_in\.", "matching.decoder.entries."),
    (r"^decoder\.conv_(\d+)x\.", r"matching.decoder.conv\1."),
    (r"^decoder\.adapter_(\d+)x\.", r"matching.decoder.shortcut\1."),
    (r"^decoder\.conv_out\.", "matching.decoder.predictor."),
    # Transitions and output of PAOT.
    (r"^MSLSTT\.convs_in\.", "matching.entries."),
    (r"^MSLSTT\.convs_out\.", "matching.refinements."),
    (r"^(matching\.(?:entries|refinements)\.\d+)\.res(\d)\.", r"\1.unit\2."),
    (r"^conv_output1\.", "matching.output."),
    (r"^conv_output2\.", "matching.predictor."),
    (r"\.conv\.(weight|bias)$", r".\1"),
    (r"\.gn\.", ".norm."),
    (r"\.gn(\d)\.", r".conv\1.norm."),
    # Identity banks.
    (r"^patch_wise_id_bank\.", "identity_banks.0.bank."),
    (r"^patch_wise_id_banks\.(\d)\.", r"identity_banks.\1.bank."),
    (r"^(thing|stuff)_id_banks\.(\d)\.", r"identity_banks.\2.\1."),
    (r"^id_norm\.", "identity_banks.0.norm."),
    (r"^id_norms\.(\d)\.", r"identity_banks.\1.norm."),
    (r"^id_post_convs\.(\d)\.", r"identity_banks.\1.mix."),
    (r"\.mix\.residual_function\.0\.", ".mix.conv1."),
    (r"\.mix\.residual_function\.1\.ln\.", ".mix.norm1."),
    (r"\.mix\.residual_function\.3\.", ".mix.conv2."),
    (r"\.mix\.residual_function\.4\.ln\.", ".mix.norm2."),
    (r"\.mix\.shortcut\.0\.", ".mix.shortcut."),
    (r"\.mix\.shortcut\.1\.ln\.", ".mix.shortcut_norm."),
)
_RESNET = re.compile(r"^encoder\.((?:conv1|bn1|layer[1-4])\..*)")
_UNIT = re.compile(r"^matching\.(?:entries|refinements)\.\d+\.unit\d")
_SWIN_STAGE = re.compile(r"^encoder\.layers\.(\d)\.(blocks|downsample)\.")


def is_official(keys: Mapping[str, object]) -> bool:
    """Whether these are keys of the authors' program."""
    return any("encoder_projector." in key or "MSLSTT." in key for key in keys)


def official_name(key: str) -> str:
    """The authors' name of a tensor -> ours."""
    if match := _RESNET.match(key):
        name = from_torchvision(match.group(1))
        return key if name is None else "encoder.resnet." + name.removeprefix(BACKBONE_PREFIX)
    if match := _SWIN_STAGE.match(key):
        stage, part = int(match.group(1)), match.group(2)
        place = 2 * stage + (1 if part == "blocks" else 2)
        key = f"encoder.features.{place}.{key[match.end() :]}"
    for pattern, replacement in RENAMES:
        key = re.sub(pattern, replacement, key)
    return key


def convert_official(weights: Mapping[str, Tensor], settings: NetworkSettings) -> Conversion:
    """Rename the authors' weights for one network.

    Args:
        weights: tensors by the authors' names, with or without ``module.``.
        settings: of the network that they are for; an AOST may have fewer layers than they.

    Returns:
        Tensors for the meta-architecture ``PanopticVOS``; what was left out, and why.

    Raises:
        InputError: a key is unknown, missing, or of another shape.
    """
    with torch.device("meta"):  # names and shapes alone, no memory
        expected = VOSNetwork(settings).state_dict()
    tensors: dict[str, Tensor] = {}
    left_out: dict[str, str] = {}
    unknown: list[str] = []
    names = {key: official_name(key.removeprefix("module.")) for key in weights}
    names |= name_shortcuts({key: weights[key] for key in names if names[key] not in expected})
    for key, value in weights.items():
        official, name = key.removeprefix("module."), names[key]
        reason = _no_place(name, settings)
        if reason:
            left_out[key] = reason
        elif name not in expected:
            unknown.append(key)
        else:
            tensors[name] = _reshape(official, value)
    missing = sorted(expected.keys() - tensors.keys())
    for what, names in (("has the unknown keys", unknown), ("lacks our", missing)):
        if names:
            raise InputError(
                f"expected the weights of a network with encoder {settings.encoder}, layers "
                f"{list(settings.layers)} and decoder {settings.decoder}; this file {what} "
                f"{', '.join(names[:5])}{' ...' if len(names) > 5 else ''} ({len(names)}); is it "
                "another variant?"
            )
    for name, value in tensors.items():
        if value.shape != expected[name].shape:
            raise InputError(
                f"expected {name} of shape {list(expected[name].shape)}, got {list(value.shape)}; "
                "is the capacity another one?"
            )
    renamed = {PREFIX + name: value for name, value in tensors.items()}
    return Conversion(renamed, "AOT, AOST or PAOT of its authors", {}, left_out)


def name_shortcuts(unknown: Mapping[str, Tensor]) -> dict[str, str]:
    """Name the shortcuts of residual units whose channels change, by elimination.

    Only SwinB-PAOT has such units, and what its authors call the parts is not known to us. Whatever
    of a unit has no name yet can only be the shortcut: the one weight with four axes is its
    convolution's, the other one its norm's.

    Args:
        unknown: tensors by official keys that have no name of ours.

    Returns:
        Our name for each key of a unit whose rest is one convolution and one norm, no more.
    """
    units: dict[str, dict[str, Tensor]] = {}
    for key, value in unknown.items():
        if match := _UNIT.match(official_name(key.removeprefix("module."))):
            units.setdefault(match.group(), {})[key] = value
    found = {}
    for unit, rest in units.items():
        parts: dict[str, list[str]] = {"": [], "norm.": []}
        for key in rest:
            if key.endswith(".weight"):
                parts["" if rest[key].ndim == 4 else "norm."].append(key.removesuffix("weight"))
        if len(rest) != 4 or [len(stems) for stems in parts.values()] != [1, 1]:
            continue
        for part, (stem,) in parts.items():
            found |= {
                f"{stem}{what}": f"{unit}.shortcut.{part}{what}" for what in ("weight", "bias")
            }
    return {key: name for key, name in found.items() if key in unknown}


def _no_place(name: str, settings: NetworkSettings) -> str | None:
    """Why a tensor (by our name) has no place in the network; None if it should have one."""
    if name == "LSTT.mask_token":
        return "unused by the authors' own forward pass"
    if match := re.match(r"identity_banks\.(\d)\.", name):
        scale = int(match.group(1))
        if scale < len(settings.layers) and settings.layers[scale] == 0:
            return "identities of a scale without layers"
    if settings.decoder == "scalable_fpn":
        match = re.match(r"matching\.(?:blocks|norms|decoder\.entries)\.(\d+)\.", name)
        if match and settings.depth <= int(match.group(1)) < 3:
            return "layers below the wanted depth"
    return None


def _reshape(official: str, value: Tensor) -> Tensor:
    if official.endswith("relative_emb_k.weight"):
        return value.flatten(1)  # a 1 x 1 convolution there, a linear layer here
    if official.endswith("relative_position_index"):
        return value.flatten()
    return value
