"""How Singer messages leave: encoded by msgspec, whole lines; STATE by time; partitions by index.

The SDK writes the whole STATE after every partition and looks for a partition's bookmark in a
list: both grow with the square of the organizations (100 x 30 streams: 446 MB of STATE).
"""

from __future__ import annotations

import time
import typing as t

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.helpers._state import StateWriter
from singer_sdk.singerlib import StateMessage
from singer_sdk.streams._state import StreamStateManager

from tap_qonto.errors import OutputLost
from tap_qonto.sync.standard import write_whole

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from singer_sdk.helpers.types import Context, TapState
    from singer_sdk.singerlib.encoding.simple import Message

_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")

STATE_INTERVAL = 5.0  # seconds
STATE_SHARE = 0.01  # of the output since the last STATE is the most that the next one takes


class RowMessage(msgspec.Struct, tag_field="type", tag="RECORD", omit_defaults=True, gc=False):
    """A RECORD message. The SDK's own is checked and copied into a dictionary: 4 µs a row."""

    stream: str
    record: dict[str, t.Any]
    version: int | None = None
    time_extracted: datetime | None = None
    """Aware; when the page of the row was encoded."""


class Lines(t.NamedTuple):
    """RECORD messages as they are written."""

    text: bytes | bytearray
    """One message per line."""
    rows: int
    """How many messages there are."""
    upto: datetime | None = None
    """The bookmark of the partition once these lines are written; None: it stays."""


def encoded(rows: Sequence[list[RowMessage]]) -> tuple[bytes | bytearray, Exception | None]:
    """Encode the messages of rows, one per line: up to the first row that can't be, and why not.

    Any thread may call this.
    """
    try:
        return _encoder.encode_lines([one for row in rows for one in row]), None
    except Exception:  # noqa: BLE001 - which row it is, and why, is found out here
        text = bytearray()
        for row in rows:
            try:
                text += _encoder.encode_lines(row)
            except Exception as error:  # noqa: BLE001 - as msgspec has it
                return text, error
        return text, None


class LineWriter(MsgSpecWriter):
    """Writes whole lines to standard output; after one that did not leave whole, none.

    Every method may raise OutputLost.
    """

    written = 0
    """Bytes so far."""
    lost: OutputLost | None = None
    """Why nothing can be written any more."""

    def write_message(self, message: Message) -> None:
        """Write one line."""
        self.write_lines(self.format_message(message))

    def write_lines(self, text: bytes | bytearray) -> None:
        """Write whole lines: they have left when this returns."""
        if self.lost:
            raise self.lost
        self.lost = OutputLost(None)  # until it is whole: no STATE may follow half a line
        try:
            write_whole(text)
        except (OSError, ValueError) as error:
            self.lost = OutputLost(error)
            raise self.lost from None
        self.lost = None
        self.written += len(text)


class IntervalStateWriter(StateWriter):
    """Writes STATE when the interval has passed and it is worth it, and when asked to `flush`.

    A state grows with the organizations: written at a fixed interval, it would be their square
    again. All that a kill costs is to read again what left since the last STATE. So the next one
    may wait until that is a hundred times its size: at a thousand organizations some hundred
    pages, less than a minute of requests.
    """

    _state: TapState | None = None
    _line = b""  # written last
    _due = 0.0  # seconds
    _worth = 0.0  # bytes written

    def __init__(self, message_writer: LineWriter) -> None:
        super().__init__(message_writer)
        self._output = message_writer

    def write_state(self, state: TapState) -> None:
        """Write `state`, now or later: only what comes after it in the output is at stake."""
        self._state = state
        if time.monotonic() >= self._due and self._output.written >= self._worth:
            self.flush()

    def flush(self) -> None:
        """Write the state given last as it is now, unless it was written already."""
        if self._state is None:
            return
        line = bytes(self._output.format_message(StateMessage(self._state)))
        if line != self._line:
            self._output.write_lines(line)
            self._line = line
        self._worth = self._output.written + len(line) / STATE_SHARE
        self._due = time.monotonic() + STATE_INTERVAL


class IndexedState(StreamStateManager):
    """Finds the state of a partition by its context in a dictionary.

    The SDK's manager scans a list, for every row and several times per partition.
    """

    _index: dict[frozenset[tuple[str, t.Any]], dict[str, t.Any]] | None = None

    def get_context_state(self, context: Context | None) -> dict[str, t.Any]:
        """Return the writable state of a partition; a blank one is created."""
        partition = self.get_state_partition_context(context)
        if not partition:
            return self.stream_state
        partitions = self.stream_state.setdefault("partitions", [])
        if self._index is None:
            self._index = {frozenset(one["context"].items()): one for one in partitions}
        key = frozenset(partition.items())
        if key not in self._index:
            self._index[key] = {"context": dict(partition)}
            partitions.append(self._index[key])
        return self._index[key]
