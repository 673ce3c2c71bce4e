"""docs/maintainers/first-contact.md: each assumption turned around, what a run and doctor say.

`BEHAVIOURS` are what `tests/test_turned_around.py` makes the demo do, and what it asserts.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from demo.odd import ODD
from pages.markdown import MADE, code, quirks, table
from tap_qonto.cli.doctor.assumptions import ASSUMPTIONS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """\
# First contact

Nobody here ever saw a live answer of Qonto, so [each assumption](../not-verified.md) is turned
around in the demo server, one by one. A run then has to read everything that can be read, and
`doctor` has to say "does not hold" of exactly that assumption. `tests/test_turned_around.py`
asserts all that stands here, over every list of several organizations, key by key.

Try one: `python -m demo --odd end-refused` or `python -m demo --option several_statuses=first`,
then run the tap or `tap-qonto-auth doctor` with what `curl -s ADDRESS/demo/config` prints.
"""
OPTIONS = {
    "several_statuses=first": "of several status[] only the first counts",
    "several_statuses=last": "of several status[] only the last counts",
    "total_count=wrong": "total_count is three too many",
    "total_count=missing": "total_count is left out",
    "updated_at_to=ignored": "the upper bound on changes changes nothing",
    "clients_filter=false": "clients can't be filtered by their changes (Q33)",
    "supplier_invoices_sort=false": "supplier invoices can't be sorted by their changes (Q32)",
    "retired=/v2/cards": "an endpoint answers 410",
}
PLAIN_WAY = "asking in a plainer way"
EVERYTHING = "everything"


@dataclass(frozen=True)
class Behaviour:
    """What the demo does (a name of `ODD` or `OPTIONS`), and what follows.

    A run reads `read`; it ends with `code`, and its log holds `told`. Rows may be missing in the
    streams `without` alone; `...` stands for all of them.
    """

    name: str
    numbers: tuple[int, ...]
    """Of the assumptions that do not hold then."""
    told: str = ""
    read: str = EVERYTHING
    code: int = 0
    without: tuple[str, ...] = ()

    @property
    def does(self) -> str:
        """What it does, in a sentence."""
        return ODD.get(self.name) or OPTIONS[self.name]


ONE_ROW = (
    *("einvoicing_settings", "international_eligibility", "invoicing_settings", "membership"),
    *("organization", "payment_link_connection", "subscription"),
)
ALL = ("...",)
QUIRKS = "../quirks.md"
BEHAVIOURS = (
    Behaviour("organizations-paged", (2,)),
    Behaviour("foreign-missing", (3,)),
    *(Behaviour(f"scope-{one}", (4,)) for one in ("untold", "once", "short", "commas")),
    Behaviour("meta-missing", (9,)),
    Behaviour("meta-counts", (9,)),
    Behaviour("total_count=missing", (9,)),
    Behaviour("count-capped", (10,)),
    Behaviour(
        "total_count=wrong",
        (10,),
        "it is not proven that none is missing",
        "everything, but lists that only a count proves are `failed`",
        code=1,
        without=("child_transaction_links", "international_beneficiaries"),
    ),
    Behaviour("end-refused", (11,)),
    Behaviour("end-missing", (11,)),
    *(Behaviour(f"deep-{one}", (12,)) for one in ("refused", "empty", "again")),
    Behaviour("size-refused", (13,), PLAIN_WAY),
    Behaviour("size-capped", (13,)),
    Behaviour("sort-refused", (14,), PLAIN_WAY),
    Behaviour("sort-ignored", (14,)),
    Behaviour("supplier_invoices_sort=false", (14,), PLAIN_WAY),
    Behaviour("filter-refused", (15,), PLAIN_WAY),
    Behaviour("filter-ignored", (15,)),
    Behaviour("updated_at_to=ignored", (15,)),
    Behaviour("clients_filter=false", (15,)),
    Behaviour("status-single", (16,)),
    Behaviour("several_statuses=first", (16,)),
    Behaviour("several_statuses=last", (16,)),
    Behaviour(
        "status-unknown",
        (17,),
        "Qonto does not accept the status reversed (422)",
        "all but transactions of that status",
        without=("transactions", "transaction_attachments"),
    ),
    Behaviour("includes-refused", (18,), PLAIN_WAY),
    Behaviour("order-reversed", (19,)),
    Behaviour("envelope-other", (20,)),
    Behaviour("keys-twice", (21,), "", "one of the two rows of a key", without=ALL),
    Behaviour(
        "retired=/v2/cards",
        (22,),
        "Qonto has retired it",
        "all but that stream",
        without=("cards",),
    ),
    Behaviour("amounts-as-text", (28,), "came in another type in"),
    Behaviour("other-types", (28,), "did not fit its type in"),
    Behaviour("floats", (29,)),
    Behaviour("no-dates", (30,), "held no date in"),
    Behaviour("nulls-in-lists", (31,)),
    Behaviour("new-fields", (32,), "is not in the schema: kept in unknown_fields"),
    Behaviour(
        "row-without-key", (33,), "their key: set aside", "all but rows without a key", without=ALL
    ),
    Behaviour(
        "keys-long",
        (34,),
        "was longer than a key may be",
        "all but rows with a key that is too long",
        without=ALL,
    ),
    Behaviour("ids-for-objects", (35,)),
    Behaviour("accounts-without-id", (36,)),
    Behaviour(
        "errors-as-rows",
        (37,),
        "Qonto answers 200 with an error",
        "all but the streams of one row, which are `failed`",
        code=1,
        without=ONE_ROW,
    ),
)


def page() -> str:
    """Make the page."""
    found = {one.number: one for one in ASSUMPTIONS}
    turned = {number for one in BEHAVIOURS for number in one.numbers}
    lines = [MADE.format(source="scripts/pages/first_contact.py"), "", INTRODUCTION]
    lines += table(
        ["Assumed", "Turned around", "", "A run reads", "It ends with", "It tells", "`doctor`"],
        rows(),
    )
    kept = [one for one in found.values() if one.check and one.number not in turned]
    lines += ["", "Not turned around:", ""]
    lines += [
        f"* {one.number}, {quirks(one.sentence.split(':')[0], QUIRKS)}: a session for which it "
        "does not hold is one of another kind, and read as such."
        for one in kept
    ]
    without = ", ".join(str(one.number) for one in found.values() if not one.check)
    lines += [f"* {without}: no reading shows whether they hold.", ""]
    return "\n".join(lines)


def rows() -> Iterator[list[str]]:
    """Yield the rows of the table."""
    found = {one.number: one for one in ASSUMPTIONS}
    for one in BEHAVIOURS:
        assumed = " ".join(f"{n}. {quirks(found[n].sentence, QUIRKS)}" for n in one.numbers)
        told = f"`… {one.told} …`" if re.search(r"[a-z]", one.told) else ""
        held = ", ".join(map(str, one.numbers))
        yield [
            assumed,
            code(one.name),
            quirks(one.does, QUIRKS),
            one.read,
            str(one.code),
            told,
            f"{held} does not hold",
        ]
