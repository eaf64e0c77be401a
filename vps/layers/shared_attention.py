"""Attention of several groups that share queries and keys, and have values of their own.

Plain attention repeats the scores for each group. Here they are computed once, block by block, and
serve all groups: side by side if the weights are the same too, or scaled key by key if each group
has a gate on the keys, since <q, g k> = g <q, k>.

Blocks are put together by their logsumexp: with out_i the attention to block i alone and e_i the
logsumexp of its scores, attention to all is sum_i softmax_i(e) out_i. Exact; memory does not grow
with the number of keys.
"""

from __future__ import annotations

import torch
from torch import Tensor

QUERIES, KEYS = 512, 1024  # of a block: its scores, 2 MB, stay in a core's cache


def shared_attention(query: Tensor, key: Tensor, value: Tensor, gate: Tensor | None) -> Tensor:
    """softmax(gate * Q K^T / sqrt(d)) V of each group; all of one dtype, and not under autocast.

    Args:
        query: (1, heads, N, d).
        key: (1, heads, M, d).
        value: (G, heads, M, d).
        gate: (G, heads, M, 1), or None: 1.

    Returns:
        (G, heads, N, d).
    """
    groups, heads, keys, channels = value.shape
    queries = query.shape[2]
    output = value.new_zeros((groups, heads, queries, channels))
    for head in range(heads):
        for row in range(0, queries, QUERIES):
            rows = slice(row, row + QUERIES)
            scaled = query[0, head, rows] * channels**-0.5
            found = output[:, head, rows]
            total = found.new_full((groups, found.shape[1], 1), -torch.inf)  # logsumexp so far
            for column in range(0, keys, KEYS):
                columns = slice(column, column + KEYS)
                scores = scaled @ key[0, head, columns].T
                values = value[:, head, columns]
                if gate is None:
                    _add_block(found, total, scores, values)
                    continue
                for group, factors in enumerate(gate[:, head, columns, 0]):
                    own = slice(group, group + 1)
                    _add_block(found[own], total[own], scores * factors, values[own])
    return output


def _add_block(found: Tensor, total: Tensor, scores: Tensor, values: Tensor) -> None:
    """Put a block's attention to that of the blocks before, in place.

    Args:
        found: (G, n, d), attention so far.
        total: (G, n, 1), logsumexp of the scores so far.
        scores: (n, m), of all G groups.
        values: (G, m, d).
    """
    largest = scores.amax(1, keepdim=True)
    weights = scores.softmax(1)
    # The weight of the largest score is 1 / sum(exp(score - largest)).
    block_total = largest - weights.amax(1, keepdim=True).log()
    side_by_side = weights @ values.transpose(0, 1).flatten(1)  # (n, G * d)
    block = side_by_side.unflatten(1, (len(values), -1)).transpose(0, 1)
    found.lerp_(block, torch.sigmoid(block_total - total))
    torch.logaddexp(total, block_total, out=total)
