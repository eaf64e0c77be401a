"""A tiny Shapes-VPS in a folder of its own, and the tools run on it as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest


@pytest.fixture(scope="session")
def shapes_root(repository, tmp_path_factory):
    """A folder for $DETECTRON2_DATASETS with shapes_vps/{train,val}: 3 and 3 videos of 64x96."""
    root = tmp_path_factory.mktemp("datasets")
    sizes = "--height 64 --width 96 --videos 3 --frames 4 --val-videos 3 --val-frames 3 --things 2"
    command = [sys.executable, "datasets/make_shapes.py", "--root", str(root / "shapes_vps")]
    subprocess.run([*command, *sizes.split()], cwd=repository, check=True, capture_output=True)
    return root


@pytest.fixture(scope="session")
def run_tool(repository, shapes_root):
    """A function that runs a command line in the checkout; gives its output, checks its status."""

    def run(*command: str, status: int = 0, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=repository,
            env={
                **os.environ,
                "DETECTRON2_DATASETS": str(shapes_root),
                "OMP_NUM_THREADS": "1",
                **(env or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    return run


@pytest.fixture(scope="session")
def weights(run_tool, tmp_path_factory):
    """Weights of configs/shapes_vps/vpsnet_track_R_18.yaml after one iteration, and what the
    training left beside them.
    """
    folder = tmp_path_factory.mktemp("weights")
    config = "configs/shapes_vps/vpsnet_track_R_18.yaml"
    opts = ["SOLVER.MAX_ITER", "1", "DATASETS.TEST", "()", "INPUT.MIN_SIZE_TRAIN", "(64,)"]
    run_tool("tools/train_net.py", "--config-file", config, "OUTPUT_DIR", folder, *opts)
    return folder / "model_final.pth"
