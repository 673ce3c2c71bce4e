"""The rows of transfers that leave SEPA: international ones, and the older external ones."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from demo.data import plan
from demo.values import day, digits, milliseconds, money, text

if t.TYPE_CHECKING:
    from demo.data.books import Books

Row = dict[str, t.Any]
ABROAD = (("US", "USD", "aba"), ("GB", "GBP", "swift_code"), ("CA", "CAD", "swift_code"))
CURRENCIES = (
    ("US", "USD", 1), ("GB", "GBP", 2), ("CH", "CHF", 3), ("CA", "CAD", None), ("SE", "SEK", None),
    ("NO", "NOK", None), ("JP", "JPY", None), ("AU", "AUD", None), ("NZ", "NZD", None),
)  # fmt: skip


def _when(books: Books, number: int) -> datetime:
    return books.facts.anchor - timedelta(days=330 - 31 * number, hours=6, minutes=number * 7)


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
        created = plan.abroad_created(facts, "international_transfers", number)
        cents = plan.abroad_cents("international_transfers", number)
        paid = plan.of(facts, "international_transfers", number)
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
                "transaction_id": paid[0].id(facts) if paid else None,
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


def external_transfers(books: Books) -> list[Row]:
    """Text everywhere, cents included (Q51); no `updated_at` to be seen (Q39)."""
    facts = books.facts
    rows = []
    for number in range(0 if facts.empty else 4):
        created = plan.abroad_created(facts, "external_transfers", number)
        cents, done = plan.abroad_cents("external_transfers", number), number != 3
        paid = plan.of(facts, "external_transfers", number)
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
                "transaction_id": paid[0].id(facts) if paid else None,
            }
        )
    return rows
