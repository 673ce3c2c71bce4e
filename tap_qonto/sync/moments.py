"""Timestamps and dates of rows: read in any of Qonto's styles, written as warehouses take them."""

from __future__ import annotations

import functools
import re
import typing as t
from datetime import datetime, timedelta, timezone

_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(\.\d+)?\s*(?:[Zz]|([+-])(\d\d):?(\d\d)?)?)?",
    re.ASCII,
)
_DAY = (  # of any year: leap days are not usual
    r"(?!0000)\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)"
)
is_usual_date = re.compile(_DAY, re.ASCII).fullmatch
is_usual_timestamp = re.compile(  # as it should leave; nearly all come so
    _DAY + r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3}(?:\d{3})?)?Z",
    re.ASCII,
).fullmatch


def utc(value: t.Any) -> str | None:
    """Write a timestamp in any of Qonto's styles (Q53) as RFC 3339 in UTC; None if it is none.

    `2026-03-01T11:22:10+01:00` becomes `2026-03-01T10:22:10Z`; a fraction stays as long as it
    was; without a zone it is UTC; a date alone is its midnight.
    """
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, time, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time or '00:00'}")
        if sign:
            ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
            moment = moment - ahead if sign == "+" else moment + ahead
    except (ValueError, OverflowError):
        return None
    return f"{moment.isoformat()}{fraction or ''}Z"


def calendar_date(value: t.Any) -> str | None:
    """Return a date, `YYYY-MM-DD`, also out of a timestamp as it is written; None if it is none."""
    return value[:10] if isinstance(value, str) and utc(value) else None


def moment_of(value: t.Any) -> datetime | None:
    """Read a timestamp or a date of a row, aware in UTC, to microseconds.

    None if it is none, or of the year 1: that is Go's zero, and nothing is earlier than it.
    """
    return _moment_of(value) if isinstance(value, str) else None


@functools.lru_cache(maxsize=2048)
def _moment_of(value: str) -> datetime | None:
    """The same: rows of one moment come together, and each is asked for several times."""
    if value.startswith("0001-"):
        return None
    if is_usual_timestamp(value):
        return datetime.fromisoformat(f"{value[:-1]}+00:00")
    text = utc(value)
    if text is None:
        return None
    moment = datetime.fromisoformat(text[:19]).replace(tzinfo=timezone.utc)
    return moment + timedelta(microseconds=int(text[20:-1][:6].ljust(6, "0")))


def timestamp(moment: datetime) -> str:
    """Write an aware moment for filters and bookmarks: UTC, milliseconds, rounded down."""
    text = moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
