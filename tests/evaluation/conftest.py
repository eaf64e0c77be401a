"""The naive reference of the metrics serves here too; the evaluation tool and its ordinary set."""

import json
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "metrics"))
TOOL = Path(__file__).resolve().parents[2] / "tools" / "evaluate.py"


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(TOOL.parent))
    import evaluate

    yield evaluate.main
    sys.path.remove(str(TOOL.parent))


@pytest.fixture(scope="module")
def set_a(shared_dir, tmp_path_factory):
    """The folder of the ordinary set, and what the reference programs say of it."""
    folder = shared_dir / "oracles" / "metrics"
    if not folder.is_dir():
        pytest.skip("needs oracles/metrics in the shared folder, which is absent")
    target = tmp_path_factory.mktemp("set_a")
    with zipfile.ZipFile(folder / "a.zip") as files:
        files.extractall(target)
    return target, json.loads((folder / "expected_a.json").read_text())
