"""Lines, and when: rows buffered, the state by time, partitions found by their context."""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
import typing as t
from datetime import datetime, timezone
from decimal import Decimal

import pytest
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.singerlib import RecordMessage, StateMessage
from singer_sdk.streams._state import StreamStateManager

from tap_qonto.errors import OutputLost
from tap_qonto.sync import writers
from tap_qonto.sync.writers import (
    IndexedState,
    IntervalStateWriter,
    LineWriter,
    RowMessage,
    encoded,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Context = dict[str, str]
UTC_NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@contextlib.contextmanager
def caught() -> Iterator[io.BytesIO]:
    """Standard output. Not a fixture, since pytest puts its own in place before each test."""
    raw = io.BytesIO()
    with contextlib.redirect_stdout(io.TextIOWrapper(raw)):
        yield raw


def lines(out: io.BytesIO) -> list[dict[str, t.Any]]:
    return [json.loads(line, parse_float=Decimal) for line in out.getvalue().splitlines()]


def line(record: dict[str, t.Any], *facts: t.Any) -> bytes | bytearray:
    text, error = encoded([[RowMessage("labels", record, *facts)]])
    assert error is None
    return text


@pytest.mark.parametrize("version", [None, 7])
def test_the_line_of_a_row_is_that_of_the_sdk(version: int | None) -> None:
    record = {"id": "é", "amount": Decimal("0.10"), "at": UTC_NOON, "nested": [{"a": None}]}
    with caught() as out:
        LineWriter().write_lines(line(record, version, UTC_NOON))
        MsgSpecWriter().write_message(
            RecordMessage("labels", record, version=version, time_extracted=UTC_NOON)
        )
        ours, theirs = out.getvalue().splitlines()
    assert ours == theirs


def test_numbers_leave_as_they_came() -> None:
    with caught() as out:
        row = {
            "amount": Decimal("0.10"),
            "long": 10**30,
            "tiny": Decimal("0.0000000000000000000001"),
        }
        LineWriter().write_lines(line(row))
        assert b'"amount":0.10' in out.getvalue()
        assert lines(out)[0]["record"] == row


@pytest.mark.parametrize("text", ["é", "\U0001f600", "\u2028", '"\\\n\r\t', "\x1f", ""])
def test_any_text_is_one_line(text: str) -> None:
    with caught() as out:
        LineWriter().write_lines(line({"name": text}))
        assert len(out.getvalue().split(b"\n")) == 2
        assert lines(out)[0]["record"]["name"] == text


def test_a_reader_that_is_gone_is_told_from_other_troubles() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with (
        contextlib.suppress(BrokenPipeError),  # of closing it, with a row still in the buffer
        os.fdopen(writer, "w") as pipe,
        contextlib.redirect_stdout(pipe),
        pytest.raises(OutputLost, match="The target ended before the tap did"),
    ):
        LineWriter().write_message(StateMessage({}))


# -- the state ---------------------------------------------------------------------------------


def test_the_state_is_written_once_per_interval_and_at_the_end() -> None:
    with caught() as out:
        writer = IntervalStateWriter(LineWriter())
        state: t.Any = {"bookmarks": {}}
        for number in range(100):
            state["bookmarks"]["labels"] = {"done": number}
            writer.write_state(state)
        writer.flush()
        writer.flush()
        assert [one["value"]["bookmarks"]["labels"]["done"] for one in lines(out)] == [0, 99]


def test_the_state_is_written_again_when_its_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    with caught() as out:
        monkeypatch.setattr(writers, "STATE_INTERVAL", 0.2)
        monkeypatch.setattr(writers, "STATE_SHARE", float("inf"))
        writer = IntervalStateWriter(LineWriter())
        for number in range(3):
            writer.write_state({"bookmarks": {"labels": {"done": number}}})
            time.sleep(0.3 * number)
        assert [one["value"]["bookmarks"]["labels"]["done"] for one in lines(out)] == [0, 2]


def test_all_states_together_are_a_hundredth_of_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = bytes(line({"id": "x" * 10_000}))
    state: t.Any = {"bookmarks": {"labels": {"partitions": []}}}
    with caught() as out:
        monkeypatch.setattr(writers, "STATE_INTERVAL", 0)
        output = LineWriter()
        writer = IntervalStateWriter(output)
        for number in range(1000):
            state["bookmarks"]["labels"]["partitions"].append({"context": {"id": number}})
            output.write_lines(rows)
            writer.write_state(state)
        sizes = [len(one) for one in out.getvalue().splitlines() if b"STATE" in one[:20]]
        assert output.written == len(out.getvalue())
    assert len(sizes) > 10
    assert sum(sizes[1:]) < 0.011 * output.written


def test_nothing_is_written_before_there_is_a_state() -> None:
    with caught() as out:
        IntervalStateWriter(LineWriter()).flush()
        assert out.getvalue() == b""


def managers(state: dict[str, t.Any]) -> tuple[IndexedState, StreamStateManager]:
    facts: dict[str, t.Any] = {"stream_name": "labels", "tap_name": "tap-qonto"}
    return (
        IndexedState(tap_state=json.loads(json.dumps(state)), **facts),
        StreamStateManager(tap_state=json.loads(json.dumps(state)), **facts),
    )


def test_partitions_are_those_that_the_sdk_would_find() -> None:
    known = [
        {"context": {"organization_id": "1", "bank_account_id": "2"}, "replication_key_value": "a"},
        {"context": {"organization_id": "1"}, "replication_key_value": "b"},
    ]
    ours, theirs = managers({"bookmarks": {"labels": {"partitions": known}}})
    wanted: list[Context] = [
        {"bank_account_id": "2", "organization_id": "1"},
        {"organization_id": "1"},
        {"organization_id": "3"},
        {"organization_id": "3"},
    ]
    for context in wanted:
        ours.get_context_state(context)["seen"] = True
        theirs.get_context_state(context)["seen"] = True
    assert ours.tap_state == theirs.tap_state
    assert len(ours.tap_state["bookmarks"]["labels"]["partitions"]) == 3


def test_a_full_table_leaves_nothing_in_the_state() -> None:
    manager, _ = managers({})
    manager.state_partitioning_keys = ()
    manager.get_context_state({"organization_id": "1"})
    assert manager.tap_state == {"bookmarks": {"labels": {}}}
