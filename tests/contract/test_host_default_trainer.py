"""The default trainer: its hooks and files, resuming under either host, evaluation."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from contract_toy import ContractToy, MeanEvaluator, ToyTrainer, toy_config, train_toy

from vps.d2.config import get_cfg


def test_default_trainer(tmp_path):
    cfg = toy_config(tmp_path, max_iter=4)
    cfg.DATASETS.TEST = ("contract_a",)
    cfg.TEST.EVAL_PERIOD = 2
    cfg.TEST.EXPECTED_RESULTS = [["toy", "count", 3.0, 0.1]]
    cfg.freeze()
    trainer = ToyTrainer(cfg)
    names = [type(hook).__name__ for hook in trainer._hooks]
    assert names == [
        "IterationTimer",
        "LRScheduler",
        "PeriodicCheckpointer",
        "EvalHook",
        "PeriodicWriter",
    ]
    trainer.resume_or_load(resume=False)
    results = trainer.train()
    assert results["toy"]["count"] == 3.0
    files = {path.name for path in tmp_path.iterdir()}
    assert {"metrics.json", "last_checkpoint", "model_0000002.pth", "model_final.pth"} <= files
    rows = [json.loads(line) for line in (tmp_path / "metrics.json").read_text().splitlines()]
    merged = {name: value for row in rows for name, value in row.items()}
    wanted = {"iteration", "lr", "total_loss", "loss_fit", "loss_small", "data_time", "toy/mean"}
    assert wanted <= set(merged)
    assert trainer.model is trainer._trainer.model
    assert trainer.optimizer is trainer._trainer.optimizer
    assert trainer.data_loader is trainer._trainer.data_loader


def test_layout_of_a_checkpoint(tmp_path):
    """As Detectron2 writes it, so that a run goes on under either host."""
    trainer = train_toy(tmp_path, 3)
    saved = torch.load(tmp_path / "model_final.pth", weights_only=True)
    assert set(saved) == {"model", "trainer", "iteration"}
    assert saved["iteration"] == 2
    assert set(saved["trainer"]) == {"iteration", "hooks", "_trainer"}
    assert set(saved["trainer"]["_trainer"]) >= {"iteration", "optimizer"}
    assert set(saved["trainer"]["hooks"]) == {"LRScheduler"}
    assert set(saved["trainer"]["hooks"]["LRScheduler"]) == {"base_lrs", "last_epoch"}
    assert set(saved["model"]) == set(trainer.model.state_dict())


def test_resume_continues_exactly(tmp_path):
    whole = train_toy(tmp_path / "whole", 6)
    train_toy(tmp_path / "parts", 3)
    resumed = train_toy(tmp_path / "parts", 6, resume=True)
    assert resumed.start_iter == 3
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    assert str(whole.optimizer.state_dict()) == str(resumed.optimizer.state_dict())
    assert whole.scheduler.state_dict() == resumed.scheduler.state_dict()
    again = train_toy(tmp_path / "parts", 3, resume=False)  # not asked to resume
    assert again.start_iter == 0


def test_a_run_goes_on_under_the_other_host(tmp_path, host):
    if host == "lean" and importlib.util.find_spec("detectron2") is None:
        pytest.skip("Detectron2 is not installed, there is only one host")
    other = {"lean": "detectron2", "detectron2": "lean"}[host]
    script = Path(__file__).with_name("contract_toy.py")
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "VPS_D2_HOST": other, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-W", "ignore", str(script), str(tmp_path / "parts"), "3"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    resumed = train_toy(tmp_path / "parts", 6, resume=True)
    assert resumed.start_iter == 3
    whole = train_toy(tmp_path / "whole", 6)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    assert str(whole.optimizer.state_dict()) == str(resumed.optimizer.state_dict())


def test_evaluate_several_sets(tmp_path):
    cfg = toy_config(tmp_path)
    cfg.DATASETS.TEST = ("contract_a", "contract_b")
    model = ContractToy(None)
    results = ToyTrainer.test(cfg, model)
    assert list(results) == ["contract_a", "contract_b"]
    assert ToyTrainer.test(cfg, model, evaluators=[MeanEvaluator(), MeanEvaluator()]) == results
    with pytest.raises(AssertionError):
        ToyTrainer.test(cfg, model, evaluators=MeanEvaluator())


def test_missing_evaluator_is_a_warning(tmp_path):
    class Silent(ToyTrainer):
        @classmethod
        def build_evaluator(cls, cfg, dataset_name):
            raise NotImplementedError

    cfg = toy_config(tmp_path)
    cfg.DATASETS.TEST = ("contract_a",)
    assert Silent.test(cfg, ContractToy(None)) == {}


def test_scaling_to_another_number_of_processes():
    cfg = get_cfg()
    given = cfg.SOLVER
    given.IMS_PER_BATCH, given.BASE_LR, given.REFERENCE_WORLD_SIZE = 16, 0.1, 8
    given.MAX_ITER, given.STEPS, given.CHECKPOINT_PERIOD = 5000, (4000,), 1000
    given.WARMUP_ITERS, cfg.TEST.EVAL_PERIOD = 100, 500
    cfg.freeze()
    scaled = ToyTrainer.auto_scale_workers(cfg, 16)
    assert scaled.is_frozen()
    solver = scaled.SOLVER
    assert (solver.IMS_PER_BATCH, solver.BASE_LR, solver.MAX_ITER) == (32, 0.2, 2500)
    assert (solver.STEPS, solver.CHECKPOINT_PERIOD, solver.WARMUP_ITERS) == ((2000,), 500, 50)
    assert (scaled.TEST.EVAL_PERIOD, solver.REFERENCE_WORLD_SIZE) == (250, 16)
    assert ToyTrainer.auto_scale_workers(cfg, 8) is cfg
    assert cfg.SOLVER.IMS_PER_BATCH == 16
