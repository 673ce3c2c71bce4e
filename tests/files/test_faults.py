"""What can go wrong with a file: never half of one, and none lost that a second try can get."""

from __future__ import annotations

import typing as t

import pytest
from conftest import NEW, OLD, PDF, Host, pdf
from wire import Call, reply

from tap_qonto.streams.files.archive import Kept
from tap_qonto.streams.files.download import AT_A_TIME, Unfetched, WrongLength

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Answer, Keeper, Make

HALF = PDF[: len(PDF) // 2]
PAGE = reply(b"<!DOCTYPE html><title>Sign in</title>", Content_Type="text/html")
CUT: Answer = [pdf()[:-100]]
CHUNKED: Answer = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%PDF-\r\n"]
UNFRAMED: Answer = [b"HTTP/1.1 200 OK\r\n\r\n" + HALF]


def at_first(fault: Answer, times: int = 1) -> Callable[[Call], Answer]:
    left = [fault] * times
    return lambda _: left.pop() if left else pdf()


def always(fault: Answer) -> Callable[[Call], Answer]:
    return lambda _: fault


# what the old link answers, and how many links Qonto is asked for
COMES: dict[str, tuple[Callable[[Call], Answer], int]] = {
    "nothing": (at_first(pdf()), 0),
    "an expired link, 403": (always(reply(b"<Error/>", 403)), 1),
    "an expired link, 400": (always(reply(b"<Error/>", 400)), 1),
    "a link that is not found": (always(reply(b"", 404)), 1),
    "a link that is gone": (always(reply(b"", 410)), 1),
    "a web page with 200": (always(PAGE), 1),
    "500 three times": (at_first(reply(b"", 500), 3), 0),
    "too many requests": (at_first(reply(b"", 429)), 0),
    "a cut before the answer": (at_first(None), 0),
    "a cut in mid-answer": (at_first(CUT), 0),
    "a cut between chunks": (at_first(CHUNKED), 0),
    "half a file of untold length": (at_first(UNFRAMED), 0),
    "half a file, well framed": (always(pdf(HALF)), 1),
    "twice the file": (always(pdf(PDF + PDF)), 1),
    "an empty file": (at_first(pdf(b"")), 1),
    "a redirect": (at_first(reply(b"", 302, Location=NEW)), 0),
}


@pytest.mark.parametrize("fault", COMES)
def test_a_file_comes_whole_in_spite_of(fault: str, host: Host, keep: Keeper) -> None:
    host.old, asked = COMES[fault]
    (kept,) = keep(host.document())
    assert isinstance(kept, Kept), kept
    assert kept.note is None
    assert (keep.folder / kept.row["path"]).read_bytes() == PDF
    assert keep.everything() == ["o-1/transaction_attachment/f-1/receipt.pdf"]
    assert host.asked == asked


# what any link answers, what is said, and whether it is for Qonto to say
STAYS_AWAY: dict[str, tuple[Callable[[Call], Answer], str, bool]] = {
    "403": (always(reply(b"", 403)), r"its server refuses it \(403\)", True),
    "404": (always(reply(b"", 404)), r"it is gone \(404\)", True),
    "500": (always(reply(b"", 500)), "its server answers 500", False),
    "a cut": (always(CUT), "broke off", False),
    "a web page": (always(PAGE), "its server sends text/html", False),
    "half a file of untold length": (always(UNFRAMED), "broke off", False),
    "too large by its head": (
        always(reply(b"", Content_Length="2000000000")),
        "larger than file_max_bytes",
        True,
    ),
    "a redirect to another scheme": (
        always(reply(b"", 302, Location="https://127.0.0.1:1/")),
        "leads to another scheme",
        True,
    ),
    "a redirect to a file": (always(reply(b"", 302, Location="file:///etc/passwd")), "https", True),
    "a redirect to itself": (always(reply(b"", 302, Location=OLD)), "in a circle", True),
    "a redirect into the network": (
        always(reply(b"", 302, Location="http://10.255.255.1/")),
        "a private address",
        True,
    ),
    "a redirect to the cloud's secrets": (
        always(reply(b"", 302, Location="http://169.254.169.254/")),
        "a link-local address",
        True,
    ),
    "a drip": (always([pdf()[:300], *[b"x", 0.05] * 200]), "broke off", False),
}


@pytest.mark.parametrize("fault", STAYS_AWAY)
def test_a_file_that_does_not_come_is_named_and_leaves_nothing(
    fault: str, host: Host, make: Make
) -> None:
    host.old, why, by_qonto = STAYS_AWAY[fault]
    host.new = host.old
    keep = make(file_max_bytes=1_000_000)
    (lost,) = keep(host.document(content_type="application/pdf"))
    assert isinstance(lost, Unfetched), lost
    assert lost.by_qonto is by_qonto
    with pytest.raises(Unfetched, match=why):
        raise lost
    assert "signature" not in str(lost)
    assert keep.everything() == []


def test_others_are_kept_beside_one_that_does_not_come(host: Host, keep: Keeper) -> None:
    host.new = lambda _: reply(b"", 404)
    documents = [host.document(f"f-{number}", f"/{number}") for number in range(3 * AT_A_TIME)]
    documents.insert(7, host.document("bad", None))
    results = keep(*documents)
    assert isinstance(results.pop(7), Unfetched)
    assert all(isinstance(one, Kept) for one in results)
    assert len(keep.everything()) == 3 * AT_A_TIME


def test_a_length_that_qonto_tells_wrong_costs_a_request_and_not_the_file(
    host: Host, keep: Keeper
) -> None:
    host.told["file_size"] = 12
    (kept,) = keep(host.document(bytes=12))
    assert isinstance(kept, Kept)
    assert kept.note == "it is not as long as Qonto tells"
    assert (keep.folder / kept.row["path"]).read_bytes() == PDF
    assert host.asked == 1


def test_answers_of_several_wrong_lengths_are_not_kept(host: Host, keep: Keeper) -> None:
    host.old = host.new = lambda call: pdf(PDF[: -call.number - 1])
    (lost,) = keep(host.document())
    assert isinstance(lost, WrongLength)
    assert keep.everything() == []


def test_a_larger_file_than_allowed_is_not_read_to_its_end(host: Host, make: Make) -> None:
    parts: list[bytes | float] = [b"10000\r\n" + b"x" * 0x10000 + b"\r\n"] * 64
    host.old = lambda _: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *parts]
    (lost,) = make(file_max_bytes=200_000)(host.document(bytes=None))
    assert "larger than file_max_bytes (200,000 bytes)" in str(lost)


def test_a_download_carries_no_session(host: Host, keep: Keeper) -> None:
    keep(host.document())
    (call,) = host.wire.calls
    assert "authorization" not in call.headers
    assert "x-qonto-organization-id" not in call.headers


def test_passwords_of_netrc_are_not_sent(
    host: Host, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: t.Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password planted\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    make()(host.document())
    assert "authorization" not in host.wire.calls[0].headers


@pytest.mark.parametrize(
    "link", ["http://127.0.0.1:9/x", "ftp://host/x", "https://a:b@host/x", "x"]
)
def test_with_an_api_on_https_no_other_link_is_followed(link: str, host: Host, make: Make) -> None:
    keep = make(api_url="https://qonto.invalid")
    (lost,) = keep(host.document(link=link))
    assert isinstance(lost, Unfetched)
    assert keep.everything() == []


def test_a_public_name_that_leads_into_the_network_is_refused(host: Host, make: Make) -> None:
    keep = make(api_url="https://qonto.invalid")
    port = host.wire.url.rpartition(":")[2]
    (lost,) = keep(host.document(link=f"https://localhost:{port}/x"))
    assert str(lost) == "its link leads to a loopback address"
    assert host.wire.calls == []


def test_no_link_is_in_what_a_document_says_of_itself(host: Host) -> None:
    assert "signature" not in repr(host.document())


def test_links_are_not_asked_for_where_qonto_refuses_them(host: Host, make: Make) -> None:
    keep, answer = make(), host.wire._answer
    host.wire._answer = lambda call: (
        reply(b"{}", 403) if call.target.startswith("/v2/") else answer(call)
    )
    lost = [keep(host.document(f"f-{number}", None))[0] for number in range(30)]
    assert all(isinstance(one, Unfetched) and one.by_qonto for one in lost)
    assert host.asked == 3
