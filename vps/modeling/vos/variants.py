"""The published networks of the family as a table of settings.

Sources: AOT (Yang et al., NeurIPS 2021), AOST (Yang et al., TPAMI), PAOT (Xu et al., IJCAI 2023).
A config names a row with ``MODEL.VOS.VARIANT`` and may change any single setting of it with the
key of the same name under ``MODEL.VOS.NETWORK``.

Settings that are tuples hold one value per *scale* of the matching. AOT and AOST match at stride 16
only: one scale. PAOT matches at strides 16, 16, 8 and 4, coarse to fine: four.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from vps.structures import InputError

CHOICES = {
    "encoder": ("mobilenet_v2", "resnet50", "swin_b"),
    "block": ("v1", "v2"),
    "identity_bank": ("patch", "vector"),
    "decoder": ("fpn", "scalable_fpn", "pyramid"),
    "pyramid_entry": ("conv", "residual"),
    "merge": ("full", "stride4"),
}


@dataclass(frozen=True)
class NetworkSettings:
    """What tells one network of the family from another.

    Attributes:
        encoder: "mobilenet_v2", "resnet50" (both up to stride 16) or "swin_b" (three stages).
        encoder_width: factor on the encoder's channels; 1 is published.
        encoder_norm: of MobileNetV2 and ResNet, a name of ``vps.layers.norm``; "FrozenBN" needs
            weights to start from, "BN" trains from random ones.
        encoder_freeze_at: 2 keeps the stem and the stride 4 stage fixed, 1 the stem, 0 nothing.
        encoder_drop_path: of Swin, at its deepest (never built) block.
        align_corners: True resizes corner on corner and takes sides 16k+1, False sides 16k.
        channels: of the tokens.
        layers: LSTT blocks.
        block: "v1" (AOT: value + identity, then a linear layer) or "v2" (AOST, PAOT: gated keys).
        share_layers: one block serves all layers (AOST-share).
        self_heads, match_heads: heads of self-attention, and of both attentions to the memory.
        feed_forward: width of the block's last part.
        self_stride: self-attention's keys are every n-th token of the flat sequence.
        memory_stride: long-term memory keeps every n-th row and column.
        window: side of the short-term attention's window, odd.
        drop_path: probability of leaving out a block's part, in training.
        drop_path_match: whether that holds for the attentions to the memory too.
        normalize_stream: the normalised output of a layer feeds the next one (PAOT).
        identity_bank: "patch" (a convolution over the mask) or "vector" (one vector per identity).
        identity_norm: LayerNorm behind the bank (AOST, PAOT).
        capacity: objects per group; with ``stuff_capacity`` the things among them.
        stuff_capacity: 0 = one bank for all objects; else objects of stuff per group (Pano-ID).
        gate_per_head: v2's gate has one channel per head (code) or one in all (AOST, eq. 5).
        decoder: "fpn", "scalable_fpn" (an entry convolution per depth) or "pyramid".
        pyramid_entry: between scales, a 1x1 "conv" or a "residual" unit (Swin).
        memory_gap_train, memory_gap_test: frames between writes into long-term memory; 0 = only
            reference frames are written.
        merge: groups of objects are merged at "full" output size or at "stride4".
    """

    encoder: str = "mobilenet_v2"
    encoder_width: float = 1.0
    encoder_norm: str = "FrozenBN"
    encoder_freeze_at: int = 2
    encoder_drop_path: float = 0.3
    align_corners: bool = True
    channels: tuple[int, ...] = (256,)
    layers: tuple[int, ...] = (1,)
    block: str = "v1"
    share_layers: bool = False
    self_heads: tuple[int, ...] = (8,)
    match_heads: tuple[int, ...] = (8,)
    feed_forward: tuple[int, ...] = (1024,)
    self_stride: tuple[int, ...] = (1,)
    memory_stride: tuple[int, ...] = (1,)
    window: int = 15
    drop_path: tuple[float, ...] = (0.1,)
    drop_path_match: tuple[bool, ...] = (False,)
    normalize_stream: bool = False
    identity_bank: str = "patch"
    identity_norm: bool = False
    capacity: int = 10
    stuff_capacity: int = 0
    gate_per_head: bool = True
    decoder: str = "fpn"
    pyramid_entry: str = "conv"
    memory_gap_train: int = 0
    memory_gap_test: int = 0
    merge: str = "full"

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise InputError(f"{name}: expected one of {known}, got {getattr(self, name)!r}")
        scales = 4 if self.decoder == "pyramid" else 1
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
            if isinstance(value, (list, tuple)) and len(value) != scales:
                raise InputError(
                    f"{field.name}: expected {scales} values, one per scale of decoder "
                    f"{self.decoder!r}, got {list(value)}"
                )
        if scales == 1 and self.memory_stride != (1,):
            # A layer without short-term memory borrows a whole frame from the long-term one.
            raise InputError(
                f"memory_stride: expected [1] without a pyramid, got {list(self.memory_stride)}"
            )
        if self.window % 2 == 0:
            raise InputError(f"window: expected an odd side, got {self.window}")

    @property
    def depth(self) -> int:
        """Number of layers that are passed one after the other."""
        return sum(self.layers)

    @property
    def panoptic(self) -> bool:
        """Whether things and stuff have banks of their own."""
        return self.stuff_capacity > 0

    @property
    def output_channels(self) -> int:
        """Background, stuff of the panoptic banks, objects."""
        return 1 + self.stuff_capacity + self.capacity


_LONG_TERM = {"memory_gap_train": 2, "memory_gap_test": 5}
_RESNET = {"encoder": "resnet50"}
_SWIN = {"encoder": "swin_b", "align_corners": False}

AOT_T = NetworkSettings()
AOT_S = replace(AOT_T, layers=(2,))
AOT_B = replace(AOT_T, layers=(3,))
AOT_L = replace(AOT_B, **_LONG_TERM)
AOST = replace(AOT_L, block="v2", identity_norm=True, decoder="scalable_fpn", merge="stride4")
# The published share model decodes the last output only, with the plain decoder.
AOST_SHARE = replace(AOST, share_layers=True, decoder="fpn")
PAOT = replace(
    AOT_L,
    channels=(256, 256, 256, 128),
    layers=(2, 1, 1, 0),
    block="v2",
    self_heads=(8, 8, 4, 1),
    match_heads=(1, 1, 1, 1),
    feed_forward=(1024, 1024, 1024, 512),
    self_stride=(1, 1, 2, 2),
    memory_stride=(1, 1, 2, 2),
    # In main training; pre-training has 0.5 at the third scale.
    drop_path=(0.1, 0.1, 0.2, 0.1),
    drop_path_match=(False, False, True, False),
    normalize_stream=True,
    identity_norm=True,
    decoder="pyramid",
    merge="stride4",
)
_PANOPTIC = {"stuff_capacity": 5}
_SWIN_PYRAMID = {**_SWIN, "pyramid_entry": "residual"}

VARIANTS: dict[str, NetworkSettings] = {
    "AOT-T": AOT_T,
    "AOT-S": AOT_S,
    "AOT-B": AOT_B,
    "AOT-L": AOT_L,
    "R50-AOT-L": replace(AOT_L, **_RESNET),
    "SwinB-AOT-L": replace(AOT_L, **_SWIN),
    "AOST": AOST,
    "R50-AOST": replace(AOST, **_RESNET),
    "SwinB-AOST": replace(AOST, **_SWIN),
    "AOST-share": AOST_SHARE,
    "R50-PAOT": replace(PAOT, **_RESNET),
    "R50-PAOT-PanoID": replace(PAOT, **_RESNET, **_PANOPTIC),
    "SwinB-PAOT": replace(PAOT, **_SWIN_PYRAMID),
    "SwinB-PAOT-PanoID": replace(PAOT, **_SWIN_PYRAMID, **_PANOPTIC),
}


def network_settings(variant: str, changes: Mapping[str, Any] | None = None) -> NetworkSettings:
    """A published network, with some settings changed.

    Args:
        variant: a key of ``VARIANTS``.
        changes: setting -> value; None keeps the variant's own.

    Raises:
        InputError: no such variant or setting, or a value that does not fit.
    """
    if variant not in VARIANTS:
        raise InputError(f"MODEL.VOS.VARIANT: expected one of {list(VARIANTS)}, got {variant!r}")
    changes = {name: value for name, value in (changes or {}).items() if value is not None}
    known = {field.name for field in fields(NetworkSettings)}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise InputError(f"expected settings among {sorted(known)}, got {unknown}")
    try:
        return replace(VARIANTS[variant], **changes)
    except InputError as error:
        raise InputError(f"MODEL.VOS.NETWORK.{error} (variant {variant})") from error
