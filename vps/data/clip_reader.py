"""Reading the frames of a clip: pictures and ground truth, checked, each once, perhaps kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from PIL import Image

from vps.io import read_ground_truth
from vps.io.images import read_picture
from vps.structures import InputError, PanopticFrame, VideoRecord

_BYTES = 4  # that Pillow keeps of a pixel


class ClipReader:
    """Opens videos for reading.

    Args:
        cache_mb: keep up to so many MB of decoded frames of all videos.
    """

    def __init__(self, cache_mb: float = 0) -> None:
        self._cache = FrameCache(cache_mb)

    def open(self, record: VideoRecord) -> OpenClip:
        """The frames of a video, for one clip."""
        return OpenClip(record, self._cache)


class OpenClip:
    """The frames of one video, by their index in the record.

    Rules that look at labels before they choose frames read some of them more than once; here they
    are decoded once.
    """

    def __init__(self, record: VideoRecord, cache: FrameCache) -> None:
        self._record, self._cache = record, cache
        self._images: dict[int, Image.Image] = {}
        self._truths: dict[int, PanopticFrame] = {}

    def image(self, t: int) -> Image.Image:
        """The picture of frame t, RGB.

        Raises:
            InputError: unreadable, or of another size than the record says; names the file.
        """
        if t not in self._images:
            self._images[t] = self._read_image(t)
        return self._images[t]

    def truth(self, t: int) -> PanopticFrame | None:
        """The ground truth of frame t; None where it has none.

        Raises:
            InputError: unreadable, or at odds with the record; names the file.
        """
        if not self._record["labelled"][t]:
            return None
        if t not in self._truths:
            self._truths[t] = self._cache.get(
                self._record["pan_seg_file_names"][t],
                lambda: read_ground_truth(self._record, t, trusted=True),
                lambda truth: truth.ids.nbytes,
            )
        return self._truths[t]

    def labelled_area(self, t: int) -> int:
        """Pixels of frame t that belong to a segment."""
        truth = self.truth(t)
        return 0 if truth is None else int(np.count_nonzero(truth.ids))

    def objects(self, t: int) -> Collection[int]:
        """The ids that frame t shows."""
        if self._record.get("label_coding", "rgb") == "rgb":
            # The table of an RGB panoptic PNG lists exactly the ids that are painted.
            return [info["id"] for info in self._record["segments_infos"][t] or ()]
        truth = self.truth(t)
        return [] if truth is None else truth.segments.keys()

    def _read_image(self, t: int) -> Image.Image:
        path = self._record["file_names"][t]
        image = self._cache.get(
            path, lambda: read_picture(path), lambda image: _BYTES * image.width * image.height
        )
        expected = (self._record["height"], self._record["width"])
        if (image.height, image.width) != expected:
            raise InputError(
                f"expected an image of {expected[0]}x{expected[1]} (height x width, as video "
                f"{self._record['video_id']} says), got {image.height}x{image.width} in {path}"
            )
        return image


class FrameCache:
    """What was read last, up to a number of megabytes. 0 keeps nothing."""

    def __init__(self, megabytes: float) -> None:
        self._limit = megabytes * 2**20
        self._held = 0
        self._entries: OrderedDict[Any, tuple[Any, int]] = OrderedDict()

    def get(self, key: Any, read: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """The value of ``key``, from ``read()`` if it is not held; ``size`` is in bytes."""
        if key in self._entries:
            self._entries.move_to_end(key)
            return self._entries[key][0]
        value = read()
        number = size(value)
        if number <= self._limit:
            self._entries[key] = (value, number)
            self._held += number
            while self._held > self._limit:
                self._held -= self._entries.popitem(last=False)[1][1]
        return value
