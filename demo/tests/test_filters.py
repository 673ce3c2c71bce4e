"""Filters and orders, as the contract has them."""

from __future__ import annotations

import typing as t

import pytest

from demo.tests.lists import main_account, nested, transactions
from demo.values import since_epoch

if t.TYPE_CHECKING:
    from demo.tests.conftest import Client, Row


@pytest.mark.parametrize("field", ["updated_at", "emitted_at", "settled_at", "created_at"])
def test_bounds_on_moments_hold(reader: Client, field: str) -> None:
    rows = transactions(reader, sort_by=f"{field}:asc")
    assert [row[field] for row in rows] == sorted(row[field] for row in rows)
    low, high = rows[20][field], rows[60][field]
    found = transactions(reader, **{f"{field}_from": low, f"{field}_to": high})
    assert {row["id"] for row in found} == {row["id"] for row in rows if low <= row[field] <= high}


def test_descending_is_ascending_backwards(reader: Client) -> None:
    up = [row["updated_at"] for row in transactions(reader, sort_by="updated_at:asc")]
    down = transactions(reader, sort_by="updated_at:desc", per_page=9)
    assert [row["updated_at"] for row in down] == up[::-1]


@pytest.mark.parametrize("style", ["{}", "{}000+00:00", "{}Z", "{} ", "{}+01:00"])
def test_moments_are_read_in_every_iso_style(reader: Client, style: str) -> None:
    moment = style.format("2026-01-01T00:00:00.000")
    transactions(reader, updated_at_from=moment)


def test_a_bound_that_is_no_moment_is_422(reader: Client) -> None:
    for bad in ("yesterday", "2026-13-01T00:00:00Z", "1,5"):
        answer = reader.ask(
            "transactions", bank_account_id=main_account(reader), updated_at_from=bad
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["source"] == {"parameter": "updated_at_from"}


def test_the_inclusiveness_of_the_bounds_can_be_chosen(client: Client) -> None:
    rows = transactions(client, sort_by="updated_at:asc")
    edge = rows[10]["updated_at"]

    def among(**query: t.Any) -> bool:
        return rows[10]["id"] in {row["id"] for row in transactions(client, **query)}

    options = client.server.options
    assert among(updated_at_from=edge)
    assert among(updated_at_to=edge)
    options.updated_at_from = options.updated_at_to = "exclusive"
    assert not among(updated_at_from=edge)
    assert not among(updated_at_to=edge)
    options.updated_at_from = "seconds"
    assert among(updated_at_from=edge[:20] + "999Z")
    options.updated_at_to = "ignored"
    assert among(updated_at_to="2000-01-01T00:00:00Z")


def test_imported_invoices_are_hidden_unless_asked_for(reader: Client) -> None:
    bank, facts = reader.server.bank, reader.server.bank.organizations[0]
    every = bank.rows("client_invoices", facts.id)
    shown = reader.ask("client_invoices").json()["client_invoices"]
    assert 0 < len(shown) < len(every)
    asked = reader.ask("client_invoices", exclude_imported="false").json()["client_invoices"]
    assert len(asked) == len(every)


def test_client_invoices_sort_by_creation_alone_but_filter_by_update(reader: Client) -> None:
    assert reader.ask("client_invoices", sort_by="updated_at:asc").status_code == 422
    rows = reader.ask("client_invoices", sort_by="created_at:asc").json()["client_invoices"]
    edge = sorted(rows, key=lambda row: since_epoch(row["updated_at"]))[5]["updated_at"]
    found = reader.ask("client_invoices", **nested(updated_at_from=edge)).json()
    assert {row["id"] for row in found["client_invoices"]} == {
        row["id"] for row in rows if since_epoch(row["updated_at"]) >= since_epoch(edge)
    }


def test_the_four_dialects_of_filters_are_spoken(reader: Client) -> None:
    paid = reader.ask("client_invoices", **nested(status="paid,unpaid")).json()
    assert {row["status"] for row in paid["client_invoices"]} == {"paid", "unpaid"}
    for name in ("filter[status]", "filter[status][]"):
        several: dict[str, t.Any] = {name: ["paid", "rejected"]}
        rows = reader.ask("supplier_invoices", **several).json()
        assert {row["status"] for row in rows["supplier_invoices"]} == {"paid", "rejected"}
    cards = reader.ask("cards", statuses__=["paused", "expired"]).json()["cards"]
    assert {row["status"] for row in cards} == {"paused", "expired"}
    links = reader.ask("payment_links", status__="paid,open").json()["payment_links"]
    assert {row["status"] for row in links} == {"paid", "open"}
    ids = [row["id"] for row in reader.ask("sepa/transfers").json()["transfers"][:2]]
    for name in ("ids", "ids__"):
        asked: dict[str, t.Any] = {name: ids}
        found = reader.ask("sepa/transfers", **asked).json()["transfers"]
        assert {row["id"] for row in found} == set(ids)


def test_doubtful_sorts_and_filters_can_be_switched_off(client: Client) -> None:
    def suppliers() -> int:
        return client.ask("supplier_invoices", sort_by="updated_at:asc").status_code

    def clients() -> int:
        query = nested(updated_at_from="2100-01-01T00:00:00Z")
        return len(client.ask("clients", **query).json()["clients"])

    assert (suppliers(), clients()) == (200, 0)
    client.server.options.supplier_invoices_sort = False
    client.server.options.clients_filter = False
    assert (suppliers(), clients()) == (422, 9)


def test_legacy_beneficiaries_refuse_a_bound_too_far_back(reader: Client) -> None:
    for moment, status in (("1970-01-01T00:00:00Z", 422), ("2020-01-01T00:00:00Z", 200)):
        assert reader.ask("beneficiaries", updated_at_from=moment).status_code == status


def test_required_parameters_are_required(reader: Client) -> None:
    refused = reader.ask("international/beneficiaries")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "invalid_currency")
    assert reader.ask("international/currencies").status_code == 400
    assert len(reader.ask("international/currencies", source="EUR").json()["currencies"]) > 5


def test_statements_go_by_month_not_by_text(reader: Client) -> None:
    rows = reader.ask("statements", sort_by="period:asc").json()["statements"]
    months = [(row["period"][3:], row["period"][:2]) for row in rows]
    assert months == sorted(months)
    edge = rows[20]["period"]
    later = reader.ask("statements", period_from=edge).json()["statements"]
    assert {row["period"] for row in later} == {
        row["period"] for row in rows if (row["period"][3:], row["period"][:2]) >= months[20]
    }


def test_suppliers_are_searched_by_post_and_archived_ones_on_demand(reader: Client) -> None:
    def search(**body: t.Any) -> Row:
        answer = reader.ask("suppliers/search", body=body)
        assert answer.status_code == 200
        return t.cast("Row", answer.json())

    assert {row["status"] for row in search()["suppliers"]} == {"unarchived"}
    both = {"filter": {"statuses": ["archived", "unarchived"]}}
    first = search(**both, pagination={"page": 1, "per_page": 5})
    second = search(**both, pagination={"page": 2, "per_page": 5})
    names = [row["name"] for row in first["suppliers"] + second["suppliers"]]
    assert names == sorted(names)
    assert len(names) == 7
    assert second["meta"]["current_page"] == 2
    assert reader.ask("suppliers/search").status_code == 404


def test_lists_with_one_order_ignore_sort_by(reader: Client) -> None:
    rows = reader.ask("sepa/recurring_transfers", sort_by="anything").json()["recurring_transfers"]
    moments = [row["updated_at"] for row in rows]
    assert moments == sorted(moments, reverse=True)


def test_legacy_transfers_filter_by_what_they_do_not_show(reader: Client) -> None:
    rows = reader.ask("external_transfers", sort_by="updated_at:asc").json()["external_transfers"]
    assert all("updated_at" not in row for row in rows)
    none = reader.ask("external_transfers", updated_at_from="2100-01-01T00:00:00Z").json()
    assert none["external_transfers"] == []
