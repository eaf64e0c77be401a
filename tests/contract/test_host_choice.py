"""Which host serves: chosen once, never mixed, never replaced silently."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import subprocess
import sys

import pytest

import vps.d2
from vps.d2.contract import CONTRACT

SEAM = [module for module in CONTRACT if "." not in module]


def run(code: str, *path: str, **environment: str) -> subprocess.CompletedProcess:
    roots = [*map(str, path), os.path.dirname(os.path.dirname(vps.d2.__path__[0]))]
    roots += [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    environment = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(roots)}
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def pretend(monkeypatch, origin: str | None) -> None:
    spec = importlib.machinery.ModuleSpec("detectron2", None, origin=origin)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


@pytest.mark.parametrize(
    ("wish", "origin", "expected"),
    [
        ("auto", "a/__init__.py", "detectron2"),
        ("auto", None, "lean"),  # a clone's folder is a namespace package: importable, but empty
        ("lean", "a/__init__.py", "lean"),
        ("detectron2", "a/__init__.py", "detectron2"),
        (" Lean ", None, "lean"),
    ],
)
def test_choice(monkeypatch, wish, origin, expected):
    pretend(monkeypatch, origin)
    assert vps.d2.choose_host(wish) == expected


def test_a_wish_that_cannot_be_met_raises(monkeypatch):
    pretend(monkeypatch, None)
    with pytest.raises(ImportError, match="VPS_D2_HOST"):
        vps.d2.choose_host("detectron2")
    with pytest.raises(ValueError, match="auto, detectron2, lean"):
        vps.d2.choose_host("mmdet")


def test_a_broken_detectron2_raises(tmp_path):
    package = tmp_path / "detectron2"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('no _C')")
    done = run("import vps.d2.config", str(tmp_path), VPS_D2_HOST="auto")
    assert done.returncode != 0
    assert "Detectron2 was found" in done.stderr
    assert "no _C" in done.stderr
    assert "VPS_D2_HOST=lean" in done.stderr


def test_one_process_has_one_host(host):
    other = {"lean": "detectron2", "detectron2": "vps.d2.lean"}[host]
    imports = "; ".join(f"import vps.d2.{module}" for module in SEAM)
    code = (
        f"import sys; {imports}; import vps.d2; "
        f"assert vps.d2.HOST == {host!r}; "
        f"mixed = [m for m in sys.modules if m == {other!r} or m.startswith({other + '.'!r})]; "
        "assert not mixed, mixed"
    )
    done = run(code, VPS_D2_HOST=host)
    assert done.returncode == 0, done.stderr


def test_the_lean_host_is_light():
    code = (
        "import sys; import vps.d2.config, vps.d2.data; vps.d2.config.get_cfg(); "
        "assert 'torch' not in sys.modules, 'config needs no torch'; "
        "import vps.d2.engine, vps.d2.evaluation, vps.d2.solver, vps.d2.checkpoint; "
        "assert 'fvcore.nn' not in sys.modules, 'fvcore.nn compiles at import'"
    )
    done = run(code, VPS_D2_HOST="lean")
    assert done.returncode == 0, done.stderr


def test_host_info(host):
    info = vps.d2.host_info()
    assert info["host"] == host
    assert all(isinstance(value, str) and value for value in info.values())
