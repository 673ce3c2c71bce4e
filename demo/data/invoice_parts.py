"""What the documents of invoicing hold inside: lines, client, issuer, events."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from demo.values import digits, money

if t.TYPE_CHECKING:
    from demo.data.facts import OrganizationFacts

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


def client_name(facts: OrganizationFacts, number: int) -> str:
    """Of client `number`: companies, and every third and fourth a person."""
    place = facts.place
    if number % 4 < 2:
        return place.partners[number % len(place.partners)]
    first = place.first_names[number % len(place.first_names)]
    return f"{first} {place.last_names[number % len(place.last_names)]}"


def invoiced_at(facts: OrganizationFacts, number: int) -> datetime:
    """When client invoice `number` was made."""
    return facts.anchor - timedelta(days=380 - 26 * number, hours=3 + number)


def invoice_number(facts: OrganizationFacts, number: int) -> str:
    return f"F-{invoiced_at(facts, number).year}-{number + 1:03d}"


def credited_at(facts: OrganizationFacts, number: int) -> datetime:
    """When the credit note for client invoice `number` was made."""
    return facts.anchor - timedelta(days=370 - 26 * number, hours=number)


def credit_number(facts: OrganizationFacts, number: int) -> str:
    return f"A-{credited_at(facts, number).year}-{number:03d}"


def embedded(client: Row) -> Row:
    """The copy of a client in a document: `type` instead of `kind` (Q62)."""
    names = (
        "id", "name", "first_name", "last_name", "email", "vat_number",
        "tax_identification_number", "address", "city", "zip_code", "province_code",
        "country_code", "recipient_code", "locale", "billing_address", "delivery_address",
    )  # fmt: skip
    copy = {name: client[name] for name in names if name in client}
    return {"id": copy.pop("id"), "type": client["kind"], **copy}


def issuer(facts: OrganizationFacts) -> Row:
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


def items(
    facts: OrganizationFacts, number: int, *, percent: bool = False
) -> tuple[list[Row], int, int]:
    """One to three lines, their total and the VAT in it, in cents.

    VAT rates are ratios on invoices and percents on quotes (Q52).
    """
    vat = facts.place.vat
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


def italian(facts: OrganizationFacts) -> Row:
    """What only documents of Italian organizations hold."""
    if facts.country != "IT":
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
