"""The data routes: from a request to Qonto's answer, or to its refusal."""

from __future__ import annotations

import secrets
import typing as t
from urllib.parse import parse_qsl

from starlette.responses import PlainTextResponse, RedirectResponse, Response

from demo import access
from demo.endpoints import BY_PATH, BY_STREAM, Endpoint
from demo.listing import Query, answer, conditions, page_of
from demo.refusals import Refusal, bad_request, not_found
from demo.tables import EMBEDS, Row, encode
from demo.transactions import SIGNATURE

if t.TYPE_CHECKING:
    from starlette.requests import Request

    from demo.bank import Bank
    from demo.oauth import Sessions
    from demo.options import Options
    from demo.organizations import OrganizationFacts

JSON = "application/json; charset=utf-8"


class Api:
    """Answers `/v2/…`. `serve` runs on the event loop and does not wait for anything."""

    def __init__(self, options: Options, bank: Bank, sessions: Sessions) -> None:
        self.options, self.bank, self.sessions = options, bank, sessions

    def serve(self, path: str, query: Query, headers: t.Mapping[str, str], body: bytes) -> Response:
        """The answer to a request for `path`, refusals included."""
        trace = secrets.token_hex(8)
        try:
            text = self._answer(path, query, headers, body)
            status = 200
        except Unknown:
            # the gateway, not the API: text, and no request id (Q84)
            return PlainTextResponse("404 page not found\n", 404, {"x-tyk-trace-id": trace})
        except Refusal as refusal:
            text, status = encode(refusal.body(trace)), refusal.status
        if SIGNATURE.encode() in text:
            text = text.replace(SIGNATURE.encode(), secrets.token_hex(16).encode())  # Q92
        return Response(text, status, {"x-request-id": trace}, JSON)

    def _answer(self, path: str, query: Query, headers: t.Mapping[str, str], body: bytes) -> bytes:
        caller = access.caller(headers.get("authorization", ""), self.bank, self.sessions)
        if path == "/v2/user_organizations":
            access.check(caller, ("user_organization.read",), api_key=False)
            return encode({"organizations": self.user_organizations(caller.organizations)})
        endpoint, parent, alone = find(path)
        access.check(caller, endpoint.scopes, api_key=endpoint.api_key)
        facts = access.organization(caller, headers.get("x-qonto-organization-id"), self.bank)
        access.gate(endpoint, facts, self.options.retired)
        with self.bank.lock:
            if alone:
                return self._one(endpoint, facts, t.cast("str", parent))
            return self._list(endpoint, facts, parent, query)

    def user_organizations(self, ids: t.Sequence[str]) -> list[Row]:
        """The rows of `/v2/user_organizations`: those of `ids` that exist, in the bank's order."""
        return [
            {
                "id": one.id,
                "name": one.name,
                "legal_name": f"{one.name} {one.company.legal_form}",
                "legal_number": one.legal_number,
                "legal_country": one.country,
                "membership_role": one.role,
            }
            for one in self.bank.organizations
            if one.id in ids
        ]

    def _list(
        self, endpoint: Endpoint, facts: OrganizationFacts, parent: str | None, query: Query
    ) -> bytes:
        books = self.bank.books(facts.id)
        if endpoint.stream == "organization":
            external = dict(query).get("include_external_accounts") == "true"
            return encode({"organization": books.organization(external=external)})
        table = books.table(endpoint.stream)
        if endpoint.one:
            (record,) = table.records.values()
            return (
                record.body if endpoint.envelope is None else wrap(endpoint.envelope, record.body)
            )
        includes: t.Iterable[str] = ()
        if endpoint.stream == "transactions":
            query = self._account(facts, query)
            includes = {value for name, value in query if name == "includes[]"}
        if endpoint.size is None:
            rows = b",".join([record.body for record in table.records.values()])
            return b'{"%s":[%s]}' % ((endpoint.envelope or "").encode(), rows)
        return answer(endpoint.envelope, page_of(table, endpoint, query, self.options), includes)

    def _account(self, facts: OrganizationFacts, query: Query) -> Query:
        """The query with `bank_account_id`, from `iban` where it is missing (Q27)."""
        asked = dict(query)
        if asked.get("bank_account_id"):
            wanted = asked["bank_account_id"]
        elif asked.get("iban"):
            wanted = next((one.id for one in facts.accounts if one.iban == asked["iban"]), "")
        else:
            raise bad_request("bank_account_id or iban is missing", "bank_account_id")
        if wanted not in {one.id for one in facts.accounts}:
            raise not_found("Bank account not found")
        rest = [pair for pair in query if pair[0] not in {"bank_account_id", "iban"}]
        return [*rest, ("bank_account_id", wanted)]

    def _one(self, endpoint: Endpoint, facts: OrganizationFacts, id_: str) -> bytes:
        record = self.bank.table(endpoint.stream, facts.id).records.get(id_)
        if record is None:
            raise not_found()
        return wrap((endpoint.envelope or "").removesuffix("s"), record.text(EMBEDS))


class Unknown(Exception):
    """A path that the gateway does not route."""


def find(path: str) -> tuple[Endpoint, str | None, bool]:
    """The endpoint of `path`, the id in it, and whether it asks for that one row alone."""
    endpoint = BY_PATH.get(path)
    if endpoint is not None:
        return endpoint, None, False
    raise Unknown


def wrap(envelope: str, body: bytes) -> bytes:
    return b'{"%s":%s}' % (envelope.encode(), body)


def query_of(request: Request) -> Query:
    return parse_qsl(request.url.query, keep_blank_values=True)


__all__ = ["BY_STREAM", "Api", "conditions"]
