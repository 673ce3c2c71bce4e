"""The rows around client invoices: credit notes, quotes, schedules, reminders, products."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from demo.data.invoicing import (
    CLIENTS,
    GOODS,
    INVOICES,
    embedded,
    issuer,
    italian,
    items,
    lifecycle,
)
from demo.values import day, local, money

if t.TYPE_CHECKING:
    from demo.data.books import Books

Row = dict[str, t.Any]


def _when(books: Books, number: int, step: float = 29) -> datetime:
    return books.facts.anchor - timedelta(days=310 - step * number, hours=5, minutes=number * 11)


def credit_notes(books: Books) -> list[Row]:
    """One for each canceled invoice.

    Some organizations get the sandbox's spelling: a capital letter, and a `reason` that nobody
    documents (Q65).
    """
    facts = books.facts
    rows = []
    for number in range(4, 0 if facts.empty else INVOICES, 6):
        created = facts.anchor - timedelta(days=370 - 26 * number, hours=number)
        lines, total, taxes = items(books, number)
        odd = facts.number % 4 == 2
        rows.append(
            {
                "id": facts.uid("credit_note", number),
                "invoice_id": facts.uid("client_invoice", number),
                "attachment_id": facts.uid("credit_note_pdf", number),
                "number": f"A-{created.year}-{number:03d}",
                "issue_date": day(created),
                **({"Invoice_issue_date": day(created), "reason": "Retour"} if odd else {}),
                **({} if odd else {"invoice_issue_date": day(created)}),
                "header": "Avoir",
                "footer": facts.name,
                "terms_and_conditions": "Selon nos conditions",
                "currency": "EUR",
                "vat_amount": money(taxes),
                "vat_amount_cents": taxes,
                "total_amount": money(total),
                "total_amount_cents": total,
                "created_at": local(created),
                "finalized_at": local(created + timedelta(minutes=2)),
                "contact_email": f"facturation@{facts.slug}.example",
                "invoice_url": f"https://pay.qonto.example/credit/{facts.uid('url', -number)}",
                "einvoicing_status": "pending" if number == 4 else None,
                **italian(books),
                "items": lines,
                "client": embedded(books, number % CLIENTS),
                "einvoicing_lifecycle_events": lifecycle(created),
            }
        )
    return rows


def quotes(books: Books) -> list[Row]:
    """VAT rates in percent (Q52)."""
    facts = books.facts
    rows = []
    for number in range(0 if facts.empty else 7):
        created = _when(books, number, 41)
        status = ("approved", "pending_approval", "canceled")[number % 3]
        lines, total, taxes = items(books, number, percent=True)
        rows.append(
            {
                "id": facts.uid("quote", number),
                "organization_id": facts.id,
                "number": f"D-{created.year}-{number + 1:03d}",
                "status": status,
                "currency": "EUR",
                "total_amount": money(total),
                "total_amount_cents": total,
                "vat_amount": money(taxes),
                "vat_amount_cents": taxes,
                "issue_date": day(created),
                "expiry_date": day(created + timedelta(days=30)),
                "created_at": local(created),
                "approved_at": local(created + timedelta(days=4)) if status == "approved" else None,
                "canceled_at": local(created + timedelta(days=9)) if status == "canceled" else None,
                "attachment_id": facts.uid("quote_pdf", number),
                "quote_url": f"https://pay.qonto.example/quotes/{facts.uid('quote url', number)}",
                "contact_email": f"facturation@{facts.slug}.example",
                "terms_and_conditions": "Acompte de 30 %",
                "header": None if number else "Devis",
                "footer": None if number else facts.name,
                "discount": {
                    "type": "percentage",
                    "value": "0.1",
                    "amount": money(total // 10),
                    "amount_cents": total // 10,
                }
                if number == 3
                else None,
                "items": lines,
                "client": embedded(books, (number * 2) % CLIENTS),
                "organization": issuer(books),
                **italian(books),
                "invoice_ids": [facts.uid("client_invoice", number)]
                if status == "approved"
                else [],
            }
        )
    return rows


def recurring_invoices(books: Books) -> list[Row]:
    """`next_invoice_date` is left out while suspended (Q76)."""
    facts = books.facts
    rows = []
    for number in range(0 if facts.empty else 3):
        created = _when(books, number * 2)
        status = ("active", "suspended", "finished")[number]
        row: Row = {
            "id": facts.uid("recurring_invoice", number),
            "status": status,
            "client_id": facts.uid("client", number),
            "invoice_id": facts.uid("client_invoice", number) if number == 0 else None,
            "start_date": day(created),
            "end_date": day(created + timedelta(days=180)) if status == "finished" else None,
            "next_invoice_date": day(facts.anchor + timedelta(days=8)),
            "frequency": {"value": number + 1, "recurrence": "monthly"},
            "payment_terms_days": 30,
            "bank_account": {"iban": facts.accounts[0].iban},
            "invoice_status": "unpaid",
            "currency": "EUR",
            "purchase_order": "PO-12" if number else None,
            "terms_and_conditions": "Résiliable à tout moment" if number else None,
            "header": "Maintenance" if number else None,
            "footer": facts.name if number else None,
            "discount": {"type": "percentage", "value": "0.05"} if number else None,
            "items": [
                {
                    "id": facts.uid("recurring item", number),
                    "title": "Entretien mensuel",
                    "description": "Chaque mois" if number else None,
                    "quantity": "1",
                    "unit": "hour" if number else None,
                    "unit_price": money(9_000 + 500 * number),
                    "vat_rate": f"0.{facts.place.vat:02d}".rstrip("0"),
                    "vat_exemption_code": "S293B" if number == 2 else None,
                    "discount": {"type": "percentage", "value": "0.02"} if number else None,
                }
            ],
            "payment_link": {"methods": ["credit_card"]} if number == 0 else None,
            "payment_reporting": {"conditions": "TP02", "method": "MP08"}
            if facts.country == "IT"
            else None,
            "created_at": local(created),
            "updated_at": local(created + timedelta(days=3)),
        }
        if status != "active":
            del row["next_invoice_date"]
        rows.append(row)
    return rows


def payment_reminders(books: Books) -> list[Row]:
    facts = books.facts
    if facts.empty:
        return []
    return [
        {
            "id": facts.uid("reminder", number),
            "client_id": facts.uid("client", number),
            "send_to": [f"compta{number}@client-{facts.number}.example"],
            "copy_to_self": number == 0,
            "rules": [
                {
                    "operator": "after" if days > 0 else "before",
                    "offset_days": abs(days),
                    "email_title": "Rappel",
                    "email_body": "Votre facture arrive à échéance.",
                }
                for days in (-3, 7, 30)[: number + 1]
            ],
        }
        for number in range(3)
    ]


def invoicing_settings(books: Books) -> list[Row]:
    return [{"numbering_mode": "manual" if books.facts.number == 2 else "automatic"}]


def products(books: Books) -> list[Row]:
    facts = books.facts
    if facts.empty:
        return []
    return [
        {
            "id": facts.uid("product", number),
            "title": title,
            "type": "service" if number in {2, 3, 5} else "good",
            "unit_price": money(4_500 + 1_735 * number),
            "vat_rate": f"0.{facts.place.vat:02d}".rstrip("0"),
            "organization_id": facts.id,
            "description": f"{title} · catalogue" if number % 2 else None,
            "internal_note": "marge 40 %" if number == 1 else None,
            "unit": "day" if number == 2 else "unit",
            "vat_exemption_code": "S261" if number == 5 else None,
            "links": [{"title": "Photo", "url": f"https://shop.example/{number}"}]
            if number == 0
            else [],
            "created_at": local(_when(books, number)),
            "updated_at": local(_when(books, number) + timedelta(days=number * 4)),
        }
        for number, title in enumerate(GOODS)
    ]
