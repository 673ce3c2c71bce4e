"""Standard output and error as schedulers hand them over: whole lines, or a loud end."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import resource
import shlex
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from taps import COMMAND, Outcome, catalog_of, every, keyed, read, start, truth, warehouse

from demo.server import running
from tap_qonto.errors import OutputLost
from tap_qonto.sync.writers import LineWriter

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.server import Server

STREAMS = ("labels", "transactions")
CATALOG = catalog_of(*STREAMS)
BUFFERINGS = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def bank() -> Iterator[Server]:
    with running(organizations=2, transactions=400, gates=False) as server:
        yield server


@pytest.fixture
def qonto(bank: Server) -> Iterator[Server]:
    yield bank
    bank.on_request = None


@pytest.fixture
def config(qonto: Server, store: str) -> dict[str, t.Any]:
    return qonto.config(token_store=store)


def python(unbuffered: str) -> dict[str, str]:
    return {"PYTHONUNBUFFERED": unbuffered}


def assert_whole(qonto: Server, *runs: Outcome) -> None:
    for stream in STREAMS:
        expected = [row for one in every(qonto) for row in truth(qonto, stream, one)]
        assert warehouse(stream, *runs) == keyed(stream, expected)


def filled(pipe: t.Any) -> None:
    """Wait until nothing more goes into a pipe that nobody reads."""
    before = -1
    while (now := _unread(pipe)) != before or not now:
        before = now
        time.sleep(0.5)


def _unread(pipe: t.Any) -> int:
    found = fcntl.ioctl(pipe, 0x541B, b"\0" * 4)  # FIONREAD
    return int.from_bytes(found, "little")


# -- the target -----------------------------------------------------------------------------------


@pytest.mark.slow
@BUFFERINGS
@pytest.mark.parametrize(
    "signals", [["SIGTERM"], ["SIGHUP"], ["SIGSTOP", "SIGCONT"], ["SIGTERM", "SIGINT", "SIGTERM"]]
)
def test_a_target_that_pauses_gets_whole_lines_whatever_signals_come(
    qonto: Server, config: dict[str, t.Any], tmp_path: Path, unbuffered: str, signals: list[str]
) -> None:
    process = start(tmp_path, config=config, catalog=CATALOG, env=python(unbuffered))
    filled(process.stdout)
    for name in signals:
        process.send_signal(getattr(signal, name))
        time.sleep(0.2)
    out, log = process.communicate(timeout=60)
    outcome = Outcome(process.returncode, out.decode(), log.decode())
    goes_on = "SIGCONT" in signals
    assert outcome.code == (0 if goes_on else 128 + getattr(signal, signals[-1]))
    assert outcome.out.endswith("\n")
    assert outcome.messages[-1]["type"] == "STATE"
    assert_whole(qonto, outcome, read(config, catalog=CATALOG, state=outcome.state))


@pytest.mark.slow
@BUFFERINGS
def test_a_pipe_that_does_not_block_gets_every_row(
    qonto: Server, config: dict[str, t.Any], tmp_path: Path, unbuffered: str
) -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    process = start(tmp_path, config=config, catalog=CATALOG, env=python(unbuffered), stdout=theirs)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        filled(pipe)
        out = pipe.read()
    log = process.communicate(timeout=60)[1]
    outcome = Outcome(process.returncode, out.decode(), log.decode())
    assert outcome.code == 0, outcome.log
    assert_whole(qonto, outcome)


@pytest.mark.slow
@BUFFERINGS
def test_a_file_that_may_not_grow_ends_loudly_and_without_a_state_behind(
    qonto: Server, config: dict[str, t.Any], tmp_path: Path, unbuffered: str
) -> None:
    limit = 100_000
    with (tmp_path / "rows").open("wb") as file:
        process = start(
            tmp_path,
            config=config,
            catalog=CATALOG,
            env=python(unbuffered),
            stdout=file,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
        log = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1
    assert log.count("The output can't be written: File too large") == 1
    assert " rows of " not in log  # nothing is said to be read that did not leave
    assert "Traceback" not in log
    assert (tmp_path / "rows").stat().st_size == limit
    whole, _, cut = (tmp_path / "rows").read_text().rpartition("\n")
    assert '"STATE"' not in cut
    kept = Outcome(1, whole, log)
    assert_whole(qonto, kept, read(config, catalog=CATALOG, state=kept.state))


@BUFFERINGS
def test_a_target_that_ends_early_leaves_nothing_said_to_be_read(
    config: dict[str, t.Any], tmp_path: Path, unbuffered: str
) -> None:
    process = start(tmp_path, config=config, catalog=CATALOG, env=python(unbuffered))
    with process:
        process.stdout.readline()  # type: ignore[union-attr]
        process.stdout.close()  # type: ignore[union-attr]
        log = process.stderr.read().decode()  # type: ignore[union-attr]
    assert process.returncode == 1
    assert log.count("The target ended before the tap did") == 1
    assert " rows of " not in log
    assert "Traceback" not in log
    assert "BrokenPipe" not in log


@pytest.mark.slow
@BUFFERINGS
@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_catalog_that_can_not_be_written_is_no_success(tmp_path: Path, unbuffered: str) -> None:
    with FULL.open("wb") as full:
        process = start(tmp_path, "--discover", env=python(unbuffered), stdout=full)
        log = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1
    assert "The output can't be written: No space left on device" in log
    assert "Traceback" not in log


def test_after_half_a_line_nothing_is_written(tmp_path: Path) -> None:
    """As on a disk that is full and then is not: STATE would be glued to the half."""
    line = b'{"type":"RECORD"}\n' * 100
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with (tmp_path / "rows").open("w") as file, contextlib.redirect_stdout(file):
        writer = LineWriter()
        writer.write_lines(line)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(line) + 50, before[1]))
        try:
            with pytest.raises(OutputLost, match="File too large"):
                writer.write_lines(line)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        with pytest.raises(OutputLost, match="File too large"):
            writer.write_lines(b'{"type":"STATE"}\n')
    assert (tmp_path / "rows").stat().st_size == len(line) + 50
    assert writer.written == len(line)


def test_a_line_that_was_interrupted_is_the_last() -> None:
    class Interrupted(io.BytesIO):
        """What a signal of the program around the tap does."""

        def write(self, _: t.Any) -> int:
            raise KeyboardInterrupt

    writer = LineWriter()
    with contextlib.redirect_stdout(io.TextIOWrapper(Interrupted())):
        with pytest.raises(KeyboardInterrupt):
            writer.write_lines(b"{}\n")
        with pytest.raises(OutputLost, match="not written whole"):
            writer.write_lines(b"{}\n")


def test_what_was_printed_before_comes_before(tmp_path: Path) -> None:
    with (tmp_path / "rows").open("w") as file, contextlib.redirect_stdout(file):
        file.write("before\n")
        LineWriter().write_lines(b"{}\n")
        file.write("after\n")
    assert (tmp_path / "rows").read_text() == "before\n{}\nafter\n"


# -- standard error, and what is missing -------------------------------------------------------


def shell(folder: Path, config: dict[str, t.Any], redirection: str) -> Outcome:
    """The command, started by a shell that closes or redirects something."""
    for name, content in (("config", config), ("catalog", CATALOG)):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    command = f"{shlex.quote(str(COMMAND))} --config config.json --catalog catalog.json"
    done = subprocess.run(
        ["sh", "-c", f"exec {command} {redirection}"], cwd=folder, capture_output=True, check=False
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.slow
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_a_log_that_can_not_be_written_costs_nothing(
    qonto: Server, config: dict[str, t.Any], tmp_path: Path, redirection: str
) -> None:
    outcome = shell(tmp_path, config, redirection)
    assert outcome.code == 0
    assert_whole(qonto, outcome)


@pytest.mark.slow
def test_without_standard_output_a_sentence_says_so(
    qonto: Server, config: dict[str, t.Any], tmp_path: Path
) -> None:
    outcome = shell(tmp_path, config, ">&-")
    assert outcome.code == 1
    assert outcome.log.count("There is no standard output") == 1
    assert "Traceback" not in outcome.log
    assert_whole(qonto, read(config, catalog=CATALOG))


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "between"])
def test_a_terminal_that_closes_in_mid_run_costs_no_row_and_no_session(
    qonto: Server, config: dict[str, t.Any], tmp_path: Path, moment: str
) -> None:
    ours, theirs = pty.openpty()
    closed = iter([ours])

    def close(_: object) -> None:
        for end in closed:
            os.close(end)

    if moment == "between":
        qonto.on_request = close
    process = start(tmp_path, config=config, catalog=CATALOG, stderr=theirs)
    os.close(theirs)
    if moment == "before":
        close(None)
    out = process.communicate(timeout=60)[0]
    outcome = Outcome(process.returncode, out.decode(), "")
    assert outcome.code == 0
    assert_whole(qonto, outcome)


@pytest.mark.slow
def test_under_nohup_a_terminal_that_ends_is_not_heard(
    qonto: Server, config: dict[str, t.Any], tmp_path: Path
) -> None:
    process = start(
        tmp_path,
        config=config,
        catalog=CATALOG,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    filled(process.stdout)
    process.send_signal(signal.SIGHUP)
    out, log = process.communicate(timeout=60)
    outcome = Outcome(process.returncode, out.decode(), log.decode())
    assert outcome.code == 0
    assert_whole(qonto, outcome)
