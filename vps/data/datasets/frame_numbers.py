"""The place of frames in the film, for data sets that left out some and say so in the image ids."""

from __future__ import annotations

from vps.structures import InputError, VideoRecord


def number_frames(records: list[VideoRecord]) -> list[VideoRecord]:
    """Add ``frame_numbers`` to records whose image ids end with ``_<number>``; the same records.

    Raises:
        InputError: an image id does not end so, or the numbers of a video do not ascend.
    """
    for record in records:
        numbers: list[int] = []
        for image_id in record["image_ids"]:
            number = image_id.rpartition("_")[2]
            if not number.isdecimal():
                raise InputError(
                    "expected image ids that end with _ and the number of the frame in video "
                    f"{record['video_id']}, got {image_id!r}"
                )
            if numbers and int(number) <= numbers[-1]:
                raise InputError(
                    f"expected the images of video {record['video_id']} in the order of time, got "
                    f"{image_id!r} behind frame {numbers[-1]}"
                )
            numbers.append(int(number))
        record["frame_numbers"] = numbers
    return records
