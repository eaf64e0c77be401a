"""Data of one's own: folders of frames and id PNGs; and the recipe in datasets/README.md, as it
stands there.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dataset_trees import HEIGHT, WIDTH, edit_json, save_ids, save_index, save_json, save_picture
from PIL import Image

from vps.config import load_config
from vps.data import (
    dataset_categories,
    index_folder_dataset,
    load_dataset,
    register_folder_dataset,
    register_folders,
)
from vps.io import read_ground_truth
from vps.structures import InputError

CATEGORIES = [
    {"id": 1, "name": "road", "isthing": 0},
    {"id": 12, "name": "car", "isthing": 1, "color": [0, 0, 142]},
]
# Void, road, road with a number that means nothing, a crowd of cars, two cars.
COLUMNS = [0, 1, 1003, 12, 12000, 12999]
IDS = [0, 1, 1, 12, 12000, 12999]


def save_values(path: Path, columns: list[int]) -> None:
    """A mask of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.tile(np.array(columns, np.uint16), (HEIGHT, 1))).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A video of three frames; one mask has 16 bits, one is RGB, one is not there."""
    folder = tmp_path / "street"
    for frame in ("2", "10", "11"):
        save_picture(folder / "frames" / "a" / f"{frame}.jpg")
    save_values(folder / "ids" / "a" / "2.png", COLUMNS)
    save_ids(folder / "ids" / "a" / "10.png", COLUMNS)
    save_json(folder / "categories.json", CATEGORIES)
    return folder


def test_values_become_segments(folder: Path, name: str):
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    index_folder_dataset(folder)
    register_folder_dataset(name, folder)
    (record,) = load_dataset(name)
    assert record["image_ids"] == ["2", "10", "11"]  # natural order
    assert record["labelled"] == [True, True, False]
    for t in (0, 1):
        truth = read_ground_truth(record, t)
        assert truth.ids.tolist() == [IDS] * HEIGHT
        kinds = {key: (s.category, s.isthing, s.iscrowd) for key, s in truth.segments.items()}
        assert kinds == {
            1: (0, False, False),
            12: (1, True, True),
            12000: (1, True, False),
            12999: (1, True, False),
        }
        assert truth.segments[1].area == 2 * HEIGHT
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        (CATEGORIES, [0, 1, 0, 0, 0, 0]),
        ([*CATEGORIES, {"id": 255, "name": "sky", "isthing": 0}], [0, 1, 255, 0, 0, 0]),
    ],
    ids=["255 is void", "unless it is a class"],
)
def test_masks_of_eight_bits(folder: Path, name: str, categories: list, expected: list[int]):
    save_json(folder / "categories.json", categories)
    save_index(folder / "ids" / "a" / "2.png", [0, 1, 255, 0, 0, 0])
    index_folder_dataset(folder)
    register_folder_dataset(name, folder)
    assert read_ground_truth(load_dataset(name)[0], 0).ids[0].tolist() == expected


def test_only_changes_are_read_again(folder: Path):
    save_picture(folder / "frames" / "b" / "0.png")
    assert index_folder_dataset(folder)["prepared_now"] == 2
    assert index_folder_dataset(folder)["prepared_now"] == 0
    save_values(folder / "ids" / "b" / "0.png", COLUMNS)
    manifest = index_folder_dataset(folder)
    assert manifest["prepared_now"] == 1
    assert manifest["counts"] == {"videos": 2, "frames": 4, "labelled frames": 3}


# what is broken, what the error must say
BAD_FOLDERS = [
    (lambda f: (f / "categories.json").unlink(), "cannot read"),
    (lambda f: edit_json(f / "categories.json", lambda c: c[0].update(id=0)), "an id in 1..999"),
    (lambda f: edit_json(f / "categories.json", lambda c: c[0].update(id=1000)), "an id in 1..999"),
    (lambda f: edit_json(f / "categories.json", lambda c: c[0].pop("isthing")), "'isthing'"),
    (
        lambda f: save_values(f / "ids" / "a" / "2.png", [13000] * WIDTH),
        "expected values of categories [1, 12] (things: 1000 category + instance), got 13000",
    ),
    (lambda f: save_index(f / "ids" / "a" / "2.png", [7] * WIDTH), "got 7 in"),
    (lambda f: save_index(f / "ids" / "a" / "2.png", [1] * 3), "got 4x3 in"),
    (lambda f: save_index(f / "ids" / "a" / "3.png", [1] * WIDTH), "expected a frame for"),
    (lambda f: (f / "ids" / "a" / "2.png").write_bytes(b"x"), "2.png"),
    (lambda f: (f / "frames").rename(f / "images"), "expected folders of frames"),
    (lambda f: (f / "frames" / "empty").mkdir(), "expected pictures in"),
]


@pytest.mark.parametrize(("damage", "message"), BAD_FOLDERS, ids=[m for _, m in BAD_FOLDERS])
def test_bad_folders(folder: Path, damage: Callable, message: str):
    damage(folder)
    with pytest.raises(InputError) as caught:
        index_folder_dataset(folder)
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)
    assert not (folder / "panoptic.json").exists()


def test_a_folder_without_index(folder: Path, name: str):
    register_folder_dataset(name, folder)
    with pytest.raises(InputError, match=r"panoptic.json does not exist.*prepare_folder\.py"):
        load_dataset(name)


def test_the_recipe_of_the_readme(
    repository: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    load_script: Callable,
    name: str,
):
    """The folders that the text names, the classes that it lists, and then its code as it is; and
    its config file with its commands, which find the same data.
    """
    text = (repository / "datasets" / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Your own data")[2].partition("\n## ")[0]
    recipe = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    classes = re.search(r"categories\.json\s+(\[.*\])", section).group(1)
    monkeypatch.chdir(tmp_path)
    for split in ("train", "val"):
        root = tmp_path / "datasets" / "street" / split
        save_picture(root / "frames" / "crossing" / "00000.jpg")
        save_picture(root / "frames" / "crossing" / "00001.jpg")
        save_values(root / "ids" / "crossing" / "00000.png", [0, 1, 1, 2001, 2001, 2002])
        (root / "categories.json").write_text(classes)
    assert len(recipe.splitlines()) <= 12
    exec(compile(recipe, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == "crossing: 1 of 2 labelled\n"
    truth = read_ground_truth(load_dataset("street_val")[0], 0)
    assert truth.segments.keys() == {1, 2001, 2002}

    shutil.rmtree(tmp_path / "datasets" / "street" / "val" / "panoptic")
    (config,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    config = config.replace("shapes_vps/", f"{repository}/configs/shapes_vps/")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "street.yaml").write_text(config)
    commands = [line for line in section.splitlines() if line.startswith("python ")]
    assert [command.split()[1] for command in commands] == [
        "datasets/prepare_folder.py",
        "datasets/check.py",
        "tools/visualize_data.py",
        "tools/train_net.py",
    ]
    for command in commands[:3]:
        script, *options = command.partition("#")[0].split()[1:]
        assert load_script(script).main(options) == 0, command
    assert len(list((tmp_path / "output" / "look").rglob("*.*"))) == 2


@pytest.mark.parametrize(
    "pairs", [["street", "datasets/street"], [["street"]], [["street", 1]], [["a", "b", "c"]]]
)
def test_folders_are_pairs(pairs: list):
    with pytest.raises(InputError, match=r"expected a list of \(name, folder\) in DATASETS"):
        register_folders(pairs)


def test_folders_of_a_config(folder: Path, tmp_path: Path, name: str):
    config = tmp_path / "street.yaml"
    config.write_text(f"DATASETS:\n  FOLDERS: [['{name}', '{folder}']]\n")
    load_config(config)
    assert [c.name for c in dataset_categories(name)] == ["road", "car"]
    load_config(config)  # a name may be registered again
    more = f"(('{name}_again', '{folder}'), ('{name}_none', '{tmp_path / 'none'}'))"
    with pytest.raises(InputError, match=r"none/categories\.json"):
        load_config(config, ["DATASETS.FOLDERS", more])
    assert dataset_categories(f"{name}_again") == dataset_categories(name)
