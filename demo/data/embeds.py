"""What `includes[]` adds to a transaction: attachments, labels, VAT details."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from demo.values import digits, milliseconds, text

if t.TYPE_CHECKING:
    from demo.data.facts import OrganizationFacts

Row = dict[str, t.Any]
FILES = "https://files.qonto.example"  # where links lead; replaced at each answer
SIGNATURE = "{signature}"  # of links; replaced at each answer (Q92)
LABEL_NAMES = ("Clients", "Atelier", "Voyages", "Marketing", "Équipe", "Loyer", "IT & café", "R&D")
LABELS = len(LABEL_NAMES)


def receipt(
    organization: OrganizationFacts, transaction_id: str, number: int, created: datetime
) -> Row:
    """An attachment; its link is signed anew in each answer (Q92)."""
    id_ = organization.uid("receipt", transaction_id, number)
    size = int(digits(5, id_)) + 9000
    ending, type_ = ("png", "image/png") if size % 5 == 0 else ("pdf", "application/pdf")
    return {
        "id": id_,
        "created_at": milliseconds(created + timedelta(minutes=35 + number)),
        "file_name": f"ticket-{id_[:4]}.{ending}",
        "file_size": size if size % 3 == 0 else str(size),  # Q75
        "file_content_type": type_,
        "url": f"{FILES}/attachments/{id_}.{ending}?bytes={size}&signature={SIGNATURE}",
        "probative_attachment": {"status": "pending"}
        if size % 2
        else {
            "status": "available",
            "file_name": f"probative-{id_[:4]}.pdf",
            "file_content_type": "application/pdf",
            "file_size": str(size + 1200),
            "url": f"{FILES}/probative/{id_}.pdf?bytes={size + 1200}&signature={SIGNATURE}",
        },
    }


def label_row(organization: OrganizationFacts, number: int) -> Row:
    """Two of the eight labels hang below the first."""
    return {
        "id": organization.label_id(number),
        "name": LABEL_NAMES[number],
        "parent_id": organization.label_id(0) if number in {3, 4} else None,
    }


def vat_details(taxes: t.Iterable[tuple[int, int, int]]) -> Row:
    """One item per rate; `taxes` are rate in percent, cents with VAT and cents of VAT."""
    return {
        "items": [
            {
                "amount": text(vat),
                "amount_cents": vat,
                "amount_excluding_vat": text(gross - vat),
                "amount_excluding_vat_cents": gross - vat,
                "rate": f"{rate}.0",
            }
            for rate, gross, vat in taxes
        ]
    }
