"""The rows of what the organization has to pay: supplier invoices and suppliers."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from demo.data import plan
from demo.data.invoice_parts import lifecycle
from demo.data.plan import payable
from demo.values import day, digits, iban, masked, milliseconds, money, text

if t.TYPE_CHECKING:
    from demo.data.books import Books

Row = dict[str, t.Any]
NOBODY = "00000000-0000-0000-0000-000000000000"  # no supplier was recognised (Q73)
SUPPLIERS = 7
INVOICES = 13
STATES = (
    "to_review", "to_approve", "awaiting_payment", "pending", "scheduled", "paid", "paid",
    "archived", "rejected", "discarded",
)  # fmt: skip


def supplier_invoices(books: Books) -> list[Row]:
    facts = books.facts
    if facts.empty:
        return []
    place, members = facts.place, facts.members
    rows = []
    for number in range(INVOICES):
        status = STATES[number % len(STATES)]
        supplier, name, invoice, created, cents, tax = payable(facts, number)
        payments = plan.of(facts, "supplier_invoices", number)
        updated = created + timedelta(days=number % 6, seconds=number * 311)
        updated = max([updated, *(one.settled for one in payments)])
        file = f"facture-{number + 1:03d}.pdf"
        paid = status == "paid"
        left = cents - sum(one.cents for one in payments) if payments or not paid else 0
        credit = number == 11
        rows.append(
            {
                "id": facts.uid("supplier_invoice", number),
                "organization_id": facts.id,
                "status": status,
                "source_type": ("email", "direct_upload", "e_invoicing")[number % 3],
                "source": ("email_forward", "generic_upload", "e_invoicing")[number % 3],
                "attachment_id": facts.uid("supplier_pdf", number),
                "display_attachment_id": facts.uid("supplier_pdf", number),
                "file_name": file,
                "declined_note": "Déjà payée" if status == "rejected" else None,
                "is_einvoice": number % 3 == 2,
                "e_invoice_type": "zugferd" if number % 3 == 2 else None,
                "has_discrepancies": False,
                "has_duplicates": number == 4,
                "invoice_number": invoice,
                "supplier_id": NOBODY if supplier == SUPPLIERS else facts.uid("supplier", supplier),
                "supplier_name": None if supplier == SUPPLIERS else name,
                "issuer_name": name,
                "supplier_snapshot": {
                    "name": name,
                    "iban": iban(place.country, place.other_bank, name),
                    "email": f"facturation@supplier-{supplier}.example",
                    "tin": digits(9, name, "tin") if place.country == "ES" else None,
                }
                if supplier != SUPPLIERS
                else None,
                "vat_number": place.country + digits(11, name),
                "tin": digits(9, name, "tin") if place.country == "ES" else None,
                "tin_number": digits(9, name, "tin") if place.country == "ES" else None,
                "description": "Bois de chêne, 2 m³" if number == 3 else None,
                "total_amount": money(cents),
                "total_amount_excluding_taxes": money(cents - tax),
                "total_tax_amount": money(tax),
                "taxes": [{"tax_amount": text(tax), "tax_rate": str(place.vat)}],
                "payable_amount": money(left),
                "total_amount_credit_notes": money(0),
                "issue_date": day(created - timedelta(days=3)),
                "due_date": day(created + timedelta(days=27)) if number % 5 else None,
                "payment_date": day(updated) if paid else None,
                "scheduled_date": day(created + timedelta(days=20))
                if status == "scheduled"
                else None,
                "iban": masked(iban(place.country, place.other_bank, name)),
                "initiator_id": members[number % 3].id,
                "created_at": milliseconds(created),
                "updated_at": milliseconds(min(updated, facts.anchor - timedelta(hours=4))),
                "analyzed_at": milliseconds(created + timedelta(seconds=41)),
                "is_attachment_invoice": True,
                "attachment_category": "INVOICE",
                "is_attachment_non_financial": False,
                "matched_transactions": None
                if number == 1
                else [
                    {
                        "subject_id": facts.uid("transfer", one.id(facts)),
                        "subject_type": "transfer",
                        "transaction_id": one.id(facts),
                    }
                    for one in payments
                ],
                "matched_transactions_ids": [one.id(facts) for one in payments],
                "suggested_transactions": [
                    {"id": one.id(facts), "score": "0.62"}
                    for one in plan.of(facts, "supplier_invoices", 5)
                ]
                if status == "to_review"
                else [],
                "transfer_ids": [facts.uid("transfer", one.id(facts)) for one in payments],
                "request_transfer": {"id": facts.uid("request", 0), "initiator_id": members[3].id}
                if status == "pending"
                else None,
                "self_invoice_id": facts.uid("self_invoice") if number == 2 else None,
                "einvoicing_lifecycle_events": lifecycle(created) if number % 3 == 2 else [],
                "meta": {  # of the invoice: nothing to do with pages (Q74)
                    "integration_type": "accounting" if paid else None,
                    "connector": "pennylane" if paid else None,
                    "accounting_recorded_at": milliseconds(updated) if paid else None,
                    "accounting_recorded_source": "connector" if paid else None,
                },
                "available_actions": {
                    "delete": status == "to_review",
                    "archive": status != "archived",
                    "unarchive": status == "archived",
                    "pay": status in {"to_approve", "awaiting_payment"},
                    "reasons": {
                        "pay": ["invalid_status"] if paid else [],
                        "delete": ["is_recorded"] if paid else [],
                        "archive": ["is_recorded"] if paid else [],
                        "unarchive": [] if status == "archived" else ["invalid_status"],
                    },
                },
                "approval_workflow": {
                    "approver_ids": [members[1].id],
                    "supplier_invoice_request_id": facts.uid("request", 4) if paid else None,
                    "verified_by": members[2].id if paid else None,
                    "last_approved_by": members[1].id if paid else None,
                }
                if number % 4
                else None,
                "is_credit_note": credit,
                "has_suggested_credit_notes": False,
                "related_invoices": [
                    {
                        "id": facts.uid("supplier_invoice", 0),
                        "invoice_number": "R-11",
                        "total_amount": money(cents),
                        "attachment_id": facts.uid("supplier_pdf", 0),
                        "file_name": "facture-001.pdf",
                    }
                ]
                if credit
                else None,
            }
        )
    return rows


def suppliers(books: Books) -> list[Row]:
    """Archived ones come only to those who ask (Q44); numbers are masked (Q58)."""
    facts, place = books.facts, books.facts.place
    rows = []
    for number in range(0 if facts.empty else SUPPLIERS):
        name = place.partners[number % len(place.partners)]
        if number >= len(place.partners):
            name += " (2)"
        city, zip_code, province = place.cities[number % len(place.cities)]
        created = facts.anchor - timedelta(days=420 - 30 * number, hours=4)
        rows.append(
            {
                "id": facts.uid("supplier", number),
                "name": name,
                "status": "archived" if number == 5 else "unarchived",
                "currency": "EUR",
                "default_vat_rate": place.vat,
                "tax_identifiers": {
                    "vat_number": masked(place.country + digits(11, name)),
                    "tin_number": masked(digits(9, name, "tin")) if place.country == "ES" else None,
                },
                "address": {
                    "street_address": f"{number + 2} {place.streets[number % len(place.streets)]}",
                    "zip_code": zip_code,
                    "province_code": province if place.country == "IT" else None,
                    "city": city,
                    "country_code": place.country,
                },
                "contact_info": {
                    "email": f"facturation@supplier-{number}.example",
                    "phone_number": f"{place.phone}{number:05d}",
                },
                "e_invoicing": {
                    "recipient_code": digits(7, name) if place.country == "IT" else None
                },
                "payment_details": {"iban": masked(iban(place.country, place.other_bank, name))},
                "outstanding_balance": money(number * 12_050) if facts.role == "owner" else None,
                "created_at": milliseconds(created),
                "updated_at": milliseconds(created + timedelta(days=number)),
            }
        )
    return rows
