"""Checks of rows: what the values of the first pages look like."""

from __future__ import annotations

import typing as t

from tap_qonto.api.responses import is_error
from tap_qonto.cli.doctor.account import OK
from tap_qonto.cli.doctor.finding import Finding, judged

if t.TYPE_CHECKING:
    from tap_qonto.cli.doctor.account import Account


def types(account: Account) -> Finding:
    """Looks at each value."""
    return _odd(account, "converted", "misfit")


def fractions(account: Account) -> Finding:
    """Looks at each whole number."""
    return _odd(account, "fraction")


def dates(account: Account) -> Finding:
    """Looks at each date."""
    return _odd(account, "date")


def nulls(account: Account) -> Finding:
    """Looks at each list within a row."""
    return _odd(account, "null item")


def names(account: Account) -> Finding:
    """Looks at each name, at any depth."""
    return _odd(account, "new", "hidden")


def matched(account: Account) -> Finding:
    """Looks at the first page of supplier invoices."""
    sample = account.samples.get("supplier_invoices")
    found = [
        one
        for row in (sample.rows if sample else ())
        for one in row.get("matched_transactions") or ()
    ]
    return judged(["text" for one in found if isinstance(one, str)], len(found))


def accounts(account: Account) -> Finding:
    """Looks at the organization."""
    sample = account.samples.get("organization")
    shown = sample.rows[0].get("bank_accounts") if sample and sample.rows else None
    shown = [one for one in shown if isinstance(one, dict)] if isinstance(shown, list) else []
    if not shown:
        return Finding("can't tell", "no accounts are shown")
    without = [one for one in shown if not one.get("id")]
    seen = f"{len(without)} of {len(shown)} without"
    return Finding("does not hold" if without else "holds", seen)


def errors(account: Account) -> Finding:
    """Looks at the body of each 200."""
    came = [one for one in account.samples.values() if one.reply.status == OK]
    return judged([one.name for one in came if is_error(one.reply.body)], len(came))


def _odd(account: Account, *kinds: str) -> Finding:
    shapes = account.shapes
    return judged([field for kind, field in shapes.odd if kind in kinds], shapes.rows)
