"""The rows of the organization itself: its people, plan and settings; and webhooks."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from demo.values import day, digits, milliseconds, plain, seconds

if t.TYPE_CHECKING:
    from demo.data.books import Books

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
                "second_line": "2e étage" if facts.country == "FR" else None,
                "third_line": "Bât. B" if facts.country == "FR" else None,
                "city": company.city,
                "zipcode": company.zip_code,
                "country": facts.country,
                "state": "Madrid" if facts.country == "ES" else None,
            },
            "bank_accounts": [],  # filled in at each answer: balances move
        }
    ]


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
            **(
                {
                    "residence_country": facts.country,
                    "birthdate": "1962-01-10",
                    "nationality": facts.country,
                    "birth_country": facts.country,
                    "ubo": True,
                }
                if facts.country == "ES"
                else {}
            ),
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


def webhook_subscriptions(books: Books) -> list[Row]:
    """`description` is left out; `secret` is there (Q68)."""
    facts = books.facts
    if facts.empty:
        return []
    return [
        {
            "id": facts.uid("webhook"),
            "organization_id": facts.id,
            "membership_id": facts.members[0].id,
            "callback_url": f"https://hooks.{facts.slug}.example/qonto",
            "types": ["v1/transactions", "v1/cards"],
            "secret": "whsec-" + digits(20, facts.id, "webhook"),
            "created_at": seconds(books.facts.anchor - timedelta(days=183, hours=8)),
            "updated_at": seconds(books.facts.anchor - timedelta(days=166, hours=8)),
        }
    ]
