"""PartitionedStream: between the SDK's loop and the walks.

A partition is one organization, or one bank account of it. Partitions are read apart: what goes
wrong in one ends in the closing report, its bookmark stays where it was, and the next one begins.
Bookmarks move only when a walk says that all before was handed over, never by the row.
"""

from __future__ import annotations

import functools
import typing as t

from singer_sdk import Stream
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.helpers._util import utc_now
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE

from tap_qonto.budget import BudgetClosed
from tap_qonto.errors import LoginRequired, QontoError, RequestDenied
from tap_qonto.messages import IndexedState, OutputLost, RowMessage
from tap_qonto.rows import moment_of, timestamp

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Catalog

    from tap_qonto.readahead import Fetch
    from tap_qonto.run import Run
    from tap_qonto.walks import Walk

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
    is_partitioned = True
    """False for the list of organizations itself."""
    needs_accounts = False
    """Does finding the partitions take `GET /v2/organization` of every organization?"""

    replication_key: str | None = None
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # rows leave as their schema says: `rows`

    def __init__(self, tap: t.Any) -> None:
        super().__init__(tap)
        if self.replication_key is None:
            self.state_partitioning_keys = ()  # a full table leaves nothing in the state
        self._contexts: list[dict[str, t.Any]] | None = None
        self._unwritable: Unwritable | None = None
        self._extracted: datetime | None = None

    @property
    def run(self) -> Run:
        """The run this stream is a part of."""
        return t.cast("Run", self._tap.run)  # type: ignore[attr-defined]

    def read(self, context: Mapping[str, t.Any], fetch: Fetch) -> Walk:
        """Walk over one partition; runs on any thread."""
        raise NotImplementedError

    def apply_catalog(self, catalog: Catalog) -> None:
        """Follow the catalog, but for the replication key: how rows are asked for hangs on it."""
        declared = self.replication_key
        super().apply_catalog(catalog)
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

    # -- partitions and bookmarks ----------------------------------------------------------

    @property
    def partitions(self) -> list[dict[str, t.Any]]:
        """The contexts of this run, one bookmark each: `{"organization_id": …}`."""
        if self._contexts is None:
            self.run.patiently(self._find_contexts)
        return t.cast("list[dict[str, t.Any]]", self._contexts)

    def _find_contexts(self) -> None:
        with self.run.planning:
            if self._contexts is not None:
                return
            missing = self.run.missing_scope(self.scopes)
            if missing:
                self.run.report.denied(self.name, None, missing)
            try:
                self._contexts = [] if missing else self.contexts()
            except (QontoError, BudgetClosed):
                raise
            except Exception as error:
                self.logger.debug("Unexpected in %s", self.name, exc_info=True)
                self.run.report.failed(self.name, None, ITSELF.format(type(error).__name__))
                self._contexts = []

    def contexts(self) -> list[dict[str, t.Any]]:
        """Make the contexts; may ask Qonto."""
        return [{"organization_id": one} for one in self.run.organizations.ids()]

    @property
    def state_manager(self) -> IndexedState:
        """The SDK's manager of this stream's state, with an index over its partitions."""
        if self._state_manager is None:
            self._state_manager = IndexedState(
                tap_name=self.tap_name,
                stream_name=self.name,
                tap_state=self._tap_state,
                state_partitioning_keys=self.state_partitioning_keys,
            )
        return t.cast("IndexedState", self._state_manager)

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """None: walks freeze their upper bound themselves, by Qonto's clock."""

    def _increment_stream_state(self, *_: t.Any, **__: t.Any) -> None:
        """Nothing: bookmarks move when a walk says that all before was read, never by the row."""

    @functools.cached_property
    def bookmarks(self) -> dict[frozenset[tuple[str, t.Any]], datetime | None]:
        """Where each partition stood before this run."""
        return {
            frozenset(one["context"].items()): moment_of(one.get("replication_key_value"))
            for one in self.state_manager.get_state_partitions() or ()
            if one.get("replication_key") == self.replication_key
        }

    def since(self, context: Mapping[str, t.Any]) -> datetime | None:
        """The moment from which a partition is read; None: from the beginning."""
        if self.replication_method == REPLICATION_FULL_TABLE:
            return None
        known = (self.bookmarks.get(frozenset(context.items())), self.run.settings.start_date)
        return max((moment for moment in known if moment), default=None)

    def _remember(self, context: Context, upto: datetime | None) -> None:
        if upto is None or self.replication_method == REPLICATION_FULL_TABLE:
            return
        state = self.get_context_state(context)
        state["replication_key"] = self.replication_key
        state["replication_key_value"] = timestamp(upto)

    # -- the SDK's loop --------------------------------------------------------------------

    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Hand over the rows of a partition; what goes wrong in it stays in it."""
        if context is None:
            return
        self.begin_version()
        report, organization_id = self.run.report, context["organization_id"]
        try:
            yield from self._rows(context)
        except LoginRequired:
            raise
        except BudgetClosed:
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
        if dict(context) == self.partitions[-1]:
            self.end_version()

    def _rows(self, context: Context) -> Iterator[Record]:
        run = self.run
        for rows, upto in self._batches(context):
            run.checkpoint()
            self._extracted = utc_now()
            for row in rows:
                if run.signum is not None:  # what a checkpoint asks first: a call a row shows
                    run.checkpoint()
                yield row
                if self._unwritable is not None:
                    error, self._unwritable = self._unwritable, None
                    raise error
            run.progress.rows += len(rows)
            self._remember(context, upto)

    def _batches(self, context: Context) -> Iterator[tuple[list[Record], datetime | None]]:
        walk = self.run.read(self, dict(context))
        while True:
            try:
                yield next(walk)
            except StopIteration as end:
                yield [], end.value
                return

    def generate_child_contexts(self, *_: t.Any, **__: t.Any) -> tuple[()]:
        """None: no stream is the child of another, in the SDK's sense."""
        return ()

    def get_batch_config(self, config: Mapping[str, t.Any]) -> None:
        """None: the SDK's BATCH files go past masks and stream maps, and behind the STATE."""

    def _write_record_message(self, record: Record) -> None:
        """Write a row; one that can't be written ends its partition, not the run."""
        try:
            super()._write_record_message(record)
        except OutputLost:
            raise
        except Exception as error:
            self.logger.debug("Can't write a row of %s", self.name, exc_info=True)
            self._unwritable = Unwritable(
                f"{self.name}: a row can't be written ({type(error).__name__}). If stream_maps is "
                "set, one of its expressions fails on this row"
            )

    def _generate_record_messages(  # type: ignore[override]
        self, record: Record
    ) -> t.Generator[RowMessage, None, None]:
        """Make the messages of a row, as the SDK does, without the work that changes nothing."""
        if not self._emitted.issuperset(record):
            for name in record.keys() - self._emitted:
                del record[name]
                if name not in self.known_fields:
                    self.run.report.unknown_fields[self.name, name] += 1
        if self._has_deselected:
            pop_deselected_record_properties(record, self.schema, self.mask)
        for stream_map in self.stream_maps:
            mapped = stream_map.transform(record)
            if mapped is not None:
                yield RowMessage(
                    stream_map.stream_alias, mapped, self._stream_version, self._extracted
                )

    @functools.cached_property
    def _emitted(self) -> frozenset[str]:
        """Names of the schema that is in force: the catalog's, or ours."""
        return frozenset(self.effective_schema["properties"])

    @functools.cached_property
    def _has_deselected(self) -> bool:
        return not all(self.mask.values()) if self.mask else False

    # -- rows that are gone ----------------------------------------------------------------

    @property
    def emit_activate_version_messages(self) -> bool:
        """False: the SDK would drop the former rows before the new ones are read."""
        return False

    def begin_version(self) -> None:
        """Before the first row: mark the rows of this run, if the settings want it."""
        if (
            self._stream_version is None
            and self.config.get("emit_activate_version_messages")
            and self.replication_method == REPLICATION_FULL_TABLE
        ):
            self._stream_version = self._initialized_at // 1000

    def end_version(self) -> None:
        """After the last row: let the target drop what Qonto no longer has.

        Only if all was read: no shard, no selection of organizations, nothing skipped or failed.
        """
        if self._stream_version is None:
            return
        settings, report = self.run.settings, self.run.report
        partial = settings.shard or settings.organization_ids or report.has_gaps(self.name)
        if not partial:
            self._write_activate_version_message(self._stream_version)
