"""Files of the rows above, kept.

Each is fetched once, and a row of the stream `files` tells where it lies. Files are found in the
rows of other streams, read by those streams' own walks, with their links.
A source is one of these lists; to add one, see `SOURCES`.
"""

from __future__ import annotations

import functools
import itertools
import typing as t
from collections import deque
from datetime import datetime, timedelta, timezone

from singer_sdk import typing as th
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE

from tap_qonto.api.contract import facts_with_secrets, own_schema
from tap_qonto.errors import RequestFailed, RequestRejected
from tap_qonto.pagination.pages import Records
from tap_qonto.streams import banking, invoicing, payables
from tap_qonto.streams.files.archive import REFUSALS, Archive
from tap_qonto.streams.files.documents import (
    CERTIFIED_COPY,
    STATEMENT,
    TRANSACTION_ATTACHMENT,
    Document,
    NeverMade,
    Pending,
    of_attachment_ids,
    of_statement,
    of_transaction,
)
from tap_qonto.streams.files.download import Unfetched
from tap_qonto.streams.files.store import FileStoreError
from tap_qonto.streams.nested import PerAccountStream
from tap_qonto.sync.moments import moment_of, timestamp
from tap_qonto.sync.rows import row_shaper

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future

    from singer_sdk.helpers.types import Context, Record

    from tap_qonto.api.prefetch import Fetch
    from tap_qonto.pagination.pages import Walk
    from tap_qonto.streams.client import QontoStream
    from tap_qonto.streams.files.archive import Kept
    from tap_qonto.streams.files.store import Stored

MOST_MISSING = 200
"""Files of a partition that the state remembers as missing; with more the bookmark stays."""
CLOCKS_DIFFER = timedelta(hours=1)
"""At most: ours and the store's."""


class Source(t.NamedTuple):
    """A list whose rows name files: of which kinds, and which files a row names."""

    name: str
    stream: type[QontoStream]
    kinds: tuple[str, ...]
    documents: Callable[[Record], Iterator[Document]]


SOURCES = {
    source.name: source
    for source in (
        Source(
            "transactions",
            banking.Transactions,
            (TRANSACTION_ATTACHMENT, CERTIFIED_COPY),
            of_transaction,
        ),
        Source("statements", banking.Statements, (STATEMENT,), of_statement),
        Source(
            "client_invoices",
            invoicing.ClientInvoices,
            ("client_invoice",),
            of_attachment_ids("client_invoice", "attachment_id"),
        ),
        Source(
            "credit_notes",
            invoicing.CreditNotes,
            ("credit_note",),
            of_attachment_ids("credit_note", "attachment_id"),
        ),
        Source("quotes", invoicing.Quotes, ("quote",), of_attachment_ids("quote", "attachment_id")),
        Source(
            "supplier_invoices",
            payables.SupplierInvoices,
            ("supplier_invoice",),
            # the second is what people read where the first is an electronic invoice
            of_attachment_ids("supplier_invoice", "attachment_id", "display_attachment_id"),
        ),
    )
}


class Bookmark(datetime):
    """A bookmark, and what else the state has to hold from that moment on."""

    memory: dict[str, t.Any]

    @classmethod
    def of(cls, moment: datetime, memory: dict[str, t.Any]) -> Bookmark:
        """Add to a moment what goes with it."""
        bookmark = cls.combine(moment.date(), moment.timetz())
        bookmark.memory = memory
        return bookmark


class Files(PerAccountStream):
    """Receipts, certified copies, statements and invoices as files: where each lies, its digest.

    Here with the setting `files` alone, which names the folder or bucket. Each file is fetched
    once; a row never holds its link. How to keep them is in [files.md](files.md).
    """

    name = "files"
    path = "/v2/attachments/{id}"
    derived_from = "transactions"
    primary_keys = ("organization_id", "kind", "file_id")
    replication_key = "fetched_at"
    is_history = True  # a file stays in the folder, whatever becomes of its document
    missed = (
        "Nothing: a file that can't be fetched is tried again by each run. One that Qonto deletes "
        "stays in your folder."
    )
    schema = own_schema(
        th.Property("organization_id", th.StringType, required=True),
        th.Property("kind", th.StringType, required=True, description="As in `file_kinds`."),
        th.Property(
            "file_id",
            th.StringType,
            required=True,
            description="The attachment, whose certified copy has the same id; or the statement.",
        ),
        th.Property(
            "parent_id",
            th.StringType,
            description="The transaction, statement, invoice, credit note or quote that names it.",
        ),
        th.Property("name", th.StringType, description="Without what is unsafe in a name."),
        th.Property("content_type", th.StringType),
        th.Property("bytes", th.IntegerType, description="Its size."),
        th.Property("sha256", th.StringType, description="Of its content, in hexadecimal."),
        th.Property("path", th.StringType, description="Below the folder of the setting `files`."),
        th.Property("fetched_at", th.DateTimeType, description="When it was stored, UTC."),
    )

    def __init__(self, tap: t.Any) -> None:
        super().__init__(tap)
        self.scopes = ()  # each source has its own

    @functools.cached_property
    def archive(self) -> Archive:
        """Where files are kept, and what fetches them; made before there are threads."""
        return Archive(self.name, self.run.settings, self.run.transport)

    @functools.cached_property
    def sources(self) -> dict[str, QontoStream]:
        """The streams whose rows name files of the kinds that are wanted; their rows have links."""
        found = {}
        for name, source in SOURCES.items():
            if not {*source.kinds}.isdisjoint(self.run.settings.file_kinds):
                stream = found[name] = source.stream(self.tap)
                stream._shape = row_shaper(facts_with_secrets(name))  # noqa: SLF001 - links stay, in memory
        return found

    @property
    def needs_accounts(self) -> bool:  # type: ignore[override]
        """For transactions alone."""
        return "transactions" in self.sources

    @functools.cached_property
    def memories(self) -> dict[frozenset[tuple[str, t.Any]], dict[str, t.Any]]:
        """What the state of each partition held, before this run, besides its bookmark.

        `looked_for`: kinds and statuses, and for which store; `told`: files stored before have had
        their rows written; `missing`: kind, file id and parent id of those to be tried again.
        """
        return {
            frozenset(one["context"].items()): one.get("files") or {}
            for one in self.state_manager.get_state_partitions() or ()
            if self.replication_method != REPLICATION_FULL_TABLE
        }

    def contexts(self) -> list[dict[str, t.Any]]:
        """One per source and organization; for transactions per account."""
        self.archive  # noqa: B018 - made by one thread, for all
        result = []
        for name, stream in self.sources.items():
            missing = self.run.missing_scope(stream.scopes)
            if missing and stream.lacks_scope():
                self.run.report.denied(self.name, None, f"{name}: {missing}")
                continue
            by_account = isinstance(stream, PerAccountStream)
            contexts = super().contexts() if by_account else self.run.organizations.contexts
            result += [{**context, "source": name} for context in contexts]
        return result

    def walk(self, context: Mapping[str, t.Any], fetch: Fetch, since: datetime | None) -> Walk:
        """Look for files in the rows that changed, and fetch those that are not there."""
        return _Partition(self, context, since).walk(fetch)

    @property
    def _version(self) -> None:
        """None: what Qonto has deleted is kept, so no row of it may be dropped."""

    def _remember(self, context: Context, upto: datetime | None) -> None:
        super()._remember(context, upto)
        if isinstance(upto, Bookmark) and self.replication_method != REPLICATION_FULL_TABLE:
            self.get_context_state(context)["files"] = upto.memory


_Started = tuple[Document, "Future[Kept]"]


class _Partition:
    """One walk: the files that one list of one organization names."""

    def __init__(self, stream: Files, context: Mapping[str, t.Any], since: datetime | None) -> None:
        self._stream, self._context = stream, context
        self._organization_id: str = context["organization_id"]
        self._source = SOURCES[context["source"]]
        self._parent = stream.sources[context["source"]]
        settings = stream.run.settings
        self._began = datetime.now(timezone.utc)
        self._looked_for = [kind for kind in self._source.kinds if kind in settings.file_kinds]
        if isinstance(self._parent, PerAccountStream):
            self._looked_for += settings.transaction_statuses
        self._looked_for.append(stream.archive.place)
        memory = stream.memories.get(frozenset(context.items()), {})
        if memory and not {*self._looked_for} <= {*memory["looked_for"]}:
            memory, since = {}, settings.start_date  # more is wanted now, or elsewhere: look again
        self._since = since
        self._told = moment_of(memory.get("told"))
        self._missing = {
            (kind, file_id): Document(kind, file_id, parent_id)
            for kind, file_id, parent_id in memory.get("missing", ())
        }
        self._coming: set[tuple[str, str]] = set()
        self._store_errors = 0
        self._problems: dict[tuple[str, str, bool], None] = {}
        self._warnings: dict[tuple[str, str], None] = {}

    def walk(self, fetch: Fetch) -> Walk:
        """Try again what was missing; then go through the list, one page ahead of the downloads."""
        try:
            tried = [one for one in self._missing.values() if one.kind in self._looked_for]
            if tried:
                yield Records([*self._kept(self._started(tried))])
            known = frozenset((one.kind, one.file_id) for one in tried)
            walk = self._parent.walk(self._context, fetch, self._since)
            waiting: deque[tuple[list[_Started], datetime | None]] = deque()
            last: datetime | None = None
            for rows, upto in walk:
                last = upto or last
                if rows:
                    waiting.append((self._started(self._wanted(rows, known)), upto))
                if len(waiting) > 1:
                    started, until = waiting.popleft()
                    yield Records([*self._kept(started)], self._bookmark(until))
            for started, until in waiting:
                yield Records([*self._kept(started)], self._bookmark(until))
        finally:
            self._report()
        if not self._parent.replication_key:  # a list that is read whole, at each run
            last = self._began
        self._told = self._began - CLOCKS_DIFFER
        yield Records([], self._bookmark(last))

    def _wanted(self, rows: list[Record], known: frozenset[tuple[str, str]]) -> Iterator[Document]:
        """Yield the files that rows name, but for those that need not be looked at, or are coming.

        A row may come twice while its file is under way.
        """
        seen = {*known, *self._coming}
        for row in rows:
            if row.get("id") is None:  # its own stream tells
                continue
            for document in self._source.documents(row):
                key = (document.kind, document.file_id)
                if document.kind not in self._looked_for or key in seen:
                    continue
                seen.add(key)
                stored = self._stream.archive.stored(document, self._organization_id)
                if stored is None and document.is_pending:
                    self._missing[key] = document
                elif stored is None or not self._is_told(stored):
                    self._coming.add(key)
                    yield document

    def _is_told(self, stored: Stored) -> bool:
        """Has an earlier run surely written its row? Then a list that is read again spares it."""
        is_read_again = self._parent.replication_key != "updated_at"
        return is_read_again and self._told is not None and stored.stored_at < self._told

    def _started(self, documents: Iterable[Document]) -> list[_Started]:
        limit = self._stream.ABORT_AT_RECORD_COUNT  # of `--test`
        return [
            (one, self._stream.archive.keep(one, self._organization_id))
            for one in itertools.islice(documents, limit)
        ]

    def _kept(self, started: list[_Started]) -> Iterator[Record]:
        """Yield the rows of files that are kept; note which are missing, and why."""
        for document, future in started:
            key = (document.kind, document.file_id)
            self._missing[key] = document
            self._coming.discard(key)
            try:
                row, note = future.result()
            except Pending:
                continue
            except NeverMade:
                del self._missing[key]
            except Unfetched as error:
                self._note(document, error.why, by_qonto=error.by_qonto)
            except (RequestFailed, RequestRejected) as error:
                self._note(document, str(error), by_qonto=False)
            except FileStoreError as error:
                self._store_errors += 1
                if self._store_errors >= REFUSALS:
                    raise
                self._note(document, str(error), by_qonto=False)
            else:
                del self._missing[key]
                self._store_errors = 0
                if note:
                    self._warnings[document.kind, note] = None
                yield row

    def _note(self, document: Document, why: str, *, by_qonto: bool) -> None:
        self._problems[document.kind, why, by_qonto] = None
        self._stream.logger.info(
            "Not fetched: %s %s of %s in organization %s: %s",
            document.kind,
            document.file_id,
            document.parent_id,
            self._organization_id,
            why,
        )

    def _report(self) -> None:
        report, name = self._stream.run.report, self._stream.name
        for kind, why, by_qonto in self._problems:
            note = report.denied if by_qonto else report.failed
            text = f"a {kind} was not fetched: {why}; the next run tries again"
            note(name, self._organization_id, text)
        for kind, why in self._warnings:
            report.warned(name, self._organization_id, f"a {kind} is kept, but {why}")

    def _bookmark(self, upto: datetime | None) -> Bookmark | None:
        """Make the bookmark at `upto`; none while more is missing than the state should hold."""
        if upto is None or len(self._missing) > MOST_MISSING:
            return None
        memory = {
            "looked_for": self._looked_for,
            "told": self._told and timestamp(self._told),
            "missing": [[*key, one.parent_id] for key, one in self._missing.items()],
        }
        return Bookmark.of(upto, memory)
