"""The data sets that have a name. Importing this registers them; it touches no disk."""

from vps.data.datasets.davis2016 import DAVIS2016_CATEGORIES, register_davis2016
from vps.data.datasets.shapes import register_shapes

__all__ = ["DAVIS2016_CATEGORIES", "register_davis2016", "register_shapes"]

register_shapes()
register_davis2016()
