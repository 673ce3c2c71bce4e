"""Edits without rest, kills at random moments, and in the end the warehouse equals the server.

    python -m benchmarks.soak [--minutes 30]

Real `meltano run` into DuckDB, again and again, with its own state; most runs are killed with
SIGKILL, loader and all. Meanwhile rows are edited, added and deleted, and answers fail now and
then. When the time is over, two undisturbed runs follow, and every field is compared.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

from sameness import differences, from_duckdb, served

from demo.project import FOREIGN, Project
from demo.server import Server, running

LOADER = "target-duckdb"
EDITED = ("transactions", "client_invoices", "supplier_invoices", "clients", "sepa_transfers")
PAUSE = 0.4  # seconds between changes, on average
KILLED = 0.7  # of all runs


class Unrest(threading.Thread):
    """Changes rows until told to stop."""

    def __init__(self, server: Server, seed: int) -> None:
        super().__init__(daemon=True)
        self._server, self._random = server, random.Random(seed)
        self._stop_asked = threading.Event()
        self.counts: Counter[str] = Counter()
        self.deleted: set[str] = set()

    def run(self) -> None:
        bank = self._server.bank
        ids = [one.id for one in bank.organizations if not one.empty]
        while not self._stop_asked.wait(self._random.uniform(0, 2 * PAUSE)):
            organization = self._random.choice(ids)
            what = self._random.choices(("edited", "added", "deleted"), (6, 3, 1))[0]
            if what == "edited":
                bank.edit(self._random.choice(EDITED), organization)
            elif what == "added":
                bank.add_transactions(organization, 1, status=None)
            else:
                rows = bank.rows("transactions", organization)
                row = self._random.choice(rows)
                bank.delete("transactions", organization, row["id"])
                self.deleted.add(row["id"])
            self.counts[what] += 1

    def end(self) -> None:
        self._stop_asked.set()
        self.join()


class Pipeline:
    """`meltano run`, which may be killed; every second run without Python's buffers."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.log = project.folder / "run.log"
        self._runs = 0
        self.usual = 0.0
        """Seconds that the last whole run took."""

    def run(self, seconds: float | None = None) -> int | None:
        """Run to the end and return the exit code; None if it was killed after `seconds`."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        # --force: Meltano believes for some minutes that a run that was killed is still there
        command = ["meltano", "run", "--force", "--state-id-suffix=soak", "tap-qonto", LOADER]
        command[0] = str(Path(sys.executable).with_name("meltano"))
        began = time.monotonic()
        self._runs += 1
        buffering = {"PYTHONUNBUFFERED": "1" if self._runs % 2 else ""}
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self._project.folder,
                env={**kept, "NO_COLOR": "1", **buffering, **self._project.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return None
        self.usual = time.monotonic() - began
        return code


def main() -> int:
    """Non-zero if a row is missing or differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random_ = random.Random(given.seed)
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    with (
        tempfile.TemporaryDirectory() as name,
        running(organizations=4, transactions=600, seed=11, now=yesterday, gates=False) as server,
    ):
        folder = Path(name)
        project = Project(folder / "project")
        warehouse = folder / "qonto.duckdb"
        project.env = environment(server, folder, warehouse)
        project.meltano("install", timeout=900)
        pipeline = Pipeline(project)
        ends: Counter[str] = Counter()
        ends[_end(pipeline.run())] += 1
        server.faults.add("status", status=503, path="^/v2/", rate=0.02)
        server.faults.add("cut", when="mid", path="^/v2/", rate=0.01)
        unrest = Unrest(server, given.seed)
        unrest.start()
        deadline = time.monotonic() + 60 * given.minutes
        while time.monotonic() < deadline:
            kill = random_.random() < KILLED
            moment = random_.uniform(0, pipeline.usual) if kill else None
            ends[_end(pipeline.run(moment))] += 1
            print(f"{(deadline - time.monotonic()) / 60:5.1f} min  {dict(ends)}", file=sys.stderr)
            server.clock.advance(30)  # so that runs do not all lie within one margin
        unrest.end()
        server.faults.clear()
        for _ in range(2):
            ends[_end(pipeline.run())] += 1
        found, rows = compare(server, warehouse, project.deselected, unrest.deleted)
        print(table(given.minutes, ends, unrest, rows, found))
        if found:
            print("\n".join(found[:50]), file=sys.stderr)
            print(pipeline.log.read_text(errors="replace")[-3000:], file=sys.stderr)
        return int(bool(found))


def environment(server: Server, folder: Path, warehouse: Path) -> dict[str, str]:
    config = server.config()
    names = ("client_id", "client_secret", "refresh_token", "api_url", "oauth_url")
    return {f"TAP_QONTO_{name.upper()}": config[name] for name in names} | {
        "TAP_QONTO_TOKEN_STORE": f"sqlite:///{folder / 'tokens.db'}",
        "TARGET_DUCKDB_PATH": str(warehouse),
    }


def compare(
    server: Server, warehouse: Path, without: set[str], deleted: set[str]
) -> tuple[list[str], int]:
    """What differs, and how many rows were compared. Rows deleted in Qonto may still be there.

    Balances are left out of it: theirs is the moment of each run.
    """
    there = served(server, without | {"bank_account_balances"})
    for row in there["credit_notes"].values():
        if "Invoice_issue_date" in row:  # the tap gives it the name that the others have (Q65)
            row["invoice_issue_date"] = row.pop("Invoice_issue_date")
    landed = from_duckdb(warehouse, was_killed=True)
    found = [
        one
        for one in differences(landed, there)
        if not (one.endswith(": is not there") and any(id_ in one for id_ in deleted))
    ]
    return found, sum(map(len, there.values()))


def table(minutes: float, ends: Counter[str], unrest: Unrest, rows: int, found: list[str]) -> str:
    missing = sum(one.endswith("did not land") for one in found)
    facts: dict[str, t.Any] = {
        "minutes": f"{minutes:g}",
        "runs": ends.total(),
        "of them killed (SIGKILL)": ends["killed"],
        "of them ended with an error, read again": ends["failed"],
        "rows edited meanwhile": unrest.counts["edited"],
        "rows added meanwhile": unrest.counts["added"],
        "rows deleted meanwhile": unrest.counts["deleted"],
        "rows compared at the end, every field": rows,
        "rows missing": missing,
        "fields or rows that differ": len(found) - missing,
    }
    width = max(map(len, facts))
    lines = [f"| {name:<{width}} | {value:>8} |" for name, value in facts.items()]
    return "\n".join(
        [f"| {'soak':<{width}} | {'':>8} |", f"|{'-' * (width + 2)}|---------:|", *lines]
    )


def _end(code: int | None) -> str:
    return "killed" if code is None else "failed" if code else "done"


if __name__ == "__main__":
    sys.exit(main())
