"""QontoStream: from a declaration to requests, rows and bookmarks.

A stream declares facts (`name`, `path`, query parameters); the contract adds what it knows (keys,
schema, scopes, envelope, page size). Its partitions are the organizations of the user; each is
read by a walk that runs ahead on a thread, while the rows leave here, in order, through the SDK.
"""

from __future__ import annotations

import functools
import typing as t
from types import MappingProxyType

from singer_sdk import Stream
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.helpers._util import utc_now
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.schema.source import StreamSchema
from singer_sdk.singerlib import RecordMessage
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE

from tap_qonto.budget import BudgetClosed
from tap_qonto.contract import CONTRACT, endpoints, row_facts
from tap_qonto.errors import LoginRequired, QontoError, RequestDenied, RequestFailed
from tap_qonto.messages import IndexedState
from tap_qonto.pagination import Listing, Page, Query, Trust, page_of
from tap_qonto.rows import moment_of, row_shaper, timestamp
from tap_qonto.transport import Request
from tap_qonto.walks import whole

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Context, Record

    from tap_qonto.readahead import Fetch
    from tap_qonto.run import Run
    from tap_qonto.walks import Walk

Params = tuple[tuple[str, str], ...]


class QontoStream(Stream):
    """A list of each organization, read whole at every run. Other kinds refine it: `kinds`."""

    path: str
    """As in the contract, from `/v2`."""
    params: t.ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    """Query parameters sent with every request, a stable order (`sort_by`) among them."""
    since_param: str | None = None
    until_param: str | None = None
    """Names of the filters on the replication key, where the endpoint has them."""
    derived_from: str | None = None
    """The contract's stream that this one is made of, if it is not one itself."""
    is_partitioned = True
    """False for the list of organizations itself."""
    needs_accounts = False
    """Does finding the partitions take `GET /v2/organization` of every organization?"""
    missed: str = "Nothing: every run reads the whole list."
    """What an incremental run can miss, for the documentation."""

    schema = StreamSchema(CONTRACT)
    replication_key: str | None = None
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # rows leave as their schema says: `rows`

    def __init__(self, tap: t.Any) -> None:
        source = self.derived_from or self.name
        endpoint = endpoints()[source]
        super().__init__(tap)
        if self.derived_from is None:
            self.primary_keys = endpoint.primary_keys
        self.scopes = endpoint.scopes
        self.envelope = endpoint.envelope
        self.http_method = endpoint.method
        self.is_paged = endpoint.pagination["style"] != "none"
        self.page_size: int = endpoint.pagination.get("max-size") or 100
        if self.replication_key is None:
            self.state_partitioning_keys = ()  # a full table leaves nothing in the state
        self.trust = Trust()
        self._facts = row_facts(source)
        self._shape = row_shaper(self._facts)
        self._contexts: list[dict[str, t.Any]] | None = None
        self._identity = tuple(key for key in self.primary_keys if key != "organization_id")

    # -- partitions and bookmarks ----------------------------------------------------------

    @property
    def run(self) -> Run:
        """The run this stream is a part of."""
        return t.cast("Run", self._tap.run)  # type: ignore[attr-defined]

    @property
    def partitions(self) -> list[dict[str, t.Any]]:
        """The contexts of this run, one bookmark each: `{"organization_id": …}`."""
        with self.run.planning():
            if self._contexts is None:
                missing = self.run.missing_scope(self.scopes)
                if missing:
                    self.run.report.denied(self.name, None, missing)
                self._contexts = [] if missing else self.contexts()
            return self._contexts

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

    # -- reading ---------------------------------------------------------------------------

    def read(self, context: Mapping[str, t.Any], fetch: Fetch) -> Walk:
        """Walk over one partition; runs on any thread."""
        organization_id = context["organization_id"]
        if self.run.report.refused_everywhere(organization_id):
            raise RequestDenied(
                f"{self.name} of organization {organization_id}",
                "not asked, since Qonto refused all else of it. Was it dropped from the consent? "
                "tap-qonto-auth login",
                403,
            )
        upto = yield from self.walk(context, fetch, self.since(context))
        self.run.report.answered(organization_id)
        return upto

    def walk(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,
        since: datetime | None,  # noqa: ARG002 - for the incremental kinds
    ) -> Walk:
        """Yield the batches of one partition and return its bookmark. Kinds override this."""
        return whole(self.listing(context, fetch))

    def listing(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,
        extra: Params = (),
        given: Mapping[str, str] = MappingProxyType({}),
    ) -> Listing:
        """Make the list of a partition: `extra` parameters choose a part of it.

        `given` are values that each row gets: the parent's id, where Qonto leaves it out (Q79).
        """
        organization_id = context["organization_id"]

        def request(query: Query) -> Request:
            return self.request(organization_id, query, extra)

        def page(query: Query) -> Page:
            answer = fetch(request(query))
            rows = [
                self._shape({**row, **given} if given else row, organization_id)
                for row in self.rows_of(answer.body)
            ]
            self._require_keys(rows)
            if not self.is_paged:
                return Page(rows, None, is_last=True, date=answer.date)
            meta = answer.body.get("meta") if isinstance(answer.body, dict) else None
            return page_of(rows, meta, query, answer.date)

        return Listing(
            page=page,
            ahead=lambda query: fetch.ahead(request(query)),
            forget=fetch.forget,
            identity=self.identity,
            key=self.key,
            size=self.page_size,
            can_close=self.until_param is not None,
            trust=self.trust,
            warn=functools.partial(self.run.report.warned, self.name, organization_id),
        )

    def request(self, organization_id: str, query: Query, extra: Params = ()) -> Request:
        """Make the request for one page. `extra` may hold path parameters as `{name}`."""
        path = self.path
        params: dict[str, str | tuple[str, ...]] = dict(self.params)
        for name, value in extra:
            if name.startswith("{"):
                path = path.replace(name, value)
            else:
                params[name] = value
        for param, bound in ((self.since_param, query.since), (self.until_param, query.until)):
            if param and bound:
                params[param] = timestamp(bound)
        if self.is_paged:
            params |= {"page": str(query.number), "per_page": str(query.size)}
        pairs = tuple(
            (name, value)
            for name, values in params.items()
            for value in ((values,) if isinstance(values, str) else values)
            if value
        )
        return Request(self.name, organization_id, path, pairs)

    def rows_of(self, body: t.Any) -> list[Record]:
        """Unwrap the rows of an answer: under the envelope, under another name, or bare (Q69)."""
        rows = body.get(self.envelope) if isinstance(body, dict) else body
        if rows is None and isinstance(body, dict):
            lists = [value for value in body.values() if isinstance(value, list)]
            rows = lists[0] if len(lists) == 1 else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise RequestFailed(f"{self.name}: the answer is not the list it should be")
        return rows

    def key(self, row: Record) -> datetime | None:
        """The replication key of a row."""
        return moment_of(row.get(self.replication_key)) if self.replication_key else None

    def identity(self, row: Record) -> Hashable:
        """What tells a row from the others of its organization."""
        return tuple([row.get(name) for name in self._identity])

    def _require_keys(self, rows: list[Record]) -> None:
        for row in rows:
            for name in self.primary_keys:
                if row.get(name) is None:
                    raise RequestFailed(f"{self.name}: a row came without its key ({name})")

    # -- the SDK's loop --------------------------------------------------------------------

    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Hand over the rows of a partition; what goes wrong in it stays in it."""
        if context is None:
            return
        self._begin_version()
        count = 0
        try:
            for rows, upto in self._batches(context):
                for row in rows:
                    self.run.checkpoint()
                    yield row
                self._remember(context, upto)
                count += len(rows)
        except (LoginRequired, BudgetClosed):
            raise
        except RequestDenied as error:
            self.logger.debug("%s", error)
            self.run.report.denied(self.name, context["organization_id"], error.why)
        except QontoError as error:
            self.run.report.failed(self.name, context["organization_id"], str(error))
        except Exception as error:
            kind = type(error).__name__
            self.logger.debug("Unexpected in %s", self.name, exc_info=True)
            self.run.report.failed(
                self.name,
                context["organization_id"],
                f"an error of the tap itself ({kind}); please report it with the log of "
                "TAP_QONTO_LOGLEVEL=DEBUG",
            )
        self.run.partition_done(self.name, count)
        self._end_version(context)

    def _batches(self, context: Context) -> Iterator[tuple[list[Record], datetime | None]]:
        walk = self.run.read(self, dict(context))
        while True:
            try:
                yield next(walk)
            except StopIteration as end:
                yield [], end.value
                return

    def _generate_record_messages(self, record: Record) -> t.Generator[RecordMessage, None, None]:
        """Make the messages of a row, as the SDK does, without the work that changes nothing."""
        if record.keys() - self._emitted:
            for name in record.keys() - self._emitted:
                del record[name]
                if name not in self._facts.known:
                    self.run.report.unknown_fields[self.name, name] += 1
        if self._has_deselected:
            pop_deselected_record_properties(record, self.schema, self.mask)
        for stream_map in self.stream_maps:
            mapped = stream_map.transform(record)
            if mapped is not None:
                yield RecordMessage(
                    stream=stream_map.stream_alias,
                    record=mapped,
                    version=self._stream_version,
                    time_extracted=utc_now(),
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

    def _begin_version(self) -> None:
        if (
            self._stream_version is None
            and self.config.get("emit_activate_version_messages")
            and self.replication_method == REPLICATION_FULL_TABLE
        ):
            self._stream_version = self._initialized_at // 1000

    def _end_version(self, context: Context) -> None:
        """After the last partition: let the target drop what Qonto no longer has.

        Only if all was read: no shard, no selection of organizations, nothing skipped or failed.
        """
        if self._stream_version is None or dict(context) != self.partitions[-1]:
            return
        settings, report = self.run.settings, self.run.report
        partial = settings.shard or settings.organization_ids or report.has_gaps(self.name)
        if not partial:
            self._write_activate_version_message(self._stream_version)
