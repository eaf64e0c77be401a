"""The start of a job: command line, log files and config copy, writers."""

from __future__ import annotations

import argparse
import logging

import pytest
import torch
import yaml
from contract_toy import toy_config

from vps.d2.config import get_cfg
from vps.d2.engine import default_argument_parser, default_setup, default_writers
from vps.d2.utils import CommonMetricPrinter, JSONWriter


def test_argument_defaults():
    args = default_argument_parser().parse_args([])
    url = args.__dict__.pop("dist_url")
    assert vars(args) == {
        "config_file": "",
        "resume": False,
        "eval_only": False,
        "num_gpus": 1,
        "num_machines": 1,
        "machine_rank": 0,
        "opts": [],
    }
    address, port = url.rsplit(":", 1)
    assert address == "tcp://127.0.0.1"
    assert 2**15 + 2**14 <= int(port) < 2**16


def test_arguments():
    line = "--config-file a.yaml --num-gpus 0 --num-machines 2 --machine-rank 1 --dist-url auto"
    options = ["MODEL.WEIGHTS", "a.pth", "--looks-like-a-flag", "1"]
    parsed = default_argument_parser().parse_args(
        [*line.split(), "--resume", "--eval-only", *options]
    )
    assert vars(parsed) == {
        "config_file": "a.yaml",
        "resume": True,
        "eval_only": True,
        "num_gpus": 0,
        "num_machines": 2,
        "machine_rank": 1,
        "dist_url": "auto",
        "opts": options,
    }
    assert "words of mine" in default_argument_parser("words of mine").format_help()


@pytest.fixture
def _keep_global_state():
    loggers = [logging.getLogger(name) for name in ("detectron2", "fvcore")]
    kept = [(logger, logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    benchmark = torch.backends.cudnn.benchmark
    yield
    torch.backends.cudnn.benchmark = benchmark
    for logger, level, propagate, handlers in kept:
        logger.level, logger.propagate, logger.handlers = level, propagate, handlers


@pytest.mark.usefixtures("_keep_global_state")
def test_default_setup(tmp_path):
    config_file = tmp_path / "given.yaml"
    config_file.write_text("VERSION: 2\n# a remark of the file\n")
    cfg = toy_config(tmp_path / "out")
    cfg.CUDNN_BENCHMARK = True
    cfg.freeze()
    default_setup(cfg, argparse.Namespace(config_file=str(config_file), eval_only=False))
    first = torch.rand(1)
    assert torch.backends.cudnn.benchmark is True
    again = get_cfg()
    again.merge_from_file(str(tmp_path / "out" / "config.yaml"), allow_unsafe=False)
    # compared as YAML: tuples within tuples come back as lists
    assert yaml.safe_load(again.dump()) == yaml.safe_load(cfg.dump())
    log = (tmp_path / "out" / "log.txt").read_text()
    assert "Rank of current process: 0. World size: 1" in log
    assert "Environment info" in log
    assert "a remark of the file" in log or "remark" in log
    assert "Full config saved to" in log
    default_setup(cfg, argparse.Namespace())  # seeded the same again
    assert torch.equal(torch.rand(1), first)


def test_default_writers(tmp_path):
    writers = default_writers(str(tmp_path / "out"), 10)
    assert [type(writer) for writer in writers[:2]] == [CommonMetricPrinter, JSONWriter]
    assert (tmp_path / "out" / "metrics.json").exists()
    for writer in writers:
        writer.close()
