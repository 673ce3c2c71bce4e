"""The data routes: from a request to Qonto's answer, or to its refusal."""

from __future__ import annotations

import json
import random
import secrets
import typing as t
from itertools import count

from starlette.responses import PlainTextResponse, Response

from demo import odd
from demo.data.tables import Wish, encode
from demo.files import SIGNED, attachment
from demo.offer import ATTACHMENTS, BY_PATH
from demo.routes import access
from demo.routes.listing import Query, answer, conditions, page_of
from demo.routes.refusals import Refusal, bad_request, not_found, unprocessable

if t.TYPE_CHECKING:
    from demo.data.bank import Bank
    from demo.data.books import Books
    from demo.data.facts import OrganizationFacts
    from demo.endpoints import Endpoint
    from demo.files import FileHost
    from demo.options import Options
    from demo.routes.oauth import Sessions

JSON = "application/json; charset=utf-8"
ATTACHMENT = "/v2/attachments/"


class Unrouted(Exception):  # noqa: N818 - an answer, not a mistake
    """A path or method that the gateway does not know."""


class Call(t.NamedTuple):
    """A data request."""

    method: str
    path: str
    query: Query
    headers: t.Mapping[str, str]
    body: bytes


class Api:
    """Answers `/v2/…`. `serve` runs on the event loop and does not wait for anything."""

    def __init__(self, options: Options, bank: Bank, sessions: Sessions, files: FileHost) -> None:
        self.options, self.bank, self.sessions, self.files = options, bank, sessions, files
        self._lists = count()

    def serve(self, call: Call) -> Response:
        """The answer to `call`, refusals included."""
        trace = secrets.token_hex(8)
        try:
            text, status = self._answer(call), 200
        except Unrouted:
            # the gateway, not the API: text, and no request id (Q84)
            return PlainTextResponse("404 page not found\n", 404, {"x-tyk-trace-id": trace})
        except Refusal as refusal:
            text, status = encode(refusal.body(trace)), refusal.status
        if SIGNED in text:
            text = self.files.sign(text)  # Q92
        return Response(text, status, {"x-request-id": trace}, JSON)

    def _answer(self, call: Call) -> bytes:
        caller = access.caller(call.headers.get("authorization", ""), self.bank, self.sessions)
        if call.path == "/v2/user_organizations":
            access.check(caller, ("user_organization.read",), api_key=False)
            return self._organizations(caller, call.query)
        if call.path.startswith(ATTACHMENT):
            return self._attachment(caller, call)
        endpoint, id_ = find(call.method, call.path)
        access.check(caller, endpoint.scopes, api_key=endpoint.api_key)
        facts = self._organization(caller, call)
        access.gate(endpoint, facts, self.options.retired)
        with self.bank.lock:
            books = self.bank.books(facts.id)
            if id_ is not None and not endpoint.nested:
                return self._one(endpoint, books, id_)
            if endpoint.one or endpoint.size is None:
                text = self._whole(endpoint, books, call.query)
            else:
                text = self._list(endpoint, books, id_, call)
        return odd.body(endpoint, text, self.options.odd)

    def _organization(self, caller: access.Caller, call: Call) -> OrganizationFacts:
        header = call.headers.get("x-qonto-organization-id")
        return access.organization(caller, header, self.bank, self.options.odd)

    def _organizations(self, caller: access.Caller, query: Query) -> bytes:
        rows = self.bank.user_organizations(caller.organizations)
        if "organizations-paged" not in self.options.odd:
            return encode({"organizations": rows})
        number, pages = int(dict(query).get("page", 1)), -(-len(rows) // 2)
        meta = {
            "current_page": number,
            "next_page": number + 1 if number < pages else None,
            "total_pages": pages,
            "total_count": len(rows),
        }
        return encode({"organizations": rows[number * 2 - 2 : number * 2], "meta": meta})

    def _attachment(self, caller: access.Caller, call: Call) -> bytes:
        access.check(caller, ATTACHMENTS, api_key=True)
        facts = self._organization(caller, call)
        with self.bank.lock:
            row = attachment(self.bank.books(facts.id), call.path.removeprefix(ATTACHMENT))
        if row is None:
            raise not_found()
        return wrap("attachment", encode(row))

    def _whole(self, endpoint: Endpoint, books: Books, query: Query) -> bytes:
        """Bodies of one row, flat or in an envelope, and lists without pages."""
        if endpoint.stream == "organization":
            external = dict(query).get("include_external_accounts") == "true"
            return wrap("organization", encode(books.organization(external=external)))
        equals, spans = conditions(endpoint, query, self.options)
        table = books.table(endpoint.stream)
        records, _ = table.select(Wish(equals, spans), 0, len(table.records))
        bodies = [record.body for record in records]
        text = bodies[0] if endpoint.one else b"[%s]" % b",".join(bodies)
        return wrap(endpoint.envelope, text)

    def _list(self, endpoint: Endpoint, books: Books, parent: str | None, call: Call) -> bytes:
        query = call.query if endpoint.method == "GET" else search(call.body)
        includes: t.Collection[str] = ()
        if endpoint.stream == "transactions":
            query = with_account(books.facts, query)
            includes = {value for name, value in query if name == "includes[]"}
            if includes and "includes-refused" in self.options.odd:
                raise unprocessable("invalid_includes", "includes is not supported", "includes[]")
        table = (
            books.table(endpoint.stream) if parent is None else books.below(endpoint.stream, parent)
        )
        if table is None:
            raise not_found()
        if endpoint.stream == "payment_link_payments":
            query = [*query, ("_parent", t.cast("str", parent))]
        return answer(
            endpoint.envelope, page_of(table, endpoint, query, self.options, self._ties()), includes
        )

    def _ties(self) -> random.Random:
        """Chance of a request: the same at the same request to a server of the same seed."""
        return random.Random(self.options.seed << 32 | next(self._lists))

    def _one(self, endpoint: Endpoint, books: Books, id_: str) -> bytes:
        record = books.table(endpoint.stream).records.get(id_)
        if record is None:
            raise not_found()
        return wrap(endpoint.single, record.text())


def find(method: str, path: str) -> tuple[Endpoint, str | None]:
    """The endpoint of `path`, and the id in it, be it that of the row or of its parent.

    Raises:
        Unrouted: there is none.
    """
    endpoint, id_ = BY_PATH.get(path), None
    if endpoint is None:
        head, _, id_ = path.rpartition("/")
        endpoint = BY_PATH.get(head)
        if endpoint is None:
            head, _, parent = head.rpartition("/")
            endpoint, id_ = BY_PATH.get(f"{head}/{{id}}/{id_}"), parent
        elif endpoint.single is None:
            endpoint = None
    if endpoint is None or endpoint.method != method:
        raise Unrouted
    return endpoint, id_


def with_account(facts: OrganizationFacts, query: Query) -> Query:
    """The query with `bank_account_id`, from `iban` where it is missing (Q27)."""
    asked = dict(query)
    wanted = asked.get("bank_account_id")
    if not wanted and not asked.get("iban"):
        raise bad_request("bank_account_id or iban is missing", "bank_account_id")
    for account in facts.accounts:
        if account.id == wanted or (not wanted and account.iban == asked["iban"]):
            rest = [pair for pair in query if pair[0] not in {"bank_account_id", "iban"}]
            return [*rest, ("bank_account_id", account.id)]
    raise not_found("Bank account not found")


def search(body: bytes) -> Query:
    """The JSON body of `POST /v2/suppliers/search` as a query."""
    try:
        wishes = json.loads(body or b"{}")
        filters, sort = wishes.get("filter") or {}, wishes.get("sort") or {}
        query = [(name, str(value)) for name, value in (wishes.get("pagination") or {}).items()]
        query += [("statuses", value) for value in filters.get("statuses") or []]
        query += [("ids", value) for value in filters.get("ids") or []]
    except (ValueError, AttributeError, TypeError):
        raise bad_request("the body is not valid", "body") from None
    if filters.get("search"):
        query.append(("search", filters["search"]))
    if sort:
        query.append(("sort_by", f"{sort.get('field', 'name')}:{sort.get('direction', 'asc')}"))
    return query


def wrap(envelope: str | None, body: bytes) -> bytes:
    return b'{"%s":%s}' % (envelope.encode(), body) if envelope else body
