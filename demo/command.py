"""The command line of the demo server."""

from __future__ import annotations

import argparse
import json
import typing as t
from contextlib import suppress
from datetime import datetime, timezone

from demo.odd import checked, described
from demo.options import REAL_LIMITS, Options
from demo.server import Server
from demo.web import Announced, OnThread

EPILOG = """\
what --odd takes:
{odd}

examples:
  python -m demo                                   five organizations, a free port
  python -m demo --port 8080 --organizations 200   many of them
  python -m demo --latency 0.15 --rate-limits real as far away and as strict as Qonto
  python -m demo --fault '{{"kind": "status", "status": 503, "rate": 0.05}}'
  python -m demo --fault '{{"kind": "cut", "when": "after", "path": "/oauth2/token", "times": 1}}'
  python -m demo --option updated_at_to=ignored --odd end-refused --odd floats

Then: curl -s ADDRESS/demo/config      settings for a client
      curl -s ADDRESS/demo/truth       what a complete read finds
      curl -sX POST ADDRESS/demo/advance   some edits and new rows
"""


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m demo",
        description="A little Qonto on localhost: OAuth, every list, faults on demand.",
        epilog=EPILOG.format(odd=described()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = found.add_argument
    add("--port", type=int, default=0, help="default: a free one")
    add("--seed", type=int, default=7, help="same seed and --now, same data (default: 7)")
    add("--organizations", type=int, default=5, help="how many (default: 5; the last is empty)")
    add("--transactions", type=int, default=240, help="of each organization (default: 240)")
    add("--now", type=_moment, help="what time it is there, RFC 3339 (default: the real time)")
    add("--latency", type=float, default=0.0, help="seconds before each answer")
    add("--jitter", type=float, default=0.0, help="up to so many seconds more")
    add("--rate-limits", choices=("none", "real"), default="real", help="default: real")
    add("--staging-token", help="behave as the sandbox, which wants this token")
    add(
        "--ties",
        choices=("shuffled", "unsorted", "stable"),
        default="shuffled",
        help="where rows of equal sort keys change their order from request to request: in every "
        "list (the default), where no sort_by is sent, nowhere",
    )
    add(
        "--odd",
        action="append",
        default=[],
        metavar="NAME",
        help="answer as Qonto might where its pages are silent: see below; may be repeated",
    )
    add("--fault", action="append", default=[], type=json.loads, help="as for POST /demo/faults")
    add(
        "--option", action="append", default=[], help="NAME=VALUE of demo/options.py (JSON or text)"
    )
    return found


def main(arguments: list[str] | None = None) -> None:
    """Run until interrupted. Prints the address once requests are taken."""
    options = parser()
    given = options.parse_args(arguments)
    try:
        server = Server(
            Options(
                seed=given.seed,
                organizations=given.organizations,
                transactions=given.transactions,
                now=given.now,
                latency=given.latency,
                jitter=given.jitter,
                rate_limits=REAL_LIMITS if given.rate_limits == "real" else (),
                ties=given.ties,
                staging_token=given.staging_token,
                odd=checked(given.odd),
                **dict(_option(text) for text in given.option),
            )
        )
        for fault in given.fault:
            server.faults.add(**fault)
    except (TypeError, ValueError) as error:
        options.error(str(error))
    files = OnThread(server.files)
    server.files.url = files.start()
    with suppress(KeyboardInterrupt):
        Announced(server, given.port).run()
    files.stop()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _option(text: str) -> tuple[str, t.Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
