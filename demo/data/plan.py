"""What is planned in the books: movements of money that rows of other streams speak of.

The other transactions of an account are left to chance (`demo.data.ledger`); these are not: they
pay an invoice, move money between own accounts, or recur. Whoever makes the rows that they belong
to asks here, so that both sides say the same.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta
from functools import lru_cache

from demo.data.invoice_parts import (
    CLIENTS,
    client_name,
    credit_number,
    invoice_number,
    invoiced_at,
    items,
)
from demo.values import digits, iban

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.data.facts import Account, OrganizationFacts

Row = dict[str, t.Any]
ENOUGH = 200  # transactions of an organization; smaller books are left to chance alone
SETTLES = timedelta(hours=1)
COLLECTED = ("completed", "completed", "returned", "completed", "refunded", "declined", "completed")
PRICES = (2400, 2900)  # of a subscription, before and after it rose
RISE = 4  # months ago
OVERPAID = 5000
RENT = 45_000


class Kind(t.NamedTuple):
    """Of a movement; `subject` is CamelCase in live answers (Q55)."""

    operation: str
    subject: str
    side: str = "debit"


CARD, FEE = Kind("card", "Card"), Kind("qonto_fee", "Other")
TRANSFER, DEBIT = Kind("transfer", "Transfer"), Kind("direct_debit", "DirectDebit")
REFUND, INCOME = Kind("card", "Card", "credit"), Kind("income", "Income", "credit")
SWIFT = Kind("income", "SwiftIncome", "credit")
COLLECTION = Kind("direct_debit", "DirectDebitCollection", "credit")
RETURN = Kind("direct_debit", "DirectDebitCollection")


class Movement(t.NamedTuple):
    """One planned transaction on account `account` (1 is the main one), emitted at `at`.

    `of` names the row of another stream that it belongs to, by stream and number; `vat` is the part
    of `cents` that is VAT at the country's rate. `card` is the number of the card that pays.
    """

    of: tuple[str, int]
    at: datetime
    kind: Kind
    cents: int
    label: str
    account: int = 1
    reference: str | None = None
    category: str = "other_expense"
    party: str | None = None  # account number of the other side
    vat: int | None = None
    card: int | None = None

    def id(self, facts: OrganizationFacts) -> str:
        return facts.uid("planned", *self.of, self.account, self.at.isoformat())

    @property
    def settled(self) -> datetime:
        return self.at + SETTLES

    @property
    def gain(self) -> int:
        """Cents with their sign."""
        return self.cents if self.kind.side == "credit" else -self.cents


@lru_cache(4096)
def movements(facts: OrganizationFacts) -> tuple[Movement, ...]:
    """All of an organization, oldest first; none in small books."""
    if facts.empty or facts.transactions < ENOUGH:
        return ()
    found = [
        *_invoices(facts), *_payables(facts), *_own_transfers(facts), *_recurring(facts),
        *_abroad(facts), *_by_card(facts),
    ]  # fmt: skip
    if not facts.gated:
        found += [*_payouts(facts), *_collections(facts)]
    return tuple(sorted(found, key=lambda movement: movement.at))


def of(facts: OrganizationFacts, stream: str, number: int) -> list[Movement]:
    """Those that belong to a row of `stream`."""
    return [one for one in movements(facts) if one.of == (stream, number)]


def on(facts: OrganizationFacts, account: Account) -> list[Movement]:
    return [one for one in movements(facts) if one.account == account.number]


# --- what is sold


def _invoices(facts: OrganizationFacts) -> Iterator[Movement]:
    """Paid in full, in parts, in part only, too much; one is paid, canceled and paid back."""
    shares = {2: ((20, 50), (45, 50)), 5: ((30, 40),), 6: ((28, 100),), 8: ((35, 100),),
              10: ((9, 100),), 12: ((12, 100),)}  # fmt: skip
    if facts.gated:
        shares[0] = ((20, 100),)  # elsewhere by its payment link
    for number, parts in shares.items():
        total, taxes = items(facts, number)[1:]
        at, left = invoiced_at(facts, number), total
        name, what = client_name(facts, number % CLIENTS), invoice_number(facts, number)
        for days, percent in parts:
            cents = left if percent == 100 or days == 45 else total * percent // 100
            left -= cents
            yield Movement(
                ("client_invoices", number), at + timedelta(days=days), INCOME,
                cents + (OVERPAID if number == 6 else 0), name, reference=what, category="sales",
                party=_elsewhere(facts, name), vat=taxes * cents // total,
            )  # fmt: skip
        if number == 10:
            yield Movement(
                ("client_invoices", number), at + timedelta(days=16), TRANSFER, total, name,
                reference=credit_number(facts, number), category="refund",
                party=_elsewhere(facts, name), vat=taxes,
            )  # fmt: skip


def link_created(facts: OrganizationFacts, number: int) -> datetime:
    """When a payment link was made: those of invoices (even ones) two days after the invoice."""
    if number % 2 == 0:
        return invoiced_at(facts, number) + timedelta(days=2)
    return facts.anchor - timedelta(days=200 - 17 * number, hours=8, minutes=number * 13)


def link_cents(facts: OrganizationFacts, number: int) -> int:
    return items(facts, number)[1] if number % 2 == 0 else 12_900 + 1_050 * number


def _payouts(facts: OrganizationFacts) -> Iterator[Movement]:
    """What was paid through the links comes two days later, from the provider."""
    for number, invoice in ((0, 0), (1, None)):
        at = link_created(facts, number)
        yield Movement(
            ("payment_links", 1) if invoice is None else ("client_invoices", invoice),
            at + timedelta(days=2, hours=3), INCOME, link_cents(facts, number), "Mollie Payments",
            reference=f"Payout {at:%Y-%m-%d}", category="sales",
            party=_elsewhere(facts, "Mollie Payments"),
            vat=None if invoice is None else items(facts, invoice)[2],
        )  # fmt: skip


def collected_at(facts: OrganizationFacts, number: int) -> datetime:
    days = 180 - 17 * number
    return (facts.anchor - timedelta(days=days)).replace(hour=6, minute=number)


def collected_cents(number: int) -> int:
    return 4_900 + 1_000 * (number % 3)


def _collections(facts: OrganizationFacts) -> Iterator[Movement]:
    """Direct debits from clients; a returned or refunded one goes back."""
    for number, status in enumerate(COLLECTED):
        name, at = client_name(facts, number % 3), collected_at(facts, number)
        back = {"returned": 5, "refunded": 30}.get(status)
        kinds = [] if status == "declined" else [(0, COLLECTION)]
        for days, kind in [*kinds, *([(back, RETURN)] if back else [])]:
            yield Movement(
                ("sdd_collections", number), at + timedelta(days=days), kind,
                collected_cents(number), name, reference="Abonnement", category="sales",
                party=_elsewhere(facts, name),
            )  # fmt: skip


# --- what is bought


class Payable(t.NamedTuple):
    """A supplier invoice; `supplier` 7 is one that was not recognised. Amounts in cents."""

    supplier: int
    name: str
    number: str
    created: datetime
    cents: int
    tax: int


def payable(facts: OrganizationFacts, number: int) -> Payable:
    """Number 4 is number 3 once more: the same invoice, sent twice."""
    created = facts.anchor - timedelta(days=300 - 22 * number, hours=5, minutes=number)
    same = 3 if number == 4 else number
    supplier = same % 8
    cents = 8_400 + int(digits(5, facts.id, "payable", same))
    return Payable(
        supplier,
        facts.place.partners[supplier % len(facts.place.partners)],
        f"R-{same * 37 + 11}",
        created,
        cents,
        cents - cents * 100 // (100 + facts.place.vat),
    )


def _payables(facts: OrganizationFacts) -> Iterator[Movement]:
    """Two are paid in full, one so far by half."""
    for number, days, part in ((2, 25, 2), (5, 10, 1), (6, 12, 1)):
        due = payable(facts, number)
        yield Movement(
            ("supplier_invoices", number), due.created + timedelta(days=days), TRANSFER,
            due.cents // part, due.name, reference=due.number,
            category="manufacturing", party=_elsewhere(facts, due.name), vat=due.tax // part,
        )  # fmt: skip


# --- what recurs, and what stays in the house


def _own_transfers(facts: OrganizationFacts) -> Iterator[Movement]:
    """Between main account and savings, and with the sister organization: both sides of each."""
    main, *others = facts.accounts
    if others:
        for month in range(1, 10):
            back, cents = month == 9, 150_000 + 10_000 * (month % 3)
            at = facts.anchor - timedelta(days=5 + 30 * month, hours=2)
            for account, other in ((main, others[0]), (others[0], main)):
                gets = (account is main) == back
                yield Movement(
                    ("own transfer", month), at, INCOME if gets else TRANSFER, cents, facts.name,
                    account=account.number, reference="Virement interne", party=other.iban,
                    category="treasury_and_interco",
                )  # fmt: skip
    sister = facts.sister
    if sister is None:
        return
    elder = facts.number < sister.number
    for number in range(5):
        back = number == 4
        gets = elder == back
        yield Movement(
            ("intercompany", number),
            facts.anchor - timedelta(days=75 if back else 45 + 60 * number, hours=3),
            INCOME if gets else TRANSFER, 250_000 if back else 150_000, sister.name,
            reference="Avance" if back else "Management fee", party=sister.accounts[0].iban,
            category="treasury_and_interco",
        )  # fmt: skip


def rent_days(month: int) -> int:
    """Days ago of the rent, `month` months back; the next one is in nine days."""
    return 30 * month - 9


def _recurring(facts: OrganizationFacts) -> Iterator[Movement]:
    name = facts.place.partners[0]
    for month in range(1, 12):
        yield Movement(
            ("sepa_recurring_transfers", 0),
            facts.anchor - timedelta(days=rent_days(month), hours=6),
            TRANSFER, RENT, name, reference="Loyer", category="office_rental",
            party=_elsewhere(facts, name),
        )  # fmt: skip


def _by_card(facts: OrganizationFacts) -> Iterator[Movement]:
    """A subscription whose price rises, a payment made twice, and what the flash card was for."""
    for month in range(12):
        cents = PRICES[month < RISE]
        yield Movement(
            ("subscription", month), facts.anchor - timedelta(days=12 + 30 * month, hours=7),
            CARD, cents, "NOTION LABS INC", category="subscription",
            vat=cents * facts.place.vat // (100 + facts.place.vat), card=0,
        )  # fmt: skip
    shop = facts.place.merchants[0]
    for number in range(2):
        at = facts.anchor - timedelta(days=33, hours=5, minutes=-3 * number)
        vat = 8_640 * shop.vat // (100 + shop.vat)
        yield Movement(
            ("duplicate", number), at, CARD, 8_640, shop.label, category=shop.category, vat=vat,
            card=0,
        )  # fmt: skip
    for number, cents in enumerate((8_950, 3_100)):
        at = facts.anchor - timedelta(days=40 - 2 * number, hours=4)
        yield Movement(
            ("flash card", number), at, CARD, cents, shop.label, category=shop.category, card=4
        )


def abroad_created(facts: OrganizationFacts, stream: str, number: int) -> datetime:
    step = 31 * (2 * number if stream == "external_transfers" else 4 + 2 * number)
    return facts.anchor - timedelta(days=330 - step, hours=6, minutes=step // 31 * 7)


def abroad_cents(stream: str, number: int) -> int:
    return 120_000 + 7_505 * number if stream == "external_transfers" else 92_100 + 4_605 * number


def _abroad(facts: OrganizationFacts) -> Iterator[Movement]:
    for stream, number in (
        ("external_transfers", 0),
        ("external_transfers", 1),
        ("external_transfers", 2),
        ("international_transfers", 0),
    ):
        external = stream == "external_transfers"
        yield Movement(
            (stream, number), abroad_created(facts, stream, number) + timedelta(hours=22), TRANSFER,
            abroad_cents(stream, number),
            "Juniper Supplies Inc." if external else "Overseas Partner 1",
            reference=f"PO {number + 77 if external else number + 31}", category="logistics",
        )  # fmt: skip


def _elsewhere(facts: OrganizationFacts, name: str) -> str:
    """The account number of somebody at another bank."""
    return iban(facts.place.country, facts.place.other_bank, name)
