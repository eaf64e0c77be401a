"""Shapes-VPS: a small world of moving things over scenery, drawn from a seed, with exact labels."""

from vps.data.shapes_world.categories import SHAPES_CATEGORIES
from vps.data.shapes_world.dataset import ShapesSplit, write_shapes_split
from vps.data.shapes_world.world import ShapesWorld

__all__ = ["SHAPES_CATEGORIES", "ShapesSplit", "ShapesWorld", "write_shapes_split"]
