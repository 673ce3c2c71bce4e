"""PartitionedStream: the base of all streams, between the SDK's loop and the walk over a list.

A partition is one organization, or one bank account of it. An error ends its partition only: it is
noted in the closing report, the bookmark stays where it was, and the next partition begins. A walk
says up to which moment all rows were handed over; the bookmark moves there, never by single rows.
"""

from __future__ import annotations

import copy
import functools
import threading
import typing as t
from datetime import datetime, timezone

from singer_sdk import Stream
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.singerlib import Metadata, Schema
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE

from tap_qonto.api.rate_limit import RateLimiterClosed
from tap_qonto.errors import LoginRequired, OutputLost, QontoError, RequestDenied
from tap_qonto.settings.values import BEGINNING
from tap_qonto.sync.moments import moment_of, timestamp
from tap_qonto.sync.writers import IndexedState, Lines, RowMessage, encoded

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Catalog, CatalogEntry, SchemaMessage

    from tap_qonto.api.prefetch import Fetch
    from tap_qonto.pagination.pages import Walk
    from tap_qonto.sync.run import Run
    from tap_qonto.sync.writers import LineWriter

ITSELF = (
    "an error of the tap itself ({}); please report it, with the log of TAP_QONTO_LOGLEVEL=DEBUG"
)


class Unwritable(QontoError):  # noqa: N818 - says what the row is
    """A row that can't be made a message: a stream map fails on it, or it can't be encoded."""


class PartitionedStream(Stream):
    """What all streams share on Singer's side; how rows are read is in `read`."""

    scopes: tuple[str, ...] = ()
    """OAuth scopes that open it; any of them is enough."""
    known_fields: frozenset[str] = frozenset()
    """Names that Qonto is known to send; others are news, counted in the report (Q47)."""
    is_history = False
    """Do rows tell what was, so that they stay true when Qonto no longer gives them?"""
    needs_accounts = False
    """Does finding the partitions take `GET /v2/organization` of every organization?"""

    replication_key: str | None = None
    has_keyless = False
    """Did rows come without their key? No target takes them."""

    def __init__(self, tap: t.Any) -> None:
        super().__init__(tap)
        self.tap = tap
        if self.replication_key is None:
            self.state_partitioning_keys = ()  # a full table leaves nothing in the state
        self._contexts: list[dict[str, t.Any]] | None = None
        self._encoding = threading.Lock()
        self._extracted: datetime | None = None

    @property
    def run(self) -> Run:
        """The run this stream is a part of."""
        return t.cast("Run", self.tap.run)

    def read(self, context: Mapping[str, t.Any], fetch: Fetch) -> Walk:
        """Walk over one partition; runs on any thread."""
        raise NotImplementedError

    def apply_catalog(self, catalog: Catalog) -> None:
        """Follow the catalog, but for the keys: rows are none without one, and asked for by one."""
        declared, keys = self.replication_key, self.primary_keys
        if entry := catalog.get_stream(self.name):
            self._complete(entry)
        super().apply_catalog(catalog)
        self.primary_keys = keys
        if self.replication_key not in {None, declared}:
            self.logger.warning(
                "The catalog wants %s by %s, which Qonto can't be asked for: reading by %s.",
                self.name,
                self.replication_key,
                declared or "the whole list",
            )
            self.replication_key = declared
        if self.replication_method == REPLICATION_FULL_TABLE:
            self.state_partitioning_keys = ()

    def _complete(self, entry: CatalogEntry) -> None:
        """Add to a catalog's entry what rows can't do without."""
        own = Schema.from_dict(self.schema).properties or {}
        entry.stream, entry.key_properties = self.name, self.primary_keys
        entry.schema.properties = entry.schema.properties or own
        for key in self.primary_keys:
            entry.schema.properties.setdefault(key, own[key])
            if entry.metadata:
                entry.metadata["properties", key].inclusion = Metadata.InclusionType.AUTOMATIC

    # -- partitions and bookmarks ----------------------------------------------------------

    @property
    def partitions(self) -> list[dict[str, t.Any]]:
        """The contexts of this run, one bookmark each: `{"organization_id": …}`."""
        if self._contexts is None:
            self.run.off_main_thread(self._find_contexts)
        return t.cast("list[dict[str, t.Any]]", self._contexts)

    def _find_contexts(self) -> None:
        with self.run.planning:
            if self._contexts is not None:
                return
            try:
                missing = self.run.missing_scope(self.scopes)
                if missing and not self.lacks_scope():
                    missing = None
                if missing:
                    self.run.report.denied(self.name, None, missing)
                self._contexts = [] if missing else self.contexts()
            except (QontoError, RateLimiterClosed):
                raise
            except Exception as error:
                self.logger.debug("Unexpected in %s", self.name, exc_info=True)
                self.run.report.failed(self.name, None, ITSELF.format(type(error).__name__))
                self._contexts = []

    def lacks_scope(self) -> bool:
        """Does Qonto say, for one organization, that the session lacks the scope? Asks Qonto."""
        return False

    def contexts(self) -> list[dict[str, t.Any]]:
        """Make the contexts; may ask Qonto."""
        return self.run.organizations.contexts

    @functools.cached_property
    def state_manager(self) -> IndexedState:
        """The SDK's manager of this stream's state, with an index over its partitions."""
        return IndexedState(
            tap_name=self.tap_name,
            stream_name=self.name,
            tap_state=self.tap_state,
            state_partitioning_keys=self.state_partitioning_keys,
        )

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """None: walks freeze their upper bound themselves, by Qonto's clock."""

    def since(self, context: Mapping[str, t.Any]) -> datetime | None:
        """The moment from which a partition is read; None: from the beginning.

        A bookmark of the future counts for nothing: it would hide what changes until then.
        """
        if self.replication_method == REPLICATION_FULL_TABLE:
            return None
        bookmark = moment_of(self.bookmark_notes(context).get("replication_key_value"))
        if bookmark and bookmark > datetime.now(timezone.utc):
            self.run.report.warned(
                self.name,
                context.get("organization_id"),
                f"the bookmark {timestamp(bookmark)} is in the future, so it is not followed: "
                "read from start_date, or from the beginning. Is the clock of this machine late?",
            )
            bookmark = None
        known = (bookmark, self.run.settings.start_date)
        return max((moment for moment in known if moment and moment > BEGINNING), default=None)

    def notes(self) -> dict[str, t.Any]:
        """Return what else to keep in a bookmark; the next run reads it with `bookmark_notes`."""
        return {}

    def bookmark_notes(self, context: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
        """Return the bookmark of a partition as it was before this run; empty if there was none."""
        return self._former.get(frozenset(context.items()), {})

    @functools.cached_property
    def _former(self) -> dict[frozenset[tuple[str, t.Any]], dict[str, t.Any]]:
        """The partitions of the state as they stood before this run."""
        return {
            frozenset(one["context"].items()): dict(one)
            for one in self.state_manager.get_state_partitions() or ()
            if one.get("replication_key") == self.replication_key
        }

    def _remember(self, context: Context, upto: datetime | None) -> None:
        if upto is None or self.replication_method == REPLICATION_FULL_TABLE:
            return
        state = self.get_context_state(context)
        state["replication_key"] = self.replication_key
        state["replication_key_value"] = timestamp(upto)
        state.update(self.notes())

    # -- a walk's rows become lines, on any thread -----------------------------------------

    def lines(self, context: Mapping[str, t.Any], fetch: Fetch) -> Iterator[Lines]:
        """Walk over one partition: its rows as the lines that leave, and its bookmark at the end.

        A page is shaped and encoded by one thread in one go, while the processor's cache holds
        it: a row that is encoded elsewhere, later, costs twice as much (2026-11).

        Raises:
            Unwritable: after the lines of the rows before it.
            Whatever the walk raises.
        """
        for rows, upto in self.read(context, fetch):
            wanted = rows[: self.ABORT_AT_RECORD_COUNT]  # all, but for `--test`
            text, error = self._encoded(wanted)
            yield Lines(text, len(wanted), None if error else upto)
            if error:
                raise error

    def _encoded(self, rows: list[Record]) -> tuple[bytes | bytearray, Unwritable | None]:
        """Encode rows, up to the first that can't be encoded. The rows themselves do not change."""
        made: list[list[RowMessage]] = []
        unmade: Exception | None = None
        with self._encoding:  # stream maps are not made for threads
            self._extracted = datetime.now(timezone.utc)
            try:
                for row in rows:
                    made.append([*self.messages(row)])  # noqa: PERF401 - those before an error stay
            except Exception as failure:  # noqa: BLE001 - of a stream map
                unmade = failure
        text, unencoded = encoded(made)
        if not (error := unencoded or unmade):
            return text, None
        self.logger.debug("Can't write a row of %s", self.name, exc_info=error)
        return text, Unwritable(
            f"{self.name}: a row can't be written ({type(error).__name__}). If "
            "stream_maps is set, one of its expressions fails on this row"
        )

    def messages(self, record: Record) -> Iterator[RowMessage]:
        """Make the messages of a row, as the SDK does, without the work that changes nothing.

        The row stays as it is: the walk compares it with others.
        """
        if self.has_keyless:
            for name in self.primary_keys:
                if record.get(name) is None:
                    self.run.report.set_aside(self.name, record.get("organization_id"), name)
                    return
        if self._has_deselected and not self._emitted.issuperset(record):
            record = {name: record[name] for name in record if name in self._emitted}
        if self._has_deselected_below:
            record = copy.deepcopy(record)
            pop_deselected_record_properties(record, self.schema, self.mask)
        for stream_map in self.stream_maps:
            mapped = stream_map.transform(record)
            if mapped is not None:
                if self._flattened:  # an object that is null has no column of its own
                    names = stream_map.transformed_schema["properties"]
                    mapped = {name: value for name, value in mapped.items() if name in names}
                yield RowMessage(stream_map.stream_alias, mapped, self._version, self._extracted)

    @functools.cached_property
    def _emitted(self) -> frozenset[str]:
        """Names of the schema that is in force, the catalog's or ours, that are selected."""
        names = self.effective_schema["properties"]
        return frozenset(name for name in names if self.mask["properties", name])

    @functools.cached_property
    def _flattened(self) -> bool:
        return any(one.flattening_enabled for one in self.stream_maps)

    @functools.cached_property
    def _has_deselected(self) -> bool:
        return not self._emitted.issuperset(self.schema["properties"])

    @functools.cached_property
    def _has_deselected_below(self) -> bool:
        top = len(("properties", "name"))
        return not all(selected for place, selected in self.mask.items() if len(place) > top)

    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        """Make the messages as the SDK does; a bookmark is named only where it leaves."""
        for message in super()._generate_schema_messages():
            names = message.schema.get("properties", {})
            kept = [name for name in message.bookmark_properties or () if name in names]
            message.bookmark_properties = kept or None
            yield message

    # -- the SDK's loop, page by page ------------------------------------------------------

    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Yield the records of one partition, for programs that use a stream without messages.

        A sync does not call this: it writes `lines`.
        """
        with self.tap.running(writes=False):
            for rows, _ in self.read(context or {}, self.run.fetch()):
                yield from rows

    def sync(self, context: Context | None = None) -> None:  # type: ignore[misc]
        """Write the stream, or one partition of it; by itself it ends as `TapQonto.sync_all`."""
        with self.tap.running():
            super().sync(context)

    def begin_anew(self) -> None:
        """Forget what belongs to an earlier run."""
        self._contexts = None
        for name in ("_former", "_version"):
            self.__dict__.pop(name, None)

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, None, None]:
        """Write the lines of all partitions; what goes wrong in one stays in it."""
        count, writer = 0, t.cast("LineWriter", self.tap.message_writer)
        with self.get_record_counter() as counter, self.get_sync_timer() as timer:
            for partition in [context] if context else self.partitions:
                counter.with_context(partition)
                timer.with_context(partition)
                for lines in self._isolated(partition):
                    if write_messages:
                        writer.write_lines(lines.text)
                    counter.increment(lines.rows)
                    count += lines.rows
                    if self.ABORT_AT_RECORD_COUNT and count >= self.ABORT_AT_RECORD_COUNT:
                        self.run.progress.rows += lines.rows
                        return
        if not context and write_messages:
            self.end_version()
        yield from ()

    def _isolated(self, context: Context) -> Iterator[Lines]:
        """Yield the lines of a partition; note in the report what can't be read."""
        report, organization_id = self.run.report, context.get("organization_id")
        try:
            for lines in self.run.read(self, dict(context)):
                self.run.checkpoint()
                yield lines
                self.run.progress.rows += lines.rows
                self._remember(context, lines.upto)
                self.run.write_state()
        except (LoginRequired, OutputLost):
            raise
        except RateLimiterClosed:
            self.run.checkpoint()
            raise
        except RequestDenied as error:
            self.logger.debug("%s", error)
            report.denied(self.name, organization_id, error.why)
        except QontoError as error:
            report.failed(self.name, organization_id, str(error))
        except Exception as error:
            self.logger.debug("Unexpected in %s", self.name, exc_info=True)
            report.failed(self.name, organization_id, ITSELF.format(type(error).__name__))
        self.run.partition_done(self.name)

    def get_batch_config(self, config: Mapping[str, t.Any]) -> None:
        """None: the SDK's BATCH files go past masks and stream maps, and behind the STATE."""

    # -- rows that are gone ----------------------------------------------------------------

    @property
    def emit_activate_version_messages(self) -> bool:
        """False: the SDK would drop the former rows before the new ones are read."""
        return False

    @functools.cached_property
    def _version(self) -> int | None:
        """The mark on the rows of this run, seconds since 1970, if the settings want it."""
        is_wanted = self.config.get("emit_activate_version_messages")
        is_whole = self.replication_method == REPLICATION_FULL_TABLE
        return self.run.version if is_wanted and is_whole else None

    def end_version(self) -> None:
        """After the last row: let the target drop what Qonto no longer has, if that is proven."""
        if self._version and self.run.versions.may_activate(self.name, self.doubts()):
            self._write_activate_version_message(self._version)

    def doubts(self) -> Iterator[str]:
        """Yield why rows that did not come may not be gone, but for what is so in every stream."""
        if self.is_history:
            yield "it is a history, which Qonto can't give again"
        if not self.partitions or self.ABORT_AT_RECORD_COUNT:
            yield "it was not read"
        maps = self.config.get("stream_maps") or {}
        if any("__filter__" in one for one in maps.values() if isinstance(one, dict)):
            yield "a __filter__ in stream_maps leaves rows out"
