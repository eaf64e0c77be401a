"""Which class of a target data set stands for a class of Shapes-VPS: things for things, stuff for
stuff.

The numbers are the ids that the target's own files use. In VIPSeg the square is a car, whose
palette colour is also a stuff class's; in VIPOSeg the star (fan) and the water (waterfall) belong
to the classes that training does not see.
"""

from __future__ import annotations

from vps.data.shapes_world.categories import (
    DISC,
    GRASS,
    ROAD,
    SKY,
    SQUARE,
    STAR,
    THING_CLASSES,
    TRIANGLE,
    WATER,
)

ClassMap = dict[int, int]  # position in SHAPES_CATEGORIES -> id in the files of the target

# person, car, truck, bicycle; sky, terrain, sidewalk, road
CITYSCAPES_CLASSES: ClassMap = {
    DISC: 11,
    SQUARE: 13,
    TRIANGLE: 14,
    STAR: 18,
    SKY: 10,
    GRASS: 9,
    WATER: 1,
    ROAD: 0,
}

# Ids of the prepared set: person, car, truck, motorcycle; sky, terrain, sidewalk, road
VIPER_CLASSES: ClassMap = {
    DISC: 17,
    SQUARE: 19,
    TRIANGLE: 22,
    STAR: 18,
    SKY: 0,
    GRASS: 3,
    WATER: 2,
    ROAD: 1,
}

# Ids of the JSON (raw masks: one more): ball, car, dog, fan; sky, grass, waterfall, road
VIPSEG_CLASSES: ClassMap = {
    DISC: 74,
    SQUARE: 48,
    TRIANGLE: 62,
    STAR: 102,
    SKY: 28,
    GRASS: 15,
    WATER: 38,
    ROAD: 18,
}

# Those of VIPOSeg's subsets "unseen": objects of them are in its validation only.
VIPOSEG_UNSEEN = (STAR, WATER)

# YouTube-VOS names classes. Training has none of the last, which makes it an unseen one there.
YOUTUBE_VOS_CLASSES = dict(zip(THING_CLASSES, ("frisbee", "sedan", "sign", "hedgehog")))
YOUTUBE_VOS_UNSEEN = (STAR,)
