"""The classes of Shapes-VPS: four of things, told apart by their outline, and four of stuff.

As in many real data sets the ids in the files are neither contiguous nor start at 0, and things
come before stuff: code that confuses the two numberings fails on this data set, not on the next.
"""

from vps.structures import Category

SHAPES_CATEGORIES: list[Category] = [
    Category("disc", True, (220, 20, 60), 1),
    Category("square", True, (0, 60, 200), 2),
    Category("triangle", True, (255, 170, 0), 3),
    Category("star", True, (150, 60, 200), 4),
    Category("sky", False, (70, 130, 180), 11),
    Category("grass", False, (107, 142, 35), 12),
    Category("water", False, (60, 80, 230), 13),
    Category("road", False, (128, 64, 128), 14),
]

DISC, SQUARE, TRIANGLE, STAR, SKY, GRASS, WATER, ROAD = range(len(SHAPES_CATEGORIES))
THING_CLASSES = (DISC, SQUARE, TRIANGLE, STAR)
