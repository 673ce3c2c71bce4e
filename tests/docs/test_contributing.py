"""CONTRIBUTING.md: its example adds a stream, and one number of one test is all that breaks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
import typing as t
from pathlib import Path

import pytest
import yaml

if t.TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Add a stream")[2]
CODE = [
    textwrap.dedent(block)
    for block in re.findall(r"^ *```python\n(.*?)^ *```$", EXAMPLE, re.DOTALL | re.MULTILINE)
]
ASKED = "tests/test_contract.py::test_there_are_the_46_bulk_endpoints"
TESTS = (
    *("tests/test_contract.py", "tests/test_tap.py", "demo/tests/test_contract.py"),
    "tests/docs/test_hub.py",
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in filter(None, subprocess.check_output(listed, cwd=ROOT, text=True).split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def python(clone: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=clone,
            env={**os.environ, "PYTHONPATH": str(clone)},  # before the tap that is installed
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def put(file: Path, text: str, before: str) -> None:
    whole = file.read_text("utf-8")
    assert whole.count(before) == 1, before
    file.write_text(whole.replace(before, text + before), "utf-8")


def described(source: str) -> str:
    """The endpoint in the contract: a copy of its neighbour, whose rows it shares, and changes."""
    neighbour = source.partition("  /v2/terminals:\n")[2].partition("\n  /v2/")[0]
    operation = yaml.safe_load(f"/v2/terminals:\n{textwrap.indent(neighbour, '  ')}")
    facts = operation.pop("/v2/terminals")["get"]
    facts |= {"operationId": "listTerminalRefunds", "x-stream": "terminal_refunds"}
    facts["x-incremental"] = {
        "filter": "updated_at_from",
        "filter-to": "updated_at_to",
        "field": "updated_at",
        "sort": "updated_at:asc",
        "captures": "inserts and updates",
    }
    facts["x-envelope"] = "terminal_refunds"
    text = {"type": "string"}
    facts["parameters"] += [
        {"name": name, "in": "query", "schema": text}
        for name in ("updated_at_from", "updated_at_to", "sort_by")
    ]
    media = facts["responses"]["200"]["content"]["application/json"]
    for keep in (media["schema"]["properties"], media["example"]):
        keep["terminal_refunds"] = keep.pop("terminals")
    media["schema"]["required"] = ["terminal_refunds", "meta"]
    added = yaml.safe_dump({"/v2/terminal_refunds": {"get": facts}}, sort_keys=False)
    return textwrap.indent(added, "  ")


def test_the_example_breaks_what_it_says_and_nothing_else(
    clone: Path, python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    stream, endpoint, rows = CODE
    contract = clone / "contract" / "openapi.yaml"
    put(contract, described(contract.read_text("utf-8")), "  /v2/terminal_payments/{id}:\n")
    area = clone / "tap_qonto" / "streams" / "getting_paid.py"
    bases = "import OneRowStream, RecentFirstStream"
    area.write_text(
        area.read_text("utf-8").replace(bases, f"{bases}, UpdatedStream") + f"\n\n{stream}"
    )
    offer = '    Endpoint("terminals",'
    entry = textwrap.indent(endpoint.rstrip() + ",\n", "    ")
    put(clone / "demo" / "offer.py", entry, offer)
    data = clone / "demo" / "data" / "getting_paid.py"
    data.write_text(f"{data.read_text('utf-8')}\n\n{rows}")
    for script in ("contract.py", "docs.py"):
        made = python(f"scripts/{script}")
        assert made.returncode == 0, made.stderr
    assert "### terminal_refunds" in (clone / "docs" / "streams.md").read_text("utf-8")
    done = python("-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "-rf", *TESTS)
    failed = re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
    assert failed == [ASKED], done.stdout[-3000:] + done.stderr[-1000:]
