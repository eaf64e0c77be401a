"""Pictures for people: overlays, picture sheets and training curves."""

from vps.visualization.colors import segment_color, track_color
from vps.visualization.crowd_curves import plot_crowd_curves
from vps.visualization.curves import plot_curves
from vps.visualization.overlay import draw_panoptic
from vps.visualization.panels import Panel, draw_panels
from vps.visualization.sheet import (
    Comparison,
    SheetRow,
    comparison_rows,
    comparison_sheet,
    picture_sheet,
    write_picture,
)

__all__ = [
    "Comparison",
    "Panel",
    "SheetRow",
    "comparison_rows",
    "comparison_sheet",
    "draw_panels",
    "draw_panoptic",
    "picture_sheet",
    "plot_crowd_curves",
    "plot_curves",
    "segment_color",
    "track_color",
    "write_picture",
]
