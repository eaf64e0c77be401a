"""The road of a user: train from a committed config, resume, evaluate; one process and two."""

from __future__ import annotations

import json

import pytest
import torch

CONFIG = "configs/shapes_vps/vpsnet_track_R_18.yaml"
SMALL = {
    "INPUT.MIN_SIZE_TRAIN": "(64,)",
    "INPUT.MAX_SIZE_TRAIN": 96,
    "SOLVER.CHECKPOINT_PERIOD": 2,
    "TEST.VPQ_WINDOWS": "(1,2)",
    "SEED": 3,
}
TWO_PROCESSES = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


def command(folder, *flags, **opts):
    """The tool on a small scale; ``SOLVER__MAX_ITER=2`` means SOLVER.MAX_ITER 2."""
    opts = {key.replace("__", "."): value for key, value in opts.items()}
    opts = {**SMALL, "OUTPUT_DIR": folder, **opts}
    pairs = [text for pair in opts.items() for text in pair]
    return ["tools/train_net.py", "--config-file", CONFIG, *flags, *pairs]


def scores(folder):
    return json.loads((folder / "inference" / "shapes_vps_val" / "scores.json").read_text())


@pytest.fixture(scope="module")
def trained(run_tool, tmp_path_factory):
    """4 iterations without a stop."""
    folder = tmp_path_factory.mktemp("trained")
    output = run_tool(*command(folder, SOLVER__MAX_ITER=4))
    assert "VPQ" in output and "STQ" in output
    return folder


def test_training_leaves_its_files(trained):
    files = {path.name for path in trained.iterdir()}
    assert {"config.yaml", "log.txt", "metrics.json", "model_final.pth", "last_checkpoint"} <= files
    last = json.loads((trained / "metrics.json").read_text().splitlines()[-1])
    assert "panoptic_video/VPQ" in last


def test_resume_is_exact(run_tool, trained, tmp_path):
    # As if the process had died at iteration 3, after the checkpoint of iteration 1.
    for name in ("model_0000001.pth", "config.yaml"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    (tmp_path / "last_checkpoint").write_text("model_0000001.pth")
    run_tool(*command(tmp_path, "--resume", SOLVER__MAX_ITER=4))
    one, other = (torch.load(f / "model_final.pth")["model"] for f in (trained, tmp_path))
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    assert scores(tmp_path) == scores(trained)


def test_two_processes_train_and_score_as_one(run_tool, tmp_path):
    two, one = tmp_path / "two", tmp_path / "one"
    run_tool(*TWO_PROCESSES, *command(two, SOLVER__MAX_ITER=2))
    run_tool(*command(one, "--eval-only", MODEL__WEIGHTS=two / "model_final.pth"))
    assert scores(one) == scores(two)  # three videos for two processes


def test_bad_input_is_one_line_and_status_2(run_tool, trained, tmp_path):
    """Weights of another width, found by processes that --num-gpus starts (CPU where no GPU is)."""
    if torch.cuda.is_available():
        pytest.skip("--num-gpus 2 would take GPUs")
    flags = ("--eval-only", "--num-gpus", "2", "--dist-url", "auto")
    opts = {"MODEL__WEIGHTS": trained / "model_final.pth", "MODEL__FPN__OUT_CHANNELS": "32"}
    output = run_tool(*command(tmp_path, *flags, **opts), status=2)
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert errors and all("of another shape" in line for line in errors)
    assert "Traceback" not in output
