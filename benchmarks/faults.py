"""What faults cost: `python -m benchmarks.faults`. Rows lost must be 0.

Each fault strikes a whole run of the real tap, as a process, against the demo server; the run is
repeated with its last STATE until it ends well (at most `RUNS` times), then once more in peace.
Lost is a row of which the warehouse (the last row of each key) then has no, or not the newest,
version. Every second try is without Python's buffers (PYTHONUNBUFFERED=1). The same is done to a
plain SDK tap with page numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from demo.server import Server, running

STREAMS = ("transactions", "client_invoices", "supplier_invoices", "clients")
RUNS = 6
Key = tuple[str, str, str]

HERE = Path(sys.executable)
TAPS = {
    "tap-qonto": [str(HERE.with_name("tap-qonto"))],
    "plain SDK": [sys.executable, "-m", "benchmarks.plain"],
}


@dataclass
class Case:
    """One fault: rules for `demo.faults`, options of the server, or something done by hand."""

    name: str
    rules: tuple[dict[str, t.Any], ...] = ()
    options: dict[str, t.Any] = field(default_factory=dict)
    during: t.Callable[[Server, int], None] | None = None
    kills: bool = False


def _edit(server: Server, number: int) -> None:
    """A row of each organization changes before each answer."""
    del number
    for one in server.bank.organizations:
        if not one.empty:
            server.bank.edit("transactions", one.id)


def _edit_and_add(server: Server, number: int) -> None:
    _edit(server, number)
    for one in server.bank.organizations:
        if not one.empty:
            server.bank.add_transactions(one.id)


def _expire(server: Server, number: int) -> None:
    """Every fortieth request finds its access token out of date."""
    if number % 40 == 0:
        server.clock.advance(3700)


CASES = (
    Case("nothing"),
    Case("an edit at each request", during=_edit),
    Case("an edit and an insert at each request", during=_edit_and_add),
    Case("… and answers out of order", options={"jitter": 0.03}, during=_edit_and_add),
    Case("… and the upper bound ignored", options={"updated_at_to": "ignored"}, during=_edit),
    Case("… and the lower bound exclusive", options={"updated_at_from": "exclusive"}, during=_edit),
    Case("… and the count wrong", options={"total_count": "wrong"}, during=_edit),
    Case("… and no count", options={"total_count": "missing"}, during=_edit),
    Case("503 for 5 % of the requests", ({"kind": "status", "status": 503, "rate": 0.05},)),
    Case("cut before the answer, 5 %", ({"kind": "cut", "when": "after", "rate": 0.05},)),
    Case("cut in mid-answer, 5 %", ({"kind": "cut", "when": "mid", "rate": 0.05},)),
    Case("half the JSON, 5 %", ({"kind": "truncated", "rate": 0.05},)),
    Case("HTML with 200, 5 %", ({"kind": "html", "rate": 0.05},)),
    Case("an empty body, 5 %", ({"kind": "empty", "rate": 0.05},)),
    Case("rows of the wrong type, 2 %", ({"kind": "wrong_type", "rate": 0.02},)),
    Case("429 for 5 %", ({"kind": "status", "status": 429, "retry_after": "1", "rate": 0.05},)),
    Case(
        "403 for invoices, once",
        ({"kind": "status", "status": 403, "path": "client_i", "times": 1},),
    ),
    Case("500 for clients, for long", ({"kind": "status", "path": "/v2/clients", "times": 14},)),
    Case("a token that ends in mid-run", options={"access_token_seconds": 3600}, during=_expire),
    Case("SIGKILL at a random moment", options={"latency": 0.1}, during=_edit, kills=True),
)


@dataclass
class Result:
    """What a tap made of a case, over all its tries."""

    lost: int = 0
    twice: int = 0
    runs: Counter[int] = field(default_factory=Counter)
    seen: str = ""


def struck(case: Case, tap: str, seed: int, folder: Path) -> Result:
    """One try: the faulty runs, the quiet one, the comparison."""
    chance = random.Random(seed)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1" if seed % 2 else ""}
    size = {"seed": seed, "organizations": 2, "transactions": 1500, "gates": False}
    result, sent, state = Result(), Counter[Key](), None
    warehouse: dict[Key, str | None] = {}
    with running(**size, **{**case.options, "unauthorized_per_hour": None}) as server:
        config = folder / "config.json"
        settings = server.config(token_store=f"sqlite:///{folder}/store.db")
        if tap != "tap-qonto":
            token = server.issue()["access_token"]
            settings = {"api_url": server.url, "access_token": token, "only": [*STREAMS]}
            settings["only"] += ["user_organizations", "bank_accounts"]
        config.write_text(json.dumps(settings))
        command = [*TAPS[tap], "--config", str(config)]
        command += ["--catalog", str(_catalog(command, folder))]
        for rule in case.rules:
            server.faults.add(**rule)
        if case.during:
            server.on_request = lambda _: case.during(server, len(server.requests))  # type: ignore[misc]
        for number in range(RUNS + 1):
            if number == RUNS:
                server.faults.clear()
                server.on_request = None
                server.clock.advance(120)
            after = chance.uniform(0.8, 2.5) if case.kills and number < RUNS - 1 else None
            code, state, log = _run(command, state, folder, warehouse, sent, after, environment)
            result.runs[code] += 1
            if code != 0 and not result.seen:
                result.seen = _last_words(log)
            if code == 0 and number < RUNS:
                server.faults.clear()
                server.on_request = None
                server.clock.advance(120)
                code, state, log = _run(command, state, folder, warehouse, sent, None, environment)
                break
        result.lost = sum(
            warehouse.get((stream, one.id, row["id"]), "") != _version(row)
            for one in server.bank.organizations
            for stream in STREAMS
            for row in server.bank.rows(stream, one.id)
        )
    result.twice = sum(sent.values()) - len(sent)
    return result


def _run(
    command: list[str],
    state: t.Any,
    folder: Path,
    warehouse: dict[Key, str | None],
    sent: Counter[Key],
    kill_after: float | None,
    environment: dict[str, str],
) -> tuple[int, t.Any, str]:
    """Run the tap once, as a target would see it: rows, then the last STATE among them."""
    if state is not None:
        (folder / "state.json").write_text(json.dumps(state))
        command = [*command, "--state", str(folder / "state.json")]
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=out, stderr=log, env=environment)
        if kill_after is not None:
            time.sleep(kill_after)
            process.kill()
        code = process.wait(timeout=600)
    for line in (folder / "out").read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        message = json.loads(line)
        if message["type"] == "STATE":
            state = message["value"]
        elif message["type"] == "RECORD" and message["stream"] in STREAMS:
            row = message["record"]
            key = (message["stream"], row["organization_id"], row["id"])
            warehouse[key] = _version(row)
            sent[key[0], key[1], f"{row['id']} {_version(row)}"] += 1
    return code, state, (folder / "log").read_text(errors="replace")


def _version(row: dict[str, t.Any]) -> str | None:
    """When a row changed last, in one spelling."""
    from tap_qonto.sync.moments import utc  # noqa: PLC0415 - the taps run as processes

    return t.cast("str | None", utc(row.get("updated_at")))


def _catalog(command: list[str], folder: Path) -> Path:
    found = json.loads(subprocess.check_output([*command, "--discover"], stderr=subprocess.DEVNULL))
    wanted = {*STREAMS, "user_organizations", "bank_accounts"}
    for entry in found["streams"]:
        for one in entry["metadata"]:
            if not one["breadcrumb"]:
                one["metadata"]["selected"] = entry["stream"] in wanted
    path = folder / "catalog.json"
    path.write_text(json.dumps(found))
    return path


def _last_words(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()] or ["killed: nothing"]
    told = [line for line in lines if "failed  " in line or "CRITICAL" in line] or lines[-1:]
    return told[0].split("|")[-1].strip()[:110]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--tries", type=int, default=3, help="of each fault (default: 3)")
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    given = parser.parse_args()
    print(
        "| fault | tap | tries | rows lost | sent twice | exit codes | what the user sees first |"
    )
    print("|---|---|---:|---:|---:|---|---|")
    lost_by_us = 0
    for case in CASES:
        if given.only not in case.name:
            continue
        for tap in TAPS:
            lost = twice = 0
            codes: Counter[int] = Counter()
            seen = ""
            for seed in range(given.tries):
                with tempfile.TemporaryDirectory() as name:
                    result = struck(case, tap, seed, Path(name))
                lost, twice, seen = lost + result.lost, twice + result.twice, seen or result.seen
                codes += result.runs
            lost_by_us += lost if tap == "tap-qonto" else 0
            ends = ", ".join(f"{count} x {code}" for code, count in sorted(codes.items()))
            print(
                f"| {case.name} | {tap} | {given.tries} | {lost} | {twice} | {ends} | {seen} |",
                flush=True,
            )
    sys.exit(lost_by_us > 0)


if __name__ == "__main__":
    main()
