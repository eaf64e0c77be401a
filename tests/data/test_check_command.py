"""``python -m vps.data.check``: what it prints and writes, its exit status, several processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from check_world import World, cut, write_picture
from test_check_faults import FAULTS
from test_check_layouts import OBJECT_FAULTS, OTHER_FAULTS
from test_check_vipseg_raw import RAW_NUMBERS

from vps.d2.data import DatasetCatalog, MetadataCatalog
from vps.data import register_panoptic_video
from vps.data.check import KINDS, Problem, Progress, Report, Severity, check_dataset, command
from vps.data.shapes_world import SHAPES_CATEGORIES
from vps.structures import InputError

NAME = "check_command_test"


@pytest.fixture
def world(shapes_folder: Path, tmp_path: Path) -> World:
    """Registered as ``NAME``."""
    shutil.copytree(shapes_folder, tmp_path / "set")
    world = World(tmp_path / "set")
    register(world)
    yield world
    for name in (NAME, f"{NAME}_refused"):
        if name in DatasetCatalog:
            DatasetCatalog.remove(name)
            MetadataCatalog.remove(name)


def register(world: World, name: str = NAME, **options) -> None:
    register_panoptic_video(
        name,
        image_root=world.folder / "images",
        panoptic_root=world.folder / "panoptic",
        panoptic_json=world.index,
        categories=SHAPES_CATEGORIES,
        **options,
    )


def plant_some(world: World) -> None:
    cut(world.picture())
    world.label("00004").unlink()
    world.picture("00003", "0002").unlink()
    shutil.copy(world.picture("00000"), world.picture("00099"))
    world.edit_frame(lambda frame: frame["segments_info"][0].update(area=1))


def run(*arguments: object) -> int:
    return command.main([*map(str, arguments), "--quiet"])


def test_every_kind_of_problem_is_planted_somewhere():
    planted = {"loader-refuses", "video-unlabelled"}
    tables = [row[1] for row in (*FAULTS, *OBJECT_FAULTS, *RAW_NUMBERS)]
    for kinds in (*tables, *(row[3] for row in OTHER_FAULTS)):
        planted |= {kinds} if isinstance(kinds, str) else {*(kinds or ())}
    assert set(KINDS) == planted


def test_a_sound_set(world, capsys):
    assert run(NAME) == 0
    printed = capsys.readouterr().out
    assert printed == f"{NAME}: 3 videos with 18 frames checked; 0 errors, 0 warnings, 0 notes\n"


def test_errors_are_printed_and_written(world, tmp_path, capsys):
    plant_some(world)
    assert run(NAME, "--json", tmp_path / "found.json") == command.FOUND_STATUS
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split() == ["ERROR", "1", "x", "picture-missing:", *(
        ["a", "listed", "picture", "does", "not", "exist"]
    )]  # fmt: skip
    assert printed.index("ERROR") < printed.index("WARNING")
    assert str(world.picture("00003", "0002")) in printed
    assert printed.endswith("18 frames checked; 4 errors, 1 warning, 0 notes\n")
    content = json.loads((tmp_path / "found.json").read_text())
    assert (content["errors"], content["warnings"], content["frames"]) == (4, 1, 18)
    kinds = {entry["kind"]: entry for entry in content["kinds"]}
    assert kinds["picture-unreadable"]["problems"][0]["file"] == str(world.picture())
    assert kinds["label-missing"]["problems"][0]["video_id"] == "0001"
    assert kinds["label-missing"]["problems"][0]["frame_id"] == "00004"
    assert kinds["area-wrong"]["severity"] == "error"


def test_warnings_fail_only_where_asked(world, capsys):
    shutil.copy(world.picture("00000"), world.picture("00099"))
    assert run(NAME) == 0
    assert run(NAME, "--strict") == command.FOUND_STATUS
    assert "1 warning," in capsys.readouterr().out


def test_a_folder_without_a_name(world, capsys):
    write_picture(world.picture(), (8, 8))
    assert run(world.folder, "--layout", "panoptic") == command.FOUND_STATUS
    assert "picture-size" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no_such_set"], "'no_such_set' is not a registered"),
        ([NAME, "--workers", "0"], "expected 1 process or more, got 0"),
        (["no/such/folder", "--layout", "panoptic"], "no/such/folder, which is none"),
        ([".", "--layout", "coco"], "a layout of panoptic, folder, vipseg_raw, got 'coco'"),
    ],
)
def test_bad_usage(world, capsys, arguments, sentence):
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err and captured.err.startswith("error: ")
    assert captured.out == ""


def test_an_interrupt_is_said(world, capsys, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("vps.data.check.run.check_video", interrupt)
    assert run(NAME) == 130
    assert "interrupted" in capsys.readouterr().err


def test_several_processes_tell_the_same(world):
    plant_some(world)
    alone = list(check_dataset(NAME))
    assert len(alone) == 5 and list(check_dataset(NAME, workers=2)) == alone


def test_progress_counts_all_frames(world):
    class Counter(Progress):
        total, done, videos = 0, 0, ()

        def start(self, num_frames):
            self.total += num_frames or 0

        def step(self, video_id, num_frames):
            self.done += num_frames
            self.videos += (video_id,)

    counter = Counter()
    assert list(check_dataset(NAME, progress=counter)) == []
    assert (counter.total, counter.done, counter.videos) == (18, 18, ("0000", "0001", "0002"))


def test_what_the_loader_alone_refuses_is_told(world):
    def refuse(records):
        raise InputError("expected better records, got these")

    register(world, f"{NAME}_refused", finish=refuse)
    (problem,) = check_dataset(f"{NAME}_refused")
    assert problem.kind == "loader-refuses" and "better records" in problem.message


def test_a_report_keeps_a_few_and_counts_all():
    problems = (Problem("picture-missing", f"{n}.jpg", f"no {n}") for n in range(3000))
    report = Report("x", keep=10).add(problems)
    assert report.count(Severity.ERROR) == 3000
    assert len(report.as_dict()["kinds"][0]["problems"]) == 10
    text = report.as_text(most=2)
    assert "no 1\n" in text and "no 2\n" not in text and "and 2,998 more\n" in text


def test_the_script_and_the_module(world, repository, load_script):
    plant_some(world)
    assert load_script("datasets/check.py").main is command.main
    done = subprocess.run(
        [sys.executable, "-m", "vps.data.check", world.folder, "--layout", "panoptic"],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert done.returncode == command.FOUND_STATUS, done.stderr
    assert "4 errors, 1 warning" in done.stdout and "18/18" in done.stderr
