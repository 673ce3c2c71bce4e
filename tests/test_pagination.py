"""Pages and slices: what an answer says of the list, and the three proofs, tried exhaustively."""

from __future__ import annotations

import itertools
import random
import typing as t
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_qonto.errors import RequestFailed, RequestRejected
from tap_qonto.pagination.pages import (
    MARGIN,
    Listing,
    Memory,
    Observed,
    Page,
    Query,
    Records,
    ask,
    frozen,
    honours,
    lacks,
    lowest,
    opening,
    page_of,
)
from tap_qonto.pagination.slices import SMALLEST, _Steps, closes, is_ascending, leap, numbered

if t.TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
Row = dict[str, t.Any]


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


# -- what an answer says -------------------------------------------------------------------


def meta(**facts: t.Any) -> dict[str, t.Any]:
    return {"current_page": 1, "next_page": None, "total_pages": 1, "total_count": 3, **facts}


@pytest.mark.parametrize(
    ("count", "told", "is_last"),
    [
        (3, meta(), True),
        (3, {"total_pages": 1, "total_count": 3}, True),  # Q17
        (3, meta(next_page=0), True),
        (0, meta(next_page=0, total_pages=0, total_count=0), True),  # Q18
        (0, meta(next_page=2, total_pages=9), True),
        (3, None, True),  # Q19
        (3, [], True),
        (3, {}, True),
        (3, meta(total_pages=2), False),
        (3, meta(next_page=2), False),
        (3, meta(next_page="2", total_pages="2"), False),
        (3, meta(next_page="https://x/?page=2"), True),
        (3, meta(next_page=True, total_pages=True), True),
        (3, meta(total_pages=Decimal("2.0")), False),
        (3, meta(total_pages="a lot"), True),
        (10, None, False),
        (10, meta(), False),  # totals may be stale: only an answer that is not full can end
        (10, meta(total_pages=None, next_page=None), False),
        (11, meta(), False),
    ],
)
def test_the_last_page_is_empty_or_not_full_and_not_contradicted(
    count: int, told: t.Any, is_last: bool
) -> None:
    page = page_of([{"id": n} for n in range(count)], told, Query(size=10), NOON)
    assert page.is_last is is_last


@pytest.mark.parametrize(
    ("value", "total"),
    [
        (3, 3),
        ("3", 3),
        (Decimal(3), 3),
        (None, None),
        (True, None),
        ("", None),
        ([], None),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
    ],
)
def test_the_total_is_a_whole_number_or_unknown(value: t.Any, total: int | None) -> None:
    assert page_of([], {"total_count": value}, Query(), None).total == total


def test_what_was_there_a_margin_before_the_answer_is_complete() -> None:
    assert frozen(NOON) == NOON - MARGIN
    assert frozen(None) is None


def test_the_lowest_is_unknown_if_one_is() -> None:
    assert lowest([at(2), at(1), at(3)]) == at(1)
    assert lowest([at(2), None]) is None
    assert lowest([]) is None


def test_keys_ascend_only_if_all_are_known() -> None:
    assert is_ascending([])
    assert is_ascending([at(1), at(1), at(2)])
    assert not is_ascending([at(2), at(1)])
    assert not is_ascending([None])
    assert not is_ascending([at(1), None])


@pytest.mark.parametrize(
    ("first", "is_honoured"), [(at(0), True), (at(-1 / 61), True), (at(-1 / 59), False)]
)
def test_a_lower_bound_may_be_cut_to_seconds_but_not_ignored(
    first: datetime, is_honoured: bool
) -> None:
    told: list[str] = []
    listing = Listing(lambda _: None, warn=told.append)  # type: ignore[arg-type,return-value]
    page = Page([{}], 1, is_last=True, date=None, keys=[first])
    for _ in range(2):
        assert honours(listing, page, at(0)) is is_honoured
    assert len(told) == (not is_honoured)
    assert listing.observed.filters is is_honoured


# -- what is learned from an answer --------------------------------------------------------


def served(rows: int, most: int, asked: list[Query], *, with_meta: bool = True) -> Listing:
    """A list whose pages have `most` rows, whatever is asked for above that."""

    def page(query: Query) -> Page:
        asked.append(query)
        size = min(query.size, most)
        part = [{"id": n} for n in range(rows)][(query.number - 1) * size : query.number * size]
        told = {"total_pages": -(-rows // size), "total_count": rows} if with_meta else None
        return page_of(part, told, query, NOON)

    return Listing(page)


@pytest.mark.parametrize("with_meta", [True, False])
def test_shorter_pages_than_asked_for_are_taken_for_what_they_are(with_meta: bool) -> None:
    asked: list[Query] = []
    listing = served(70, 25, asked, with_meta=with_meta)
    page = ask(listing, Query(size=100))
    assert (len(page.rows), page.is_last) == (25, False)
    assert opening(listing, None).size == listing.size == listing.observed.size == 25
    assert listing.observed.sizes
    assert not ask(listing, Query(number=2, size=25)).is_last
    assert ask(listing, Query(number=3, size=25)).is_last


def test_a_size_that_is_ignored_below_the_page_is_noticed() -> None:
    def page(query: Query) -> Page:
        rows = [{"id": n} for n in range(25)]
        return page_of(rows, {"total_pages": 9, "total_count": 225}, query, NOON)

    listing = Listing(page)
    ask(listing, Query(size=100))
    assert (listing.size, listing.observed.sizes) == (25, True)
    ask(listing, Query(size=20))
    assert not listing.observed.sizes


def test_a_page_that_holds_less_than_it_counts_is_asked_for_once_more() -> None:
    counts = iter([2, 3])

    def page(query: Query) -> Page:
        rows = [{"id": n} for n in range(next(counts))]
        return page_of(rows, meta(), query, NOON)

    told: list[str] = []
    listing = Listing(page, warn=told.append)
    assert len(ask(listing, Query()).rows) == 3
    assert listing.observed.counts
    assert not told


def test_keys_are_read_once_per_row() -> None:
    read = 0

    def key(row: Row) -> datetime:
        nonlocal read
        read += 1
        return at(row["id"])

    def page(query: Query) -> Page:
        found = [{"id": n} for n in range(1000) if not query.since or at(n) >= query.since]
        told = {"total_pages": -(-len(found) // query.size), "total_count": len(found)}
        return page_of(found[query.start : query.end], told, query, at(2000))

    from tap_qonto.pagination.readers import changed  # noqa: PLC0415 - a floor above

    rows = [row for batch in changed(Listing(page, key=key), None) for row in batch.rows]
    assert len(rows) == 1000
    assert read <= 1000 + 3 + 110  # pages overlap by a row; one is a probe


def test_a_count_can_only_be_lacking_if_it_is_told_and_trusted() -> None:
    listing = Listing(lambda _: None)  # type: ignore[arg-type,return-value]
    assert lacks(listing, 2, 3)
    assert lacks(listing, 2, 4, 3)
    assert not lacks(listing, 2, 3, 2)
    assert not lacks(listing, 2, 3, None)
    listing.observed.counts = False
    assert not lacks(listing, 2, 3)


# -- witnesses -----------------------------------------------------------------------------


def seen(memory: Memory, *rows: Row) -> list[Row]:
    return memory.new(Page([*rows], None, is_last=False, date=None, keys=[r["at"] for r in rows]))


def knows(memory: Memory, *rows: Row) -> bool:
    return memory.knows_any(
        Page([*rows], None, is_last=False, date=None, keys=[r["at"] for r in rows])
    )


def test_a_row_is_a_witness_as_long_as_its_key_stays() -> None:
    memory = Memory(Listing(lambda _: None))  # type: ignore[arg-type,return-value]
    row = {"id": 1, "at": at(1), "link": "a"}
    assert seen(memory, row) == [row]
    assert seen(memory, row) == []
    assert knows(memory, {"id": 2, "at": at(1)}, {**row, "link": "b"})
    assert not knows(memory, {**row, "at": at(2)})
    assert seen(memory, {**row, "link": "b"}) == [{**row, "link": "b"}]
    assert memory.seen == 1
    assert seen(memory, {**row, "at": at(2)})
    assert memory.seen == 2


def test_witnesses_are_forgotten_after_four_pages_unless_they_came_again() -> None:
    memory = Memory(Listing(lambda _: None))  # type: ignore[arg-type,return-value]
    first, again = {"id": 1, "at": None}, {"id": 2, "at": None}
    seen(memory, first, again)
    seen(memory, again)
    for number in range(3, 6):
        assert knows(memory, again)
        seen(memory, {"id": number, "at": None})
    assert not knows(memory, first)
    assert knows(memory, again)
    seen(memory, {"id": 6, "at": None})
    assert not knows(memory, again)
    assert len(memory._rows) == 4


def test_only_rows_of_one_page_may_be_left_as_witnesses() -> None:
    """Those of a leap that failed stand anywhere in the list."""
    memory = Memory(Listing(lambda _: None))  # type: ignore[arg-type,return-value]
    seen(memory, {"id": 1, "at": None})
    seen(memory, {"id": 2, "at": None})
    page = Page([{"id": 1, "at": None}], None, is_last=False, date=None, keys=[None])
    memory.only(page)
    assert knows(memory, {"id": 1, "at": None})
    assert not knows(memory, {"id": 2, "at": None})
    assert memory.seen == 2


def test_rows_without_identity_are_told_by_all_they_hold() -> None:
    memory = Memory(Listing(lambda _: None))  # type: ignore[arg-type,return-value]
    one, other = {"at": at(1), "a": 1}, {"at": at(1), "a": 2}
    assert seen(memory, one, other, one) == [one, other]
    assert knows(memory, other)
    assert not knows(memory, {"at": at(1), "a": 3})


@given(offset=st.integers(1, 2_000_000), size=st.integers(SMALLEST, 500), slack=st.integers(1, 300))
def test_every_place_can_be_overlapped(offset: int, size: int, slack: int) -> None:
    steps = _Steps(Listing(lambda _: None, size=size), Query(), offset)  # type: ignore[arg-type,return-value]
    steps._slack = min(slack, size // 2)
    query = steps.following()
    assert query.start < offset < query.end
    assert query.size <= size


class Moving:
    """A list of rows with a key in minutes; changes happen before the answers they are due at.

    `when` tells at which moment a page that is asked for ahead is answered: at once ("ahead"),
    when it is wanted ("page"), or every other ("both").
    """

    def __init__(
        self,
        keys: list[float],
        events: t.Iterable[tuple[int, t.Callable[[list[Row]], None]]],
        *,
        when: str = "page",
    ) -> None:
        self.rows: list[Row] = [{"id": n, "at": at(key)} for n, key in enumerate(keys)]
        self.events = [*events]
        self.when = when
        self.answers = 0
        self.sent: dict[Query, Page] = {}

    def listing(self, size: int, **facts: t.Any) -> Listing:
        return Listing(
            self.page,
            ahead=self.ahead,
            forget=self.sent.clear,
            key=lambda row: row["at"],
            size=size,
            **facts,
        )

    def ahead(self, query: Query) -> bool:
        at_once = self.when == "ahead" or (self.when == "both" and query.number % 2)
        if at_once and query not in self.sent:
            self.sent[query] = self.answer(query)
        return True

    def page(self, query: Query) -> Page:
        return self.sent.pop(query, None) or self.answer(query)

    def answer(self, query: Query) -> Page:
        for due, event in self.events:
            if due == self.answers:
                event(self.rows)
        self.answers += 1
        found = [row for row in self.rows if not query.since or row["at"] >= query.since]
        part = found[query.start : query.end]
        return Page(part, None, is_last=len(part) < query.size, date=NOON)


def leave(identity: int) -> t.Callable[[list[Row]], None]:
    def event(rows: list[Row]) -> None:
        rows[:] = [row for row in rows if row["id"] != identity]

    return event


def edit(identity: int) -> t.Callable[[list[Row]], None]:
    """The row gets the latest key, and goes to the end."""

    def event(rows: list[Row]) -> None:
        rows.sort(key=lambda row: (row["id"] == identity, row["at"]))
        if rows and rows[-1]["id"] == identity:
            rows[-1] = {"id": identity, "at": at(1000)}

    return event


def come(place: int) -> t.Callable[[list[Row]], None]:
    def event(rows: list[Row]) -> None:
        rows.insert(place, {"id": 1000 + place, "at": at(place)})

    return event


KEYS = {
    "different": [float(n) for n in range(9)],
    "some alike": [0, 1, 2, 2, 2, 2, 2, 3, 4],
    "last alike": [0, 1, 2, 3, 4, 5, 5, 5, 5],
}


def proves(moving: Moving, pages: int, *, is_closed: bool = False) -> bool:
    """Leap; if it claims that nothing is missing, nothing is."""
    began = {row["id"]: row["at"] for row in moving.rows}
    listing = moving.listing(2)
    memory = Memory(listing)
    walk = leap(listing, memory, at(-1), at(100), pages, is_closed=is_closed)
    found = set()
    while True:
        try:
            found |= {row["id"] for row in next(walk).rows}
        except StopIteration as end:
            landing = end.value
            break
    if landing is None:
        return False
    left = {
        row["id"]
        for row in moving.rows
        if row["at"] < landing.key and began.get(row["id"]) == row["at"]
    }
    assert left <= found
    return True


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("when", ["page", "ahead", "both"])
def test_the_place_claims_nothing_that_one_or_two_moves_could_refute(keys: str, when: str) -> None:
    moves = [
        (due, move(identity)) for move in (leave, edit) for identity in range(9) for due in range(6)
    ]
    proven = 0
    for number in (1, 2):
        chosen: t.Iterable[t.Any] = itertools.combinations(moves, number)
        if number == 2:
            chosen = random.Random(1).sample([*chosen], 600)
        for events in chosen:
            for pages in (3, 5):
                closed = pages == 3
                proven += proves(Moving(KEYS[keys], events, when=when), pages, is_closed=closed)
    assert proven  # it is not always in doubt


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("pages", [2, 3, 4, 5, 6, 9])
def test_the_place_proves_a_list_that_stands_still(keys: str, pages: int) -> None:
    assert proves(Moving(KEYS[keys], []), pages)


def test_the_place_is_not_fooled_by_an_order_of_ties_that_changes() -> None:
    keys = [0, *[1.0] * 7, 2.0]
    for seed in range(200):
        chance = random.Random(seed)

        def shuffle(rows: list[Row], chance: random.Random = chance) -> None:
            rows.sort(key=lambda row: (row["at"], chance.random()))

        moving = Moving(keys, [(due, shuffle) for due in range(20)])
        proves(moving, 5)


def test_a_far_page_that_is_refused_is_not_asked_for_again() -> None:
    def page(_: Query) -> Page:
        raise RequestRejected("no", 422)

    listing = Listing(page)
    assert [*leap(listing, Memory(listing), at(0), at(9), 5, is_closed=True)] == []
    assert not listing.observed.leaps


@pytest.mark.parametrize("pages", [3, 4])
def test_a_window_that_ends_too_early_proves_no_more_than_its_rows(pages: int) -> None:
    """An upper bound may be cut to whole seconds, or worse."""
    rows = [{"id": n, "at": at(n)} for n in range(9)]

    def page(query: Query) -> Page:
        found = [row for row in rows if not query.until or row["at"] < at(5)]
        part = found[query.start : query.end]
        return Page(part, None, is_last=len(part) < query.size, date=NOON)

    listing = Listing(page, key=lambda row: row["at"], size=2)
    landings = []

    def walk() -> t.Generator[Records, None, None]:
        memory = Memory(listing)
        found = yield from leap(listing, memory, at(-1), at(100), pages, is_closed=True)
        landings.append(found)

    rows = [row for batch in walk() for row in batch.rows]
    assert landings[0].key == rows[-1]["at"] < at(5)


def test_rows_that_show_a_later_key_than_that_of_their_place_are_not_the_end() -> None:
    """A search index may lag behind the rows it finds."""
    keys = [0, 0, 200, 200, 1, 2, 3, 4]
    moving = Moving([], [])
    moving.rows = [{"id": n, "at": at(key)} for n, key in enumerate(keys)]
    assert not proves(moving, 2)


@pytest.mark.parametrize("kind", ["cut", "not cut", "wrong count", "refused", "all of one key"])
def test_whether_an_upper_bound_cuts_list_and_count_is_asked_once(kind: str) -> None:
    asked = 0

    def page(query: Query) -> Page:
        nonlocal asked
        asked += 1
        if kind == "refused":
            raise RequestRejected("no", 422)
        rows = [{"at": at(0 if kind == "all of one key" else n)} for n in range(9)]
        found = [row for row in rows if kind == "not cut" or row["at"] <= query.until]
        total = 9 if kind == "wrong count" else len(found)
        return Page(found[: query.size], total, is_last=len(found) < query.size, date=NOON)

    listing = Listing(page, key=lambda row: row["at"], size=8)
    for _ in range(2):
        assert closes(listing, at(0), 9) is (kind == "cut")
    assert asked == (2 if kind in {"all of one key", "wrong count"} else 1)
    assert not closes(Listing(page, can_close=False), at(0), 9)


@pytest.mark.parametrize("when", ["page", "ahead", "both"])
def test_the_witness_misses_no_row_that_stayed_whatever_leaves_or_comes(when: str) -> None:
    count, size = 70, 16
    events = [
        (due, move(place))
        for move in (leave, come)
        for place in range(0, count, 3)
        for due in range(1, 7)
    ]
    chance = random.Random(2)
    scenes = [[event] for event in events]
    scenes += [chance.sample(events, chance.randrange(2, 30)) for _ in range(300)]
    for scene in scenes:
        moving = Moving([float(n) for n in range(count)], scene, when=when)
        listing = moving.listing(size)
        memory = Memory(listing)
        began = {row["id"] for row in moving.rows}
        first = ask(listing, Query(size=size))
        found = {row["id"] for row in memory.new(first)}
        steps: Iterator[tuple[list[Row], Page]] = numbered(
            listing, Query(size=size), memory, offset=len(first.rows)
        )
        for rows, _ in steps:
            found |= {row["id"] for row in rows}
        assert began & {row["id"] for row in moving.rows} <= found


def test_a_list_that_is_another_each_time_is_given_up() -> None:
    chance = random.Random(3)

    def page(query: Query) -> Page:
        rows = [{"id": chance.random(), "at": NOON} for _ in range(query.size)]
        return Page(rows, 10_000, is_last=False, date=NOON)

    listing = Listing(page, observed=Observed(overlaps=True))
    with pytest.raises(RequestFailed, match="no stable order"):
        for _ in numbered(listing, Query(), Memory(listing), offset=100):
            pass
