"""The rows of Qonto's invoicing resources, as the member who sells sees them."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from demo.data import plan
from demo.data.invoice_parts import (
    CLIENTS,
    GOODS,
    INVOICES,
    credit_number,
    credited_at,
    embedded,
    invoice_number,
    invoiced_at,
    issuer,
    italian,
    items,
    lifecycle,
)
from demo.values import day, digits, local, money

if t.TYPE_CHECKING:
    from demo.data.books import Books

Row = dict[str, t.Any]


def _when(books: Books, number: int, step: float = 29) -> datetime:
    return books.facts.anchor - timedelta(days=310 - step * number, hours=5, minutes=number * 11)


def _client(books: Books, number: int) -> Row:
    return embedded(books.table("clients").records[books.facts.uid("client", number)].row())


def clients(books: Books) -> list[Row]:
    """Companies, individuals and freelancers; the latter two have no `name` (Q62)."""
    facts = books.facts
    rows: list[Row] = []
    for number in range(0 if facts.empty else CLIENTS):
        kind = ("company", "company", "individual", "freelancer")[number % 4]
        city, zip_code, province = facts.place.cities[number % len(facts.place.cities)]
        street = f"{number * 7 + 3} {facts.place.streets[number % len(facts.place.streets)]}"
        created = facts.anchor - timedelta(days=700 - 61 * number, hours=number)
        address = {
            "street_address": street,
            "city": city,
            "zip_code": zip_code,
            "province_code": province if facts.country == "IT" else None,
            "country_code": facts.country if number % 2 else facts.country.lower(),
        }
        row: Row = {
            "id": facts.uid("client", number),
            "kind": kind,
            **({"type": kind} if number == 3 else {}),
            "phone": {"country_code": facts.place.phone[:3], "number": digits(9, facts.id, number)},
            "phone_number": facts.place.phone[:3] + digits(9, facts.id, number),
            "email": f"compta{number}@client-{facts.number}.example",
            "extra_emails": [f"copie{number}@client-{facts.number}.example"] if number == 2 else [],
            "currency": "EUR",
            "e_invoicing_address": f"0009:{digits(14, facts.id, number)}" if number == 0 else None,
            "e_invoicing_reachable": facts.country in {"FR", "IT"},
            "vat_number": facts.country + digits(11, facts.id, "client", number)
            if kind == "company"
            else None,
            "tax_identification_number": digits(9, facts.id, "tin", number)
            if kind == "freelancer"
            else None,
            "address": street,
            "city": city,
            "zip_code": zip_code,
            "province_code": address["province_code"],
            "country_code": address["country_code"],
            "billing_address": address,
            "delivery_address": address if number % 3 == 0 else None,
            "recipient_code": digits(7, facts.id, number) if facts.country == "IT" else None,
            "locale": facts.place.locale.upper() if number % 5 == 4 else facts.place.locale,
            "created_at": local(created, hours=facts.place.hours),
            "updated_at": local(created + timedelta(days=number * 5), hours=facts.place.hours),
        }
        if kind == "company":
            row["name"] = facts.place.partners[number % len(facts.place.partners)]
        else:
            row["first_name"] = facts.place.first_names[number % len(facts.place.first_names)]
            row["last_name"] = facts.place.last_names[number % len(facts.place.last_names)]
        rows.append(row)
    return rows


def client_invoices(books: Books) -> list[Row]:
    """Drafts have no lines (Q63); imported ones are hidden by default (Q30)."""
    facts = books.facts
    rows = []
    for number in range(0 if facts.empty else INVOICES):
        status = ("paid", "unpaid", "paid", "draft", "canceled", "unpaid")[number % 6]
        created = invoiced_at(facts, number)
        paid = plan.of(facts, "client_invoices", number)
        updated = created + timedelta(days=(number * 5) % 19, minutes=7)
        updated = max([updated, *(one.settled for one in paid)])
        draft = status == "draft"
        lines, total, taxes = items(facts, number)
        if draft:
            total = taxes = 0
        client = _client(books, number % CLIENTS)
        row: Row = {
            "_imported": number % 7 == 6,
            "id": facts.uid("client_invoice", number),
            "organization_id": facts.id,
            "number": None if draft else invoice_number(facts, number),
            "purchase_order": f"PO-{number * 31}" if number % 4 == 0 else None,
            "status": status,
            "invoice_url": f"https://pay.qonto.example/invoices/{facts.uid('url', number)}",
            "contact_email": f"facturation@{facts.slug}.example",
            "terms_and_conditions": "30 jours",
            "discount_conditions": "Pas d'escompte" if facts.country == "FR" else None,
            "late_payment_penalties": "3 fois le taux légal" if facts.country == "FR" else None,
            "legal_fixed_compensation": "40 €" if facts.country == "FR" else None,
            "header": "Merci !" if number == 1 else None,
            "footer": f"{facts.name} · {facts.vat_number}",
            "currency": "EUR",
            "total_amount": money(total),
            "total_amount_cents": total,
            "vat_amount": money(taxes),
            "vat_amount_cents": taxes,
            "amount_paid": money(
                sum(one.gain for one in paid) if paid else total if status == "paid" else 0
            ),
            "deposit_amount": None,
            "issue_date": day(created),
            "due_date": day(created + timedelta(days=30)),
            "performance_date": day(created - timedelta(days=2)) if number == 0 else None,
            "performance_start_date": day(created - timedelta(days=12)) if number else None,
            "performance_end_date": day(created - timedelta(days=2)) if number else None,
            "created_at": local(created, hours=facts.place.hours),
            "updated_at": local(min(updated, facts.anchor - timedelta(hours=4)), hours=1),
            "finalized_at": None if draft else local(created + timedelta(hours=1)),
            "paid_at": local(paid[-1].settled if paid else updated) if status == "paid" else None,
            "discount": {"type": "percentage", "value": "0", "amount": None, "amount_cents": None}
            if number == 2
            else None,
            "items": None if draft else lines,
            "client": client,
            "payment_methods": [
                {
                    "beneficiary_name": facts.name,
                    "bic": facts.accounts[0].bic,
                    "iban": facts.accounts[0].iban,
                    "type": "transfer",
                }
            ],
            "credit_notes_ids": [facts.uid("credit_note", number)] if status == "canceled" else [],
            "organization": issuer(facts),
            "invoice_type": "deposit" if number == 5 else "standard",
            "attachment_id": None if draft else facts.uid("invoice_pdf", number),
            "einvoicing_status": "pending" if number % 5 == 1 else None,
            **italian(facts),
            "payment_reporting": {"conditions": "TP02", "method": "MP08"}
            if facts.country == "IT"
            else None,
            "einvoicing_lifecycle_events": lifecycle(created) if number % 3 == 0 else [],
        }
        rows.append(row)
    return rows


def credit_notes(books: Books) -> list[Row]:
    """One for each canceled invoice.

    Some organizations get the sandbox's spelling: a capital letter, and a `reason` that nobody
    documents (Q65).
    """
    facts = books.facts
    rows = []
    for number in range(4, 0 if facts.empty else INVOICES, 6):
        created = credited_at(facts, number)
        lines, total, taxes = items(facts, number)
        odd = facts.number % 4 == 2
        rows.append(
            {
                "id": facts.uid("credit_note", number),
                "invoice_id": facts.uid("client_invoice", number),
                "attachment_id": facts.uid("credit_note_pdf", number),
                "number": credit_number(facts, number),
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
                **italian(facts),
                "items": lines,
                "client": _client(books, number % CLIENTS),
                "einvoicing_lifecycle_events": lifecycle(created),
            }
        )
    return rows


def quotes(books: Books) -> list[Row]:
    """VAT rates in percent (Q52). Approved ones became the invoice of their number."""
    facts = books.facts
    rows = []
    for number in range(0 if facts.empty else 7):
        status = ("approved", "pending_approval", "canceled")[number % 3]
        invoiced = status == "approved"
        created = _when(books, number, 41)
        if invoiced:
            created = invoiced_at(facts, number) - timedelta(days=12)
        lines, total, taxes = items(facts, number, percent=True)
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
                "approved_at": local(created + timedelta(days=4)) if invoiced else None,
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
                "client": _client(books, number if invoiced else (number * 2) % CLIENTS),
                "organization": issuer(facts),
                **italian(facts),
                "invoice_ids": [facts.uid("client_invoice", number)] if invoiced else [],
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
