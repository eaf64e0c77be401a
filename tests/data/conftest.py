"""A small Shapes-VPS on disk, shared by the tests of this folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from vps.data.shapes_world import ShapesSplit, write_shapes_split

VIDEOS, FRAMES, HEIGHT, WIDTH = 3, 6, 64, 96


@pytest.fixture(scope="session")
def shapes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of six frames 64x96, every second one labelled."""
    folder = tmp_path_factory.mktemp("shapes") / "train"
    split = ShapesSplit(
        (5, 0), videos=VIDEOS, frames=FRAMES, height=HEIGHT, width=WIDTH, labelled_every=2
    )
    write_shapes_split(folder, split)
    return folder


@pytest.fixture(scope="session")
def shapes_records(shapes_folder: Path) -> list:
    """The records of ``shapes_folder``."""
    from vps.data.panoptic_video_json import load_panoptic_video_json
    from vps.data.shapes_world import SHAPES_CATEGORIES

    return load_panoptic_video_json(
        shapes_folder / "images",
        shapes_folder / "panoptic",
        shapes_folder / "panoptic.json",
        SHAPES_CATEGORIES,
    )


@pytest.fixture(scope="session")
def load_script(repository: Path) -> Callable[[str], ModuleType]:
    """Imports a script of the checkout by its path: a process for each would import torch again."""

    def load(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(path).stem, repository / path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def name() -> Iterator[str]:
    """A name to register data sets under, and with endings; the catalogs forget them after the
    test.
    """
    from vps.d2.data import DatasetCatalog, MetadataCatalog

    known = set(DatasetCatalog.list())
    yield "tree"
    for registered in set(DatasetCatalog.list()) - known:
        DatasetCatalog.remove(registered)
        MetadataCatalog.remove(registered)
