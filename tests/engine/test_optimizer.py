"""Which parameter gets which learning rate and weight decay, and how gradients are clipped."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vps.config import add_vps_config
from vps.d2.config import get_cfg
from vps.d2.solver import get_default_optimizer_params
from vps.engine import build_optimizer, parameter_groups
from vps.structures import InputError


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.ModuleDict({"stem": nn.Conv2d(3, 2, 1), "norm": nn.BatchNorm2d(2)})
        self.head = nn.Sequential(nn.Linear(2, 2), nn.GroupNorm(1, 2), nn.Linear(2, 2, bias=False))
        self.shared = self.head[0]
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.embedding = nn.Parameter(torch.zeros(3))


def settings(model, groups):
    """{parameter name: (learning rate, weight decay)}"""
    name_of = {parameter: name for name, parameter in model.named_parameters()}
    return {
        name_of[parameter]: (group["lr"], group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {},
            {
                "embedding": (1.0, 0.5),
                "backbone.stem.weight": (1.0, 0.5),
                "backbone.stem.bias": (1.0, 0.5),
                "backbone.norm.weight": (1.0, 0.0),
                "backbone.norm.bias": (1.0, 0.0),
                "head.0.weight": (1.0, 0.5),
                "head.0.bias": (1.0, 0.5),
                "head.1.weight": (1.0, 0.0),
                "head.1.bias": (1.0, 0.0),
                "head.2.weight": (1.0, 0.5),
            },
        ),
        (
            {"backbone_multiplier": 0.1, "bias_lr_factor": 2.0, "weight_decay_bias": 0.25},
            {
                "embedding": (1.0, 0.5),
                "backbone.stem.weight": (0.1, 0.5),
                "backbone.stem.bias": (0.2, 0.25),
                "backbone.norm.weight": (0.1, 0.0),
                "backbone.norm.bias": (0.2, 0.25),
                "head.0.weight": (1.0, 0.5),
                "head.0.bias": (2.0, 0.25),
                "head.1.weight": (1.0, 0.0),
                "head.1.bias": (2.0, 0.25),
                "head.2.weight": (1.0, 0.5),
            },
        ),
        (
            {"backbone_multiplier": 0.1, "last_lr": 0.5, "no_weight_decay": ("embedding", "stem")},
            {
                "embedding": (1.0, 0.0),
                "backbone.stem.weight": (0.55, 0.0),
                "backbone.stem.bias": (0.55, 0.0),
                "backbone.norm.weight": (0.55, 0.0),
                "backbone.norm.bias": (0.55, 0.0),
                "head.0.weight": (1.0, 0.5),
                "head.0.bias": (1.0, 0.5),
                "head.1.weight": (1.0, 0.0),
                "head.1.bias": (1.0, 0.0),
                "head.2.weight": (1.0, 0.5),
            },
        ),
    ],
)
def test_settings_of_each_parameter(options, expected):
    model = Model()
    groups = parameter_groups(
        model, base_lr=1.0, weight_decay=0.5, weight_decay_norm=0.0, **options
    )
    assert settings(model, groups) == expected
    assert len(groups) == len(set(expected.values()))


@pytest.mark.parametrize("options", [{}, {"bias_lr_factor": 2.0, "weight_decay_bias": 0.25}])
def test_settings_are_those_of_detectron2(options):
    model, common = Model(), {"base_lr": 1.0, "weight_decay": 0.5, "weight_decay_norm": 0.125}
    theirs = get_default_optimizer_params(model, **common, **options)
    ours = parameter_groups(model, **common, **options)
    assert settings(model, ours) == settings(model, theirs)


def config(**solver):
    cfg = get_cfg()
    add_vps_config(cfg)
    for name, value in solver.items():
        if name.startswith("CLIP") or name == "ENABLED":
            setattr(cfg.SOLVER.CLIP_GRADIENTS, name, value)
        else:
            setattr(cfg.SOLVER, name, value)
    return cfg


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        ({}, [[3.0, 4.0], [12.0]]),
        ({"ENABLED": True, "CLIP_TYPE": "value"}, [[3.0, 4.0], [6.5]]),
        ({"ENABLED": True, "CLIP_TYPE": "norm"}, [[3.0, 4.0], [6.5]]),  # each parameter for itself
        ({"ENABLED": True, "CLIP_TYPE": "full_model"}, [[1.5, 2.0], [6.0]]),  # norm 13 -> 6.5
    ],
)
def test_gradient_clipping(clip, expected):
    model = nn.ParameterList([nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))])
    cfg = config(BASE_LR=1.0, MOMENTUM=0.0, WEIGHT_DECAY=0.0, CLIP_VALUE=6.5, **clip)
    optimizer = build_optimizer(cfg, model)
    model[0].grad, model[1].grad = torch.tensor([3.0, 4.0]), torch.tensor([12.0])
    optimizer.step()
    steps = [(-parameter).tolist() for parameter in model]
    for step, wanted in zip(steps, expected):
        assert step == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("solver", "kind"), [({}, torch.optim.SGD), ({"OPTIMIZER": "ADAMW"}, torch.optim.AdamW)]
)
def test_kind_of_optimizer(solver, kind):
    optimizer = build_optimizer(config(ENABLED=True, **solver), Model())
    assert isinstance(optimizer, kind)


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        ({"OPTIMIZER": "LION"}, "SOLVER.OPTIMIZER: expected SGD or ADAMW, got 'LION'"),
        ({"ENABLED": True, "CLIP_TYPE": "all"}, "CLIP_TYPE: expected one of value, norm, full_mod"),
    ],
)
def test_unknown_names(solver, message):
    with pytest.raises(InputError, match=message):
        build_optimizer(config(**solver), Model())
