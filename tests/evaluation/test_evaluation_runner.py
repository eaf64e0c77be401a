"""Many videos in several processes: order, start methods, workers that die, Ctrl-C."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from official_world import exact, write_set
from random_videos import random_video

from vps.evaluation.official.runner import Outcome, run_tasks
from vps.structures import InputError, exit_status

TOOLS = Path(__file__).resolve().parents[2] / "tools"


class Numbered:
    """A task that does nothing."""

    problem = None

    def __init__(self, video_id: str) -> None:
        self.video_id = video_id

    def __len__(self) -> int:
        return 1


class ScoreOrDie:
    """Scores nothing, but one task kills its worker and one takes ten minutes."""

    def prepare(self, task: Numbered) -> None:
        pass

    def __call__(self, task: Numbered) -> Outcome:
        if task.video_id == "deadly":
            os._exit(9)
        if task.video_id == "slow":
            time.sleep(600)
        return Outcome(task.video_id, 1)


@pytest.mark.parametrize("start_method", ["fork", "forkserver", "spawn"])
def test_outcomes_come_in_order(start_method):
    if start_method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot start processes by {start_method}")
    names = [f"v{number}" for number in range(20)]
    finished = []
    outcomes = run_tasks(
        [Numbered(name) for name in names],
        ScoreOrDie(),
        workers=2,
        start_method=start_method,
        progress=finished.append,
    )
    assert [outcome.video_id for outcome in outcomes] == names
    assert sorted(outcome.video_id for outcome in finished) == sorted(names)


def test_a_worker_that_dies_is_one_sentence():
    with pytest.raises(InputError, match="a worker process died"):
        list(run_tasks([Numbered("deadly")] * 2, ScoreOrDie(), workers=2))


def test_workers_end_when_nobody_asks_for_more():
    """They do not finish the task at hand, which would take ten minutes."""
    outcomes = run_tasks(
        [Numbered("quick"), *[Numbered("slow")] * 4], ScoreOrDie(), workers=2, start_method="fork"
    )
    assert next(outcomes).video_id == "quick"
    assert len(multiprocessing.active_children()) == 2
    outcomes.close()
    assert not multiprocessing.active_children()


@pytest.fixture
def ctrl_c_works():
    """Shells start background jobs with SIGINT ignored, and Python keeps it so."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import evaluate

    return evaluate


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_is_one_line_and_can_be_resumed(
    ctrl_c_works, tool, tmp_path, monkeypatch, capsys, workers
):
    rng = np.random.default_rng(3)
    videos = [v for v in (exact(random_video(rng)) for _ in range(12)) if len(v) > 2][:6]
    files = write_set(tmp_path / "set", videos)
    output = tmp_path / "out"
    options = ["--gt", str(files.gt), "--gt-json", str(files.gt_json), "--pred", str(files.pred)]
    options = ["vipseg", *options, "--quiet", "--workers", workers]
    assert tool.main([*options, "--output", str(tmp_path / "whole")]) == 0
    capsys.readouterr()

    seen = []
    step = tool.ProgressBar.step

    def press_ctrl_c(bar, outcome):
        seen.append(outcome)
        if len(seen) == 3:
            signal.raise_signal(signal.SIGINT)
        step(bar, outcome)

    with monkeypatch.context() as patch:
        patch.setattr(tool.ProgressBar, "step", press_ctrl_c)
        assert tool.main([*options, "--output", str(output)]) == 130
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("interrupted; ") and said.err.count("\n") == 1
    assert "--resume" in said.err
    assert not multiprocessing.active_children()
    assert not (output / "scores.json").exists()
    assert not list((output / "state").glob(".*")) and list((output / "state").iterdir())

    resumed = []
    with monkeypatch.context() as patch:
        patch.setattr(tool.ProgressBar, "step", lambda bar, outcome: resumed.append(outcome))
        assert tool.main([*options, "--output", str(output), "--resume"]) == 0
    assert sum(outcome.reused for outcome in resumed) >= 3
    one, two = (json.loads((f / "scores.json").read_text()) for f in (tmp_path / "whole", output))
    assert one == two


def test_ctrl_c_in_compiled_code_is_an_interrupt_too(capsys):
    """It comes out as a SystemError there; any other SystemError is what it is."""

    def interrupted():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise SystemError("returned a result with an exception set") from error

    assert exit_status(interrupted, interrupted="stopped") == 130
    assert capsys.readouterr().err == "stopped\n"
    with pytest.raises(SystemError, match="of another kind"):
        exit_status(lambda: exec('raise SystemError("of another kind")'))
