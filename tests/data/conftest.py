"""A small Shapes-VPS on disk, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
