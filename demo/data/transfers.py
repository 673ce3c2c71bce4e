"""The rows of who is paid, and how: beneficiaries, transfers of all kinds, requests."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from demo.data import plan
from demo.values import day, digits, iban, major, milliseconds, moment, uid

if t.TYPE_CHECKING:
    from demo.data.books import Books

Row = dict[str, t.Any]
BENEFICIARIES = 6
NOT_SEPA = ("account_number", "routing_number", "intermediary_bank_bic", "swift_sort_code")
SETTLED = 9  # transfers that became transactions, at least
MARKS = ("operation_type", "status")
PLANNED = {"supplier_invoices", "sepa_recurring_transfers"}
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
                    **dict.fromkeys(NOT_SEPA),
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


def sepa_transfers(books: Books) -> list[Row]:
    """Settled ones name their transaction (Q49); the others wait, or failed."""
    facts = books.facts
    if facts.empty:
        return []
    records = books.table("transactions").records
    plans = {one.id(facts): one.of[0] for one in plan.movements(facts)}
    done = [records[id_].row() for id_, stream in plans.items() if stream in PLANNED]
    others = [
        record
        for id_, record in records.items()
        if id_ not in plans and [record.marks[name] for name in MARKS] == ["transfer", "completed"]
    ]
    done += [record.row() for record in others[-max(SETTLED - len(done), 3) :]]
    rows = []
    for number, paid in enumerate(done):
        recurs = plans.get(paid["id"]) == "sepa_recurring_transfers"
        rows.append(
            _transfer(books, number, "settled", paid["amount_cents"])
            | {
                "id": facts.uid("transfer", paid["id"]),
                "bank_account_id": paid["bank_account_id"],
                "beneficiary_id": _beneficiary(books, paid["label"]),
                "reference": paid["reference"] or "pagoPA",
                "scheduled_date": paid["emitted_at"][:10],
                "created_at": paid["created_at"],
                "updated_at": paid["settled_at"],
                "processed_at": paid["emitted_at"],
                "completed_at": paid["settled_at"],
                "transaction_id": paid["id"],
                "recurring_transfer_id": facts.uid("recurring", 0) if recurs else None,
            }
        )
    waiting = enumerate(("pending", "processing", "declined", "canceled"), len(done))
    return rows + [_transfer(books, n, status, 10_050 + 3_777 * n) for n, status in waiting]


def _beneficiary(books: Books, name: str) -> str | None:
    """The id of the beneficiary of that name; there is none for what goes to oneself or abroad."""
    partners = books.facts.place.partners[:BENEFICIARIES]
    return books.facts.uid("beneficiary", partners.index(name)) if name in partners else None


def _transfer(books: Books, number: int, status: str, cents: int) -> Row:
    facts = books.facts
    created = facts.anchor - timedelta(days=14 - number % 13, hours=7)
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
    made = [row for row in books.table("sepa_transfers").rows() if row["status"] == "settled"]
    for number in range(min(3, len(made) // 2)):
        pair = made[2 * number : 2 * number + 2]
        created = moment(min(row["created_at"] for row in pair)) - timedelta(minutes=1)
        results = [
            {
                "client_transfer_id": uid(facts.id, "bulk item", number, item),
                "transfer_id": pair[item]["id"] if item != 2 else None,
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
        created, cents = _when(books, number * 3), plan.RENT + 12_500 * number
        row: Row = {
            "id": facts.uid("recurring", number),
            "initiator_id": facts.members[0].id,
            "bank_account_id": facts.accounts[0].id,
            "amount": major(cents),
            "amount_cents": cents,
            "amount_currency": "EUR",
            "beneficiary_id": facts.uid("beneficiary", number),
            "reference": "Loyer" if number == 0 else f"Contrat {number}",
            "first_execution_date": day(created + timedelta(days=9)),
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
