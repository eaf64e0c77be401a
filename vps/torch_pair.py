"""A clear sentence when torch and torchvision are not a matching pair.

torchvision's compiled operators need the torch release that they were built for. With another one
``import torchvision`` stops with ``operator torchvision::nms does not exist``, which tells nobody
what to do.
"""

from __future__ import annotations

from importlib import metadata


def check_torch_pair() -> None:
    """Import torch and torchvision.

    Raises:
        ImportError: one of them is missing, or they do not fit; names both versions and the cure.
    """
    try:
        import torch  # noqa: F401
        import torchvision  # noqa: F401
        from torchvision.ops import nms  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        raise ImportError(
            f"torch {_version('torch')} and torchvision {_version('torchvision')} do not work "
            f"together ({error}); install the pair that this project pins: "
            "pip install -c constraints.txt torch torchvision"
        ) from error


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"
