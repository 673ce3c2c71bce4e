"""The console blocks of all pages: run as they stand, or they say what they need."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import first_hour
import pytest

ROOT = Path(__file__).parents[2]
PAGES = first_hour.pages([])
BLOCKS = [block for page in PAGES for block in first_hour.blocks(page)]


def test_no_console_block_of_the_pages_is_overlooked() -> None:
    fences = sum(
        len(
            re.findall(r"^\s*```(?:bash|console|sh|shell)\b", page.read_text("utf-8"), re.MULTILINE)
        )
        for page in PAGES
    )
    assert len(BLOCKS) == fences > 20
    assert sum(not block.reason for block in BLOCKS) >= 7


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}:{block.line}")
def test_a_block_runs_or_says_what_it_needs(block: first_hour.Block) -> None:
    assert block.reason in (None, *first_hour.REASONS)
    assert block.reason or "…" not in block.script, "needs a person: somebody has to fill it in"


def test_a_block_that_leaves_variables_behind_fails() -> None:
    with first_hour.visit() as there:
        loose = first_hour.Block("page.md", 1, "export TAP_QONTO_SHARD=1/2\n", None)
        assert there.run(loose) == (1, "\nleaves TAP_QONTO_SHARD behind in the shell")
        bound = loose._replace(script="TAP_QONTO_SHARD=1/2 tap-qonto-auth status > /dev/null\n")
        assert there.run(bound) == (0, "")
        wrong = loose._replace(script="false | cat\n")
        assert there.run(wrong)[0] == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_of_the_pages_that_can_be_run_works(
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not importlib.util.find_spec("meltano"):
        pytest.skip("no Meltano in this environment: use make test-slow")
    script = ROOT / "scripts" / "first_hour.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    with capsys.disabled():  # the transcript is what this test is for
        sys.stdout.write(f"\n{done.stdout}")
    assert done.returncode == 0, done.stdout + done.stderr
