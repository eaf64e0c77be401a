"""Normalisation by name, convolutions with norm and activation, deformable convolution."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vps.layers import (
    Conv2d,
    DeformConv2d,
    EvalBatchNorm2d,
    FrozenBatchNorm2d,
    freeze_batch_norm,
    get_norm,
    init_msra,
    init_xavier,
)


def trained_norm(channels: int = 8) -> nn.BatchNorm2d:
    """Batch normalisation whose four tensors and step counter are not their initial values."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(channels)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias)
    norm(torch.randn(4, channels, 5, 5) * 3 + 1)
    return norm


@pytest.mark.parametrize(
    ("name", "trainable", "statistics_move"),
    [
        ("BN", 2, True),
        ("FrozenBN", 0, False),
        ("EvalBN", 2, False),
        ("SyncBN", 2, True),
        ("GN", 2, False),
    ],
)
def test_norms_by_name(name, trainable, statistics_move):
    norm = get_norm(name, 32).train()
    assert len([p for p in norm.parameters() if p.requires_grad]) == trainable
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    x = torch.randn(2, 32, 4, 4) + 5
    y = norm(x)
    assert y.shape == x.shape
    moved = any(not torch.equal(value, before[key]) for key, value in norm.state_dict().items())
    assert moved == statistics_move


def test_no_norm_and_unknown_norm():
    assert get_norm("", 8) is None
    with pytest.raises(ValueError, match=r"FrozenBN.*got 'LN'"):
        get_norm("LN", 8)


def test_group_norm_of_few_channels():
    assert get_norm("GN", 16).num_groups == 16


@pytest.mark.parametrize("needs_gradient", [False, True])
def test_frozen_norm_equals_batch_norm_in_eval_mode(needs_gradient):
    norm = trained_norm().eval()
    frozen = freeze_batch_norm(norm)
    assert isinstance(frozen, FrozenBatchNorm2d)
    x = torch.randn(2, 8, 3, 3, requires_grad=needs_gradient)
    torch.testing.assert_close(frozen(x), norm(x))


def test_fresh_frozen_norm_is_the_identity():
    x = torch.randn(2, 8, 3, 3)
    torch.testing.assert_close(FrozenBatchNorm2d(8)(x), x)


def test_eval_norm_trains_only_its_affine_part_and_stays_in_eval_mode():
    norm = EvalBatchNorm2d(8)
    norm.load_state_dict(trained_norm().state_dict())
    network = nn.Sequential(norm).train()
    assert not norm.training
    x = torch.randn(2, 8, 3, 3)
    y = network(x)
    torch.testing.assert_close(y, trained_norm().eval()(x))
    y.sum().backward()
    assert norm.weight.grad is not None and norm.bias.grad is not None


@pytest.mark.parametrize("source", ["BN", "FrozenBN", "EvalBN"])
@pytest.mark.parametrize("target", ["FrozenBN", "EvalBN", "BN"])
def test_checkpoints_pass_between_kinds_of_batch_norm(source, target):
    state = dict(get_norm(source, 8).state_dict())
    state["running_mean"] = torch.arange(8.0)
    norm = get_norm(target, 8)
    norm.load_state_dict(state)
    assert torch.equal(norm.running_mean, torch.arange(8.0))


def test_freezing_reaches_into_modules_and_keeps_the_keys():
    block = nn.Sequential(Conv2d(3, 8, 1, norm=trained_norm()), nn.ReLU())
    keys = list(block.state_dict())
    freeze_batch_norm(block)
    assert isinstance(block[0].norm, FrozenBatchNorm2d)
    assert list(block.state_dict()) == keys
    state = block.state_dict()
    del state["0.norm.num_batches_tracked"]
    block.load_state_dict(state)  # strict: a missing step counter is no error


def test_convolution_order_and_names():
    torch.manual_seed(0)
    conv = Conv2d(3, 8, 3, padding=1, bias=False, norm=trained_norm().eval(), activation=F.relu)
    x = torch.randn(1, 3, 5, 5)
    expected = F.relu(conv.norm(F.conv2d(x, conv.weight, padding=1)))
    torch.testing.assert_close(conv(x), expected)
    assert {"weight", "norm.weight", "norm.running_var"} <= set(conv.state_dict())


def test_deformable_convolution_starts_as_a_convolution():
    torch.manual_seed(0)
    layer = DeformConv2d(4, 6, activation=F.relu, norm=nn.GroupNorm(2, 6))
    x = torch.randn(2, 4, 7, 9)
    expected = F.relu(layer.norm(F.conv2d(x, layer.weight, layer.bias, padding=1)))
    torch.testing.assert_close(layer(x), expected)
    assert layer.offset.weight.shape == (18, 4, 3, 3)
    assert set(DeformConv2d(4, 6, bias=False).state_dict()) == {
        "weight",
        "offset.weight",
        "offset.bias",
    }


def test_deformable_convolution_samples_where_the_offsets_point():
    layer = DeformConv2d(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    layer.weight.data[0, 0, 1, 1] = 1  # identity kernel
    layer.offset.bias.data[1::2] = 1  # every tap one pixel to the right: (dy, dx) pairs
    x = torch.arange(12.0).view(1, 1, 3, 4)
    assert torch.equal(layer(x)[..., :3], x[..., 1:])


def test_deformable_convolution_trains_on_the_cpu():
    torch.manual_seed(0)
    layer = DeformConv2d(4, 6)
    layer(torch.randn(1, 4, 5, 5)).square().sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad.abs().sum() > 0


def test_initialisations_have_the_promised_variance():
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 128, 3)
    init_msra(conv)
    assert float(conv.weight.detach().std()) == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.05)
    init_xavier(conv)
    assert float(conv.weight.detach().std()) == pytest.approx((1 / (64 * 9)) ** 0.5, rel=0.05)
    assert conv.bias.abs().sum() == 0
