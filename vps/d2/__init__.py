"""The seam: the one place where the program meets Detectron2.

Detectron2 is not on PyPI, and the program must run without it. So everything that a Detectron2
user expects from the *framework* (configs, catalogs, registries, checkpointer, trainer, hooks,
evaluator loop, events, logger) is imported from here, and comes from one of two hosts:

* ``detectron2``: the real package, when it is importable;
* ``lean``: :mod:`vps.d2.lean`, a small host on torch, fvcore and iopath with the same names and
  the same semantics.

One process has one host for all names, never a mix. ``VPS_D2_HOST`` chooses: ``auto`` (the
default: Detectron2 when there is one), ``detectron2`` or ``lean``. A Detectron2 that is found but
cannot be imported raises; it is never replaced silently.

:mod:`vps.d2.contract` lists every name. Networks, losses and metrics are not part of the seam:
they are the program's own, the same code under both hosts.
"""

from __future__ import annotations

import importlib.util
import os

__all__ = ["HOST", "host_info"]

HOSTS = ("auto", "detectron2", "lean")


def choose_host(wish: str | None = None) -> str:
    """The host of this process: ``"detectron2"`` or ``"lean"``.

    Args:
        wish: ``"auto"``, ``"detectron2"`` or ``"lean"``; None reads the environment variable
            VPS_D2_HOST.

    Raises:
        ValueError: the wish is none of the three.
        ImportError: ``"detectron2"`` is wished for, but there is no such package.
    """
    wish = (wish or os.environ.get("VPS_D2_HOST") or "auto").strip().lower()
    if wish not in HOSTS:
        raise ValueError(f"expected VPS_D2_HOST to be one of {', '.join(HOSTS)}, got {wish!r}")
    if wish == "lean":
        return "lean"
    found = _detectron2_origin() is not None
    if wish == "detectron2" and not found:
        raise ImportError(
            "VPS_D2_HOST asks for detectron2, but no such package is importable (a folder of that "
            "name without an __init__.py does not count); install Detectron2 or put a clone on "
            "PYTHONPATH, or set VPS_D2_HOST=lean"
        )
    return "detectron2" if found else "lean"


def _detectron2_origin() -> str | None:
    # A clone of the repository in the current folder is found as a namespace package: importable,
    # but empty. Only a spec with an origin is a real package.
    spec = importlib.util.find_spec("detectron2")
    return None if spec is None else spec.origin


def host_info() -> dict[str, str]:
    """Which host serves this process, for logs and checkpoints: ``host`` and ``version``.

    ``version`` of the lean host is the version of fvcore, on which it stands.
    """
    from importlib.metadata import PackageNotFoundError, version

    if HOST == "detectron2":
        import detectron2

        return {"host": HOST, "version": detectron2.__version__}
    try:
        return {"host": HOST, "version": f"fvcore {version('fvcore')}"}
    except PackageNotFoundError:
        return {"host": HOST, "version": "unknown"}


HOST = choose_host()
