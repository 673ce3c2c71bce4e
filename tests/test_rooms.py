"""Imports only go down: each module may import those above it in this list, and no other."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "tap_qonto"
FLOORS = (
    {"errors"},
    {"settings"},
    {"api"},  # what is between us and Qonto
    {"auth"},
    {"pagination"},  # how a list is read: knows neither Singer nor HTTP
    {"sync"},  # Singer's side
    {"streams"},  # what Qonto offers: declarations
    {"tap", "cli"},  # what users start
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
FILES = [file for file in sorted(ROOT.rglob("*.py")) if file != ROOT / "__init__.py"]
SINGER_FREE = {"errors", "pagination"}


def room(file: Path) -> str:
    """The module of a file, or the folder it stands in."""
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(file: Path) -> t.Iterator[str]:
    """What a file imports when it runs; names for the type checker alone may look up."""
    nodes: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            nodes += node.orelse
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)
        else:
            nodes += ast.iter_child_nodes(node)


def test_every_module_has_its_floor() -> None:
    assert {room(file) for file in FILES} == FLOOR.keys()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_only_go_down(file: Path) -> None:
    mine = room(file)
    for name in imports(file):
        parts = name.split(".")
        if parts[0] == "tap_qonto":
            assert parts[1] == mine or FLOOR[parts[1]] < FLOOR[mine], f"{mine} imports {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_tap_knows_neither_demo_nor_tests(file: Path) -> None:
    assert not [name for name in imports(file) if name.split(".")[0] in {"demo", "tests"}]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_stay_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) < 400


def test_the_lower_rooms_do_not_know_singer() -> None:
    knowing = {room(file) for file in FILES if any("singer" in name for name in imports(file))}
    assert knowing & SINGER_FREE == set()
