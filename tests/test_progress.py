"""How far a run is: a line now and then in a log, a bar on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import typing as t

import pytest
from taps import catalog_of, every, read, start

from demo.server import running
from tap_qonto.api.rate_limit import RateLimiter
from tap_qonto.sync import progress
from tap_qonto.sync.progress import Progress

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait between two lines."""
    monkeypatch.setattr(progress, "INTERVAL", 0.0)


@pytest.mark.usefixtures("speaks")
def test_a_line_says_how_far_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tap-qonto")
    budget = RateLimiter([(100, 10)])
    told = Progress(budget)
    told.plan("labels", 3)
    told.plan("teams", 3)
    told.tick()
    told.begin("labels")
    told.rows += 7
    told.done("labels")
    for _ in range(5):
        budget.acquire()
    told.tick()
    first, second = caplog.messages
    assert re.match(r"Progress: 0/6 partitions, 0 rows, 0 requests/s, \d+ requests left", first)
    assert re.match(r"Progress: 1/6 partitions, labels, 7 rows, \d+ requests/s, 95 req", second)


@pytest.mark.usefixtures("speaks")
def test_a_wait_for_the_limit_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tap-qonto")
    budget = RateLimiter([])
    told = Progress(budget)
    budget.waiting_until = told._begin + 60
    told.tick()
    assert re.search(r"waiting (59|60) s for the request limit", caplog.messages[0])


def test_nothing_is_said_before_its_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tap-qonto")
    told = Progress(RateLimiter([]))
    for _ in range(1000):
        told.tick()
    told.close()
    assert caplog.messages == []


def test_totals_are_those_of_the_run(tmp_path: Path) -> None:
    with running(organizations=2, transactions=30, gates=False) as qonto:
        accounts = sum(len(qonto.bank.rows("bank_accounts", one)) for one in every(qonto))
        config = qonto.config(token_store=f"sqlite:///{tmp_path}/sessions.db")
        outcome = read(config, catalog=catalog_of("labels", "transactions"))
    total = sum(outcome.counts.values())
    assert f"Read {total} rows of {accounts + 2} partitions with " in outcome.log


@pytest.mark.slow
def test_on_a_terminal_a_bar_is_drawn_and_wiped_away(tmp_path: Path) -> None:
    with running(organizations=2, transactions=0, gates=False, latency=0.15) as qonto:
        config = qonto.config(token_store=f"sqlite:///{tmp_path}/sessions.db", concurrency=1)
        ours, theirs = pty.openpty()
        process = start(
            tmp_path,
            config=config,
            catalog=catalog_of("labels", "teams"),
            env={"COLUMNS": "60"},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        drawn = b""
        while chunk := _read(ours):
            drawn += chunk
        os.close(ours)
        assert process.wait(timeout=60) == 0
    bars = re.findall(rb"\x1b\[K(\[[#.]{24}\] [^\r\n]*)\r", drawn)
    assert bars
    assert all(len(bar.decode()) < 60 for bar in bars), bars
    assert drawn.count(b"\x1b[K") == len(bars) + 1  # wiped away at the end


def _read(end: int) -> bytes:
    try:
        return os.read(end, 4096)
    except OSError:  # how a pseudo-terminal says that the other side is gone
        return b""
