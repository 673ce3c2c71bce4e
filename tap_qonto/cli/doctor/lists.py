"""Checks of lists: pages, counts, envelopes, keys."""

from __future__ import annotations

import math
import typing as t

from tap_qonto.api.contract import KEY_LENGTH, endpoints
from tap_qonto.cli.doctor.account import OK
from tap_qonto.cli.doctor.finding import Finding, judged
from tap_qonto.streams.client import USUAL

if t.TYPE_CHECKING:
    from tap_qonto.cli.doctor.account import Account
    from tap_qonto.cli.doctor.sample import Sample

RETIRED = 410
MOST_COUNTED = 3  # lists, and pages of each, that are read to count them


def counters(account: Account) -> Finding:
    """Looks at the `meta` of each list that should have it."""
    counted = [one for one in account.lists if endpoints()[one.name].pagination.get("meta")]
    without = [
        one.name
        for one in counted
        if one.total is None or {"next_page", "total_pages"}.isdisjoint(one.meta)
    ]
    return judged(without, len(counted))


def counts(account: Account) -> Finding:
    """Counts the rows of the longest lists of one page, and looks behind the longest of all."""
    counted = [one for one in account.lists if one.total is not None]
    counted.sort(key=lambda one: -(one.total or 0))
    short = [one for one in counted if (one.total or 0) <= USUAL][:MOST_COUNTED]
    wrong = [one.name for one in short if len(_read(account, one)) != one.total]
    longest = [one for one in counted[:1] if len(one.rows) == USUAL]
    for sample in longest:
        last = math.ceil((sample.total or 0) / USUAL)
        former, behind = (
            account.rows(sample, account.page(sample, number=number)) for number in (last, last + 1)
        )
        if _any_new(behind, former):
            wrong.append(sample.name)
    return judged(wrong, len({*(one.name for one in (*short, *longest))}))


def _read(account: Account, sample: Sample) -> list[dict[str, t.Any]]:
    """The rows of a list that should fit a page."""
    rows = [*sample.rows]
    for number in range(2, MOST_COUNTED + 1):
        if len(rows) >= (sample.total or 0) or not rows:
            break
        more = account.rows(sample, account.page(sample, number=number))
        new = [row for row in more if row not in rows]
        if not new:
            break
        rows += new
    return rows


def _any_new(rows: list[dict[str, t.Any]], former: list[dict[str, t.Any]]) -> bool:
    """Are there rows, and others than on the page before?"""
    return any(row not in former for row in rows)


def beyond(account: Account) -> Finding:
    """Asks for the page behind the rows of a short list."""
    short = [one for one in account.lists if one.total == len(one.rows)]
    for sample in sorted(short, key=lambda one: len(one.rows))[:1]:
        reply = account.page(sample, number=2, size=len(sample.rows))
        is_empty = reply.status == OK and not account.rows(sample, reply)
        return Finding("holds" if is_empty else "does not hold", f"{sample.name}: {reply.status}")
    return Finding("can't tell", "no list is known to be short")


def depth(account: Account) -> Finding:
    """Asks for the last page of the longest list, and the one before."""
    known = [one for one in account.lists if (one.total or 0) > USUAL]
    for sample in sorted(known, key=lambda one: -(one.total or 0))[:1]:
        last = math.ceil((sample.total or 0) / USUAL)
        before, reply = (account.page(sample, number=number) for number in (last - 1, last))
        is_there = _any_new(account.rows(sample, reply), account.rows(sample, before))
        seen = f"{sample.name}, page {last}: {reply.status}"
        return Finding("holds" if is_there else "does not hold", seen)
    return Finding("can't tell", "no list has several pages")


def sizes(account: Account) -> Finding:
    """Asks each list for its largest page, and looks behind one that is shorter than counted."""
    wrong, looked_at = [], 0
    for sample in account.lists:
        size = sample.stream.page_size
        reply = sample.reply if size == USUAL else account.page(sample, size=size)
        rows = account.rows(sample, reply)
        looked_at += size != USUAL or len(rows) > 1
        if reply.status != OK:
            wrong.append(f"{sample.name} ({reply.status})")
        elif len(rows) < min(size, sample.total or 0):
            behind = account.rows(sample, account.page(sample, number=2, size=size))
            if _any_new(behind, rows):
                wrong.append(f"{sample.name} ({len(rows)} rows)")
    return judged(wrong, looked_at)


def envelopes(account: Account) -> Finding:
    """Looks for the name in each response."""
    named = [one for one in account.samples.values() if one.stream.envelope]
    came = [one for one in named if one.reply.status == OK]
    wrong = [
        one.name
        for one in came
        if one.rows
        and (not isinstance(one.reply.body, dict) or one.stream.envelope not in one.reply.body)
    ]
    return judged(wrong, sum(bool(one.rows) for one in came))


def unique(account: Account) -> Finding:
    """Looks for keys that come twice in a first page."""
    wrong = []
    for sample in account.lists:
        keys = [repr(key) for key in sample.identities if None not in key]
        if len({*keys}) < len(keys):
            wrong.append(sample.name)
    return judged(wrong, len(account.lists))


def keys(account: Account) -> Finding:
    """Looks at the key of each row of the first pages."""
    wrong = [one.name for one in account.lists if any(None in key for key in one.identities)]
    return judged(wrong, len(account.lists))


def key_lengths(account: Account) -> Finding:
    """Looks at the key of each row of the first pages."""
    wrong = [
        one.name
        for one in account.lists
        if any(len(str(part)) > KEY_LENGTH for key in one.identities for part in key)
    ]
    return judged(wrong, len(account.lists))


def retired(account: Account) -> Finding:
    """Looks for 410 in what each endpoint answers."""
    came = account.samples.values()
    return judged([one.name for one in came if one.reply.status == RETIRED], len(came))
