"""A run that is stopped and resumed equals, bit for bit, a run that was never stopped."""

from __future__ import annotations

import json
import logging
import shutil

import pytest
import torch
from engine_toy import toy_config

from vps.d2.engine import hooks
from vps.engine import VPSTrainer
from vps.engine.hooks import forget_metrics_from

STEPS = 6


class KilledError(Exception):
    pass


def run(cfg, *, resume=False, stop_before=None):
    """Train; returns what each step saw: [(iteration, clips, loss)]."""
    trainer = VPSTrainer(cfg)
    seen = []

    def note(trainer):
        loss = trainer.storage.latest()["total_loss"][0]
        seen.append((trainer.iter, clips[-1], loss, trainer.optimizer.param_groups[0]["lr"]))

    def die(trainer):
        if trainer.iter == stop_before:
            raise KilledError

    clips = []
    trainer.model.register_forward_pre_hook(
        lambda model, args: (
            clips.append([(s["video_id"], s["frame_ids"]) for s in args[0]])
            if model.training
            else None
        )
    )
    trainer.register_hooks([hooks.CallbackHook(before_step=die, after_step=note)])
    trainer.resume_or_load(resume)
    try:
        trainer.train()
    except KilledError:
        assert stop_before is not None
    return seen


def state_of(folder):
    return torch.load(folder / "model_final.pth", weights_only=True)


def assert_same(one, other, where=""):
    """Equal in type, keys and every bit."""
    assert type(one) is type(other), where
    if torch.is_tensor(one):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert list(one) == list(other), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other)):
            assert_same(*pair, f"{where}/{index}")
    else:
        assert one == other, where


def assert_same_checkpoint(one, other):
    """As ``assert_same``, apart from the name of the folder."""
    for state in (one, other):
        state["metadata"]["config"] = ""
    assert_same(one, other)


def curves(folder):
    lines = (folder / "metrics.json").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if "time" not in k and "eta" not in k}
        for line in lines
    ]


@pytest.fixture(scope="module")
def uninterrupted(toy_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, run(toy_config(folder))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("stop_before", "resumes_at"),
    [
        (2, 2),  # right after a checkpoint
        (3, 2),  # a step after it, which is done again
        (5, 4),  # in the last window
    ],
)
def test_resume_is_exact(uninterrupted, tmp_path, stop_before, resumes_at, workers):
    cfg = toy_config(tmp_path, "DATALOADER.NUM_WORKERS", workers)
    before = run(cfg, stop_before=stop_before)
    after = run(cfg, resume=True)
    folder, expected = uninterrupted
    assert [step[0] for step in after] == list(range(resumes_at, STEPS))
    assert before[:resumes_at] + after == expected
    assert_same_checkpoint(state_of(tmp_path), state_of(folder))
    assert curves(tmp_path)[-2:] == curves(folder)[-2:]  # of the losses, of the scores


def test_resume_with_evaluation_in_between_is_exact(uninterrupted, tmp_path):
    cfg = toy_config(tmp_path, "TEST.EVAL_PERIOD", 1)
    run(cfg, stop_before=3)
    run(cfg, resume=True)
    assert_same(state_of(tmp_path)["model"], state_of(uninterrupted[0])["model"])


@pytest.mark.parametrize("optimizer", ["SGD", "ADAMW"])
def test_same_seed_same_run(toy_root, tmp_path, optimizer):
    opts = ("SOLVER.OPTIMIZER", optimizer, "SOLVER.MAX_ITER", 3, "MODEL.CHANNELS_LAST", True)
    first, second = (run(toy_config(tmp_path / name, *opts)) for name in "ab")
    assert first == second
    other = run(toy_config(tmp_path / "c", *opts, "SEED", 8))
    assert [step[2] for step in other] != [step[2] for step in first]


def test_a_drawn_seed_is_kept_in_the_checkpoint(toy_root, tmp_path):
    opts = ("SEED", -1)
    run(toy_config(tmp_path / "whole", *opts))
    shutil.copytree(tmp_path / "whole", tmp_path / "resumed")
    (tmp_path / "resumed" / "last_checkpoint").write_text("model_0000003.pth")
    (tmp_path / "resumed" / "model_final.pth").unlink()
    run(toy_config(tmp_path / "resumed", *opts), resume=True)
    assert_same_checkpoint(state_of(tmp_path / "resumed"), state_of(tmp_path / "whole"))
    again = run(toy_config(tmp_path / "again", *opts))
    assert len(again) == STEPS
    assert (
        state_of(tmp_path / "again")["trainer"]["seed"]
        != (state_of(tmp_path / "whole")["trainer"]["seed"])
    )


def test_another_seed_in_the_config_wins_with_a_warning(toy_root, tmp_path, caplog):
    run(toy_config(tmp_path), stop_before=3)
    with caplog.at_level(logging.WARNING):
        trainer = VPSTrainer(toy_config(tmp_path, "SEED", 9))
        logging.getLogger("vps").propagate = True  # so that caplog sees it
        trainer.resume_or_load(True)
    assert trainer.cfg.SEED == 9
    assert "trained with SEED 7" in caplog.text


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (['{"iteration": 1, "total_loss": 1}'], 1),
        (['{"iteration": 2, "total_loss": 1}'], 0),
        (['{"iteration": 1, "total_loss": 1}', '{"iteration": 4, "total_loss": 1}'], 1),
        (['{"iteration": 1, "total_loss": 1}', '{"iterat'], 1),  # killed while writing
        (['{"iteration": 2, "panoptic_video/VPQ": 1}'], 1),  # scores of a training of 2 iterations
        (['{"iteration": 3, "panoptic_video/VPQ": 1}'], 0),
        (['{"iteration": 9, "total_loss": 1}', '{"iteration": 1, "total_loss": 1}'], 2),  # 2 runs
        ([], 0),
    ],
)
def test_lines_of_lost_iterations_leave_the_curve(tmp_path, lines, kept):
    log = tmp_path / "metrics.json"
    log.write_text("\n".join(lines))
    forget_metrics_from(log, 2)
    assert log.read_text().splitlines() == lines[:kept]


def test_a_resumed_run_appends_to_its_curve(toy_root, tmp_path):
    run(toy_config(tmp_path), stop_before=3)
    (tmp_path / "metrics.json").write_text(
        '{"iteration": 1, "total_loss": 1}\n{"iteration": 2, "total_loss": 1}\n'
    )
    run(toy_config(tmp_path), resume=True)
    assert [line["iteration"] for line in curves(tmp_path)] == [1, STEPS - 1, STEPS]


def test_without_a_checkpoint_resume_starts_anew(uninterrupted, tmp_path):
    assert run(toy_config(tmp_path), resume=True) == uninterrupted[1]
