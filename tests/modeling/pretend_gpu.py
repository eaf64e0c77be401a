"""A device that treats the program as a GPU does, on a machine that has none.

Its tensors lie in the CPU's memory and compute there, but say that they are elsewhere. As on CUDA,
an operation on tensors of both sides raises, so does ``numpy()``, and a new tensor is on the CPU
unless a device is named. A whole model can run there, backward too, with true numbers, and has to
give what it gives on the CPU. What it cannot show: half precision, speed, memory.

Inference mode does not know such tensors: run under ``no_grad``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode

NAME = "pretend_gpu"
MOVES = ("_to_copy", "copy_", "_copy_from")  # may have tensors of both sides
INDEXED = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index")


class Backend:
    """What torch asks of the module of a device."""

    is_initialized = is_available = staticmethod(lambda: True)
    current_device = staticmethod(lambda: 0)
    device_count = staticmethod(lambda: 1)
    _is_in_bad_fork = staticmethod(lambda: False)
    manual_seed_all = staticmethod(lambda seed: None)
    get_amp_supported_dtype = staticmethod(lambda: [torch.float16])


def is_possible() -> bool:
    """False where this torch is too old for such a device."""
    return hasattr(backend_registration, "_setup_privateuseone_for_python_backend")


def call(function: Callable, *arguments: Any) -> Any:
    """``function(device, *arguments)`` where the device exists. Call it before autograd has run in
    this process.
    """
    if not hasattr(torch, NAME):
        backend_registration._setup_privateuseone_for_python_backend(NAME, Backend())
    with Operations(), Constants():
        return function(torch.device(NAME), *arguments)


class TensorOnGPU(Tensor):
    """A tensor of the device; ``held`` has its numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor):
        return Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )

    def __init__(self, held: Tensor):
        self.held = held

    def tolist(self) -> list:
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return compute(operation, args, kwargs or {})


class Operations(TorchDispatchMode):
    """Sees every operation, those without tensors too."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return compute(operation, args, kwargs or {})


class Constants(TorchFunctionMode):
    """What makes tensors of Python's numbers and lists passes no dispatch mode."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function in (torch.tensor, torch.as_tensor):
            device = kwargs.pop("device", None)
            made = function(*args, **kwargs)
            return made if device is None else made.to(device)
        if function is Tensor.new_tensor and isinstance(args[0], TensorOnGPU):
            return torch.tensor(args[1], dtype=kwargs.get("dtype", args[0].dtype)).to(NAME)
        if function in (Tensor.__getitem__, Tensor.__setitem__):
            where = args[1]
            where = tuple(map(_index, where)) if isinstance(where, tuple) else _index(where)
            args = (args[0], where, *args[2:])
        return function(*args, **kwargs)


def compute(operation: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Run an operation where its tensors are said to be.

    Raises:
        RuntimeError: they are on both sides.
    """
    tensors = list(_tensors((args, list(kwargs.values()))))
    there = {id(x.held): x for x in tensors if isinstance(x, TensorOnGPU)}
    name = operation.overloadpacket.__name__
    if there and name not in MOVES:
        _check_sides(operation, name, args, tensors)
    wanted = kwargs.get("device")
    on_gpu = bool(there) if wanted is None else torch.device(wanted).type == NAME
    if on_gpu and wanted is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    given = {id(x): x for x in tensors}
    result = operation(*_held(args), **{key: _held(value) for key, value in kwargs.items()})

    def place(x: Any) -> Any:
        if isinstance(x, (list, tuple)):
            return type(x)(map(place, x))
        if not isinstance(x, Tensor) or id(x) in given:
            return x
        if id(x) in there:
            return there[id(x)]
        return TensorOnGPU(x) if on_gpu else x

    return place(result)


def _check_sides(operation: Any, name: str, args: tuple, tensors: list[Tensor]) -> None:
    # As on CUDA: a scalar of the CPU may go with tensors of the GPU, but not be joined with them,
    # and so may indices.
    scalars = name not in ("cat", "stack")
    others = [x for x in tensors if not isinstance(x, TensorOnGPU) and (x.dim() or not scalars)]
    if name in INDEXED and isinstance(args[0], TensorOnGPU):
        indices = set(map(id, _tensors(args[1])))
        others = [x for x in others if id(x) not in indices]
    if others:
        found = [f"{list(x.shape)} on {x.device}" for x in tensors]
        raise RuntimeError(f"expected all tensors of {operation} on one device, got {found}")


def _tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, (list, tuple)):
        for item in x:
            yield from _tensors(item)


def _held(x: Any) -> Any:
    if isinstance(x, TensorOnGPU):
        return x.held
    return type(x)(map(_held, x)) if isinstance(x, (list, tuple)) else x


def _index(x: Any) -> Any:
    if not isinstance(x, list):
        return x
    return torch.tensor(x) if x else torch.zeros(0, dtype=torch.int64)
