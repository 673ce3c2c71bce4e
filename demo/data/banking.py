"""The rows of Qonto's banking resources: organization, members, statements, labels."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from demo.data.embeds import LABELS, SIGNATURE, label_row
from demo.data.ledger import CATEGORIES
from demo.values import day, digits, major, milliseconds, plain

if t.TYPE_CHECKING:
    from demo.data.books import Books
    from demo.data.facts import Account

Row = dict[str, t.Any]


def organization(books: Books) -> list[Row]:
    facts = books.facts
    company = facts.company
    return [
        {
            "id": facts.id,
            "name": facts.name,
            "slug": facts.slug,
            "legal_name": f"{facts.name} {company.legal_form}",
            "locale": facts.place.locale,
            "legal_share_capital": 5000 + 1000 * (facts.number % 20),
            "legal_country": facts.country,
            "legal_registration_date": day(facts.founded),
            "legal_form": company.legal_form,
            "legal_address": f"{company.street} {company.zip_code} {company.city}",
            "legal_sector": company.sector,
            # no T, no zone (Q53)
            "contract_signed_at": f"{facts.founded + timedelta(days=18):%Y-%m-%d %H:%M:%S.%f}",
            "legal_number": facts.legal_number,
            "address": {
                "first_line": company.street,
                "zipcode": company.zip_code,
                "city": company.city,
                "country": facts.country,
            },
            "bank_accounts": [],  # filled in at each answer: balances move
        }
    ]


def bank_account(books: Books, account: Account, balance: int, pending: int) -> Row:
    """A row of `/v2/bank_accounts`; with `_slug` instead of organization_id elsewhere (Q57)."""
    return {
        "_slug": account.slug,
        "_external": account.external,
        "id": account.id,
        "name": account.name,
        "organization_id": books.facts.id,
        "status": account.status,
        "main": account.main,
        "iban": account.iban,
        "bic": account.bic,
        "currency": account.currency,
        "balance": major(balance),
        "balance_cents": balance,
        "authorized_balance": major(balance - pending),
        "authorized_balance_cents": balance - pending,
        "updated_at": milliseconds(books.facts.anchor - timedelta(hours=4)),
        "is_external_account": account.external,
        "account_number": digits(10, account.id) if account.currency == "USD" else None,
    }


def memberships(books: Books) -> list[Row]:
    facts = books.facts
    return [
        {
            "id": member.id,
            "first_name": member.first_name,
            "last_name": member.last_name,
            "email": _email(books, member.first_name) if index % 2 else None,
            "role": member.role,
            "team_id": facts.team_id(member.team),
            "residence_country": facts.country,
            "birthdate": f"{1962 + 7 * index}-0{index + 1}-1{index}",
            "nationality": facts.country,
            "birth_country": "SN" if index == 3 else facts.country,
            "ubo": index < 2 if member.role else None,
            "status": "active" if member.role else "invitable",
        }
        for index, member in enumerate(facts.members)
    ]


def membership(books: Books) -> list[Row]:
    facts, member = books.facts, books.facts.members[0]
    return [
        {
            "id": member.id,
            "first_name": member.first_name,
            "last_name": member.last_name,
            "email": _email(books, member.first_name),
            "phone_number": facts.place.phone + "12345",
            "position": "CEO",
            "status": "active",
            "role": member.role,
            "locale": facts.place.locale,
            "team_id": facts.team_id(member.team),
            "kyc_status": "accepted",
        }
    ]


def _email(books: Books, name: str) -> str:
    return f"{plain(name)}@{plain(books.facts.name)}.example"


def teams(books: Books) -> list[Row]:
    if books.facts.empty:
        return []
    names = ("Direction", "Atelier", "Vente")
    return [{"id": books.facts.team_id(number), "name": name} for number, name in enumerate(names)]


def subscription(books: Books) -> list[Row]:
    facts = books.facts
    if facts.empty:
        return [{"plan": None}]  # no active core subscription
    code, name, lineup, price = (
        ("solo_basic", "Basic", "solo", "9.0")
        if facts.gated
        else ("team_business", "Business", "teams", "99.0")
    )
    return [
        {
            "plan": {
                "code": code,
                "name": name,
                "lineup": lineup,
                "status": "active",
                "recurrence": "monthly",
                "monthly_price": {"amount": price, "currency": "EUR"},
                "trial_ends_at": milliseconds(facts.anchor + timedelta(days=11))
                if facts.number == 3
                else None,
            }
        }
    ]


def einvoicing_settings(books: Books) -> list[Row]:
    enabled = books.facts.country in {"FR", "IT"}
    return [
        {
            "sending_status": "enabled" if enabled else "disabled",
            "receiving_status": "enabled" if enabled else "pending_creation",
        }
    ]


def statements(books: Books) -> list[Row]:
    """One per account and full month of the last thirteen."""
    rows: list[Row] = []
    if books.facts.empty:
        return rows
    for account in books.facts.accounts:
        if account.external:
            continue
        month = books.facts.anchor.replace(day=1)
        for _ in range(13):
            month = (month - timedelta(days=1)).replace(day=1)
            period = f"{month:%m-%Y}"
            id_ = books.facts.uid("statement", account.id, period)
            rows.append(
                {
                    "_iban": account.iban,
                    "id": id_,
                    "bank_account_id": account.id,
                    "period": period,
                    "file": {
                        "file_name": f"{account.slug}-{period}.pdf",
                        "file_content_type": "application/pdf",
                        "file_size": str(40_000 + int(digits(4, id_))),
                        "file_url": f"https://files.qonto.example/statements/{id_}.pdf"
                        f"?signature={SIGNATURE}",
                    },
                }
            )
    return rows


def labels(books: Books) -> list[Row]:
    if books.facts.empty:
        return []
    return [label_row(books.facts, number) for number in range(LABELS)]


def cash_flow_categories(books: Books) -> list[Row]:
    """VAT rates as percent text, left out where there is none (Q52)."""
    facts = books.facts
    if facts.empty:
        return []
    return [
        {
            "id": facts.uid("cash_flow_category", name),
            "name": name.title(),
            "type": "CATEGORY_TYPE_INFLOW" if name == "sales" else "CATEGORY_TYPE_OUTFLOW",
            **({"vat_rate": str(facts.place.vat)} if name in {"sales", "operations"} else {}),
            "subcategories": [
                {
                    "id": facts.uid("cash_flow_subcategory", name, number),
                    "name": f"{name.title()} {number + 1}",
                    **({"vat_rate": str(facts.place.vat)} if number == 0 else {}),
                }
                for number in range(0 if name == "taxes" else 2)
            ],
        }
        for name in CATEGORIES
    ]
