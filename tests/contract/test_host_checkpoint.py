"""Checkpoints: saving, resuming, files of the model zoo, and files that could run code."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from vps.d2.checkpoint import DetectionCheckpointer, PeriodicCheckpointer


def small_model(value: float = 0.0) -> nn.Module:
    model = nn.Sequential(OrderedDict(conv1=nn.Conv2d(1, 2, 1), norm=nn.BatchNorm2d(2)))
    nn.init.constant_(model.conv1.weight, value)
    return model


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.9)


def test_save_and_load(tmp_path):
    model = small_model(3.0)
    checkpointer = DetectionCheckpointer(model, str(tmp_path), optimizer=optimizer_of(model))
    assert not checkpointer.has_checkpoint()
    assert checkpointer.get_checkpoint_file() == ""
    checkpointer.save("model_0000004", iteration=4)
    assert checkpointer.has_checkpoint()
    assert (tmp_path / "last_checkpoint").read_text() == "model_0000004.pth"
    assert checkpointer.get_checkpoint_file() == str(tmp_path / "model_0000004.pth")
    saved = torch.load(tmp_path / "model_0000004.pth", weights_only=True)
    assert set(saved) == {"model", "optimizer", "iteration"}

    other = small_model()
    optimizer = torch.optim.SGD(other.parameters(), lr=0.5)
    rest = DetectionCheckpointer(other, optimizer=optimizer).load(
        str(tmp_path / "model_0000004.pth")
    )
    assert rest["iteration"] == 4
    assert torch.equal(other.conv1.weight, model.conv1.weight)
    assert optimizer.param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize(("resume", "value", "rate"), [(True, 1.0, 0.25), (False, 2.0, 0.5)])
def test_resume_or_load(tmp_path, resume, value, rate):
    first = small_model(1.0)
    DetectionCheckpointer(first, str(tmp_path), optimizer=optimizer_of(first)).save("model_last")
    weights = tmp_path / "elsewhere.pth"
    torch.save({"model": small_model(2.0).state_dict()}, weights)

    model = small_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    checkpointer = DetectionCheckpointer(model, str(tmp_path), optimizer=optimizer)
    checkpointer.resume_or_load(str(weights), resume=resume)
    assert model.conv1.weight[0].item() == value
    assert optimizer.param_groups[0]["lr"] == rate


def test_nothing_to_load(tmp_path):
    model = small_model(3.0)
    assert DetectionCheckpointer(model, str(tmp_path)).resume_or_load("", resume=True) == {}
    assert model.conv1.weight[0].item() == 3.0
    with pytest.raises((AssertionError, OSError)):
        DetectionCheckpointer(model).load(str(tmp_path / "nowhere.pth"))


def test_nothing_is_saved_where_it_should_not(tmp_path):
    DetectionCheckpointer(small_model(), str(tmp_path), save_to_disk=False).save("model")
    assert not list(tmp_path.iterdir())


def test_bare_state_dict_and_other_shapes(tmp_path, host_log):
    state = small_model(2.0).state_dict()
    state["norm.weight"] = torch.ones(5)
    state["extra"] = torch.ones(1)
    torch.save(state, tmp_path / "bare.pth")
    model = small_model()
    DetectionCheckpointer(model).load(str(tmp_path / "bare.pth"))
    assert model.conv1.weight[0].item() == 2.0
    text = "\n".join(host_log)
    assert "norm.weight" in text  # told, not loaded
    assert "extra" in text


def test_pixel_statistics_may_be_missing(tmp_path, host_log):
    model = small_model()
    torch.save({"model": model.state_dict()}, tmp_path / "old.pth")
    model.register_buffer("pixel_mean", torch.zeros(3))
    DetectionCheckpointer(model).load(str(tmp_path / "old.pth"))
    assert "pixel_mean" not in "\n".join(host_log)


def test_periodic_checkpointer(tmp_path):
    model = small_model()
    checkpointer = DetectionCheckpointer(model, str(tmp_path))
    periodic = PeriodicCheckpointer(checkpointer, period=2, max_iter=5, max_to_keep=1)
    for iteration in range(5):
        periodic.step(iteration)
    assert sorted(path.name for path in tmp_path.glob("*.pth")) == [
        "model_0000003.pth",
        "model_final.pth",
    ]
    assert (tmp_path / "last_checkpoint").read_text() == "model_final.pth"


def zoo_file(path, arrays: dict, **more) -> str:
    with open(path, "wb") as file:
        pickle.dump({"model": arrays, "__author__": "Contract", **more}, file, protocol=2)
    return str(path)


def test_model_zoo_file(tmp_path):
    arrays = {name: value.numpy() for name, value in small_model(4.0).state_dict().items()}
    model = small_model()
    DetectionCheckpointer(model).load(zoo_file(tmp_path / "zoo.pkl", arrays))
    assert model.conv1.weight[0].item() == 4.0


def test_file_of_numpy_1(tmp_path):
    path = zoo_file(tmp_path / "zoo.pkl", {"conv1.bias": np.array([1.0, 2.0], np.float32)})
    content = (tmp_path / "zoo.pkl").read_bytes()
    (tmp_path / "zoo.pkl").write_bytes(content.replace(b"numpy._core", b"numpy.core"))
    model = small_model()
    DetectionCheckpointer(model).load(path)
    assert model.conv1.bias.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("asked", [True, False])
def test_names_are_matched_by_suffix_when_the_file_asks_for_it(tmp_path, asked):
    """``conv1.weight`` fits ``backbone.bottom_up.conv1.weight``; the longer fit wins."""
    model = nn.ModuleDict(
        {"backbone": nn.ModuleDict({"conv1": nn.Linear(1, 1), "res2": small_model()})}
    )
    before = model["backbone"]["conv1"].weight.item()
    arrays = {
        "conv1.weight": np.full((1, 1), 5.0, np.float32),
        "res2.conv1.weight": np.full((2, 1, 1, 1), 6.0, np.float32),
        "fc1000.weight": np.zeros((3, 3), np.float32),
    }
    path = zoo_file(
        tmp_path / "R-50.pkl", arrays, **({"matching_heuristics": True} if asked else {})
    )
    DetectionCheckpointer(model).load(path)
    got = (
        model["backbone"]["conv1"].weight.item(),
        model["backbone"]["res2"].conv1.weight[0].item(),
    )
    assert got == ((5.0, 6.0) if asked else (before, 0.0))


class Bomb:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pth_file_runs_no_code(tmp_path):
    torch.save({"model": Bomb(tmp_path / "boom")}, tmp_path / "bomb.pth")
    with pytest.raises(pickle.UnpicklingError):
        DetectionCheckpointer(small_model()).load(str(tmp_path / "bomb.pth"))
    assert not (tmp_path / "boom").exists()


def test_a_pkl_file_runs_no_code(tmp_path, host):
    if host == "detectron2":
        pytest.skip("real Detectron2 reads .pkl files with plain pickle")
    path = zoo_file(tmp_path / "bomb.pkl", {"conv1.weight": Bomb(tmp_path / "boom")})
    with pytest.raises(pickle.UnpicklingError, match=r"mkdir"):
        DetectionCheckpointer(small_model()).load(path)
    assert not (tmp_path / "boom").exists()


def test_a_pkl_file_has_one_codec(tmp_path, host):
    if host == "detectron2":
        pytest.skip("real Detectron2 reads .pkl files with plain pickle")
    (tmp_path / "codec.pkl").write_bytes(
        b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00hextR."
    )
    with pytest.raises(pickle.UnpicklingError, match="'hex' is not allowed"):
        DetectionCheckpointer(small_model()).load(str(tmp_path / "codec.pkl"))


@pytest.mark.parametrize("content", [b"", b"\x80\x02}q\x00U", b"no pickle at all", b"\x80\x02]."])
def test_a_damaged_pkl_file_is_named(tmp_path, host, content):
    if host == "detectron2":
        pytest.skip("real Detectron2 passes on what pickle says")
    (tmp_path / "damaged.pkl").write_bytes(content)
    with pytest.raises((pickle.UnpicklingError, ValueError), match=r"damaged\.pkl"):
        DetectionCheckpointer(small_model()).load(str(tmp_path / "damaged.pkl"))
