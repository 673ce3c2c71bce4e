"""Checks of parameters: order, filters, statuses, `includes[]`."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from tap_qonto.cli.doctor.account import OK
from tap_qonto.cli.doctor.finding import Finding, judged
from tap_qonto.pagination.pages import SECOND
from tap_qonto.settings import STATUSES
from tap_qonto.streams.bases import RecentFirstStream
from tap_qonto.sync.moments import moment_of, timestamp

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tap_qonto.cli.doctor.account import Account
    from tap_qonto.cli.doctor.sample import Sample

ENOUGH = timedelta(seconds=4)  # between the first and the last row, to tell a filter from none
TWO = 2


def ordered(account: Account) -> Finding:
    """Asks each list that is sorted for that order, and for the reverse if it came so anyway."""
    wrong, looked_at = [], 0
    for sample in account.lists:
        field, _, asked = str(sample.stream.params.get("sort_by") or "").partition(":")
        if not field or len({*_moments(sample.rows, field)}) < TWO:
            continue
        looked_at += 1
        orders = [asked]
        if _is_sorted(_moments(sample.rows, field), asked):
            orders.append("asc" if asked == "desc" else "desc")
        for order in orders:
            reply = account.page(sample, ("sort_by", f"{field}:{order}"))
            moments = _moments(account.rows(sample, reply), field)
            is_refused = reply.status != OK and order == asked
            if is_refused or not _is_sorted(moments, order):
                wrong.append(f"{sample.name} ({reply.status})")
    return judged(wrong, looked_at)


def filtered(account: Account) -> Finding:
    """Asks each list for what is after, and before, a moment between the rows of its first page."""
    wrong, looked_at = [], 0
    for sample in account.lists:
        stream, field = sample.stream, sample.stream.replication_key or ""
        moments = sorted(_moments(sample.rows, field))
        if not moments or moments[-1] - moments[0] < ENOUGH:
            continue
        middle = moments[0] + (moments[-1] - moments[0]) / 2
        for name, is_lower in ((stream.since_param, True), (stream.until_param, False)):
            if not name:
                continue
            looked_at += 1
            reply = account.page(sample, (name, timestamp(middle)))
            found = sorted(_moments(account.rows(sample, reply), field))
            if is_lower:
                is_right = bool(found) and found[0] >= middle - SECOND
            else:
                is_right = not found or found[-1] <= middle + SECOND
            if reply.status != OK or not is_right:
                wrong.append(f"{stream.name} ({reply.status})")
    return judged(wrong, looked_at)


def each_status(account: Account) -> Finding:
    """Asks for the transactions of each status of an account."""
    sample = _transactions(account)
    if sample is None:
        return Finding("can't tell", "no transactions")
    refused = [
        f"{status} ({reply.status})"
        for status in STATUSES
        if (reply := account.page(sample, ("status[]", status))).status != OK
    ]
    return judged(refused, len(STATUSES))


def together(account: Account) -> Finding:
    """Asks for two statuses of an account that has both."""
    sample = _transactions(account)
    if sample is None:
        return Finding("can't tell", "no transactions")
    there = {}
    for status in STATUSES:
        alone = sample._replace(reply=account.page(sample, ("status[]", status)))
        if account.rows(sample, alone.reply):
            there[status] = alone.total
    if len(there) < TWO:
        return Finding("can't tell", "no account has transactions of two statuses")
    pair = sorted(there, key=lambda one: there[one] or 0)[:TWO]
    both = sample._replace(reply=account.page(sample, ("status[]", tuple(pair))))
    seen = {row.get("status") for row in account.rows(sample, both.reply)}
    if both.reply.status == OK and seen >= {*pair}:
        return Finding("holds")
    totals = [there[one] for one in pair]
    if None not in totals and both.total == sum(filter(None, totals)):
        return Finding("holds", "by the counts")
    return Finding("does not hold", str(both.reply.status))


def includes(account: Account) -> Finding:
    """Asks for a page of transactions with them."""
    sample = _transactions(account)
    if sample is None:
        return Finding("can't tell", "no transactions")
    reply = account.page(sample, ("includes[]", sample.stream.params["includes[]"]))
    names = {*sample.stream.params["includes[]"]}
    is_there = any(names & row.keys() for row in account.rows(sample, reply))
    return Finding("holds" if is_there else "does not hold", str(reply.status))


def recent_first(account: Account) -> Finding:
    """Looks at the rows of their first pages."""
    wrong, looked_at = [], 0
    for sample in account.lists:
        stream = sample.stream
        if isinstance(stream, RecentFirstStream) and "sort_by" not in stream.params:
            fields = [stream.replication_key or "", *(["created_at"] if stream.since_param else [])]
            orders = [_moments(sample.rows, field) for field in fields]
            if len({*orders[0]}) < TWO:
                continue
            looked_at += 1
            if not any(_is_sorted(moments, "desc") for moments in orders if moments):
                wrong.append(sample.name)
    return judged(wrong, looked_at)


def _transactions(account: Account) -> Sample | None:
    """The sample, if there are any."""
    sample = account.samples.get("transactions")
    return sample if sample and sample.rows else None


def _moments(rows: Sequence[dict[str, t.Any]], field: str) -> list[datetime]:
    """The moments of a field, as the rows stand."""
    return [one for row in rows if (one := moment_of(row.get(field))) is not None]


def _is_sorted(moments: Sequence[datetime], order: str) -> bool:
    ascending = moments if order == "asc" else moments[::-1]
    return all(ascending[place - 1] <= ascending[place] for place in range(1, len(ascending)))
