"""Dynamic merging: the objects of one clip pasted over another (AOT, paper 5.1).

Videos of object segmentation show few objects each. Two of them on top of each other give a network
more identities to tell apart, and objects that hide one another.
"""

from __future__ import annotations

import torch

from vps.structures import ClipSample


def merge_clips(below: ClipSample, above: ClipSample) -> ClipSample:
    """Paste the labelled pixels of ``above`` over ``below``, frame by frame.

    Both have T frames. Where their sizes differ, they share the upper left corner, and what of
    ``above`` reaches beyond ``below`` is cut off. The ids of ``above`` are shifted past those of
    ``below`` and past those that its table lists: an object that is hidden keeps its id to itself.

    Returns:
        A clip with the names of ``below``; a frame is labelled where it was in both. Segments that
        are hidden in all frames stay in the table.
    """
    if len(below["ids"]) != len(above["ids"]):
        raise ValueError(
            f"expected clips of the same number of frames, got {len(below['ids'])} and "
            f"{len(above['ids'])}"
        )
    shift = max(below["segments"], default=0)
    images, ids = below["images"].clone(), below["ids"].clone()
    height, width = (min(sizes) for sizes in zip(ids.shape[1:], above["ids"].shape[1:]))
    pasted = above["ids"][:, :height, :width]
    mask = pasted != 0
    ids[:, :height, :width] = torch.where(mask, pasted + shift, ids[:, :height, :width])
    images[..., :height, :width] = torch.where(
        mask[:, None], above["images"][..., :height, :width], images[..., :height, :width]
    )
    labelled = below["labelled"] & above["labelled"]
    ids[~labelled] = 0  # an unlabelled frame has no ids, not those of one clip alone
    shifted = {key + shift: segment for key, segment in above["segments"].items()}
    return ClipSample(
        images=images,
        ids=ids,
        segments={**below["segments"], **shifted},
        labelled=labelled,
        frame_ids=below["frame_ids"],
        video_id=below["video_id"],
    )
