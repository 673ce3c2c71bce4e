"""The server, as a process (`python -m demo`) and on a thread of a test.

    from demo.server import running

    with running(seed=7, organizations=5, transactions=240) as qonto:   # any field of Options
        qonto.url                         "http://127.0.0.1:41237", data and OAuth alike
        qonto.config(**more)              settings for the tap: client_id, client_secret,
                                          refresh_token (a fresh seed), api_url, oauth_url,
                                          rate_limits (the server's: none); plus what you give
        qonto.options                     the running `Options`; change a field, it counts at once
        qonto.requests                    list of `Received`: method, path, query (list of pairs),
                                          organization_id, status, fault, started, ended (seconds)
        qonto.clock.advance(3600)         everything the server dates or expires moves on
        qonto.clock.now()                 aware datetime, UTC
        qonto.consent([id, ...])          what the user consents to from now on (user flow)
        qonto.issue(scope=..., flow="user", organizations=...)    tokens without a browser:
                                          {"access_token", "refresh_token", "scope", ...}
        qonto.api_key(organization_id)    {"api_key_login": slug, "api_key_secret": ...}
        qonto.truth()                     counts and balances that a complete read finds
        qonto.on_request = f              f(received) runs on the server's thread before each data
                                          answer: act there between question and answer

    bank = qonto.bank
        bank.organizations                facts: .id .name .slug .country .accounts .empty .gated
        bank.rows(stream, organization_id)            truth: what all pages together hold
        bank.children(stream, organization_id)        the same by parent id (nested streams)
        bank.user_organizations(ids)                  rows of that stream
        bank.balances(organization_id)                by account id
        bank.edit(stream, organization_id, row_id=None, **changes)  -> row; sets updated_at = now
        bank.add_transactions(organization_id, count=1, account_id=None, status="completed",
                              **fields)               -> list of ids
        bank.delete(stream, organization_id, row_id)  -> row
        bank.advance(edits=5, adds=5)     -> {organization_id: {stream: [ids touched]}}

    qonto.files                           where links to receipts and the like lead: demo/files.py

    faults = qonto.faults                 see demo/faults.py
        faults.add("status", status=503, path="/v2/transactions", times=3)
        faults.clear()

What changes is dated by `clock`, and the `Date` header has no fraction: a reader that stays behind
that header sees a change of this very second in its next run, or after `clock.advance(2)`.

Of the default five organizations the second is `gated` (plan and features missing: 403, 404, 410)
and the last is `empty`; `gates=False` opens all. Rows are made on first demand: ask
`bank.table("transactions", organization_id)` once before timing a long account (100,000 rows take
seconds).

Another process has the same through `GET /demo/config`, `GET /demo/truth`, `POST /demo/advance`,
`POST /demo/faults`, `DELETE /demo/faults`, `POST /demo/consent`, `POST /demo/clock`.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from demo.app import application
from demo.options import Options
from demo.state import Received, State
from demo.web import OnThread

if t.TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Received", "Server", "running"]


class Server(State):
    """The whole of it, in one object; also the handle that `running` yields."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.app = application(self)


@contextmanager
def running(**options: t.Any) -> Iterator[Server]:
    """A server on a thread and a free port; `options` are fields of `Options`.

    It stops at the end of the block; connections that are still open are cut.
    """
    server = Server(Options(**options))
    web, files = OnThread(server), OnThread(server.files)
    server.url, server.files.url = web.start(), files.start()
    try:
        yield server
    finally:
        web.stop()
        files.stop()
