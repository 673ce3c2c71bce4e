"""Files: how fast, how much memory, and what faults cost. `python -m benchmarks.files`.

Measured are whole runs of the real tap, as a process, against the demo server, which waits before
each file as a host far away would. The plain loop is the one that one writes with `requests`: the
pages of transactions with their receipts, and a `requests.get` for each link.

With `--faults` each fault strikes a run; the run is repeated with its last STATE until it ends
well (at most `RUNS` times), then once more in peace. Lost is a file of Qonto's that the folder
then lacks, or a row of one that was never sent; half is one that holds anything but what Qonto has.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import requests

from benchmarks import measure
from demo.data.embeds import FILES, SIGNATURE
from demo.files import every
from demo.server import Server, running

if t.TYPE_CHECKING:
    from collections.abc import Callable

TAP = str(Path(sys.executable).with_name("tap-qonto"))
LATENCY = 0.15  # seconds before each answer, Qonto's and the files'
SIZE = 100_000  # bytes of a file
PLAIN = 200  # files that the plain loop reads: its rate does not hang on how many there are
RUNS = 5
HOSTILE = (
    "../../../../../etc/passwd", "..", "/etc/cron.d/x", "C:\\Windows\\x.pdf", "CON", "a\x00b.pdf",
    "x" * 500 + ".pdf", "\u202efdp.exe", ".ssh/authorized_keys", "receipt.pdf#1", "", "a\nb",
    "%2e%2e%2fx.pdf", "-rf", "aux.pdf ", "😀" * 99,
)  # fmt: skip


# --- speed and memory


def fill(server: Server, files: int) -> str:
    """Add transactions with a receipt each to the first organization; return its id."""
    organization = server.bank.organizations[0]
    for number in range(files):
        id_ = organization.uid("benchmark", number)
        receipt = {
            "id": id_,
            "created_at": "2026-01-01T00:00:00.000Z",
            "file_name": f"receipt-{number}.pdf",
            "file_size": str(SIZE),
            "file_content_type": "application/pdf",
            "url": f"{FILES}/attachments/{id_}.pdf?bytes={SIZE}&signature={SIGNATURE}",
            "probative_attachment": {"status": "unavailable"},
        }
        server.bank.add_transactions(organization.id, attachment_ids=[id_], attachments=[receipt])
    server.clock.advance(3600)  # so that the next run has none of them to look at again
    server.consent([organization.id])
    return organization.id


def plain(server: Server, organization_id: str, folder: Path, files: int) -> float:
    """Files per second of the plain loop."""
    headers = {
        "Authorization": f"Bearer {server.issue()['access_token']}",
        "X-Qonto-Organization-Id": organization_id,
    }
    account = server.bank.by_id[organization_id].accounts[0].id
    wanted: dict[str, t.Any] = {"bank_account_id": account, "includes[]": "attachments"}
    began, done, page = time.monotonic(), 0, 1
    while True:
        url = f"{server.url}/v2/transactions"
        answer = requests.get(url, {**wanted, "page": page}, headers=headers, timeout=60).json()
        for row in answer["transactions"]:
            for one in row["attachments"]:
                content = requests.get(one["url"], timeout=60).content
                (folder / f"{one['id']}-{one['file_name']}").write_bytes(content)
                done += 1
                if done == files:
                    return done / (time.monotonic() - began)
        page = answer["meta"]["next_page"]


class Tap:
    """The tap, with its files in `folder`, and the requests that each run made."""

    def __init__(self, server: Server, folder: Path, **settings: t.Any) -> None:
        self.server, self.folder = server, folder
        self.kept = folder / "files"
        config = server.config(
            token_store=f"sqlite:///{folder}/store.db", files=str(self.kept), **settings
        )
        (folder / "config.json").write_text(json.dumps(config))
        self._command = [TAP, "--config", str(folder / "config.json")]
        catalog = json.loads(
            subprocess.check_output([*self._command, "--discover"], stderr=subprocess.DEVNULL)
        )
        for stream in catalog["streams"]:
            for one in stream["metadata"]:
                if not one["breadcrumb"]:
                    one["metadata"]["selected"] = stream["tap_stream_id"] == "files"
        (folder / "catalog.json").write_text(json.dumps(catalog))
        self._command += ["--catalog", str(folder / "catalog.json")]

    def command(self, state: t.Any = None) -> list[str]:
        """The command line of a run that goes on from `state`."""
        if state is None:
            return self._command
        (self.folder / "state.json").write_text(json.dumps(state))
        return [*self._command, "--state", str(self.folder / "state.json")]

    def timed(self, state: t.Any = None) -> tuple[measure.Measured, int, int]:
        """Run; (what it cost, requests to Qonto, downloads)."""
        before = len(self.server.requests), len(self.server.files.requests)
        cost = measure.run(self.command(state))
        after = len(self.server.requests), len(self.server.files.requests)
        return cost, after[0] - before[0], after[1] - before[1]

    def state(self) -> t.Any:
        """The last STATE of one more run."""
        out = subprocess.check_output(self.command(), stderr=subprocess.DEVNULL)
        found = [json.loads(line) for line in out.splitlines() if b'"STATE"' in line]
        return found[-1]["value"]


def speed(files: int, plain_files: int) -> bool:
    """Print the table of speed; whether the aim is met."""
    kinds = ["transaction_attachment"]
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    data: dict[str, t.Any] = {
        "organizations": 2,
        "transactions": 0,
        "gates": False,
        "now": yesterday,
    }
    print("| | files | seconds | files/s | peak MB | requests to Qonto | downloads |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    rates = {}
    for count in sorted({files // 10, files}):
        with (
            tempfile.TemporaryDirectory() as name,
            running(**data) as qonto,
        ):
            folder = Path(name)
            organization_id = fill(qonto, count)
            qonto.options.latency = qonto.options.file_latency = LATENCY
            tap = Tap(qonto, folder, file_kinds=kinds)
            show = functools.partial(_show, tap)
            rates["tap"] = show("first run", count, *tap.timed())
            if count < files:
                continue
            show("state lost", count, *tap.timed())
            state = tap.state()
            show("next run", count, *tap.timed(state))
            (folder / "plain").mkdir()
            rates["plain"] = plain(qonto, organization_id, folder / "plain", plain_files)
            seconds = plain_files / rates["plain"]
            print(
                f"| plain loop | {plain_files:,} | {seconds:.1f} | {rates['plain']:.1f} | | | "
                f"{plain_files:,} |"
            )
    ratio = rates["tap"] / rates["plain"]
    print(f"\n{ratio:.1f} times as fast as the plain loop (aim: 10).")
    return ratio >= 10


def _show(
    tap: Tap, name: str, files: int, cost: measure.Measured, asked: int, downloads: int
) -> float:
    kept = sum(1 for one in tap.kept.rglob("*") if one.is_file())
    assert kept == files, f"{kept} of {files} files"
    rate = files / cost.wall
    print(
        f"| tap-qonto, {name} | {files:,} | {cost.wall:.1f} | {rate:.1f} | {cost.peak:.0f} | "
        f"{asked} | {downloads:,} |",
        flush=True,
    )
    return rate


# --- faults


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


def main() -> None:
    """Print one of the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files", description=__doc__)
    parser.add_argument("--files", type=int, default=2000, help="default: 2000")
    parser.add_argument("--plain-files", type=int, default=PLAIN, help=f"default: {PLAIN}")
    parser.add_argument("--faults", action="store_true", help="what faults cost instead")
    parser.add_argument("--tries", type=int, default=3, help="of each fault (default: 3)")
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    given = parser.parse_args()
    if given.faults:
        is_well = faults(given.tries, given.only)
    else:
        is_well = speed(given.files, given.plain_files)
    sys.exit(not is_well)


if __name__ == "__main__":
    main()
