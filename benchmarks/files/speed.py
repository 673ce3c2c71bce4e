"""How fast, and how much memory.

Measured are whole runs of the real tap, as a process, against the demo server, which waits before
each file as a host far away would. The plain loop is the one that one writes with `requests`: the
pages of transactions with their receipts, and a `requests.get` for each link.
"""

from __future__ import annotations

import functools
import tempfile
import time
import typing as t
from datetime import datetime, timedelta, timezone
from pathlib import Path

import requests

from benchmarks.files.tap import Tap
from demo.data.embeds import FILES, SIGNATURE
from demo.server import Server, running

if t.TYPE_CHECKING:
    from benchmarks import measure

LATENCY = 0.15  # seconds before each answer, Qonto's and the files'
SIZE = 100_000  # bytes of a file
PLAIN = 200  # files that the plain loop reads: its rate does not hang on how many there are


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
