#!/usr/bin/env python
"""Cut pictures without labels into regions of colour, as a data set that teaches to follow masks.

    python projects/region_pretraining/make_regions.py --source path/to/DAVIS/JPEGImages/480p \
        --leave-out libby scooter-black --root datasets/regions

SOURCE holds folders of pictures. Every picture is shrunk and cut once per SCALE, coarser the larger
it is, and each cut becomes a video of one frame whose every pixel belongs to a region. ROOT then
has the files that DATASETS.FOLDERS asks for (datasets/README.md, "Your own data"), ready to train
on. A second run does only what is missing or has changed.

Cut as in Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation" (IJCV 2004):
pixels are joined along the edges of the grid, the most alike first, as long as the edge between two
regions is not stronger than what both have inside. Regions come in very different sizes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from vps.data.folder_dataset import CATEGORIES, DIVISOR, FRAMES
from vps.data.folders import PICTURES, Folders, MissingFileError, subfolders
from vps.data.panoptic_video_files import INDEX, PANOPTIC, SourceFrame, write_frames
from vps.data.prepare import Preparation, VideoJob, VideoResult
from vps.data.prepare.command import preparation_parser, run_command
from vps.data.prepare.frame import Entries
from vps.data.prepare.panoptic_index import category_entries, write_nested_index
from vps.io import atomic_folder, write_json
from vps.io.images import read_picture
from vps.structures import Category, InputError, PanopticFrame, Segment

REGIONS = [Category("region", True, (220, 20, 60), 1)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    parser = preparation_parser(
        "Cut pictures without labels into regions to learn from.", "regions", "folder to make"
    )
    add = parser.add_argument
    add("--source", type=Path, required=True, help="folder of folders of pictures")
    add("--leave-out", nargs="+", default=[], metavar="NAME", help="folders that are not used")
    add("--scales", nargs="+", type=int, default=[1000, 3000], help="cuts; larger is coarser")
    add("--long-side", type=int, default=400, help="pictures are shrunk to so many pixels")
    add("--blur", type=float, default=1.5, help="standard deviation, in pixels, before cutting")
    add("--least", type=float, default=0.002, help="share of the picture that a region has")
    arguments = parser.parse_args(argv)
    return run_command(lambda: [region_preparation(**vars(arguments))], arguments.workers)


def region_preparation(
    *,
    source: Path,
    root: Path,
    leave_out: Sequence[str] = (),
    scales: Sequence[int] = (1000, 3000),
    long_side: int = 400,
    blur: float = 1.5,
    least: float = 0.002,
    workers: int = 1,
) -> Preparation:
    """What the tool does; the arguments are its options.

    Raises:
        InputError: an option is out of its range, ``source`` has no pictures, or not the folders
            that are to be left out.
    """
    if min(scales) < 1 or long_side < 16 or blur < 0 or not 0 <= least < 1:
        raise InputError(
            "expected --scales of at least 1, a --long-side of at least 16, a --blur of at least 0 "
            f"and --least in [0, 1), got {list(scales)}, {long_side}, {blur} and {least}"
        )
    try:
        names = subfolders(source)
        folders = Folders()
        pictures: dict[str, Path] = {}
        for name in names:
            stems = folders.stems(source / name, PICTURES) if name not in leave_out else {}
            for stem, path in stems.items():
                other = pictures.setdefault(f"{name}-{stem}", Path(path))
                if other != Path(path):
                    raise InputError(
                        f"expected pictures of different names, got {other} and {path}, which both "
                        f"become the video {name}-{stem}"
                    )
    except MissingFileError as error:
        raise InputError(f"expected folders of pictures, got {error.found}") from error
    if unknown := sorted(set(leave_out) - set(names)):
        raise InputError(f"--leave-out: expected folders among {names}, got {unknown[0]}")
    if not pictures:
        raise InputError(f"expected pictures ({', '.join(PICTURES)}) in folders of {source}")
    cut = {"long_side": long_side, "blur": blur, "least": least}
    return Preparation(
        name=root.name,
        root=root,
        jobs=[
            VideoJob(f"{name}-{scale}", (path,), {"scale": scale})
            for name, path in pictures.items()
            for scale in scales
        ],
        work=partial(_cut_picture, cut),
        finish=_write_index,
        settings=cut,
        index=(INDEX,),
    )


def _cut_picture(cut: dict[str, float], root: Path, job: VideoJob) -> VideoResult:
    picture = shrink(read_picture(job.sources[0]), int(cut["long_side"]))
    regions = cut_regions(picture, scale=job.about["scale"], blur=cut["blur"], least=cut["least"])
    number = int(regions.max())
    if number >= DIVISOR:
        raise InputError(
            f"expected fewer than {DIVISOR} regions, got {number} in {job.sources[0]}; try larger "
            "--scales or more of --least"
        )
    ids = DIVISOR * REGIONS[0].dataset_id + regions
    segments = {i: Segment(0, True) for i in range(int(ids.min()), int(ids.max()) + 1)}
    frame = SourceFrame(job.sources[0].stem, np.asarray(picture), PanopticFrame("", ids, segments))
    with (
        atomic_folder(root / FRAMES / job.name) as frames,
        atomic_folder(root / PANOPTIC / job.name) as masks,
    ):
        entry = write_frames(frames, masks, job.name, [frame], REGIONS)
    content = {
        "images": entry.video["images"],
        "annotations": entry.annotations["annotations"],
    }
    files = [f"{FRAMES}/{job.name}/{content['images'][0]['file_name']}"]
    files.append(f"{PANOPTIC}/{job.name}/{content['annotations'][0]['file_name']}")
    return VideoResult(files, content, {"regions": number})


def _write_index(root: Path, entries: Entries) -> list[str]:
    write_json(root / CATEGORIES, category_entries(REGIONS))
    write_nested_index(root / INDEX, REGIONS, entries)
    return [INDEX, CATEGORIES]


def shrink(picture: Image.Image, long_side: int) -> Image.Image:
    """The picture with at most so many pixels on its long side."""
    factor = long_side / max(picture.size)
    if factor >= 1:
        return picture
    size = tuple(max(round(side * factor), 1) for side in picture.size)
    return picture.resize(size, Image.Resampling.BOX)


def cut_regions(
    picture: Image.Image, *, scale: float, blur: float = 1.5, least: float = 0.002
) -> np.ndarray:
    """Cut a picture into connected regions.

    Args:
        picture: RGB.
        scale: k of the paper, in steps of colour (0..255) times pixels: how much weaker than the
            edges around it a small region's own edges must be to stay alone.
        blur: standard deviation of the Gaussian before, in pixels.
        least: regions with a smaller share of the picture join their most similar neighbour.

    Returns:
        int32 [H, W], the regions 1..N in the order of their first pixels.
    """
    colors = np.asarray(picture.filter(ImageFilter.GaussianBlur(blur)), np.float32)
    height, width = colors.shape[:2]
    first, second, weights = _grid_edges(colors)
    forest = _Forest(height * width)
    edges = list(zip(first.tolist(), second.tolist(), weights.tolist()))
    for a, b, weight in edges:
        forest.join_alike(a, b, weight, scale)
    smallest = least * height * width
    for a, b, _ in edges:
        forest.join_small(a, b, smallest)
    roots = np.array([forest.find(pixel) for pixel in range(height * width)])
    _, starts, place = np.unique(roots, return_index=True, return_inverse=True)
    number = np.empty(len(starts), np.int32)
    number[np.argsort(starts)] = np.arange(1, len(starts) + 1)
    return number[place.reshape(height, width)]


def _grid_edges(colors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbours to the right and below: both pixels and how far their colours are apart, the
    nearest first.
    """
    pixels = np.arange(colors.shape[0] * colors.shape[1]).reshape(colors.shape[:2])
    right = np.linalg.norm(colors[:, 1:] - colors[:, :-1], axis=2)
    down = np.linalg.norm(colors[1:] - colors[:-1], axis=2)
    first = np.concatenate([pixels[:, :-1].ravel(), pixels[:-1].ravel()])
    second = np.concatenate([pixels[:, 1:].ravel(), pixels[1:].ravel()])
    weights = np.concatenate([right.ravel(), down.ravel()])
    order = np.argsort(weights, kind="stable")
    return first[order], second[order], weights[order]


class _Forest:
    """Sets of pixels that grow together; each knows its size and its strongest inner edge."""

    def __init__(self, pixels: int) -> None:
        self._parent = list(range(pixels))
        self._size = [1] * pixels
        self._inside = [0.0] * pixels

    def find(self, pixel: int) -> int:
        """The pixel that stands for the region of ``pixel``."""
        parent = self._parent
        while parent[pixel] != pixel:
            parent[pixel] = pixel = parent[parent[pixel]]
        return pixel

    def join_alike(self, a: int, b: int, weight: float, scale: float) -> None:
        """Equation 3 of the paper: join unless the edge is evidence of a boundary. Edges come in
        ascending order, so that this one becomes the strongest inside.
        """
        a, b = self.find(a), self.find(b)
        if a == b:
            return
        inside, size = self._inside, self._size
        if weight <= inside[a] + scale / size[a] and weight <= inside[b] + scale / size[b]:
            self._inside[self._join(a, b)] = weight

    def join_small(self, a: int, b: int, smallest: float) -> None:
        """Join two regions if one of them is too small."""
        a, b = self.find(a), self.find(b)
        if a != b and min(self._size[a], self._size[b]) < smallest:
            self._join(a, b)

    def _join(self, a: int, b: int) -> int:
        if self._size[a] < self._size[b]:
            a, b = b, a
        self._parent[b] = a
        self._size[a] += self._size[b]
        return a


if __name__ == "__main__":
    sys.exit(main())
