"""Archive: one file at a time, from what a row says of it to a file that is kept and described."""

from __future__ import annotations

import dataclasses
import functools
import threading
import typing as t
from collections import Counter
from datetime import datetime, timezone

from tap_qonto.api.responses import Request
from tap_qonto.errors import RequestDenied
from tap_qonto.streams.files.download import Downloads, Patience, Promise, Unfetched, WrongLength
from tap_qonto.streams.files.names import file_name, folder_name, type_of
from tap_qonto.streams.files.store import FileStore, Stored

if t.TYPE_CHECKING:
    from concurrent.futures import Future

    from tap_qonto.api.transport import Transport
    from tap_qonto.settings import Settings
    from tap_qonto.streams.files.documents import Document
    from tap_qonto.streams.files.download import Content

Row = dict[str, t.Any]

REFUSALS = 3
"""In a row, by Qonto or the store, before the rest is not tried."""
NOT_FOUND = (404, 410)


class Kept(t.NamedTuple):
    """The row of a file that is kept, and what a person should know of it."""

    row: Row
    note: str | None = None


class Archive:
    """The files of a run: used from any thread. Requests for links go through the transport."""

    def __init__(
        self,
        stream: str,
        settings: Settings,
        transport: Transport,
        patience: Patience = Patience(),  # noqa: B008 - a tuple of numbers
    ) -> None:
        self._stream = stream
        self._transport = transport
        self._store = FileStore(settings.files or "")
        self.place = self._store.identity
        self._downloads = Downloads(
            settings.api_url,
            largest=settings.file_max_bytes,
            user_agent=transport.user_agent,
            is_ending=lambda: transport.is_ending,
            patience=patience,
        )
        self._lock = threading.Lock()
        self._refusals: Counter[str] = Counter()

    def stored(self, document: Document, organization_id: str) -> Stored | None:
        """Return what is kept of a document, if anything."""
        there = self._store.stored(organization_id, document.kind)
        return there.get(folder_name(document.file_id))

    def keep(self, document: Document, organization_id: str) -> Future[Kept]:
        """Fetch a file and store it, if it is not there, and make its row; when there is room.

        The future raises Unfetched: it can't be had. FileStoreError: it can't be stored. And what
        the transport raises, but for refusals.
        """
        return self._downloads.start(functools.partial(self._kept, document, organization_id))

    def _kept(self, document: Document, organization_id: str) -> Kept:
        there = self._store.stored(organization_id, document.kind)
        folder = folder_name(document.file_id)
        stored = there.get(folder)
        if stored is None:
            document, content = self._content(document, organization_id)
            with content.body:
                name = file_name(document.name, content.content_type)
                path = f"{folder_name(organization_id)}/{document.kind}/{folder}/{name}"
                stored = Stored(path, content.bytes, datetime.now(timezone.utc))
                is_mine = self._store.put(path, content.body, content.bytes, content.content_type)
            there[folder] = stored
            if is_mine:
                row = _row(document, organization_id, stored, content.sha256, content.content_type)
                is_odd = document.bytes not in {None, content.bytes}
                return Kept(row, "it is not as long as Qonto tells" if is_odd else None)
        digest = self._store.sha256(stored.path)
        type_ = document.promised_type or type_of(stored.path)
        return Kept(_row(document, organization_id, stored, digest, type_))

    def _content(self, document: Document, organization_id: str) -> tuple[Document, Content]:
        """Download by the link that came with the row; if that is dead, by a new one."""
        if document.link:
            try:
                return document, self._downloaded(document)
            except Unfetched as error:
                if not error.is_dead_link:
                    raise
        document = self._with_link(document, organization_id)
        try:
            return document, self._downloaded(document)
        except WrongLength as error:  # two links: if the next response is as long, Qonto is wrong
            return document, self._downloaded(dataclasses.replace(document, bytes=error.bytes))

    def _downloaded(self, document: Document) -> Content:
        promise = Promise(document.bytes, document.promised_type)
        return self._downloads.fetch(document.link or "", promise)

    def _with_link(self, document: Document, organization_id: str) -> Document:
        """Ask Qonto for a link; not again where it refused several in a row."""
        if self._refusals[organization_id] >= REFUSALS:
            raise Unfetched("Qonto refuses links in this organization (403)", by_qonto=True)
        request = Request(self._stream, organization_id, document.path)
        try:
            body = self._transport.send(request).body
        except RequestDenied as error:
            if error.status in NOT_FOUND:
                raise Unfetched(f"it is gone ({error.status})", by_qonto=True) from None
            with self._lock:
                self._refusals[organization_id] += 1
            raise Unfetched(error.why, by_qonto=True) from None
        self._refusals.pop(organization_id, None)
        return document.told(body)


def _row(
    document: Document,
    organization_id: str,
    stored: Stored,
    digest: str,
    content_type: str | None,
) -> Row:
    fetched = stored.stored_at.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return {
        "organization_id": organization_id,
        "kind": document.kind,
        "file_id": document.file_id,
        "parent_id": document.parent_id,
        "name": stored.path.rpartition("/")[2],
        "content_type": content_type,
        "bytes": stored.bytes,
        "sha256": digest,
        "path": stored.path,
        "fetched_at": fetched.replace("+00:00", "Z"),
    }
