"""Pages, their `meta` and the order of their rows, also where it hurts."""

from __future__ import annotations

import typing as t

import pytest

from demo.server import running
from demo.tests.conftest import Client
from demo.tests.lists import main_account, transactions


def test_pages_follow_each_other_without_gap_or_repeat(reader: Client) -> None:
    whole = [row["id"] for row in transactions(reader, sort_by="updated_at:asc")]
    bodies = list(
        reader.pages(
            "transactions",
            bank_account_id=main_account(reader),
            sort_by="updated_at:asc",
            per_page=7,
        )
    )
    assert [row["id"] for body in bodies for row in body["transactions"]] == whole
    assert len(whole) == len(set(whole))
    metas = [body["meta"] for body in bodies]
    assert [meta["current_page"] for meta in metas] == list(range(1, len(metas) + 1))
    assert [meta["next_page"] for meta in metas] == [*range(2, len(metas) + 1), None]
    assert metas[0]["prev_page"] is None
    assert {meta["total_count"] for meta in metas} == {len(whole)}


def test_a_page_beyond_the_end_is_empty(reader: Client) -> None:
    body = reader.ask("labels", page=99).json()
    assert body["labels"] == []
    assert body["meta"]["total_pages"] == 1


def test_page_sizes_have_their_defaults_and_a_ceiling(reader: Client) -> None:
    assert reader.ask("clients").json()["meta"]["per_page"] == 25
    assert reader.ask("sepa/beneficiaries").json()["meta"]["per_page"] == 25
    assert reader.ask("labels", per_page=5000).json()["meta"]["per_page"] == 100
    assert reader.ask("client_invoices", per_page=5000).json()["meta"]["per_page"] == 500


@pytest.mark.parametrize("page", ["0", "-1", "undefined", "1.5", ""])
def test_a_nonsense_page_is_400(reader: Client, page: str) -> None:
    assert reader.ask("labels", page=page).status_code == 400


def test_the_older_spelling_of_the_page_is_understood(reader: Client) -> None:
    assert reader.ask("labels", current_page=2).json()["meta"]["current_page"] == 2


def test_cards_leave_out_next_page_at_the_end(reader: Client) -> None:
    assert reader.ask("cards", per_page=5).json()["meta"]["next_page"] == 2
    assert "next_page" not in reader.ask("cards", per_page=5, page=2).json()["meta"]


def test_payment_links_say_zero_when_there_are_none(reader: Client) -> None:
    assert reader.ask("payment_links", 4).json()["meta"]["next_page"] == 0
    assert reader.ask("payment_links", 0).json()["meta"]["next_page"] is None


def test_accounts_and_attachments_come_without_meta(reader: Client) -> None:
    assert set(reader.ask("bank_accounts").json()) == {"bank_accounts"}
    parent = next(row["id"] for row in transactions(reader) if row["attachment_ids"])
    assert set(reader.ask(f"transactions/{parent}/attachments").json()) == {"attachments"}
    assert len(reader.ask("bank_accounts", per_page=3, page=2).json()["bank_accounts"]) == 1


def test_counts_can_lie_or_be_missing(client: Client) -> None:
    true = client.ask("labels").json()["meta"]["total_count"]
    client.server.options.total_count = "wrong"
    assert client.ask("labels").json()["meta"]["total_count"] != true
    client.server.options.total_count = "missing"
    assert "total_count" not in client.ask("labels").json()["meta"]


def test_rows_of_equal_keys_come_in_another_order_at_each_request(client: Client) -> None:
    """As a database gives them that sorts by that key alone; keys that differ stay in order."""

    def orders(**query: t.Any) -> set[tuple[str, ...]]:
        bodies = [client.ask("cards", **query).json()["cards"] for _ in range(30)]
        assert all(
            [r["status"] for r in body] == sorted(r["status"] for r in body) for body in bodies
        )
        return {tuple(row["id"] for row in body) for body in bodies}

    def pages() -> list[str]:
        asked = [
            client.ask("cards", sort_by="status:asc", per_page=2, page=n) for n in (1, 2, 3, 4)
        ]
        return [row["id"] for answer in asked for row in answer.json()["cards"]]

    options = client.server.options
    assert len(orders()) > 1
    assert len(orders(sort_by="status:asc")) > 1
    assert any(len(set(pages())) < 7 for _ in range(30))  # some twice, so some not at all
    options.ties = "unsorted"
    assert len(orders()) > 1
    assert len(orders(sort_by="status:asc")) == 1
    options.ties = "stable"
    assert len(orders()) == 1
    assert len(set(pages())) == 7


def test_a_row_alone_with_its_key_keeps_its_place(reader: Client) -> None:
    def ids(**query: t.Any) -> tuple[str, ...]:
        return tuple(row["id"] for row in reader.ask("cards", **query).json()["cards"])

    assert len({ids(sort_by="created_at:asc") for _ in range(5)}) == 1
    assert ids(sort_by="created_at:desc") == ids(sort_by="created_at:asc")[::-1]


def test_shuffled_ties_are_repeatable() -> None:
    def orders() -> list[list[str]]:
        with running(seed=5, transactions=0) as server:
            client = Client(server)
            bodies = [client.ask("cards").json()["cards"] for _ in range(5)]
            client.close()
            return [[row["id"] for row in body] for body in bodies]

    assert orders() == orders()
