"""Inner tensors of the official programs, module by module: finds the first that differs.

Names on the left are theirs. Where their module's output is an inner value of ours, the next one
down the list tells.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from aot_fixture import images, recorded_network

from vps.modeling.vos.official_names import official_name

TOLERANCE = 2e-4  # of the recorded tensor's standard deviation
# Maps that no activation follows within one of our modules, beside all sequences of tokens.
SIMPLE = re.compile(
    r"^(encoder_projector|adapters|decoder\.adapter|decoder\.conv_out|conv_output2)"
)
MODELS = ("aott", "aost_d3", "r50_paot_pano")


@pytest.mark.parametrize("model", MODELS)
@torch.inference_mode()
def test_first_match(shared_dir, model):
    """A reference pass and the match after it, with hooks on all of our modules."""
    folder = shared_dir / "oracles" / "aot" / model
    if not folder.is_dir():
        pytest.skip(f"needs oracles/aot/{model} in the shared folder")
    clip, expected = np.load(folder / "clip.npz"), np.load(folder / "expected.npz")
    network = recorded_network(folder, model)
    outputs = {}
    for name, module in network.named_modules():
        module.register_forward_hook(lambda m, i, output, name=name: outputs.update({name: output}))
    features = network.encode(images(clip["frames"][:2]))
    identities = network.embed_identities(_one_hot(network, expected["base/fed"][0], clip))
    first = network.propagate(features.select([0]), None, identities=identities)
    entries = network.remember(first, identities)
    outputs.clear()
    features = network.encode(images(clip["frames"][1:2]))
    memory = network.build_memory([entries], entries, first.sizes)
    network.propagate(features, memory)

    compared = []
    with np.load(folder / "trace.npz") as trace:
        for key, shape, _, std, _ in json.loads((folder / "trace.json").read_text()):
            theirs = key.removeprefix("f1/")
            simple = len(shape) == 3 or SIMPLE.search(theirs)
            ours = _find(outputs, theirs)
            if not key.startswith("f1/") or "#" in key or not simple or ours is None:
                continue
            difference = np.abs(_recorded_part(ours, shape) - trace[key]).max() / std
            assert difference <= TOLERANCE, f"{key} is the first to differ: {difference:.1e} x std"
            compared.append(key)
    assert len(compared) >= 15, compared


def _one_hot(network, labels, clip):
    """The recorded mask: objects take slots in the order of their ids, per kind."""
    slots = {0: 0}
    free = {True: network.channels - network.settings.capacity, False: 1}
    for object_id in range(1, 5):
        kind = bool(clip["isthing"][object_id - 1]) or not network.panoptic
        slots[object_id] = free[kind]
        free[kind] += 1
    one_hot = torch.zeros(1, network.channels, *labels.shape)
    for object_id, channel in slots.items():
        one_hot[0, channel] = torch.from_numpy(labels == object_id)
    return one_hot


def _find(outputs, theirs):
    """Our module's output by the official module name; None where we have no such module."""
    attention = re.search(r"(self|long_term|short_term)_attn$", theirs)
    key = theirs + (".projection.weight" if attention else ".weight")
    name = official_name(key).removesuffix(".weight")
    output = outputs.get(name.removesuffix(".output") if attention else name)
    return output[0] if isinstance(output, tuple) else output  # a block: stream and entry


def _recorded_part(ours, shape):
    """The stored corner, with tokens in our order of axes: (B, N, C) for their (N, B, C)."""
    if len(shape) == 4:
        return ours[0, :8, :8, :8].numpy()
    return ours[0, :16, :16].numpy()
