"""The transactions of one account, and with them its balance: exact to the cent, in order.

The completed rows of an account form a chain: by `settled_at`, each `settled_balance` is the one
before plus or minus the amount, and the last one is the balance of the account.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta
from itertools import count
from operator import itemgetter

from demo.data.embeds import LABELS, label_row, receipt, vat_details
from demo.data.places import ABROAD, RATES, Merchant
from demo.values import digits, iban, major, milliseconds, plain

if t.TYPE_CHECKING:
    import random

    from demo.data.facts import Account, OrganizationFacts

Row = dict[str, t.Any]
CATEGORIES = ("sales", "operations", "people", "taxes")  # of cash flow, see banking.py


class Kind(t.NamedTuple):
    """Of a movement; `subject` is CamelCase in live answers (Q55)."""

    operation: str
    subject: str
    side: str = "debit"


CARD, FEE = Kind("card", "Card"), Kind("qonto_fee", "Other")
TRANSFER, DEBIT = Kind("transfer", "Transfer"), Kind("direct_debit", "DirectDebit")
REFUND, INCOME = Kind("card", "Card", "credit"), Kind("income", "Income", "credit")
SWIFT = Kind("income", "SwiftIncome", "credit")
# what happens seldom: kind, label, and the detail object that goes with it
RARE: tuple[tuple[Kind, str, Row], ...] = (
    (
        Kind("cheque", "Check", "credit"),
        "Remise de chèque",
        {"check": {"check_number": "7720031", "check_key": "42"}},
    ),
    (
        Kind("financing_installment", "FinancingInstallment"),
        "Installment 3/12",
        {
            "financing_installment": {
                "total_installments_number": 12,
                "current_installment_number": 3,
            }
        },
    ),
    (
        Kind("direct_debit", "DirectDebitHold"),
        "Direct debit guarantee",
        {"direct_debit_hold": {"guarding_rate": "0.15"}},
    ),
    (
        Kind("card", "DdcRepayment"),
        "Deferred debit",
        {
            "ddc_repayment": {
                "period_start": "2026-01-01",
                "period_end": "2026-01-31",
                "capital_amount": "412.00",
                "accumulated_fees_amount": "3.10",
                "total_transactions_count": 9,
            }
        },
    ),
    (
        Kind("transfer", "PagopaPayment"),
        "pagoPA",
        {
            "pagopa_payment": {
                "notice_number": "302000100000019421",
                "creditor_fiscal_code": "80184430587",
                "iuv": "02000100000019421",
            }
        },
    ),
)
COLLECTION = Kind("direct_debit", "DirectDebitCollection", "credit")
NOTES = ("Déjeuner client", "Übergabe am Freitag", "a verificar", "☕ équipe")


class Ledger:
    """Writes the rows of one account one after the other and keeps its balance, in cents."""

    def __init__(self, organization: OrganizationFacts, account: Account) -> None:
        self.organization, self.account = organization, account
        self.balance = 0
        self.pending_debits = 0
        self.settled_at = ""  # of the newest completed row
        self.written = 0
        self.links: dict[str, list[tuple[str, str]]] = {}  # parent id -> (link type, child id)
        self.random = organization.random(f"transactions/{account.id}")
        self._seldoms = count()
        self._cash = 0  # roughly what is left while writing; keeps the account above water

    def history(self, total: int) -> list[Row]:
        """`total` rows over the last fourteen months, the newest hours before the anchor."""
        end = self.organization.anchor - timedelta(hours=4)
        if self.account.status == "closed":
            end -= timedelta(days=200)
        start = end - timedelta(days=425)
        step = (end - start) / max(total, 1)
        rows: list[Row] = []
        while len(rows) < total:
            emitted = start + step * (len(rows) + self.random.random() * 0.8)
            rows += self.movement(At(emitted, end), room=total - len(rows))
        self.settle([row for row in rows if row["settled_at"]])
        self.pending_debits = sum(
            row["amount_cents"]
            for row in rows
            if row["status"] == "pending" and row["side"] == "debit"
        )
        return rows

    def movement(self, at: At, room: int = 1, status: str | None = None) -> list[Row]:
        """Mostly one row; a card payment abroad brings its fee along where there is `room`."""
        status = status or self._status(at, room)
        kind, completed = self.random.random(), status == "completed"
        if completed and (self._cash < 300_000 or kind > 0.83):
            rows = [self._income(at)]
        elif completed and kind < 0.06 and room > 1 and self.account.currency == "EUR":
            rows = self._abroad(at)
        elif kind < 0.48:
            rows = [self._card(at, status)]
        elif completed and kind < 0.52:
            rows = [self._refund(at)]
        elif completed and kind < 0.59:
            rows = [self._seldom(at)]
        elif kind < 0.7 and status in {"completed", "declined"}:
            rows = [self._direct_debit(at, status)]
        else:
            rows = [self._transfer(at, status)]
        if completed:
            self._cash += sum(
                row["amount_cents"] * (1 if row["side"] == "credit" else -1) for row in rows
            )
        return rows

    def _status(self, at: At, room: int) -> str:
        """Every account of some length has rows in all four states, the pending ones at its end."""
        if room <= 8 and room % 2 == 0 and not at.live and self.account.status == "active":
            return "pending"
        if self.written % 29 == 12:
            return "declined"
        return "reversed" if self.written % 47 == 20 else "completed"

    def _shopping(self) -> tuple[Merchant, int]:
        shop = self.random.choice(self.organization.place.merchants)
        return shop, self.random.randrange(shop.low, shop.high)

    def _card(self, at: At, status: str) -> Row:
        shop, cents = self._shopping()
        return self._row(at, status, CARD, cents, shop=shop)

    def _refund(self, at: At) -> Row:
        shop, cents = self._shopping()
        return self._row(at, "completed", REFUND, cents, shop=shop, category="refund")

    def _abroad(self, at: At) -> list[Row]:
        shop = self.random.choice(ABROAD)
        local = self.random.randrange(shop.low, shop.high)
        cents = (local * RATES[shop.currency] + 500) // 1000
        row = self._row(
            at, "completed", CARD, cents, shop=shop,
            local_amount=major(local), local_amount_cents=local, local_currency=shop.currency,
        )  # fmt: skip
        fee = self._row(
            at._replace(emitted=at.emitted + timedelta(milliseconds=0 if at.live else 2100)),
            "completed", FEE, max(cents * 2 // 100, 1),
            label="Foreign exchange fee", category="fees",
        )  # fmt: skip
        self.links[row["id"]] = [("related_fee", fee["id"])]
        return [row, fee]

    def _income(self, at: At) -> Row:
        payer = self.random.choice(self.organization.place.partners)
        foreign = self.account.currency != "EUR"
        return self._row(
            at, "completed", SWIFT if foreign else INCOME,
            self.random.randrange(30_000, 640_000), label=payer, category="sales",
            reference=f"FA-{self.random.randrange(9999):04d}",
            shop=None, **{"swift_income" if foreign else "income": self._counterparty(payer)},
        )  # fmt: skip

    def _transfer(self, at: At, status: str) -> Row:
        payee = self.random.choice(self.organization.place.partners)
        cents = self.random.randrange(4_000, 190_000)
        return self._row(
            at, status, TRANSFER, cents, label=payee,
            reference="Facture " + digits(5, payee, cents), transfer=self._counterparty(payee),
        )  # fmt: skip

    def _direct_debit(self, at: At, status: str) -> Row:
        label, category, low, high = self.random.choice(self.organization.place.debits)
        return self._row(
            at, status, DEBIT, self.random.randrange(low, high), label=label,
            category=category, reference="MANDAT " + digits(8, self.organization.id, label),
            direct_debit={
                **self._counterparty(label),
                "unique_mandate_reference": "RUM-" + digits(8, self.organization.id, label),
            },
        )  # fmt: skip

    def _seldom(self, at: At) -> Row:
        rare = RARE if self.organization.country == "IT" else RARE[:-1]  # pagoPA is Italian
        dice = next(self._seldoms) % (len(rare) + 1)
        cents = self.random.randrange(2_000, 60_000)
        if dice == len(rare):
            payer = self.random.choice(self.organization.place.partners)
            return self._row(
                at, "completed", COLLECTION, cents, label=payer, category="sales",
                reference="Abonnement", direct_debit_collection=self._counterparty(payer),
            )  # fmt: skip
        kind, label, detail = rare[dice]
        return self._row(at, "completed", kind, cents, label=label, shop=None, **detail)

    def _counterparty(self, name: str) -> Row:
        place = self.organization.place
        styles = ("IBAN", "SWIFT_BIC") if self.random.random() < 0.7 else ("iban", "bic")  # Q55
        return {
            "counterparty_account_number": iban(place.country, place.other_bank, name),
            "counterparty_account_number_format": styles[0],
            "counterparty_bank_identifier": place.other_bic,
            "counterparty_bank_identifier_format": styles[1],
        }

    def _row(
        self,
        at: At,
        status: str,
        kind: Kind,
        cents: int,
        *,
        shop: Merchant | None = None,
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
        vat = shop.vat if shop else 0
        vat_cents = (cents * vat * 2 + 100 + vat) // (2 * (100 + vat)) if vat else None
        card = (
            rng.choice(organization.cards) if operation == "card" and organization.cards else None
        )
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
            "note": NOTES[number % len(NOTES)] if number % 11 == 5 else None,
            "reference": None,
            "vat_amount": major(vat_cents) if vat_cents is not None else None,
            "vat_amount_cents": vat_cents,
            "vat_rate": vat or None,
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
            "vat_details": vat_details(cents, vat_cents, vat) if vat_cents is not None else None,
        }

    def bank_account(self) -> Row:
        """The row of `/v2/bank_accounts`, as the account stands.

        `_slug` is what `/v2/organization` shows in place of organization_id (Q57).
        """
        account, held = self.account, self.balance - self.pending_debits
        return {
            "_slug": account.slug,
            "_external": account.external,
            "id": account.id,
            "name": account.name,
            "organization_id": self.organization.id,
            "status": account.status,
            "main": account.main,
            "iban": account.iban,
            "bic": account.bic,
            "currency": account.currency,
            "balance": major(self.balance),
            "balance_cents": self.balance,
            "authorized_balance": major(held),
            "authorized_balance_cents": held,
            "updated_at": milliseconds(self.organization.anchor - timedelta(hours=4)),
            "is_external_account": account.external,
            "account_number": digits(10, account.id) if account.currency == "USD" else None,
        }

    def settle(self, rows: list[Row]) -> None:
        """Chain completed `rows` to the balance, by `settled_at`, which becomes unique."""
        for row in sorted(rows, key=itemgetter("settled_at")):
            if row["settled_at"] <= self.settled_at:
                row["settled_at"] = _after(self.settled_at)
            self.settled_at = row["settled_at"]
            self.balance += row["amount_cents"] * (1 if row["side"] == "credit" else -1)
            row["settled_balance_cents"] = self.balance
            row["settled_balance"] = major(self.balance)


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


def _after(moment: str) -> str:
    """The next millisecond of a `2026-03-11T08:14:07.512Z`."""
    parsed = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%f%z")
    return milliseconds(parsed + timedelta(milliseconds=1))
