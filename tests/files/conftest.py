"""A host of files and the API that tells of them, on sockets; an archive that reads both."""

from __future__ import annotations

import contextlib
import json
import typing as t
from pathlib import Path

import pytest
import requests.auth
from wire import Call, Wire, reply

from tap_qonto.api.rate_limit import RateLimiter
from tap_qonto.api.transport import Transport
from tap_qonto.settings import Settings
from tap_qonto.streams.files.archive import Archive, Kept
from tap_qonto.streams.files.documents import Document
from tap_qonto.streams.files.download import Patience

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Answer = t.Any  # what a `Wire` sends: bytes, a list of bytes and pauses, or nothing

PDF = b"%PDF-1.4\n" + b"%of one page\n" * 2000
OLD, NEW = "/old?signature=aaa", "/new?signature=bbb"
QUICK = Patience(connect=1, read=1, whole=2, tries=4, longest_pause=0.01)


class Signed(requests.auth.AuthBase):
    """A session that never ends."""

    flow, granted_scopes = "user", None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = "Bearer planted"
        return request


class Host:
    """Answers the old link of a document with `old`, the new one with `new`.

    The API, on the same socket, tells of each attachment with the new link.
    """

    def __init__(self) -> None:
        self.old: Callable[[Call], Answer] = lambda _: pdf()
        self.new: Callable[[Call], Answer] = lambda _: pdf()
        self.told: dict[str, t.Any] = {"file_name": "receipt.pdf", "file_size": str(len(PDF))}
        self.wire = Wire(self._answer)

    def _answer(self, call: Call) -> Answer:
        if call.target.startswith("/v2/"):
            body = {"attachment": {**self.told, "url": self.wire.url + NEW}}
            return reply(json.dumps(body).encode())
        return self.new(call) if call.target == NEW else self.old(call)

    @property
    def asked(self) -> int:
        """How many links Qonto was asked for."""
        return sum(call.target.startswith("/v2/") for call in self.wire.calls)

    def document(self, file_id: str = "f-1", link: str | None = OLD, **more: t.Any) -> Document:
        facts = {"name": "receipt.pdf", "bytes": len(PDF), **more}
        if link and link.startswith("/"):
            link = self.wire.url + link
        return Document("transaction_attachment", file_id, "t-1", link=link, **facts)


def pdf(content: bytes = PDF, status: int = 200, **headers: str) -> bytes:
    return reply(content, status, **{"Content_Type": "application/pdf", **headers})


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    with host.wire:
        yield host


class Keeper:
    """An archive, and the folder that it keeps files in."""

    def __init__(self, archive: Archive, folder: Path) -> None:
        self.archive, self.folder = archive, folder

    def __call__(self, *documents: Document) -> list[Kept | BaseException]:
        """Keep documents; what each gave or raised."""
        futures = [self.archive.keep(one, "o-1") for one in documents]
        return [one.exception(timeout=30) or one.result() for one in futures]

    def everything(self) -> list[str]:
        found = self.folder.rglob("*")
        return sorted(str(one.relative_to(self.folder)) for one in found if one.is_file())


Make = t.Callable[..., Keeper]


@pytest.fixture
def make(host: Host, tmp_path: Path) -> Iterator[Make]:
    """Make an archive over real sockets; `more` are settings."""
    with contextlib.ExitStack() as stack:

        def made(patience: Patience = QUICK, **more: t.Any) -> Keeper:
            folder = str(more.pop("files", tmp_path / "files"))
            facts = {"client_id": "a", "client_secret": "b", "api_url": host.wire.url}
            settings = Settings.from_config({**facts, "files": folder, **more})
            signed = t.cast("t.Any", Signed())
            transport = Transport(settings, signed, RateLimiter([]), "tap-qonto/0")
            stack.callback(transport.close)
            return Keeper(Archive("files", settings, transport, patience), Path(folder))

        yield made


@pytest.fixture
def keep(make: Make) -> Keeper:
    return make()
