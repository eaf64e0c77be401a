"""VIPOSeg and DAVIS scores written down as plainly as possible: object after object, whole masks,
erosion and dilation as loops over the offsets of the structuring element.
"""

from __future__ import annotations

import math

import numpy as np


def shifted(mask, dy, dx, fill):
    """mask[y + dy, x + dx], ``fill`` outside."""
    height, width = mask.shape
    reach = max(abs(dy), abs(dx))
    padded = np.pad(mask, reach, constant_values=fill)
    return padded[reach + dy : reach + dy + height, reach + dx : reach + dx + width]


def naive_band(mask, width):
    eroded = mask.copy()
    for dy in range(-width, width + 1):
        for dx in range(-width, width + 1):
            eroded &= shifted(mask, dy, dx, False)
    return mask & ~eroded


def naive_dilate_disk(mask, radius):
    grown = np.zeros_like(mask)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dy * dy + dx * dx <= radius * radius:
                grown |= shifted(mask, dy, dx, False)
    return grown


def naive_contour(mask):
    contour = np.zeros_like(mask)
    inner = mask[:-1, :-1]
    for neighbour in (mask[:-1, 1:], mask[1:, :-1], mask[1:, 1:]):
        contour[:-1, :-1] |= inner != neighbour
    contour[-1, :-1] = mask[-1, :-1] != mask[-1, 1:]
    contour[:-1, -1] = mask[:-1, -1] != mask[1:, -1]
    return contour


def naive_contour_counts(gt, pred, radius):
    """Contour pixels of both sides and the matched ones of both."""
    true, guess = naive_contour(gt), naive_contour(pred)
    return [
        int(true.sum()),
        int(guess.sum()),
        int((true & naive_dilate_disk(guess, radius)).sum()),
        int((guess & naive_dilate_disk(true, radius)).sum()),
    ]


def naive_f(gt, pred, radius):
    true, guess, true_matched, guess_matched = naive_contour_counts(gt, pred, radius)
    if not true and not guess:
        return 1.0
    precision = guess_matched / guess if guess else 1.0
    recall = true_matched / true if true else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def naive_iou(gt, pred):
    union = (gt | pred).sum()
    return (gt & pred).sum() / union if union else 1.0


def naive_viposeg(videos, subset_of):
    """The eight parts and {n: mean IoU}.

    ``videos``: {video id: (frames, references {id: frame indices}, classes)}.
    """
    parts, crowd = {}, {}
    for video_id, (frames, references, classes) in videos.items():
        active = []
        for index, (_, gt, pred) in enumerate(frames):
            width = max(1, round(0.02 * math.sqrt(gt.shape[0] ** 2 + gt.shape[1] ** 2)))
            for object_id in active:
                true, guess = gt == object_id, pred == object_id
                mask_iou = naive_iou(true, guess)
                if true.any() and guess.any():
                    boundary_iou = naive_iou(naive_band(true, width), naive_band(guess, width))
                else:
                    boundary_iou = mask_iou
                subset = subset_of(video_id, classes[object_id])
                parts.setdefault(f"{subset}_miou", []).append(mask_iou)
                parts.setdefault(f"{subset}_biou", []).append(boundary_iou)
                crowd.setdefault(len(active), []).append((mask_iou + boundary_iou) / 2)
            active += [i for i, given in references.items() if index in given]
    return (
        {part: float(np.mean(values)) for part, values in parts.items()},
        {n: float(np.mean(values)) for n, values in crowd.items()},
    )


def naive_davis_object(frames, object_id):
    """Per-frame J and F of one object in all frames but the first and the last, and F's radius."""
    j, f = [], []
    for _, gt, pred in frames[1:-1]:
        radius = math.ceil(0.008 * math.sqrt(gt.shape[0] ** 2 + gt.shape[1] ** 2))
        j.append(naive_iou(gt == object_id, pred == object_id))
        f.append(naive_f(gt == object_id, pred == object_id, radius))
    return j, f


def naive_statistics(values):
    edges = [round(edge + 1e-10) - 1 for edge in np.linspace(1, len(values), 5).tolist()]
    quarters = [values[edges[k] : edges[k + 1] + 1] for k in range(4)]
    return (
        float(np.mean(values)),
        float(np.mean([value > 0.5 for value in values])),
        float(np.mean(quarters[0]) - np.mean(quarters[3])),
    )
