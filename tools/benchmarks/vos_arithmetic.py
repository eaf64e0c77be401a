"""The arithmetic of one frame, by part, from the shapes that pass through the network.

Multiplications and additions count one each, and only those that the method asks for: 225 keys per
query in short-term attention, however many a program computes to get them. Normalisation,
activations, exponentials and resizing are left out, as is usual; they are a few percent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torchvision.models.swin_transformer import ShiftedWindowAttention

from vps.modeling.vos.attention import LongTermAttention, SelfAttention, ShortTermAttention
from vps.modeling.vos.network import VOSNetwork

PARTS = (
    "encoder",
    "projection",
    "self-attention",
    "long-term attention",
    "short-term attention",
    "queries, keys, values",
    "feed-forward",
    "decoder",
    "identity banks",
)
_OF_A_BLOCK = {
    "self_attention": "self-attention",
    "long_term": "long-term attention",
    "short_term": "short-term attention",
    "feed_forward": "feed-forward",
}


@contextmanager
def count_arithmetic(network: VOSNetwork) -> Iterator[dict[str, float]]:
    """Count while the network runs.

    Args:
        network: not changed; what is called of it within the context is counted.

    Yields:
        {part: operations}, filled as the network runs; every part of ``PARTS``, in that order.
    """
    counts = dict.fromkeys(PARTS, 0.0)
    handles = []
    for name, module in network.named_modules():
        rule = _rule(module)
        if rule is not None:
            part = part_of(name)

            def note(module, inputs, output, part=part, rule=rule) -> None:
                counts[part] += rule(module, inputs, output)

            handles.append(module.register_forward_hook(note))
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def part_of(name: str) -> str:
    """The part that a module belongs to, by its path in the network."""
    steps = name.split(".")
    if steps[0] == "encoder":
        return "encoder"
    if steps[0] == "identity_banks":
        return "identity banks"
    for step in steps:
        if step in _OF_A_BLOCK:
            return _OF_A_BLOCK[step]
    if steps[1] in ("projection", "projections"):
        return "projection"
    if steps[1] in ("blocks", "scales"):
        return "queries, keys, values"
    return "decoder"


def _rule(module: nn.Module):
    """What a module computes itself, without the modules in it; None: nothing that counts."""
    if isinstance(module, SelfAttention):
        return _self_attention
    if isinstance(module, LongTermAttention):
        return _long_term
    if isinstance(module, ShortTermAttention):
        return _short_term
    if isinstance(module, ShiftedWindowAttention):
        return _window_attention
    if isinstance(module, nn.Linear):
        return _linear
    if isinstance(module, nn.Conv2d):
        return _convolution
    return None


def _linear(module: nn.Linear, inputs, output) -> float:
    return 2 * output.numel() * module.in_features


def _convolution(module: nn.Conv2d, inputs, output) -> float:
    return 2 * output.numel() * module.weight[0].numel()


def _self_attention(module: SelfAttention, inputs, output) -> float:
    """Q K^T and A V: 2 N M C each."""
    tokens = output.shape[1]
    keys = len(range(0, tokens, module.stride))
    return 4 * output.numel() * keys


def _long_term(module: LongTermAttention, inputs, output) -> float:
    """Q K^T for each row of keys, A V for each row of values: 2 N M C each."""
    _, memory = inputs
    return 2 * output[0].numel() * memory.key.shape[2] * (len(memory.key) + len(memory.value))


def _short_term(module: ShortTermAttention, inputs, output) -> float:
    """Scores, relative bias, values, relative values: 2 N window^2 C each."""
    return 8 * output.numel() * module.window**2


def _window_attention(module: ShiftedWindowAttention, inputs, output) -> float:
    """Swin's, whose linear layers are not called as modules; the map is padded to whole windows."""
    batch, height, width, channels = output.shape
    rows, columns = module.window_size
    tokens = batch * -(-height // rows) * rows * -(-width // columns) * columns
    linear = 2 * channels * (3 * channels + channels)
    return tokens * (linear + 4 * rows * columns * channels)
