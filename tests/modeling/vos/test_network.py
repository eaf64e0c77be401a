"""The network's parts: counts, banks, depths, permutations, groups on the batch axis."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from small_networks import KINDS, small_network

from vps.modeling.vos.block import BlockV1, BlockV2
from vps.modeling.vos.decoder import FPNDecoder
from vps.modeling.vos.encoders import MobileNetV2Encoder
from vps.modeling.vos.identity_bank import PatchBank, VectorBank
from vps.modeling.vos.pyramid import ResidualUnits
from vps.modeling.vos.variants import network_settings
from vps.structures import InputError


def count(module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("module", "parameters"),
    [
        (BlockV1(256), 1_198_088),
        (BlockV2(256), 1_265_936),
        (BlockV2(256, match_heads=1), 1_262_562),
        (PatchBank(11, 256, 16, True), 814_080),
        (PatchBank(11, 256, 16, False), 721_152),
        (FPNDecoder(256, [2], [24, 32, 96], 11, align_corners=True), 131_840 + 1_071_627),
        (FPNDecoder(256, [4], [256, 512, 1024], 11, align_corners=True), 262_912 + 1_461_771),
        (FPNDecoder(256, [3], [128, 256, 512], 11, align_corners=False), 197_376 + 1_248_779),
        (ResidualUnits(256, 256), 2_362_368),
        (ResidualUnits(128, 128), 591_360),
        (ResidualUnits(768, 256), 5_312_256),
        # Published with the scale and offset of batch normalisation, which are fixed here.
        (MobileNetV2Encoder(), 2_223_872 - 34_112),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else str(value),
)
def test_parameters(module, parameters):
    assert count(module) == parameters


@pytest.mark.parametrize("align_corners", [True, False])
@torch.no_grad()
def test_a_constant_patch_bank_is_the_papers_bank(align_corners):
    """Kernels that are constant over space weigh areas by vectors: Y P D."""
    patch, vector = (kind(4, 8, 16, align_corners) for kind in (PatchBank, VectorBank))
    area = patch.kernel_size[0] ** 2
    patch.weight.copy_((vector.vectors.weight / area).expand_as(patch.weight))
    patch.bias.copy_(vector.vectors.bias)
    side = 65 if align_corners else 64
    labels = torch.randint(0, 4, (1, side, side))
    one_hot = F.one_hot(labels, 4).permute(0, 3, 1, 2).float()
    assert torch.allclose(patch(one_hot), vector(one_hot), atol=1e-5)
    assert patch(one_hot).shape[-2:] == ((5, 5) if align_corners else (4, 4))


def equal_logits(found, expected) -> bool:
    """Equal but for rounding, which grows with the logits."""
    return bool((found - expected).abs().max() <= 1e-4 * expected.std())


def frame_and_masks(network, groups, seed=0):
    """Pictures (2, 3, H, W) and the one-hot masks of the first one for some groups."""
    generator = torch.Generator().manual_seed(seed)
    side = (49, 65) if network.align_corners else (48, 64)
    images = torch.randn(2, 3, *side, generator=generator)
    coarse = torch.randint(0, network.channels, (groups, 1, 4, 5), generator=generator)
    labels = F.interpolate(coarse.float(), side, mode="nearest")[:, 0].long()
    return images, F.one_hot(labels, network.channels).permute(0, 3, 1, 2).float()


def two_frames(network, images, one_hot, **options):
    """Logits of the second frame after a reference pass over the first."""
    features = network.encode(images)
    identities = network.embed_identities(one_hot)
    first = network.propagate(features.select([0]), None, identities=identities, decode=False)
    entries = network.remember(first, identities)
    memory = network.build_memory([entries], entries, first.sizes)
    return network.propagate(features.select([1]), memory, **options).logits


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_groups_on_the_batch_axis_equal_groups_one_by_one(kind):
    network = small_network(kind)
    images, one_hot = frame_and_masks(network, groups=3)
    together = two_frames(network, images, one_hot)
    assert together.shape[:2] == (3, network.channels)
    for group in range(3):
        alone = two_frames(network, images, one_hot[group : group + 1])[0]
        assert equal_logits(together[group], alone), group
    assert not torch.allclose(together[0], together[1], atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_at_a_time_equals_all_rows_at_once(kind):
    """On a CPU the parts of a block pass the groups in turn, except where gradients are wanted."""
    network = small_network(kind)
    images, one_hot = frame_and_masks(network, groups=3)
    at_once = two_frames(network, images, one_hot)
    with torch.no_grad():
        in_turn = two_frames(network, images, one_hot)
    assert at_once.requires_grad and not in_turn.requires_grad
    assert equal_logits(in_turn, at_once.detach())


@torch.inference_mode()
def test_several_frames_with_several_groups_each():
    """Rows of the memory belong to the frames one after the other, as ``expand`` orders them."""
    network = small_network("AOST")
    images, one_hot = frame_and_masks(network, groups=4)
    features = network.encode(images)
    identities = network.embed_identities(one_hot)
    shared = network.propagate(features, None, identities=identities).logits
    plain = network.propagate(features.expand(2), None, identities=identities).logits
    assert equal_logits(shared, plain)


@pytest.mark.parametrize("kind", ["AOT", "AOST", "PAOT"])
@torch.inference_mode()
def test_identities_are_exchangeable(kind):
    """Masks in other channels, with the bank's and the predictor's channels moved alike, give the
    same logits in other channels.
    """
    network = small_network(kind)
    images, one_hot = frame_and_masks(network, groups=1)
    expected = two_frames(network, images, one_hot)
    order = torch.tensor([0, 3, 1, 2])
    for bank in network.identity_banks:
        bank.bank.weight.copy_(bank.bank.weight[:, order])
    found = two_frames(network, images, one_hot[:, order])
    assert equal_logits(found, expected)


@pytest.mark.parametrize("depth", [1, 2])
@torch.inference_mode()
def test_a_run_time_depth_equals_the_shallower_model(depth):
    deep, shallow = small_network("AOST"), small_network("AOST", layers=(depth,))
    kept = shallow.state_dict().keys()
    shallow.load_state_dict({key: value for key, value in deep.state_dict().items() if key in kept})
    images, one_hot = frame_and_masks(deep, groups=1)
    found = two_frames(deep, images, one_hot, depth=depth)
    assert torch.equal(found, two_frames(shallow, images, one_hot))
    everything = two_frames(deep, images, one_hot, all_depths=True)
    assert len(everything) == 3
    assert torch.equal(everything[depth - 1], found)


@torch.inference_mode()
def test_the_gate_may_be_one_for_all_heads():
    """The paper's gate: one channel; it is the code's with equal channels."""
    per_head, single = small_network("AOST"), small_network("AOST", gate_per_head=False)
    state = per_head.state_dict()
    for key, value in single.state_dict().items():
        if value.shape == state[key].shape:
            value.copy_(state[key])
    for ours, theirs in zip(single.matching.blocks, per_head.matching.blocks, strict=True):
        for name in ("weight", "bias"):
            many, one = getattr(theirs.identity, name), getattr(ours.identity, name)
            many[:4] = many[0]
            one.copy_(torch.cat((many[:1], many[4:])))
    images, one_hot = frame_and_masks(single, groups=1)
    found = two_frames(single, images, one_hot)
    assert equal_logits(found, two_frames(per_head, images, one_hot))


def test_wrong_depths_and_settings_are_refused():
    network = small_network("AOT")
    images, one_hot = frame_and_masks(network, groups=1)
    with pytest.raises(ValueError, match="after all of its 3 layers"):
        two_frames(network, images, one_hot, depth=1)
    with pytest.raises(ValueError, match="1 to 3"):
        two_frames(network, images, one_hot, depth=4)
    for changes, message in (
        ({"layers": [1, 1]}, "one per scale"),
        ({"block": "v3"}, "block"),
        ({"window": 4}, "odd"),
        ({"no_such": 1}, "no_such"),
        ({"memory_stride": [2]}, "memory_stride"),
    ):
        with pytest.raises(InputError, match=message):
            network_settings("AOT-T", changes)
    with pytest.raises(InputError, match="AOT-X"):
        network_settings("AOT-X")


@torch.inference_mode()
def test_void_pixels_have_no_identity():
    """A mask that is zero in all channels leaves the bank's bias alone."""
    network = small_network("AOT")
    (nothing,) = network.embed_identities(torch.zeros(1, network.channels, 49, 65))
    assert torch.allclose(nothing, network.identity_banks[0].bank.bias.expand_as(nothing))
