"""Read a large JSON file piece by piece: the members of its object, lists element by element.

An annotation file of a video data set is one object with a few long lists. Parsed whole, it takes
ten times its size in small dicts; here one element of a list (the frames of one video, say) is
alive at a time, so memory does not follow the size of the data set.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from vps.structures import InputError

_CHUNK = 1 << 16  # characters


class Member(NamedTuple):
    """One piece of the top-level object.

    ``index`` is the element's place in its list; None for a value that is no list, and for the
    announcement of a list (``value`` is then ``[]``), which comes before its first element.
    """

    key: str
    index: int | None
    value: Any


def read_members(path: str | os.PathLike) -> Iterator[Member]:
    """Read the object in a JSON file piece by piece, in the order of the file.

    Raises:
        InputError: the file is missing, empty, not UTF-8, no JSON, cut short, or holds something
            else than one object; names the file, and the line and column where there is one.
    """
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            yield from _Reader(file, path).members()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"expected JSON text in UTF-8 in {path}, got bytes that are not ({error.reason})"
        ) from error


class _Reader:
    """A window on the text of a file: ``text[pos:]`` is what was read and not yet used."""

    def __init__(self, file: IO[str], path: str | os.PathLike) -> None:
        self.file = file
        self.path = path
        self.text = ""
        self.pos = 0
        self.line = 1  # of the beginning of ``text``
        self.column = 1
        self.decoder = json.JSONDecoder()

    def members(self) -> Iterator[Member]:
        start = self.peek()
        if start == "":
            raise InputError(
                f"expected JSON in {self.path}, got an empty file; was writing it interrupted?"
            )
        if start != "{":
            kind = "a list" if start == "[" else "something else"
            raise InputError(
                f"expected a JSON object ({{...}}) in {self.path}, got {kind} that begins with "
                f"{start!r}"
            )
        self.pos += 1
        if self.peek() == "}":
            self.pos += 1
        else:
            separator = ","
            while separator == ",":
                yield from self.member()
                separator = self.expect(",}")
        if self.peek():
            raise self.error("text after the end of the object")

    def member(self) -> Iterator[Member]:
        if self.peek() != '"':
            raise self.error('expected a name in "quotes"')
        key = self.value()
        self.expect(":")
        if self.peek() != "[":
            yield Member(key, None, self.value())
            return
        self.pos += 1
        yield Member(key, None, [])
        if self.peek() == "]":
            self.pos += 1
            return
        index = 0
        while True:
            yield Member(key, index, self.value())
            index += 1
            if self.expect(",]") == "]":
                return

    def peek(self) -> str:
        """The next character that is not white; "" at the end of the file."""
        while True:
            while self.pos < len(self.text):
                if self.text[self.pos] not in " \t\r\n":
                    return self.text[self.pos]
                self.pos += 1
            if not self.more():
                return ""

    def expect(self, allowed: str) -> str:
        found = self.peek()
        if found == "" or found not in allowed:
            raise self.error(f"expected {' or '.join(map(repr, allowed))}")
        self.pos += 1
        return found

    def value(self) -> Any:
        """Parse the value at the present place, reading on until it is complete."""
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.pos)
            except json.JSONDecodeError as error:
                if self.more():
                    continue
                self.pos = error.pos
                raise self.error(error.msg) from error
            except (RecursionError, ValueError) as error:  # nested or digits beyond all measure
                raise self.error(f"a value that cannot be read ({error})") from error
            if end == len(self.text) and self.more():
                continue  # a number could go on behind the end of what was read
            self.pos = end
            return value

    def more(self) -> bool:
        """Read on, at least doubling what is there; forget what was used."""
        chunk = self.file.read(max(_CHUNK, len(self.text) - self.pos))
        if not chunk:
            return False
        self.advance(self.pos)
        self.text, self.pos = self.text[self.pos :] + chunk, 0
        return True

    def advance(self, count: int) -> None:
        lines = self.text.count("\n", 0, count)
        self.line += lines
        if lines:
            self.column = count - self.text.rfind("\n", 0, count)
        else:
            self.column += count

    def error(self, problem: str) -> InputError:
        self.advance(self.pos)
        rest = "" if self.pos < len(self.text) else "; the file ends there, was it cut short?"
        return InputError(
            f"expected JSON in {self.path}, got an error in line {self.line}, column "
            f"{self.column}: {problem}{rest}"
        )
