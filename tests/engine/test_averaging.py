"""Averaged weights: by hand, in what is evaluated and written, and across a resume, bit for bit."""

from __future__ import annotations

import pytest
import torch
from engine_toy import toy_config
from test_resume import assert_same, assert_same_checkpoint, run, state_of
from torch import nn

from vps.engine import AveragedWeights, VPSTrainer
from vps.structures import InputError

AVERAGING = (
    *("SOLVER.EMA.ENABLED", True, "SOLVER.EMA.SPAN", 0.5),
    *("SOLVER.LR_SCHEDULER_NAME", "WarmupPolyLR", "SOLVER.BASE_LR_END", 0.001),
)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.frozen = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.norm = nn.BatchNorm1d(1, affine=False)


def test_average_by_hand():
    model = Model()
    average = AveragedWeights(model, decay=0.2)
    expected = 0.0
    for step, value in enumerate((1.0, 3.0, -2.0), 1):
        model.weight.data.fill_(value)
        average.update()
        decay = min(0.2, (1 + step) / (10 + step))  # 2/11, then 0.2
        expected = decay * expected + (1 - decay) * value
    with average.applied():
        assert model.weight.tolist() == pytest.approx([expected] * 2)
    assert model.weight.tolist() == [-2.0, -2.0]


def test_what_is_averaged():
    model = Model()
    average = AveragedWeights(model, decay=0.0)
    model.frozen.data.fill_(1.0)
    model.norm.running_mean.fill_(4.0)
    model.norm.num_batches_tracked.fill_(9)
    with average.applied():
        assert model.frozen.item() == 1.0  # has no average
        assert model.norm.running_mean.item() == 0.0
        assert model.norm.num_batches_tracked.item() == 9
    assert set(average.state_dict()["weights"]) == {
        "weight",
        "norm.running_mean",
        "norm.running_var",
    }


def test_a_shared_parameter_comes_back_unharmed():
    model = nn.ModuleDict({"one": nn.Linear(1, 1)})
    model["two"] = model["one"]
    average = AveragedWeights(model, decay=0.5)
    before = model["one"].weight.item()
    model["one"].weight.data.add_(1.0)
    with average.applied():
        assert model["two"].weight.item() == pytest.approx(before)
    assert model["one"].weight.item() == pytest.approx(before + 1)


def test_the_weights_come_back_after_an_error():
    model = Model()
    average = AveragedWeights(model, decay=0.5)
    model.weight.data.fill_(1.0)
    with pytest.raises(ZeroDivisionError), average.applied():
        raise ZeroDivisionError
    assert model.weight.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("decay", [1.0, -0.1])
def test_impossible_decay(decay):
    with pytest.raises(InputError, match=r"in \[0, 1\)"):
        AveragedWeights(Model(), decay=decay)


def test_other_weights_are_refused():
    average = AveragedWeights(nn.Linear(1, 1), decay=0.5)
    with pytest.raises(InputError, match="averages the same weights"):
        average.load_state_dict({"updates": 1, "weights": {"weight": torch.zeros(1, 1)}})


@pytest.fixture(scope="module")
def averaged_run(toy_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("averaged")
    return folder, run(toy_config(folder, *AVERAGING))


def test_the_checkpoint_gives_the_average(averaged_run):
    folder, _ = averaged_run
    state = state_of(folder)
    stored = state["averaging"]
    assert stored["updates"] == 6
    names = stored["weights"].keys()
    assert {"head.weight", "backbone.1.running_mean"} <= names
    differing = [n for n in names if not torch.equal(stored["weights"][n], state["model"][n])]
    assert "head.weight" in differing


def test_training_itself_is_as_without(averaged_run, toy_root, tmp_path):
    folder, expected = averaged_run
    assert run(toy_config(tmp_path, *AVERAGING, "SOLVER.EMA.ENABLED", False)) == expected
    plain, stored = state_of(tmp_path)["model"], state_of(folder)["averaging"]["weights"]
    assert_same({name: plain[name] for name in stored}, stored)


@pytest.mark.parametrize("stop_before", [2, 5])
def test_resume_is_exact(averaged_run, tmp_path, stop_before):
    cfg = toy_config(tmp_path, *AVERAGING, "TEST.EVAL_PERIOD", 1)
    run(cfg, stop_before=stop_before)
    run(cfg, resume=True)
    folder, _ = averaged_run
    for part in ("model", "averaging"):
        assert_same(state_of(tmp_path)[part], state_of(folder)[part])


def test_resume_of_the_whole_checkpoint_is_exact(averaged_run, tmp_path):
    cfg = toy_config(tmp_path, *AVERAGING)
    run(cfg, stop_before=3)
    run(cfg, resume=True)
    assert_same_checkpoint(state_of(tmp_path), state_of(averaged_run[0]))


def test_the_average_is_what_is_evaluated(averaged_run, toy_root, tmp_path):
    folder, _ = averaged_run
    trainer = VPSTrainer(toy_config(tmp_path, *AVERAGING))
    seen = []
    trainer.model.register_forward_pre_hook(
        lambda model, args: seen.append(model.head.weight.clone()) if not model.training else None
    )
    trainer.resume_or_load(False)
    trainer.train()
    assert seen
    assert torch.equal(seen[-1], state_of(folder)["model"]["head.weight"])


def test_the_next_phase_starts_from_the_average(averaged_run, toy_root, tmp_path):
    folder, _ = averaged_run
    weights = str(folder / "model_final.pth")
    trainer = VPSTrainer(toy_config(tmp_path, *AVERAGING, "MODEL.WEIGHTS", weights))
    trainer.resume_or_load(False)
    expected = state_of(folder)["model"]["head.weight"]
    assert torch.equal(trainer.model.head.weight, expected)
    with trainer._average.applied():  # and not from the random weights that the trainer made
        assert torch.equal(trainer.model.head.weight, expected)
