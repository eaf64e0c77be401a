"""Who appears in a video of Shapes-VPS: the parts that make identities hard to keep.

* look-alikes: two of the same class, colours and size that run through each other twice per period;
* a leaver, who goes out of the view and comes back as the same individual;
* wanderers, who move fast for their size; some of them are small.
"""

from __future__ import annotations

import numpy as np

from vps.data.shapes_world.categories import SHAPES_CATEGORIES, THING_CLASSES
from vps.data.shapes_world.things import Path, Surface, Thing, draw_surface, look_alike


def draw_cast(
    rng: np.random.Generator, count: int, height: int, width: int, scale: float
) -> list[Thing]:
    """Draw ``count`` things for a view of ``height`` x ``width``, in the order of painting."""
    pairs = min(count // 2, 2 if count >= 6 and rng.random() < 0.5 else 1)
    parts: list[tuple[int, float, Surface, Path]] = []  # (category, radius, surface, path)
    classes = rng.permutation(THING_CLASSES).tolist()
    for index in range(pairs):
        category, radius = classes[index], rng.uniform(15, 23) * scale
        surface, path = draw_surface(rng, category), _crossing(rng, radius, height, width)
        parts.append((category, radius, surface, path))
        parts.append((category, radius, look_alike(surface, rng), path.opposite()))
    for index in range(count - len(parts)):
        category = classes[(pairs + index) % len(classes)]
        if index == 0:
            radius = rng.uniform(14, 22) * scale
            path = _leaving(rng, radius, height, width)
        else:
            small = index % 3 == 2
            low, high = (8.0, 11.0) if small else (16.0, 32.0)
            radius = np.exp(rng.uniform(np.log(low), np.log(high))) * scale
            path = _wandering(rng, radius, height, width)
        parts.append((category, radius, draw_surface(rng, category), path))
    # Small things go in front: they would be hidden for most of the video otherwise.
    nearness = [radius * rng.uniform(0.6, 1.4) for _, radius, _, _ in parts]
    order = sorted(range(len(parts)), key=lambda part: -nearness[part])
    return [_thing(rng, number, *parts[part]) for number, part in enumerate(order)]


def _thing(
    rng: np.random.Generator,
    number: int,
    category: int,
    radius: float,
    surface: Surface,
    path: Path,
) -> Thing:
    first_id = 1000 * SHAPES_CATEGORIES[category].dataset_id
    return Thing(
        segment_id=first_id + 1 + number,
        category=category,
        radius=float(radius),
        surface=surface,
        path=path,
        angle=rng.uniform(-0.5, 0.5),
        spin=rng.uniform(-0.06, 0.06),
    )


def _crossing(rng: np.random.Generator, radius: float, height: int, width: int) -> Path:
    direction = rng.uniform(-0.6, 0.6) + (np.pi if rng.random() < 0.5 else 0.0)
    swing = min(radius * rng.uniform(1.8, 2.8), 0.3 * width)
    centre = np.array([width * rng.uniform(0.3, 0.7), height * rng.uniform(0.3, 0.7)])
    return Path(
        centre=centre,
        swing=swing * np.array([np.cos(direction), np.sin(direction)]),
        period=rng.uniform(10, 16),
        phase=rng.uniform(0, 2 * np.pi),
        second_swing=0.06 * height * np.array([0.0, 1.0]),
        second_period=rng.uniform(15, 30),
        second_phase=rng.uniform(0, 2 * np.pi),
    )


def _leaving(rng: np.random.Generator, radius: float, height: int, width: int) -> Path:
    # Out of view for about a third of the period, at one of the two sides.
    side = -1.0 if rng.random() < 0.5 else 1.0
    swing = 1.6 * radius + 0.2 * width
    centre_x = width / 2 + side * (width / 2 - 0.55 * swing + radius)
    return Path(
        centre=np.array([centre_x, height * rng.uniform(0.2, 0.75)]),
        swing=np.array([swing, 0.0]),
        period=rng.uniform(9, 13),
        phase=rng.uniform(0, 2 * np.pi),
        second_swing=np.array([0.0, height * rng.uniform(0.05, 0.15)]),
        second_period=rng.uniform(12, 30),
        second_phase=rng.uniform(0, 2 * np.pi),
    )


def _wandering(rng: np.random.Generator, radius: float, height: int, width: int) -> Path:
    room = np.array([0.5 * width, 0.5 * height])
    centre = np.array([width, height]) * rng.uniform(0.3, 0.7, 2)
    # The larger the amplitude for a size, the less two frames overlap.
    reach = np.minimum(room * rng.uniform(0.5, 0.9, 2), radius * rng.uniform(2, 5, 2))
    return Path(
        centre=centre,
        swing=np.array([reach[0], 0.0]),
        period=rng.uniform(16, 34),
        phase=rng.uniform(0, 2 * np.pi),
        second_swing=np.array([0.0, reach[1]]),
        second_period=rng.uniform(16, 34),
        second_phase=rng.uniform(0, 2 * np.pi),
    )
