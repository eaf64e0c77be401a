"""The frame of all preparations: resuming, several processes, interruption, errors, manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from layout_worlds import list_files, make_layout, read_manifest

from vps.data.prepare import Preparation, VideoJob, VideoResult, run_preparation
from vps.data.prepare.vipseg import vipseg_preparation
from vps.structures import InputError


def copy_work(root: Path, job: VideoJob) -> VideoResult:
    """Copies the sources of a video; "bad" in one is an error."""
    files = []
    for source in job.sources:
        if "bad" in source.read_text():
            raise InputError(f"bad source {source.name}")
        (root / job.name).mkdir(exist_ok=True)
        shutil.copyfile(source, root / job.name / source.name)
        files.append(f"{job.name}/{source.name}")
    return VideoResult(files, {"name": job.name}, {"files": len(files)}, ["odd"])


def write_names(root: Path, entries) -> list[str]:
    (root / "index.txt").write_text(" ".join(entry["name"] for _, entry in entries))
    return ["index.txt"]


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"source{number}.txt" for number in range(3)]
    for path in paths:
        path.write_text(f"content of {path.name}")
    return paths


def preparation(tmp_path: Path, sources: list[Path], **settings) -> Preparation:
    jobs = [VideoJob(f"v{number}", (path,)) for number, path in enumerate(sources)]
    return Preparation("toy", tmp_path / "out", jobs, copy_work, write_names, settings)


@pytest.mark.parametrize("workers", [1, 2])
def test_index_and_manifest(tmp_path: Path, sources: list[Path], workers: int):
    calls = []
    manifest = run_preparation(
        preparation(tmp_path, sources, quality=3),
        workers=workers,
        progress=lambda: calls.append(1),
    )
    root = tmp_path / "out"
    assert len(calls) == manifest["prepared_now"] == 3
    assert (root / "index.txt").read_text() == "v0 v1 v2"
    written = read_manifest(root)
    assert written["counts"] == {"videos": 3, "files": 3}
    assert written["settings"] == {"quality": 3}
    assert written["number_of_findings"] == 3
    digest = hashlib.sha256((root / "index.txt").read_bytes()).hexdigest()
    assert written["index_sha256"] == {"index.txt": digest}
    content = hashlib.sha256(sources[1].read_bytes()).hexdigest()
    line = f"{content}  v1/source1.txt\n"
    assert written["videos_sha256"]["v1"] == hashlib.sha256(line.encode()).hexdigest()


CHANGES = [
    # what is done in between, how many videos are prepared again
    (lambda root, sources: None, 0, "nothing changed"),
    (lambda root, sources: (root / "v1/source1.txt").unlink(), 1, "a file is gone"),
    (lambda root, sources: (root / "v1/source1.txt").write_text("short"), 1, "another size"),
    (lambda root, sources: sources[2].write_text("content of another"), 1, "a source changed"),
    (lambda root, sources: os.utime(sources[2], (1, 1)), 1, "a source has another time"),
    (lambda root, sources: (root / ".prepared/v0.json").write_text("{"), 1, "a damaged record"),
    (lambda root, sources: (root / ".prepared/v0.json").write_text("[]"), 1, "no record"),
    (lambda root, sources: shutil.rmtree(root), 3, "all is gone"),
]


@pytest.mark.parametrize(("change", "expected", "remark"), CHANGES, ids=[c[2] for c in CHANGES])
def test_a_second_run_does_what_is_missing(
    tmp_path: Path, sources: list[Path], change, expected: int, remark: str
):
    run_preparation(preparation(tmp_path, sources))
    change(tmp_path / "out", sources)
    assert run_preparation(preparation(tmp_path, sources))["prepared_now"] == expected
    for number, source in enumerate(sources):
        copy = tmp_path / "out" / f"v{number}" / source.name
        assert copy.read_bytes() == source.read_bytes()
    assert run_preparation(preparation(tmp_path, sources))["prepared_now"] == 0


def test_other_settings_prepare_anew(tmp_path: Path, sources: list[Path]):
    run_preparation(preparation(tmp_path, sources, quality=3))
    assert run_preparation(preparation(tmp_path, sources, quality=4))["prepared_now"] == 3


@pytest.mark.parametrize("workers", [1, 2])
def test_after_an_error_the_rest_is_kept(tmp_path: Path, sources: list[Path], workers: int):
    sources[1].write_text("bad")
    with pytest.raises(InputError, match=r"bad source source1\.txt"):
        run_preparation(preparation(tmp_path, sources), workers=workers)
    assert not (tmp_path / "out" / "manifest.json").exists()
    sources[1].write_text("good again")
    done = run_preparation(preparation(tmp_path, sources), workers=workers)["prepared_now"]
    assert 1 <= done <= 2  # the first was done before


@pytest.mark.parametrize(
    ("names", "message"), [([], "at least one video"), (["v", "v"], "video v .* is listed twice")]
)
def test_bad_lists_of_videos(tmp_path: Path, names: list[str], message: str):
    jobs = [VideoJob(name, ()) for name in names]
    with pytest.raises(InputError, match=message):
        run_preparation(Preparation("toy", tmp_path / "out", jobs, copy_work, write_names))


def test_a_missing_source_is_named(tmp_path: Path, sources: list[Path]):
    sources[0].unlink()
    with pytest.raises(InputError, match=r"source0\.txt does not exist"):
        run_preparation(preparation(tmp_path, sources))


def test_same_files_for_any_number_of_processes_and_sources_stay(tmp_path: Path):
    source = make_layout(tmp_path / "VIPSeg", "vipseg", frames=2, raw=True)
    before = list_files(source)
    for name, workers in (("one", 1), ("two", 2)):
        run_preparation(vipseg_preparation(source, tmp_path / name, height=48), workers=workers)
    assert list_files(tmp_path / "one") == list_files(tmp_path / "two")
    assert list_files(source) == before
    assert len(list_files(tmp_path / "one")) > 30


SLOW = """
import sys, time
from pathlib import Path
from vps.data.prepare import Preparation, VideoJob, VideoResult
from vps.data.prepare.command import run_command
from vps.io import atomic_folder

def work(root, job):
    with atomic_folder(root / job.name) as folder:
        (folder / "half").write_text("1")
        time.sleep(0.3)
        (folder / "whole").write_text("2")
    return VideoResult([f"{job.name}/half", f"{job.name}/whole"], {})

def finish(root, entries):
    return []

jobs = [VideoJob(f"v{n:03d}", ()) for n in range(400)]
root, workers = Path(sys.argv[1]), int(sys.argv[2])
sys.exit(run_command(lambda: [Preparation("slow", root, jobs, work, finish)], workers))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_leaves_whole_videos_only(tmp_path: Path, workers: int):
    command = [sys.executable, "-c", SLOW, str(tmp_path / "out"), str(workers)]
    # A group of its own, to which the signal goes as from a terminal: to all processes.
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A process that a shell started in the background would ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "out" / ".prepared").glob("*.json")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("interrupted: what was finished is kept")
    assert "Traceback" not in said
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert not [name for name in left if name.endswith(".tmp")]
    assert "manifest.json" not in left
    for name in left - {".prepared"}:
        assert {path.name for path in (tmp_path / "out" / name).iterdir()} == {"half", "whole"}


def test_the_script_sums_up(load_script, tmp_path: Path, capsys):
    source = make_layout(tmp_path / "VIPSeg", "vipseg", frames=1, videos=1, raw=True)
    main = load_script("datasets/prepare_vipseg.py").main
    options = ["--root", str(source), "--height", "48", "--workers", "1"]
    assert main(options) == 0
    assert "3 videos, 3 frames, 2 labelled frames" in capsys.readouterr().err
    assert main(options) == 0
    assert "0 prepared now" in capsys.readouterr().err
    manifest = json.loads((source / "VIPSeg_720P" / "manifest.json").read_text())
    assert manifest["dataset"] == "vipseg"
    assert main(["--root", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.startswith("error: expected VIPSeg with the folder")
