"""The benchmark runs on small pictures; what it measures is nobody's promise, how is."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SMALL = ["metrics", "--frames=9", "--height=72", "--width=128", "--repeat=1", "--skip-set"]


@pytest.fixture(scope="module")
def benchmark(repository, tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    tool = [sys.executable, repository / "tools" / "benchmark.py"]
    done = subprocess.run([*tool, *SMALL, "-o", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((folder / "metrics.json").read_text()), folder


def test_ratios_are_of_the_times_beside_them(benchmark):
    _, content, _ = benchmark
    rows = [row for row in content["results"] if "ratio" in row]
    assert len(rows) >= 4
    for row in rows:
        assert row["ratio"] == pytest.approx(row["ms_per_frame"] / row["decode_ms_per_frame"])
        assert row["peak_mb"] > 10


def test_the_reference_is_among_them(benchmark):
    """It raises when its scores are others than the evaluator's."""
    _, content, _ = benchmark
    assert any("every window anew" in row["name"] for row in content["results"])
    assert any("target_ms_per_video" in row for row in content["results"])


def test_says_on_what_it_ran(benchmark):
    printed, content, folder = benchmark
    assert content["machine"]["numpy"] and content["settings"]["frames"] == 9
    assert printed.strip() == (folder / "metrics.txt").read_text().strip()
    assert all(row["name"] in printed for row in content["results"])
