"""Convolutions that own their normalisation and activation, and two weight initialisations.

``Conv2d(..., norm=..., activation=...)`` computes activation(norm(conv(x))) and names its tensors
``weight``, ``bias``, ``norm.weight``, ... as Detectron2 does: a block's ``conv1.weight`` sits
beside ``conv1.norm.weight``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d


class Conv2d(nn.Conv2d):
    """nn.Conv2d followed by an optional norm and an optional activation."""

    def __init__(
        self,
        *args,
        norm: nn.Module | None = None,
        activation: Callable[[Tensor], Tensor] | None = None,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.norm = norm
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        if self.norm is not None:
            x = self.norm(x)
        if self.activation is not None:
            x = self.activation(x)
        return x


class DeformConv2d(nn.Module):
    """Deformable convolution, first version (no modulation mask): a plain convolution predicts for
    every pixel where each of the kernel's taps samples (Dai et al. 2017).

    The offsets start at zero, so that the layer starts as an ordinary convolution; any later loop
    that initialises "every Conv2d" must leave ``offset`` alone. Runs and trains on the CPU too.

    Shapes:
        in (N, in_channels, H, W), out (N, out_channels, H', W').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        padding: int = 1,
        dilation: int = 1,
        bias: bool = True,
        norm: nn.Module | None = None,
        activation: Callable[[Tensor], Tensor] | None = None,
    ):
        super().__init__()
        geometry = {"stride": stride, "padding": padding, "dilation": dilation}
        self.geometry = geometry
        # A plain convolution serves as the holder of weight and bias; its forward is not called.
        holder = nn.Conv2d(in_channels, out_channels, kernel_size, bias=bias, **geometry)
        self.weight, self.bias = holder.weight, holder.bias
        self.offset = nn.Conv2d(in_channels, 2 * kernel_size**2, kernel_size, **geometry)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)
        self.norm = norm
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        # torchvision's operator wants one dtype; it adds the offsets to places in the map, which
        # half precision cannot hold.
        dtype, offset = self.weight.dtype, self.offset(x)
        with torch.autocast(x.device.type, enabled=False):
            sampled = deform_conv2d(
                x.to(dtype), offset.to(dtype), self.weight, self.bias, **self.geometry
            )
        x = sampled.to(offset.dtype)
        if self.norm is not None:
            x = self.norm(x)
        if self.activation is not None:
            x = self.activation(x)
        return x

    def extra_repr(self) -> str:
        out_channels, in_channels, *kernel_size = self.weight.shape
        return f"{in_channels}, {out_channels}, kernel_size={tuple(kernel_size)}, {self.geometry}"


def init_msra(layer: nn.Module) -> None:
    """He's normal initialisation by fan-out, zero bias: layers that a ReLU follows."""
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def init_xavier(layer: nn.Module) -> None:
    """Caffe2's "XavierFill" (uniform, variance 1 / fan-in), zero bias: FPN and FC layers."""
    nn.init.kaiming_uniform_(layer.weight, a=1)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def init_normal(layer: nn.Module, std: float) -> None:
    """Normal weights of the given deviation, zero bias: predictors."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
