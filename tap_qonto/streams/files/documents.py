"""Documents: the files that a row names, and how Qonto is asked for a new link to one.

Links live 30 minutes (Q92). A certified copy is told with its receipt and has no id of its own; it
may come later (Q93). Invoices, credit notes and quotes name an attachment, without a link.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from tap_qonto.streams.files.download import Unfetched
from tap_qonto.streams.files.names import type_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, t.Any]

TRANSACTION_ATTACHMENT = "transaction_attachment"
CERTIFIED_COPY = "certified_copy"
STATEMENT = "statement"
NEVER = {"unavailable", "corrupted"}  # states of a certified copy that will not be (Q93)


class Pending(Unfetched):
    """A certified copy that will come."""


class NeverMade(Unfetched):
    """A certified copy that will not come."""


@dataclass(frozen=True)
class Document:
    """A file that a row names: of which kind, its id, whose it is, and what is promised of it.

    `bytes` is its promised size. Without a `link` it has to be asked for.
    """

    kind: str
    file_id: str
    parent_id: str
    name: str | None = None
    content_type: str | None = None
    bytes: int | None = None
    link: str | None = field(default=None, repr=False)
    is_pending: bool = False
    """A certified copy that is not made yet."""

    @property
    def promised_type(self) -> str | None:
        """Its content type, as told or by its name."""
        return self.content_type or (type_of(self.name) if self.name else None)

    @property
    def path(self) -> str:
        """Where Qonto tells of this one alone, with a link that lives.

        Raises:
            Unfetched: the id is none that fits into an address.
        """
        if not re.fullmatch(r"[\w-]{1,100}", self.file_id, re.ASCII):
            raise Unfetched("its id fits into no address", by_qonto=True)
        of = "statements" if self.kind == STATEMENT else "attachments"
        return f"/v2/{of}/{self.file_id}"

    def told(self, body: t.Any) -> Document:
        """Return this document as the response of `path` tells of it.

        Raises:
            Pending: it is not made yet. NeverMade: it will not be.
            Unfetched: there is no link to it.
        """
        envelope = "statement" if self.kind == STATEMENT else "attachment"
        row = body.get(envelope, body) if isinstance(body, dict) else None
        found = next(iter(self._like(row)), None)
        if found is None and self.kind == CERTIFIED_COPY:
            raise NeverMade("there will be no certified copy", by_qonto=True)
        if found is not None and found.is_pending:
            raise Pending("the certified copy is not made yet", by_qonto=True)
        if found is None or not found.link:
            raise Unfetched("Qonto gives no link to it", by_qonto=True)
        return replace(found, parent_id=self.parent_id, name=found.name or self.name)

    def _like(self, row: t.Any) -> Iterator[Document]:
        if not isinstance(row, dict):
            return
        row = {**row, "id": self.file_id}
        found = of_statement(row) if self.kind == STATEMENT else _of_attachment(row, "", self.kind)
        yield from (one for one in found if one.kind == self.kind)


def of_transaction(row: Row) -> Iterator[Document]:
    """Receipts of a transaction and their certified copies."""
    parent = row["id"]
    embedded = [one for one in row.get("attachments") or () if _id(one)]
    for one in embedded:
        yield from _of_attachment(one, parent)
    rest = {*filter(None, row.get("attachment_ids") or ())} - {one["id"] for one in embedded}
    for id_ in sorted(map(str, rest)):
        yield Document(TRANSACTION_ATTACHMENT, id_, parent)
        yield Document(CERTIFIED_COPY, id_, parent, is_pending=True)


def of_statement(row: Row) -> Iterator[Document]:
    """The file of a statement."""
    file = row.get("file")
    yield _described(STATEMENT, row["id"], row["id"], file if isinstance(file, dict) else {})


def of_attachment_ids(kind: str, *fields: str) -> t.Callable[[Row], Iterator[Document]]:
    """Make a source of the attachments that a row names in `fields`, each once."""

    def documents(row: Row) -> Iterator[Document]:
        for id_ in dict.fromkeys(row.get(name) for name in fields):
            if id_:
                yield Document(kind, str(id_), row["id"])

    return documents


def _of_attachment(one: Row, parent: str, kind: str = TRANSACTION_ATTACHMENT) -> Iterator[Document]:
    """An attachment as a document of `kind`, and its certified copy if there is or will be one."""
    if kind != CERTIFIED_COPY:
        yield _described(kind, str(one["id"]), parent, one)
    copy = one.get("probative_attachment")
    if isinstance(copy, dict) and copy.get("status") not in NEVER:
        made = _described(CERTIFIED_COPY, str(one["id"]), parent, copy)
        yield replace(made, is_pending=not made.link and copy.get("status") != "available")


def _described(kind: str, file_id: str, parent: str, facts: Row) -> Document:
    size = facts.get("file_size")
    return Document(
        kind,
        file_id,
        parent,
        name=_text(facts.get("file_name")),
        content_type=_text(facts.get("file_content_type")),
        bytes=int(size) if isinstance(size, (int, str)) and str(size).isdecimal() else None,  # Q75
        link=_text(facts.get("url") or facts.get("file_url")),
    )


def _text(value: t.Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _id(one: t.Any) -> t.Any:
    return one.get("id") if isinstance(one, dict) else None
