"""Rules of the house that a program can check: who imports whom, what may not stand in a file.

The import rules are those of the architecture: imports run downwards only, Detectron2 is met at one
place, and what needs no torch does not load it.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Rooms of vps/ from the ground up; a room may import those of lower floors.
FLOORS = (
    {"structures", "compiled", "torch_pair"},
    {"io", "layers", "metrics"},
    {"config"},
    {"data", "evaluation", "inference", "modeling", "visualization"},
    {"engine"},
)
# The predictor puts a model together from a config, so it needs both registered.
SAME_FLOOR = {("inference", "data"), ("inference", "modeling")}

# Rooms that may use the host, and within some of them the only files that may.
HOST_USERS = {
    "config": None,
    "data": None,
    "evaluation": None,
    "engine": None,
    "modeling": {"build.py", "meta_arch.py", "arguments.py"},
    "inference": {"predictor.py"},
}

LONGEST_FILE = 400  # lines; a page is some 300

MACHINE_FOLDERS = "work workspace tmp home Users root mnt scratch opt".replace(" ", "|")
MACHINE_PATH = re.compile(r"(?<![\w.~$})\]/:-])/(?:" + MACHINE_FOLDERS + r")/\w")


class Import(NamedTuple):
    """One import: in which file and line, which module, and whether importing the file runs it."""

    file: Path
    line: int
    module: str
    at_import: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def files(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    """Files of the checkout, relative to its root."""
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                found.append(path.relative_to(ROOT))
    return found


@cache
def parse(file: Path) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"), filename=str(file))


def imports_of(file: Path) -> Iterator[Import]:
    """Every import of a file, relative ones written out; ``from a import b`` counts twice, as ``a``
    and as ``a.b``.
    """
    package = file.with_suffix("").parts[:-1]

    def visit(node: ast.AST, at_import: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, at_import)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield Import(file, node.lineno, module, at_import)
            for alias in node.names:
                yield Import(file, node.lineno, f"{module}.{alias.name}", at_import)
        elif (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)) or isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        ):
            at_import = False
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_import)

    yield from visit(parse(file), True)


def is_within(module: str, *packages: str) -> bool:
    """Whether a dotted name is one of these packages or below one of them."""
    return any(module == package or module.startswith(package + ".") for package in packages)


def room_of(file: Path) -> str:
    """The room of a file below vps/: its folder there, or the module's name."""
    return file.with_suffix("").parts[1]


def floor_of(room: str) -> int:
    """The floor of a room; -1 for what is not a room (``__init__``, the version)."""
    return next((floor for floor, rooms in enumerate(FLOORS) if room in rooms), -1)


def assert_none(offences: list) -> None:
    assert not offences, "\n" + "\n".join(map(str, offences))


def test_there_is_something_to_check():
    """A test over no files would pass for ever."""
    assert len(files("vps")) > 30
    assert any(
        found.module == "torch" for file in files("vps/d2/lean") for found in imports_of(file)
    )


def test_every_room_has_its_floor():
    rooms = {room_of(file) for file in files("vps")} - {"__init__", "d2"}
    assert_none(sorted(room for room in rooms if floor_of(room) < 0))


def test_detectron2_is_imported_by_the_seam_only():
    assert_none(
        [
            found
            for file in files("vps", "tools", "projects", "datasets")
            for found in imports_of(file)
            if is_within(found.module, "detectron2") and not file.is_relative_to("vps/d2")
        ]
    )


def test_the_lean_host_is_imported_by_the_seam_only():
    assert_none(
        [
            found
            for file in files("vps", "tools", "projects", "datasets", "tests")
            for found in imports_of(file)
            if is_within(found.module, "vps.d2.lean") and not file.is_relative_to("vps/d2")
        ]
    )


def test_the_seam_imports_nothing_of_the_program():
    assert_none(
        [
            found
            for file in files("vps/d2")
            for found in imports_of(file)
            if is_within(found.module, "vps") and not is_within(found.module, "vps.d2")
        ]
    )


def test_the_lean_host_imports_little():
    allowed = {"fvcore", "iopath", "numpy", "tabulate", "termcolor", "torch", "vps"}
    offences = []
    for file in files("vps/d2/lean"):
        for found in imports_of(file):
            package = found.module.split(".")[0]
            if package not in allowed | sys.stdlib_module_names:
                offences.append(found)
            elif package == "fvcore" and found.module.split(".")[1:2] != ["common"]:
                offences.append(found)  # fvcore.nn compiles with torch.jit at import
    assert_none(offences)


def test_imports_run_downwards():
    offences = []
    for file in files("vps"):
        room = room_of(file)
        if room in ("__init__", "d2"):
            continue
        for found in imports_of(file):
            parts = found.module.split(".")
            if parts[0] != "vps" or len(parts) < 2 or parts[1] in (room, "d2"):
                continue
            if floor_of(parts[1]) >= floor_of(room) and (room, parts[1]) not in SAME_FLOOR:
                offences.append(found)
    assert_none(offences)


def test_the_program_does_not_import_its_tools():
    assert_none(
        [
            found
            for file in files("vps")
            for found in imports_of(file)
            if is_within(found.module, "tools", "projects", "datasets", "tests")
        ]
    )


def test_the_host_is_used_where_it_may_be():
    """Structures, io, layers, metrics and visualization know of no host at all."""
    offences = []
    for file in files("vps"):
        room = room_of(file)
        if room == "d2":
            continue
        names = HOST_USERS.get(room, set())
        if names is not None and file.name not in names:
            offences += [found for found in imports_of(file) if is_within(found.module, "vps.d2")]
    assert_none(offences)


def test_metrics_and_structures_load_no_torch():
    assert_none(
        [
            found
            for file in files("vps/metrics", "vps/structures")
            for found in imports_of(file)
            if found.at_import and is_within(found.module, "torch", "torchvision")
        ]
    )


@pytest.mark.parametrize("module", ["vps", "vps.metrics", "vps.structures"])
def test_import_is_light(module):
    code = (
        f"import sys; import {module}; "
        "heavy = {'torch', 'torchvision', 'detectron2', 'fvcore', 'vps.d2'} & set(sys.modules); "
        "sys.exit(f'loads {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_prints():
    """The library logs; tools print."""
    assert_none(
        [
            f"{file}:{node.lineno} calls print()"
            for file in files("vps")
            for node in ast.walk(parse(file))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ]
    )


def test_a_file_is_a_page():
    lengths = {file: len((ROOT / file).read_text().splitlines()) for file in files("vps")}
    assert_none([f"{f}: {n} lines" for f, n in lengths.items() if n > LONGEST_FILE])


def test_no_paths_of_a_machine():
    kinds = (".py", ".md", ".yaml", ".yml", ".toml", ".json", ".sh", ".cfg", ".txt")
    folders = ("vps", "tools", "projects", "configs", "tests", "docs")
    places = [*files(*folders, suffixes=kinds), *files("datasets", suffixes=(".py", ".md"))]
    places += [Path(name) for name in ("README.md", "setup.py", "pyproject.toml", "Makefile")]
    offences = []
    for file in places:
        if not (ROOT / file).is_file() or (ROOT / file).stat().st_size > 1_000_000:
            continue
        for number, line in enumerate((ROOT / file).read_text("utf-8").splitlines(), start=1):
            if MACHINE_PATH.search(line):
                offences.append(f"{file}:{number}: {line.strip()}")
    assert_none(offences)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("open('{}work/main/a.py')", True),
        ("see {}tmp/x", True),
        ("'{}home/me/data'", True),
        ("https://a.b{}home/x", False),  # an address
        ("tests{}tmp/x", False),  # relative
        ("tmp_path / 'work/x'", False),
    ],
)
def test_the_search_for_paths_finds_them(line, found):
    assert bool(MACHINE_PATH.search(line.format("/"))) == found
