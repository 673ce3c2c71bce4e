"""The transactions of one account, and with them its balance: exact to the cent, in order.

The completed rows of an account form a chain: by `settled_at`, each `settled_balance` is the one
before plus or minus the amount, and the last one is the balance of the account.
"""

from __future__ import annotations

import typing as t
from collections import deque
from datetime import datetime, timedelta
from itertools import count
from operator import itemgetter

from demo.data.places import ABROAD, RATES, Merchant
from demo.data.plan import (
    CARD,
    DEBIT,
    FEE,
    INCOME,
    REFUND,
    SWIFT,
    TRANSFER,
    Kind,
    Movement,
    on,
)
from demo.data.transactions import At, Card, Row, Writer
from demo.values import digits, major, milliseconds

if t.TYPE_CHECKING:
    from demo.data.facts import Account, OrganizationFacts

# where a transaction shows the other side
DETAILS = {
    "Transfer": "transfer",
    "Income": "income",
    "SwiftIncome": "swift_income",
    "DirectDebitCollection": "direct_debit_collection",
}
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
UNUSED = frozenset([4, 5])  # a flash card, and one that is blocked: no payments by chance


class Use(t.NamedTuple):
    """What was paid with a card, in cents: since the month, the day and ever; and when last."""

    month: int = 0
    day: int = 0
    ever: int = 0
    most: int = 0  # at once
    last: str | None = None  # in the style of transactions


class Ledger:
    """Writes the rows of one account one after the other and keeps its balance, in cents."""

    def __init__(self, organization: OrganizationFacts, account: Account) -> None:
        self.organization, self.account = organization, account
        self.balance = 0
        self.pending_debits = 0
        self.settled_at = ""  # of the newest completed row
        self.links: dict[str, list[tuple[str, str]]] = {}  # parent id -> (link type, child id)
        self.random = organization.random(f"transactions/{account.id}")
        self.uses: dict[str, Use] = {}  # by card
        self._cards = [
            (index, card)
            for index, card in enumerate(organization.cards)
            if organization.card_account(index).id == account.id
        ]
        self._bought: tuple[Merchant, int, Card] | None = None  # what may be given back
        self.writer = Writer(organization, account, self.random)
        self._seldoms = count()
        self._cash = 0  # roughly what is left while writing; keeps the account above water

    def history(self, total: int) -> list[Row]:
        """`total` rows over the last fourteen months, the newest hours before the anchor.

        What is planned is among them, the rest is chance.
        """
        end = self.organization.anchor - timedelta(hours=4)
        if self.account.status == "closed":
            end -= timedelta(days=200)
        start = end - timedelta(days=425)
        planned = deque(on(self.organization, self.account))
        chances = max(total - len(planned), 0)
        step = (end - start) / max(chances, 1)
        rows: list[Row] = []
        made = 0
        while made < chances:
            emitted = start + step * (made + self.random.random() * 0.8)
            while planned and planned[0].at <= emitted:
                rows.append(self._planned(planned.popleft(), end))
            several = self.movement(At(emitted, end), room=chances - made)
            made += len(several)
            rows += several
        rows += [self._planned(one, end) for one in planned]
        self.settle([row for row in rows if row["settled_at"]])
        self.pending_debits = sum(
            row["amount_cents"]
            for row in rows
            if row["status"] == "pending" and row["side"] == "debit"
        )
        for row in rows:
            self.use(row, self.organization.anchor)
        return rows

    def use(self, row: Row, now: datetime, sign: int = 1) -> None:
        """Count a payment by card, or with `sign` -1 no longer, in the month and day of `now`.

        Money that came back does not count, nor what was declined or reversed.
        """
        card, moment = row["card_id"], milliseconds(now)
        if card is None:
            return
        use = self.uses.get(card, Use())
        if row["side"] == "debit" and row["status"] in {"completed", "pending"}:
            cents, emitted = sign * row["amount_cents"], row["emitted_at"]
            use = Use(
                use.month + (cents if emitted[:7] == moment[:7] else 0),
                use.day + (cents if emitted[:10] == moment[:10] else 0),
                use.ever + cents,
                max(use.most, cents),
                use.last,
            )
        self.uses[card] = use._replace(last=max(use.last or "", row["emitted_at"]))

    def _planned(self, plan: Movement, end: datetime) -> Row:
        facts = self.organization
        rate = facts.place.vat
        details: Row = {}
        if plan.party is not None:
            details[DETAILS[plan.kind.subject]] = self.writer.account_of(plan.party)
        row = self.writer.row(
            At(plan.at, end), "completed", plan.kind, plan.cents, label=plan.label,
            card=None if plan.card is None else facts.cards[plan.card],
            taxes=() if plan.vat is None else ((rate, plan.cents, plan.vat),),
            reference=plan.reference, category=plan.category, **details,
        )  # fmt: skip
        row["id"] = plan.id(facts)
        if plan.kind is not CARD:
            row["settled_at"] = row["updated_at"] = milliseconds(plan.settled)
        self._cash += plan.gain
        return row

    def movement(self, at: At, room: int = 1, status: str | None = None) -> list[Row]:
        """Mostly one row; a card payment abroad brings its fee along where there is `room`."""
        status = status or self._status(at, room)
        kind, completed = self.random.random(), status == "completed"
        if completed and (self._cash < 300_000 or kind > 0.83):
            rows = [self._income(at)]
        elif completed and kind < 0.06 and room > 1 and self.account.main and self._cards:
            rows = self._abroad(at)
        elif kind < 0.48 and self._cards:
            rows = [self._card(at, status)]
        elif completed and kind < 0.52 and self._bought is not None:
            rows = [self._refund(at, *self._bought)]
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
        if self.writer.written % 29 == 12:
            return "declined"
        return "reversed" if self.writer.written % 47 == 20 else "completed"

    def _shopping(self) -> tuple[Merchant, int]:
        shop = self.random.choice(self.organization.place.merchants)
        return shop, self.random.randrange(shop.low, shop.high)

    def _card(self, at: At, status: str) -> Row:
        (shop, cents), card = self._shopping(), self._any_card()
        if status == "completed":
            self._bought = shop, cents, card
        return self.writer.row(at, status, CARD, cents, shop=shop, card=card)

    def _refund(self, at: At, shop: Merchant, cents: int, card: Card) -> Row:
        """Of what was bought last."""
        self._bought = None
        return self.writer.row(
            at, "completed", REFUND, cents, shop=shop, card=card, category="refund"
        )

    def _any_card(self) -> Card:
        """One of this account's that is in use."""
        used = [card for index, card in self._cards if index not in UNUSED]
        return self.random.choice(used or [card for _, card in self._cards])

    def _abroad(self, at: At) -> list[Row]:
        shop = self.random.choice(ABROAD)
        local = self.random.randrange(shop.low, shop.high)
        cents = (local * RATES[shop.currency] + 500) // 1000
        row = self.writer.row(
            at, "completed", CARD, cents, shop=shop, card=self._any_card(),
            local_amount=major(local), local_amount_cents=local, local_currency=shop.currency,
        )  # fmt: skip
        fee = self.writer.row(
            at._replace(emitted=at.emitted + timedelta(milliseconds=0 if at.live else 2100)),
            "completed", FEE, max(cents * 2 // 100, 1),
            label="Foreign exchange fee", category="fees",
        )  # fmt: skip
        self.links[row["id"]] = [("related_fee", fee["id"])]
        return [row, fee]

    def _income(self, at: At) -> Row:
        payer = self.random.choice(self.organization.place.partners)
        kind = INCOME if self.account.currency == "EUR" else SWIFT
        cents = self.random.randrange(30_000, 640_000)
        detail: Row = {DETAILS[kind.subject]: self.writer.counterparty(payer)}
        return self.writer.row(
            at, "completed", kind, cents, label=payer, category="sales",
            reference=f"FA-{self.random.randrange(9999):04d}", **detail,
        )  # fmt: skip

    def _transfer(self, at: At, status: str) -> Row:
        payee = self.random.choice(self.organization.place.partners)
        cents = self.random.randrange(4_000, 190_000)
        return self.writer.row(
            at, status, TRANSFER, cents, label=payee,
            reference="Facture " + digits(5, payee, cents),
            transfer=self.writer.counterparty(payee),
        )  # fmt: skip

    def _direct_debit(self, at: At, status: str) -> Row:
        label, category, low, high = self.random.choice(self.organization.place.debits)
        return self.writer.row(
            at, status, DEBIT, self.random.randrange(low, high), label=label,
            category=category, reference="MANDAT " + digits(8, self.organization.id, label),
            direct_debit={
                **self.writer.counterparty(label),
                "unique_mandate_reference": "RUM-" + digits(8, self.organization.id, label),
            },
        )  # fmt: skip

    def _seldom(self, at: At) -> Row:
        rare = RARE if self.organization.country == "IT" else RARE[:-1]  # pagoPA is Italian
        cents = self.random.randrange(2_000, 60_000)
        kind, label, detail = rare[next(self._seldoms) % len(rare)]
        return self.writer.row(at, "completed", kind, cents, label=label, shop=None, **detail)

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


def _after(moment: str) -> str:
    """The next millisecond of a `2026-03-11T08:14:07.512Z`."""
    parsed = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%f%z")
    return milliseconds(parsed + timedelta(milliseconds=1))
