"""Normalisation layers by name, as configs write them.

=============  =================  =================  ==============================================
name           statistics         scale and offset   use
=============  =================  =================  ==============================================
``""``         none               none               the convolution keeps its bias
``"BN"``       of the batch       trainable          training from scratch with batches of >= 4
``"FrozenBN"`` fixed              fixed              Detectron2's habit for pre-trained backbones
``"EvalBN"``   fixed              trainable          VPSNet's official habit: batch normalisation in
                                                     eval mode, its affine part still learns
``"SyncBN"``   of all processes   trainable          several GPUs with few pictures each
``"GN"``       of 32 groups       trainable          semantic heads
=============  =================  =================  ==============================================

All take and give float (N, C, H, W). Parameter names are torch's (``weight``, ``bias``,
``running_mean``, ``running_var``), so a checkpoint of one batch-norm kind loads into another.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 32  # Wu & He, Group Normalization, section 4


class FrozenBatchNorm2d(nn.Module):
    """Batch normalisation whose four tensors are all fixed buffers.

    Starts as the identity (variance is 1 - eps, so that the rounding is nil). The arithmetic stays
    in ``F.batch_norm`` when no gradient is wanted; with gradients a multiply and an add keep less
    in memory, because ``F.batch_norm`` would also prepare gradients for its affine part.
    """

    def __init__(self, num_features: int, eps: float = 1e-5):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.register_buffer("weight", torch.ones(num_features))
        self.register_buffer("bias", torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features) - eps)
        # Present only where a trainable layer was frozen, so that its state dict keeps its keys.
        self.register_buffer("num_batches_tracked", None)

    def forward(self, x: Tensor) -> Tensor:
        if not x.requires_grad:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        offset = self.bias - self.running_mean * scale
        scale, offset = scale.view(1, -1, 1, 1), offset.view(1, -1, 1, 1)
        return x * scale.to(x.dtype) + offset.to(x.dtype)

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        # Frozen statistics have no use for the step counter of a trainable layer: its presence or
        # absence in a checkpoint must not be an error.
        key = prefix + "num_batches_tracked"
        if self.num_batches_tracked is None:
            state_dict.pop(key, None)
        else:
            state_dict.setdefault(key, self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}"


class EvalBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that never leaves eval mode: fixed statistics, trainable affine part."""

    def train(self, mode: bool = True) -> EvalBatchNorm2d:
        return super().train(False)

    def __init__(self, num_features: int, eps: float = 1e-5):
        super().__init__(num_features, eps=eps)
        self.train(False)


NORMS = {
    "BN": nn.BatchNorm2d,
    "FrozenBN": FrozenBatchNorm2d,
    "EvalBN": EvalBatchNorm2d,
    "SyncBN": nn.SyncBatchNorm,
    "GN": lambda channels: nn.GroupNorm(min(GROUPS, channels), channels),
}


def get_norm(name: str, channels: int) -> nn.Module | None:
    """Build the normalisation layer that a config names.

    Args:
        name: "" for none, or "BN", "FrozenBN", "EvalBN", "SyncBN", "GN".
        channels: of the map that it normalises; GN takes one group per channel below 32 channels.

    Raises:
        ValueError: the name is unknown.
    """
    if name == "":
        return None
    if name not in NORMS:
        raise ValueError(f'expected a norm of "", {", ".join(NORMS)}; got {name!r}')
    return NORMS[name](channels)


def freeze_batch_norm(module: nn.Module) -> nn.Module:
    """Replace every batch normalisation below ``module`` (or itself) by a FrozenBatchNorm2d with
    the same numbers; gives back the module to use.
    """
    if isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm)):
        frozen = FrozenBatchNorm2d(module.num_features, module.eps)
        frozen.num_batches_tracked = module.num_batches_tracked
        frozen.load_state_dict(module.state_dict())
        return frozen
    for name, child in module.named_children():
        replacement = freeze_batch_norm(child)
        if replacement is not child:
            setattr(module, name, replacement)
    return module
