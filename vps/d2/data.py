"""Catalogs of data sets: how to read each of them, and what is known about it."""

from .contract import resolve

__all__ = ["DatasetCatalog", "MetadataCatalog"]

DatasetCatalog, MetadataCatalog = resolve("data", "DatasetCatalog", "MetadataCatalog")
