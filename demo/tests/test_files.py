from __future__ import annotations

import re
import struct
import typing as t
import zlib
from urllib.parse import urlsplit

import pytest
import requests

from demo.files import every, pdf, png
from demo.server import Server, running

if t.TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTS = ("client_invoices", "credit_notes", "quotes", "supplier_invoices")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(organizations=2, transactions=60, gates=False) as server:
        yield server


@pytest.fixture
def qonto(server: Server) -> Iterator[Server]:
    yield server
    server.files.faults.clear()
    server.options.link_seconds = 1800


def ask(qonto: Server, path: str, **params: t.Any) -> requests.Response:
    headers = {
        "Authorization": f"Bearer {qonto.issue()['access_token']}",
        "X-Qonto-Organization-Id": qonto.bank.organizations[0].id,
    }
    return requests.get(f"{qonto.url}{path}", params=params, headers=headers, timeout=10)


def receipts(qonto: Server) -> list[dict[str, t.Any]]:
    found = []
    for account in qonto.bank.organizations[0].accounts:
        wanted = {"bank_account_id": account.id, "includes[]": "attachments"}
        for row in ask(qonto, "/v2/transactions", **wanted).json()["transactions"]:
            found += row["attachments"]
    return found


def read(link: str) -> requests.Response:
    return requests.get(link, timeout=10)


def test_every_receipt_and_copy_is_a_file_of_the_size_and_type_promised(qonto: Server) -> None:
    rows = receipts(qonto)
    copies = [row["probative_attachment"] for row in rows]
    rows += [copy for copy in copies if copy["status"] == "available"]
    assert {row["file_content_type"] for row in rows} == {"application/pdf", "image/png"}
    assert {copy["status"] for copy in copies} == {"available", "pending"}
    for row in rows:
        answer = read(row["url"])
        assert answer.status_code == 200
        assert len(answer.content) == int(row["file_size"])
        assert answer.headers["content-type"] == row["file_content_type"]
        assert answer.content.startswith(
            b"%PDF-" if row["file_name"].endswith(".pdf") else b"\x89PNG"
        )


def test_a_statement_is_a_file_and_gets_a_new_link_when_asked_for(qonto: Server) -> None:
    row = ask(qonto, "/v2/statements").json()["statements"][0]
    again = ask(qonto, f"/v2/statements/{row['id']}").json()["statement"]
    first, second = (read(one["file"]["file_url"]) for one in (row, again))
    assert first.content == second.content
    assert len(first.content) == int(row["file"]["file_size"])


@pytest.mark.parametrize("stream", DOCUMENTS)
def test_the_document_of_an_invoice_is_an_attachment(qonto: Server, stream: str) -> None:
    rows = [
        row
        for row in qonto.bank.rows(stream, qonto.bank.organizations[0].id)
        if row["attachment_id"]
    ]
    assert rows
    for row in rows:
        told = ask(qonto, f"/v2/attachments/{row['attachment_id']}").json()["attachment"]
        assert told["id"] == row["attachment_id"]
        assert len(read(told["url"]).content) == int(told["file_size"])


def test_the_truth_tells_of_every_file_what_is_served(qonto: Server) -> None:
    truth = every(qonto.bank, qonto.bank.organizations[0].id)
    kinds = {kind for kind, _ in truth}
    assert len(kinds) == 7
    served = {row["id"]: row for row in receipts(qonto)}
    for id_, row in served.items():
        assert truth["transaction_attachment", id_]() == read(row["url"]).content
        if row["probative_attachment"]["status"] == "available":
            copy = read(row["probative_attachment"]["url"]).content
            assert truth["certified_copy", id_]() == copy


def test_a_receipt_is_an_attachment_too_and_an_unknown_id_is_none(qonto: Server) -> None:
    row = receipts(qonto)[0]
    told = ask(qonto, f"/v2/attachments/{row['id']}").json()["attachment"]
    assert {**told, "url": ""} == {
        **row,
        "url": "",
        "probative_attachment": told["probative_attachment"],
    }
    assert ask(qonto, "/v2/attachments/nobody").status_code == 404


def test_a_link_dies_after_half_an_hour_and_a_new_one_lives(qonto: Server) -> None:
    row = receipts(qonto)[0]
    assert read(row["url"]).status_code == 200
    qonto.clock.advance(1801)
    assert read(row["url"]).status_code == 403
    assert read(receipts(qonto)[0]["url"]).status_code == 200
    qonto.options.link_seconds = -1
    assert read(receipts(qonto)[0]["url"]).status_code == 403


def test_a_signature_can_not_be_made_up(qonto: Server) -> None:
    link = receipts(qonto)[0]["url"]
    for made_up in (link[:-1], link + "0", re.sub(r"signature=\d+", "signature=9999999999", link)):
        assert read(made_up).status_code == 403


def test_files_lie_on_another_host_than_the_api(qonto: Server) -> None:
    link = urlsplit(receipts(qonto)[0]["url"])
    assert f"{link.scheme}://{link.netloc}" == qonto.files.url
    assert link.netloc != urlsplit(qonto.url).netloc


def test_faults_strike_downloads_alone(qonto: Server) -> None:
    qonto.files.faults.add("status", status=503, times=1)
    qonto.files.faults.add("cut", when="mid", times=1)
    qonto.files.faults.add("html", times=1)
    link = receipts(qonto)[0]["url"]
    assert read(link).status_code == 503
    with pytest.raises(requests.RequestException):
        read(link)
    assert read(link).headers["content-type"].startswith("text/html")
    assert read(link).status_code == 200
    assert [asked.status for asked in qonto.files.requests[-4:]] == [503, 200, 200, 200]


@pytest.mark.parametrize("size", [900, 9000, 12_345, 100_000, 999_999])
def test_a_pdf_is_one_that_readers_open(size: int) -> None:
    content = pdf("a-receipt", size)
    assert len(content) == size
    place = int(content.rsplit(b"startxref\n", 1)[1].split()[0])
    assert content[place:].startswith(b"xref\n0 6\n")
    entries = content[place:].splitlines()[3:8]
    for number, entry in enumerate(entries, 1):
        assert content[int(entry[:10]) :].startswith(b"%d 0 obj\n" % number)


@pytest.mark.parametrize("size", [900, 12_345, 100_000])
def test_a_png_is_one_that_readers_open(size: int) -> None:
    content = png("a-receipt", size)
    assert len(content) == size
    place, kinds, pixels = 8, [], b""
    while place < size:
        (length,) = struct.unpack(">I", content[place : place + 4])
        chunk = content[place + 4 : place + 8 + length]
        assert struct.unpack(">I", content[place + 8 + length : place + 12 + length])[
            0
        ] == zlib.crc32(chunk)
        kinds.append(chunk[:4])
        pixels += chunk[4:] if chunk[:4] == b"IDAT" else b""
        place += 12 + length
    assert kinds == [b"IHDR", b"tEXt", b"IDAT", b"IEND"]
    assert len(zlib.decompress(pixels)) == 128 * (1 + 96 * 3)
