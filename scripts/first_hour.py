"""Run the console blocks of the pages, as a new user would, and print a transcript.

    python scripts/first_hour.py                     every page
    python scripts/first_hour.py docs/checking.md    some of them
    python scripts/first_hour.py --list              only say what runs, and what does not, and why

They run in a copy of the clone, with the commands of this environment on the path, an empty HOME,
and the demo server in place of Qonto; one after the other, in the order of the pages. Blocks of
`bash` run as they stand; of `console`, the lines after `$ `. A block that needs more than that has
a comment above it that says what: `<!-- not run: needs a person -->`. A block fails that ends in
an error, or that leaves variables of ours behind in the shell.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the demo server is not installed

from demo.project import FOREIGN  # noqa: E402
from demo.server import running  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = (
    *("README.md", "CONTRIBUTING.md", "dbt/README.md", "hub/README.md"),
    *("examples/airflow/README.md", "docs/**/*.md"),
)
REASONS = (
    "needs a person",  # at a consent page, or to fill in what stands for …
    "needs an account",
    "needs a cloud",
    "needs a database",
    "needs another program",
    "changes this environment",
    "takes minutes",
    "a test of its own runs it",
)
BLOCK = re.compile(
    r"(?:^ *<!-- not run: (?P<reason>.+?) -->\n)?"
    r"^ *```(?P<kind>bash|console)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
SECONDS = 300  # that one block may take
LEFT = "compgen -v | grep -E '^(TAP|TARGET|MELTANO|DBT)_' | sort"


class Block(NamedTuple):
    """A console block: where it begins, what it runs, and why it does not run, if so."""

    page: str
    line: int
    script: str
    reason: str | None


def pages(names: list[str]) -> list[Path]:
    """Find the pages: those named, or all."""
    found = {path for name in names or PAGES for path in ROOT.glob(name)}
    return sorted(found, key=lambda path: (len(path.parts), path))


def blocks(page: Path) -> list[Block]:
    """Read the console blocks of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        script = textwrap.dedent(match["text"])
        if match["kind"] == "console":
            script = "".join(re.findall(r"^\$ (.*\n)", script, re.MULTILINE))
        line = text.count("\n", 0, match.start("text"))
        found.append(Block(str(page.relative_to(ROOT)), line, script, match["reason"]))
    return found


class Visit:
    """A clone, a home and a shell's environment, for the blocks of all pages."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.clone, self.home = folder / "clone", folder / "home"
        self.home.mkdir()
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.check_output(listed, cwd=ROOT, text=True)  # noqa: S603
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.clone / name)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(FOREIGN) and name != "PYTHONDONTWRITEBYTECODE"
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = kept | settings | {"HOME": str(self.home), "PATH": path, "NO_COLOR": "1"}
        self._log_in()

    def _log_in(self) -> None:
        """Begin the session, as the person at the consent page does."""
        command = [str(Path(sys.executable).parent / "tap-qonto-auth"), "refresh"]
        subprocess.run(command, env=self.environment, check=True, capture_output=True)  # noqa: S603
        del self.environment["TAP_QONTO_REFRESH_TOKEN"]

    def run(self, block: Block) -> tuple[int, str]:
        """Run a block; return its exit code and what it printed."""
        left = self.home / "left"
        script = f"{block.script}\n({LEFT}) > '{left}' || true\n"
        done = subprocess.run(  # noqa: S603 - that is what this is for
            ["bash", "-eu", "-o", "pipefail", "-c", script],  # noqa: S607
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            return done.returncode, done.stdout
        known = {name for name in self.environment if name.startswith((*FOREIGN, "DBT_"))}
        if more := {*left.read_text("utf-8").split()} - known:
            return 1, f"{done.stdout}\nleaves {', '.join(sorted(more))} behind in the shell"
        return 0, done.stdout


@contextmanager
def visit() -> Iterator[Visit]:
    """Make ready what a visit needs; the folder is removed at its end."""
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    folder = Path(tempfile.mkdtemp(prefix="qonto-first-hour-"))
    try:
        with running(organizations=2, transactions=40, now=yesterday) as qonto:
            config = qonto.config()
            names = ("client_id", "client_secret", "refresh_token", "api_url", "oauth_url")
            settings = {f"TAP_QONTO_{name.upper()}": str(config[name]) for name in names}
            yield Visit(folder, settings)
    finally:
        shutil.rmtree(folder)


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="*", help="paths below the clone; default: all")
    parser.add_argument("--list", action="store_true", help="run nothing")
    given = parser.parse_args()
    found = [block for page in pages(given.pages) for block in blocks(page)]
    if given.list:
        for block in found:
            print(f"{block.page}:{block.line}  {block.reason or 'runs'}")
        return 0
    failed = 0
    with visit() as there:
        for block in found:
            failed += not told(there, block)
    ran = [block for block in found if not block.reason]
    print(f"\n{len(ran)} blocks ran, {failed} failed; {len(found) - len(ran)} need more than this")
    return int(failed > 0)


def told(there: Visit, block: Block) -> bool:
    """Run a block unless it says why not; print what happened; return whether all is well."""
    title = f"{block.page}:{block.line}"
    if block.reason:
        print(f"-  {title}  not run: {block.reason}")
        return True
    begun = time.monotonic()
    code, output = there.run(block)
    print(f"{'✗' if code else '✓'}  {title}  {time.monotonic() - begun:.0f} s")
    for line in block.script.strip().splitlines():
        print(f"      {line}")
    if code:
        print(f"   ended with {code}:\n{output[-3000:]}")
    sys.stdout.flush()
    return not code


if __name__ == "__main__":
    sys.exit(main())
