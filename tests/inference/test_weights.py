"""Strict loading of weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vps.inference import load_weights_strict
from vps.structures import InputError


def model(width=3, extra=False):
    torch.manual_seed(0)
    layers = {"body": nn.Linear(2, width), "head": nn.Linear(width, 1)}
    if extra:
        layers["track"] = nn.Linear(width, 4)
    return nn.ModuleDict(layers)


@pytest.mark.parametrize("bare", [False, True])
def test_all_weights_are_loaded(tmp_path, bare):
    source, target = model(), model()
    nn.init.constant_(source["body"].weight, 7.0)
    content = source.state_dict() if bare else {"model": source.state_dict(), "iteration": 3}
    torch.save(content, tmp_path / "w.pth")
    load_weights_strict(target, tmp_path / "w.pth")
    for key, weight in source.state_dict().items():
        torch.testing.assert_close(target.state_dict()[key], weight, rtol=0, atol=0)


# model of the file, model to load into, what the error says
MISFITS = [
    (model(), model(extra=True), "2 missing (track.weight, track.bias)"),
    (model(extra=True), model(), "2 unexpected (track.weight, track.bias)"),
    (model(4), model(3), "body.weight [4, 2] instead of [3, 2], body.bias [4] instead of [3]"),
    (
        nn.Linear(1, 1),
        model(),
        "4 missing (body.weight, body.bias, head.weight, ...); 2 unexpected",
    ),
]


@pytest.mark.parametrize("source, target, message", MISFITS, ids=range(len(MISFITS)))
def test_weights_of_another_architecture_are_refused_whole(tmp_path, source, target, message):
    torch.save({"model": source.state_dict()}, tmp_path / "w.pth")
    before = {key: weight.clone() for key, weight in target.state_dict().items()}
    with pytest.raises(InputError) as caught:
        load_weights_strict(target, tmp_path / "w.pth")
    assert message in str(caught.value)
    assert "ModuleDict" in str(caught.value) and "w.pth" in str(caught.value)
    for key, weight in before.items():
        torch.testing.assert_close(target.state_dict()[key], weight, rtol=0, atol=0)


class Malicious:
    def __reduce__(self):
        import os

        return os.system, ("touch was_run",)


# what is in the file, what the error says
BAD_FILES = [
    (None, "no such file"),
    (b"", "empty file"),
    (b"PK\x03\x04 cut off", "broken or foreign"),
    ({"model": Malicious()}, "may run code"),
    ({"model": 3}, "expected tensors by name"),
]


@pytest.mark.parametrize("content, message", BAD_FILES, ids=[row[1] for row in BAD_FILES])
def test_files_without_weights_are_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=message) as caught:
        load_weights_strict(model(), path)
    assert "w.pth" in str(caught.value)
    assert not (tmp_path / "was_run").exists()
