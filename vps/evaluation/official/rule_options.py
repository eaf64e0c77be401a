"""Rules by name from the command line: ``crowd=all``, ``clip_length=none``, ``stq.crowd=listed``.

Every quirk in which programs differ is a field of a rules class (``MatchingRules``, ``STQRules``,
``VIPOSegRules``, ``DavisRules``), so each can be set with ``--rule NAME=VALUE``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from vps.structures import InputError

Rules = TypeVar("Rules")


def change_rules(rules: Rules, settings: Sequence[str]) -> Rules:
    """The rules with some fields changed.

    Args:
        rules: an instance of a rules class.
        settings: ``NAME=VALUE``; the value is none, true, false, a number or a word.

    Raises:
        InputError: the class has no such rule, or it cannot have that value.
    """
    kinds = {field.name: str(field.type) for field in fields(rules)}
    changes: dict[str, Any] = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator or name not in kinds:
            raise InputError(
                f"expected --rule NAME=VALUE with NAME in {', '.join(kinds)}, got {setting!r}"
            )
        try:
            changes[name] = _value(value, kinds[name])
        except ValueError:
            raise InputError(f"expected {kinds[name]} in --rule {name}, got {value!r}") from None
    return replace(rules, **changes)


def split_rules(settings: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those of the main metric, and those whose names begin with ``stq.``, without it."""
    own = [setting for setting in settings if not setting.startswith("stq.")]
    return own, [s.removeprefix("stq.") for s in settings if s.startswith("stq.")]


def _value(text: str, kind: str) -> Any:
    """A text as what the annotation of the field says; a word where it names words."""
    if kind.startswith("Literal"):
        return text
    if "None" in kind and text.lower() == "none":
        return None
    if "bool" in kind:
        return ("false", "true").index(text.lower()) == 1
    if "float" in kind:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(text)
        return number
    return int(text) if "int" in kind else text
