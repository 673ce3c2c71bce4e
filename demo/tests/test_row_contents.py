"""What rows of the demo hold, and where they lead."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone
from decimal import Decimal

from demo.server import running
from demo.tests.lists import EVERY, main_account, transactions
from demo.values import since_epoch

if t.TYPE_CHECKING:
    from demo.server import Server
    from demo.tests.conftest import Client, Row

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
