"""What faults cost.

Each fault strikes a run; the run is repeated with its last STATE until it ends well (at most
`RUNS` times), then once more in peace. Lost is a file of Qonto's that the folder then lacks, or a
row of one that was never sent; half is one that holds anything but what Qonto has.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import tempfile
import time
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.files.tap import Tap
from demo.files import every
from demo.server import Server, running

if t.TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 5
HOSTILE = (
    "../../../../../etc/passwd", "..", "/etc/cron.d/x", "C:\\Windows\\x.pdf", "CON", "a\x00b.pdf",
    "x" * 500 + ".pdf", "\u202efdp.exe", ".ssh/authorized_keys", "receipt.pdf#1", "", "a\nb",
    "%2e%2e%2fx.pdf", "-rf", "aux.pdf ", "😀" * 99,
)  # fmt: skip


@dataclass
class Case:
    """One fault: rules for downloads, options, or something done to server, folder or process.

    `before` is called with the server and the folder of files; what it returns is called after
    the first run.
    """

    name: str
    rules: tuple[dict[str, t.Any], ...] = ()
    before: Callable[[Server, Path], Callable[[], object] | None] | None = None
    settings: dict[str, t.Any] = field(default_factory=dict)
    child: Callable[[], object] | None = None
    kills: bool = False
    twins: bool = False


def _dead_links(server: Server, _: Path) -> None:
    """Links of lists are dead when they come; those that are asked for anew live."""

    def choose(received: t.Any) -> None:
        is_anew = len(received.path.strip("/").split("/")) > 2
        server.options.link_seconds = 1800 if is_anew else -1

    server.on_request = choose


def _hostile_names(server: Server, _: Path) -> None:
    names = iter(HOSTILE * 9)
    for one in server.bank.organizations:
        for row in server.bank.rows("transactions", one.id):
            for receipt in row["attachments"]:
                receipt["file_name"] = next(names)
            if row["attachments"]:
                changed = {"attachments": row["attachments"], "updated_at": row["updated_at"]}
                server.bank.edit("transactions", one.id, row["id"], **changed)


def _refusing(server: Server, folder: Path) -> Callable[[], object]:
    """A file where the folder of the first organization should be."""
    folder.mkdir(exist_ok=True)
    place = folder / server.bank.organizations[0].id
    place.write_bytes(b"")
    return place.unlink


def _little_room() -> None:
    """No file may be larger than that: half of the receipts are."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))


CASES = (
    Case("nothing"),
    Case("SIGKILL at a random moment", ({"kind": "latency", "seconds": 0.02},), kills=True),
    Case("two runs at once", ({"kind": "latency", "seconds": 0.02},), twins=True),
    Case("links that are dead when they come", before=_dead_links),
    Case("403 for 30 % of the downloads", ({"kind": "status", "status": 403, "rate": 0.3},)),
    Case("404 for one kind", ({"kind": "status", "status": 404, "path": "^/statements/"},)),
    Case("500 for 30 %", ({"kind": "status", "status": 500, "rate": 0.3},)),
    Case("cut before the answer, 30 %", ({"kind": "cut", "when": "before", "rate": 0.3},)),
    Case("cut in mid-file, 30 %", ({"kind": "cut", "when": "mid", "rate": 0.3},)),
    Case("half the file as if it were all, 30 %", ({"kind": "truncated", "rate": 0.3},)),
    Case("a web page in its place, 30 %", ({"kind": "html", "rate": 0.3},)),
    Case("an empty file, 30 %", ({"kind": "empty", "rate": 0.3},)),
    Case("too large for file_max_bytes", settings={"file_max_bytes": 60_000}),
    Case("a full disk", child=_little_room),
    Case("a store that refuses", before=_refusing),
    Case("names that attack", before=_hostile_names),
)


@dataclass
class Result:
    """What became of a case."""

    tried: int = 0
    lost: int = 0
    half: int = 0
    strays: int = 0
    exits: Counter[int] = field(default_factory=Counter)
    seen: str = ""


def struck(case: Case, seed: int, folder: Path) -> Result:
    """The faulty runs, the one in peace, the comparison."""
    chance, result = random.Random(seed), Result()
    sent: set[tuple[str, str, str]] = set()
    with running(seed=seed, organizations=2, transactions=60, gates=False) as qonto:
        tap = Tap(qonto, folder, **case.settings)
        undo = case.before(qonto, tap.kept) if case.before else None
        for rule in case.rules:
            qonto.files.faults.add(**rule)
        state = None
        for number in range(RUNS):
            after = chance.uniform(0.9, 3.0) if case.kills and number < RUNS - 2 else None
            child = case.child if number == 0 else None
            commands = [tap.command(state)] * (2 if case.twins else 1)
            code, state, log = _run(commands, state, sent, after, child)
            result.exits[code] += 1
            result.seen = result.seen or _last_words(log)
            if number == 0 and case.settings:
                tap = Tap(qonto, folder)
            if number == 0 and undo is not None:
                undo()
            if code == 0:
                break
            if number >= 1:
                qonto.files.faults.clear()
        qonto.files.faults.clear()
        qonto.on_request, qonto.options.link_seconds = None, 1800
        _, state, _ = _run([tap.command(state)], state, sent, None, None)
        expected = {
            (one.id, kind, id_): make
            for one in qonto.bank.organizations
            for (kind, id_), make in every(qonto.bank, one.id).items()
        }
    found = {file: file.relative_to(tap.kept).parts for file in tap.kept.rglob("*")}
    files = {file: parts for file, parts in found.items() if file.is_file()}
    whole = {
        (parts[0], parts[1], parts[2])
        for file, parts in files.items()
        if len(parts) == 4
        and parts[:3] in expected
        and file.read_bytes() == expected[t.cast("tuple[str, str, str]", parts[:3])]()
    }
    result.tried = len(expected)
    result.lost = len(expected.keys() - (whole & sent))
    under_its_name = [parts for parts in files.values() if "#" not in parts[-1]]
    result.half = len(under_its_name) - len(whole)
    result.strays = sum(
        1
        for one in folder.iterdir()
        if one.name not in {"files", "config.json", "catalog.json", "state.json"}
        and not one.name.startswith("store.db")
    )
    return result


def _run(
    commands: list[list[str]],
    state: t.Any,
    sent: set[tuple[str, str, str]],
    kill_after: float | None,
    child: Callable[[], object] | None,
) -> tuple[int, t.Any, str]:
    """Run the tap, or several at once; note its rows as a target would, and its last STATE."""
    with tempfile.TemporaryFile() as log:
        processes = [
            subprocess.Popen(one, stdout=subprocess.PIPE, stderr=log, preexec_fn=child)  # noqa: PLW1509
            for one in commands
        ]
        if kill_after is not None:
            time.sleep(kill_after)
            processes[0].kill()
        codes = []
        for process in processes:
            out, _ = process.communicate(timeout=300)
            codes.append(process.returncode)
            for line in out.splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                message = json.loads(line)
                if message["type"] == "STATE":
                    state = message["value"]
                elif message["type"] == "RECORD" and message["stream"] == "files":
                    row = message["record"]
                    sent.add((row["organization_id"], row["kind"], row["file_id"]))
        log.seek(0)
        return max(codes, key=abs), state, log.read().decode(errors="replace")


def _last_words(log: str) -> str:
    told = [line for line in log.splitlines() if "failed  " in line or "skipped  " in line]
    text = told[0].split("|")[-1].strip() if told else ""
    return text if len(text) < 130 else f"{text[:130]}…"


def faults(tries: int, only: str) -> bool:
    """Print the table of faults; whether nothing was lost."""
    print("| fault | runs tried | files | files lost | half files | exit codes | what is said |")
    print("|---|---:|---:|---:|---:|---|---|")
    is_well = True
    for case in CASES:
        if only not in case.name:
            continue
        total = Result()
        for seed in range(tries):
            with tempfile.TemporaryDirectory() as name:
                one = struck(case, seed, Path(name))
            total.tried += one.tried
            total.lost += one.lost
            total.half += one.half + one.strays
            total.exits += one.exits
            total.seen = total.seen or one.seen
        is_well = is_well and not total.lost and not total.half
        ends = ", ".join(f"{count} x {code}" for code, count in sorted(total.exits.items()))
        print(
            f"| {case.name} | {tries} | {total.tried} | {total.lost} | {total.half} | {ends} | "
            f"{total.seen} |",
            flush=True,
        )
    return is_well
