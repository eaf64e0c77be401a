"""Configuration: the config node, its defaults, and the decorator that ties a class to it."""

from .contract import resolve

__all__ = ["CfgNode", "configurable", "get_cfg"]

CfgNode, get_cfg, configurable = resolve("config", "CfgNode", "get_cfg", "configurable")
