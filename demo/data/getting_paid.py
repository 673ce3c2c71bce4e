"""The rows of how money comes in: payment links, direct debit, terminals."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from demo.data import plan
from demo.data.invoice_parts import client_name, invoice_number
from demo.values import day, digits, money, seconds

if t.TYPE_CHECKING:
    from demo.data.books import Books

Row = dict[str, t.Any]
METHODS = ("credit_card", "apple_pay", "paypal", "ideal")
PAYMENTS = (("paid",), ("failed", "failed", "paid"), (), (), ("pending",))  # of each link


def _when(books: Books, number: int) -> datetime:
    return books.facts.anchor - timedelta(days=200 - 17 * number, hours=8, minutes=number * 13)


def payment_links(books: Books) -> list[Row]:
    facts = books.facts
    rows = []
    for number in range(0 if facts.empty else 5):
        created = plan.link_created(facts, number)
        invoice = number % 2 == 0
        amount = money(plan.link_cents(facts, number))
        id_ = facts.uid("payment_link", number)
        rows.append(
            {
                "id": id_,
                "status": ("paid", "open", "expired", "canceled", "processing")[number],
                "expiration_date": seconds(created + timedelta(days=60)),
                "potential_payment_methods": ["credit_card", "apple_pay", "bank_transfer"],
                "amount": amount,
                "resource_type": "Invoice" if invoice else "Basket",
                "items": None
                if invoice
                else [
                    {
                        "title": "Atelier découverte",
                        "quantity": 1,
                        "unit_price": amount,
                        "vat_rate": f"{facts.place.vat}.0",  # Q52
                        "type": "service",
                        "description": "Samedi matin" if number == 1 else None,
                        "measure_unit": "unit",
                    }
                ],
                "reusable": number == 1,
                "invoice_id": facts.uid("client_invoice", number) if invoice else None,
                "invoice_number": invoice_number(facts, number) if invoice else None,
                "debitor_name": client_name(facts, number) if invoice else None,
                "created_at": seconds(created),
                "url": f"https://pay.qonto.example/links/{id_}",
            }
        )
    return rows


def payment_link_payments(books: Books) -> list[Row]:
    """They do not name their link (Q79): `_parent` is the server's own."""
    facts = books.facts
    rows = []
    for number, payments in enumerate(() if facts.empty else PAYMENTS):
        for payment, status in enumerate(payments):
            created = plan.link_created(facts, number) + timedelta(hours=2 + payment)
            rows.append(
                {
                    "_parent": facts.uid("payment_link", number),
                    "id": facts.uid("link_payment", number, payment),
                    "amount": money(plan.link_cents(facts, number)),
                    "status": status,
                    "payment_method": METHODS[payment % 2],
                    "created_at": seconds(created),
                    "paid_at": seconds(created + timedelta(seconds=44))
                    if status == "paid"
                    else None,
                    "debitor_email": f"client{number}@mail.example",
                }
            )
    return rows


def payment_link_connection(books: Books) -> list[Row]:
    return [
        {
            "connection_location": "https://partner.example/connect",
            "status": "enabled",
            "bank_account_id": books.facts.accounts[0].id,
        }
    ]


def payment_link_methods(_: Books) -> list[Row]:
    return [{"name": name, "enabled": name != "ideal"} for name in METHODS]


def sdd_mandates(books: Books) -> list[Row]:
    facts = books.facts
    if facts.empty:
        return []
    rows = []
    for number in range(4):
        created, signed = _when(books, number), number != 3
        rows.append(
            {
                "id": facts.uid("mandate", number),
                "unique_mandate_reference": f"RUM-{digits(8, facts.id, number)}",
                "client_id": facts.uid("client", number),
                "status": "signed" if signed else "pending_signature",
                "created_at": seconds(created),
                "mandate_signature_date": seconds(created + timedelta(days=1)) if signed else None,
                "schedule_type": "one_off" if number == 2 else "monthly",
                "notify_client": True,
                "sign_url": None if signed else f"https://sign.qonto.example/{facts.uid('sign')}",
                "is_cancelable": not signed,
                "payment_info": {
                    "first_payment": {
                        "collection_date": day(created + timedelta(days=14)),
                        "amount": money(4_900),
                        "reference": "Abonnement",
                    },
                    "notify_client": True,
                    "schedule_type": "monthly",
                    "schedule_total_collection_count": 12,
                }
                if number % 2
                else None,
            }
        )
    return rows


def sdd_subscriptions(books: Books) -> list[Row]:
    facts = books.facts
    if facts.empty:
        return []
    return [
        {
            "id": facts.uid("sdd_subscription", number),
            "direct_debit_mandate_id": facts.uid("mandate", number),
            "bank_account_id": facts.accounts[0].id,
            "initial_collection_date": day(_when(books, number) + timedelta(days=14)),
            "amount": money(4_900 + 1_000 * number),
            "reference": "Abonnement",
            "status": ("in_progress", "scheduled", "in_progress", "pending_mandate_signature")[
                number
            ],
            "schedule_type": "one_off" if number == 2 else "monthly",
            "notify_client": True,
            "created_at": seconds(_when(books, number)),
            "sign_url": f"https://sign.qonto.example/{facts.uid('sign')}" if number == 3 else None,
        }
        for number in range(4)
    ]


def sdd_collections(books: Books) -> list[Row]:
    """Neither created_at nor updated_at; a completed one may still turn (Q40)."""
    facts = books.facts
    if facts.empty:
        return []
    return [
        {
            "id": facts.uid("collection", number),
            "direct_debit_subscription_id": facts.uid("sdd_subscription", number % 3),
            "amount": money(plan.collected_cents(number)),
            "collection_date": day(plan.collected_at(facts, number)),
            "status": status,
            "unique_mandate_reference": f"RUM-{digits(8, facts.id, number % 3)}",
            **({"reference": "Abonnement"} if number % 2 else {}),
            "status_reason": "insufficient_funds" if status == "declined" else None,
        }
        for number, status in enumerate(plan.COLLECTED)
    ]


def terminals(books: Books) -> list[Row]:
    facts = books.facts
    if facts.empty or facts.country == "ES":
        return []
    return [
        {
            "id": facts.uid("terminal", number),
            "poi_id": f"S1F2-{digits(9, facts.id, 'terminal', number)}",
            "created_at": seconds(_when(books, number)),
            "updated_at": seconds(_when(books, number) + timedelta(days=20)),
        }
        for number in range(2)
    ]
