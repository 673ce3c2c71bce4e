"""Small exact values: ids, account numbers, moments, money."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache

_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r"(Z|z|[+-]\d\d:?\d\d)?)?"
)


def uid(*parts: object) -> str:
    """A UUID that depends on `parts` alone."""
    name = hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
    return f"{name[:8]}-{name[8:12]}-5{name[13:16]}-a{name[17:20]}-{name[20:]}"


def digits(count: int, *parts: object) -> str:
    """`count` decimal digits that depend on `parts` alone."""
    value = int.from_bytes(hashlib.blake2b("/".join(map(str, parts)).encode()).digest(), "big")
    return str(value)[-count:].zfill(count)


_BBAN_DIGITS = {"FR": 13, "DE": 10, "ES": 12, "IT": 12}  # after the bank's own


@lru_cache(65536)
def iban(country: str, bank: str, *parts: object) -> str:
    """An IBAN of FR, DE, ES or IT with the right length and check digits (ISO 13616)."""
    bban = bank + digits(_BBAN_DIGITS[country], *parts)
    if country == "IT":
        bban = "X" + bban
    number = "".join(str(int(character, 36)) for character in f"{bban}{country}00")
    return f"{country}{98 - int(number) % 97:02d}{bban}"


def plain(text: str) -> str:
    """`text` in lower case ASCII, words joined by hyphens."""
    letters = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss").replace("œ", "oe"))
    return "-".join(re.findall(r"[a-z0-9]+", letters.encode("ascii", "ignore").decode()))


def masked(number: str | None) -> str | None:
    """An account number as callers without the right to it see it (Q58)."""
    return number and number[:4] + "*" * (len(number) - 7) + number[-3:]


@lru_cache(65536)
def major(cents: int) -> Decimal:
    """Cents as a number of major units: 6490 is 64.9, 125000 is 1250.0."""
    whole, rest = divmod(abs(cents), 100)
    return Decimal(f"{'-' if cents < 0 else ''}{whole}.{f'{rest:02d}'.rstrip('0') or '0'}")


def text(cents: int) -> str:
    """Cents as text with two decimals, of what is not negative: 1250 is "12.50"."""
    return f"{cents // 100}.{cents % 100:02d}"


def money(cents: int, currency: str = "EUR") -> dict[str, str]:
    """The `{value, currency}` style of invoices: text with two decimals (Q51)."""
    return {"value": text(cents), "currency": currency}


def milliseconds(moment: datetime) -> str:
    """`2026-03-11T08:14:07.512Z`, the style of transactions and accounts (Q53)."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def moment(text: str) -> datetime:
    """The moment that `milliseconds` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def seconds(moment: datetime) -> str:
    """`2026-03-11T08:14:07Z`, the style of cards and direct debit (Q53)."""
    return moment.isoformat(timespec="seconds")[:19] + "Z"


def local(moment: datetime, *, hours: int = 1) -> str:
    """`2026-03-11T09:14:07+01:00`, the style of invoicing (Q53)."""
    shifted = moment.astimezone(timezone(timedelta(hours=hours)))
    return shifted.replace(microsecond=0).isoformat()


def day(moment: datetime | date) -> str:
    """`2026-03-11`."""
    return moment.isoformat()[:10]


def since_epoch(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 moment or date; no offset means UTC.

    Raises:
        ValueError: when `text` is neither.
    """
    if len(text) == 24 and text[19] == "." and text[23] == "Z":  # as transactions write it
        clock = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
        return _midnight(text[:10]) + clock * 1_000_000 + int(text[20:23]) * 1000
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    date_, hour, minute, second, fraction, offset = match.groups()
    clock = int(hour or 0) * 3600 + int(minute or 0) * 60 + int(second or 0)
    if offset and offset not in "Zz":
        shift = int(offset[1:3]) * 3600 + int(offset[-2:]) * 60
        clock += shift if offset[0] == "-" else -shift
    return _midnight(date_) + clock * 1_000_000 + int((fraction or "0")[:6].ljust(6, "0"))


@lru_cache(4096)
def _midnight(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days * 86_400_000_000
