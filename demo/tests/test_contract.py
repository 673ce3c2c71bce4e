"""The demo's rows are those of the contract: every stream, every organization, every field."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from demo.data.tables import EMBEDS
from demo.offer import BY_STREAM, ENDPOINTS, STATUSES

CONTRACT = Path(__file__).parents[2] / "contract" / "openapi.yaml"
DOCUMENT: Row = yaml.load(
    CONTRACT.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
)
if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.tests.conftest import Client, Row

OPERATIONS = {
    operation["x-stream"]: (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if isinstance(operation, dict) and operation.get("x-stream")
}


EVERY_SUPPLIER = {"filter": {"statuses": ["unarchived", "archived"]}}
QUERIES: dict[str, tuple[Row, ...]] = {
    "international_beneficiaries": ({"currency": "USD"}, {"currency": "GBP"}, {"currency": "CAD"}),
    "international_currencies": ({"source": "EUR"}, {"source": "USD"}),
    "client_invoices": ({"exclude_imported": "false"},),
}
# fields that no row of the demo has a value in
UNFILLED = {
    ("organization", "bank_accounts.organization_id"),  # Q57
    ("bank_accounts", "slug"),  # Q57
    ("client_invoices", "deposit_amount"),  # Q63: null in every sample
    ("client_invoices", "invoice_number"),  # seen by one client only
    ("client_invoices", "client_id"),  # seen by one client only
    ("client_invoices", "discount.amount"),
    ("client_invoices", "discount.amount_cents"),
    ("credit_notes", "items.vat_exemption_reason"),
    ("credit_notes", "client.first_name"),  # no individual gets one
    ("credit_notes", "client.last_name"),
    ("credit_notes", "client.tax_identification_number"),
    ("credit_notes", "client.delivery_address"),
    ("recurring_invoices", "client"),  # inferred; client_id is sent
    ("recurring_invoices", "email_template"),  # inferred, shape unknown
    ("recurring_invoices", "discount.amount"),
    ("recurring_invoices", "discount.amount_cents"),
    ("recurring_invoices", "items.discount.amount"),
    ("recurring_invoices", "items.discount.amount_cents"),
    ("webhook_subscriptions", "description"),  # Q68
}


def body_schema(stream: str) -> Row:
    operation = OPERATIONS[stream][2]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return {**schema, "components": DOCUMENT["components"]}


def row_schema(stream: str) -> Row:
    """The schema of one row, as found below the envelope."""
    schema = body_schema(stream)
    envelope = BY_STREAM[stream].envelope if stream in BY_STREAM else "organizations"
    found: Row = schema
    if envelope is not None:
        options = [found, *found.get("anyOf", ()), *found.get("oneOf", ())]
        found = next(
            one["properties"][envelope] for one in options if envelope in one.get("properties", {})
        )
        found = found.get("items", found)
    while "$ref" in found:
        found = DOCUMENT["components"]["schemas"][found["$ref"].rpartition("/")[2]]
    return found


def answers(client: Client, stream: str, number: int) -> list[Row]:
    """Bodies that a complete read of `stream` gets."""
    endpoint, bank = BY_STREAM[stream], client.server.bank
    facts, path = bank.organizations[number], endpoint.path.removeprefix("/v2/")
    if endpoint.nested:
        parents = list(bank.children(stream, facts.id))[-5:]
        return [client.ask(path.replace("{id}", one), number).json() for one in parents]
    if endpoint.method == "POST":
        return [client.ask(path, number, body=EVERY_SUPPLIER).json()]
    if stream == "transactions":
        return [
            page
            for account in bank.balances(facts.id)
            for status in STATUSES
            for page in client.pages(
                path, number, bank_account_id=account, includes__=EMBEDS, status__=status
            )
        ]
    queries = QUERIES.get(stream, ({},))
    return [client.ask(path, number, **query).json() for query in queries]


@pytest.mark.parametrize("stream", [*BY_STREAM])
def test_every_answer_obeys_the_contract(reader: Client, stream: str) -> None:
    formats = ["date"] if stream == "teams" else ["date", "uuid"]  # Q47
    validator = Draft202012Validator(body_schema(stream), format_checker=FormatChecker(formats))
    known, endpoint = set(row_schema(stream).get("properties", {})), BY_STREAM[stream]
    for number in (0, 3, 4) if stream == "transactions" else (0, 2, 3, 4):
        found: list[Row] = []
        for body in answers(reader, stream, number):
            problems = [f"{list(one.path)}: {one.message}" for one in validator.iter_errors(body)]
            assert not problems, problems[:5]
            rows = body if endpoint.envelope is None else body[endpoint.envelope]
            found += rows if isinstance(rows, list) else [rows]
        for row in found:
            assert set(row) <= known, set(row) - known
        if not endpoint.nested:
            truth = reader.server.bank.rows(stream, reader.server.bank.organizations[number].id)
            sent = json.loads(json.dumps(truth, default=float))
            assert sorted(map(unsigned, found)) == sorted(map(unsigned, sent))


def test_every_field_of_the_contract_has_a_value_somewhere(reader: Client) -> None:
    bank = reader.server.bank
    missing = {
        (stream, path)
        for stream in BY_STREAM
        if stream != "child_transaction_links"  # holds transactions, of fees alone
        for path in unfilled(
            row_schema(stream),
            [row for one in bank.organizations for row in bank.rows(stream, one.id, external=True)],
        )
    }
    assert missing == UNFILLED


def unfilled(schema: Row, values: list[t.Any], path: str = "") -> Iterator[str]:
    """Paths of the fields of `schema` that have neither value nor item in any of `values`."""
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for choice in schema.get("anyOf", ()):
        yield from unfilled(choice, values, path)
    for name, below in schema.get("properties", {}).items():
        found = [one[name] for one in values if isinstance(one, dict) and name in one]
        found = [one for one in found if one is not None and one != []]
        if not found:
            yield f"{path}{name}"
        yield from unfilled(below, found, f"{path}{name}.") if found else ()
    if "items" in schema:
        inside = [item for one in values if isinstance(one, list) for item in one]
        yield from unfilled(schema["items"], inside, path)


def unsigned(row: Row) -> str:
    """`row` as text, without the links that differ at each answer."""
    return re.sub(r'"[^"]*[?&]signature=[^"]*"', '"a link"', json.dumps(row, sort_keys=True))


def test_the_demo_offers_every_list_of_the_contract() -> None:
    assert {*BY_STREAM, "user_organizations"} == {*OPERATIONS}
    for endpoint in ENDPOINTS:
        path, method, operation = OPERATIONS[endpoint.stream]
        assert (endpoint.path, endpoint.method) == (path, method.upper())
        assert endpoint.envelope == operation["x-envelope"]
        assert set(endpoint.scopes) == set(operation["x-oauth-scopes"])
        assert endpoint.api_key == (operation["x-api-key-access"] is not False)


def test_page_sizes_and_page_facts_are_those_of_the_contract() -> None:
    for endpoint in ENDPOINTS:
        said = OPERATIONS[endpoint.stream][2]["x-pagination"]
        if endpoint.size is None:
            assert said["style"] == "none"
        else:
            assert endpoint.size[0] == said["default-size"]
            assert endpoint.size[1] == (said.get("max-size") or 100)
            assert endpoint.meta == (said["meta"] is not None)


def test_the_user_organizations_obey_the_contract(reader: Client) -> None:
    body = reader.ask("user_organizations", None).json()
    assert not list(Draft202012Validator(body_schema("user_organizations")).iter_errors(body))
    assert len(body["organizations"]) == 5
    assert "meta" not in body
