"""Loggers: coloured lines on the main process's stdout, plain lines in a file of each process."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import sys
from collections import Counter
from typing import IO

from termcolor import colored

from .file_io import PathManager

__all__ = ["log_first_n", "setup_logger"]

DATE_FORMAT = "%m/%d %H:%M:%S"


class _ColorfulFormatter(logging.Formatter):
    """Shortens the root of logger names and marks warnings and errors in red."""

    def __init__(self, root_name: str, abbrev_name: str) -> None:
        super().__init__(
            colored("[%(asctime)s %(name)s]: ", "green") + "%(message)s", datefmt=DATE_FORMAT
        )
        self._root, self._short = root_name + ".", f"{abbrev_name}." if abbrev_name else ""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        full_name = record.name
        record.name = full_name.replace(self._root, self._short)
        line = super().formatMessage(record)
        record.name = full_name  # the file's handler shows the full name
        if record.levelno >= logging.ERROR:
            return colored("ERROR", "red", attrs=["blink", "underline"]) + " " + line
        if record.levelno == logging.WARNING:
            return colored("WARNING", "red", attrs=["blink"]) + " " + line
        return line


@functools.cache  # the same call again must not add the handlers again
def setup_logger(
    output: str | None = None,
    distributed_rank: int = 0,
    *,
    color: bool = True,
    name: str = "detectron2",
    abbrev_name: str | None = None,
    enable_propagation: bool = False,
    configure_stdout: bool = True,
) -> logging.Logger:
    """Let a logger and its children write to stdout (rank 0) and to a file (every rank), from
    level DEBUG.

    Args:
        output: a folder, which gets ``log.txt``, or a file ending in ``.txt`` or ``.log``; None
            for no file.
        distributed_rank: ranks above 0 write to ``<file>.rank<N>`` only.
        color: coloured lines on stdout.
        name: the logger.
        abbrev_name: short form of ``name`` in the lines on stdout; None means ``d2`` for
            detectron2, else ``name``.
        enable_propagation: also hand records to the parent logger.
        configure_stdout: False leaves stdout alone.
    """
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)
    logger.propagate = enable_propagation
    if abbrev_name is None:
        abbrev_name = "d2" if name == "detectron2" else name
    plain = logging.Formatter(
        "[%(asctime)s] %(name)s %(levelname)s: %(message)s", datefmt=DATE_FORMAT
    )
    if configure_stdout and distributed_rank == 0:
        formatter = _ColorfulFormatter(name, abbrev_name) if color else plain
        _add_handler(logger, sys.stdout, formatter)
    if output is not None:
        output = os.fspath(output)
        path = output if output.endswith((".txt", ".log")) else os.path.join(output, "log.txt")
        if distributed_rank > 0:
            path += f".rank{distributed_rank}"
        PathManager.mkdirs(os.path.dirname(path))
        _add_handler(logger, _open_log(path), plain)
    return logger


def _add_handler(logger: logging.Logger, stream: IO[str], formatter: logging.Formatter) -> None:
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.DEBUG)
    handler.setFormatter(formatter)
    logger.addHandler(handler)


@functools.cache  # several loggers share one file
def _open_log(path: str) -> IO[str]:
    stream = PathManager.open(path, "a")
    atexit.register(stream.close)
    return stream


_counts: Counter = Counter()


def log_first_n(
    lvl: int, msg: str, n: int = 1, *, name: str | None = None, key: str | tuple = "caller"
) -> None:
    """Log a message the first ``n`` times only.

    Args:
        lvl: a level of :mod:`logging`.
        msg: the message.
        name: the logger; None means the caller's module.
        key: what counts as the same: ``"caller"`` (this line of code), ``"message"``, or a tuple
            of both.
    """
    keys = (key,) if isinstance(key, str) else key
    if not keys or not set(keys) <= {"caller", "message"}:
        raise AssertionError(f"expected key 'caller', 'message' or both, got {key!r}")
    caller = sys._getframe(1)
    identity: tuple = ()
    if "caller" in keys:
        identity += (caller.f_code.co_filename, caller.f_lineno, caller.f_code.co_name)
    if "message" in keys:
        identity += (msg,)
    _counts[identity] += 1
    if _counts[identity] <= n:
        logging.getLogger(name or caller.f_globals["__name__"]).log(lvl, msg)
