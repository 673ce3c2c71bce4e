"""Where the tap reaches into the Singer SDK: each place is listed, and is as the tap relies on it.

The list is docs/maintainers/sdk-seams.md, and is read from there. An SDK that moves one of these
names, or that begins to use a private name of the tap's own, fails here first.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
import re
import textwrap
import typing as t
from pathlib import Path

import pytest

import tap_qonto

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "maintainers" / "sdk-seams.md"
SEAMS: dict[str, str] = dict(
    re.findall(r"^\| `([\w.]+)` \| `([^`]+)` \| .{10,} \|$", PAGE.read_text("utf-8"), re.MULTILINE)
)
MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(tap_qonto.__path__, "tap_qonto.")
    if not found.name.endswith("__main__")
]
CLASSES = [
    one
    for module in MODULES
    for one in vars(module).values()
    if inspect.isclass(one) and one.__module__ == module.__name__
]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def parsed(thing: t.Any) -> ast.Module:
    return ast.parse(textwrap.dedent(inspect.getsource(thing)))


def bases_in_the_sdk(kind: type) -> list[type]:
    return [base for base in kind.__mro__ if base.__module__.startswith("singer_sdk")]


@functools.cache
def set_on_self(kind: type) -> frozenset[str]:
    """Attributes that the methods of a class give its objects."""
    return frozenset(
        node.attr
        for node in ast.walk(parsed(kind))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node.value) == "self"
    )


def place(kind: type, name: str) -> str | None:
    """Where the SDK defines a name that a class inherits."""
    for base in bases_in_the_sdk(kind):
        if name in vars(base) or name in set_on_self(base):
            return f"{base.__module__}.{base.__qualname__}.{name}"
    return None


def imported() -> t.Iterator[str]:
    """Private names that the tap imports, and what it imports from private modules."""
    for module in MODULES:
        for node in ast.walk(parsed(module)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("singer_sdk"):
                names = [f"{node.module}.{name.name}" for name in node.names]
                yield from (name for name in names if any(map(is_private, name.split("."))))


def declared(kind: type) -> t.Iterator[str]:
    """Names that the body of a class gives a meaning."""
    (definition,) = parsed(kind).body
    for node in t.cast("ast.ClassDef", definition).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from map(ast.unparse, targets)


def overridden() -> t.Iterator[str]:
    """Names that a class of the tap shares with its bases in the SDK."""
    for kind in filter(bases_in_the_sdk, CLASSES):
        yield from filter(None, [place(kind, name) for name in declared(kind)])


def used() -> t.Iterator[str]:
    """Private attributes of the SDK's classes that the tap asks objects for."""
    sdk = [kind for kind in CLASSES if bases_in_the_sdk(kind)]
    for kind in sdk:
        yield from filter(None, [place(kind, name) for name in asked_for(kind)])
    for module in MODULES:
        for name in asked_for(module, of_others=True):
            yield from filter(None, [place(kind, name) for kind in sdk])


def asked_for(thing: t.Any, *, of_others: bool = False) -> t.Iterator[str]:
    """Private attributes that a class or module names."""
    for node in ast.walk(parsed(thing)):
        if not (isinstance(node, ast.Attribute) and is_private(node.attr)):
            continue
        if not of_others or ast.unparse(node.value) not in {"self", "cls", "super()"}:
            yield node.attr


def resolved(name: str) -> tuple[t.Any, str]:
    """The module or class that holds a name, and the last part of the name."""
    owner, _, last = name.rpartition(".")
    try:
        return importlib.import_module(owner), last
    except ModuleNotFoundError:
        outer, inner = resolved(owner)
        return getattr(outer, inner), last


def shape(name: str) -> str:
    """What the tap can rely on: a signature without types, or the kind of attribute."""
    owner, last = resolved(name)
    found = inspect.getattr_static(owner, last, None)
    if found is None and last not in vars(owner):
        assert last in set_on_self(owner), f"{name} is gone"
        return "attribute"
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    if isinstance(found, functools.cached_property):
        return "cached property"
    if not callable(found) or (inspect.isclass(owner) and inspect.isclass(found)):
        return "property" if hasattr(type(found), "__get__") else "attribute"
    parameters = inspect.signature(found).parameters.values()
    return str(
        inspect.Signature([one.replace(annotation=inspect.Parameter.empty) for one in parameters])
    )


@pytest.mark.parametrize("name", SEAMS)
def test_the_sdk_has_what_the_tap_relies_on(name: str) -> None:
    assert shape(name) == SEAMS[name]


def test_the_list_is_what_the_tap_overrides_and_what_private_names_it_uses() -> None:
    assert SEAMS.keys() == {*imported(), *overridden(), *used()}
