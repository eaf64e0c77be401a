"""Loggers and seeds."""

from __future__ import annotations

import logging
import os
import random
import re

import numpy as np
import pytest
import torch

from vps.d2.utils import PathManager, log_first_n, seed_all_rng, setup_logger


def log_of(folder, rank: int, name: str) -> logging.Logger:
    return setup_logger(str(folder), distributed_rank=rank, name=name, configure_stdout=False)


def test_file_lines(tmp_path):
    logger = log_of(tmp_path, 0, "contract_main")
    assert log_of(tmp_path, 0, "contract_main") is logger
    assert len(logger.handlers) == 1  # the second call adds nothing
    logging.getLogger("contract_main.part").debug("fine %d", 3)
    logger.warning("careful")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    stamp = r"\[\d\d/\d\d \d\d:\d\d:\d\d\] "
    assert re.fullmatch(stamp + "contract_main.part DEBUG: fine 3", lines[0])
    assert re.fullmatch(stamp + "contract_main WARNING: careful", lines[1])


def test_other_processes_have_their_own_file(tmp_path, capsys):
    logger = setup_logger(str(tmp_path), distributed_rank=2, name="contract_rank2")
    logger.info("hello")
    assert "hello" in (tmp_path / "log.txt.rank2").read_text()
    assert not (tmp_path / "log.txt").exists()
    assert capsys.readouterr().out == ""


def test_named_file_and_stdout(tmp_path, capsys):
    logger = setup_logger(
        str(tmp_path / "sub" / "run.log"), name="contract_out", abbrev_name="co", color=True
    )
    logging.getLogger("contract_out.deep.part").info("hello")
    logger.error("bad")
    out = capsys.readouterr().out
    assert "co.deep.part]" in out
    assert "hello" in out
    assert "ERROR" in out
    text = (tmp_path / "sub" / "run.log").read_text()
    assert "deep.part INFO: hello" in text


def test_log_first_n(caplog):
    with caplog.at_level(logging.INFO):
        for index in range(4):
            log_first_n(logging.INFO, f"by line {index}", n=2)
        for _ in range(3):
            log_first_n(logging.INFO, "by text", key="message", name="contract_named")
    assert [r.getMessage() for r in caplog.records] == ["by line 0", "by line 1", "by text"]
    assert [r.name for r in caplog.records] == [__name__, __name__, "contract_named"]


def test_seed(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", os.environ.get("PYTHONHASHSEED", "0"))

    def draw():
        return random.random(), float(np.random.rand()), torch.rand(1).item()

    seed_all_rng(3)
    first = draw()
    seed_all_rng(3)
    assert draw() == first
    seed_all_rng(None)
    assert draw() != first


def test_path_manager(tmp_path):
    path = str(tmp_path / "a" / "b.txt")
    PathManager.mkdirs(os.path.dirname(path))
    with PathManager.open(path, "w") as file:
        file.write("x")
    assert PathManager.isfile(path)
    assert PathManager.exists(path)
    assert PathManager.get_local_path(path) == path
    with pytest.raises(OSError):
        PathManager.open(str(tmp_path / "nowhere.txt"))
