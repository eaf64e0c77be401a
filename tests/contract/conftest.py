"""Fixtures of the contract tests.

These tests ask nothing about the host: they run unchanged under real Detectron2 and under the lean
host. One process has one host, so a run exercises one of them, which VPS_D2_HOST chooses.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def host() -> str:
    """``"detectron2"`` or ``"lean"``."""
    from vps.d2 import HOST

    return HOST


@pytest.fixture
def host_log() -> Iterator[list[str]]:
    """Messages of the host's loggers; a list that grows."""
    messages: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    handler = Keep(level=logging.INFO)
    loggers = [logging.getLogger("detectron2"), logging.getLogger("fvcore")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    yield messages
    for logger, level in zip(loggers, levels):
        logger.removeHandler(handler)
        logger.setLevel(level)
