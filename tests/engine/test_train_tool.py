"""tools/train_net.py: its options, its exit status, and several processes on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from engine_toy import load_train_net, write_config

from vps.structures import InputError

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def train_net():
    return load_train_net()


def options(folder, *opts, flags=()):
    config = ["--config-file", str(write_config(folder))]
    return [*config, *flags, "OUTPUT_DIR", str(folder), *map(str, opts)]


def start(root, *options, torchrun=0):
    """Run the tool with the toys in new processes; returns (exit status, output)."""
    command = [sys.executable]
    if torchrun:
        command += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={torchrun}"]
    path = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*command, str(HERE / "engine_toy.py"), str(root), *options],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
    )
    return done.returncode, done.stdout


def scores(folder):
    return json.loads((folder / "inference" / "engine_toy" / "scores.json").read_text())


def test_train_resume_evaluate(toy_root, tmp_path, train_net):
    trained = train_net.main(options(tmp_path, "SOLVER.MAX_ITER", 3))
    assert "VPQ" in trained["panoptic_video"]
    assert {"config.yaml", "log.txt", "metrics.json", "model_final.pth", "last_checkpoint"} <= {
        path.name for path in tmp_path.iterdir()
    }
    resumed = train_net.main(options(tmp_path, "SOLVER.MAX_ITER", 5, flags=["--resume"]))
    assert torch.load(tmp_path / "model_final.pth")["iteration"] == 4
    final = ("MODEL.WEIGHTS", tmp_path / "model_final.pth")
    assert train_net.main(options(tmp_path / "e", *final, flags=["--eval-only"])) == resumed
    assert train_net.main(options(tmp_path, flags=["--eval-only", "--resume"])) == resumed
    first = ("MODEL.WEIGHTS", tmp_path / "model_0000001.pth")
    assert train_net.main(options(tmp_path / "e", *first, flags=["--eval-only"])) != resumed


def test_expected_results_are_verified(toy_root, tmp_path, train_net):
    expected = "TEST.EXPECTED_RESULTS", "(('panoptic_video', 'VPQ', 1000.0, 0.1),)"
    with pytest.raises(SystemExit):
        train_net.main(options(tmp_path, "SOLVER.MAX_ITER", 1, *expected))


@pytest.mark.parametrize(
    ("opts", "flags", "message"),
    [
        (("SOLVER.NO_SUCH", 1), (), "command line option: .*NO_SUCH"),
        ((), ("--eval-only",), "expected weights to evaluate, got none"),
        ((), ("--eval-only", "--resume"), "expected weights to evaluate, got none"),
        (("MODEL.WEIGHTS", "no/such.pth"), ("--eval-only",), "no/such.pth, got no such file"),
        (("MODEL.WEIGHTS", "no/such.pth"), (), "no/such.pth, got no such file"),
        (("DATASETS.TRAIN", ("engine_toy", "unheard_of")), (), "unheard_of"),
        (("SOLVER.OPTIMIZER", "LION"), (), "expected SGD or ADAMW"),
        (("SOLVER.IMS_PER_BATCH", 0), (), "SOLVER.IMS_PER_BATCH"),
    ],
)
def test_bad_input(toy_root, tmp_path, train_net, opts, flags, message):
    with pytest.raises(InputError, match=message):
        train_net.main(options(tmp_path, *opts, flags=flags))


def test_a_device_that_torch_does_not_know(tmp_path, train_net):
    with pytest.raises(InputError, match="say cpu or cuda, got 'quark'"):
        train_net.main(options(tmp_path, "MODEL.DEVICE", "quark"))


def test_a_gpu_that_is_not_there(tmp_path, train_net, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"MODEL\.DEVICE cuda, got none; add MODEL\.DEVICE cpu"):
        train_net.main(options(tmp_path, "MODEL.DEVICE", "cuda"))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "expected --config-file FILE"),
        (["--config-file", "no_such.yaml"], "config file no_such.yaml does not exist"),
    ],
)
def test_bad_config_file(train_net, argv, message):
    with pytest.raises(InputError, match=message):
        train_net.main(argv)


def test_bad_input_is_one_line_and_exit_status_2(train_net, capsys):
    with pytest.raises(SystemExit) as ended:
        train_net.exit_on_input_error(train_net.main, ["--config-file", "no_such.yaml"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: config file no_such.yaml does not exist\n"


def test_two_processes(toy_root, tmp_path, train_net):
    """They train; the scores are those of one process; a resume of both is exact."""
    two = start(toy_root, *options(tmp_path / "two"), torchrun=2)
    assert two[0] == 0, two[1]
    final = ("MODEL.WEIGHTS", tmp_path / "two" / "model_final.pth")
    train_net.main(options(tmp_path / "one", *final, flags=["--eval-only"]))
    # Five videos on two processes; running statistics of batch normalisation differ in training.
    assert scores(tmp_path / "one") == scores(tmp_path / "two")

    (tmp_path / "two" / "last_checkpoint").write_text("model_0000003.pth")
    expected = torch.load(tmp_path / "two" / "model_final.pth")
    status, output = start(toy_root, *options(tmp_path / "two", flags=["--resume"]), torchrun=2)
    assert status == 0, output
    resumed = torch.load(tmp_path / "two" / "model_final.pth")
    assert resumed["iteration"] == expected["iteration"]
    for name, weight in expected["model"].items():
        assert torch.equal(weight, resumed["model"][name]), name


def test_an_error_in_one_of_several_processes_ends_all(toy_root, tmp_path):
    """A batch of 3 cannot be shared by 2."""
    status, output = start(toy_root, *options(tmp_path, "SOLVER.IMS_PER_BATCH", 3), torchrun=2)
    assert status != 0
    assert "error: expected SOLVER.IMS_PER_BATCH divisible by the 2 processes, got 3" in output
