"""Each fault that is planted into the books is found by the model that should find it."""

from __future__ import annotations

import typing as t
from datetime import date, timedelta

import pytest

if t.TYPE_CHECKING:
    from conftest import Built

ACCOUNTS = """
    select organization_id, id, iban from bank_accounts
    where currency = 'EUR' and not coalesce(is_external_account, false) and iban is not null
        and organization_id in (select organization_id from transactions)
    order by organization_id, main desc, id
"""
INSERT = """
    insert into transactions (organization_id, id, bank_account_id, status, side, amount_cents,
        currency, operation_type, subject_type, label, emitted_at, settled_at, {nested},
        attachment_required, attachment_ids, vat_details, _sdc_batched_at)
    values ('{organization}', '{id}', '{account}', 'completed', '{side}', {cents}, 'EUR',
        '{kind}', 'Transfer', '{label}', '{day} 09:00:00', '{day} 10:00:00',
        '{{"counterparty_account_number": "{iban}", "counterparty_account_number_format": "IBAN"}}',
        {required}, '[]', '{vat}', '2026-11-26 10:00:00')
"""
TODAY = date(2026, 11, 20)


def transaction(id_: str, account: tuple[str, str, str], cents: int, day: date, **told: str) -> str:
    """SQL of a completed transaction; a negative amount leaves the account."""
    given = {"iban": "", "label": "somebody", "kind": "transfer", "required": "false", "vat": "{}"}
    return INSERT.format(
        id=id_, organization=account[0], account=account[1], cents=abs(cents), day=day,
        side="credit" if cents > 0 else "debit", nested="income" if cents > 0 else "transfer",
        **given | told,
    )  # fmt: skip


@pytest.fixture
def planted(warehouse: Built) -> Built:
    """Own transfers, a subscription that became dearer, a double payment, a lost row and more."""
    accounts = warehouse.execute(ACCOUNTS)
    first = accounts[0]
    second = next(one for one in accounts if one[0] == first[0] and one[1] != first[1])
    other = next(one for one in accounts if one[0] != first[0])
    day, month = date(2026, 10, 5), timedelta(days=30)
    subscription = {"label": "Nuage SARL", "kind": "card"}
    statements = [
        transaction("own-out", first, -40_000, day, iban=second[2]),
        transaction("own-in", second, 40_000, day, iban=first[2]),
        transaction("sister-out", first, -7_000, day, iban=other[2]),
        transaction("sister-in", other, 7_000, day + timedelta(days=1), iban=first[2]),
        transaction("sister-lost", first, -9_000, day, iban=other[2]),
        *(
            transaction(f"cloud-{n}", first, -cents, day - n * month, **subscription)
            for n, cents in enumerate((3_500, 3_500, 2_900, 2_900, 2_900))
        ),
        transaction("once", first, -123_456, day, label="Bois & Fils"),
        transaction("twice", first, -123_456, day + timedelta(days=2), label="Bois & Fils"),
        transaction("later", first, -123_456, day + timedelta(days=20), label="Bois & Fils"),
        transaction("bare", first, -5_000, day, label="Sans ticket", required="true"),
        transaction(
            "rates", first, -23_100, day, label="Deux taux",
            vat='{"items": [{"amount": "20.00", "amount_excluding_vat": "100.00", "rate": "20.0"}, '
            '{"amount": "10.00", "amount_excluding_vat": "100.00", "rate": "10.0"}]}',
        ),
        f"""
        delete from transactions where id = (
            select id from (
                select id, operation_type, settled_at, row_number() over (
                    partition by bank_account_id order by settled_at
                ) as place
                from transactions
                where status = 'completed'
                    and bank_account_id not in ('{first[1]}', '{second[1]}', '{other[1]}')
            )
            where operation_type = 'card' and place > 5
            order by settled_at limit 1
        )
        """,
        """
        update client_invoices set amount_paid = '{"value": "10.07", "currency": "EUR"}'
        where id = (select min(id) from client_invoices where status = 'unpaid')
        """,
        f"""
        update supplier_invoices set
            status = 'to_pay',
            is_credit_note = false,
            payable_amount = '{{"value": "300.00", "currency": "EUR"}}',
            matched_transactions = '[{{"subject_type": "Invoice", "transaction_id": "bare"}}]',
            transfer_ids = '[]'
        where id = (select min(id) from supplier_invoices where organization_id = '{first[0]}')
        """,
    ]  # fmt: skip
    warehouse.execute(*statements)
    warehouse.dbt("build", "--vars", f"{{qonto__today: '{TODAY}', qonto__check_severity: warn}}")
    return warehouse


def test_each_planted_fault_is_found_by_its_model(planted: Built) -> None:
    ask = planted.rows
    own = {
        row["transaction_id"]: row
        for row in ask("from analytics.qonto__transactions where is_own_transfer")
    }
    assert {
        id_: (row["own_transfer"], row["counterpart_transaction_id"])
        for id_, row in own.items()
        if id_.startswith(("own", "sister"))
    } == {
        "own-out": ("within organization", "own-in"),
        "own-in": ("within organization", "own-out"),
        "sister-out": ("between organizations", "sister-in"),
        "sister-in": ("between organizations", "sister-out"),
        "sister-lost": ("between organizations", None),
    }
    (lonely,) = ask("from analytics.qonto__intercompany where unpaired > 0")
    assert (lonely["unpaired_cents"], lonely["sent_cents"]) == (9_000, 16_000)

    (cloud,) = ask(
        "select * from analytics.qonto__recurring_spend where counterparty = 'Nuage SARL'"
    )
    assert (cloud["cadence"], cloud["is_dearer"]) == ("monthly", True)
    assert (cloud["previous_cents"], cloud["last_cents"], cloud["changed_on"]) == (
        2_900, 3_500, date(2026, 9, 5),
    )  # fmt: skip

    pairs = ask("from analytics.qonto__duplicate_payments where paid_to = 'Bois & Fils'")
    assert [(row["earlier_transaction_id"], row["transaction_id"]) for row in pairs] == [
        ("once", "twice")
    ]

    (bare,) = ask("from analytics.qonto__missing_receipts where paid_to = 'Sans ticket'")
    assert (bare["spent_cents"], bare["days_missing"]) == (5_000, 46)

    lines = ask(
        "select vat_rate, vat_cents from analytics.stg_qonto__transaction_vat_lines "
        "where transaction_id = 'rates' order by 1"
    )
    assert [(int(row["vat_rate"]), row["vat_cents"]) for row in lines] == [(10, 1_000), (20, 2_000)]
    unknown = ask("from analytics.qonto__vat_by_month where is_unknown and basis = 'cash'")
    assert sum(row["gross_cents"] for row in unknown) >= 3 * 123_456

    (part,) = ask("from analytics.qonto__receivables where is_partly_paid and paid_cents = 1007")
    assert part["open_cents"] == part["total_cents"] - 1_007 - part["credited_cents"]
    (matched,) = ask("from analytics.qonto__payables where matched_cents = 5000")
    assert (matched["payable_cents"], matched["open_cents"]) == (30_000, 25_000)

    (gap,) = ask("from analytics.qonto__balance_gaps")
    assert gap["jump_cents"] != 0
    assert planted.wrong["qonto_balance_continuity"] == "warn"
    (lost,) = ask("from analytics.qonto__account_checks where verdict = 'missing'")
    assert (lost["what"], lost["difference"]) == ("completed", -1)
    assert lost["bank_account_id"] == gap["bank_account_id"]

    (flow,) = ask(
        "select sum(own_transfers_cents)::bigint as own, sum(intercompany_cents)::bigint as sister "
        "from analytics.qonto__monthly_cash_flow where month = date '2026-10-01'"
    )
    assert (flow["own"], flow["sister"]) == (0, -9_000)  # what arrived and what left cancel out
