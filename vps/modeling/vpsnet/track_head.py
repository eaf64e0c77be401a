"""The track head: which of the known things is this detection?

Source: MaskTrack R-CNN, section 3.2, with VPSNet's weights. Two fully connected layers turn the box
features of a detection and of a known thing into embeddings; their inner product is the logit of
"the same thing". Logit 0 stands for "a new thing".
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TrackHead(nn.Module):
    """Embeddings of box features, and the matching loss.

    Args:
        in_channels: channels of the pooled box features.
        resolution: their side.
        fc_dim: width of both layers.
    """

    def __init__(self, *, in_channels: int, resolution: int, fc_dim: int, loss_weight: float):
        super().__init__()
        self.loss_weight = loss_weight
        self.fc1 = nn.Linear(in_channels * resolution**2, fc_dim)
        self.fc2 = nn.Linear(fc_dim, fc_dim)
        for layer in (self.fc1, self.fc2):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, box_features: Tensor) -> Tensor:
        """Embeddings (R, fc_dim) of box features (R, C, 7, 7)."""
        return self.fc2(F.relu(self.fc1(box_features.flatten(1))))

    def loss(
        self,
        embeddings: Sequence[Tensor],
        track_ids: Sequence[Tensor],
        reference_embeddings: Sequence[Tensor],
        reference_track_ids: Sequence[Tensor],
    ) -> Tensor:
        """Cross-entropy of each foreground box against "new" and all things of its reference frame.

        Each argument has one entry per picture: (P, D) and int64 (P,) of the P foreground boxes,
        (M, D) and int64 (M,) of the M ground-truth boxes in the reference frame.

        Returns:
            The mean over all foreground boxes that have a reference to choose from; 0 if none has.
        """
        losses = [x.sum() * 0 for x in (*embeddings, *reference_embeddings)]
        count = 0
        for boxes, ids, references, reference_ids in zip(
            embeddings, track_ids, reference_embeddings, reference_track_ids, strict=True
        ):
            if len(boxes) == 0 or len(references) == 0:
                continue
            logits = match_logits(boxes, references)  # (P, 1 + M)
            losses.append(
                F.cross_entropy(logits, match_labels(ids, reference_ids), reduction="sum")
            )
            count += len(boxes)
        return self.loss_weight * torch.stack(losses).sum() / max(count, 1)


def match_logits(embeddings: Tensor, references: Tensor) -> Tensor:
    """Inner products of (P, D) and (M, D) behind a column of zeros for "new": (P, 1 + M)."""
    with torch.autocast(embeddings.device.type, enabled=False):  # sums of 1024 products
        logits = embeddings.float() @ references.float().T
    return F.pad(logits, (1, 0))


def match_labels(track_ids: Tensor, reference_track_ids: Tensor) -> Tensor:
    """Column of ``match_logits`` that is right for each box: 1 + position of its id, 0 if new."""
    same = track_ids[:, None] == reference_track_ids[None]  # (P, M)
    return torch.where(same.any(dim=1), 1 + same.int().argmax(dim=1), 0)
