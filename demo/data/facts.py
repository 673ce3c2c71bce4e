"""The facts of each organization, from which every one of its rows is derived.

A row's ids are functions of seed, organization and position, so each stream can be made by itself,
on first demand, and still refer to the rows of the others.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from demo.data.places import PLACES, Company, Place
from demo.values import digits, iban, plain, uid

if TYPE_CHECKING:
    from demo.options import Options


class Account(NamedTuple):
    id: str
    number: int
    slug: str
    name: str
    status: str
    main: bool
    iban: str | None
    bic: str | None
    currency: str
    external: bool
    share: float  # of the organization's transactions


class Member(NamedTuple):
    id: str
    first_name: str
    last_name: str
    role: str | None  # None: not invited yet (Q59)
    team: int | None


@dataclass(frozen=True)
class OrganizationFacts:
    """One company. `anchor` is the newest moment that its data know; `transactions` how many.

    An `empty` one has its main account and nothing else. `gated` ones lack plan, add-on and
    features: requests, reminders and recurring invoices answer 403, payment links 404, direct
    debit 403, legacy external transfers 410.
    """

    seed: int
    number: int
    anchor: datetime
    transactions: int
    empty: bool = False
    gated: bool = False
    most_accounts: int = 5
    sibling: int | None = None  # the number of the organization it has dealings with
    place: Place = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", PLACES[self.number % len(PLACES)])

    def uid(self, *parts: object) -> str:
        return uid(self.seed, self.number, *parts)

    def random(self, stream: str) -> random.Random:
        return random.Random(f"{self.seed}/{self.number}/{stream}")

    @cached_property
    def id(self) -> str:
        return self.uid("organization")

    @property
    def country(self) -> str:
        return self.place.country

    @property
    def company(self) -> Company:
        return self.place.companies[self.number // len(PLACES) % len(self.place.companies)]

    @cached_property
    def name(self) -> str:
        again = self.number // (len(PLACES) * len(self.place.companies))
        return self.company.name + (f" {again + 1}" if again else "")

    @cached_property
    def slug(self) -> str:
        return f"{plain(self.name)}-{digits(4, self.seed, self.number, 'slug')}"

    @cached_property
    def sister(self) -> OrganizationFacts | None:
        """The other company of the same owner; its name and accounts are what counts."""
        if self.empty or self.sibling is None:
            return None
        return replace(self, number=self.sibling, sibling=self.number)

    @property
    def role(self) -> str:
        """The role of the person who consents."""
        return ("owner", "admin", "manager", "owner")[self.number % 4]

    @cached_property
    def legal_number(self) -> str:
        return digits({"FR": 14, "DE": 6, "ES": 8, "IT": 11}[self.country], self.id, "legal")

    @cached_property
    def vat_number(self) -> str:
        return self.country + digits({"DE": 9, "ES": 9}.get(self.country, 11), self.id, "vat")

    @cached_property
    def founded(self) -> datetime:
        return (self.anchor - timedelta(days=900 + 37 * (self.number % 40))).replace(
            hour=9, minute=31, second=44
        )

    @cached_property
    def accounts(self) -> tuple[Account, ...]:
        """Main account first; then savings, one closed, one in dollars, and one of another bank."""
        place = self.place

        def account(number: int, name: str, share: float, **more: object) -> Account:
            values: dict[str, object] = {
                "id": self.uid("account", number),
                "number": number,
                "slug": f"{self.slug}-bank-account-{number}",
                "name": name,
                "status": "active",
                "main": number == 1,
                "iban": iban(place.country, place.bank, self.id, number),
                "bic": place.bic,
                "currency": "EUR",
                "external": False,
                "share": share,
            }
            return Account(**{**values, **more})  # type: ignore[arg-type]

        main = account(1, "Compte principal" if place.locale == "fr" else "Main account", 0.7)
        if self.empty:
            return (main,)
        other = iban(place.country, place.other_bank, self.id, "external")
        several = (
            main,
            account(2, "Taxes & réserves", 0.15),
            account(3, "Ancien compte", 0.05, status="closed"),
            account(4, "US dollars", 0.06, currency="USD"),
            account(
                5, "Other bank", 0.04, external=True, bic=place.other_bic,
                iban=other if self.number % 2 == 0 else None,  # Q28: may be empty
            ),
        )  # fmt: skip
        chosen = several[: self.most_accounts]
        whole = sum(one.share for one in chosen)
        return tuple(one._replace(share=one.share / whole) for one in chosen)

    @cached_property
    def members(self) -> tuple[Member, ...]:
        if self.empty:
            return (self._member(0, self.role, None),)
        roles = (self.role, "admin", "manager", "employee", "accountant", None)
        return tuple(
            self._member(index, role, None if role is None else index % 3)
            for index, role in enumerate(roles)
        )

    def _member(self, index: int, role: str | None, team: int | None) -> Member:
        first, last = self.place.first_names, self.place.last_names
        return Member(
            self.uid("membership", index),
            first[(index + self.number) % len(first)],
            last[(index * 3 + self.number) % len(last)],
            role,
            team,
        )

    def team_id(self, number: int | None) -> str | None:
        """One of three teams; the second has an id that is no UUID (Q47)."""
        if number is None:
            return None
        return f"team-{digits(9, self.id)}" if number == 1 else self.uid("team", number)

    @cached_property
    def cards(self) -> tuple[tuple[str, str, Member], ...]:
        """Id, last digits and holder of each card."""
        if self.empty:
            return ()
        return tuple(
            (self.uid("card", index), digits(4, self.id, "card", index), self.members[index % 5])
            for index in range(7)
        )

    def card_account(self, index: int) -> Account:
        """Cards pay from the main account and from savings in turn."""
        return self.accounts[index % 2 % len(self.accounts)]

    def label_id(self, number: int) -> str:
        return self.uid("label", number)


def facts(options: Options, anchor: datetime) -> list[OrganizationFacts]:
    """The organizations: French, German, Spanish, Italian, and again.

    From three on, the last is empty. With `options.gates` every fourth, beginning with the German
    one, lacks plan and features.
    """
    count = options.organizations
    # the first deals with the next that is open and not empty, where there is one
    sisters = (0, 2) if count > 3 else (0, 1) if count > 1 else (0, 0)
    siblings = dict(zip(sisters, sisters[::-1], strict=True)) if count > 1 else {}
    return [
        OrganizationFacts(
            options.seed,
            number,
            anchor,
            options.transactions,
            empty=count >= 3 and number == count - 1,
            gated=options.gates and number % 4 == 1,
            most_accounts=options.accounts,
            sibling=siblings.get(number),
        )
        for number in range(count)
    ]
