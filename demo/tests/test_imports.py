"""The demo's modules name each other in one direction, in names for the type checker too."""

from __future__ import annotations

import ast
import typing as t
from graphlib import TopologicalSorter
from pathlib import Path

DEMO = Path(__file__).parents[1]
FILES = [file for file in DEMO.rglob("*.py") if "tests" not in file.parts]


def module(file: Path) -> str:
    return ".".join(file.relative_to(DEMO.parent).with_suffix("").parts)


MODULES = {module(file) for file in FILES}


def named(file: Path) -> t.Iterator[str]:
    """The modules of the demo that a file imports, or names in annotations."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            several = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from MODULES & {node.module or "", *several}


def test_no_module_names_another_that_names_it_back() -> None:
    order = TopologicalSorter({module(file): set(named(file)) for file in FILES})
    assert set(order.static_order()) == MODULES  # a circle is a CycleError that names it


def test_files_stay_short() -> None:
    for file in FILES:
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 400, file
