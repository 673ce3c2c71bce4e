"""What the API may do, each by itself: every row is read, or the walk fails aloud."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from lists import (
    READINGS,
    Row,
    Told,
    by_change,
    counted,
    emitted,
    in_some_way,
    listing_of,
    minutes,
)
from qonto_model import BEGIN, Behaviour, Churn, Model, changed_at, read

from tap_qonto.errors import RequestDenied, RequestFailed, RequestRejected
from tap_qonto.pagination.pages import (
    MARGIN,
    Observed,
    Page,
    Query,
)
from tap_qonto.pagination.readers import changed, whole
from tap_qonto.streams.meta import page_of

if t.TYPE_CHECKING:
    from datetime import datetime


def test_rows_without_a_key_are_read_with_the_first_run() -> None:
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(250)))]
    rows += [{"id": 1000 + n, "updated_at": None} for n in range(120)]
    found = emitted(in_some_way(listing_of(rows)))
    assert {row["id"] for row in found} == {row["id"] for row in rows}


def test_rows_without_an_id_are_all_read_although_they_share_a_key() -> None:
    rows: list[Row] = [{"text": str(n), "updated_at": minutes(0)[0]} for n in range(450)]
    found = emitted(in_some_way(listing_of(rows)))
    assert {row["text"] for row in found} == {row["text"] for row in rows}


@pytest.mark.parametrize("identity", [lambda row: (row["a"], row.get("b")), lambda _: ()])
def test_an_identity_that_lacks_a_part_tells_nothing(identity: t.Any) -> None:
    rows: list[Row] = [{"a": 1, "c": n, "updated_at": minutes(0)[0]} for n in range(250)]
    found = emitted(counted(listing_of(rows, identity=identity)))
    assert {row["c"] for row in found} == set(range(250))


def test_a_row_that_changed_without_a_new_key_is_handed_over_as_it_is_last() -> None:
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(150)))]
    listing = listing_of(rows)
    walk = changed(listing, None)
    first = next(records for records in walk if records.rows)
    rows[99] = {**rows[99], "status": "approved"}  # the last row of the page, and first of the next
    assert first.rows[-1]["id"] == 99
    assert {"id": 99, "updated_at": rows[99]["updated_at"], "status": "approved"} in emitted(walk)


def test_thousands_of_rows_of_one_moment_are_read_while_they_are_edited() -> None:
    model = Model(rows=3000, tied=1, seed=5, churn=Churn(edits=0.5))
    target: dict[int, Row] = {}
    outcome = read(changed(model.listing(), None), target)
    assert outcome.ended
    model.settle()
    read(changed(model.listing(), outcome.bookmark), target)
    assert not model.lacking(target)


def test_a_bound_that_is_cut_to_seconds_does_not_catch_the_walk_in_one() -> None:
    model = Model(rows=0, behaviour=Behaviour(lower="seconds"))
    model.now = model.now.replace(microsecond=1000)
    for _ in range(700):
        model.insert()
        model.now += timedelta(milliseconds=1)
    model.settle()
    target: dict[int, Row] = {}
    assert read(changed(model.listing(20), None), target).ended
    assert not model.lacking(target)
    assert model.requests < 100


def test_a_filter_that_is_ignored_is_noticed_and_told_once() -> None:
    observed = Observed()
    model = Model(rows=250, behaviour=Behaviour(lower="ignored"))
    requests = list[int]()
    for _ in range(2):
        target: dict[int, Row] = {}
        walk = by_change(model, 100, BEGIN - timedelta(minutes=10), observed=observed)
        assert read(walk, target).ended
        assert not model.lacking(target)
        requests.append(model.requests)
    assert requests[1] == 2 * requests[0] - 1  # another partition does not try again
    assert len(model.warnings) == 1
    assert "ignores the filter" in model.warnings[0]


def test_an_order_that_is_ignored_is_noticed() -> None:
    model = Model(rows=400, seed=2, churn=Churn())
    for _ in range(100):
        model.edit(model.chance.choice([*model.state]))
        model.now += timedelta(minutes=1)
    model.behaviour.sorts = False
    model.behaviour.count = "missing"  # which would tell
    model.settle()
    target: dict[int, Row] = {}
    assert read(changed(model.listing(50), None), target).error == "unsorted"
    assert read(by_change(model, 50, None), target).ended
    assert not model.lacking(target)


def test_a_descending_list_is_read_no_further_than_to_the_bookmark() -> None:
    model = Model(rows=3000)
    target: dict[int, Row] = {}
    since = BEGIN - timedelta(minutes=250)
    outcome = read(changed(model.listing(descending=True), since), target)
    assert outcome.bookmark == BEGIN - MARGIN
    assert model.requests <= 5  # three pages, and what was sent ahead
    assert {i for i, row in model.state.items() if row["updated_at"] >= since} <= target.keys()


def test_rows_that_are_lacking_by_the_count_are_read_again_by_number() -> None:
    """Q23: without a filter a list may hold rows that a lower bound hides."""
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(150)))]
    rows.append({"id": 999, "updated_at": None})
    listing = listing_of(rows)
    assert 999 in {row["id"] for row in emitted(in_some_way(listing))}


def test_a_key_that_is_later_than_its_place_does_not_move_the_walk() -> None:
    """A search index may lag behind the rows it finds."""
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(350)))]
    sorted_by = [row["updated_at"] for row in rows]
    rows[99] = {"id": 99, "updated_at": BEGIN + timedelta(seconds=1)}

    def page(query: Query) -> Page:
        found = [
            row
            for row, key in zip(rows, sorted_by, strict=True)
            if not query.since or key >= query.since
        ]
        return page_of(found[query.start : query.end], None, query, BEGIN)

    walk = changed(Told(page), None)
    assert {row["id"] for row in emitted(walk)} == set(range(350))


def test_a_clock_that_is_behind_delays_bookmarks_not_rows() -> None:
    model = Model(rows=300, behaviour=Behaviour(date="behind"))
    for _ in range(900):
        model.insert()
        model.now += timedelta(seconds=1)
    target: dict[int, Row] = {}
    outcome = read(changed(model.listing(), None), target)
    assert not model.lacking(target)
    assert outcome.bookmark is not None
    assert outcome.bookmark < model.now - timedelta(hours=1)


@pytest.mark.parametrize("kind", ["whole", "counted"])
def test_page_numbers_that_are_ignored_are_an_error_not_a_loop(kind: str) -> None:
    model = Model(rows=400, behaviour=Behaviour(pages=False))
    outcome = read(READINGS[kind](model, 50, None), {})
    assert not outcome.ended
    assert "it is not proven" in outcome.error
    assert model.requests < 100


def test_by_windows_a_list_is_read_where_page_numbers_are_ignored() -> None:
    model = Model(rows=400, behaviour=Behaviour(pages=False))
    target: dict[int, Row] = {}
    assert read(changed(model.listing(50), None), target).ended
    assert not model.lacking(target)
    assert model.requests < 3 * 400 / 50 + 8


def test_rows_and_count_that_do_not_add_up_fail_after_a_few_tries() -> None:
    asked: list[Query] = []

    def respond(query: Query) -> Page:
        asked.append(query)
        rows = [{"id": n} for n in range(2)] * (query.number == 1)
        return page_of(rows, {"total_count": 6, "total_pages": 1}, query, BEGIN)

    with pytest.raises(RequestFailed, match="counts 6 and gave 2 different rows"):
        emitted(counted(Told(respond)))
    assert len(asked) <= 7 * 3  # passes of a page, the one behind it, and the page once more


@pytest.mark.parametrize("most", [10, 25, 60])
def test_pages_cut_short_without_meta_are_read_by_windows(most: int) -> None:
    """Q19: the page size may be less than what was asked for."""
    model = Model(rows=70, behaviour=Behaviour(largest=most, meta="none"))
    target: dict[int, Row] = {}
    assert read(changed(model.listing(), None), target).ended
    assert not model.lacking(target)


@pytest.mark.parametrize("deep", ["empty", "refused", "last"])
def test_a_list_that_is_limited_in_depth_is_read_by_windows(deep: str) -> None:
    model = Model(rows=5000, behaviour=Behaviour(depth=1000, deep=deep))
    target: dict[int, Row] = {}
    assert read(changed(model.listing(), None), target).ended
    assert not model.lacking(target)
    assert model.requests < 130
    failed = read(whole(model.listing(key=None)), {})
    assert "counts 5000" in failed.error


@pytest.mark.parametrize("ties", [3, 40, 99, 100, 101, 500])
def test_rows_of_one_key_are_read_in_whatever_order_they_come(ties: int) -> None:
    model = changed_at(2000, lambda number: timedelta(minutes=number // ties))
    target: dict[int, Row] = {}
    assert read(changed(model.listing(), None), target).ended
    assert not model.lacking(target)
    assert model.requests < 90


def daily(group: int) -> Model:
    """Ten thousand rows, each day as many as `group` of one moment."""

    def after(number: int) -> timedelta:
        day, place = divmod(number, 274)
        return timedelta(days=day, minutes=max(0, place - group))

    return changed_at(10_000, after, window=48)


@pytest.mark.parametrize(("group", "most"), [(20, 125), (50, 140), (75, 155), (120, 230)])
def test_a_group_of_one_key_each_day_costs_a_page_more_and_keeps_what_is_ahead(
    group: int, most: int
) -> None:
    model = daily(group)
    target: dict[int, Row] = {}
    assert read(changed(model.listing(), None), target).ended
    assert not model.lacking(target)
    assert model.requests < most


def test_rows_of_one_key_are_sent_for_before_they_are_waited_for() -> None:
    """Where every third page ends among rows of one key, few requests are waited for."""
    model, waited = daily(75), 0
    listing = model.listing()

    def page(query: Query) -> Page:
        nonlocal waited
        waited += not listing.is_here(query)
        found = type(listing).page(listing, query)
        listing.arrive(1)  # meanwhile everything that was sent comes
        return found

    listing.page = page  # type: ignore[method-assign]
    assert read(changed(listing, None), {}).ended
    assert waited < 20


def test_rows_of_one_key_with_neighbours_within_a_second_are_read() -> None:
    """A window begins a second early, so the first page of it never begins in the key."""
    model = changed_at(
        900, lambda number: timedelta(milliseconds=50 * (number > 5) + 46 * (number > 72))
    )
    target: dict[int, Row] = {}
    assert read(changed(model.listing(), None), target).ended
    assert not model.lacking(target)


def in_peace_again(model: Model, target: dict[int, Row], bookmark: datetime | None) -> None:
    """The next run, when nothing moves any more, brings what is lacking."""
    model.settle()
    assert read(by_change(model, 100, bookmark), target, bookmark).ended
    assert not model.lacking(target)


def in_runs(model: Model, size: int, stops: tuple[int | None, ...], pause: float) -> None:
    """Run after run, each from the bookmark of the one before; stopped, or to its end."""
    target: dict[int, Row] = {}
    bookmark: datetime | None = None
    for stop in stops:
        bookmark = read(
            by_change(model, size, bookmark), target, bookmark, stop_after=stop
        ).bookmark
        model.now += timedelta(seconds=pause)
    in_peace_again(model, target, bookmark)


@pytest.mark.parametrize("seed", range(10))
def test_rows_that_show_late_are_covered_by_the_margin(seed: int) -> None:
    """300 seconds after their key: the bookmark stays ten minutes behind."""
    model = Model(
        rows=300, seed=seed, behaviour=Behaviour(lag=300), churn=Churn(edits=1, inserts=1), pace=5
    )
    in_runs(model, 100, stops=(None, None, None), pause=60)


@pytest.mark.parametrize("seed", range(10))
def test_a_key_that_is_shown_in_whole_seconds_loses_nothing(seed: int) -> None:
    model = Model(
        rows=300,
        seed=seed,
        behaviour=Behaviour(fraction=False, lower="exclusive"),
        churn=Churn(edits=3, deletes=0.3),
        pace=0.05,
    )
    in_runs(model, 20, stops=(2, 3, None), pause=0)


@pytest.mark.parametrize("seed", range(10))
def test_a_count_that_is_capped_behind_servers_that_lag_loses_nothing(seed: int) -> None:
    model = Model(
        rows=600,
        seed=seed,
        behaviour=Behaviour(count="low", replicas=5),
        churn=Churn(edits=1, deletes=0.1),
    )
    target: dict[int, Row] = {}
    outcome = read(by_change(model, 50, None), target)
    assert outcome.ended
    in_peace_again(model, target, outcome.bookmark)


@pytest.mark.parametrize("seed", range(20))
def test_a_clock_that_is_behind_hides_no_gap_among_rows_of_one_moment(seed: int) -> None:
    """Rows of one key are read by another; those look as if they came after the start."""
    model = Model(
        rows=300,
        seed=seed,
        tied=1,
        behaviour=Behaviour(date="behind"),
        churn=Churn(edits=3),
    )
    target: dict[int, Row] = {}
    bookmark = read(by_change(model, 100, None), target).bookmark
    in_peace_again(model, target, bookmark)


@pytest.mark.parametrize("place", ["first", "last"])
def test_rows_without_a_key_are_read_though_the_list_grows(place: str) -> None:
    rows: list[Row] = [{"id": n, "updated_at": when} for n, when in enumerate(minutes(*range(900)))]
    lonely: list[Row] = [{"id": 10_000 + n, "updated_at": None} for n in range(3)]
    listing = listing_of(rows)
    rows[:] = lonely + rows if place == "first" else rows + lonely
    respond, asked = listing.respond, 0

    def growing(query: Query) -> Page:
        nonlocal asked
        asked += 1
        if asked % 20 == 0:  # at each request no count would ever fit: that fails aloud
            fresh = {"id": 20_000 + len(rows), "updated_at": BEGIN - timedelta(seconds=1)}
            rows.insert(len(rows) - 3 * (place == "last"), fresh)
        return respond(query)

    listing.respond = growing
    found = {row["id"] for row in emitted(in_some_way(listing))}
    assert found >= {10_000, 10_001, 10_002, *range(900)}


def test_an_end_that_nothing_tells_takes_a_look_behind_it_and_one_more_at_it() -> None:
    asked = 0

    def respond(query: Query) -> Page:
        nonlocal asked
        asked += 1
        return page_of([{"id": n} for n in range(5)] * (query.number == 1), None, query, BEGIN)

    emitted(counted(Told(respond)))
    assert asked == 3
    asked = 0
    emitted(counted(Told(respond, expected=5)))
    assert asked == 1


@pytest.mark.parametrize("refusal", [400, 404, 422])
def test_a_refusal_behind_an_accepted_page_is_the_end(refusal: int) -> None:
    def respond(query: Query) -> Page:
        if query.number > 1:
            if refusal == 404:
                raise RequestDenied("page 2", "not found", refusal)
            raise RequestRejected("page 2", refusal)
        return page_of([{"id": n} for n in range(5)], None, query, BEGIN)

    assert len(emitted(counted(Told(respond)))) == 5
