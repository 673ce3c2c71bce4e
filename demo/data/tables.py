"""Rows as they travel, kept encoded, with the few fields that lists filter and sort by.

A row is its JSON text from the start: a page is a join of bytes, and a thousand organizations fit
into memory. Whoever wants to change a row decodes it, and encodes it again.
"""

from __future__ import annotations

import typing as t
from bisect import bisect_left, bisect_right
from decimal import Decimal
from itertools import groupby, takewhile
from operator import itemgetter

import msgspec

from demo.values import since_epoch

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from random import Random

Row = dict[str, t.Any]
encode: t.Callable[[t.Any], bytes] = msgspec.json.Encoder(decimal_format="number").encode
decode: t.Callable[[bytes], t.Any] = msgspec.json.Decoder(float_hook=Decimal).decode
EMBEDS = ("attachments", "labels", "vat_details")  # of transactions, by includes[]
ALL = frozenset(EMBEDS)
LAST = 1 << 63  # where rows without a value sort
# Fields that hold a moment or a date; compared as microseconds since 1970.
MOMENTS = ("_at", "_date")


Markers = list[tuple[str, t.Callable[[t.Any], t.Any]]]


class Record:
    """One row.

    `body` is its JSON, `embeds` what `includes[]` can add to it (`rest` all of that), `marks` the
    fields that lists compare. The first keys, as long as they begin with `_`, are `hidden`: known
    to the server, never sent.
    """

    __slots__ = ("body", "embeds", "hidden", "id", "marks", "rest")

    def __init__(self, row: Row, markers: Markers, key: str, *, embeds: bool) -> None:
        self.id = str(row.get(key, ""))  # one-row streams have none
        self.marks = {field: marked(row.get(field)) for field, marked in markers}
        self.hidden = {name: row[name] for name in takewhile(_is_hidden, row)}
        if self.hidden:
            row = {name: row[name] for name in row if name not in self.hidden}
        self.embeds: tuple[bytes, ...] = ()
        self.rest = b""
        if embeds:
            row = dict(row)
            self.embeds = tuple(
                b',"%s":%s' % (name.encode(), encode(row.pop(name))) for name in EMBEDS
            )
            self.rest = b"".join(self.embeds)
        self.body = encode(row)

    def text(self, includes: Collection[str] = ALL) -> bytes:
        """The JSON with those of the `includes` that this kind of row knows."""
        if not self.rest or not includes:
            return self.body
        if includes == ALL:
            return self.body[:-1] + self.rest + b"}"
        parts = [value for name, value in zip(EMBEDS, self.embeds, strict=True) if name in includes]
        return self.body[:-1] + b"".join(parts) + b"}"

    def row(self) -> Row:
        """The row as it is sent, with everything that `includes[]` can add."""
        return t.cast("Row", decode(self.text()))


def _is_hidden(name: str) -> bool:
    return name[0] == "_"


def marker(field: str) -> t.Callable[[t.Any], t.Any]:
    """What brings values of `field` into a comparable form; None stays None."""
    if field.endswith(MOMENTS):
        return _microseconds
    if field == "attachment_ids":
        return bool
    return month if field == "period" else _plain


def _microseconds(value: str | None) -> int | None:
    return None if value is None else since_epoch(value)


def month(value: str) -> int:
    """Months since the year 0 of a statement's `MM-YYYY` (Q45)."""
    return int(value[3:]) * 12 + int(value[:2])


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, dict) and "value" in value:  # {"value": "12.50", "currency": "EUR"}
        return Decimal(value["value"])
    return value


class Span(t.NamedTuple):
    """Bounds on a field; None leaves a side open. `closed` says whether each bound belongs."""

    field: str
    low: t.Any = None
    high: t.Any = None
    closed: tuple[bool, bool] = (True, True)

    def among(self, keys: Sequence[t.Any]) -> tuple[int, int]:
        """Where the values that it holds begin and end among sorted ones."""
        low, high = 0, bisect_left(keys, LAST)
        if self.low is not None:
            low = (bisect_left if self.closed[0] else bisect_right)(keys, self.low)
        if self.high is not None:
            high = min(high, (bisect_right if self.closed[1] else bisect_left)(keys, self.high))
        return low, high


class Like(t.NamedTuple):
    """A text that the field must contain, in whatever case."""

    field: str
    text: str

    def holds(self, value: t.Any) -> bool:
        return value is not None and self.text.lower() in str(value).lower()


Equal = tuple[str, frozenset[t.Any]]  # a field and the values it may have


class Wish(t.NamedTuple):
    """Which rows, in which order."""

    equals: list[Equal]
    spans: list[Span | Like]
    sort: str | None = None
    descending: bool = False


class Table:
    """The rows of one stream of one organization, in order of insertion."""

    def __init__(
        self, rows: Iterable[Row], fields: Sequence[str], key: str, *, embeds: bool = False
    ) -> None:
        self._markers = [(field, marker(field)) for field in fields]
        self._key, self._embeds = key, embeds
        self.records: dict[str, Record] = {}
        self._views: dict[t.Any, tuple[list[Record], list[t.Any]]] = {}
        for row in rows:
            self.put(row)

    def put(self, row: Row) -> None:
        """Insert, or replace in place."""
        record = Record(row, self._markers, self._key, embeds=self._embeds)
        self.records[record.id] = record
        self._views.clear()

    def remove(self, id_: str) -> Row:
        self._views.clear()
        return self.records.pop(id_).row()

    def rows(self) -> list[Row]:
        return [record.row() for record in self.records.values()]

    def select(
        self, wish: Wish, first: int, count: int, ties: Random | None = None
    ) -> tuple[list[Record], int]:
        """Records `first` to `first + count` of those that match, and how many match in all.

        Lists without order are in order of insertion, and so are rows of equal keys, unless `ties`
        shuffles them. Rows without a value come last, or first when descending.
        """
        equals, spans, sort, descending = wish
        records, keys = self._view(frozenset(equals), sort)
        low, high = 0, len(records)
        others: list[Span | Like] = []
        for span in spans:
            if isinstance(span, Like) or span.field != sort:
                others.append(span)
                continue
            first_held, end_held = span.among(keys)
            low, high = max(low, first_held), min(high, end_held)
        if others:
            kept = [*range(low, high)]
            for one in others:
                if isinstance(one, Span):
                    among, values = self._view(frozenset(equals), one.field)
                    holding = set(among[slice(*one.among(values))])
                    kept = [place for place in kept if records[place] in holding]
                else:
                    kept = [place for place in kept if one.holds(records[place].marks[one.field])]
            records = [records[place] for place in kept]
            keys = [keys[place] for place in kept] if sort else []
            low, high = 0, len(records)
        high = max(low, high)
        if descending:
            stop = max(high - first, low)
            start = max(stop - count, low)
        else:
            start = min(low + first, high)
            stop = min(start + count, high)
        if ties and sort and start < stop:
            found = _shuffled(records, keys, range(low, high), range(start, stop), ties)
        else:
            found = records[start:stop]
        return found[::-1] if descending else found, high - low

    def _view(self, equals: frozenset[Equal], sort: str | None) -> tuple[list[Record], list[t.Any]]:
        view = self._views.get((equals, sort))
        if view is None:
            view = self._narrowed(equals, sort) if equals else self._sorted(sort)
            self._views[equals, sort] = view
        return view

    def _narrowed(
        self, equals: frozenset[Equal], sort: str | None
    ) -> tuple[list[Record], list[t.Any]]:
        *others, (field, values) = sorted(equals, key=itemgetter(0))
        records, keys = self._view(frozenset(others), sort)
        kept = [
            place for place, record in enumerate(records) if _among(record.marks[field], values)
        ]
        return [records[place] for place in kept], [keys[place] for place in kept] if sort else []

    def _sorted(self, sort: str | None) -> tuple[list[Record], list[t.Any]]:
        records = [*self.records.values()]
        if sort is None:
            return records, []
        texts = any(isinstance(record.marks[sort], str) for record in records)
        last = "\U0010ffff" if texts else LAST

        def key(record: Record) -> t.Any:
            value = record.marks[sort]
            return last if value is None else value

        records.sort(key=key)
        return records, [key(record) for record in records]


def _shuffled(
    records: list[Record], keys: list[t.Any], among: range, wanted: range, ties: Random
) -> list[Record]:
    """The `wanted` places of the records `among` which each run of equal `keys` is shuffled."""
    first = bisect_left(keys, keys[wanted.start], among.start, wanted.start)
    end = bisect_right(keys, keys[wanted.stop - 1], wanted.stop, among.stop)
    found: list[Record] = []
    for _, places in groupby(range(first, end), key=keys.__getitem__):
        group = [records[place] for place in places]
        ties.shuffle(group)
        found += group
    return found[wanted.start - first : wanted.stop - first]


def _among(value: t.Any, values: frozenset[t.Any]) -> bool:
    """Whether `value`, or one of it when it is a list, is among `values`."""
    if isinstance(value, (list, tuple)):
        return not values.isdisjoint(value)
    return value in values
