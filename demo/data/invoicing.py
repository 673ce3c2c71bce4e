"""The rows of Qonto's invoicing resources, as the member who sells sees them."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from demo.values import day, digits, local, money

if t.TYPE_CHECKING:
    from demo.data.books import Books

Row = dict[str, t.Any]
CLIENTS = 9
INVOICES = 14
GOODS = (
    "Tabouret en chêne",
    "Étagère murale",
    "Conseil (jour)",
    "Réparation",
    "Livraison",
    "Atelier",
)


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


def embedded(books: Books, number: int) -> Row:
    """The copy of a client in a document: `type` instead of `kind` (Q62)."""
    client = books.table("clients").records[books.facts.uid("client", number)].row()
    names = (
        "id", "name", "first_name", "last_name", "email", "vat_number",
        "tax_identification_number", "address", "city", "zip_code", "province_code",
        "country_code", "recipient_code", "locale", "billing_address", "delivery_address",
    )  # fmt: skip
    copy = {name: client[name] for name in names if name in client}
    return {"id": copy.pop("id"), "type": client["kind"], **copy}


def issuer(books: Books) -> Row:
    facts = books.facts
    return {
        "id": facts.id,
        "legal_name": f"{facts.name} {facts.company.legal_form}",
        "legal_number": facts.legal_number,
        "legal_country": facts.country,
        "address_line_1": facts.company.street,
        "address_line_2": "Piso 2" if facts.country == "ES" else None,
        "address_zipcode": facts.company.zip_code,
        "address_city": facts.company.city,
        "address_country": facts.country,
        "company_leadership": facts.members[0].last_name if facts.country == "DE" else None,
        "district_court": "Amtsgericht Hamburg" if facts.country == "DE" else None,
        "commercial_register_number": "HRB " + facts.legal_number
        if facts.country == "DE"
        else None,
        "vat_number": facts.vat_number,
        "tax_number": "22/456/" + digits(5, facts.id, "tax") if facts.country == "DE" else None,
        "legal_capital_share": money(500_000),
        "transaction_type": "goods_and_services",
        "vat_payment_condition": "on_receipts",
    }


def items(books: Books, number: int, *, percent: bool = False) -> tuple[list[Row], int, int]:
    """One to three lines, their total and the VAT in it, in cents.

    VAT rates are ratios on invoices and percents on quotes (Q52).
    """
    vat = books.facts.place.vat
    rate = str(vat) if percent else f"0.{vat:02d}".rstrip("0")
    rows, total, taxes = [], 0, 0
    for line in range(1 + number % 3):
        quantity, price = 1 + (number + line) % 4, 4_500 + 1_735 * ((number * 3 + line) % 17)
        discount = 500 if line == 1 else 0
        net = quantity * price - discount
        exempt = line == 2
        tax = 0 if exempt else (net * vat + 50) // 100
        total, taxes = total + net + tax, taxes + tax
        rows.append(
            {
                "title": GOODS[(number + line) % len(GOODS)],
                "description": None if line else "Fait main",
                "quantity": str(quantity),
                "unit": "unit" if line else None,
                "unit_price": money(price),
                "unit_price_cents": price,
                "vat_rate": "0" if exempt else rate,
                "vat_exemption_reason": "N2.1" if exempt else None,
                "discount": {
                    "type": "absolute",  # Q66
                    "value": "5.00",
                    "amount": money(discount),
                    "amount_cents": discount,
                }
                if discount
                else None,
                "total_vat": money(tax),
                "total_vat_cents": tax,
                "total_amount": money(net + tax),
                "total_amount_cents": net + tax,
                "subtotal": money(net),
                "subtotal_cents": net,
            }
        )
    return rows, total, taxes


def lifecycle(created: datetime) -> list[Row]:
    """E-invoicing events: four decimals in the timestamp (Q53)."""
    return [
        {
            "status_code": code,
            "reason": "REJ_SEMAN" if code == 213 else None,
            "reason_message": "Numéro déjà utilisé" if code == 213 else None,
            "timestamp": f"{created + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}.4127Z",
        }
        for hours, code in enumerate((200, 201, 213 if created.day % 2 else 203))
    ]


def italian(books: Books) -> Row:
    """What only documents of Italian organizations hold."""
    if books.facts.country != "IT":
        return {"stamp_duty_amount": None, "welfare_fund": None, "withholding_tax": None}
    return {
        "stamp_duty_amount": "2.00",
        "welfare_fund": {"type": "TC22", "rate": "0.04", "amount": "12.00"},
        "withholding_tax": {
            "reason": "RF02",
            "rate": "0.2",
            "payment_reason": "A",
            "amount": "40.00",
        },
    }


def client_invoices(books: Books) -> list[Row]:
    """Drafts have no lines (Q63); imported ones are hidden by default (Q30)."""
    facts = books.facts
    rows = []
    for number in range(0 if facts.empty else INVOICES):
        status = ("paid", "unpaid", "paid", "draft", "canceled", "unpaid")[number % 6]
        created = facts.anchor - timedelta(days=380 - 26 * number, hours=3 + number)
        updated = created + timedelta(days=(number * 5) % 19, minutes=7)
        draft = status == "draft"
        lines, total, taxes = items(books, number)
        if draft:
            total = taxes = 0
        client = embedded(books, number % CLIENTS)
        row: Row = {
            "_imported": number % 7 == 6,
            "id": facts.uid("client_invoice", number),
            "organization_id": facts.id,
            "number": None if draft else f"F-{created.year}-{number + 1:03d}",
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
            "amount_paid": money(total if status == "paid" else 0),
            "deposit_amount": None,
            "issue_date": day(created),
            "due_date": day(created + timedelta(days=30)),
            "performance_date": day(created - timedelta(days=2)) if number == 0 else None,
            "performance_start_date": day(created - timedelta(days=12)) if number else None,
            "performance_end_date": day(created - timedelta(days=2)) if number else None,
            "created_at": local(created, hours=facts.place.hours),
            "updated_at": local(min(updated, facts.anchor - timedelta(hours=4)), hours=1),
            "finalized_at": None if draft else local(created + timedelta(hours=1)),
            "paid_at": local(updated) if status == "paid" else None,
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
            "organization": issuer(books),
            "invoice_type": "deposit" if number == 5 else "standard",
            "attachment_id": None if draft else facts.uid("invoice_pdf", number),
            "einvoicing_status": "pending" if number % 5 == 1 else None,
            **italian(books),
            "payment_reporting": {"conditions": "TP02", "method": "MP08"}
            if facts.country == "IT"
            else None,
            "einvoicing_lifecycle_events": lifecycle(created) if number % 3 == 0 else [],
        }
        rows.append(row)
    return rows
