"""docs/session.md quotes messages that exist, and exit codes that hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tap_qonto.cli.status import EXIT_CODES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "session.md").read_text("utf-8")
QUOTED = re.findall(
    r"^\| `([^`]+)` \|",
    PAGE.partition("## What messages mean")[2].partition("\n## ")[0],
    re.MULTILINE,
)


def texts_of_the_code() -> str:
    """Every string in the tap; a placeholder stands as `…`."""
    texts = []
    for file in (ROOT / "tap_qonto").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [getattr(part, "value", "…") for part in node.values]
                texts.append("".join(part if isinstance(part, str) else "…" for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


@pytest.fixture(scope="module")
def code() -> str:
    return texts_of_the_code()


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_is_one_of_the_code(message: str, code: str) -> None:
    for part in message.split("…"):
        assert part.strip(" ().") in code, part


def test_the_exit_codes_of_status_are_those_of_the_page() -> None:
    table = re.findall(r"^\| (\d) \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert {name: int(number) for number, name in table} == EXIT_CODES
