"""tools/evaluate.py from end to end: workers, resuming, rules, exit status, files."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from evaluate_files import assert_windows, flat_copy, scores_of, vipseg_options
from official_world import exact, write_set
from random_videos import random_video

from vps.structures import InputError

TOOL = Path(__file__).resolve().parents[2] / "tools" / "evaluate.py"


def test_workers_give_the_same_files(set_a, tmp_path):
    """Two processes, as a program of its own: every written file is equal, byte for byte."""
    folder, _ = set_a
    viposeg = folder / "viposeg"
    runs = {
        "vipseg": vipseg_options(folder),
        "viposeg": ["--gt", str(viposeg / "valid"), "--pred", str(viposeg / "result")],
    }
    for mode, options in runs.items():
        for workers in ("1", "2"):
            output = tmp_path / mode / workers
            command = [sys.executable, str(TOOL), mode, *options, "--workers", workers]
            done = subprocess.run(
                [*command, "--output", str(output), "--quiet"],
                capture_output=True,
                text=True,
                cwd=TOOL.parents[1],
            )
            assert done.returncode == 0, done.stderr
        one, two = tmp_path / mode / "1", tmp_path / mode / "2"
        names = sorted(path.name for path in one.iterdir() if path.is_file())
        assert names and names == sorted(path.name for path in two.iterdir() if path.is_file())
        for name in names:
            assert (one / name).read_bytes() == (two / name).read_bytes(), (mode, name)


def test_resume_reads_no_picture_again(tool, set_a, tmp_path, capsys):
    """Finished videos come from the state, also for other windows; a changed file is read."""
    folder, _ = set_a
    options = flat_copy(folder, tmp_path, named=True)
    output = ["--output", str(tmp_path / "out")]
    assert tool(["vipseg", *options, *output]) == 0
    first = scores_of(tmp_path / "out")
    pictures = sorted((tmp_path / "pred" / "pan_pred").iterdir())
    contents = [(path, path.read_bytes(), path.stat()) for path in pictures]
    for path, content, status in contents:  # unreadable, but of the same size and date
        path.unlink()
        path.write_bytes(bytes(len(content)))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert tool(["vipseg", *options, *output, "--resume"]) == 0
    assert scores_of(tmp_path / "out") == first
    assert tool(["vipseg", *options, *output, "--resume", "--windows", "1,8"]) == 0
    path, content, status = contents[0]
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    capsys.readouterr()
    assert tool(["vipseg", *options, *output, "--resume"]) == 2
    assert f"expected a PNG in {path}" in capsys.readouterr().err
    path.write_bytes(content)
    for state in (tmp_path / "out" / "state").iterdir():  # a broken state is no state
        state.write_bytes(b"not a state")
    for path, content, _ in contents:
        path.write_bytes(content)
    assert tool(["vipseg", *options, *output, "--resume"]) == 0
    assert scores_of(tmp_path / "out")["scores"] == first["scores"]


def test_resume_of_objects(tool, set_a, tmp_path, monkeypatch):
    folder, _ = set_a
    root = folder / "viposeg"
    options = ["--gt", str(root / "valid"), "--pred", str(root / "result"), "--quiet"]
    options += ["--output", str(tmp_path)]
    assert tool(["viposeg", *options]) == 0
    first = scores_of(tmp_path)
    monkeypatch.setattr("vps.evaluation.official.objects.read_frames", None)
    assert tool(["viposeg", *options, "--resume"]) == 0
    assert scores_of(tmp_path) == first


@pytest.fixture
def tiny(tmp_path):
    import numpy as np

    rng = np.random.default_rng(3)
    videos = [v for v in (exact(random_video(rng)) for _ in range(9)) if len(v) > 2][:3]
    return write_set(tmp_path / "tiny", videos)


def tiny_options(files) -> list[str]:
    options = ["--gt", str(files.gt), "--gt-json", str(files.gt_json), "--pred", str(files.pred)]
    return [*options, "--quiet"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_broken_videos(tool, tiny, tmp_path, capsys, workers):
    broken = [tiny.pan_pred / name / "00000005.png" for name in ("0_street", "1_street")]
    for path in broken:
        path.write_bytes(path.read_bytes()[:60])
    options = ["vipseg", *tiny_options(tiny), "--workers", workers]
    assert tool(options) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and said.err.count("\n") == 1
    assert str(broken[0]) in said.err  # the first in order, whichever worker was first
    assert tool([*options, "--skip-broken", "--output", str(tmp_path / "out")]) == 0
    assert "NOT A SCORE OF THE WHOLE SET: 2 of 3" in capsys.readouterr().out
    scores = scores_of(tmp_path / "out")
    assert scores["skipped"].keys() == {"0_street", "1_street"}
    assert str(broken[1]) in scores["skipped"]["1_street"]
    assert scores["num_videos"] == 1


def test_all_broken(tool, tiny, capsys):
    for path in tiny.pan_pred.rglob("*.png"):
        path.write_bytes(b"")
    assert tool(["vipseg", *tiny_options(tiny), "--skip-broken"]) == 2
    assert "error: no video could be scored" in capsys.readouterr().err


def test_undefined_is_null_with_a_reason(tool, tiny, tmp_path, capsys):
    out = tmp_path / "out"
    assert tool(["vipseg", *tiny_options(tiny), "--windows", "1,50", "--output", str(out)]) == 0
    vpq = scores_of(out)["scores"]["VPQ(1,50)"]
    assert vpq["all"] is None and "no video has 50 labelled frames" in vpq["undefined"]["all"]
    assert vpq["per_window"]["50"]["All"]["pq"] is None
    assert "VPQ(1,50) of all: undefined, window 50: no video has 50" in capsys.readouterr().out
    assert "NaN" not in (out / "scores.json").read_text()


def test_rules_by_name(tool, set_a, tmp_path):
    """deeplab2's VPQ through the tool, rule by rule; and rules of the other metrics."""
    folder, expected = set_a
    rules = [
        "tube_class=each_frame",
        "ground_truth_area=pixels",
        "crowd=ordinary",
        "stq.crowd=none",
    ]
    options = ["--windows", "1,2,4,6,8", "--quiet", "--output", str(tmp_path)]
    options += [word for rule in rules for word in ("--rule", rule)]
    assert tool(["vipseg", *vipseg_options(folder), *options]) == 0
    scores = scores_of(tmp_path)
    assert scores["settings"]["rules"]["stq"]["crowd"] == "none"
    per_window = scores["scores"]["VPQ(1,2,4,6,8)"]["per_window"]
    assert_windows(per_window, expected["deeplab2_vpq_shim"])
    root = folder / "davis"
    options = ["--gt", str(root / "DAVIS"), "--pred", str(root / "result"), "--quiet"]
    options += ["--rule", "frames=all", "--rule", "void_label=none", "--output", str(tmp_path)]
    assert tool(["davis2017", *options]) == 0
    assert scores_of(tmp_path)["settings"]["rules"]["frames"] == "all"
    assert scores_of(tmp_path)["settings"]["rules"]["void_label"] is None


def test_rules_in_the_documentation_exist():
    """Every `rule=value` of docs/metrics.md is a field of some rules, and may have that value."""
    from vps.evaluation.official.rule_options import change_rules
    from vps.metrics import DavisRules, MatchingRules, STQRules, VIPOSegRules

    text = (TOOL.parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
    found = re.findall(r"`((?:stq\.)?[a-z_]+)=([^`]+)`((?:, `[^`=]+`)*)", text)
    assert len(found) > 20
    for name, value, others in found:
        values = [value, *re.findall("`([^`]+)`", others)]
        classes = (
            [STQRules] if name.startswith("stq.") else [MatchingRules, VIPOSegRules, DavisRules]
        )
        name = name.removeprefix("stq.")
        owners = [rules for rules in classes if name in {f.name for f in fields(rules)}]
        assert owners, name
        for value in values:
            assert any(may_have(change_rules, rules(), f"{name}={value}") for rules in owners), name


def may_have(change_rules, rules, setting) -> bool:
    try:
        change_rules(rules, [setting])
    except InputError:
        return False
    return True


def test_csv_files(tool, tiny, tmp_path):
    out = tmp_path / "out"
    assert tool(["vipseg", *tiny_options(tiny), "--output", str(out)]) == 0
    scores = scores_of(out)
    with (out / "per_video.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["video"] for row in rows] == ["0_street", "1_street", "2_street"]
    want = scores["scores"]["VPQ(1,2,4,6)"]["per_video"]["0_street"]["PQ1"]
    assert float(rows[0]["VPQ1"]) == pytest.approx(100 * want, abs=1e-6)
    with (out / "per_class.csv").open() as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    for row in scores["scores"]["VPQ(1,2,4,6)"]["per_window"]["1"]["per_class"]:
        for name in ("tp", "fp", "fn"):
            assert int(rows[row["name"]][f"{name.upper()}1"]) == row[name]


BAD_OPTIONS = [
    (["--windows", "1,x"], "expected --windows such as 1,2,4,6, got '1,x'"),
    (["--windows", "0"], "expected distinct windows of one or more frames"),
    (["--metrics", "vpq,map"], "expected metrics of vpq, stq, pq, miou, got 'map'"),
    (["--workers", "0"], "expected 1 or more workers, got 0"),
    (["--rule", "crowds=all"], "expected --rule NAME=VALUE with NAME in tube_class, "),
    (["--rule", "crowd=some"], "expected crowd in ('last_listed', 'all', 'ordinary'), got 'some'"),
    (["--rule", "stride=x"], "expected int in --rule stride, got 'x'"),
    (["--rule", "void_in_union=1"], "expected bool in --rule void_in_union, got '1'"),
    (["--rule", "stq.crowd=some"], "expected crowd in ('first_listed', 'listed', 'none')"),
    (["--resume"], "expected --output with --resume"),
    (["--gt", "nowhere"], "expected the folder of the ground truth in nowhere, got nothing"),
    (["--pred", "nowhere"], "expected the folder of the predictions in nowhere, got nothing"),
    (["--pred-json", "none.json"], "cannot read none.json: No such file"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS, ids=lambda x: str(x)[:30])
def test_bad_options(tool, tiny, capsys, options, message):
    assert tool(["vipseg", *tiny_options(tiny), *options]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"error: {message}"), said.err


def test_importing_the_tool_loads_no_torch():
    code = (
        "import sys; import vps.evaluation.official.report, vps.evaluation.official; "
        "sys.exit(bool({'torch', 'vps.d2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=TOOL.parents[1]).returncode == 0
