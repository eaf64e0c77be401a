"""Checkpoints that are whole or absent, and weights that fit or are refused."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from engine_toy import CATEGORIES, toy_config
from torch import nn

from vps.engine import SafeCheckpointer, VPSTrainer, find_checkpoint
from vps.io.checkpoint import is_complete_checkpoint, read_checkpoint, write_checkpoint
from vps.structures import InputError


def small_model(width=2):
    return nn.Sequential(nn.Conv2d(3, width, 1), nn.BatchNorm2d(width))


class Counter:
    """Something else to be saved and loaded."""

    def __init__(self, value=0):
        self.value = value

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


def checkpointer(folder, model=None, **metadata):
    return SafeCheckpointer(
        model or small_model(), str(folder), metadata=metadata, trainer=Counter(5)
    )


@pytest.fixture
def saved(tmp_path):
    """A folder with checkpoints of iterations 1, 3 and 5."""
    writer = checkpointer(tmp_path, meta_architecture="Toy")
    for iteration in (1, 3, 5):
        writer.save(f"model_{iteration:07d}", iteration=iteration)
    return tmp_path


@pytest.fixture
def warnings_seen(caplog):
    """Warnings of vps; loggers that were set up before do not hand them on."""
    logging.getLogger("vps").propagate = True
    with caplog.at_level(logging.WARNING, "vps"):
        yield caplog


# Which checkpoint to resume from


def shorten(path, share=0.5):
    os.truncate(path, int(path.stat().st_size * share))


def punch(path):
    """Zeros in the middle, as after a power cut."""
    content = path.read_bytes()
    weights = read_checkpoint(path)["model"]["0.weight"].numpy().tobytes()
    assert weights in content
    path.write_bytes(content.replace(weights, bytes(len(weights))))


@pytest.mark.parametrize(
    ("damage", "expected", "warns"),
    [
        (lambda f: None, 5, False),
        (lambda f: (f / "last_checkpoint").write_text("model_0000001.pth\n"), 1, False),  # wished
        (lambda f: shorten(f / "model_0000005.pth"), 3, True),
        (lambda f: shorten(f / "model_0000005.pth", 0.999), 3, True),
        (lambda f: shorten(f / "model_0000005.pth", 0), 3, True),
        (lambda f: punch(f / "model_0000005.pth"), 3, True),
        (lambda f: (f / "model_0000005.pth").unlink(), 3, True),
        (lambda f: (f / "last_checkpoint").unlink(), 5, True),
        (lambda f: (f / "last_checkpoint").write_text(""), 5, True),
        (lambda f: (f / "last_checkpoint").write_text("model_0000009.pth"), 5, True),
    ],
)
def test_resume_takes_the_newest_complete_checkpoint(saved, warnings_seen, damage, expected, warns):
    damage(saved)
    assert find_checkpoint(saved) == str(saved / f"model_{expected:07d}.pth")
    assert bool(warnings_seen.records) == warns


def test_weights_without_a_training_state_are_nothing_to_resume_from(tmp_path):
    write_checkpoint(tmp_path / "imagenet.pth", small_model().state_dict())
    assert find_checkpoint(tmp_path) == ""
    assert not checkpointer(tmp_path).has_checkpoint()


def test_only_broken_checkpoints_are_an_error_and_no_fresh_start(saved):
    for path in saved.glob("*.pth"):
        shorten(path)
    with pytest.raises(InputError, match=r"complete checkpoint in .*, got only broken"):
        checkpointer(saved).has_checkpoint()


def test_resume_brings_everything_back(saved):
    model = small_model()
    reader = SafeCheckpointer(model, str(saved), trainer=Counter())
    rest = reader.resume_or_load("elsewhere.pth", resume=True)
    assert rest["iteration"] == 5
    assert reader.checkpointables["trainer"].value == 5
    stored = read_checkpoint(saved / "model_0000005.pth")["model"]
    assert all(torch.equal(tensor, stored[name]) for name, tensor in model.state_dict().items())


# A process that dies while saving

DIES = """
    import os, sys
    from contextlib import contextmanager
    import torch
    import vps.engine.checkpoint as engine
    import vps.io.checkpoint as files
    from vps.engine import SafeCheckpointer

    root, victim, *limits = sys.argv[1:]
    real = files.atomic_write

    class Mortal:
        def __init__(self, file, left):
            self.file, self.left = file, left
        def write(self, data):
            data = data if isinstance(data, str) else bytes(data)
            self.file.write(data[: self.left])
            if len(data) >= self.left:
                self.file.flush()
                os._exit(9)
            self.left -= len(data)
            return len(data)
        def __getattr__(self, name):
            return getattr(self.file, name)

    def die_while_saving(folder, limit):
        model = torch.nn.Linear(64, 64)
        checkpointer = SafeCheckpointer(model, folder, trainer=torch.optim.SGD(model.parameters()))
        checkpointer.save("model_0000001", iteration=1)
        whole = os.path.getsize(folder + "/model_0000001.pth")

        @contextmanager
        def mortal_write(path, mode="wb"):
            with real(path, mode) as file:
                doomed = str(path).endswith(victim)
                yield Mortal(file, limit if limit >= 0 else whole + limit) if doomed else file

        files.atomic_write = engine.atomic_write = mortal_write
        checkpointer.save("model_0000002", iteration=2)

    for limit in map(int, limits):
        child = os.fork()
        if child == 0:
            die_while_saving(os.path.join(root, f"died_at_{limit}"), limit)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9, limit
"""


@pytest.mark.parametrize(
    ("victim", "limits"),
    [
        (".pth", [0, 1, 63, 64, 100, 1000, 2000, 5000, 10000, 15000, -2000, -1000, -100, -22, -1]),
        ("last_checkpoint", [0, 1, 8]),
    ],
)
def test_killed_while_saving(tmp_path, limits, victim):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DIES), str(tmp_path), victim, *map(str, limits)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for limit in limits:
        folder = tmp_path / f"died_at_{limit}"
        assert find_checkpoint(folder) == str(folder / "model_0000001.pth")
        files = {path.name for path in folder.glob("*.pth")}
        second = set() if victim == ".pth" else {"model_0000002.pth"}
        assert files == {"model_0000001.pth"} | second
        assert all(map(is_complete_checkpoint, folder.glob("*.pth")))


def test_an_error_while_saving_leaves_the_old_file(saved, monkeypatch):
    before = (saved / "model_0000005.pth").read_bytes()

    def fail(content, file):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="no space"):
        checkpointer(saved).save("model_0000005", iteration=5)
    assert (saved / "model_0000005.pth").read_bytes() == before
    assert not list(saved.glob(".*"))


def test_resumed_training_removes_unfinished_files(toy_root, tmp_path):
    cfg = toy_config(tmp_path, "SOLVER.MAX_ITER", 2)
    VPSTrainer(cfg).train()
    (tmp_path / ".model_0000003.pth.abc.tmp").write_bytes(b"half")
    VPSTrainer(cfg).resume_or_load(resume=True)
    assert not list(tmp_path.glob(".*"))


# Weights that fit or do not


class RunsCode:
    def __reduce__(self):
        return (os.system, ("echo owned",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"a checkpoint at .*weights.pth, got no such file"),
        (b"", "got an empty file"),
        (b"junk" * 100, "got a broken or foreign file"),
        ({"model": {"a": RunsCode()}}, r"pickle that may run code.*convert_weights"),
        ({"model": {"a": 3}}, "expected tensors by name"),
        ([1, 2], "expected tensors by name"),
    ],
)
def test_unusable_files(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=message) as error:
        checkpointer(tmp_path).load(str(path), checkpointables=[])
    assert "weights_only" not in str(error.value)


FITS = small_model().state_dict()
BACKBONE = {"0.weight": FITS["0.weight"], "fc.weight": torch.zeros(3)}


@pytest.mark.parametrize(
    ("weights", "architecture", "strict_error", "lax_error"),
    [
        (FITS, "Toy", None, None),
        (FITS, None, None, None),  # from elsewhere, says nothing of itself
        (FITS, "Other", r"weights of Toy .*, got Other in", None),
        (BACKBONE, None, r"5 missing .*1 unknown to the model \(fc.weight\)", None),
        (
            small_model(3).state_dict(),
            "Toy",
            r"0 missing.*6 of another shape \(0.weight",
            "6 of an",
        ),
        ({"fc.weight": torch.zeros(3)}, None, "6 missing.*1 unknown", "6 missing.*1 unknown"),
    ],
)
def test_weights_that_do_not_fit(tmp_path, weights, architecture, strict_error, lax_error):
    metadata = {} if architecture is None else {"metadata": {"meta_architecture": architecture}}
    write_checkpoint(tmp_path / "w.pth", {"model": dict(weights), **metadata})
    for strict, expected in ((True, strict_error), (False, lax_error)):
        model = small_model()
        reader = checkpointer(tmp_path / "run", model, meta_architecture="Toy")
        path = str(tmp_path / "w.pth")
        if expected is None:
            reader.resume_or_load(path, resume=True, strict=strict)
            assert torch.equal(model[0].weight, weights["0.weight"])
        else:
            with pytest.raises(InputError, match=expected):
                reader.resume_or_load(path, resume=True, strict=strict)


@pytest.mark.parametrize("change", ["metadata", "model"])
def test_resume_refuses_another_model(saved, change):
    reader = checkpointer(saved, small_model(2 if change == "metadata" else 4))
    reader.metadata = {"meta_architecture": "Other" if change == "metadata" else "Toy"}
    with pytest.raises(InputError, match="use the config they were trained with"):
        reader.resume_or_load("", resume=True)


def test_a_checkpoint_tells_its_origin(toy_root, tmp_path):
    trainer = VPSTrainer(toy_config(tmp_path, "SOLVER.MAX_ITER", 1, "SEED", -1))
    trainer.resume_or_load(False)
    trainer.train()
    metadata = read_checkpoint(tmp_path / "model_final.pth")["metadata"]
    assert metadata["meta_architecture"] == "EngineToy"
    assert [c["name"] for c in metadata["categories"]] == [c.name for c in CATEGORIES]
    assert f"SEED: {trainer.cfg.SEED}" in metadata["config"] and trainer.cfg.SEED >= 0
    assert set(metadata) >= {"vps", "torch", "host"}


def test_best_weights_are_kept_across_a_resume(toy_root, tmp_path):
    opts = ("TEST.EVAL_PERIOD", 2, "TEST.BEST_METRIC", "panoptic_video/VPQ")
    trainer = VPSTrainer(toy_config(tmp_path, "SOLVER.MAX_ITER", 4, *opts))
    trainer.resume_or_load(False)
    results = trainer.train()
    best = read_checkpoint(tmp_path / "model_best.pth")
    assert best["score"] >= results["panoptic_video"]["VPQ"]
    assert best["iteration"] in (1, 3)
    assert find_checkpoint(tmp_path).endswith("model_final.pth")

    best["score"] = 101.0  # cannot be beaten
    write_checkpoint(tmp_path / "model_best.pth", best)
    trainer = VPSTrainer(toy_config(tmp_path, "SOLVER.MAX_ITER", 6, *opts))
    trainer.resume_or_load(True)
    trainer.train()
    assert read_checkpoint(tmp_path / "model_best.pth")["score"] == 101.0
