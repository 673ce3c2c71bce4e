"""SIGKILL at random moments of a refresh, and what the next run makes of it.

    python tests/support/kills.py --kills 200                   on SQLite, in the current folder
    python tests/support/kills.py --kills 200 --store postgres  on a Postgres of our own

Each round ages the session, starts a process that has to refresh it, and kills it at a random
moment. Then a fresh process goes on: within the grace of the used token, or after it. The server
keeps only the newest pair alive, so whoever loses it has lost the session.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import logging
import random
import tempfile
import time
import typing as t
from pathlib import Path

from runners import processes, run
from token_server import MARK, TokenServer, token_server

from tap_qonto.auth import refresh
from tap_qonto.auth.authenticator import authenticator_for
from tap_qonto.settings import Settings

STAGES = [
    "before the intent",
    "while the intent is written",
    "intent written, request not sent",
    "request on its way, token not yet used",
    "token used, answer on its way",
    "answer there, write not begun",
    "while the pair is written",
    "after the write",
]
LATER = 14 * 60  # seconds: long after the grace


class Killer:
    """One session, refreshed again and again by processes that are killed."""

    def __init__(self, server: TokenServer, settings: Settings, seed: int) -> None:
        self.server = server
        self.settings = settings
        self.random = random.Random(seed)
        self.begin_anew()
        self.duration = 0.05

    def begin_anew(self) -> None:
        """Make a new session, as a login would."""
        fresh = dataclasses.replace(self.settings, refresh_token=self.server.seed())
        authenticator_for(fresh).session()

    def age(self, seconds: float, *, grace_too: bool = False) -> None:
        """Let `seconds` pass for the store, and with `grace_too` for the server."""
        store = refresh.open_store(self.settings)
        with store.locked():
            stored = store.load()
            session = dataclasses.replace(
                stored.session, expires_at=stored.session.expires_at - seconds
            )
            store._write(payload=store._seal(session))
            if stored.intent:
                store._write(intent_at=stored.intent.at - seconds)
        if grace_too:
            for token in self.server.refresh_tokens.values():
                token.used_at = token.used_at and token.used_at - seconds

    def process(
        self, kill_after: float | None, *, since_request: bool = False
    ) -> tuple[int, str] | None:
        """Run a process that needs a token; None if it was killed before it was done."""
        mine, theirs = processes.Pipe()
        child = processes.Process(target=run, args=(self.settings, theirs))
        child.start()
        theirs.close()
        mine.recv()
        mine.send("go")
        begun = time.monotonic()
        if kill_after is not None:
            while since_request and not self.server.requests and child.is_alive():
                time.sleep(0.001)
            time.sleep(kill_after)
            child.kill()
            child.join()
            return None
        try:
            result = t.cast("tuple[int, str]", mine.recv())
        finally:
            self.duration = 0.8 * self.duration + 0.2 * (time.monotonic() - begun)
            child.join()
            mine.close()
        return result

    def kill_once(self, *, later: bool) -> tuple[str, tuple[int, str]]:
        """Kill one process; give the stage at which it died, and how the next one fared."""
        server = self.server
        self.age(3600)
        store = refresh.open_store(self.settings)
        before = store.load()
        server.requests.clear()
        server.delay = (self.random.uniform(0, 0.015), self.random.uniform(0, 0.015))
        if self.random.random() < 0.5:  # half of them where it matters most
            self.process(self.random.uniform(0, self.duration * 1.1))
        else:
            moment = self.random.uniform(0, sum(server.delay) + self.duration / 2)
            self.process(moment, since_request=True)
        step = server.requests[-1]["step"] if server.requests else None
        journal = store.path and Path(f"{store.path}-journal")
        writing = bool(journal and journal.exists() and journal.stat().st_size)
        time.sleep(0.03)  # what is in the network arrives, whoever sent it
        while any(request["step"] == "in" for request in server.requests):
            time.sleep(0.005)
        after = store.load()
        stored = after.session.access_token != before.session.access_token
        if stored:
            stage = 7
        elif step is None:
            sent = bool(server.requests)  # the kernel sends what a dead process left in it
            stage = 3 if sent else 1 if writing else 2 if after.intent else 0
        else:
            stage = {"used": 4, "answered": 6 if writing else 5}.get(step, 3)
        if later:
            self.age(LATER, grace_too=True)
        result = self.process(None)
        assert result
        if result[0]:
            self.begin_anew()
        return STAGES[stage], result


@dataclasses.dataclass
class Tally:
    """Per stage: kills, and what became of the session."""

    kills: collections.Counter[tuple[str, bool]]
    lost: collections.Counter[tuple[str, bool]]
    sentences: list[str]

    def __str__(self) -> str:
        head = f"{'killed':38} {'next run within a minute':>26} {'next run 14 minutes later':>27}"
        lines = [head, f"{'':38} {'kills  lost':>26} {'kills  lost':>27}"]
        for stage in [*STAGES, "all"]:
            columns = []
            for later in (False, True):
                keys = [(one, later) for one in (STAGES if stage == "all" else [stage])]
                kills, lost = (sum(c[key] for key in keys) for c in (self.kills, self.lost))
                columns.append(f"{kills:5} {lost:5}")
            lines.append(f"{stage:38} {columns[0]:>26} {columns[1]:>27}")
        return "\n".join(lines)


def tally(server: TokenServer, settings: Settings, kills: int, seed: int = 1) -> Tally:
    """Kill `kills` times for each of the two moments of the next run."""
    killer = Killer(server, settings, seed)
    for _ in range(5):  # learn how long a refresh takes
        killer.age(3600)
        killer.process(None)
    result = Tally(collections.Counter(), collections.Counter(), [])
    for later in (False, True):
        for _ in range(kills):
            stage, (code, sentence) = killer.kill_once(later=later)
            result.kills[stage, later] += 1
            if code:
                result.lost[stage, later] += 1
                result.sentences.append(sentence)
                assert MARK not in sentence
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable()
    with token_server() as server:
        config = server.config()
        if options.store == "postgres":
            from postgres import running_postgres  # noqa: PLC0415 - children need not import it

            with running_postgres() as url:
                settings = Settings.from_config(config | {"token_store": url})
                print(tally(server, settings, options.kills, options.seed))  # noqa: T201
            return
        with tempfile.TemporaryDirectory(dir=".") as folder:
            url = f"sqlite:///{folder}/sessions.db"
            settings = Settings.from_config(config | {"token_store": url})
            print(tally(server, settings, options.kills, options.seed))  # noqa: T201


if __name__ == "__main__":
    main()
