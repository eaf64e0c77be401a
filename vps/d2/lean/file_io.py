"""One path manager for everything that is opened by name: local files, ``http(s)://`` and
``detectron2://``.

Remote files are downloaded once into iopath's cache folder. Nothing is fetched at import. This
module imports no torch.
"""

from __future__ import annotations

from iopath.common.file_io import HTTPURLHandler, PathHandler
from iopath.common.file_io import PathManager as _PathManager

__all__ = ["PathManager"]

PathManager = _PathManager()


class _ModelZooHandler(PathHandler):
    """``detectron2://<path>`` names a file of Detectron2's public model zoo."""

    PREFIX = "detectron2://"
    ZOO = "https://dl.fbaipublicfiles.com/detectron2/"

    def _get_supported_prefixes(self) -> list[str]:
        return [self.PREFIX]

    def _get_local_path(self, path: str, force: bool = False, **kwargs) -> str:
        return PathManager.get_local_path(self._address(path), force=force, **kwargs)

    def _open(self, path: str, mode: str = "r", buffering: int = -1, **kwargs):
        return PathManager.open(self._address(path), mode, buffering=buffering, **kwargs)

    def _address(self, path: str) -> str:
        return self.ZOO + path.removeprefix(self.PREFIX)


PathManager.register_handler(HTTPURLHandler())
PathManager.register_handler(_ModelZooHandler())
