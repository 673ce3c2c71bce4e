"""A row leaves as its schema says: as by slow and plain words, and as by the SDK."""

from __future__ import annotations

import copy
import json
import re
import typing as t
from datetime import datetime
from decimal import Decimal

import msgspec
import pytest
import source
from folds import folded
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from taps import catalog_of

from tap_qonto.api.contract import ORGANIZATIONS, endpoints, row_facts
from tap_qonto.api.responses import decode
from tap_qonto.streams import STREAMS
from tap_qonto.sync.moments import calendar_date, moment_of, utc
from tap_qonto.sync.rows import row_shaper
from tap_qonto.sync.writers import RowMessage
from tap_qonto.tap import TapQonto

if t.TYPE_CHECKING:
    from singer_sdk.singerlib import RecordMessage

    from tap_qonto.streams.client import QontoStream

NAMES = tuple(endpoints())


def examples(stream: str) -> list[dict[str, t.Any]]:
    """Rows as the contract shows them, and as the transport decodes them: no number is a float."""
    found: list[dict[str, t.Any]] = decode(json.dumps(source.examples(stream)).encode())
    return found


# -- hostile values ----------------------------------------------------------------------------

TIMES = st.one_of(
    st.datetimes().map(lambda one: one.isoformat() + "Z"),
    st.datetimes(timezones=st.timezones()).map(lambda one: one.isoformat(sep=" ")),
    st.dates().map(str),
    st.sampled_from(
        [
            "",
            "0000-00-00",
            "0000-00-00T00:00:00Z",
            "2026-02-30T10:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T10:00:60Z",
            "9999-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00+01:00",
            "2026-03-01T10:00:00.1234567890Z",
            "2026-03-01T10:00:00.Z",
            "2026-03-01T10:00:1Z",
            "2026-03-01 10:00:00.123456",
            "2026-03-01T10:00",
            "2026-03-01T10:00:00+0200",
            "2026-03-01T10:00:00+02",
            "2026-W10-1T10:00:00Z",
            "2026-03-01T10+01:00Z",
            "20260301T101010Z",
            "٢٠٢٦-03-01T10:00:00Z",
            "03-2026",
            "now",
        ]
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(["false", "0", "00000000-0000-0000-0000-000000000000", "1" * 29, "-7", "1.5"]),
    TIMES,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: t.Any) -> t.Iterator[tuple[t.Any, t.Any]]:
    """(Container, key) of every value of a row, at every depth."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from places(value[key])


@st.composite
def hostile(draw: st.DrawFn) -> tuple[str, dict[str, t.Any]]:
    """(Stream, row): an example of the contract, here and there not what it should be."""
    stream = draw(st.sampled_from(NAMES))
    row = copy.deepcopy(draw(st.sampled_from(examples(stream))))
    where = list(places(row))
    times = [(box, key) for box, key in where if re.match(r"\d{4}-", str(box[key]))]
    for box, key in draw(st.lists(st.sampled_from(where), max_size=3)):
        box[key] = draw(VALUES)
    for box, key in draw(st.lists(st.sampled_from(times or where), max_size=3)):
        box[key] = draw(TIMES)
    return stream, row | draw(st.dictionaries(st.text(min_size=1, max_size=8), SCALARS, max_size=1))


def owner(stream: str) -> str | None:
    return None if stream == ORGANIZATIONS else "an organization"


@given(hostile())
@settings(max_examples=80, deadline=None)
def test_a_row_is_what_plain_words_make_of_it(case: tuple[str, dict[str, t.Any]]) -> None:
    stream, row = case
    row.pop("organization_id", None)
    parent = endpoints()[stream].parent
    if parent:
        row.setdefault(parent["property"], "a parent")
    expected = folded(stream, copy.deepcopy(row))
    shaped = row_shaper(row_facts(stream))(row, owner(stream))
    assert shaped == expected
    if owner(stream):
        assert next(iter(shaped)) == "organization_id"


@pytest.mark.parametrize("stream", NAMES)
def test_what_is_right_is_not_touched(stream: str) -> None:
    told: list[tuple[str, str]] = []
    shape = row_shaper(row_facts(stream), lambda *odd: told.append(odd))
    for row in examples(stream):
        once = shape(copy.deepcopy(row), owner(stream))
        assert once["unknown_fields"] is None
        again = {
            name: value for name, value in copy.deepcopy(once).items() if name != "unknown_fields"
        }
        assert shape(again, owner(stream)) == once
    assert told == []


@given(TIMES)
@settings(deadline=None)
def test_a_time_is_rfc_3339_in_utc_or_nothing(value: str) -> None:
    text = utc(value)
    if text is not None:
        assert text.endswith("Z")
        assert utc(text) == text
        assert moment_of(text) == moment_of(value)
        assert calendar_date(value) == value[:10]
    assert (moment_of(value) is None) == (text is None or text < "0002")


def test_the_zero_of_go_is_no_moment() -> None:
    assert moment_of("0001-01-01T00:00:00Z") is None
    assert utc("0001-01-01T00:00:00Z") == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("sent", "emitted"),
    [
        ("2026-03-01T11:22:10+01:00", "2026-03-01T10:22:10Z"),
        ("2026-03-01T11:22:10.5120Z", "2026-03-01T11:22:10.5120Z"),
        ("2026-03-01 11:22:10.123456", "2026-03-01T11:22:10.123456Z"),
        ("2026-03-01T23:30-0130", "2026-03-02T01:00:00Z"),
        ("2026-03-01t11:22:10z", "2026-03-01T11:22:10Z"),
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("2026-03-01T10:00:1Z", None),
        ("", None),
        ("0000-00-00", None),
        (1_700_000_000, None),
        ({"at": 1}, None),
    ],
)
def test_times_in_all_styles(sent: t.Any, emitted: str | None) -> None:
    told: list[tuple[str, str]] = []
    shape = row_shaper(row_facts("clients"), lambda *odd: told.append(odd))
    row = shape({"id": "1", "created_at": sent}, "o")
    assert row["created_at"] == emitted
    assert told == ([] if emitted else [("date", "created_at")])
    assert row["unknown_fields"] == ({"created_at": sent} if sent and not emitted else None)


def test_nothing_in_a_list_stays_where_the_schema_allows_it() -> None:
    told: list[tuple[str, str]] = []
    shape = row_shaper(row_facts("clients"), lambda *odd: told.append(odd))
    row = shape({"id": "1", "extra_emails": [None, "a", 7, [None]]}, "o")
    assert row["extra_emails"] == [None, "a", "7", "[null]"]
    assert not told


def test_what_does_not_fit_in_a_list_is_named_by_its_place() -> None:
    told: list[tuple[str, str]] = []
    shape = row_shaper(row_facts("organization"), lambda *odd: told.append(odd))
    row = shape({"bank_accounts": ["none", {"updated_at": "soon"}, {"updated_at": None}]}, "o")
    assert told == [("misfit", "bank_accounts[]"), ("date", "bank_accounts[].updated_at")]
    assert row["bank_accounts"] == [{"updated_at": None}, {"updated_at": None}]
    assert row["unknown_fields"] == {
        "bank_accounts[0]": "none",
        "bank_accounts[1].updated_at": "soon",
    }


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb'"a\u0000b"', "ab"),
        (rb'"a\\u0000b"', r"a\u0000b"),
        (rb'"\\\u0000\ud800"', "\\\ufffd"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (b"0.1000000000000000000000000000001", Decimal("0.1000000000000000000000000000001")),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_text_and_numbers_are_read_as_a_warehouse_can_hold_them(sent: bytes, read: t.Any) -> None:
    found = decode(sent)
    assert found == read
    assert str(found) == str(read)


# -- against the SDK's own way -----------------------------------------------------------------


class Ways:
    """The same streams twice; the SDK makes the messages of one: masks, conformance, maps."""

    def __init__(self, **config: t.Any) -> None:
        config |= {"client_id": "an-id", "client_secret": "a-secret"}
        streams = [one.name for one in STREAMS]
        without = [
            ("transactions", "note"),
            ("memberships", "email"),
            ("clients", "billing_address.city"),
        ]
        catalog = catalog_of(*streams, without=without)
        self.fast = TapQonto(config=dict(config), catalog=copy.deepcopy(catalog))
        self.slow = TapQonto(config=dict(config), catalog=catalog)
        for stream in self.slow.streams.values():
            stream.TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.RECURSIVE
            stream._input_schema = with_properties(stream._input_schema)

    def both(self, name: str, row: dict[str, t.Any]) -> tuple[list[t.Any], list[t.Any]]:
        fast = t.cast("QontoStream", self.fast.streams[name])
        ours = fast.messages(copy.deepcopy(row))
        theirs = Stream._generate_record_messages(self.slow.streams[name], copy.deepcopy(row))
        return [plain(one) for one in ours], [plain(one) for one in theirs]


def with_properties(schema: t.Any) -> t.Any:
    """Schemas that the SDK does not trip over: it looks for `properties` in every object."""
    if isinstance(schema, list):
        return [with_properties(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {name: with_properties(value) for name, value in schema.items()}
    return {"properties": {}, **result} if "object" in result.get("type", ()) else result


def plain(message: RowMessage | RecordMessage) -> dict[str, t.Any]:
    """A message without its time; that both are the same line is shown in `test_messages`."""
    found = (
        msgspec.to_builtins(message, builtin_types=(Decimal, datetime))
        if isinstance(message, RowMessage)
        else message.to_dict()
    )
    found.pop("time_extracted", None)
    return found


@pytest.fixture(scope="module")
def ways() -> Ways:
    return Ways()


@given(hostile())
@settings(max_examples=80, deadline=None)
def test_the_messages_are_those_of_the_sdk(ways: Ways, case: tuple[str, dict[str, t.Any]]) -> None:
    stream, row = case
    shaped = row_shaper(row_facts(stream))(row, owner(stream))
    ours, theirs = ways.both(stream, shaped)
    assert ours == theirs


@pytest.mark.parametrize(
    "config",
    [
        {"flattening_enabled": True, "flattening_max_depth": 2},
        {"stream_maps": {"labels": {"__alias__": "qonto_labels"}}},
        {"stream_maps": {"labels": {"name": "md5(name) if name else None"}}},
        {"stream_maps": {"labels": {"__filter__": "name != 'Travel'"}}},
    ],
    ids=["flattening", "alias", "hash", "filter"],
)
def test_maps_and_flattening_are_those_of_the_sdk(config: dict[str, t.Any]) -> None:
    ways = Ways(**config)
    for stream in NAMES:
        for row in examples(stream):
            shaped = row_shaper(row_facts(stream))(copy.deepcopy(row), owner(stream))
            ours, theirs = ways.both(stream, shaped)
            if "flattening_enabled" in config:  # the SDK sends objects that are null besides
                for message in theirs:
                    names = columns(ways.fast, stream)
                    message["record"] = {n: v for n, v in message["record"].items() if n in names}
            assert ours == theirs


def columns(tap: TapQonto, stream: str) -> set[str]:
    return {*tap.streams[stream].stream_maps[0].transformed_schema["properties"]}


def test_a_flattened_record_has_no_name_that_its_schema_lacks() -> None:
    ways = Ways(flattening_enabled=True, flattening_max_depth=2)
    for name in NAMES:
        stream = t.cast("QontoStream", ways.fast.streams[name])
        row: dict[str, t.Any] = dict.fromkeys(row_facts(name).schema["properties"])
        row |= {"new": {"a": 1}}
        for message in stream.messages(stream._shape(row, owner(name))):
            assert message.record.keys() <= columns(ways.fast, name)
            assert json.loads(message.record["unknown_fields"]) == {"new": {"a": 1}}


def test_what_is_new_is_counted_and_kept_but_for_links_and_secrets() -> None:
    told: list[tuple[str, str]] = []
    shape = row_shaper(row_facts("payment_links"), lambda *odd: told.append(odd))
    row = {
        "id": "1",
        "url": "https://pay.me",
        "surprise": {"a": 1, "link": "HTTPS://pay.me/1", "secret": "s", "list": ["http://a", 2]},
        "page": "see https://pay.me/2",
        "access_token": "t",
        "nothing": None,
        "items": [{"title": "a", "colour": "red", "quote_url": "x"}],
    }
    shaped = shape(row, "o")
    assert shaped == {
        "organization_id": "o",
        "id": "1",
        "items": [{"title": "a"}],
        "unknown_fields": {"surprise": {"a": 1, "list": [2]}, "items[0].colour": "red"},
    }
    assert told == [
        ("new", "surprise"),
        ("hidden", "page"),
        ("hidden", "access_token"),
        ("new", "nothing"),
        ("new", "items[].colour"),
        ("hidden", "items[].quote_url"),
    ]


def test_a_row_stays_as_the_walk_knows_it() -> None:
    """Found: a page that came twice was not known again, since its rows had lost fields."""
    stream = t.cast("QontoStream", Ways().fast.streams["clients"])
    rows = [
        row_shaper(row_facts("clients"))(row | {"surprise": 1}, "o") for row in examples("clients")
    ]
    before = copy.deepcopy(rows)
    messages = [one for row in rows for one in stream.messages(row)]
    assert rows == before
    for message in messages:
        assert "city" not in (message.record.get("billing_address") or {})
    assert any((row.get("billing_address") or {}).get("city") for row in rows)
