"""The books are true: whatever two streams say of the same money, they agree."""

from __future__ import annotations

import typing as t
from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from demo.data import plan
from demo.offer import ENDPOINTS
from demo.server import running
from demo.values import since_epoch

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.data.facts import OrganizationFacts
    from demo.server import Server
    from demo.tests.conftest import Row

PAID = {"completed", "pending"}


class Ledger:
    """What one organization's streams say."""

    def __init__(self, server: Server, facts: OrganizationFacts) -> None:
        self.facts, self.server = facts, server
        self.transactions = self.rows("transactions", external=True)
        self.by_id = {row["id"]: row for row in self.transactions}

    def rows(self, stream: str, **how: t.Any) -> list[Row]:
        return self.server.bank.rows(stream, self.facts.id, **how)

    def paying(self, reference: str) -> int:
        """Cents that came in, less those that went out, under a reference; completed ones."""
        rows = [row for row in self.transactions if row["reference"] == reference]
        assert all(row["status"] == "completed" for row in rows)
        return sum(map(gain, rows))


def gain(row: Row) -> int:
    return t.cast("int", row["amount_cents"]) * (1 if row["side"] == "credit" else -1)


def cents(amount: Row | Decimal | float) -> int:
    value = amount["value"] if isinstance(amount, dict) else amount
    return int(Decimal(str(value)) * 100)


@pytest.fixture(scope="module")
def ledgers(shared: Server) -> list[Ledger]:
    return [Ledger(shared, one) for one in shared.bank.organizations if not one.empty]


def planned(ledger: Ledger, stream: str) -> Iterator[Row]:
    for movement in plan.movements(ledger.facts):
        if movement.of[0] == stream:
            yield ledger.by_id[movement.id(ledger.facts)]


def test_books_have_as_many_rows_as_were_ordered(shared: Server, ledgers: list[Ledger]) -> None:
    assert {len(one.transactions) for one in ledgers} == {shared.options.transactions}


def test_no_account_was_ever_overdrawn(ledgers: list[Ledger]) -> None:
    for ledger in ledgers:
        settled = [row for row in ledger.transactions if row["settled_at"]]
        assert min(row["settled_balance_cents"] for row in settled) >= 0, ledger.facts.name


def test_cards_pay_from_their_own_accounts_and_for_their_holders(ledgers: list[Ledger]) -> None:
    for ledger in ledgers:
        cards = {card["id"]: card for card in ledger.rows("cards")}
        paid = [row for row in ledger.transactions if row["subject_type"] == "Card"]
        assert paid
        for row in paid:
            card = cards[row["card_id"]]
            assert row["bank_account_id"] == card["bank_account_id"]
            assert row["initiator_id"] == card["holder_id"]
            assert row["card_last_digits"] == card["last_digits"]
        others = [row for row in ledger.transactions if row["subject_type"] != "Card"]
        assert {(row["card_id"], row["card_last_digits"]) for row in others} == {(None, None)}


def test_cards_say_what_was_spent_with_them_and_when_last(ledgers: list[Ledger]) -> None:
    flash = 0
    for ledger in ledgers:
        month, day = f"{ledger.facts.anchor:%Y-%m}", f"{ledger.facts.anchor:%Y-%m-%d}"
        for card in ledger.rows("cards"):
            used = [row for row in ledger.transactions if row["card_id"] == card["id"]]
            spent = [row for row in used if row["side"] == "debit" and row["status"] in PAID]

            def since(start: str, spent: list[Row] = spent) -> int:
                return sum(r["amount_cents"] for r in spent if r["emitted_at"].startswith(start))

            assert cents(card["payment_monthly_spent"]) == since(month)
            assert cents(card["payment_daily_spent"]) == since(day)
            assert card["payment_monthly_spent"] <= card["payment_monthly_limit"]
            last = max((row["emitted_at"] for row in used), default=None)
            assert card["last_activity_at"] == (last and f"{last[:19]}Z")
            assert card["had_operation"] == (last is not None)
            if card["payment_transaction_limit"] is not None:
                most = max(row["amount_cents"] for row in spent)
                assert most <= cents(card["payment_transaction_limit"])
            if card["payment_lifespan_limit"] is not None:
                flash += 1
                assert 0 < cents(card["payment_lifespan_spent"]) == since("")
                assert card["payment_lifespan_spent"] <= card["payment_lifespan_limit"]
    assert flash == len(ledgers)


def test_a_payment_by_card_is_seen_on_the_card_at_once() -> None:
    with running(seed=7) as server:
        one = server.bank.organizations[0]
        before = {card["id"]: card for card in server.bank.rows("cards", one.id)}
        ids = server.bank.add_transactions(one.id, 30)
        rows = [row for row in server.bank.rows("transactions", one.id) if row["id"] in ids]
        spent: Counter[str] = Counter()
        for row in rows:
            if row["card_id"] and row["side"] == "debit":
                spent[row["card_id"]] += row["amount_cents"]
        assert spent
        for card in server.bank.rows("cards", one.id):
            old, new = (cents(one["payment_monthly_spent"]) for one in (before[card["id"]], card))
            assert new - old == spent[card["id"]]
        (paid,) = [row for row in rows if row["card_id"] and row["side"] == "debit"][:1]
        server.bank.edit("transactions", one.id, paid["id"], status="reversed")
        (card,) = (c for c in server.bank.rows("cards", one.id) if c["id"] == paid["card_id"])
        old = cents(before[card["id"]]["payment_monthly_spent"])
        now = cents(card["payment_monthly_spent"])
        assert now == old + spent[card["id"]] - paid["amount_cents"]


def test_client_invoices_say_what_was_paid_under_their_number(ledgers: list[Ledger]) -> None:
    kinds: Counter[str] = Counter()
    for ledger in ledgers:
        for invoice in ledger.rows("client_invoices"):
            if invoice["number"] is None:
                continue
            paid, total = cents(invoice["amount_paid"]), invoice["total_amount_cents"]
            came = ledger.paying(invoice["number"])
            if invoice["status"] == "canceled":
                (note,) = (
                    one for one in ledger.rows("credit_notes") if one["invoice_id"] == invoice["id"]
                )
                assert note["total_amount_cents"] == total
                assert note["id"] in invoice["credit_notes_ids"]
                came += ledger.paying(note["number"])
            kind = (
                "nothing" if paid == 0 else "less" if paid < total
                else "more" if paid > total else "all"
            )  # fmt: skip
            kinds[kind] += 1
            assert (invoice["status"] == "paid") == (kind in {"all", "more"})
            payouts = [
                row for row in planned(ledger, "client_invoices") if "Payout" in row["reference"]
            ]
            if came != paid:  # then by its payment link
                (payout,) = payouts
                assert payout["amount_cents"] == paid == total
            if invoice["paid_at"]:
                assert since_epoch(invoice["paid_at"]) >= since_epoch(invoice["created_at"])
                assert since_epoch(invoice["paid_at"]) <= since_epoch(invoice["updated_at"])
    assert set(kinds) == {"nothing", "less", "more", "all"}


def test_lines_of_invoices_add_up_to_their_totals(ledgers: list[Ledger]) -> None:
    for ledger in ledgers:
        for stream in ("client_invoices", "credit_notes", "quotes"):
            for row in ledger.rows(stream):
                lines = row["items"] or []
                assert (
                    sum(line["total_amount_cents"] for line in lines) == row["total_amount_cents"]
                )
                assert sum(line["total_vat_cents"] for line in lines) == row["vat_amount_cents"]


def test_approved_quotes_became_the_invoice_that_they_name(ledgers: list[Ledger]) -> None:
    for ledger in ledgers:
        invoices = {row["id"]: row for row in ledger.rows("client_invoices")}
        named = [(quote, id_) for quote in ledger.rows("quotes") for id_ in quote["invoice_ids"]]
        assert named
        for quote, id_ in named:
            assert invoices[id_]["client"]["id"] == quote["client"]["id"]
            assert invoices[id_]["total_amount_cents"] in {
                quote["total_amount_cents"],
                0,
            }  # a draft
            assert since_epoch(quote["created_at"]) < since_epoch(invoices[id_]["created_at"])


def test_supplier_invoices_are_paid_by_the_transactions_that_they_name(
    ledgers: list[Ledger],
) -> None:
    for ledger in ledgers:
        transfers = {row["id"]: row for row in ledger.rows("sepa_transfers")}
        seen = set()
        for invoice in ledger.rows("supplier_invoices"):
            ids = [one["transaction_id"] for one in invoice["matched_transactions"] or []]
            paid = [ledger.by_id[id_] for id_ in ids]
            total = cents(invoice["total_amount"])
            assert cents(invoice["payable_amount"]) == total - sum(r["amount_cents"] for r in paid)
            assert (invoice["status"] == "paid") == (invoice["payable_amount"]["value"] == "0.00")
            for row in paid:
                assert row["label"] == invoice["supplier_name"]
                assert row["reference"] == invoice["invoice_number"]
                assert row["transfer"]["counterparty_account_number"][-3:] == invoice["iban"][-3:]
            named = [transfers[id_]["transaction_id"] for id_ in invoice["transfer_ids"]]
            assert named == ids
            seen.add((len(ids), invoice["status"]))
        assert seen >= {(1, "paid"), (1, "awaiting_payment"), (0, "to_review")}
        first, second = (
            row for row in ledger.rows("supplier_invoices") if row["invoice_number"] == "R-122"
        )
        assert first["total_amount"] == second["total_amount"]
        assert [first["has_duplicates"], second["has_duplicates"]] == [False, True]


def test_transfers_agree_with_their_transactions(ledgers: list[Ledger]) -> None:
    for ledger in ledgers:
        beneficiaries = {row["id"]: row["name"] for row in ledger.rows("sepa_beneficiaries")}
        settled = [row for row in ledger.rows("sepa_transfers") if row["status"] == "settled"]
        assert len({row["transaction_id"] for row in settled}) == len(settled) >= 9
        for row in settled:
            paid = ledger.by_id[row["transaction_id"]]
            assert (paid["side"], paid["amount_cents"]) == ("debit", row["amount_cents"])
            assert paid["bank_account_id"] == row["bank_account_id"]
            assert beneficiaries.get(row["beneficiary_id"], paid["label"]) == paid["label"]
        for row in ledger.rows("external_transfers"):
            if row["status"] == "settled":
                paid = ledger.by_id[row["transaction_id"]]
                assert str(paid["amount_cents"]) == row["debit_amount_cents"]
                assert paid["settled_at"] <= row["completed_at"]
        for row in ledger.rows("international_transfers"):
            if row["status"] == "SETTLED":
                paid = ledger.by_id[row["transaction_id"]]
                assert paid["amount_cents"] == cents(row["source_amount"])
                assert paid["reference"] == row["reference"]
        (rent, *_) = ledger.rows("sepa_recurring_transfers")
        rents = [row for row in settled if row["recurring_transfer_id"] == rent["id"]]
        assert {row["amount_cents"] for row in rents} == {rent["amount_cents"]}
        assert len(rents) == 11


def test_money_between_own_accounts_has_two_sides(ledgers: list[Ledger]) -> None:
    """Within an organization and between two: same cents, same moment, each other's numbers."""
    owners = {one.iban: ledger for ledger in ledgers for one in ledger.facts.accounts if one.iban}
    sides: dict[t.Any, list[Row]] = defaultdict(list)
    for ledger in ledgers:
        ibans = {one.id: one.iban for one in ledger.facts.accounts}
        for row in ledger.transactions:
            detail = row.get("transfer") or row.get("income") or {}
            other, own = detail.get("counterparty_account_number"), ibans[row["bank_account_id"]]
            if other in owners:
                assert row["category"] == "treasury_and_interco"
                assert row["label"] == owners[other].facts.name
                moved = row["emitted_at"], row["settled_at"], row["amount_cents"]
                sides[moved, frozenset((own, other))].append(row)
    for pair in sides.values():
        assert sorted(row["side"] for row in pair) == ["credit", "debit"]
    houses = Counter(len({owners[iban] for iban in ibans}) for _, ibans in sides)
    assert houses == {1: 9 * len(ledgers), 2: 5}


def test_a_subscription_rose_and_a_payment_was_made_twice(ledgers: list[Ledger]) -> None:
    for ledger in ledgers:
        bills = sorted(
            (row["emitted_at"], row["amount_cents"])
            for row in ledger.transactions
            if row["label"] == "NOTION LABS INC"
        )
        assert [amount for _, amount in bills] == [2400] * 8 + [2900] * 4
        first, second = sorted(planned(ledger, "duplicate"), key=lambda row: row["emitted_at"])
        same = ("label", "amount_cents", "card_id", "bank_account_id", "side", "status")
        assert [first[name] for name in same] == [second[name] for name in same]
        assert since_epoch(second["emitted_at"]) - since_epoch(first["emitted_at"]) == 180_000_000


def test_what_was_collected_and_paid_out_is_in_the_account(ledgers: list[Ledger]) -> None:
    for ledger in ledgers:
        if ledger.facts.gated:
            assert ledger.rows("sdd_collections") == []
            continue
        came = sum(gain(row) for row in planned(ledger, "sdd_collections"))
        collected = [row for row in ledger.rows("sdd_collections") if row["status"] == "completed"]
        assert came == sum(cents(row["amount"]) for row in collected)
        paid = [row for row in ledger.rows("payment_link_payments") if row["status"] == "paid"]
        payouts = [row for row in ledger.transactions if row["label"] == "Mollie Payments"]
        assert sorted(cents(row["amount"]) for row in paid) == sorted(map(gain, payouts))
        invoices = {row["id"]: row for row in ledger.rows("client_invoices")}
        for link in ledger.rows("payment_links"):
            if link["invoice_id"]:
                invoice = invoices[link["invoice_id"]]
                assert cents(link["amount"]) == invoice["total_amount_cents"]
                assert link["invoice_number"] == invoice["number"]


def test_vat_has_several_rates_and_is_missing_on_some(ledgers: list[Ledger]) -> None:
    for ledger in ledgers:
        rates = set()
        for row in ledger.transactions:
            parts = (row["vat_details"] or {"items": []})["items"]
            assert row["vat_amount_cents"] == (sum(p["amount_cents"] for p in parts) or None)
            if parts:
                gross = [p["amount_cents"] + p["amount_excluding_vat_cents"] for p in parts]
                assert sum(gross) == row["amount_cents"]
            assert row["vat_rate"] == (float(parts[0]["rate"]) if len(parts) == 1 else None)
            rates.add(tuple(p["rate"] for p in parts))
        assert () in rates
        assert len({rate for several in rates for rate in several}) > 1
    assert any(
        len((row["vat_details"] or {"items": []})["items"]) == 2
        for ledger in ledgers
        for row in ledger.transactions
    )


def test_notes_name_people_and_an_account_holds_another_currency(ledgers: list[Ledger]) -> None:
    for ledger in ledgers:
        notes = " ".join(row["note"] or "" for row in ledger.transactions)
        assert any(name in notes for name in ledger.facts.place.last_names)
        currencies = {row["currency"] for row in ledger.transactions}
        assert currencies == {"EUR", "USD"}


def test_nothing_is_dated_after_the_books_were_opened(shared: Server) -> None:
    """Least of all what rows are sorted by: a bookmark would run ahead of the time."""
    for one in shared.bank.organizations:
        opened = int(one.anchor.timestamp() * 1_000_000)
        for endpoint in ENDPOINTS:
            for row in shared.bank.rows(endpoint.stream, one.id, external=True):
                for name in ("created_at", "updated_at", "emitted_at", "settled_at", "paid_at"):
                    if row.get(name):
                        assert since_epoch(row[name]) <= opened, (endpoint.stream, name)


def test_small_books_are_left_to_chance() -> None:
    with running(seed=7, transactions=60) as server:
        for one in server.bank.organizations:
            assert plan.movements(one) == ()
            assert len(server.bank.rows("transactions", one.id, external=True)) in {60, 0}
