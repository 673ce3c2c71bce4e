"""What Qonto may send under a type, and what leaves: always what the SCHEMA promises."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, FormatChecker

from tap_qonto.api.contract import CONTRACT, ORGANIZATIONS, derived_facts, endpoints, row_facts
from tap_qonto.api.responses import decode
from tap_qonto.sync.rows import row_shaper
from tap_qonto.sync.writers import RowMessage, encoded

NAMES = tuple(endpoints())
FORMATS = FormatChecker(())


@FORMATS.checks("date-time", raises=ValueError)
def is_timestamp(value: t.Any) -> bool:
    if not isinstance(value, str):
        return True
    seconds, _, fraction = value.removesuffix("Z").partition(".")
    return (
        value.endswith("Z")
        and datetime.fromisoformat(seconds).isoformat() == seconds
        and (not fraction or fraction.isdecimal())
    )


@FORMATS.checks("date", raises=ValueError)
def is_date(value: t.Any) -> bool:
    return not isinstance(value, str) or date.fromisoformat(value).isoformat() == value


# One of each kind, as JSON
KINDS = {
    "null": "null",
    "text": '"see below"',
    "empty text": '""',
    "whole number": "7",
    "whole number as text": '"-7"',
    "number": "10000.50",
    "number as text": '"10000.50"',
    "whole number with a fraction": "29687.0",
    "number beyond 64 bits": "9223372036854775808",
    "number beyond a double, as text": '"1e999"',
    "not a number": '"NaN"',
    "true": "true",
    "true as text": '"True"',
    "one": "1",
    "timestamp": '"2026-03-01T11:22:10.123+01:00"',
    "date": '"2026-03-01"',
    "no date": '"2026-02-30"',
    "seconds": "1700000000",
    "object": '{"value": "paid", "currency": null}',
    "empty object": "{}",
    "list": '[null, "a", 7, 1.5, true, {"a": null}, [null]]',
    "empty list": "[]",
    "nested list": "[[{}]]",
    "link": '"https://files.example/1"',
    "half a character": r'"\ud83d\u0000"',
}


def filled(schema: dict[str, t.Any], value: t.Any, depth: int) -> t.Any:
    """An object that has `value` in each field at that depth."""
    if depth == 0:
        return value
    if "items" in schema:
        return [filled(schema["items"], value, depth - 1)] * 2
    fields = {
        name: filled(field, value, depth - 1)
        for name, field in schema.get("properties", {}).items()
    }
    return {name: one for name, one in fields.items() if one is not None or depth == 1} or None


def valid(stream: str, row: t.Any) -> None:
    """Fail unless the line that leaves is valid by the SCHEMA; null keys are another matter."""
    line, _ = encoded([[RowMessage(stream, row)]])
    record = json.loads(line, parse_float=Decimal)["record"]
    schema = CONTRACT.get_schema(stream)
    keys = {name for name in endpoints()[stream].primary_keys if record.get(name) is None}
    errors = [
        error
        for error in Draft7Validator(schema, format_checker=FORMATS).iter_errors(record)
        if error.absolute_path[0] not in keys
    ]
    assert errors == []


def owner(stream: str) -> str | None:
    return None if stream == ORGANIZATIONS else "o"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_value_in_every_field_of_every_stream_leaves_a_valid_record(
    kind: str,
) -> None:
    for stream in NAMES:
        facts = row_facts(stream)
        shape = row_shaper(facts)
        for depth in range(1, 7):
            value = decode(KINDS[kind].encode())
            row = filled(facts.schema, value, depth)
            if row is not None:
                # a copy: what is filled in is one object
                row = decode(json.dumps(row, default=float).encode())
                valid(stream, shape(row, owner(stream)))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3)
    | st.text(max_size=8)
    | st.sampled_from(["2026-03-01T10:00:00Z", "2026-03-01", "1.50", "12", "true", "https://a.b"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, dict[str, t.Any]]:
    """(Stream, row): names that the stream has, values of any kind at any depth."""

    def value(schema: dict[str, t.Any]) -> t.Any:
        if not draw(st.integers(0, 3)):
            return draw(JSON)
        if "items" in schema:
            return [value(schema["items"]) for _ in range(draw(st.integers(0, 2)))]
        if "properties" in schema:
            names = draw(st.lists(st.sampled_from([*schema["properties"]] or ["a"]), max_size=4))
            return {name: value(schema["properties"].get(name, {})) for name in names}
        return draw(JSON)

    stream = draw(st.sampled_from(NAMES))
    row = value(row_facts(stream).schema)
    return stream, row if isinstance(row, dict) else {"new": row}


@given(bodies())
@settings(max_examples=150, deadline=None)
def test_whatever_comes_leaves_as_a_valid_record(case: tuple[str, dict[str, t.Any]]) -> None:
    stream, row = case
    valid(stream, row_shaper(row_facts(stream))(row, owner(stream)))


# -- what becomes what -------------------------------------------------------------------------

SCHEMA = {
    "properties": {
        "text": {"type": ["string", "null"]},
        "whole": {"type": ["integer", "null"]},
        "number": {"type": ["number", "null"]},
        "flag": {"type": ["boolean", "null"]},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "on": {"type": ["string", "null"], "format": "date"},
        "object": {
            "type": ["object", "null"],
            "properties": {"whole": {"type": ["integer", "null"]}},
        },
        "open": {"type": ["object", "null"], "additionalProperties": True},
        "list": {"type": ["array", "null"], "items": {"type": "string"}},
        "objects": {
            "type": ["array", "null"],
            "items": {"type": "object", "properties": {"flag": {"type": ["boolean", "null"]}}},
        },
    }
}
LOST = object()  # null, and nothing to keep


@pytest.mark.parametrize(
    ("field", "sent", "leaves"),
    [
        ("text", "12345", "12345"),
        ("text", "10.50", "10.50"),
        ("text", "true", "true"),
        ("text", '{"value":"paid"}', '{"value":"paid"}'),
        ("text", '{"value":"paid","url":"https://a.b"}', '{"value":"paid"}'),
        ("text", "[1]", "[1]"),
        ("whole", '"1000050"', 1000050),
        ("whole", "29687.0", 29687),
        ("whole", "1e3", 1000),
        ("whole", "true", 1),
        ("whole", '"9223372036854775807"', 2**63 - 1),
        ("whole", "9223372036854775808", None),
        ("whole", "1.5", None),
        ("whole", '"47 KB"', None),
        ("whole", '""', LOST),
        ("whole", "{}", LOST),
        ("number", '"10000.50"', Decimal("10000.50")),
        ("number", '"0.10000000000000000000000001"', Decimal("0.10000000000000000000000001")),
        ("number", "false", 0),
        ("number", '"NaN"', None),
        ("number", '"1,50"', None),
        ("number", '{"value":1}', None),
        ("flag", '"true"', True),
        ("flag", '"False"', False),
        ("flag", "0", False),
        ("flag", "2", None),
        ("flag", '"yes"', None),
        ("at", '"2026-03-01"', "2026-03-01T00:00:00Z"),
        ("at", '"2026-03-01T11:00:00+01:00"', "2026-03-01T10:00:00Z"),
        ("at", "1700000000", None),
        ("at", '{"date":"2026-03-01"}', None),
        ("at", '""', LOST),
        ("on", '"2026-03-01T11:00:00Z"', "2026-03-01"),
        ("on", '"soon"', None),
        ("object", '"none"', None),
        ("object", "[]", LOST),
        ("object", '[{"whole":1}]', None),
        ("object", '{"whole":"1"}', {"whole": 1}),
        ("open", '{"a":[null,{"b":1}]}', {"a": [None, {"b": 1}]}),
        ("open", "7", None),
        ("list", "[1,2]", ["1", "2"]),
        ("list", '"a"', None),
        ("objects", '[{"flag":1},null]', [{"flag": True}]),
        ("objects", "{}", LOST),
    ],
)  # fmt: skip
def test_what_loses_nothing_is_converted_and_the_rest_is_kept_beside(
    field: str, sent: str, leaves: t.Any
) -> None:
    value = decode(sent.encode())
    row = row_shaper(derived_facts(SCHEMA))({field: decode(sent.encode())}, None)
    if leaves is LOST:
        assert row == {field: None, "unknown_fields": None}
    elif leaves is None:
        assert row == {field: None, "unknown_fields": {field: value}}
    else:
        assert row == {field: leaves, "unknown_fields": None}
        assert json.dumps(row[field], default=str) == json.dumps(leaves, default=str)


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ({"text": 1}, "converted"),
        ({"whole": "1"}, "converted"),
        ({"whole": Decimal("1.0")}, None),
        ({"whole": "x"}, "misfit"),
        ({"at": "soon"}, "date"),
        ({"at": "2026-03-01T11:00:00+01:00"}, None),
        ({"list": ["a", None]}, "item"),
        ({"objects": [{"flag": 1}]}, "converted"),
        ({"more": 1}, "new"),
        ({"object": {"more": None}}, "new"),
        ({"object": {"link": "https://a.b"}}, "hidden"),
        ({"object": {"secret_key": "s"}}, "hidden"),
    ],
)
def test_what_is_odd_is_told_by_field(sent: dict[str, t.Any], kind: str | None) -> None:
    told: list[str] = []
    row_shaper(derived_facts(SCHEMA), lambda kind, _: told.append(kind))(sent, None)
    assert told == ([kind] if kind else [])


def test_a_row_of_odd_values_costs_no_more_than_its_size() -> None:
    deep: t.Any = "https://a.b"
    for _ in range(400):
        deep = {"a": [deep]}
    row = row_shaper(derived_facts(SCHEMA))({"new": deep, "text": deep, "object": deep}, None)
    assert "https" not in repr(row)


MEET = """
import sys, threading
from tap_qonto.sync.fit import usual

text = {"type": ["string", "null"], "maxLength": 9}
inner = {"type": ["object", "null"], "properties": {f"b{n}": text for n in range(20)}}
schema = {"properties": {**{f"a{n}": text for n in range(40)}, "in": inner}}
row = {**{f"a{n}": "x" for n in range(40)}, "in": {f"b{n}": "y" for n in range(20)}}
sys.setswitchinterval(1e-6)
for _ in range(300):
    is_usual, start = usual(schema), threading.Barrier(6)
    threads = [threading.Thread(target=lambda: (start.wait(), is_usual(row))) for _ in range(6)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
"""


@pytest.mark.slow
def test_threads_that_meet_a_type_for_the_first_time_do_not_crash_the_process() -> None:
    """They did: a segmentation fault, and no word in the log."""
    done = subprocess.run([sys.executable, "-c", MEET], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
