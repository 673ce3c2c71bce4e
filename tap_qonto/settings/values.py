"""How the value of a setting is read: one function per kind of value.

Each takes what stands in the configuration, never None, and returns what the tap works with. If the
value is none of its kind, a ValueError says so as the end of a sentence that begins with the name
of the setting.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone
from urllib.parse import urlsplit

UTC = timezone.utc
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""No later than any row; earlier moments are ways to say so (and break arithmetic)."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def unlike(value: t.Any, wanted: str) -> ValueError:
    """Make the error that shows `value` and says what is `wanted`, such as `use 2/8`."""
    return ValueError(f"is {value!r}: {wanted}.")


def text(value: t.Any) -> str:
    """Read a text, without the blanks around it."""
    return str(value).strip()


def flag(value: t.Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise unlike(value, "use true or false")
    return value


def address(value: t.Any) -> str:
    """Read the base address of a server; without the slash at its end."""
    written = text(value)
    try:
        parts = urlsplit(written)
        _ = parts.port
    except ValueError:
        raise unlike(written, "use an address such as https://host.example") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise unlike(written, "use an address such as https://host.example")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("holds more than scheme, host and path: remove the rest.")
    return written.rstrip("/")


def is_in_clear(url: str) -> bool:
    """Would secrets that are sent to `url` cross a network in clear?"""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "http" and host not in LOOPBACK and not host.startswith("127.")


def moment(value: t.Any) -> datetime | None:
    """Read a moment of the past in RFC 3339, or the midnight of a date; aware, in UTC.

    None if it is `BEGINNING` or before: everything is wanted.
    """
    try:
        found = _parsed(text(value))
        found = found.astimezone(timezone.utc) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:  # a zone that leads beyond the first year, or the last
        found = FIRST if text(value) < "1" else LAST
    except ValueError:
        raise unlike(value, "use RFC 3339, such as 2026-01-31T00:00:00Z") from None
    if found > datetime.now(UTC):
        raise unlike(value, "that is in the future, and nothing would be read")
    return found if found > BEGINNING else None


def lacks_zone(value: str) -> bool:
    """Is `value` a moment whose zone is not told?"""
    try:
        return _parsed(value).tzinfo is None
    except ValueError:
        return False


def _parsed(value: str) -> datetime:
    # "Z" is read by fromisoformat from Python 3.11 on
    return datetime.fromisoformat(value.strip().upper().replace("Z", "+00:00"))


def ids(value: t.Any) -> tuple[str, ...]:
    """Read a list of ids; each once, in order."""
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(one, str) and one.strip() for one in value
    ):
        raise unlike(value, "use a list of organization ids")
    if not value:
        raise ValueError("is an empty list: leave it out to read every organization.")
    return tuple(dict.fromkeys(one.strip() for one in value))


def share(value: t.Any) -> tuple[int, int]:
    """Read `2/8` as (number from 1, count)."""
    number, slash, count = text(value).partition("/")
    try:
        found = int(number), int(count)
    except ValueError:
        found = 0, 0
    if not slash or not 1 <= found[0] <= found[1]:
        raise unlike(value, "use NUMBER/COUNT with NUMBER from 1, such as 2/8")
    return found


def limits(value: t.Any) -> tuple[tuple[int, float], ...]:
    """Read a list of (requests, seconds)."""
    try:
        found = tuple((int(requests), float(seconds)) for requests, seconds in value)
    except (TypeError, ValueError):
        found = ((0, 0.0),)
    if any(requests < 1 or seconds <= 0 for requests, seconds in found):
        raise unlike(
            value,
            "use a list of [requests, seconds], such as [[1000, 10], [10000, 600]], or [] for none",
        )
    return found


def folder(value: t.Any) -> str:
    """Read a folder, or the address of a bucket."""
    written = text(value)
    scheme, separator, _ = written.partition("://")
    if separator and scheme not in {"s3", "gs", "az"}:
        raise ValueError(f"begins with {scheme}://: use a folder, s3://, gs:// or az://.")
    return written


def one_of(choices: t.Sequence[str]) -> t.Callable[[t.Any], str]:
    """Make the function that reads one of `choices`."""

    def read(value: t.Any) -> str:
        if text(value) not in choices:
            raise unlike(value, f"use one of {', '.join(choices)}")
        return text(value)

    return read


def some_of(choices: t.Sequence[str]) -> t.Callable[[t.Any], tuple[str, ...]]:
    """Make the function that reads a list of some of `choices`; each once, in order."""

    def read(value: t.Any) -> tuple[str, ...]:
        chosen = value if isinstance(value, (list, tuple)) else (value,)
        if not chosen or not all(isinstance(one, str) and one in choices for one in chosen):
            raise unlike(value, f"use one or more of {', '.join(choices)}")
        return tuple(dict.fromkeys(chosen))

    return read


def whole(least: int, most: int | None = None) -> t.Callable[[t.Any], int]:
    """Make the function that reads a whole number from `least` to `most`."""
    bounds = f"from {least} to {most}" if most else f"of {least} or more"

    def read(value: t.Any) -> int:
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or value < least
            or (most and value > most)
        ):
            raise unlike(value, f"use a whole number {bounds}")
        return value

    return read
