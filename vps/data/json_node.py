"""Reading fields of a JSON file, with errors that say where in which file the bad one is.

node = JsonNode(read_json(path), path)
for image in node["videos"][0]["images"].elements():
    image["width"].whole(least=1)   # InputError: expected ..., got ... at videos[0].images[3].width
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from vps.structures import InputError


class JsonNode:
    """A value of a JSON file that knows its place."""

    __slots__ = ("_key", "_parent", "file", "value")

    def __init__(
        self,
        value: Any,
        file: str | os.PathLike,
        *,
        parent: JsonNode | None = None,
        key: str | int | None = None,
    ) -> None:
        self.value, self.file = value, file
        self._parent, self._key = parent, key

    def __getitem__(self, key: str) -> JsonNode:
        """The field ``key`` of an object."""
        if not isinstance(self.value, dict):
            raise self.error("an object")
        if key not in self.value:
            raise self.error(f"an object with the field {key!r}", f"only {sorted(self.value)}")
        return JsonNode(self.value[key], self.file, parent=self, key=key)

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def elements(self) -> Iterator[JsonNode]:
        """The elements of an array."""
        if not isinstance(self.value, list):
            raise self.error("an array")
        for index, value in enumerate(self.value):
            yield JsonNode(value, self.file, parent=self, key=index)

    def name(self) -> str:
        """A string that is not empty; a number is taken as its digits."""
        if (
            isinstance(self.value, bool)
            or not isinstance(self.value, str | int)
            or self.value == ""
        ):
            raise self.error("a name")
        return str(self.value)

    def whole(self, *, least: int) -> int:
        """A whole number >= ``least``."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < least:
            raise self.error(f"a whole number >= {least}")
        return self.value

    def flag(self) -> bool:
        """true, false, 0 or 1."""
        if self.value not in (0, 1):  # True == 1
            raise self.error("0 or 1")
        return bool(self.value)

    def place(self) -> str:
        """Where the value stands, such as ``videos[3].images[0].width``."""
        if self._parent is None:
            return ""
        before = self._parent.place()
        if isinstance(self._key, int):
            return f"{before}[{self._key}]"
        return f"{before}.{self._key}" if before else str(self._key)

    def error(self, expected: str, got: str | None = None) -> InputError:
        """The error to raise about this value."""
        if got is None:
            value = repr(self.value)
            got = value if len(value) <= 80 else f"{value[:77]}..."
        return InputError(
            f"expected {expected}, got {got} at {self.place() or 'the top'} of {self.file}"
        )
