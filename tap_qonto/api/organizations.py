"""Which organizations this run reads, and the bank accounts of each.

In the user flow they come from `GET /v2/user_organizations`, the consent list (Q1). A membership
token or an API key sees one organization: the same row is made from `GET /v2/organization`.
Which flow it is, Qonto's responses tell, and nothing else: no page and no client shows `scope` in
the token response (2026-11), so nothing may depend on it.
"""

from __future__ import annotations

import functools
import hashlib
import re
import threading
import time
import typing as t
from collections import Counter
from concurrent.futures import Future

from tap_qonto.api.responses import Request, Response, is_error
from tap_qonto.errors import (
    LoginRequired,
    QontoError,
    RequestDenied,
    RequestFailed,
    RequestRejected,
    SettingsError,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_qonto.api.session import HasFlow
    from tap_qonto.settings import Settings

Row = dict[str, t.Any]

MOST_PAGES = 1000  # of a list here
REFUSED = frozenset({401, 403, 404, 410})  # how a membership may be refused the list
REFUSALS_IN_A_ROW = 3  # of one organization, before the consent is looked at again
LOOK_AGAIN = 60.0  # seconds between two such looks


class Organizations:
    """The organizations of one run; asks for each thing once, from any thread.

    Sets the flow of `session` as soon as Qonto's responses tell. `failed` is told the id, if there
    is one, and why, of each organization that can't be read.
    """

    def __init__(
        self,
        settings: Settings,
        send: Callable[[Request], Response],
        session: HasFlow,
        submit: Callable[[Request], Future[Response]] | None = None,
        failed: Callable[[str | None, str], None] = lambda _id, _why: None,
    ) -> None:
        self._settings = settings
        self._send = send
        self._submit = submit or self._send_now
        self._session = session
        self._failed = failed
        self._lock = threading.Lock()
        self._rows: list[Row] | None = None
        self._responses: dict[str, Future[Response]] = {}
        self._accounts: dict[str, list[Row]] = {}
        self._refusals: Counter[str] = Counter()
        self._consents: frozenset[str] = frozenset()
        self._looked_at: float | None = None

    def rows(self) -> list[Row]:
        """Return the rows of `user_organizations` that are read, in Qonto's order.

        Raises:
            SettingsError: `organization_ids` names one that the user has not consented to.
            QontoError: the list can't be read.
        """
        with self._lock:
            if self._rows is None:
                rows = self._consented()
                self._consents = frozenset(row["id"] for row in rows)
                self._rows = self._chosen(rows)
            return [dict(row) for row in self._rows]

    def ids(self) -> list[str]:
        """Return the ids of `rows`."""
        return [row["id"] for row in self.rows()]

    @functools.cached_property
    def contexts(self) -> list[dict[str, t.Any]]:
        """The partitions of most streams, `{"organization_id": …}`: they share one list."""
        return [{"organization_id": one} for one in self.ids()]

    def ask_all(self) -> None:
        """Send `GET /v2/organization` for every organization, side by side."""
        for organization_id in self.ids():
            self._asked(organization_id)

    def body(self, organization_id: str) -> Response:
        """Return the response of `GET /v2/organization`: asked once per organization.

        Raises what `Transport.send` raises, each time the same.
        """
        return self._asked(organization_id).result()

    def _asked(self, organization_id: str) -> Future[Response]:
        with self._lock:
            future = self._responses.get(organization_id)
            if future is None:
                future = self._submit(self.request(organization_id))
                self._responses[organization_id] = future
            return future

    def _send_now(self, request: Request) -> Future[Response]:
        future: Future[Response] = Future()
        try:
            future.set_result(self._send(request))
        except BaseException as error:  # noqa: BLE001 - it belongs to all who ask
            future.set_exception(error)
        return future

    def request(self, organization_id: str) -> Request:
        """Make the request behind `body`."""
        external = self._settings.include_external_accounts
        return Request(
            "organization",
            organization_id,
            "/v2/organization",
            (("include_external_accounts", "true"),) if external else (),  # Q28
        )

    def accounts(self, organization_id: str) -> list[Row]:
        """Return all bank accounts, closed ones included (Q27), as `GET /v2/organization` has them.

        Where it gives them without an id, as the example of Qonto's page does (2026-11), or
        answers 200 with something that is no organization, they are those of
        `GET /v2/bank_accounts`; these lack accounts of other banks (Q28).

        Raises:
            QontoError: the organization can't be read, or does not list its accounts.
        """
        body, odd = self.body(organization_id), None
        try:
            listed = organization_of(body).get("bank_accounts")
        except RequestFailed as error:
            if self._settings.include_external_accounts:
                raise
            listed, odd = None, error
        listed = listed if isinstance(listed, list) else None
        found = _by_id(listed or ())
        if listed is not None and len(found) == len(listed):
            return [*found.values()]
        with self._lock:
            if organization_id not in self._accounts:
                others = self._pages("bank_accounts", organization_id, "bank_accounts")
                if odd and not others:  # nothing tells that there is none
                    raise odd
                if any(_id(row) is None for row in others):
                    why = "a bank account came without an id that fits an address: not read"
                    self._failed(organization_id, why)
                self._accounts[organization_id] = [*{**_by_id(others), **found}.values()]
            return self._accounts[organization_id]

    # -- a consent that ends in mid-run ----------------------------------------------------

    def left_consent(self, organization_ids: t.Iterable[str]) -> list[str]:
        """Return those of `organization_ids` that the user has not consented to; after `rows`."""
        return sorted(set(organization_ids) - self._consents)

    def answered(self, organization_id: str) -> None:
        """Note that Qonto answered for this organization."""
        self._refusals.pop(organization_id, None)

    def refused(self, error: RequestDenied, organization_id: str) -> None:
        """Note that Qonto refused something of this organization."""
        if error.status == 403:  # noqa: PLR2004 - what an organization outside the consent gets
            self._refusals[organization_id] += 1

    def is_revoked(self, organization_id: str) -> bool:
        """Was it dropped from the consent since the run began?

        Refusals alone are no proof: a plan or a role gives several in a row (Q2). So after some
        of them the list of consents is asked for again, at most once a minute.
        """
        if self._refusals[organization_id] < REFUSALS_IN_A_ROW or self._session.flow != "user":
            return False
        with self._lock:
            now = time.monotonic()
            if self._looked_at is None or now - self._looked_at >= LOOK_AGAIN:
                self._looked_at = now
                try:
                    self._consents = frozenset(row["id"] for row in self._listed())
                except LoginRequired:
                    raise
                except QontoError:
                    return False
            return organization_id not in self._consents

    def _consented(self) -> list[Row]:
        """Ask for the list of consents; who is refused it, but not one organization, has one."""
        if self._session.flow == "api_key":
            return [self._single()]
        try:
            return self._listed()
        except (RequestDenied, RequestFailed) as error:
            if error.status not in REFUSED:
                raise
            try:
                row = self._single()
            except (RequestDenied, RequestRejected, RequestFailed):
                raise error from None
            self._session.flow = "membership"
            return [row]

    def _listed(self) -> list[Row]:
        rows = self._pages("user_organizations", None, "organizations")
        found = _by_id(rows)
        if rows and not found:
            raise RequestFailed("user_organizations: the response is not the list it should be.")
        for row in rows:
            if _id(row) is None:
                name = row.get("name") if isinstance(row, dict) else None
                what = f"the organization {name}" if isinstance(name, str) else "an organization"
                self._failed(None, f"{what} came without an id that fits a header: not read")
        return [*found.values()]

    def _pages(self, name: str, organization_id: str | None, envelope: str) -> list[t.Any]:
        """Read a list that is short; Qonto's pages tell of no pages here, but there may be some."""
        rows: list[t.Any] = []
        for number in range(1, MOST_PAGES):
            params = (("page", str(number)),) if number > 1 else ()
            body = self._send(Request(name, organization_id, f"/v2/{name}", params)).body
            found = body.get(envelope) if isinstance(body, dict) else body
            if not isinstance(found, list) or is_error(body):
                raise RequestFailed(f"{name}: the response is not the list it should be.")
            new = [row for row in found if row not in rows]
            rows += new
            meta = body.get("meta") if isinstance(body, dict) else None
            if not new or not (isinstance(meta, dict) and meta.get("next_page")):
                break
        return rows

    def _single(self) -> Row:
        row = organization_of(self._send(Request("organization", None, "/v2/organization")))
        own_id = _id(row) or _id({"id": row.get("organization_id")}) or _id({"id": row.get("slug")})
        if own_id is None:
            raise RequestFailed("organization: the response does not tell the organization's id.")
        return {
            "id": own_id,
            "name": row.get("name") or row.get("legal_name") or row.get("slug"),
            **{name: row.get(name) for name in ("legal_name", "legal_number", "legal_country")},
            "membership_role": None,
        }

    def _chosen(self, rows: list[Row]) -> list[Row]:
        wanted = self._settings.organization_ids
        if wanted is not None:
            missing = sorted(set(wanted) - {row["id"] for row in rows})
            if missing:
                problem = (
                    f"organization_ids names {', '.join(missing)}, which the user has not "
                    "consented to. Remove it, or log in again and tick it: tap-qonto-auth login"
                )
                raise SettingsError([problem])
            rows = [row for row in rows if row["id"] in wanted]
        if self._settings.shard is not None:
            number, count = self._settings.shard
            rows = [row for row in rows if shard_of(row["id"], count) == number]
        return rows


def shard_of(organization_id: str, count: int) -> int:
    """Return the shard, from 1 to `count`, that an organization belongs to, now and always."""
    digest = hashlib.sha256(organization_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % count + 1


def organization_of(response: Response) -> Row:
    """Unwrap the body of `GET /v2/organization`."""
    body = response.body
    row = body.get("organization", body) if isinstance(body, dict) else None
    if not isinstance(row, dict) or is_error(body):
        raise RequestFailed("organization: the response is not the object it should be.")
    return row


def _id(row: t.Any) -> str | None:
    """The id of a row, text or number; None if it has none that a header and a path can hold."""
    found = row.get("id") if isinstance(row, dict) else None
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    return found if isinstance(found, str) and re.fullmatch(r"[!-~]{1,128}", found) else None


def _by_id(rows: t.Iterable[t.Any]) -> dict[str, Row]:
    """Those that have an id, each once, by it."""
    return {found: {**row, "id": found} for row in rows if (found := _id(row)) is not None}
