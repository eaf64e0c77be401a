"""Synthetic motion: T frames made of one picture, to pre-train propagation (AOT, paper 5.1).

Every frame sees the picture through a warp of its own, which is a chain of points' maps from the
new frame back to the picture: a random part of it (random-resized crop), then a random affine
change, a flip, and perhaps a thin-plate spline, which bends it. The chain is evaluated at the
corners of a mesh of cells and interpolated in between, so that pictures and ids are sampled once,
whatever the chain. Frame 0, the reference, is a crop alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vps.data.geometry import FILTERS, as_picture, resize_ids
from vps.structures import InputError

PointMap = Callable[[np.ndarray], np.ndarray]  # float [N, 2] = (x, y) -> float [N, 2]

_CROP_TRIES = 10
_SPLINE_CELLS = 16  # of the mesh, per side; a map that is affine needs one


@dataclass(frozen=True)
class SyntheticMotion:
    """The ranges, with AOT's numbers.

    Attributes:
        size: (height, width) of the frames that are made.
        clip_flip, frame_flip: probability of a horizontal flip of all frames, and of each of the
            frames 1..T-1.
        rotation, shear: at most so many degrees to either side.
        shift: at most this share of the picture's sides.
        scale: least and greatest zoom.
        area, ratio: range of the crop's share of the picture and of its width over height.
        spline_probability: for each frame; 0 in AOT, 0.3 in PAOT.
        spline_points, spline_sigma: control points and the standard deviation of their moves, as
            a share of the picture's sides.
        interpolation: "bilinear" or "bicubic", of pictures.
        pad_color: for what lies outside the picture; its id is 0.
    """

    size: tuple[int, int]
    clip_flip: float = 0.5
    frame_flip: float = 0.3
    rotation: float = 20.0
    shift: float = 0.1
    scale: tuple[float, float] = (0.9, 1.1)
    shear: float = 10.0
    area: tuple[float, float] = (0.8, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    spline_probability: float = 0.0
    spline_points: int = 12
    spline_sigma: float = 0.02
    interpolation: str = "bilinear"
    pad_color: tuple[int, int, int] = (124, 116, 104)

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 1:
            raise InputError(f"expected INPUT.CROP.SIZE (height, width) in pixels, got {self.size}")
        for name in ("scale", "area", "ratio"):
            limits = getattr(self, name)
            if len(limits) != 2 or not 0 < limits[0] <= limits[1]:
                raise InputError(
                    f"expected INPUT.STATIC.{name.upper()} as (least, most) above 0, got {limits}"
                )
        if self.interpolation not in FILTERS:
            raise InputError(
                f"expected INPUT.INTERPOLATION {' or '.join(FILTERS)}, got {self.interpolation!r}"
            )

    def __call__(
        self,
        image: np.ndarray | Image.Image,
        ids: np.ndarray,
        length: int,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Make ``length`` = T frames of a picture, uint8 [H, W, 3] or RGB, and its ids int32
        [H, W].

        Returns:
            images uint8 [T, height, width, 3] and ids int32 [T, height, width] of ``size``.
        """
        picture, labels = self._reduce(as_picture(image), ids)
        if rng.random() < self.clip_flip:
            mirror = Image.Transpose.FLIP_LEFT_RIGHT
            picture, labels = picture.transpose(mirror), labels.transpose(mirror)
        frames = [self._make_frame(picture, labels, rng, moves=t > 0) for t in range(length)]
        return np.stack([frame[0] for frame in frames]), np.stack([frame[1] for frame in frames])

    def _reduce(self, picture: Image.Image, ids: np.ndarray) -> tuple[Image.Image, Image.Image]:
        """Bring a picture that is much larger than the frames nearer to their size: the warps
        sample points, and a coarse sampling of fine texture would flicker.
        """
        scale = max(side / have for side, have in zip(self.size, ids.shape))
        if scale > 0.8:
            return picture, Image.fromarray(ids)
        height, width = (int(side * scale + 0.5) for side in ids.shape)
        picture = picture.resize((width, height), FILTERS[self.interpolation])
        return picture, Image.fromarray(resize_ids(ids, (height, width)))

    def _make_frame(
        self, picture: Image.Image, labels: Image.Image, rng: np.random.Generator, *, moves: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        width, height = picture.size
        chain, cells = [self._draw_crop(height, width, rng)], 1
        if moves:
            chain.append(self._draw_affine(height, width, rng))
            if rng.random() < self.frame_flip:
                chain.append(lambda points: points * (-1, 1) + (width, 0))
        if self.spline_probability > 0 and rng.random() < self.spline_probability:
            moved = rng.normal(0, self.spline_sigma, (self.spline_points, 2))
            points = rng.random((self.spline_points, 2)) * (width, height)
            chain.append(thin_plate_spline(points, points + moved * (width, height)))
            cells = _SPLINE_CELLS
        mesh = make_mesh(self.size, chain, cells)
        frame = picture.transform(
            self.size[::-1],
            Image.Transform.MESH,
            mesh,
            FILTERS[self.interpolation],
            fillcolor=tuple(self.pad_color),
        )
        new_ids = labels.transform(
            self.size[::-1], Image.Transform.MESH, mesh, Image.Resampling.NEAREST, fillcolor=0
        )
        return np.asarray(frame), np.asarray(new_ids)

    def _draw_crop(self, height: int, width: int, rng: np.random.Generator) -> PointMap:
        """A part of the picture that fills the frame: random-resized crop."""
        for _ in range(_CROP_TRIES):
            area = rng.uniform(*self.area) * height * width
            ratio = np.exp(rng.uniform(*np.log(self.ratio)))
            box_width, box_height = np.sqrt(area * ratio), np.sqrt(area / ratio)
            if box_width <= width and box_height <= height:
                break
        else:  # no such part of a picture that is longer than any ratio allows
            box_width = min(width, height * self.ratio[1])
            box_height = min(height, width / self.ratio[0])
        left = rng.uniform(0, width - box_width)
        top = rng.uniform(0, height - box_height)
        factor = np.array([box_width / self.size[1], box_height / self.size[0]])
        return lambda points: points * factor + (left, top)

    def _draw_affine(self, height: int, width: int, rng: np.random.Generator) -> PointMap:
        """Rotation, shear, zoom and shift about the centre of the picture."""
        angle, shear_x, shear_y = np.deg2rad(
            rng.uniform(-1, 1, 3) * (self.rotation, self.shear, self.shear)
        )
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        slant = np.array([[1, np.tan(shear_x)], [np.tan(shear_y), 1]])
        matrix = np.linalg.inv(turn @ slant * rng.uniform(*self.scale))
        shift = rng.uniform(-self.shift, self.shift, 2) * (width, height)
        centre = np.array([width, height]) / 2
        return lambda points: (points - centre - shift) @ matrix.T + centre


def make_mesh(
    size: tuple[int, int], chain: list[PointMap], cells: int
) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
    """Pillow's MESH of a chain of maps: for each of ``cells`` x ``cells`` boxes (left, top, right,
    bottom) of a frame of ``size`` = (height, width) where its corners lie in the picture: upper
    left, lower left, lower right, upper right.
    """
    rows, columns = (np.linspace(0, side, min(cells, side) + 1).astype(int) for side in size)
    points = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2).astype(float)
    for step in chain:
        points = step(points)
    points = points.reshape(len(rows), len(columns), 2)
    mesh = []
    for r in range(len(rows) - 1):
        for c in range(len(columns) - 1):
            corners = [points[r, c], points[r + 1, c], points[r + 1, c + 1], points[r, c + 1]]
            box = (columns[c], rows[r], columns[c + 1], rows[r + 1])
            mesh.append((tuple(map(int, box)), tuple(np.concatenate(corners).tolist())))
    return mesh


def thin_plate_spline(sources: np.ndarray, targets: np.ndarray) -> PointMap:
    """The least bent map of the plane that takes points float [N, 2] to others (Bookstein 1989).

    Three points in general position, or more; none twice.
    """
    number = len(sources)
    frame = np.concatenate([np.ones((number, 1)), sources], axis=1)  # (N, 3)
    system = np.zeros((number + 3, number + 3))
    system[:number, :number] = _bending(sources, sources)
    system[:number, number:], system[number:, :number] = frame, frame.T
    right = np.concatenate([targets, np.zeros((3, 2))])
    weights = np.linalg.solve(system, right)  # (N + 3, 2)

    def apply(points: np.ndarray) -> np.ndarray:
        affine = np.concatenate([np.ones((len(points), 1)), points], axis=1)
        return _bending(points, sources) @ weights[:number] + affine @ weights[number:]

    return apply


def _bending(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """r^2 log r^2 of all distances, float [N, M]; 0 where r is 0."""
    squared = ((points[:, None] - centres[None]) ** 2).sum(axis=-1)
    return squared * np.log(np.maximum(squared, 1e-12))
