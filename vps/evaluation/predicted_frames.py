"""What a model gives for a video, checked frame by frame against the video's record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vps.structures import InputError, PanopticFrame, VideoRecord


def check_predictions(
    record: VideoRecord, predictions: Iterable[PanopticFrame]
) -> Iterator[tuple[int, PanopticFrame]]:
    """Each prediction with the index of its frame.

    Raises:
        InputError: frames are missing, too many or out of order; names the video and the frame.
    """
    video_id, count = record["video_id"], 0
    for index, prediction in enumerate(predictions):
        if index >= record["length"]:
            raise InputError(
                f"expected {record['length']} predicted frames for video {video_id}, got more "
                f"(next: {prediction.frame_id})"
            )
        if prediction.frame_id != record["image_ids"][index]:
            raise InputError(
                f"expected a prediction for frame {record['image_ids'][index]} of video {video_id} "
                f"at position {index}, got one for frame {prediction.frame_id}"
            )
        count = index + 1
        yield index, prediction
        del prediction  # or it would live on while the next one is made
    if count < record["length"]:
        raise InputError(
            f"expected {record['length']} predicted frames for video {video_id}, got {count}; was "
            "the iterator of frames read by another evaluator?"
        )
