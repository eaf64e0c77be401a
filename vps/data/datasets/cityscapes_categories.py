"""The 19 classes of Cityscapes-VPS, in the order of its files: stuff 0..10, things 11..18.

The files of the data set misspell one name (``CITYSCAPES_SPELLINGS``) and mistype one raw id:
they give traffic sign the 21 of vegetation. Here are the right ones.
"""

from vps.structures import Category

CITYSCAPES_CATEGORIES: list[Category] = [
    Category("road", False, (128, 64, 128), 0),
    Category("sidewalk", False, (244, 35, 232), 1),
    Category("building", False, (70, 70, 70), 2),
    Category("wall", False, (102, 102, 156), 3),
    Category("fence", False, (190, 153, 153), 4),
    Category("pole", False, (153, 153, 153), 5),
    Category("traffic light", False, (250, 170, 30), 6),
    Category("traffic sign", False, (220, 220, 0), 7),
    Category("vegetation", False, (107, 142, 35), 8),
    Category("terrain", False, (152, 251, 152), 9),
    Category("sky", False, (70, 130, 180), 10),
    Category("person", True, (220, 20, 60), 11),
    Category("rider", True, (255, 0, 0), 12),
    Category("car", True, (0, 0, 142), 13),
    Category("truck", True, (0, 0, 70), 14),
    Category("bus", True, (0, 60, 100), 15),
    Category("train", True, (0, 80, 100), 16),
    Category("motorcycle", True, (0, 0, 230), 17),
    Category("bicycle", True, (119, 11, 32), 18),
]

# As the files of the data set spell a name: as it is spelled here.
CITYSCAPES_SPELLINGS = {"vegitation": "vegetation"}

# Cityscapes' own number ("labelId") of each class, by position in the list.
CITYSCAPES_RAW_IDS: tuple[int, ...] = (
    *(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23),
    *(24, 25, 26, 27, 28, 31, 32, 33),
)
