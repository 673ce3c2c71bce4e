"""Gaps between the pages of a list that is sorted by a key: found, and read a little later."""

from __future__ import annotations

from datetime import timedelta

import pytest
from lists import Row, Told, emitted, in_some_way, listing_of, minutes
from qonto_model import BEGIN, Model, changed_at, read

from tap_qonto.errors import RequestFailed
from tap_qonto.pagination.pages import MARGIN, Page, Query, Unsorted
from tap_qonto.pagination.readers import changed
from tap_qonto.streams.meta import page_of


def test_rows_without_a_key_behind_a_list_without_count_are_not_lost_in_silence() -> None:
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(250)))]
    rows += [{"id": 1000 + n, "updated_at": None} for n in range(120)]
    counting = listing_of(rows)

    def respond(query: Query) -> Page:
        return counting.respond(query)._replace(total=None, is_last=None)

    with pytest.raises(RequestFailed, match="counts nothing"):
        emitted(in_some_way(Told(respond)))


@pytest.mark.parametrize("window", [0, 16])
def test_keys_of_seconds_in_a_row_that_fill_pages_each_are_read(window: int) -> None:
    model = changed_at(1200, lambda number: timedelta(seconds=number // 300), window)
    target: dict[int, Row] = {}
    assert read(changed(model.listing(), None), target).ended
    assert not model.lacking(target)
    assert model.requests < 60


@pytest.mark.parametrize("window", [0, 16])
def test_thousands_of_rows_of_each_of_several_moments_of_one_second_are_read(window: int) -> None:
    moments = [timedelta(milliseconds=one) for one in (100, 500, 900, 1700)]
    model = changed_at(9000, lambda number: moments[number // 2250], window)
    target: dict[int, Row] = {}
    assert read(changed(model.listing(), None), target).ended
    assert not model.lacking(target)
    assert model.requests < 200


def test_a_row_that_leaves_behind_a_page_that_was_cut_is_no_end() -> None:
    """The page has as many rows as are left: the one behind it has come in front of its border."""
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(6)))]

    def respond(query: Query) -> Page:
        found = rows[query.start : query.start + 5] if query.size > 5 else rows[query.start :]
        if len(rows) == 6:
            rows.pop(0)
        meta = {"total_count": len(rows), "total_pages": 1, "per_page": min(5, query.size)}
        return page_of(found[: query.size], meta, query, BEGIN)

    found = emitted(changed(Told(respond, can_open=False), None))
    assert {row["id"] for row in found} == set(range(6))


def test_rows_that_leave_cost_few_requests_though_many_pages_are_on_their_way() -> None:
    requests, targets = list[int](), list[dict[int, Row]]()
    for leaves in (False, True):
        model = Model(rows=3000, window=16)
        target: dict[int, Row] = {}
        for batch, records in enumerate(changed(model.listing(), None)):
            target |= {row["id"]: row for row in records.rows}
            if leaves and batch == 9:
                for one in range(max(target) - 60, max(target) - 20):
                    model.delete(one)
        assert not model.lacking(target)
        requests.append(model.requests)
        targets.append(target)
    assert targets[0] == targets[1]
    assert requests[0] < requests[1] <= requests[0] + 8


def test_the_former_version_of_a_row_does_not_come_behind_a_later_one() -> None:
    """A gap is read behind pages that came later, perhaps from a server that lags."""
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(400)))]
    for row in rows:
        row["version"] = 1
    later = {"id": 200, "updated_at": minutes(230.5)[0], "version": 2}
    moved = [*(row for row in rows if row["id"] not in {*range(150, 160), 200}), later]
    behind = listing_of(rows)
    ahead = listing_of(sorted(moved, key=lambda row: row["updated_at"]))

    def respond(query: Query) -> Page:
        page = (behind if query.number == 1 else ahead).respond(query)
        return page._replace(date=None)

    found = emitted(changed(Told(respond, ahead=lambda _: True), None))
    assert {row["id"] for row in found} == set(range(400))
    assert [row["version"] for row in found if row["id"] == 200] == [2]


def test_a_gap_within_a_second_that_fills_a_page_is_read_apart() -> None:
    since = minutes(0)[0]
    keys = [since - timedelta(seconds=1.3) + timedelta(milliseconds=20 * n) for n in range(10)]
    keys += [since - timedelta(seconds=1) + timedelta(milliseconds=5 * n) for n in range(130)]
    keys += [since + timedelta(seconds=5 * n + 5) for n in range(400)]
    rows: list[Row] = [{"id": n, "updated_at": key} for n, key in enumerate(keys)]
    listing, asked = listing_of(rows), list[Query]()

    def respond(query: Query) -> Page:
        if len(asked) == 1:
            del rows[10:30]
        asked.append(query)
        return listing.respond(query)

    found = {row["id"] for row in emitted(changed(Told(respond, apart=listing.apart), since))}
    assert {row["id"] for row in rows if row["updated_at"] > since - timedelta(seconds=1)} <= found


@pytest.mark.parametrize(("without", "leave"), [(120, 1), (3, 6)])
def test_rows_without_a_key_are_seen_behind_a_page_of_others_that_changed_a_moment_ago(
    without: int, leave: int
) -> None:
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(98)))]
    rows += [{"id": 200 + n, "updated_at": BEGIN - timedelta(seconds=2 - n)} for n in range(2)]
    rows += [{"id": 1000 + n, "updated_at": None} for n in range(without)]
    listing = listing_of(rows)

    def respond(query: Query) -> Page:
        page = listing.respond(query)
        if len(rows) == 100 + without:
            del rows[:leave]
        return page

    found = {row["id"] for row in emitted(in_some_way(Told(respond)))}
    assert found >= {row["id"] for row in rows}


def test_a_row_without_a_key_is_seen_though_another_row_has_come_in_front() -> None:
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(199)))]
    rows.append({"id": 1000, "updated_at": None})
    listing = listing_of(rows)

    def respond(query: Query) -> Page:
        page = listing.respond(query)
        if len(rows) == 200:
            rows.insert(199, {"id": 2000, "updated_at": BEGIN + timedelta(seconds=1)})
        return page

    assert 1000 in {row["id"] for row in emitted(in_some_way(Told(respond)))}


def test_rows_at_the_end_of_a_page_that_show_a_later_key_do_not_end_the_walk() -> None:
    """An index that lags, and an edit of forty rows: the page behind them has other rows."""
    keys = minutes(*range(300))
    rows: list[Row] = [{"id": n, "updated_at": key} for n, key in enumerate(keys)]

    def respond(query: Query) -> Page:
        if query.number > 1 or query.since:
            for row in rows[160:200]:
                row["updated_at"] = BEGIN + timedelta(seconds=2)
        found = [
            dict(row)
            for row, key in zip(rows, keys, strict=True)
            if not query.since or key >= query.since
        ]
        meta = {"total_count": len(found)}
        return page_of(found[query.start : query.end], meta, query, BEGIN)

    found = emitted(changed(Told(respond, now=lambda: BEGIN), None))
    assert {row["id"] for row in found} == set(range(300))


def test_without_a_date_a_key_of_the_future_does_not_move_the_bookmark() -> None:
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(250)))]
    last = rows[-1]["updated_at"]
    rows.append({"id": 1000, "updated_at": BEGIN + timedelta(days=365)})
    listing = listing_of(rows)
    told = Told(lambda query: listing.respond(query)._replace(date=None), now=lambda: BEGIN)
    *_, end = changed(told, None)
    assert end.upto == last - MARGIN


@pytest.mark.parametrize("most", [30, 60])
def test_a_page_that_is_cut_without_a_word_is_not_the_last_where_a_row_has_left(most: int) -> None:
    rows: list[Row] = [
        {"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(most + 1)))
    ]

    def respond(query: Query) -> Page:
        found = [row for row in rows if not query.since or row["updated_at"] >= query.since]
        size = min(most, query.size)
        if len(rows) > most:
            del rows[0]
        return Page(found[(query.number - 1) * size :][:size], None, is_last=None, date=BEGIN)

    assert {row["id"] for row in emitted(changed(Told(respond), None))} == set(range(most + 1))


@pytest.mark.parametrize("descending", [False, True])
def test_a_short_page_further_in_is_not_the_last_where_a_row_has_left(descending: bool) -> None:
    """In mid-walk the server begins to give 65 rows at most; one leaves while we look behind."""
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(131)))]
    if descending:
        rows.reverse()
    asked: list[Query] = []

    def respond(query: Query) -> Page:
        asked.append(query)
        size = min(query.size, 500 if len(asked) == 1 else 65)
        if query.number == 3 and len(rows) == 131:
            del rows[0]
        return page_of(rows[(query.number - 1) * size :][:size], None, query, BEGIN)

    listing = Told(respond, is_descending=descending, can_open=False)
    assert {row["id"] for row in emitted(changed(listing, None))} == set(range(131))


@pytest.mark.parametrize("descending", [False, True])
def test_a_key_that_fills_pages_of_a_list_without_bounds_is_given_up_at_once(
    descending: bool,
) -> None:
    rows: list[Row] = [{"id": n, "updated_at": minutes(n // 150)[0]} for n in range(900)]
    listing = listing_of(rows[::-1] if descending else rows)
    listing.can_open, listing.is_descending = False, descending
    asked, respond = list[Query](), listing.respond

    def noted(query: Query) -> Page:
        asked.append(query)
        return respond(query)

    listing.respond = noted
    with pytest.raises(Unsorted):
        emitted(changed(listing, None))
    assert len(asked) <= 3
