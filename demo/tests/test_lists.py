"""Pages, filters and orders, as the contract has them, also where it hurts."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone
from decimal import Decimal

import pytest

from demo.server import running
from demo.tests.conftest import Client
from demo.values import since_epoch

if t.TYPE_CHECKING:
    from demo.server import Server
    from demo.tests.conftest import Row

EVERY = ("completed", "pending", "declined", "reversed")
REFERENCES = (
    ("transactions", "bank_account_id", "bank_accounts"),
    ("transactions", "card_id", "cards"),
    ("transactions", "initiator_id", "memberships"),
    ("cards", "holder_id", "memberships"),
    ("cards", "bank_account_id", "bank_accounts"),
    ("memberships", "team_id", "teams"),
    ("sepa_transfers", "transaction_id", "transactions"),
    ("sepa_transfers", "beneficiary_id", "sepa_beneficiaries"),
    ("international_transfers", "transaction_id", "transactions"),
    ("international_transfers", "beneficiary_id", "international_beneficiaries"),
    ("international_transfers", "bank_account_id", "bank_accounts"),
    ("external_transfers", "beneficiary_id", "beneficiaries_legacy"),
    ("credit_notes", "invoice_id", "client_invoices"),
    ("payment_links", "invoice_id", "client_invoices"),
    ("payment_reminders", "client_id", "clients"),
    ("sdd_mandates", "client_id", "clients"),
    ("sdd_collections", "direct_debit_subscription_id", "sdd_subscriptions"),
)
REFERRED = {name for stream, _, target in REFERENCES for name in (stream, target)} | {
    "labels", "supplier_invoices", "sepa_bulk_transfers",
}  # fmt: skip


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


def test_transactions_want_an_account(reader: Client) -> None:
    assert reader.ask("transactions").status_code == 400
    account = reader.server.bank.organizations[0].accounts[0]
    assert reader.ask("transactions", iban=account.iban).status_code == 200
    other = reader.server.bank.organizations[1].accounts[0].id
    assert reader.ask("transactions", bank_account_id=other).status_code == 404


def test_transactions_without_a_status_are_the_completed_ones(reader: Client) -> None:
    assert {row["status"] for row in transactions(reader)} == {"completed"}
    for status in EVERY:
        assert {row["status"] for row in transactions(reader, status__=status)} == {status}
    assert (
        reader.ask(
            "transactions", bank_account_id=main_account(reader), status__="paid"
        ).status_code
        == 422
    )


def test_of_several_statuses_all_count_unless_told_otherwise(client: Client) -> None:
    assert {row["status"] for row in transactions(client, status__=EVERY)} == set(EVERY)
    client.server.options.several_statuses = "first"
    assert {row["status"] for row in transactions(client, status__=EVERY)} == {EVERY[0]}
    client.server.options.several_statuses = "last"
    assert {row["status"] for row in transactions(client, status__=EVERY)} == {EVERY[-1]}


def test_what_is_not_settled_has_no_settled_balance(reader: Client) -> None:
    for status in EVERY:
        for row in transactions(reader, status__=status):
            settled = status == "completed"
            assert (row["settled_at"] is not None) == settled
            assert (row["settled_balance_cents"] is not None) == settled


def test_embedded_objects_come_only_when_asked_for(reader: Client) -> None:
    plain = transactions(reader)[0]
    assert not {"labels", "attachments", "vat_details"} & set(plain)
    both = transactions(reader, includes__=["labels", "vat_details"])
    assert all("attachments" not in row and "labels" in row for row in both)
    for row in both:
        assert [one["id"] for one in row["labels"]] == row["label_ids"]


def test_signed_links_differ_at_each_call(reader: Client) -> None:
    def links() -> list[str]:
        rows = transactions(reader, includes__="attachments")
        return [one["url"] for row in rows for one in row["attachments"]]

    first, second = links(), links()
    assert first
    assert not set(first) & set(second)


def test_the_chain_of_settled_balances_ends_in_the_account_s_balance(reader: Client) -> None:
    for number in (0, 3):
        for account in reader.ask("bank_accounts", number).json()["bank_accounts"]:
            rows = transactions(
                reader, number, bank_account_id=account["id"], sort_by="settled_at:asc"
            )
            balance = 0
            for row in rows:
                balance += row["amount_cents"] * (1 if row["side"] == "credit" else -1)
                assert row["settled_balance_cents"] == balance
                assert Decimal(str(row["settled_balance"])) * 100 == balance
            assert balance == account["balance_cents"]
            moments = [row["settled_at"] for row in rows]
            assert moments == sorted(set(moments))
            held = transactions(
                reader, number, bank_account_id=account["id"], status__="pending", side="debit"
            )
            assert account["authorized_balance_cents"] == balance - sum(
                row["amount_cents"] for row in held
            )


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


def test_external_accounts_come_only_with_the_organization_and_on_demand(
    reader: Client,
) -> None:
    def accounts(**query: t.Any) -> list[Row]:
        found: list[Row] = reader.ask("organization", **query).json()["organization"][
            "bank_accounts"
        ]
        return found

    assert not any(one["is_external_account"] for one in accounts())
    every = accounts(include_external_accounts="true")
    assert [one["is_external_account"] for one in every] == [False] * 4 + [True]
    assert all("slug" in one and "organization_id" not in one for one in every)
    listed = reader.ask("bank_accounts").json()["bank_accounts"]
    assert all("organization_id" in one and "slug" not in one for one in listed)
    assert [one["id"] for one in listed] == [one["id"] for one in accounts()]


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


def test_nested_lists_belong_to_their_parent(reader: Client) -> None:
    bank, facts = reader.server.bank, reader.server.bank.organizations[0]
    for stream, path in (
        ("transaction_attachments", "transactions/{}/attachments"),
        ("child_transaction_links", "transactions/{}/child_transaction_links"),
        ("payment_link_payments", "payment_links/{}/payments"),
    ):
        children = bank.children(stream, facts.id)
        assert children
        for parent, rows in list(children.items())[:3]:
            body = reader.ask(path.format(parent)).json()
            found = next(value for key, value in body.items() if key != "meta")
            assert len(found) == len(rows)
        assert reader.ask(path.format("nobody")).status_code == 404


def test_single_rows_come_in_their_envelope(reader: Client) -> None:
    for path, envelope in (
        ("labels", "label"),
        ("sepa/beneficiaries", "beneficiary"),
        ("client_invoices", "client_invoice"),
        ("sepa/direct_debit_mandates", "direct_debit_mandate"),
    ):
        body = reader.ask(path).json()
        row = next(value for key, value in body.items() if key != "meta")[0]
        assert reader.ask(f"{path}/{row['id']}").json() == {envelope: row}
    hook = reader.ask("webhook_subscriptions").json()["subscriptions"][0]
    assert reader.ask(f"webhook_subscriptions/{hook['id']}").json() == hook


def test_references_lead_somewhere(reader: Client) -> None:
    bank = reader.server.bank
    for facts in bank.organizations:
        rows = {stream: bank.rows(stream, facts.id, external=True) for stream in REFERRED}
        ids = {stream: {row.get("id") for row in found} for stream, found in rows.items()}
        for stream, name, target in REFERENCES:
            named = {row[name] for row in rows[stream]} - {None}
            assert named <= ids[target], (stream, name)
        digits = {row["last_digits"] for row in rows["cards"]} | {None}
        for row in rows["transactions"]:
            assert set(row["label_ids"]) <= ids["labels"]
            assert row["card_last_digits"] in digits
        for row in rows["supplier_invoices"]:
            matched = {one["transaction_id"] for one in row["matched_transactions"] or ()}
            assert matched <= ids["transactions"]
            assert set(row["transfer_ids"]) <= ids["sepa_transfers"]
        for row in rows["client_invoices"]:
            assert row["client"]["id"] in ids["clients"]
        for row in rows["sepa_bulk_transfers"]:
            linked = {one["transfer_id"] for one in row["results"]} - {None}
            assert linked <= ids["sepa_transfers"]


def test_same_seed_and_date_same_bank() -> None:
    facts: dict[str, t.Any] = {"seed": 3, "now": datetime(2026, 3, 1, tzinfo=timezone.utc)}

    def everything(**more: t.Any) -> list[Row]:
        with running(**{**facts, **more}, transactions=40) as server:
            return [
                row
                for one in server.bank.organizations
                for stream in ("transactions", "client_invoices", "cards")
                for row in server.bank.rows(stream, one.id)
            ]

    first = everything()
    assert first == everything()
    assert first != everything(seed=4)


def test_nothing_is_younger_than_the_server(shared: Server) -> None:
    now = int(shared.clock.timestamp() * 1_000_000)
    for one in shared.bank.organizations:
        for stream in ("transactions", "client_invoices", "supplier_invoices", "clients", "cards"):
            for row in shared.bank.rows(stream, one.id, external=True):
                assert since_epoch(row["updated_at"]) < now - 3 * 3_600_000_000
