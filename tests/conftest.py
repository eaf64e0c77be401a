"""Fixtures for all tests."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_report_header() -> str:
    """Says which host the tests run under; VPS_D2_HOST chooses it."""
    try:
        from vps.d2 import host_info
    except ImportError as error:
        return f"host of vps.d2: none, {error}"
    return "host of vps.d2: " + " ".join(host_info().values())


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def load_script(repository: Path) -> Callable[[str], ModuleType]:
    """Imports a script of the checkout by its path: a process for each would import torch again."""

    def load(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(path).stem, repository / path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses and new processes look their module up
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real pictures and expected numbers beside the checkout; tests that need them are skipped
    where there are none.
    """
    folder = Path(os.environ.get("VPS_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(
            f"needs the folder {folder.name}/ beside the checkout (or VPS_SHARED), which is absent"
        )
    return folder


@pytest.fixture(autouse=True)
def _one_torch_thread():
    """Tests run side by side: one thread each, so that they do not slow each other down."""
    try:
        import torch
    except ImportError:
        yield
        return
    torch.set_num_threads(1)
    yield
