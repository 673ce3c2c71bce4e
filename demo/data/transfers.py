"""The rows of who is paid, and how: beneficiaries, transfers of all kinds, requests."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from demo.values import day, digits, iban, major, milliseconds, money, text, uid

if t.TYPE_CHECKING:
    from demo.data.books import Books

Row = dict[str, t.Any]
BENEFICIARIES = 6
SETTLED = 9  # transfers that became transactions
ABROAD = (("US", "USD", "aba"), ("GB", "GBP", "swift_code"), ("CA", "CAD", "swift_code"))
CURRENCIES = (
    ("US", "USD", 1), ("GB", "GBP", 2), ("CH", "CHF", 3), ("CA", "CAD", None), ("SE", "SEK", None),
    ("NO", "NOK", None), ("JP", "JPY", None), ("AU", "AUD", None), ("NZ", "NZD", None),
)  # fmt: skip
RANKS = ("pending", "approved", "declined", "canceled")  # what status:asc means for requests


def _when(books: Books, number: int, step: float = 31) -> datetime:
    """The past of row `number`: older ones first, to the second."""
    return books.facts.anchor - timedelta(days=330 - step * number, hours=6, minutes=number * 7)


def sepa_beneficiaries(books: Books) -> list[Row]:
    """Half of them flat, half with a nested `bank_account`; `bic` may be null (Q61)."""
    facts, place = books.facts, books.facts.place
    rows = []
    for number in range(0 if facts.empty else BENEFICIARIES):
        name = place.partners[number % len(place.partners)]
        created = _when(books, number)
        account: Row = {
            "iban": iban(place.country, place.other_bank, name),
            "bic": None if number == 3 else place.other_bic,
        }
        row: Row = {
            "id": facts.uid("beneficiary", number),
            "name": name,
            "email": f"compta@partner-{number}.example" if number % 3 == 0 else None,
            "activity_tag": ("other_service", "logistics", "food_and_grocery", None)[number % 4],
            "status": "pending" if number == 4 else "validated",
            "trusted": number % 2 == 0,
            "created_at": milliseconds(created),
            "updated_at": milliseconds(created + timedelta(days=number * 3, seconds=199)),
        }
        if number % 2:
            row["bank_account"] = {**account, "currency": "EUR"}
        else:
            row |= account | {"currency": "EUR"}
        rows.append(row)
    return rows


def beneficiaries_legacy(books: Books) -> list[Row]:
    """The old list has the SEPA ones and, alone, those outside SEPA."""
    rows = []
    for row in sepa_beneficiaries(books):
        account = row.get("bank_account") or {"iban": row["iban"], "bic": row["bic"]}
        names = ("id", "name", "status", "trusted", "created_at", "updated_at")
        rows.append(
            {
                **{name: row[name] for name in names},
                "bank_account": {
                    "iban": account["iban"],
                    "bic": account["bic"],
                    "currency": "EUR",
                    "account_number": None,
                    "routing_number": None,
                    "intermediary_bank_bic": None,
                    "swift_sort_code": None,
                },
            }
        )
    if rows:
        created = _when(books, 2)
        rows.append(
            {
                "id": books.facts.uid("beneficiary", "abroad"),
                "name": "Juniper Supplies Inc.",
                "status": "validated",
                "trusted": False,
                "bank_account": {
                    "iban": None,
                    "bic": "CHASUS33XXX",
                    "currency": "USD",
                    "account_number": digits(10, books.facts.id, "abroad"),
                    "routing_number": "021000021",
                    "intermediary_bank_bic": "IRVTUS3NXXX",
                    "swift_sort_code": "200000",
                },
                "created_at": milliseconds(created),
                "updated_at": milliseconds(created),
            }
        )
    return rows


def international_beneficiaries(books: Books) -> list[Row]:
    if books.facts.empty:
        return []
    return [
        {
            "id": books.facts.uid("international", number),
            "name": f"Overseas Partner {number + 1}",
            "country": country,
            "currency": currency,
            "payment_type": kind,
            "account_identifier": digits(9, books.facts.id, "international", number),
            "bank_identifier": "021000021" if kind == "aba" else "BARCGB22XXX",
            "branch_identifier": None if kind == "aba" else "20-00-00",
            "legal_type": "LEGAL_TYPE_COMPANY",
            "owned_by_customer": False,
            "created_at": milliseconds(_when(books, number * 2)),
            "updated_at": milliseconds(_when(books, number * 2)),
        }
        for number, (country, currency, kind) in enumerate((*ABROAD, ABROAD[0]))
    ]


def international_transfers(books: Books) -> list[Row]:
    """In the form of the answer to their creation, with moments as other transfers have."""
    facts = books.facts
    rows = []
    for number in range(0 if facts.empty else 3):
        created, cents = _when(books, 4 + 2 * number), 92_100 + 4_605 * number
        status = ("SETTLED", "DECLINED", "PROCESSING")[number]
        done = status == "SETTLED"
        rows.append(
            {
                "id": facts.uid("international transfer", number),
                "beneficiary_id": facts.uid("international", number),
                "bank_account_id": facts.accounts[0].id,
                "quote_id": facts.uid("quote", "international", number),
                "initiator_id": facts.members[0].id,
                "source_amount": money(cents),
                "target_amount": money(cents * 1000 // 921, "USD"),
                "status": status,
                "reference": f"PO {number + 31}",
                "declined_reason": "beneficiary_bic_invalid" if status == "DECLINED" else None,
                "transaction_id": facts.uid("transaction", facts.accounts[0].id, 20)
                if done
                else None,
                "created_at": milliseconds(created),
                "updated_at": milliseconds(created + timedelta(hours=26 - 3 * number)),
                "processed_at": milliseconds(created + timedelta(hours=1)),
                "completed_at": milliseconds(created + timedelta(hours=26)) if done else None,
            }
        )
    return rows


def international_currencies(books: Books) -> list[Row]:
    """From each currency of an account; `_parent`, which rows do not name (Q43)."""
    return [
        {
            "_key": f"{source}/{country}/{currency}",
            "_parent": source,
            "country_code": country,
            "currency_code": currency,
            **({"suggestion_priority": priority} if priority else {}),
        }
        for source in sorted({account.currency for account in books.facts.accounts})
        for country, currency, priority in CURRENCIES
        if currency != source
    ]


def international_eligibility(books: Books) -> list[Row]:
    """Documented keys in one organization, live ones in the others (Q70)."""
    if books.facts.number == 0:
        return [{"eligible": "eligible", "reason": None}]
    return [{"status": "STATUS_INELIGIBLE", "reason": "REASON_UNKNOWN"}]


def sepa_transfers(books: Books) -> list[Row]:
    """Settled ones name their transaction (Q49); the others wait, or failed."""
    facts = books.facts
    if facts.empty:
        return []
    done = [
        record
        for record in books.table("transactions").records.values()
        if record.marks["operation_type"] == "transfer" and record.marks["status"] == "completed"
    ][-SETTLED:]
    rows = []
    for number, record in enumerate(done):
        paid = record.row()
        rows.append(
            _transfer(books, number, "settled", paid["amount_cents"])
            | {
                "bank_account_id": paid["bank_account_id"],
                "reference": paid["reference"] or "pagoPA",
                "scheduled_date": paid["emitted_at"][:10],
                "created_at": paid["created_at"],
                "updated_at": paid["settled_at"],
                "processed_at": paid["emitted_at"],
                "completed_at": paid["settled_at"],
                "transaction_id": paid["id"],
                "recurring_transfer_id": facts.uid("recurring", 0) if number == 2 else None,
            }
        )
    for number, status in enumerate(("pending", "processing", "declined", "canceled"), SETTLED):
        rows.append(_transfer(books, number, status, 10_050 + 3_777 * number))
    return rows


def _transfer(books: Books, number: int, status: str, cents: int) -> Row:
    facts = books.facts
    created = facts.anchor - timedelta(days=14 - number, hours=7)
    return {
        "id": facts.uid("transfer", number),
        "initiator_id": facts.members[number % 3].id,
        "bank_account_id": facts.accounts[0].id,
        "beneficiary_id": facts.uid("beneficiary", number % BENEFICIARIES),
        "amount": major(cents),
        "amount_cents": cents,
        "amount_currency": "EUR",
        "status": status,
        "reference": f"Facture {number + 201}",
        "note": None if number % 2 else "Merci",
        "declined_reason": "debit_account_insufficient_funds" if status == "declined" else None,
        "scheduled_date": day(created + timedelta(days=2)),
        "created_at": milliseconds(created),
        "updated_at": milliseconds(created + timedelta(minutes=number * 5)),
        "processed_at": milliseconds(created) if status == "processing" else None,
        "completed_at": None,
        "transaction_id": None,
        "recurring_transfer_id": None,
    }


def sepa_bulk_transfers(books: Books) -> list[Row]:
    """Their items link to transfers by `transfer_id` (Q49)."""
    facts = books.facts
    if facts.empty:
        return []
    rows = []
    for number in range(3):
        created = _when(books, number * 4)
        results = [
            {
                "client_transfer_id": uid(facts.id, "bulk item", number, item),
                "transfer_id": facts.uid("transfer", number * 3 + item) if item != 2 else None,
                "status": "completed" if item != 2 else "failed",
                "errors": None if item != 2 else [{"code": "invalid_beneficiary", "detail": "…"}],
            }
            for item in range(3)
        ]
        rows.append(
            {
                "id": facts.uid("bulk", number),
                "initiator_id": facts.members[1].id,
                "created_at": milliseconds(created),
                "updated_at": milliseconds(created + timedelta(minutes=3)),
                "total_count": 3,
                "completed_count": 2,
                "pending_count": 0,
                "failed_count": 1,
                "results": results,
            }
        )
    return rows


def sepa_recurring_transfers(books: Books) -> list[Row]:
    """`note` and `status` may be left out (Q76)."""
    facts = books.facts
    rows = []
    for number in range(0 if facts.empty else 3):
        created, cents = _when(books, number * 3), 45_000 + 12_500 * number
        row: Row = {
            "id": facts.uid("recurring", number),
            "initiator_id": facts.members[0].id,
            "bank_account_id": facts.accounts[0].id,
            "amount": major(cents),
            "amount_cents": cents,
            "amount_currency": "EUR",
            "beneficiary_id": facts.uid("beneficiary", number),
            "reference": "Loyer" if number == 0 else f"Contrat {number}",
            "first_execution_date": day(created),
            "last_execution_date": day(facts.anchor + timedelta(days=400)) if number == 1 else None,
            "next_execution_date": None if number == 2 else day(facts.anchor + timedelta(days=9)),
            "frequency": ("monthly", "quarterly", "weekly")[number],
            "created_at": milliseconds(created),
            "updated_at": milliseconds(created + timedelta(days=number)),
        }
        if number:
            row |= {"note": "Trimestre" if number == 1 else None}
            row["status"] = "canceled" if number == 2 else "active"
        rows.append(row)
    return rows


def external_transfers(books: Books) -> list[Row]:
    """Text everywhere, cents included (Q51); no `updated_at` to be seen (Q39)."""
    facts = books.facts
    rows = []
    for number in range(0 if facts.empty else 4):
        created, cents = _when(books, number * 2), 120_000 + 7_505 * number
        done = number != 3
        rows.append(
            {
                "_updated_at": milliseconds(created + timedelta(days=1, minutes=number)),
                "id": facts.uid("external", number),
                "slug": f"{facts.slug}-external-transfer-{number + 1}",
                "debit_iban": facts.accounts[0].iban,
                "debit_amount": text(cents),
                "debit_amount_cents": str(cents),
                "debit_currency": "EUR",
                "beneficiary_id": facts.uid("beneficiary", "abroad"),
                "initiator_id": facts.members[0].id,
                "credit_amount": text(cents * 100 // 92) if done else None,
                "credit_amount_cents": str(cents * 100 // 92) if done else None,
                "credit_currency": "USD",
                "rate_applied": "1.0869565" if done else None,
                "payment_purpose": "goods",
                "reference": f"PO {number + 77}",
                "note": "Acompte 50 %" if number == 1 else None,
                "declined_reason": None if done else "beneficiary_bic_invalid",
                "status": "settled" if done else "declined",
                "scheduled_date": day(created),
                "created_at": milliseconds(created),
                "completed_at": milliseconds(created + timedelta(days=1)) if done else None,
                "processed_at": milliseconds(created + timedelta(hours=1)),
                "transaction_id": facts.uid("transaction", facts.accounts[0].id, 10)
                if done
                else None,
            }
        )
    return rows


def requests(books: Books) -> list[Row]:
    """Four kinds with different fields in one list (Q78); amounts are bare text (Q51)."""
    facts = books.facts
    kinds: dict[str, Row] = {
        "transfer": {
            "creditor_name": facts.place.partners[0],
            "amount": "400.00",
            "currency": "EUR",
            "scheduled_date": day(facts.anchor),
            "reference": "Acompte chaises",
            "recurrence": "monthly",
            "last_recurrence_date": day(facts.anchor + timedelta(days=365)),
            "attachment_ids": [facts.uid("request pdf")],
        },
        "multi_transfer": {
            "total_transfers_amount": "2030.00",
            "total_transfers_amount_currency": "EUR",
            "total_transfers_count": 4,
            "scheduled_date": day(facts.anchor),
        },
        "flash_card": {
            "payment_lifespan_limit": "250.00",
            "pre_expires_at": milliseconds(facts.anchor + timedelta(days=12)),
            "currency": "EUR",
        },
        "virtual_card": {
            "payment_monthly_limit": "1200.00",
            "card_level": "virtual",
            "card_design": "virtual.2024",
            "currency": "EUR",
        },
    }
    rows = []
    for number in range(0 if facts.empty else 9):
        kind, status = list(kinds)[number % 4], RANKS[number * 3 % 4]
        created = _when(books, number)
        open_ = status == "pending"
        rows.append(
            {
                "_rank": RANKS.index(status),
                "id": facts.uid("request", number),
                "request_type": kind,
                "status": status,
                "initiator_id": facts.members[3].id,
                "approver_id": None if open_ else facts.members[0].id,
                "note": "Acompte" if number % 2 else None,
                "declined_note": "Trop cher" if status == "declined" else None,
                "processed_at": None if open_ else milliseconds(created + timedelta(hours=20)),
                "created_at": milliseconds(created),
                **kinds[kind],
            }
        )
    return rows
