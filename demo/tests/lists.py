"""What several tests of lists ask."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from demo.tests.conftest import Client, Row

EVERY = ("completed", "pending", "declined", "reversed")


def main_account(client: Client, number: int = 0) -> str:
    return client.server.bank.organizations[number].accounts[0].id


def transactions(client: Client, number: int = 0, **query: t.Any) -> list[Row]:
    asked = {"bank_account_id": main_account(client, number), **query}
    return [
        row
        for page in client.pages("transactions", number, **asked)
        for row in page["transactions"]
    ]


def nested(**query: t.Any) -> dict[str, t.Any]:
    return {f"filter[{name}]": value for name, value in query.items()}
