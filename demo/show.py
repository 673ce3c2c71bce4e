"""`make demo`: from nothing to rows of several organizations in DuckDB, twice, and their answers.

Everything is real but Qonto itself: `meltano run tap-qonto target-duckdb` reads the little Qonto of
this package over HTTP and OAuth. Ends non-zero if the warehouse differs from the server.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import typing as t
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

from demo.answers.marts import asked, told
from demo.answers.page import page
from demo.project import ROOT, Project, RunFailed
from demo.warehouse import differences, opened

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.warehouse import Warehouse

FOLDER = ROOT / ".demo"
DATABASE = FOLDER / "qonto.duckdb"
FILES = FOLDER / "files"
PAGE = FOLDER / "answers.html"
PAUSE = 1800  # seconds that pass at Qonto between the two runs
NEXT = """\
In each terminal, once:   . {activate}

Look around:    python -c "import duckdb; print(duckdb.connect('.demo/qonto.duckdb').sql(
                'from analytics.qonto__recurring_spend'))"
The server:     python -m demo --help

With a real Qonto account (README, "Log in"):
    export TAP_QONTO_CLIENT_ID=… TAP_QONTO_CLIENT_SECRET=…
    tap-qonto-auth login
    meltano run tap-qonto target-duckdb dbt-duckdb:build
"""


def main() -> int:
    """Tell the story; 0 if everything that Qonto has is in the warehouse."""
    project = Project(FOLDER)
    shutil.rmtree(FILES, ignore_errors=True)
    for old in (*FOLDER.glob("*.duckdb*"), *FOLDER.glob("tokens.db*"), *FOLDER.glob("*.log")):
        old.unlink()
    (FOLDER / ".meltano" / "meltano.db").unlink(missing_ok=True)  # state of an earlier demo
    try:
        with timed("meltano install (tap-qonto, target-duckdb, dbt: each in its own environment)"):
            log = FOLDER / "install.log"
            project.meltano("install", "tap-qonto", "target-duckdb", "dbt-duckdb", log=log)
        with server() as url:
            return story(project, url)
    except RunFailed as error:
        say(f"\n{error}")
        return 1


def story(project: Project, url: str) -> int:
    config = ask(url, "config")
    project.env = {
        f"TAP_QONTO_{name.upper()}": str(config[name])
        for name in ("client_id", "client_secret", "refresh_token", "api_url", "oauth_url")
    }
    project.env["TAP_QONTO_TOKEN_STORE"] = f"sqlite:///{FOLDER / 'tokens.db'}"
    project.env["TAP_QONTO_FILES"] = str(FILES)
    names = [facts["name"] for facts in ask(url, "truth")["organizations"].values()]
    say(f"A little Qonto runs at {url}; one user consented for {', '.join(names)}.\n")

    with timed("meltano run tap-qonto target-duckdb"):
        project.meltano("run", "tap-qonto", "target-duckdb", log=FOLDER / "run-1.log")
    with opened(DATABASE) as warehouse:
        first, moment = total(warehouse.counts()), warehouse.last_batch()
    say(f"      carried {sum(first.values()):,} rows\n")

    touched = ask(url, "advance", {"edits": 5, "adds": 5})
    ask(url, "clock", {"seconds": PAUSE})
    changed = sum(len(ids) for streams in touched.values() for ids in streams.values())
    say(f"   At Qonto half an hour passes; {changed} rows are edited or added.\n")

    with timed("meltano run tap-qonto target-duckdb, again"):
        project.meltano("run", "tap-qonto", "target-duckdb", log=FOLDER / "run-2.log")
    truth = ask(url, "truth")
    with opened(DATABASE) as warehouse:
        second = warehouse.written_since(moment)
        changing = {stream for streams in touched.values() for stream in streams}
        report(warehouse, truth, first, second, changing)
        wrong = differences(warehouse, truth, project.deselected)
        wrong += kept(warehouse)
    if wrong:
        say("\nTHE WAREHOUSE DIFFERS FROM QONTO:\n  " + "\n  ".join(wrong))
        return 1
    say("\nEvery row and every balance equals the server's.\n")

    with timed("meltano run dbt-duckdb:build"):
        project.meltano("run", "dbt-duckdb:build", log=FOLDER / "dbt.log")
    with opened(DATABASE) as warehouse:
        answers = asked(warehouse)
    PAGE.write_text(page(answers), "utf-8")
    say("\n".join(told(answers)))
    say(f"\nWith pictures: {PAGE.as_uri()}\n")
    say(NEXT.format(activate=os.path.relpath(Path(sys.executable).parent / "activate")))
    return 0


def report(
    warehouse: Warehouse,
    truth: dict[str, t.Any],
    first: dict[str, int],
    second: dict[str, int],
    changing: set[str],
) -> None:
    """Rows per stream and organization, balances per account."""
    by_bookmark = sum(second[stream] for stream in changing)
    before = sum(first[stream] for stream in changing)
    say(
        f"      carried {sum(second.values()):,} rows: {by_bookmark} of the {before:,} in "
        f"{', '.join(sorted(changing))},\n      the rest small lists that Qonto cannot filter\n"
    )
    organizations: dict[str, t.Any] = truth["organizations"]
    heads = [facts["name"].split()[0][:10] for facts in organizations.values()]
    line = "{:<25}" + "{:>11}" * len(heads) + "{:>6}{:>5}"
    say("Rows in .demo/qonto.duckdb, and how many each run carried (·: not in that plan)\n")
    say(line.format("", *heads, "run1", "run2"))
    for stream, counts in sorted(warehouse.counts().items()):
        cells = [
            f"{counts[one]:,}" if one in counts else "·" if stream not in facts["rows"] else "0"
            for one, facts in organizations.items()
        ]
        say(line.format(stream, *cells, f"{first.get(stream, 0):,}", f"{second[stream]:,}"))

    say("\nBalances\n")
    landed = warehouse.balances()
    for one, facts in organizations.items():
        for account, there in facts["balances"].items():
            here = landed.get(one, {}).get(account)
            mark = "= Qonto's" if here == there["balance_cents"] else "DIFFERS FROM QONTO'S"
            amount = f"{(here or 0) / 100:,.2f} {there['currency']}"
            say(f"  {facts['name']:<20} {there['name']:<18} {amount:>18}   {mark}")


def kept(warehouse: Warehouse) -> list[str]:
    """Say where the files lie; every way in which they are not what their rows tell."""
    say("\nFiles in .demo/files, each below its organization\n")
    for kind, count, size, path in warehouse.files():
        say(f"  {kind:<23} {count:>4} files {size / 1e6:>6.1f} MB   {path.partition('/')[2]}")
    return [
        f"{path}: not the file that its row tells of"
        for path, digest in warehouse.digests()
        if hashlib.sha256((FILES / path).read_bytes()).hexdigest() != digest
    ]


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The demo server as a process of its own; gives its address.

    Its clock starts a day ago, so that time can pass there without overtaking ours.
    """
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    clock = ["--now", yesterday.isoformat(timespec="seconds")]
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", "--organizations", "4", *clock],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = process.stdout.readline().strip() if process.stdout else ""
        if not url:
            raise RunFailed("python -m demo", process.wait(timeout=10), "It did not start.")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


def ask(url: str, what: str, body: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
    """`GET /demo/…`, or `POST` if there is something to say."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{url}/demo/{what}", data=data, timeout=30) as answer:
        return t.cast("dict[str, t.Any]", json.load(answer))


def total(counts: dict[str, dict[str, int]]) -> dict[str, int]:
    return {stream: sum(rows.values()) for stream, rows in counts.items()}


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    sys.stdout.write(f"▶  {what} … ")
    sys.stdout.flush()
    begun = time.monotonic()
    yield
    say(f"{time.monotonic() - begun:.0f} s")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
