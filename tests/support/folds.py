"""A row as its schema promises it, in slow and plain words: the measure for the compiled path."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import simplejson

from tap_qonto.api.contract import ORGANIZATIONS, endpoints, row_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING: tuple[Any, ...] = (None, "", [], {})
SECRETS = {"url", "file_url", "invoice_url", "quote_url", "sign_url", "secret"}


def folded(stream: str, row: dict[str, Any], **context: str) -> dict[str, Any]:
    """A row as the schema promises it, from a row as Qonto sends it (which is changed)."""
    facts, parent = row_facts(stream), endpoints()[stream].parent
    if stream != ORGANIZATIONS:
        row.setdefault("organization_id", context.get("organization_id", "an organization"))
    if parent:
        row.setdefault(parent["property"], context.get("parent_id", "a parent"))
    for name, path in facts.fills:
        if row.get(name) is None:
            row[name] = next((box[key] for box, key in spots(row, path)), None)
    for name in {path[0] for _, path in facts.fills} - facts.schema["properties"].keys():
        row.pop(name, None)
    kept: dict[str, Any] = {}
    fields = fitted(row, facts.schema, "", kept)
    return {**fields, "unknown_fields": kept or None}


def fitted(value: Any, schema: dict[str, Any], path: str, kept: dict[str, Any]) -> Any:
    """What leaves of a value; what does not fit goes to `kept`, under its path."""
    if value is None:
        return None
    if "x-from-text" in schema and isinstance(value, str):
        value = {schema["x-from-text"]: value}
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    kind = next(one for one in types if one != "null")
    if kind == "object" and isinstance(value, dict):
        return fitted_object(value, schema, path, kept) if schema.get("properties") else value
    if kind == "array" and isinstance(value, list):
        items = [
            fitted(one, schema["items"], f"{path}[{number}]", kept)
            for number, one in enumerate(value)
        ]
        takes_null = "null" in schema["items"]["type"]
        both = zip(items, value, strict=True)
        return [one for one, sent in both if one is not None or (sent is None and takes_null)]
    if value == schema.get("x-null"):
        return None
    if isinstance(value, dict | list) and "x-text" not in schema:
        value = harmless(value)
    found = KINDS[schema.get("format") or kind](value)
    if "maxLength" in schema and len(found) > schema["maxLength"]:
        found = None
    if found is None and value not in NOTHING and harmless(value) not in NOTHING:
        kept[path] = harmless(value)
    return found


def fitted_object(
    value: dict[str, Any], schema: dict[str, Any], path: str, kept: dict[str, Any]
) -> dict[str, Any]:
    fields, result = schema["properties"], {}
    for name, one in value.items():
        place = f"{path}.{name}" if path else name
        if name not in fields:
            is_secret = name in SECRETS or re.search(SECRET_NAME, name, re.IGNORECASE)
            if not is_secret and one not in NOTHING and harmless(one) not in NOTHING:
                kept[place] = harmless(one)
        elif "x-secret" not in fields[name]:
            result[name] = fitted(one, fields[name], place, kept)
    return result


SECRET_NAME = (
    "secret|token|passw|credential|authorization|signature|api_?key|private_?key"
    "|^(pin|pan|cvv|cvc)$"
)


def harmless(value: Any) -> Any:
    """Without links and secrets, at any depth; None if it is one itself."""
    if isinstance(value, str):
        return None if re.search("https?:/", value, re.IGNORECASE) else value
    if isinstance(value, list):
        return [harmless(one) for one in value if one is None or harmless(one) is not None]
    if isinstance(value, dict):
        return {
            name: harmless(one)
            for name, one in value.items()
            if name not in SECRETS
            and not re.search(f"{SECRET_NAME}|https?:/", name, re.IGNORECASE)
            and (one is None or harmless(one) is not None)
        }
    if isinstance(value, int | Decimal) and not -(10**300) < value < 10**300:
        return text(value)
    return value


def spots(row: Any, path: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every value at a path; none where the row ends early."""
    step, rest = path[0], path[1:]
    if step == "[]":
        keys: Any = range(len(row)) if isinstance(row, list) else ()
    else:
        keys = [step] if isinstance(row, dict) and step in row else ()
    for key in keys:
        if rest:
            yield from spots(row[key], rest)
        else:
            yield row, key


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    written = simplejson.dumps(value, ensure_ascii=False, separators=(",", ":"), use_decimal=True)
    return str(written)


def integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dict | list):
        return None
    written = str(value)
    if isinstance(value, Decimal | float) and -(2**70) < value < 2**70 and value == int(value):
        written = str(int(value))
    fits = re.fullmatch(r"-?[0-9]{1,19}", written) and -(2**63) <= int(written) < 2**63
    return int(written) if fits else None


def number(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        pattern = r"-?[0-9]{1,300}([.][0-9]{1,300})?([eE][+-]?[0-9]{1,2})?"
        value = Decimal(value) if re.fullmatch(pattern, value) else None
    if isinstance(value, int | Decimal | float):
        return value if -(10**300) < value < 10**300 else None
    return None


def boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    is_number = isinstance(value, int | Decimal | float)
    return bool(value) if is_number and value in (0, 1) else None


def in_utc(value: Any) -> str | None:
    # By hand: Python 3.10 reads neither `Z` nor four decimals.
    parts = re.fullmatch(
        r"([0-9-]{10})(?:[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(\.[0-9]+)?\s*"
        r"(?:[Zz]|([+-][0-9]{2}):?([0-9]{2})?)?)?",
        str(value),
    )
    if parts is None or not isinstance(value, str):
        return None
    day, time, fraction, hours, minutes = parts.groups()
    try:
        moment = datetime.fromisoformat(
            f"{day}T{time or '00:00'}{hours or '+00'}:{minutes or '00'}"
        )
        text = moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError):
        return None
    return f"{text}{fraction or ''}Z"


def calendar(value: Any) -> str | None:
    return value[:10] if isinstance(value, str) and in_utc(value) else None


KINDS: dict[str, Any] = {
    "string": text,
    "integer": integer,
    "number": number,
    "boolean": boolean,
    "date-time": in_utc,
    "date": calendar,
    "object": lambda _: None,
    "array": lambda _: None,
}
