"""What the demo server knows: its data, sessions, faults and the requests that came."""

from __future__ import annotations

import asyncio
import typing as t
from dataclasses import dataclass

from demo.clock import Clock
from demo.data.bank import Bank
from demo.faults import Faults
from demo.files import FileHost
from demo.offer import BY_STREAM
from demo.routes.access import secret_of
from demo.routes.oauth import Answer, Sessions
from demo.wire import Wires

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from demo.options import Options
    from demo.routes.listing import Query


@dataclass
class Received:
    """One request. `status` is 0 where none was sent, `fault` the kind that struck."""

    method: str
    path: str
    query: Query
    organization_id: str | None
    started: float
    ended: float = 0.0
    status: int = 0
    fault: str | None = None


class State:
    """What the routes share, and what tests do to it; `demo.server` has the overview."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = Clock(options.now)
        self.bank = Bank(options, self.clock)
        everything = [one.id for one in self.bank.organizations]
        self.sessions = Sessions(options, self.clock, everything)
        self.faults = Faults(options.seed)
        self.files = FileHost(options, self.clock)
        self.requests: list[Received] = []
        self.on_request: Callable[[Received], None] | None = None
        self.url = ""
        self.wires = Wires()
        self.closing = asyncio.Event()
        self.files = FileHost(options, self.clock)

    def config(self, **more: t.Any) -> dict[str, t.Any]:
        """Settings for the tap, with a fresh session's refresh token and the server's limits."""
        return {
            "client_id": self.options.client_id,
            "client_secret": self.options.client_secret,
            "refresh_token": self.issue()["refresh_token"],
            "api_url": self.url,
            "oauth_url": self.url,
            "rate_limits": [list(window) for window in self.options.rate_limits],
            **more,
        }

    def issue(
        self,
        scope: str | None = None,
        flow: str = "user",
        organizations: Iterable[str] | None = None,
    ) -> Answer:
        """Tokens without a browser, as the token endpoint answers them.

        By default with every scope and for what the user consents to now; in the membership flow
        for the first organization of that.
        """
        if scope is None:
            scopes = self.options.allowed_scopes - {"openid"}
            if flow == "membership":
                scopes -= {"user_organization.read"}
            scope = " ".join(sorted(scopes))
        if organizations is None:
            organizations = list(self.sessions.consented)
        if flow == "membership":
            organizations = list(organizations)[:1]
        return self.sessions.issue(self.sessions.grant(scope, flow, organizations))

    def consent(self, organizations: Iterable[str]) -> None:
        """The user consents anew, to these organizations alone (Q4)."""
        self.sessions.consented[:] = organizations

    def api_key(self, organization_id: str) -> dict[str, str]:
        """The two settings for the API key of an organization."""
        one = self.bank.by_id[organization_id]
        return {"api_key_login": one.slug, "api_key_secret": secret_of(one)}

    def truth(self) -> dict[str, t.Any]:
        """What a complete read by the user finds now.

        `{"user_organizations": n, "organizations": {id: {"name", "country", "rows": {stream: n},
        "balances": {account id: {"name", "currency", "balance_cents", ...}}}}}`. Streams that an
        organization refuses are not among its rows.
        """
        found: dict[str, t.Any] = {}
        for row in self.bank.user_organizations(self.sessions.consented):
            id_ = row["id"]
            counts = {
                stream: len(self.bank.rows(stream, id_))
                for stream in BY_STREAM
                if not self.bank.refuses(stream, id_)
            }
            found[id_] = {
                "name": row["name"],
                "country": row["legal_country"],
                "rows": counts,
                "balances": self.bank.balances(id_),
            }
        return {"user_organizations": len(found), "organizations": found}
