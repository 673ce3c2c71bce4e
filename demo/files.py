"""Files: real PDFs and images behind links that die, on a port of their own, as Qonto has them.

    qonto.files.url                       where they lie, "http://127.0.0.1:41239"
    qonto.files.requests                  list of `Asked`: path, status, headers
    qonto.files.faults                    as demo/faults.py, for downloads: kinds "status", "html",
                                          "cut", "truncated", "stall", "latency", ...
    qonto.options.link_seconds = 5        a link's life (30 minutes, Q92), by `qonto.clock`
    every(qonto.bank, organization_id)    truth: the content of each file by (kind, id), made when
                                          it is called: `every(…)["statement", id]()`

A file is made when it is asked for: out of its id, and as long as its row says. `attachment` is
what `GET /v2/attachments/{id}` knows: receipts, and the documents that invoices, credit notes and
quotes name by id alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import struct
import typing as t
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from demo import spoiled
from demo.data.embeds import FILES, SIGNATURE
from demo.faults import Faults
from demo.values import digits
from demo.wire import Wires

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from demo.clock import Clock
    from demo.data.bank import Bank
    from demo.data.books import Books
    from demo.options import Options

Row = dict[str, t.Any]

SIGNED = SIGNATURE.encode()
TYPES = {".pdf": "application/pdf", ".png": "image/png"}
DOCUMENTS = {  # stream: the start of a document's name, the field with the rest of it
    "client_invoices": ("facture", "number"),
    "credit_notes": ("avoir", "number"),
    "quotes": ("devis", "number"),
    "supplier_invoices": ("fournisseur", "invoice_number"),
}


@dataclass
class Asked:
    """One download."""

    path: str
    headers: t.Mapping[str, str]
    status: int = 0


class FileHost:
    """Where links lead. It knows nobody: who has a link that lives may read."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self.options, self.clock = options, clock
        self.url = FILES
        self.faults = Faults(options.seed)
        self.requests: list[Asked] = []
        self.wires = Wires()
        self.closing = asyncio.Event()
        self.app = Starlette(routes=[Route("/{path:path}", self._serve)])

    def sign(self, text: bytes) -> bytes:
        """Give the links in an answer their host, and a signature that dies."""
        until = f"{self.clock.timestamp() + self.options.link_seconds:.0f}.{secrets.token_hex(4)}"
        signature = f"{until}-{self._mark(until)}".encode()
        return text.replace(FILES.encode(), self.url.encode()).replace(SIGNED, signature)

    def _mark(self, until: str) -> str:
        secret = self.options.client_secret.encode()
        return hmac.new(secret, until.encode(), hashlib.sha256).hexdigest()[:24]

    def _lives(self, signature: str) -> bool:
        until, _, mark = signature.partition("-")
        is_ours = hmac.compare_digest(mark, self._mark(until))
        return is_ours and int(until.partition(".")[0]) > self.clock.timestamp()

    async def _serve(self, request: Request) -> Response:
        asked = Asked(request.url.path, dict(request.headers))
        self.requests.append(asked)
        wait, fault = self.faults.strike(request.method, asked.path)
        if fault is not None and fault.kind == "stall":
            wait += fault.seconds
        try:
            await asyncio.wait_for(self.closing.wait(), wait + self.options.file_latency)
        except asyncio.TimeoutError:
            pass
        else:
            return spoiled.Cut(self.wires)
        answer = spoiled.early(fault, self.wires) if fault is not None else None
        if answer is None:
            answer = self._answer(request)
            answer = answer if fault is None else spoiled.late(fault, answer, self.wires)
        asked.status = answer.status_code
        return answer

    def _answer(self, request: Request) -> Response:
        if not self._lives(request.query_params.get("signature", "")):
            body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
            return Response(body, 403, media_type="application/xml")
        try:
            ending = PurePosixPath(request.url.path).suffix
            return Response(content(str(request.url)), media_type=TYPES[ending])
        except (KeyError, ValueError):
            return Response("<Error><Code>NoSuchKey</Code></Error>", 404)


def attachment(books: Books, id_: str) -> Row | None:
    """The attachment of that id: of an invoice or the like, or of a transaction."""
    for stream, (name, field) in DOCUMENTS.items():
        for record in books.table(stream).records.values():
            row = record.row()
            if row.get("attachment_id") == id_:
                return document(id_, f"{name}-{row.get(field) or id_[:4]}.pdf", row["created_at"])
    for record in books.table("transactions").records.values():
        for one in record.row()["attachments"]:
            if one["id"] == id_:
                return t.cast("Row", one)
    return None


def document(id_: str, name: str, created_at: str) -> Row:
    """An attachment that only an invoice or the like names."""
    size = 20_000 + int(digits(4, id_))
    return {
        "id": id_,
        "created_at": created_at,
        "file_name": name.replace("/", "-"),
        "file_size": str(size),
        "file_content_type": "application/pdf",
        "url": link("documents", id_, "pdf", size),
        "probative_attachment": {"status": "unavailable"},
    }


def link(folder: str, id_: str, ending: str, size: int) -> str:
    """A link to be signed: what it leads to is made from the link alone."""
    return f"{FILES}/{folder}/{id_}.{ending}?bytes={size}&signature={SIGNATURE}"


def content(link: str) -> bytes:
    """What a link leads to.

    Raises:
        KeyError: nothing lies there.
        ValueError: the link does not tell its size.
    """
    parts = urlsplit(link)
    path = PurePosixPath(parts.path)
    make = {".pdf": pdf, ".png": png}[path.suffix]
    return make(path.stem, int(dict(parse_qsl(parts.query))["bytes"]))


def every(bank: Bank, organization_id: str) -> dict[tuple[str, str], Callable[[], bytes]]:
    """All files of an organization, by kind and id."""
    links: dict[tuple[str, str], str] = {}
    for row in bank.rows("transactions", organization_id):
        for one in row["attachments"]:
            links["transaction_attachment", one["id"]] = one["url"]
            if "url" in one["probative_attachment"]:
                links["certified_copy", one["id"]] = one["probative_attachment"]["url"]
    for row in bank.rows("statements", organization_id):
        links["statement", row["id"]] = row["file"]["file_url"]
    for stream in DOCUMENTS:
        for row in bank.rows(stream, organization_id):
            one = attachment(bank.books(organization_id), row.get("attachment_id") or "")
            if one is not None:
                links[stream.removesuffix("s"), one["id"]] = one["url"]
    return {key: partial(content, link) for key, link in links.items()}


def pdf(title: str, size: int) -> bytes:
    """One page with `title` on it, as a PDF of `size` bytes (about 700 at least)."""
    text = f"BT /F1 14 Tf 60 760 Td ({title}) Tj ET".encode("ascii")
    font = b"/Resources << /Font << /F1 5 0 R >> >>"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R %s >>" % font,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % p for p in places)
    end = table + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    filling = b""
    for _ in range(3):  # the length of the number at the end depends on it
        room = size - len(body) - len(end % (len(body) + len(filling)))
        filling = b"%" + b"." * (room - 2) + b"\n" if room >= 2 else b""
    return body + filling + end % (len(body) + len(filling))


def png(title: str, size: int) -> bytes:
    """A picture in one colour of its own, as a PNG of `size` bytes (about 400 at least)."""
    red, green, blue = hashlib.sha256(title.encode()).digest()[:3]
    lines = (b"\0" + bytes((red, green, blue)) * 96) * 128
    header = struct.pack(">IIBBBBB", 96, 128, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    end = _chunk(b"IDAT", zlib.compress(lines)) + _chunk(b"IEND", b"")
    room = size - len(start) - len(end) - len(_chunk(b"tEXt", b"Comment\0"))
    return start + _chunk(b"tEXt", b"Comment\0" + b"." * max(room, 0)) + end


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
