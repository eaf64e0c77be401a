"""Arithmetic of boxes, and the coder between boxes and regression deltas.

A box is float (x0, y0, x1, y1) in pixels, x1 and y1 exclusive: width = x1 - x0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# exp(4.14) = 62.5 = 1000 / 16: larger growth of a box is a numeric accident, not a prediction.
MAX_LOG_SCALE = math.log(1000.0 / 16)


def box_area(boxes: Tensor) -> Tensor:
    """Area of boxes (..., 4) -> (...)."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def box_intersection(a: Tensor, b: Tensor) -> Tensor:
    """Intersection areas of all pairs, (A, 4) and (B, 4) -> (A, B)."""
    sides = torch.min(a[:, None, 2:], b[:, 2:]) - torch.max(a[:, None, :2], b[:, :2])
    return sides.clamp_(min=0).prod(dim=2)


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of all pairs, (A, 4) and (B, 4) -> (A, B); 0 for empty boxes."""
    intersection = box_intersection(a, b)
    union = box_area(a)[:, None] + box_area(b) - intersection
    return torch.where(intersection > 0, intersection / union, intersection.new_zeros(()))


def box_coverage(a: Tensor, b: Tensor) -> Tensor:
    """Share of each b's own area that each a covers, (A, 4) and (B, 4) -> (A, B)."""
    intersection = box_intersection(a, b)
    return torch.where(intersection > 0, intersection / box_area(b), intersection.new_zeros(()))


def clip_boxes(boxes: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Clip boxes (..., 4) to an image of (height, width)."""
    height, width = image_size
    x = boxes[..., 0::2].clamp(min=0, max=width)
    y = boxes[..., 1::2].clamp(min=0, max=height)
    return torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], dim=-1)


def larger_than(boxes: Tensor, side: float = 0.0) -> Tensor:
    """Bool (N,): boxes (N, 4) whose width and height both exceed ``side``."""
    return (boxes[:, 2] - boxes[:, 0] > side) & (boxes[:, 3] - boxes[:, 1] > side)


class BoxCoder:
    """Deltas (dx, dy, dw, dh) that move one box onto another (R-CNN, appendix C).

    dx and dy are shifts of the centre in units of the source's sides, dw and dh logarithms of the
    sides' ratios; each is multiplied by its weight so that the deltas have about unit variance.
    """

    def __init__(self, weights: Sequence[float]):
        self.weights = tuple(weights)

    def encode(self, sources: Tensor, goals: Tensor) -> Tensor:
        """Deltas that move ``sources`` (N, 4) onto ``goals`` (N, 4); the sources have area."""
        source_sides = sources[:, 2:] - sources[:, :2]
        goal_sides = goals[:, 2:] - goals[:, :2]
        source_centres = sources[:, :2] + 0.5 * source_sides
        goal_centres = goals[:, :2] + 0.5 * goal_sides
        weights = sources.new_tensor(self.weights)
        shifts = weights[:2] * (goal_centres - source_centres) / source_sides
        scales = weights[2:] * torch.log(goal_sides / source_sides)
        return torch.cat([shifts, scales], dim=1)

    def decode(self, deltas: Tensor, boxes: Tensor) -> Tensor:
        """Move ``boxes`` (N, 4) by ``deltas`` (N, 4 K) -> (N, K, 4), float32."""
        deltas = deltas.float().unflatten(1, (-1, 4))  # half cannot hold pixel coordinates
        boxes = boxes.to(deltas.dtype)[:, None]
        sides = boxes[..., 2:] - boxes[..., :2]
        centres = boxes[..., :2] + 0.5 * sides
        weights = deltas.new_tensor(self.weights)
        deltas = deltas / weights
        new_centres = deltas[..., :2] * sides + centres
        half_sides = 0.5 * (deltas[..., 2:].clamp(max=MAX_LOG_SCALE).exp() * sides)
        return torch.cat([new_centres - half_sides, new_centres + half_sides], dim=-1)
