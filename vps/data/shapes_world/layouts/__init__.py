"""Shapes-VPS in the official on-disk forms of other data sets, so that all of their loaders,
preparations, writers and configs can be used without a download.
"""

from vps.data.shapes_world.layouts.writing import LAYOUTS, default_splits, write_layout

__all__ = ["LAYOUTS", "default_splits", "write_layout"]
