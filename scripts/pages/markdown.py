"""Small pieces of Markdown."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MADE = "<!-- Made by `python scripts/docs.py` from the code: edit {source}, not this page. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lay out a table; cells may hold Markdown, no line breaks."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell(value) for value in row) + " |"


def cell(text: str) -> str:
    """Make text fit a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def code(*names: str) -> str:
    """Set names as code, with commas between."""
    return ", ".join(f"`{name}`" for name in names)


def quirks(text: str, page: str = "quirks.md") -> str:
    """Link every quirk number (Q40, also in Q36-Q41) to its entry."""
    return re.sub(r"\bQ(\d{1,3})\b", lambda q: f"[{q[0]}]({page}#q{q[1]})", text)


def paragraphs(of: object) -> list[str]:
    """Split a docstring into its paragraphs, each on one line."""
    return [" ".join(part.split()) for part in (inspect.getdoc(of) or "").split("\n\n")]
