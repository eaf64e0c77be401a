"""Colours of segments: stuff wears the colour of its class, a thing one of its own for its whole
track.

The colour of a track is a pure function of its id, so that it is the same in every frame, video and
run. Hues of successive ids lie a golden angle apart, so that things which appear together, and
therefore have successive ids, are easy to tell from each other.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from functools import lru_cache

from vps.structures import Category, PanopticFrame, Segment, category_of

Color = tuple[int, int, int]

_GOLDEN_ANGLE = 0.6180339887498949  # of a whole turn
# Saturation and value change with periods of 2 and 3: after a turn the hue returns, not the colour.
_SATURATIONS = (0.85, 0.62)
_VALUES = (1.0, 0.82, 0.92)


@lru_cache(maxsize=4096)
def track_color(track_id: int) -> Color:
    """The colour (R, G, B), 0..255, of the thing with segment id ``track_id``."""
    hue = (0.07 + track_id * _GOLDEN_ANGLE) % 1.0
    saturation = _SATURATIONS[track_id % 2]
    value = _VALUES[track_id % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def segment_color(segment_id: int, segment: Segment, categories: Sequence[Category]) -> Color:
    """The colour of one segment: its track's for a thing, its class's for stuff and crowds."""
    if segment.isthing and not segment.iscrowd:
        return track_color(segment_id)
    return category_of(segment, categories).color


def frame_colors(
    frame: PanopticFrame,
    categories: Sequence[Category],
    overrides: Mapping[int, Color] | None = None,
) -> dict[int, Color]:
    """{segment id: colour} of all segments of a frame; ``overrides`` go first."""
    overrides = overrides or {}
    return {
        segment_id: overrides.get(segment_id) or segment_color(segment_id, segment, categories)
        for segment_id, segment in frame.segments.items()
    }


def mix(color: Color, other: Color, share: float) -> Color:
    """``color`` with ``share`` (0..1) of ``other`` in it."""
    return tuple(round(a + (b - a) * share) for a, b in zip(color, other))


def luminance(color: Color) -> float:
    """Perceived brightness, 0 (black) .. 1 (white), after ITU-R BT.709."""
    red, green, blue = color
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
