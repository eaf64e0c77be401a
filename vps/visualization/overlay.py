"""Draw a panoptic result over its picture: tints, outlines and labels.

Every segment is tinted in its colour; things get a bright outline and a label "class #id", where
the id is the one in the PNG and the JSON; large stuff is labelled with its class. Void stays as it
is. All per-pixel work is a table look-up, so that a 720p frame costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vps.structures import Category, PanopticFrame, category_of
from vps.visualization.colors import Color, frame_colors, luminance, mix
from vps.visualization.labels import interior_points

_TABLE_LIMIT = 1 << 20  # ids up to here index a table directly; larger ones are made dense first
_STUFF_LABEL_SHARE = 0.01  # of the picture; smaller regions of stuff are not labelled
_STUFF_TINT = 0.75  # weight of its tint relative to that of things
_COVER = 0.5  # a label may be at most 1 / _COVER times as large as its segment
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def draw_panoptic(
    image: np.ndarray,
    frame: PanopticFrame,
    categories: Sequence[Category],
    *,
    alpha: float = 0.5,
    labels: bool = True,
    colors: Mapping[int, Color] | None = None,
    text_size: int | None = None,
) -> np.ndarray:
    """Draw ``frame`` over ``image``.

    Args:
        image: uint8 [H, W, 3], RGB; not changed.
        frame: ids int32 [H, W] and their segments.
        categories: of the data set, contiguous.
        alpha: weight of the tint of things, 0 (none) .. 1 (opaque); stuff recedes a little.
        labels: write class names and ids.
        colors: {segment id: (R, G, B)} in place of the usual ones.
        text_size: of the labels, in pixels; None takes one that fits the picture.

    Returns:
        uint8 [H, W, 3], a new array.
    """
    if image.shape != (*frame.ids.shape, 3) or image.dtype != np.uint8:
        raise ValueError(
            f"expected an image uint8 {[*frame.ids.shape, 3]} for frame {frame.frame_id}, got "
            f"{image.dtype} {list(image.shape)}"
        )
    if not 0 <= alpha <= 1:
        raise ValueError(f"expected alpha in 0..1, got {alpha}")
    ids, segment_ids = _dense_ids(frame.ids)  # index into segment_ids
    areas = np.bincount(ids.ravel(), minlength=len(segment_ids))
    palette = frame_colors(frame, categories, colors)
    canvas = _tint(image, ids, segment_ids, palette, frame, alpha)
    _outline(canvas, ids, segment_ids, palette, frame)
    if labels:
        sizes = {s: int(area) for s, area in zip(segment_ids.tolist(), areas) if area}
        canvas = _label(canvas, frame, sizes, palette, categories, text_size)
    return canvas


def _dense_ids(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids as indices into a table of ids; sorting all pixels is kept for ids that are huge."""
    if ids.size and ids.min() >= 0 and ids.max() < _TABLE_LIMIT:
        return ids, np.arange(int(ids.max()) + 1)
    values, indices = np.unique(ids, return_inverse=True)
    return indices.reshape(ids.shape), values


def _tint(
    image: np.ndarray,
    ids: np.ndarray,
    segment_ids: np.ndarray,
    palette: Mapping[int, Color],
    frame: PanopticFrame,
    alpha: float,
) -> np.ndarray:
    # Red, green, blue and weight in one integer: one look-up per pixel in place of four. What has
    # no segment, void above all, has no weight.
    table = np.zeros(len(segment_ids), dtype="<u4")
    for index, segment_id in _places(segment_ids, palette):
        red, green, blue = palette[segment_id]
        share = alpha if frame.segments[segment_id].isthing else alpha * _STUFF_TINT
        table[index] = red | green << 8 | blue << 16 | round(255 * share) << 24
    tint = Image.fromarray(np.take(table, ids).view(np.uint8).reshape(*ids.shape, 4))  # RGBA
    picture = Image.fromarray(image)
    picture.paste(tint, mask=tint)
    return np.array(picture)


def _places(segment_ids: np.ndarray, palette: Mapping[int, Color]) -> Iterator[tuple[int, int]]:
    """Give (index, id) of the ids of ``palette`` that the sorted ``segment_ids`` hold."""
    for segment_id in palette:
        index = int(np.searchsorted(segment_ids, segment_id))
        if index < len(segment_ids) and segment_ids[index] == segment_id:
            yield index, segment_id


def _outline(
    canvas: np.ndarray,
    ids: np.ndarray,
    segment_ids: np.ndarray,
    palette: Mapping[int, Color],
    frame: PanopticFrame,
) -> None:
    """Draw borders, in place: things in a bright shade of their colour, stuff in a dark one."""
    border = np.zeros(ids.shape, dtype=bool)
    across = ids[:, 1:] != ids[:, :-1]
    along = ids[1:] != ids[:-1]
    border[:, 1:] |= across
    border[1:] |= along
    if min(ids.shape) >= 360:  # two pixels wide, one on either side
        border[:, :-1] |= across
        border[:-1] |= along
    pixels = np.flatnonzero(border)
    if not len(pixels):
        return
    shades = np.zeros((len(segment_ids), 3), dtype=np.uint8)
    for index, segment_id in _places(segment_ids, palette):
        isthing, color = frame.segments[segment_id].isthing, palette[segment_id]
        shades[index] = mix(color, _WHITE, 0.55) if isthing else mix(color, _BLACK, 0.35)
    canvas.reshape(-1, 3)[pixels] = shades[ids.ravel()[pixels]]


def _label(
    canvas: np.ndarray,
    frame: PanopticFrame,
    areas: Mapping[int, int],
    palette: Mapping[int, Color],
    categories: Sequence[Category],
    text_size: int | None,
) -> np.ndarray:
    """Write the labels for which there is room; returns a new array."""
    height, width = frame.ids.shape
    size = text_size or fitting_text_size(height, width)
    font = _font(size)
    texts: dict[int, list[tuple[str, tuple[int, int]]]] = {}  # id -> [(text, size of its plate)]
    for segment_id, area in areas.items():
        forms = _texts(segment_id, frame, categories, area / (height * width))
        plates = [(text, _plate_size(text, size)) for text in forms]
        # The short form where the long one would hide more than it tells; or none.
        if fitting := [(text, p) for text, p in plates if area >= _COVER * p[0] * p[1]]:
            texts[segment_id] = fitting
    # Things before stuff, large before small: what comes first gets its place.
    order = sorted(texts, key=lambda s: (not frame.segments[s].isthing, -areas[s]))
    points = interior_points(frame.ids, order)
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture, "RGBA")
    taken: list[tuple[int, int, int, int]] = []
    for segment_id in order:
        segment = frame.segments[segment_id]
        track = segment.isthing and not segment.iscrowd
        for text, plate in texts[segment_id]:
            box = _place(points[segment_id], plate, taken, (height, width))
            if box is not None:
                taken.append(box)
                _write(pen, text, box, font, palette[segment_id], track=track)
                break
    return np.array(picture)


def _texts(
    segment_id: int, frame: PanopticFrame, categories: Sequence[Category], share: float
) -> list[str]:
    """What may be written on a segment that has ``share`` of the picture; the best form first."""
    segment = frame.segments.get(segment_id)
    if segment is None or not (segment.isthing or share > _STUFF_LABEL_SHARE):
        return []
    name = category_of(segment, categories).name
    if segment.isthing and not segment.iscrowd:
        return [f"{name} #{segment_id}", f"#{segment_id}"]
    return [name]


def _place(
    point: tuple[int, int],
    plate: tuple[int, int],
    taken: Sequence[tuple[int, int, int, int]],
    shape: tuple[int, int],
) -> tuple[int, int, int, int] | None:
    """A free box (left, top, right, bottom) at or just above or below ``point``, else None."""
    (y, x), (plate_width, plate_height), (height, width) = point, plate, shape
    if plate_width > width or plate_height > height:
        return None
    left = min(max(x - plate_width // 2, 0), width - plate_width)
    for shift in (0, -1, 1):
        top = y - plate_height // 2 + shift * (plate_height + 1)
        top = min(max(top, 0), height - plate_height)
        box = (left, top, left + plate_width, top + plate_height)
        if not any(_overlap(box, other) for other in taken):
            return box
    return None


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _write(
    pen: ImageDraw.ImageDraw,
    text: str,
    box: tuple[int, int, int, int],
    font: ImageFont.FreeTypeFont,
    color: Color,
    *,
    track: bool,
) -> None:
    left, top, right, bottom = box
    middle = ((left + right) / 2, (top + bottom) / 2)
    if track:  # a plate in the colour of the thing
        pen.rounded_rectangle(
            (left, top, right - 1, bottom - 1), radius=(bottom - top) // 4, fill=(*color, 225)
        )
        ink = _BLACK if luminance(color) > 0.45 else _WHITE
        pen.text(middle, text, font=font, fill=ink, anchor="mm")
    else:  # stuff recedes: letters only
        outline = max(1, round(font.size / 12))
        pen.text(
            middle, text, font=font, fill=(255, 255, 255, 235), anchor="mm",
            stroke_width=outline, stroke_fill=(0, 0, 0, 170),
        )  # fmt: skip


def fitting_text_size(height: int, width: int) -> int:
    """Height of the letters in pixels: readable at 128x192, unobtrusive at 1080x1920."""
    return int(np.clip(round(4 + 0.018 * min(height, width)), 8, 30))


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


@lru_cache(maxsize=1024)
def _plate_size(text: str, size: int) -> tuple[int, int]:
    """Width and height of the plate behind a text."""
    ascent, descent = _font(size).getmetrics()
    return round(_font(size).getlength(text)) + size // 2 + 2, ascent + descent // 2 + 2
