"""The data sets that have a name. Importing this registers them; it touches no disk."""

from vps.data.datasets.cityscapes_categories import CITYSCAPES_CATEGORIES
from vps.data.datasets.cityscapes_vps import register_cityscapes_vps
from vps.data.datasets.davis import register_davis
from vps.data.datasets.davis2016 import DAVIS2016_CATEGORIES, register_davis2016
from vps.data.datasets.shapes import register_shapes
from vps.data.datasets.viper import register_viper
from vps.data.datasets.viper_categories import VIPER_CATEGORIES
from vps.data.datasets.viposeg import register_viposeg
from vps.data.datasets.vipseg import register_vipseg
from vps.data.datasets.vipseg_categories import VIPSEG_CATEGORIES
from vps.data.datasets.youtube_vos import register_vosw, register_youtube_vos

__all__ = [
    "CITYSCAPES_CATEGORIES",
    "DAVIS2016_CATEGORIES",
    "VIPER_CATEGORIES",
    "VIPSEG_CATEGORIES",
    "register_cityscapes_vps",
    "register_davis",
    "register_davis2016",
    "register_shapes",
    "register_viper",
    "register_viposeg",
    "register_vipseg",
    "register_vosw",
    "register_youtube_vos",
]

register_shapes()
register_davis2016()
register_cityscapes_vps()
register_viper()
register_vipseg()
register_viposeg()
register_davis(year=2016)
register_davis(year=2017)
register_youtube_vos()
register_vosw()
