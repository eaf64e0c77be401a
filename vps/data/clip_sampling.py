"""Which frames of a video form a training clip.

A clip sampler is a function ``(labelled, target, rng) -> frame indices``: ``labelled`` says for
every frame of the video whether it carries ground truth, ``target`` is the frame the clip is for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from vps.structures import InputError

ClipSampler = Callable[[Sequence[bool], int, np.random.Generator], list[int]]


def make_clip_sampler(name: str, *, length: int, max_gap: int, reverse: bool) -> ClipSampler:
    """The sampler that INPUT.CLIP asks for: "pair" or "consecutive"."""
    if name == "pair":
        if length != 2 or max_gap < 1:
            raise InputError(
                "expected INPUT.CLIP.LENGTH 2 and INPUT.CLIP.MAX_GAP >= 1 for SAMPLER pair, got "
                f"{length} and {max_gap}"
            )
        return partial(sample_pair, max_gap=max_gap)
    if name == "consecutive":
        if length < 1:
            raise InputError(f"expected INPUT.CLIP.LENGTH >= 1, got {length}")
        return partial(sample_consecutive, length=length, reverse=reverse)
    raise InputError(f"expected INPUT.CLIP.SAMPLER 'pair' or 'consecutive', got {name!r}")


def sample_pair(
    labelled: Sequence[bool], target: int, rng: np.random.Generator, *, max_gap: int
) -> list[int]:
    """[target, reference]: VPSNet's pair (paper 4.1, tau in {-5..5}).

    The reference is any labelled frame within ``max_gap`` real frames, not of labelled ones: motion
    is a matter of time. It is never the target itself, which teaches no motion, unless there is no
    other.
    """
    first, last = max(target - max_gap, 0), min(target + max_gap, len(labelled) - 1)
    candidates = [t for t in range(first, last + 1) if labelled[t] and t != target]
    reference = candidates[rng.integers(len(candidates))] if candidates else target
    return [target, reference]


def sample_consecutive(
    labelled: Sequence[bool],
    target: int,
    rng: np.random.Generator,
    *,
    length: int,
    reverse: bool = False,
) -> list[int]:
    """``length`` labelled frames in a row, the target among them; its place in the row is random.

    A video with fewer labelled frames gives all of them and repeats the last. With ``reverse`` half
    of the clips are played backwards.
    """
    frames = [t for t, has_labels in enumerate(labelled) if has_labels]
    place = frames.index(target)
    first = rng.integers(max(place - length + 1, 0), max(min(place, len(frames) - length), 0) + 1)
    clip = frames[first : first + length]
    clip += clip[-1:] * (length - len(clip))
    return clip[::-1] if reverse and rng.random() < 0.5 else clip
