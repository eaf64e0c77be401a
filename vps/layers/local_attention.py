"""Attention of every pixel to a square window around itself in another map, without a dense matrix.

AOT's short-term attention (section 3.3 of the paper): 15 x 15 keys of the previous frame per query,
with a relative bias that depends on the query's content and a relative table of values::

    a(p, o) = softmax_o( <q_p / sqrt(d), k_(p+o)> + <w_o, q_p> + b_o )      o in the window
    out_p   = sum_o a(p, o) (v_(p+o) + r_o)

The grid is cut into tiles of some 8 x 8 queries. The keys that a tile can see are one rectangle, so
its scores are one matrix product, and the 225 that count are a strided view of the result. Exact;
time and memory grow with the number of queries, not with its square.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

TILE = 8  # queries per side: larger tiles waste scores, smaller ones waste the matrix product
OUTSIDE = {torch.float16: -1e4}  # score of a place outside of the map; elsewhere -1e8


def local_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    size: tuple[int, int],
    *,
    window: int,
    bias_weight: Tensor,
    bias: Tensor,
    value_table: Tensor,
) -> Tensor:
    """Attend from each place of a map to the window around it.

    Args:
        query, key, value: (B, heads, h * w, d), tokens row by row.
        size: (h, w).
        window: side of the window, odd.
        bias_weight: (heads, d, window**2): w_o; offsets row by row, from the upper left.
        bias: (heads, window**2): b_o.
        value_table: (heads, d, window**2): r_o.

    Returns:
        (B, heads, h * w, d).
    """
    batch, heads, _, channels = key.shape
    height, width = size
    tile = (_tile_side(height), _tile_side(width))
    rows, columns = math.ceil(height / tile[0]), math.ceil(width / tile[1])
    below, right = rows * tile[0] - height, columns * tile[1] - width
    reach = window // 2

    def as_map(tokens: Tensor, margin: int) -> Tensor:
        grid = tokens.reshape(batch * heads, height, width, channels)
        margins = (0, 0, margin, margin + right, margin, margin + below)
        return F.pad(grid, margins) if any(margins) else grid

    query, key, value = as_map(query, 0), as_map(key, reach), as_map(value, reach)
    seen = (tile[0] + 2 * reach, tile[1] + 2 * reach)
    strips = []
    for row in range(rows):
        top = row * tile[0]
        queries = _tiles(query[:, top : top + tile[0]], tile[1], tile[1])
        keys = _tiles(key[:, top : top + seen[0]], seen[1], tile[1])
        values = _tiles(value[:, top : top + seen[0]], seen[1], tile[1])
        # (B * heads * columns, queries of a tile, keys that the tile sees)
        scores = (queries * channels**-0.5) @ keys.transpose(1, 2)
        per_head = queries.view(batch, heads, -1, channels)
        logits = per_head @ bias_weight + bias[:, None]
        logits = logits.view(batch * heads, columns, *tile, window, window)
        logits = logits + _band(scores, tile, seen, window).view_as(logits)
        outside = _outside(top, size, tile, columns, window, logits.device)
        logits = logits.masked_fill(outside, OUTSIDE.get(logits.dtype, -1e8))
        weights = logits.flatten(-2).softmax(-1)  # (B * heads, columns, *tile, window**2)

        spread = torch.zeros_like(scores)
        band = _band(spread, tile, seen, window)
        band.copy_(weights.view(band.shape))
        strip = (spread @ values).view(batch, heads, -1, channels)
        strip = strip + weights.view(batch, heads, -1, window**2) @ value_table.transpose(1, 2)
        strip = strip.view(batch, heads, columns, *tile, channels).transpose(2, 3)
        strips.append(strip.reshape(batch, heads, tile[0], columns * tile[1], channels))
    output = torch.cat(strips, dim=2)[:, :, :height, :width]
    return output.reshape(batch, heads, height * width, channels)


def _tile_side(side: int) -> int:
    """A side near TILE that divides ``side`` with little left over."""
    return math.ceil(side / max(1, round(side / TILE)))


def _tiles(strip: Tensor, side: int, step: int) -> Tensor:
    """Cut (N, rows, W, d) into pieces of ``side`` columns, ``step`` apart: (N * pieces, T, d)."""
    pieces = strip.unfold(2, side, step).permute(0, 2, 1, 4, 3)  # (N, pieces, rows, side, d)
    return pieces.reshape(-1, strip.shape[1] * side, strip.shape[3])


def _band(scores: Tensor, tile: tuple[int, int], seen: tuple[int, int], window: int) -> Tensor:
    """The windows within the scores of tiles, as a view: (N, *tile, window, window).

    Query (i, j) of a tile has its window's corner at key (i, j) of the keys that the tile sees.
    """
    keys = seen[0] * seen[1]
    strides = (tile[0] * tile[1] * keys, tile[1] * keys + seen[1], keys + 1, seen[1], 1)
    return scores.as_strided((len(scores), *tile, window, window), strides)


def _outside(
    top: int,
    size: tuple[int, int],
    tile: tuple[int, int],
    columns: int,
    window: int,
    device: torch.device,
) -> Tensor:
    """Which places of the windows lie outside of the map: bool (columns, *tile, window, window)."""
    offsets = torch.arange(window, device=device) - window // 2
    y = top + torch.arange(tile[0], device=device)[:, None] + offsets  # (tile rows, window)
    x = torch.arange(columns * tile[1], device=device)[:, None] + offsets
    x = x.view(columns, tile[1], window)
    y_outside = (y < 0) | (y >= size[0])
    x_outside = (x < 0) | (x >= size[1])
    return y_outside[:, None, :, None] | x_outside[:, None, :, None, :]
