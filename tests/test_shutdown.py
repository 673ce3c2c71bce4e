"""However a run ends, the next one goes on, and the target holds whole lines."""

from __future__ import annotations

import functools
import json
import random
import signal
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest
from taps import Outcome, catalog_of, every, here, keyed, read, start, truth, warehouse

from demo.server import running
from tap_qonto.sync import run

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.server import Received, Server

STREAMS = ("bank_accounts", "clients", "client_invoices", "labels", "transactions")
CATALOG = catalog_of(*STREAMS)
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
FULL = Path("/dev/full")
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}  # as containers set it
BUFFERINGS = pytest.mark.parametrize("env", [{}, UNBUFFERED], ids=["buffered", "unbuffered"])


@pytest.fixture(scope="module")
def bank() -> Iterator[Server]:
    with running(organizations=3, transactions=150, gates=False, latency=0.01) as server:
        yield server


@pytest.fixture
def qonto(bank: Server) -> Iterator[Server]:
    yield bank
    bank.faults.clear()
    bank.on_request = None


@pytest.fixture
def config(qonto: Server, store: str) -> dict[str, t.Any]:
    return qonto.config(token_store=store)


def after(qonto: Server, path: str, count: int, do: Callable[[], object]) -> None:
    """Do something when so many requests of a path have come."""
    seen = iter(range(1_000_000))

    def look(received: Received) -> None:
        if path in received.path and next(seen) + 1 == count:
            do()

    qonto.on_request = look


def ended(process: subprocess.Popen[bytes]) -> Outcome:
    out, log = process.communicate(timeout=60)
    return Outcome(process.returncode, out.decode(), log.decode())


def assert_whole(qonto: Server, *runs: Outcome) -> None:
    for stream in STREAMS:
        expected = [row for one in every(qonto) for row in truth(qonto, stream, one)]
        assert warehouse(stream, *runs) == keyed(stream, expected)


# -- signals -----------------------------------------------------------------------------------


@pytest.mark.slow
@BUFFERINGS
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_ends_the_run_at_a_row_with_a_state(
    qonto: Server,
    config: dict[str, t.Any],
    tmp_path: Path,
    signum: signal.Signals,
    env: dict[str, str],
) -> None:
    process = start(tmp_path, config=config, catalog=CATALOG, env=env)
    after(qonto, "/v2/transactions", 3, lambda: process.send_signal(signum))
    stopped = ended(process)
    assert stopped.code == 128 + signum
    assert stopped.out.endswith("\n")
    assert stopped.messages  # whole lines all; how far it came is up to the machine
    assert "Traceback" not in stopped.log
    assert f"Stopped by signal {signum:d}" in stopped.log
    qonto.on_request = None
    asked = len(qonto.requests)
    time.sleep(0.3)
    assert len(qonto.requests) == asked  # nothing is sent after the end
    assert_whole(qonto, stopped, read(config, catalog=CATALOG, state=stopped.state))


@pytest.mark.parametrize(
    "path",
    [
        "/v2/user_organizations",
        pytest.param("/v2/labels", marks=pytest.mark.slow),
        pytest.param("/oauth2/token", marks=pytest.mark.slow),
    ],
)
def test_a_signal_is_heard_while_nothing_answers(
    qonto: Server, config: dict[str, t.Any], tmp_path: Path, path: str
) -> None:
    # a refresh is tried again for a minute, the grace of its token: so it answers in the end
    how: dict[str, t.Any] = {"seconds": 5, "times": 2} if "oauth2" in path else {"seconds": 50}
    stall = qonto.faults.add("stall", path=path, **how)
    process = start(tmp_path, config=config, catalog=CATALOG)
    until(lambda: stall.struck)
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    outcome = ended(process)
    assert outcome.code == 143
    assert time.monotonic() - begin < 40
    assert "Traceback" not in outcome.log


@pytest.mark.slow
def test_a_signal_before_the_run_began_has_its_code_too(tmp_path: Path) -> None:
    codes = set()
    for delay in (0.3, 0.6):
        process = start(tmp_path, config={"client_id": "an-id"}, stdin=subprocess.PIPE)
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        codes.add(ended(process).code)
    assert codes <= {-15, 143, 1}  # before Python had a handler; after; after it had ended


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("signum", [*SIGNALS, signal.SIGKILL])
def test_any_number_of_ends_at_random_moments_lose_nothing(
    qonto: Server, config: dict[str, t.Any], tmp_path: Path, signum: signal.Signals
) -> None:
    chance = random.Random(signum)
    runs: list[Outcome] = []
    state: dict[str, t.Any] = {}
    for _ in range(8):
        env = chance.choice([{}, UNBUFFERED])
        process = start(tmp_path, config=config, catalog=CATALOG, state=state, env=env)
        after(qonto, "/v2/", chance.randint(1, 60), functools.partial(process.send_signal, signum))
        out, log = process.communicate(timeout=60)
        whole, _, rest = out.decode().rpartition("\n")
        assert not rest or signum == signal.SIGKILL
        runs.append(Outcome(process.returncode, whole, log.decode()))
        state = runs[-1].state or state
        qonto.bank.advance(edits=3, adds=2)
    qonto.on_request = None
    assert {one.code for one in runs} <= {0, 128 + signum, -signum}
    runs.append(read(config, catalog=CATALOG, state=state))
    assert_whole(qonto, *runs)


def test_after_a_kill_the_next_run_completes_what_the_target_kept(
    qonto: Server, config: dict[str, t.Any], tmp_path: Path
) -> None:
    process = start(tmp_path, config=config, catalog=CATALOG)
    after(qonto, "/v2/transactions", 10, process.kill)
    out, _ = process.communicate(timeout=60)
    killed = Outcome(process.returncode, out.decode().rpartition("\n")[0], "")
    assert killed.code == -signal.SIGKILL
    qonto.on_request = None
    assert_whole(qonto, killed, read(config, catalog=CATALOG, state=killed.state))


def test_no_thread_of_the_tap_is_left(config: dict[str, t.Any]) -> None:
    before = set(threading.enumerate())  # others may have left a tap without ending it
    assert read(config, catalog=CATALOG).code == 0
    until(lambda: set(threading.enumerate()) <= before)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# -- the target --------------------------------------------------------------------------------


@pytest.mark.slow
@BUFFERINGS
@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_an_output_that_is_full_is_named_in_one_sentence(
    config: dict[str, t.Any], tmp_path: Path, env: dict[str, str]
) -> None:
    with FULL.open("wb") as full:
        process = start(tmp_path, config=config, catalog=CATALOG, stdout=full, env=env)
        log = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1
    assert log.count("The output can't be written: No space left on device") == 1
    assert "Traceback" not in log


# -- in mid-run --------------------------------------------------------------------------------


def test_a_token_that_ends_in_mid_run_is_renewed(qonto: Server, config: dict[str, t.Any]) -> None:
    fault = qonto.faults.add("unauthorized", path="/v2/transactions", times=1)
    outcome = read(config, catalog=CATALOG)
    assert (outcome.code, fault.struck) == (0, 1)
    assert_whole(qonto, outcome)


def test_a_session_that_ends_in_mid_run_keeps_what_was_done(
    qonto: Server, config: dict[str, t.Any]
) -> None:
    ended_for = "/v2/(transactions|user_organizations)"
    after(
        qonto,
        "/v2/transactions",
        1,
        lambda: qonto.faults.add("unauthorized", path=ended_for),
    )
    outcome = read(config, catalog=CATALOG)
    assert outcome.code == 3
    assert outcome.log.count("tap-qonto-auth login") == 1
    assert "Traceback" not in outcome.log
    assert all(outcome.bookmark("clients", one) for one in every(qonto))
    assert outcome.messages[-1]["type"] == "STATE"
    qonto.faults.clear()
    qonto.on_request = None
    assert_whole(qonto, outcome, read(config, catalog=CATALOG, state=outcome.state))


def test_a_crash_of_the_tap_keeps_what_was_done(
    qonto: Server, config: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run.Run.partition_done

    # a crash has to be put in, since none is known
    def crash(self: run.Run, stream: str) -> None:
        done(self, stream)
        if stream == "transactions":
            raise MemoryError

    monkeypatch.setattr(run.Run, "partition_done", crash)
    outcome = read(config, catalog=CATALOG)
    assert outcome.code == -1
    assert outcome.messages[-1]["type"] == "STATE"
    assert all(outcome.bookmark("clients", one) for one in every(qonto))
    monkeypatch.undo()
    assert_whole(qonto, outcome, read(config, catalog=CATALOG, state=outcome.state))


def test_state_is_written_at_the_end_whatever_the_interval(config: dict[str, t.Any]) -> None:
    outcome = read(config, catalog=CATALOG)
    assert outcome.messages[-1]["type"] == "STATE"
    assert len(outcome.types("STATE")) <= 3
    for stream in ("clients", "transactions"):
        partitions = outcome.state["bookmarks"][stream]["partitions"]
        assert all(one["replication_key_value"] for one in partitions)
        assert all(
            one.keys() - {"statuses"} == {"context", "replication_key", "replication_key_value"}
            for one in partitions
        )


# -- the log -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_log_does_not_grow_with_the_organizations(store: str) -> None:
    lengths = []
    for organizations in (2, 12):
        with running(organizations=organizations, transactions=0, gates=False) as qonto:
            outcome = read(qonto.config(token_store=store), catalog=CATALOG)
            assert outcome.code == 0
            lengths.append(len(outcome.log.splitlines()))
    assert lengths[1] <= lengths[0] + 3


def test_no_secret_is_in_any_log_at_debug(
    qonto: Server, config: dict[str, t.Any], tmp_path: Path
) -> None:
    qonto.faults.add("unauthorized", path="/v2/labels", times=1)
    qonto.faults.add("status", status=500, path="/v2/clients", times=2)
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "catalog.json").write_text(json.dumps(CATALOG), encoding="utf-8")
    files = ("--config", "config.json", "--catalog", "catalog.json")
    outcome = here(tmp_path, *files, env={"TAP_QONTO_LOGLEVEL": "DEBUG"})
    assert outcome.code == 0
    assert "DEBUG" in outcome.log
    secrets = {config["client_secret"], config["refresh_token"], "ory_at_", "ory_rt_", "Bearer"}
    for secret in secrets:
        assert secret not in outcome.log
        assert secret not in json.dumps(outcome.state)
