"""The demo server as another process, on the other core."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from contextlib import contextmanager
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from benchmarks.lists import STATUSES

if t.TYPE_CHECKING:
    from collections.abc import Iterator


class Server:
    """A running demo server: its address, and what it can be asked."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, body: t.Any = None, method: str | None = None) -> t.Any:
        """Ask one of the server's own routes."""
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.url + path, data, method=method), timeout=600) as answer:
            return json.load(answer)

    def config(self, store: str, **more: t.Any) -> dict[str, t.Any]:
        """Settings for the tap, with its sessions in the SQLite file `store`."""
        return {**self.get("/demo/config"), "token_store": f"sqlite:///{store}", **more}

    def access_token(self) -> str:
        """A token for those who don't rotate any."""
        config = self.get("/demo/config")
        form = {
            "grant_type": "refresh_token",
            "refresh_token": config["refresh_token"],
            "client_id": config["client_id"],
            "client_secret": config["client_secret"],
        }
        request = Request(f"{self.url}/oauth2/token", urlencode(form).encode())
        with urlopen(request, timeout=60) as answer:
            return t.cast("str", json.load(answer)["access_token"])

    def pages(self, path: str) -> Iterator[bytes]:
        """Bodies of every transaction of the main account of the first organization."""
        token = self.access_token()
        organization = next(iter(self.get("/demo/truth")["organizations"].items()))
        account = next(iter(organization[1]["balances"]))
        for status in STATUSES:
            number, last = 1, 1
            while number <= last:
                query = {
                    "bank_account_id": account,
                    "status[]": status,
                    "includes[]": ["labels", "attachments", "vat_details"],
                    "page": number,
                    "per_page": 100,
                }
                request = Request(
                    f"{self.url}{path}?{urlencode(query, doseq=True)}",
                    headers={
                        "Authorization": f"Bearer {token}",
                        "X-Qonto-Organization-Id": organization[0],
                    },
                )
                with urlopen(request, timeout=60) as answer:
                    body = answer.read()
                yield body
                last = json.loads(body)["meta"]["total_pages"]
                number += 1

    def requests(self) -> tuple[int, int]:
        """Requests so far, and how many of them were answered 429."""
        counts = self.get("/demo/requests")
        return counts["total"], counts["statuses"].get("429", 0)


@contextmanager
def serving(*, limits: bool = False, latency: float = 0.0, **options: t.Any) -> Iterator[Server]:
    """A server whose data are made before it is handed over; `options` are the demo's."""
    given = {"gates": False, **options}
    command = [
        *(sys.executable, "-m", "demo", "--now", "2026-11-01T12:00:00Z"),
        *("--rate-limits", "real" if limits else "none", "--latency", str(latency)),
    ]
    for name, value in given.items():
        if name in {"organizations", "transactions"}:
            command += [f"--{name}", str(value)]
        else:
            command += ["--option", f"{name}={json.dumps(value)}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        server = Server(process.stdout.readline().strip())
        server.get("/demo/truth")
        yield server
    finally:
        process.terminate()
        process.wait(10)
