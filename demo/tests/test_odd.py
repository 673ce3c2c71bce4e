"""Each name of `demo/odd.py` changes what it says, and an answer is as it was without it."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import pytest
import requests

from demo.command import parser
from demo.odd import ODD, checked
from demo.server import running
from demo.tests.conftest import Client

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.tests.conftest import Row


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Of a server with books large enough to have paid invoices (`demo.data.plan.ENOUGH`)."""
    with running(seed=7) as server:
        one = Client(server)
        yield one
        one.close()


def ask(client: Client, path: str, **query: t.Any) -> t.Any:
    """The body of an answer, or its status where that is not 200."""
    answer = client.ask(path, **query)
    return answer.json(parse_float=Decimal) if answer.status_code == 200 else answer.status_code


def transactions(client: Client, **query: t.Any) -> t.Any:
    account = client.server.bank.organizations[0].accounts[0].id
    return ask(client, "transactions", bank_account_id=account, **query)


def refreshed(client: Client) -> Row:
    options, tokens = client.server.options, client.server.issue()
    form = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": options.client_id,
        "client_secret": options.client_secret,
    }
    return {
        "first": tokens.get("scope"),
        "then": requests.post(f"{client.server.url}/oauth2/token", form, timeout=20)
        .json()
        .get("scope"),
    }


def accounts(client: Client) -> list[Row]:
    return t.cast("list[Row]", ask(client, "organization")["organization"]["bank_accounts"])


def deep(client: Client) -> t.Any:
    """What stands behind row 4, where pages have two rows."""
    body = ask(client, "labels", per_page=2, page=3)
    return body if isinstance(body, int) else [row["id"] for row in body["labels"]]


def rising(rows: list[Row]) -> bool:
    """Sorted by changes, and not all of one moment."""
    keys = [row["updated_at"] for row in rows]
    return keys == sorted(keys) and len({*keys}) > 1


def foreign(client: Client) -> int:
    """What an organization outside the consent answers."""
    every = [one.id for one in client.server.bank.organizations]
    client.server.consent(every[1:])
    try:
        return client.ask("labels").status_code
    finally:
        client.server.consent(every)


def unsorted(client: Client) -> bool:
    body = transactions(client, sort_by="updated_at:asc")
    keys = [row["updated_at"] for row in body["transactions"]]
    return keys != sorted(keys)


CHECKS: dict[str, Callable[[Client], bool]] = {
    "end-refused": lambda one: ask(one, "labels", page=9) == 422,
    "end-missing": lambda one: ask(one, "labels", page=9) == 404,
    "deep-refused": lambda one: deep(one) == 422,
    "deep-empty": lambda one: deep(one) == [],
    "deep-again": lambda one: (
        deep(one) == [row["id"] for row in ask(one, "labels", per_page=2, page=2)["labels"]]
    ),
    "size-refused": lambda one: ask(one, "quotes", per_page=500) == 422,
    "size-capped": lambda one: transactions(one)["meta"]["per_page"] == 50,
    "meta-missing": lambda one: "meta" not in ask(one, "labels"),
    "meta-counts": lambda one: ask(one, "labels")["meta"] == {"total_count": 8},
    "count-capped": lambda one: ask(one, "labels")["meta"]["total_count"] == 4,
    "organizations-paged": lambda one: (
        len(one.ask("user_organizations", None, page=3).json()["organizations"]) == 1
    ),
    "order-reversed": lambda one: rising(ask(one, "sepa/bulk_transfers")["bulk_transfers"]),
    "envelope-other": lambda one: "data" in ask(one, "labels"),
    "sort-refused": lambda one: transactions(one, sort_by="updated_at:asc") == 422,
    "sort-ignored": unsorted,
    "filter-refused": lambda one: transactions(one, updated_at_from="2020-01-01T00:00:00Z") == 422,
    "filter-ignored": lambda one: bool(
        transactions(one, updated_at_from="2099-01-01T00:00:00Z")["transactions"]
    ),
    "includes-refused": lambda one: transactions(one, includes__=["labels"]) == 422,
    "status-single": lambda one: transactions(one, status__=["pending", "completed"]) == 422,
    "status-unknown": lambda one: transactions(one, status__=["reversed"]) == 422,
    "foreign-missing": lambda one: foreign(one) == 404,
    "scope-untold": lambda one: refreshed(one) == {"first": None, "then": None},
    "scope-once": lambda one: refreshed(one)["then"] is None is not refreshed(one)["first"],
    "scope-short": lambda one: refreshed(one)["then"] == "offline_access organization.read",
    "scope-commas": lambda one: "card.read,cash_flow_category.read" in refreshed(one)["then"],
    "amounts-as-text": lambda one: all(
        isinstance(row[name], str)
        for row in ask(one, "bank_accounts")["bank_accounts"]
        for name in ("balance", "balance_cents", "authorized_balance_cents")
    ),
    "floats": lambda one: isinstance(accounts(one)[0]["balance_cents"], Decimal),
    "no-dates": lambda one: "" in {row["last_activity_at"] for row in ask(one, "cards")["cards"]},
    "nulls-in-lists": lambda one: all(
        None in row["label_ids"] for row in transactions(one)["transactions"]
    ),
    "ids-for-objects": lambda one: any(
        isinstance(match, str)
        for row in ask(one, "supplier_invoices")["supplier_invoices"]
        for match in row["matched_transactions"] or ()
    ),
    "new-fields": lambda one: all(
        row.get("brand_new") == row["cashflow_category"].get("brand_new") == {"a": 1}
        for row in transactions(one)["transactions"]
    ),
    "other-types": lambda one: all(
        isinstance(row["side"], dict) and "none" in row.values()
        for row in transactions(one)["transactions"]
    ),
    "row-without-key": lambda one: (
        ["id" in row for row in ask(one, "labels")["labels"]][:2] == [False, True]
    ),
    "keys-long": lambda one: (
        [len(row["id"]) for row in ask(one, "labels")["labels"]][:2] == [200, 36]
    ),
    "keys-twice": lambda one: len({row["id"] for row in ask(one, "labels")["labels"]}) == 7,
    "accounts-without-id": lambda one: not any("id" in row for row in accounts(one)),
    "errors-as-rows": lambda one: "reason" in ask(one, "subscription"),
}


def test_every_oddity_is_checked_here() -> None:
    assert list(CHECKS) == list(ODD)


@pytest.mark.parametrize("name", CHECKS)
def test_an_oddity_changes_what_it_says_and_only_while_it_is_asked_for(
    client: Client, name: str
) -> None:
    options = client.server.options
    options.deepest = 4
    assert not CHECKS[name](client)
    options.odd = frozenset([name])
    try:
        assert CHECKS[name](client)
    finally:
        options.odd = frozenset()
    assert not CHECKS[name](client)


def test_a_name_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"odd is 'end-refuse': use one of end-refused, "):
        checked(["end-refuse"])


def test_the_command_explains_every_oddity() -> None:
    text = parser().format_help()
    assert all(name in text and what in text for name, what in ODD.items())
