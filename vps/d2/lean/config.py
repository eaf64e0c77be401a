"""Config nodes and the decorator that builds a class from one.

A config is a tree of fvcore ``CfgNode``: YAML files with ``_BASE_`` chains and ``KEY VALUE`` lists
are merged into the defaults of :mod:`vps.d2.lean.defaults`, unknown keys raise ``KeyError``, and a
frozen config refuses changes. Unlike Detectron2, YAML is always read safely: a file that asks for
Python objects is an error, not a program.

This module imports no torch.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

from fvcore.common.config import CfgNode as _FvcoreCfgNode

from .file_io import PathManager

__all__ = ["CfgNode", "configurable", "get_cfg"]


class CfgNode(_FvcoreCfgNode):
    """A node of the config: a dict with attribute access, type-checked merging, ``freeze()``
    and ``dump()``.
    """

    @classmethod
    def _open_cfg(cls, filename: str):
        return PathManager.open(filename, "r")

    @classmethod
    def load_yaml_with_base(cls, filename: str, allow_unsafe: bool = False) -> dict[str, Any]:
        """Read a YAML file, merged over the file or files that its ``_BASE_`` names.

        Raises:
            ValueError: ``allow_unsafe`` is set; this host has no unsafe reading.
        """
        if allow_unsafe:
            raise ValueError(
                f"expected plain YAML in {filename}, got allow_unsafe=True; the lean host never "
                "evaluates Python tags of a YAML file, write the values out"
            )
        return super().load_yaml_with_base(filename, allow_unsafe=False)

    def merge_from_file(self, cfg_filename: str, allow_unsafe: bool = False) -> None:
        """Merge a YAML file into this config.

        Raises:
            FileNotFoundError: there is no such file.
            KeyError: the file sets a key that this config lacks.
            ValueError: the file is written for another config version, or a value is of another
                type.
        """
        if not PathManager.isfile(os.fspath(cfg_filename)):
            raise FileNotFoundError(f"expected a config file, found none at {cfg_filename}")
        loaded = self.load_yaml_with_base(os.fspath(cfg_filename), allow_unsafe=allow_unsafe)
        version = loaded.get("VERSION", self.get("VERSION"))
        if version != self.get("VERSION"):
            raise ValueError(
                f"expected config VERSION {self.get('VERSION')}, got {version} in {cfg_filename}; "
                "the lean host does not upgrade old configs"
            )
        self.merge_from_other_cfg(type(self)(loaded))


def get_cfg() -> CfgNode:
    """A fresh, unfrozen copy of the default config."""
    from .defaults import DEFAULTS

    return DEFAULTS.clone()


def configurable(
    init_func: Callable | None = None, *, from_config: Callable | None = None
) -> Callable:
    """Let an ``__init__``, or a function, be called with a config in place of its arguments.

    On ``__init__`` the class needs a classmethod ``from_config(cls, cfg, ...)`` that returns the
    keyword arguments::

        class Head(nn.Module):
            @configurable
            def __init__(self, channels, norm=""): ...

            @classmethod
            def from_config(cls, cfg, input_shape):
                return {"channels": input_shape.channels, "norm": cfg.MODEL.HEAD.NORM}

        Head(channels=64)                  # as written
        Head(cfg, input_shape)             # through from_config
        Head(cfg, input_shape, norm="GN")  # what from_config does not take overrides its result

    On a function, give the translation directly: ``@configurable(from_config=lambda cfg: {...})``.
    """
    if init_func is not None:
        if from_config is not None or getattr(init_func, "__name__", "") != "__init__":
            raise AssertionError(
                "expected @configurable on __init__, or @configurable(from_config=...) on a "
                f"function, got it on {init_func!r}"
            )
        return _configurable_init(init_func)
    if from_config is None:
        return configurable  # written as @configurable()
    if not inspect.isfunction(from_config):
        raise AssertionError(f"expected from_config to be a function, got {from_config!r}")

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args, **kwargs):
            if _has_config(args, kwargs):
                return function(**_translate(from_config, args, kwargs))
            return function(*args, **kwargs)

        call.from_config = from_config
        return call

    return decorate


def _configurable_init(init: Callable) -> Callable:
    @functools.wraps(init)
    def call(self, *args, **kwargs):
        # Looked up on the instance's type, so that a subclass may override from_config alone.
        translation = getattr(type(self), "from_config", None)
        if translation is None:
            raise AttributeError(
                f"{type(self).__name__} uses @configurable, so it needs a classmethod "
                "from_config(cls, cfg, ...)"
            )
        if not inspect.ismethod(translation):
            raise TypeError(
                f"expected {type(self).__name__}.from_config to be a classmethod, "
                f"got {translation!r}"
            )
        if _has_config(args, kwargs):
            init(self, **_translate(translation, args, kwargs))
        else:
            init(self, *args, **kwargs)

    return call


def _has_config(args: tuple, kwargs: dict[str, Any]) -> bool:
    first = args[0] if args else kwargs.get("cfg")
    return isinstance(first, _FvcoreCfgNode)


def _translate(translation: Callable, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the real call: what ``from_config`` returns, overridden by what it did not
    want to know.
    """
    parameters = inspect.signature(translation).parameters
    name = getattr(translation, "__qualname__", repr(translation))
    if next(iter(parameters), None) != "cfg":
        raise TypeError(f"expected 'cfg' as the first argument of {name}, got {list(parameters)}")
    kinds = {parameter.kind for parameter in parameters.values()}
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return translation(*args, **kwargs)
    overrides = {key: value for key, value in kwargs.items() if key not in parameters}
    known = {key: value for key, value in kwargs.items() if key in parameters}
    arguments = translation(*args, **known)
    arguments.update(overrides)
    return arguments
