"""Measuring: processor time, memory, fresh processes, and what machine it was."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

_PACKAGES = ("numpy", "pillow", "numba", "scipy", "deflate")


def cpu_seconds(function: Callable[[], Any]) -> float:
    """Processor time of one call in this process, which other work on the machine hardly moves."""
    begin = time.process_time()
    function()
    return time.process_time() - begin


def least_cpu_seconds(repeat: int, **functions: Callable[[], Any]) -> dict[str, float]:
    """The least processor time of each function, called in turn, after one call to warm up."""
    for function in functions.values():
        function()
    rounds = [{name: cpu_seconds(f) for name, f in functions.items()} for _ in range(repeat)]
    return {name: min(one[name] for one in rounds) for name in functions}


def child_seconds() -> float:
    """Processor time of all processes that this one started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def memory() -> dict[str, float]:
    """Resident memory of this process in MB, now and at its highest."""
    status = Path("/proc/self/status")
    if not status.is_file():
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
        return {"now": peak, "peak": peak}
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return {
        name: int(lines[field].split()[0]) * 1024 / 1e6
        for name, field in (("now", "VmRSS"), ("peak", "VmHWM"))
    }


def in_fresh_process(
    function: Callable[..., Any], *arguments: Any, numba: bool = True, deflate: bool = True
) -> Any:
    """Call a function in a new process with one thread, with or without the optional packages."""
    environment = {"VPS_NUMBA": "1" if numba else "0"}
    environment |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    before = dict(os.environ)
    os.environ.update(environment)  # a spawned process takes it over
    try:
        with ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), _prepare, (deflate,)
        ) as pool:
            return pool.submit(function, *arguments).result()
    finally:
        os.environ.clear()
        os.environ.update(before)


def _prepare(deflate: bool) -> None:
    if not deflate:
        sys.modules["deflate"] = None  # type: ignore[assignment]  # imports of it fail


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def machine_facts() -> dict[str, Any]:
    """What the figures depend on."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(":", 1)[1].strip() for x in lines if "model name" in x), model)
    packages = {p: importlib.metadata.version(p) for p in _PACKAGES if is_installed(_module(p))}
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        **packages,
    }


def _module(package: str) -> str:
    return {"pillow": "PIL"}.get(package, package)
