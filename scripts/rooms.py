"""Print the rooms of `tap_qonto/`: files, lines, and how many imports lead from one to another.

The rooms are those of the list in `tap_qonto/__init__.py`, from the top floor down.
"""

from __future__ import annotations

import ast
import re
import typing as t
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "tap_qonto"
FILES = [file for file in sorted(PACKAGE.rglob("*.py")) if file != PACKAGE / "__init__.py"]


def listed(text: str) -> list[str]:
    """Return the lines of a list of rooms, wherever in a text it stands."""
    return re.findall(r"^ *([a-z_.]+(?:, [a-z_.]+)* {2,}\S.*)$", text, re.MULTILINE)


def floors() -> list[list[str]]:
    """Return the rooms of each floor, the top floor first."""
    lines = listed((PACKAGE / "__init__.py").read_text("utf-8"))
    return [line.partition("  ")[0].split(", ") for line in lines]


def room_of(module: str) -> str:
    """Return the room of a module, such as `streams.files` of `tap_qonto.streams.files.store`."""
    path = module.removeprefix("tap_qonto.")
    rooms = [room for floor in floors() for room in floor if f"{path}.".startswith(f"{room}.")]
    return max(rooms, key=len, default=path)


def module_of(file: Path) -> str:
    """Return the dotted name of a file."""
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )


KNOWN = {module_of(file) for file in FILES}


def named_in(file: Path) -> t.Iterator[str]:
    """Yield what a file imports, for the type checker too: modules of the tap, names of others."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name.name}" for name in node.names]
            yield from {name if name in KNOWN else str(node.module) for name in names}


def main() -> None:
    """Print the two tables."""
    rooms = [room for floor in floors() for room in floor]
    files = {room: [file for file in FILES if room_of(module_of(file)) == room] for room in rooms}
    arrows = Counter(
        (room, room_of(name))
        for room in rooms
        for file in files[room]
        for name in named_in(file)
        if name.startswith("tap_qonto")
    )
    print("| room | files | lines |\n|---|---:|---:|")
    for room in rooms:
        lines = sum(len(file.read_text("utf-8").splitlines()) for file in files[room])
        print(f"| {room} | {len(files[room])} | {lines} |")
    print("\n| imports from ↓ to → |", " | ".join(rooms), "|")
    print("|---|" + "---:|" * len(rooms))
    for room in rooms:
        counts = (str(arrows[room, other] or "") if room != other else "·" for other in rooms)
        print(f"| {room} |", " | ".join(counts), "|")


if __name__ == "__main__":
    main()
