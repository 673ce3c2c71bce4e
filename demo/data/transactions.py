"""How a row of `/v2/transactions` is written."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from demo.data.embeds import LABELS, label_row, receipt, vat_details
from demo.values import iban, major, milliseconds, plain

if t.TYPE_CHECKING:
    import random

    from demo.data.facts import Account, Member, OrganizationFacts
    from demo.data.places import Merchant
    from demo.data.plan import Kind

Row = dict[str, t.Any]
Taxes = tuple[tuple[int, int, int], ...]  # rate in percent, cents with VAT, cents of VAT
Card = tuple[str, str, "Member"]
CATEGORIES = ("sales", "operations", "people", "taxes")  # of cash flow, see banking.py
NOTES = ("Déjeuner avec {}", "Übergabe an {} am Freitag", "a verificar", "☕ équipe", "{} fragen")


class Writer:
    """Writes the rows of one account; each gets the next number."""

    def __init__(
        self, organization: OrganizationFacts, account: Account, rng: random.Random
    ) -> None:
        self.organization, self.account, self.random = organization, account, rng
        self.written = 0

    def counterparty(self, name: str) -> Row:
        place = self.organization.place
        return self.account_of(iban(place.country, place.other_bank, name))

    def account_of(self, number: str) -> Row:
        place = self.organization.place
        styles = ("IBAN", "SWIFT_BIC") if self.random.random() < 0.7 else ("iban", "bic")  # Q55
        return {
            "counterparty_account_number": number,
            "counterparty_account_number_format": styles[0],
            "counterparty_bank_identifier": place.bic
            if number[4:].startswith(place.bank)
            else place.other_bic,
            "counterparty_bank_identifier_format": styles[1],
        }

    def _taxes(self, shop: Merchant | None, cents: int, number: int) -> Taxes:
        """Rate, cents with VAT, and the VAT in them; nothing where somebody has yet to say it.

        Some bills have two rates, such as those of restaurants.
        """
        if shop is None or not shop.vat or number % 9 == 4:
            return ()
        parts = [(shop.vat, cents)]
        usual = self.organization.place.vat
        if shop.category == "restaurant_and_bar" and shop.vat != usual and number % 3 == 0:
            parts = [(shop.vat, cents - cents * 3 // 10), (usual, cents * 3 // 10)]
        return tuple(
            (rate, gross, (gross * rate * 2 + 100 + rate) // (2 * (100 + rate)))
            for rate, gross in parts
        )

    def row(  # noqa: PLR0913 - what tells a movement from others
        self,
        at: At,
        status: str,
        kind: Kind,
        cents: int,
        *,
        shop: Merchant | None = None,
        card: Card | None = None,
        taxes: Taxes | None = None,
        **more: t.Any,
    ) -> Row:
        """The row as `GET /v2/transactions` gives it with all three `includes[]`.

        `settled_balance` is filled in by `settle`, in order of `settled_at`.
        """
        self.written += 1
        number, organization, rng = self.written, self.organization, self.random
        operation, side = kind.operation, kind.side
        settled, updated = at.times(status, operation, number, rng)
        created = at.emitted + timedelta(milliseconds=0 if at.live else rng.randrange(40, 900))
        id_ = organization.uid("transaction", self.account.id, number)
        taxes = self._taxes(shop, cents, number) if taxes is None else taxes
        vat_cents = sum(vat for _, _, vat in taxes) if taxes else None
        labels = [int(rng.random() * LABELS)] if rng.random() < 0.5 else []
        receipts = (
            (0, 0, 1, 1, 2)[int(rng.random() * 5)] if operation in {"card", "transfer"} else 0
        )
        flow = CATEGORIES[0 if side == "credit" else 1]
        return {
            "id": id_,
            "transaction_id": f"{organization.slug}-{self.account.number}-transaction-{number}",
            "amount": major(cents),
            "amount_cents": cents,
            "settled_balance": None,
            "settled_balance_cents": None,
            "local_amount": major(cents),
            "local_amount_cents": cents,
            "side": side,
            "operation_type": operation,
            "currency": self.account.currency,
            "local_currency": self.account.currency,
            "label": shop.label if shop else "",
            "clean_counterparty_name": shop.name if shop else None,
            "settled_at": settled and milliseconds(settled),
            "emitted_at": milliseconds(at.emitted),
            "created_at": milliseconds(created),
            "updated_at": milliseconds(updated),
            "status": status,
            "note": self._note(number) if number % 11 == 5 else None,
            "reference": None,
            "vat_amount": major(vat_cents) if vat_cents is not None else None,
            "vat_amount_cents": vat_cents,
            "vat_rate": taxes[0][0] if len(taxes) == 1 else None,
            "initiator_id": card[2].id if card else None,
            "label_ids": [organization.label_id(one) for one in labels],
            "attachment_ids": [organization.uid("receipt", id_, one) for one in range(receipts)],
            "attachment_lost": False,
            "attachment_required": operation in {"card", "transfer"},
            "card_last_digits": card[1] if card else None,
            "card_id": card[0] if card else None,
            "category": shop.category if shop else "other_expense",
            "cashflow_category": {
                "id": organization.uid("cash_flow_category", flow),
                "name": flow.title(),
            },
            "cashflow_subcategory": {
                "id": organization.uid("cash_flow_subcategory", flow, 0),
                "name": f"{flow.title()} 1",
            }
            if labels
            else None,
            "subject_type": kind.subject,
            "bank_account_id": self.account.id,
            "is_external_transaction": self.account.external,
            "logo": {
                "small": f"https://assets.qonto.example/logos/{plain(shop.name)}-small.png",
                "medium": f"https://assets.qonto.example/logos/{plain(shop.name)}.png",
            }
            if shop and shop.name
            else None,
            **more,
            "attachments": [receipt(organization, id_, one, created) for one in range(receipts)],
            "labels": [label_row(organization, one) for one in labels],
            "vat_details": vat_details(taxes) if taxes else None,
        }

    def _note(self, number: int) -> str:
        """What somebody wrote down, names of people included."""
        place = self.organization.place
        first = place.first_names[number % len(place.first_names)]
        last = place.last_names[number % len(place.last_names)]
        return NOTES[number // 11 % len(NOTES)].format(f"{first} {last}")


class At(t.NamedTuple):
    """When a movement happens. `live` ones, added to a running server, are done at once."""

    emitted: datetime
    end: datetime  # nothing in the books is younger
    live: bool = False

    def times(
        self, status: str, operation: str, number: int, rng: random.Random
    ) -> tuple[datetime | None, datetime]:
        """`settled_at` and `updated_at`.

        Cards settle in a nightly batch, and a batch leaves one `updated_at` on all its rows (Q21).
        """
        if self.live:
            return (self.emitted if status == "completed" else None), self.emitted
        if status != "completed":
            return None, self.emitted + timedelta(seconds=rng.randrange(3, 900))
        if operation == "card":
            night = (self.emitted + timedelta(days=1)).replace(
                hour=4, minute=2, second=11, microsecond=0
            )
            settled = min(night + timedelta(milliseconds=number % 900), self.end)
            updated = night + timedelta(seconds=1)
        else:
            settled = self.emitted + timedelta(seconds=rng.randrange(20, 4_000))
            updated = settled = min(settled, self.end)
        if rng.random() < 0.25:  # somebody added a label, a note or a receipt later
            updated = settled + timedelta(seconds=rng.randrange(1_000_000))
        return settled, max(min(updated, self.end), settled)
