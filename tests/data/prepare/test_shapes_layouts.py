"""``datasets/make_shapes.py --layout``: repeatable, complete or absent, careful with folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from layout_worlds import HEIGHT, WIDTH, list_files, make_layout, make_splits

from vps.data.shapes_world.layouts import LAYOUTS, default_splits, write_layout
from vps.structures import InputError

SIZE = ["--size", f"{HEIGHT}x{WIDTH}", "--workers", "1"]
SHORT = ["--videos", "1", "--frames", "5", "--val-videos", "1", "--val-frames", "5"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_same_files_for_any_number_of_processes(tmp_path: Path, layout: str):
    splits = make_splits(layout, frames=5, videos=1)
    for name, workers in (("one", 1), ("two", 2)):
        write_layout(tmp_path / name, layout, splits, workers=workers)
    one, two = list_files(tmp_path / "one"), list_files(tmp_path / "two")
    for files in (one, two):  # records of a preparation hold times of sources
        for name in [name for name in files if ".prepared/" in name]:
            record = json.loads(files.pop(name))
            files[name] = record["digest"].encode()
    assert one == two
    assert len(one) > 10


def test_the_tool_writes_where_the_data_set_is_looked_for(
    load_script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    main = load_script("datasets/make_shapes.py").main
    assert main(["--layout", "davis", *SIZE, *SHORT]) == 0
    root = tmp_path / "shapes_layouts" / "DAVIS"
    assert (root / "ImageSets" / "2017" / "val.txt").read_text() == "shapes-val-0\n"
    assert len(list((root / "JPEGImages" / "480p").iterdir())) == 3
    assert main(["--layout", "vipseg", "--raw", *SIZE, *SHORT]) == 0
    assert {path.name for path in (tmp_path / "shapes_layouts" / "VIPSeg").iterdir()} == {
        *("imgs", "panomasks", "train.txt", "val.txt", "test.txt"),
        *("label_num_dic_final.json", "shapes_world.json"),
    }
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "shapes_layouts"))
    assert main(["--layout", "viper", "--raw", *SIZE, *SHORT]) == 0
    raw = tmp_path / "shapes_layouts" / "VIPER"  # not where the prepared form belongs
    prepare = load_script("datasets/prepare_viper.py").main
    assert prepare(["--source", str(raw), "--workers", "1"]) == 0
    prepared = tmp_path / "shapes_layouts" / "viper_vps"
    assert (prepared / "viper_panoptic_train_video.json").is_file()
    capsys.readouterr()
    assert main(["--layout", "davis", "--labelled-every", "2", *SIZE, *SHORT]) == 2
    assert "says itself which frames are labelled" in capsys.readouterr().err


def test_only_its_own_folders_are_replaced(tmp_path: Path):
    root = make_layout(tmp_path / "DAVIS", "davis", frames=1, videos=1)
    make_layout(root, "davis", frames=2, videos=1)
    assert len(list((root / "JPEGImages/480p/shapes-val-0").iterdir())) == 2
    precious = tmp_path / "VIPSeg"
    (precious / "imgs").mkdir(parents=True)
    (precious / "imgs" / "a.jpg").write_text("1")
    with pytest.raises(InputError, match="absent, empty or made by this tool"):
        make_layout(precious, "vipseg", frames=1, videos=1)
    assert list_files(precious) == {"imgs/a.jpg": b"1"}


@pytest.mark.parametrize("frames", [4, 31])
def test_snippets_of_cityscapes_have_a_length(tmp_path: Path, frames: int):
    with pytest.raises(InputError, match=rf"videos of 5\.\.30 frames .*, got {frames}"):
        make_layout(tmp_path / "city", "cityscapes_vps", frames=frames, videos=1)
    assert not list(tmp_path.iterdir())


def test_default_splits():
    splits = default_splits("vipseg", frames=3, height=64, width=64)
    assert [split.seed for split in splits.values()] == [(0, 0), (0, 1), (0, 2)]
    assert splits["train"].frames == 3
    assert splits["val"].frames == splits["test"].frames == LAYOUTS["vipseg"].splits["val"][1]
    shapes = default_splits("shapes", seed=2, val_videos=5)
    assert [(split.videos, split.frames) for split in shapes.values()] == [(200, 6), (5, 12)]
    assert shapes["val"].seed == (2, 1)
