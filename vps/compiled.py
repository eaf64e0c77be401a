"""Optional speed: kernels that numba compiles, where numba is there and wanted.

Nothing needs them. Every kernel has a NumPy counterpart with equal results, which serves without
numba, with ``VPS_NUMBA=0``, and until somebody asks for the kernel: numba takes half a second to
import, so it is never imported before its first use.

A kernel calls only kernels of its own file: the compiled code is kept on disk under the date of
that file alone, and a change elsewhere would go unnoticed.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from functools import cache
from types import ModuleType

_logger = logging.getLogger(__name__)


def load_kernels(module: str) -> ModuleType | None:
    """Import a module of kernels by its full name; None where the NumPy path is to be taken."""
    return None if os.environ.get("VPS_NUMBA") == "0" else _import_with_numba(module)


@cache
def _import_with_numba(module: str) -> ModuleType | None:
    try:
        import numba  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "numba":
            _logger.warning("numba is installed but cannot be used (%s); NumPy serves", error)
        return None
    except Exception as error:  # numba refuses versions of NumPy that are too new for it
        _logger.warning("numba is installed but cannot be used (%s); NumPy serves", error)
        return None
    return importlib.import_module(module)


def kernel(function: Callable) -> Callable:
    """Compile a function with numba at its first call, free of the GIL, and keep the code on disk
    (in ``__pycache__`` or, where that is read-only, in the user's cache).
    """
    import numba

    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder can be written
        return numba.njit(nogil=True)(function)
