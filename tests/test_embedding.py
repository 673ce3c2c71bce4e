"""The tap inside another program: it ends as the command does, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import signal
import threading
import time
import typing as t
from pathlib import Path

import pytest
from taps import catalog_of, every, keyed, truth
from three import strike

from tap_qonto.errors import IncompleteRead, LoginRequired, OutputLost
from tap_qonto.tap import TapQonto

if t.TYPE_CHECKING:
    from three import Config

    from demo.server import Server

CATALOG = catalog_of("labels", "transactions")
HANDLES = Path("/proc/self/fd")
pytestmark = pytest.mark.usefixtures("own_threads")


def written(work: t.Callable[[], object]) -> list[dict[str, t.Any]]:
    """What `work` writes to an output that is no file."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        work()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def handles() -> int:
    return sum(1 for _ in HANDLES.iterdir()) if HANDLES.exists() else 0


def left() -> tuple[list[str], int]:
    """Threads of the tap, and open files and sockets, of this process.

    The server lives in this process too, and closes its ends moments after the tap did: the count
    is the one that stays.
    """
    gc.collect()
    threads = [one.name for one in threading.enumerate() if one.name.startswith("qonto")]
    count, since = handles(), time.monotonic()
    until = since + 10
    while since + 0.5 > (now := time.monotonic()) and now < until:
        time.sleep(0.05)
        if (found := handles()) != count:
            count, since = found, now
    return threads, count


def test_an_output_that_is_no_file_gets_every_row(qonto: Server, config: Config) -> None:
    tap = TapQonto(config=config(), catalog=CATALOG)
    messages = written(tap.sync_all)
    rows = [one["record"] for one in messages if one["type"] == "RECORD"]
    labels = [row for row in rows if "parent_id" in row]
    expected = [row for one in every(qonto) for row in truth(qonto, "labels", one)]
    assert keyed("labels", labels).keys() == keyed("labels", expected).keys()
    assert messages[-1]["type"] == "STATE"


def test_what_failed_is_raised_after_the_rest_and_its_state_were_written(
    qonto: Server, config: Config, second: str
) -> None:
    strike(qonto, [("labels", second)], "nonsense", body={"labels": 7})
    tap = TapQonto(config=config(), catalog=CATALOG)
    out = io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        pytest.raises(IncompleteRead, match=f"failed   labels: .*{second}"),
    ):
        tap.sync_all()
    assert json.loads(out.getvalue().splitlines()[-1])["value"] == tap.state
    assert [entry.stream for entry in tap.run.report.entries] == ["labels"]


def test_a_session_that_is_gone_is_raised_as_such(qonto: Server, config: Config) -> None:
    qonto.faults.add("unauthorized", path="/v2/")
    with pytest.raises(LoginRequired, match="tap-qonto-auth login"):
        TapQonto(config=config(), catalog=CATALOG).sync_all()


def test_an_output_that_was_closed_is_raised_as_such(config: Config) -> None:
    out = io.StringIO()
    out.close()
    with contextlib.redirect_stdout(out), pytest.raises(OutputLost, match="no standard output"):
        TapQonto(config=config(), catalog=CATALOG).sync_all()


def test_a_second_sync_goes_on_from_the_state_of_the_first(qonto: Server, config: Config) -> None:
    tap = TapQonto(config=config(), catalog=CATALOG)
    first = written(tap.sync_all)
    qonto.bank.advance(adds=2)
    changed = written(tap.sync_all)
    read, again = (
        sum(one["type"] == "RECORD" and one["stream"] == "transactions" for one in messages)
        for messages in (first, changed)
    )
    assert 0 < again < read / 2


@pytest.mark.slow
def test_a_stream_by_itself_ends_as_the_whole_does(
    qonto: Server, config: Config, second: str
) -> None:
    tap = TapQonto(config=config(), catalog=CATALOG)
    assert written(tap.streams["transactions"].sync)[-1]["type"] == "STATE"
    strike(qonto, [("labels", second)], status=500)
    with pytest.raises(IncompleteRead, match="labels"):
        written(tap.streams["labels"].sync)


def test_rows_can_be_had_without_messages(qonto: Server, config: Config) -> None:
    one = next(every(qonto))
    tap = TapQonto(config=config(), catalog=CATALOG)
    rows: list[t.Any] = []
    stream = tap.streams["labels"]
    assert written(lambda: rows.extend(stream.get_records({"organization_id": one}))) == []
    assert len(rows) == len(truth(qonto, "labels", one))
    assert left()[0] == []


@pytest.mark.parametrize("fails", [False, True])
def test_no_thread_file_or_socket_is_left(
    qonto: Server, config: Config, second: str, *, fails: bool
) -> None:
    if fails:
        strike(qonto, [("labels", second)], "nonsense", body={"labels": 7})

    def run() -> None:
        with contextlib.suppress(IncompleteRead):
            written(TapQonto(config=config(), catalog=CATALOG).sync_all)

    run()
    threads, before = left()
    assert threads == []
    for _ in range(3):
        run()
    assert left() == ([], before)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hundred_runs_leave_nothing(qonto: Server, config: Config, second: str) -> None:
    strike(qonto, [("teams", second)], "nonsense", body={"teams": 7})
    written(TapQonto(config=config(), catalog=catalog_of("labels")).sync_all)
    before = left()
    for number in range(100):
        with contextlib.suppress(IncompleteRead):
            catalog = catalog_of("labels", *(["teams"] if number % 2 else []))
            written(TapQonto(config=config(), catalog=catalog).sync_all)
    assert left() == before


def test_signals_are_given_back_and_end_a_run_as_they_end_the_command(
    qonto: Server, config: Config
) -> None:
    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = [signal.getsignal(one) for one in signals]
    tap = TapQonto(config=config(), catalog=CATALOG)
    assert [signal.getsignal(one) for one in signals] == before  # until a run begins
    seen = iter(range(1_000_000))

    def terminate(_: object) -> None:
        if next(seen) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    qonto.on_request = terminate
    with pytest.raises(SystemExit) as stopped:
        written(tap.sync_all)
    assert stopped.value.code == 143
    assert [signal.getsignal(one) for one in signals] == before
    assert left()[0] == []


def test_a_tap_works_on_any_thread(config: Config) -> None:
    codes: list[object] = []

    def run() -> None:
        tap = TapQonto(config=config(), catalog=CATALOG)
        codes.append(tap.to_the_end(tap.sync_all))

    with contextlib.redirect_stdout(io.StringIO()):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert codes == [0]
