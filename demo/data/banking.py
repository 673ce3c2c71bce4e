"""The rows of what is filed with the accounts: statements, labels, categories."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from demo.data.embeds import FILES, LABELS, SIGNATURE, label_row
from demo.data.transactions import CATEGORIES
from demo.values import digits

if t.TYPE_CHECKING:
    from demo.data.books import Books

Row = dict[str, t.Any]


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
            size = 40_000 + int(digits(4, id_))
            rows.append(
                {
                    "_iban": account.iban,
                    "id": id_,
                    "bank_account_id": account.id,
                    "period": period,
                    "file": {
                        "file_name": f"{account.slug}-{period}.pdf",
                        "file_content_type": "application/pdf",
                        "file_size": str(size),
                        "file_url": f"{FILES}/statements/{id_}.pdf"
                        f"?bytes={size}&signature={SIGNATURE}",
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
