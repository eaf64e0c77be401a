"""Two catalogs: how to read a data set, and what is known about it.

``DatasetCatalog`` maps a name to a function without arguments that returns a list of dicts.
``MetadataCatalog`` maps a name to a :class:`Metadata` whose values can be set once: setting the
same value again is allowed, another value is an error.
"""

from __future__ import annotations

import types
from collections import UserDict
from collections.abc import Callable
from typing import Any

__all__ = ["DatasetCatalog", "Metadata", "MetadataCatalog"]


class _DatasetCatalog(UserDict):
    """Data-set name -> function that reads it."""

    def register(self, name: str, func: Callable[[], list[dict]]) -> None:
        """Add a data set. ``func`` takes nothing and returns the same list of dicts at every
        call.
        """
        if not callable(func):
            raise AssertionError(f"expected a function for data set {name!r}, got {func!r}")
        if name in self:
            raise AssertionError(f"data set {name!r} is already registered")
        self[name] = func

    def get(self, name: str) -> list[dict]:
        """Read a data set.

        Raises:
            KeyError: no data set of that name is registered.
        """
        if name not in self:
            raise KeyError(
                f"data set {name!r} is not registered; registered are: {', '.join(self.keys())}"
            )
        return self[name]()

    def list(self) -> list[str]:
        """Names of all registered data sets."""
        return [*self.keys()]

    def remove(self, name: str) -> None:
        """Forget a data set."""
        self.pop(name)

    def __repr__(self) -> str:
        return f"DatasetCatalog(registered datasets: {', '.join(self.keys())})"

    __str__ = __repr__


class Metadata(types.SimpleNamespace):
    """What is known about one data set: class names, colours, paths. Attributes can be set once."""

    name: str = "N/A"

    def __getattr__(self, key: str) -> Any:  # reached for missing attributes only
        known = ", ".join(sorted(self.__dict__)) or "none"
        raise AttributeError(
            f"metadata of data set {self.name!r} has no attribute {key!r}; it has: {known}"
        )

    def __setattr__(self, key: str, value: Any) -> None:
        if key in self.__dict__:
            old = self.__dict__[key]
            if old != value:
                raise AssertionError(
                    f"attribute {key!r} in the metadata of {self.name!r} is already {old!r} "
                    f"and cannot become {value!r}"
                )
            return
        super().__setattr__(key, value)

    def as_dict(self) -> dict[str, Any]:
        """A shallow copy of all attributes."""
        return dict(self.__dict__)

    def set(self, **kwargs: Any) -> Metadata:
        """Set several attributes; returns self."""
        for key, value in kwargs.items():
            setattr(self, key, value)
        return self

    def get(self, key: str, default: Any = None) -> Any:
        """An attribute, or ``default`` where it is missing."""
        return self.__dict__.get(key, default)


class _MetadataCatalog(UserDict):
    """Data-set name -> :class:`Metadata`, made empty when it is first asked for."""

    def get(self, name: str) -> Metadata:
        """The one metadata object of that name."""
        if not name:
            raise AssertionError("expected a data-set name, got an empty string")
        if name not in self:
            self[name] = Metadata(name=name)
        return self[name]

    def list(self) -> list[str]:
        """Names that have metadata."""
        return [*self.keys()]

    def remove(self, name: str) -> None:
        """Forget the metadata of a data set."""
        self.pop(name)

    def __repr__(self) -> str:
        return f"MetadataCatalog(registered metadata: {', '.join(self.keys())})"

    __str__ = __repr__


DatasetCatalog = _DatasetCatalog()
MetadataCatalog = _MetadataCatalog()
