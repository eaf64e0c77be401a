"""Talk between processes: alone, and two of them over gloo."""

from __future__ import annotations

import pytest
import torch
from contract_toy import talk_between_processes

from vps.d2.engine import create_ddp_model, launch
from vps.d2.utils import comm


def test_one_process():
    assert (comm.get_world_size(), comm.get_rank(), comm.is_main_process()) == (1, 0, True)
    assert (comm.get_local_rank(), comm.get_local_size()) == (0, 1)
    assert comm.all_gather("a") == ["a"]
    assert comm.gather({"a": 1}) == [{"a": 1}]
    assert isinstance(comm.shared_random_seed(), int)
    values = {"loss": torch.tensor(1.0)}
    assert comm.reduce_dict(values) is values
    assert comm.synchronize() is None
    model = torch.nn.Linear(1, 1)
    assert create_ddp_model(model) is model


@pytest.mark.parametrize("processes", [0, 1])
def test_launch_stays_in_this_process(processes):
    seen = []
    launch(lambda *args: seen.append(args), processes, args=(1, "b"))
    assert seen == [(1, "b")]


def test_launch_two_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # gloo, also on a machine with one GPU
    launch(talk_between_processes, 2, dist_url="auto", args=(str(tmp_path),))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["done0", "done1"]
    assert len({path.read_text() for path in tmp_path.iterdir()}) == 1
