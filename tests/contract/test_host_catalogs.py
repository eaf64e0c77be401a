"""Catalogs: registration, write-once metadata."""

from __future__ import annotations

import pytest

from vps.d2.data import DatasetCatalog, MetadataCatalog

NAME = "contract_test_set"


@pytest.fixture(autouse=True)
def _clean():
    yield
    for catalog in (DatasetCatalog, MetadataCatalog):
        if NAME in catalog:
            catalog.remove(NAME)


def test_datasets():
    calls = []
    DatasetCatalog.register(NAME, lambda: calls.append(1) or [{"video_id": "a"}])
    assert NAME in DatasetCatalog.list()
    assert not calls  # registration reads nothing
    assert DatasetCatalog.get(NAME) == [{"video_id": "a"}]
    with pytest.raises(AssertionError):
        DatasetCatalog.register(NAME, lambda: [])  # twice
    with pytest.raises(AssertionError):
        DatasetCatalog.register("other", [1])  # no function
    DatasetCatalog.remove(NAME)
    with pytest.raises(KeyError, match=NAME):
        DatasetCatalog.get(NAME)
    assert "DatasetCatalog" in str(DatasetCatalog)


def test_metadata():
    metadata = MetadataCatalog.get(NAME)
    assert metadata.name == NAME
    assert MetadataCatalog.get(NAME) is metadata
    assert metadata.set(thing_classes=["a"], ignore_label=255) is metadata
    assert (metadata.thing_classes, metadata.get("ignore_label")) == (["a"], 255)
    assert metadata.get("missing", 3) == 3
    assert metadata.as_dict() == {"name": NAME, "thing_classes": ["a"], "ignore_label": 255}
    metadata.thing_classes = ["a"]  # the same again
    with pytest.raises(AssertionError):
        metadata.thing_classes = ["b"]
    with pytest.raises(AttributeError, match="stuff_classes"):
        _ = metadata.stuff_classes
    assert not hasattr(metadata, "stuff_classes")
    assert NAME in MetadataCatalog.list()
