"""Reading the ``.pkl`` files of Detectron2's model zoo without running code that they contain.

A pickle is a program: it may call anything that it can name. This unpickler knows the few names
that numpy arrays are made of and refuses every other before it is looked up.
"""

from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from vps.structures import InputError


def _encode_latin1(text: str, encoding: str = "latin1") -> bytes:
    """Bytes, as Python 3 pickles them for Python 2; other codecs are no business of a weight."""
    if encoding.lower().replace("-", "") not in ("latin1", "iso88591"):
        raise pickle.UnpicklingError(f"the codec {encoding!r} is not allowed")
    return text.encode("latin1")


# numpy 2 moved numpy.core to numpy._core; files may name either.
_ARRAY_NAMES = {
    "_reconstruct": ("multiarray", np.zeros(1).__reduce__()[0]),
    "scalar": ("multiarray", np.float32(0).__reduce__()[0]),
    "_frombuffer": ("numeric", np.zeros(1).__reduce_ex__(5)[0]),
}
ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("_codecs", "encode"): _encode_latin1,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{
        (f"numpy.{core}.{module}", name): function
        for name, (module, function) in _ARRAY_NAMES.items()
        for core in ("core", "_core")
    },
}


class _ArrayUnpickler(pickle.Unpickler):
    refused: str | None = None

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            self.refused = f"{module}.{name}"
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return ALLOWED[module, name]


def read_zoo_pickle(path: str | os.PathLike) -> dict[str, Any]:
    """Read {"model": {name: array}, "__author__": ..., ...}; a bare {name: array} becomes a model.

    Raises:
        InputError: the file is missing, broken, or holds anything but arrays and plain values; the
            message names the first global that it asks for.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected weights at {path}, got no such file")
    with path.open("rb") as file:
        # latin1: the oldest files were written by Python 2.
        unpickler = _ArrayUnpickler(file, encoding="latin1")
        try:
            content = unpickler.load()
        # A broken pickle fails in whatever way its last intact operation can.
        except Exception as error:
            if unpickler.refused:
                reason = (
                    f"a pickle that asks for {unpickler.refused}, which could run code; it was "
                    "not read: get the file from a source that you trust, as .pth if there is one"
                )
            else:
                reason = f"no whole pickle ({error}); was it copied whole?"
            raise InputError(f"expected numpy arrays in {path}, got {reason}") from error
    if isinstance(content, dict) and "model" not in content:
        content = {"model": content}
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, dict) or not model:
        raise InputError(f"expected arrays by name in {path}, got {type(content).__name__}")
    for name, value in model.items():
        if not isinstance(name, str) or not isinstance(value, (np.ndarray, np.generic)):
            raise InputError(f"expected arrays by name in {path}, got {type(value)} for {name!r}")
        if value.dtype.kind not in "fiub":
            raise InputError(f"expected numbers in {path}, got {value.dtype} for {name!r}")
    return content
