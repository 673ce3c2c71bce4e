"""How throughput grows with shards, each with a request budget of its own.

    python -m benchmarks.shards

Starts the demo server and reads it with 1, 2 and 4 processes side by side, which share one session.
The budget of each is small, so that it and not this machine is the limit, as it is at Qonto over
ten minutes. Prints a table for docs/many-machines.md.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from demo.server import running
from tap_qonto.api.organizations import shard_of

COMMAND = Path(sys.executable).with_name("tap-qonto")
BUDGET = [[20, 4]]  # requests, seconds
STREAMS = ("transactions", "labels", "memberships", "statements")
ORGANIZATIONS = 60


def main() -> None:
    """Measure and print."""
    print("| shards | organizations of each | requests | seconds | requests/s | times |")
    print("|---:|---|---:|---:|---:|---:|")
    with (
        running(organizations=ORGANIZATIONS, transactions=20, latency=0.05) as qonto,
        tempfile.TemporaryDirectory() as name,
    ):
        folder, first = Path(name), 0.0
        catalog = folder / "catalog.json"
        catalog.write_bytes(subprocess.check_output([COMMAND, "--discover"]))
        choose(catalog)
        config = qonto.config(token_store=f"sqlite:///{folder}/sessions.db", rate_limits=BUDGET)
        for count in (1, 2, 4):
            qonto.requests.clear()
            seconds = max(read(folder, catalog, config, count))
            sizes = [0] * count
            for one in qonto.bank.organizations:
                sizes[shard_of(one.id, count) - 1] += 1
            speed = len(qonto.requests) / seconds
            first = first or speed
            print(
                f"| {count} | {', '.join(map(str, sizes))} | {len(qonto.requests):,} | "
                f"{seconds:.0f} | {speed:.1f} | {speed / first:.1f} |",
                flush=True,
            )


def choose(catalog: Path) -> None:
    """Select STREAMS alone."""
    found = json.loads(catalog.read_text())
    for stream in found["streams"]:
        for one in stream["metadata"]:
            if not one["breadcrumb"]:
                one["metadata"]["selected"] = stream["stream"] in STREAMS
    catalog.write_text(json.dumps(found))


def read(folder: Path, catalog: Path, config: dict[str, object], count: int) -> list[float]:
    """Run all shards side by side; the seconds that each says it took."""
    processes = []
    for number in range(1, count + 1):
        file = folder / f"{number}-of-{count}.json"
        file.write_text(json.dumps({**config, "shard": f"{number}/{count}"}))
        processes.append(
            subprocess.Popen(
                [COMMAND, "--config", file, "--catalog", catalog],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    logs = [process.communicate()[1] for process in processes]
    return [float(re.findall(r"requests in ([\d.]+) s", log)[-1]) for log in logs]


main()
