"""No walk loses a row: whatever moves, however the API disappoints, wherever it is stopped."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from qonto_model import BEGIN, Behaviour, Churn, Model, read

from tap_qonto.errors import RequestDenied, RequestFailed, RequestRejected
from tap_qonto.pagination.pages import (
    MARGIN,
    Listing,
    Observed,
    Page,
    Query,
    Records,
    Walk,
    page_of,
)
from tap_qonto.pagination.readers import (
    changed,
    changed_unsorted,
    held_back,
    merged,
    whole,
)
from tap_qonto.pagination.ways import first_accepted

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

Row = dict[str, t.Any]
STATUSES = ("completed", "pending", "declined", "reversed")

Reading: t.TypeAlias = "Callable[[Model, int, datetime | None], t.Any]"


def by_change(model: Model, size: int, since: datetime | None, status: str | None = None) -> t.Any:
    """As an `UpdatedStream` reads: the best way first."""
    return first_accepted(
        [
            lambda: changed(model.listing(size, status=status), since),
            lambda: changed_unsorted(
                model.listing(
                    size, order="created_at", key="created_at", status=status, filtered=since
                ),
                since,
            ),
            lambda: whole(model.listing(size, order="created_at", key=None, status=status)),
        ],
        Observed(),
        lambda: None,
    )


def by_creation(model: Model, size: int, since: datetime | None) -> t.Any:
    def created(**facts: t.Any) -> t.Any:
        return model.listing(size, order="created_at", **facts)

    return first_accepted(
        [
            lambda: changed_unsorted(created(key="created_at", filtered=since), since),
            lambda: whole(created(key=None)),
        ],
        Observed(),
        lambda: None,
    )


READINGS: dict[str, Reading] = {
    "changed": by_change,
    "merged": lambda model, size, since: merged(
        [by_change(model, size, since, status) for status in STATUSES[:3]], since
    ),
    "changed_unsorted": by_creation,
    "newest_first": lambda model, size, since: first_accepted(
        [
            lambda: changed(model.listing(size, descending=True), since),
            lambda: whole(model.listing(size, key=None, descending=True)),
        ],
        Observed(),
        lambda: None,
    ),
    "whole": lambda model, size, _: first_accepted(
        [
            lambda: whole(model.listing(size, order="created_at", key="created_at")),
            lambda: whole(model.listing(size, order="created_at", key=None)),
        ],
        Observed(),
        lambda: None,
    ),
    "counted": lambda model, size, _: whole(model.listing(size, order="created_at", key=None)),
}


def often(usual: t.Any, *others: t.Any) -> st.SearchStrategy[t.Any]:
    return st.one_of(st.just(usual), st.sampled_from([usual, *others]))


behaviours = st.builds(
    Behaviour,
    lower=often("inclusive", "exclusive", "seconds", "ignored"),
    upper=often("inclusive", "exclusive", "seconds", "ignored", "refused"),
    count=often("right", "missing", "constant", "stale", "low"),
    count_first=st.booleans(),
    meta=often("full", "none", "cards", "links", "text"),
    date=often("right", "missing", "ahead", "behind"),
    largest=often(500, 30, 7),
    fixed_size=often(None, 25, 5),
    fraction=st.booleans(),
    lag=often(0, 2, 30, 300),
    replicas=often(0, 5),
    hydrated=often(False, True),
    depth=often(None, 1, 2),
    deep=st.sampled_from(["empty", "refused", "last"]),
    second=st.booleans(),
    pages=often(True, True, True, False),
)
churns = st.builds(
    Churn,
    edits=st.sampled_from([0, 0.1, 0.5, 1, 3]),
    inserts=st.sampled_from([0, 0, 0.1, 1]),
    deletes=st.sampled_from([0, 0, 0.1, 0.5]),
    bulk=st.sampled_from([0, 0, 0, 0.05]),
)
scenes = st.fixed_dictionaries(
    {
        "behaviour": behaviours,
        "churn": churns,
        "rows": st.sampled_from([0, 1, 5, 30, 100, 300]),
        "size": st.sampled_from([2, 3, 5, 10, 16, 20, 33, 50, 100]),
        "tied": st.sampled_from([0, 0, 0.1, 0.5, 1]),
        "pace": st.sampled_from([0.05, 0.15, 2, 10]),
        "window": st.sampled_from([0, 4, 16]),
        "seed": st.integers(0, 2**32),
        "stops": st.lists(st.none() | st.integers(1, 20), min_size=1, max_size=3),
        "pause": st.sampled_from([0, 10, 100, 5000]),
    }
)


def survive(kind: str, scene: dict[str, t.Any]) -> None:
    """Read while the list moves, stopped and started again; then once in peace."""
    behaviour, size = scene["behaviour"], max(scene["size"], scene["rows"] // 60)
    if behaviour.depth:  # at least two pages
        behaviour.depth *= 2 * max(size, 50)
    most = min(size, behaviour.fixed_size or size, behaviour.largest)
    if kind not in {"changed", "merged"} or behaviour.date == "missing" or most < 20:
        # then nothing tells a row that changes from others; or only keys tell what time it is;
        # or a few of them are a whole page
        behaviour.hydrated = False
    if not behaviour.pages:  # a page that comes again, shorter than asked for: only a count tells
        behaviour.count, behaviour.meta = "right", "full"
    if most <= 3:
        # a list that grows by a page at each request can't be read to its end
        scene["churn"].inserts = min(scene["churn"].inserts, 0.1)
    model = Model(
        rows=scene["rows"],
        seed=scene["seed"],
        behaviour=behaviour,
        churn=scene["churn"],
        tied=scene["tied"],
        pace=scene["pace"],
        window=scene["window"],
        statuses=STATUSES[:3] if kind == "merged" else ("completed",),
    )
    target: dict[int, Row] = {}
    bookmark = None

    def check(upto: datetime) -> None:
        if behaviour.lower != "ignored":  # else every run reads all
            assert not model.unsafe(target, upto)

    for stop in scene["stops"]:
        walk = READINGS[kind](model, size, bookmark)
        outcome = read(walk, target, bookmark, stop_after=stop, check=check)
        bookmark = outcome.bookmark
        model.now += timedelta(seconds=scene["pause"])
        model.happen(0)
    model.settle(3 * 3600)
    outcome = read(READINGS[kind](model, size, bookmark), target, bookmark, check=check)
    if provable(kind, scene):
        assert outcome.ended, outcome.error
    if outcome.ended:  # what can't be proven fails aloud: nothing is lost in silence
        assert not model.lacking(target)


def provable(kind: str, scene: dict[str, t.Any]) -> bool:
    """Worlds in which a quiet list has to be read to its end (docs/rows.md says why not all)."""
    told: Behaviour = scene["behaviour"]
    repeats = scene["tied"] or scene["churn"].bulk or not told.fraction  # a key, or both keys
    usual = (
        scene["size"] > 2
        and told.pages
        and told.depth is None
        and told.fixed_size is None
        and told.largest > 100
    )
    if kind in {"changed", "merged"} and not repeats:
        return usual and told.lower != "ignored"
    return usual and told.count == "right" and told.meta != "none" and told.atomic


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", READINGS)
@given(scene=scenes)
@settings(max_examples=5, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_row_is_lost(kind: str, scene: dict[str, t.Any]) -> None:
    scene["rows"] = min(scene["rows"], 30)  # seconds for all; more in the slow test
    survive(kind, scene)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", READINGS)
@given(scene=scenes)
@settings(
    max_examples=3000,
    phases=[Phase.generate],  # to shrink one scene takes longer than all of them
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_row_is_lost_in_thousands_of_scenes(kind: str, scene: dict[str, t.Any]) -> None:
    survive(kind, scene)


@pytest.mark.parametrize("seed", [111, 139, 160, 304])
def test_a_row_that_leaves_does_not_make_a_page_cut_short_look_like_the_last(seed: int) -> None:
    """Of eight rows seven come; one of them leaves; so the eighth is not on the second page."""
    model = Model(
        rows=30,
        seed=seed,
        behaviour=Behaviour(largest=7, atomic=True, fraction=False),
        churn=Churn(edits=0.5),
        pace=0.05,
        window=4,
        statuses=STATUSES[:3],
    )
    target: dict[int, Row] = {}
    outcome = read(READINGS["merged"](model, 10, None), target)
    assert outcome.bookmark
    assert not model.unsafe(target, outcome.bookmark)


@pytest.mark.parametrize("kind", ["whole", "changed_unsorted"])
@pytest.mark.parametrize("seed", range(20))
def test_one_walk_by_number_brings_every_row_that_was_there_all_the_time(
    kind: str, seed: int
) -> None:
    behaviour = Behaviour(
        count=("right", "missing", "stale")[seed % 3], replicas=5 * (seed % 2), lag=seed
    )
    churn = Churn(edits=1, inserts=seed % 4 / 2, deletes=seed % 5 / 2)
    model = Model(rows=400, seed=seed, behaviour=behaviour, churn=churn)
    before = {*model.state}
    target: dict[int, Row] = {}
    outcome = read(READINGS[kind](model, 30, None), target)
    assert outcome.ended
    assert not (before & model.state.keys()) - target.keys()


# -- requests ------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 198, 199, 200, 250, 1000, 3000, 10_000])
@pytest.mark.parametrize("tied", [0, 0.5, 1])
def test_a_quiet_list_takes_hardly_more_requests_than_it_has_pages(rows: int, tied: float) -> None:
    model = Model(rows=rows, tied=tied)
    target: dict[int, Row] = {}
    outcome = read(changed(model.listing(), None), target)
    assert outcome.ended
    assert not model.lacking(target)
    # rows of one key are read by another, which leaves two of a hundred for the overlap
    assert model.requests <= max(1, 1.18 * rows / 100 + (2 if not tied else 0.5 * rows / 100 + 8))
    assert outcome.bookmark == BEGIN - MARGIN
    model.requests = 0
    read(changed(model.listing(), outcome.bookmark), target)
    assert model.requests == 1


def test_pages_of_a_quiet_list_are_asked_for_ahead() -> None:
    model = Model(rows=3000)
    listing, most = model.listing(), 0
    page = listing.page

    def noted(query: Query) -> Page:
        nonlocal most
        most = max(most, len(listing.sent))
        return page(query)

    listing.page = noted  # type: ignore[method-assign]
    read(changed(listing, None), {})
    assert most >= 8  # more and more while all goes well


@pytest.mark.parametrize("edits", [0.01, 0.1, 1, 5])
def test_edits_at_every_request_cost_less_than_three_times_the_requests(edits: float) -> None:
    model = Model(rows=5000, seed=3, churn=Churn(edits=edits))
    target: dict[int, Row] = {}
    outcome = read(changed(model.listing(), None), target, check=lambda _: None)
    assert outcome.ended
    assert model.requests < 3 * 50
    model.settle()
    read(changed(model.listing(), outcome.bookmark), target)
    assert not model.lacking(target)


# -- what the API may do -------------------------------------------------------------------


class Told(Listing):
    """A list that answers as `respond` says; the other facts are its own."""

    def __init__(self, respond: Callable[[Query], Page], **facts: t.Any) -> None:
        self.respond, self.told = respond, list[str]()
        self.observed = Observed()
        vars(self).update(facts)

    def page(self, query: Query) -> Page:
        return self.respond(query)

    def key(self, row: Row) -> datetime | None:
        return t.cast("datetime | None", row.get("updated_at"))

    def warn(self, text: str) -> None:
        self.told.append(text)


def listing_of(rows: list[Row], size: int = 100, **facts: t.Any) -> Told:
    """A list that does not move, sorted as given; `since` cuts rows with an earlier key or none."""

    def respond(query: Query) -> Page:
        found = [
            row
            for row in rows
            if not query.since or (row["updated_at"] and row["updated_at"] >= query.since)
            if not query.until or (row["updated_at"] and row["updated_at"] <= query.until)
        ]
        meta = {"total_count": len(found), "total_pages": -(-len(found) // query.size)}
        return page_of(found[query.start : query.end], meta, query, BEGIN)

    return Told(respond, size=size, **facts)


def in_some_way(listing: Told, since: datetime | None = None) -> Walk:
    """By key, else by count."""
    return first_accepted(
        [lambda: changed(listing, since), lambda: counted(listing)], Observed(), lambda: None
    )


def counted(listing: Listing) -> Walk:
    listing.is_sorted = False
    return whole(listing)


def minutes(*numbers: float) -> list[datetime]:
    return [BEGIN - timedelta(hours=9) + timedelta(minutes=number) for number in numbers]


def emitted(walk: Iterator[Records]) -> list[Row]:
    return [row for batch in walk for row in batch.rows]


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
    first = next(walk)
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
    for _ in range(2):
        target: dict[int, Row] = {}
        walk = changed(model.listing(observed=observed), BEGIN - timedelta(minutes=10))
        assert read(walk, target).ended
        assert not model.lacking(target)
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
    assert model.requests <= 4
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
    assert len(asked) < 20


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
    assert model.requests < 120
    failed = read(whole(model.listing(key=None)), {})
    assert "counts 5000" in failed.error


@pytest.mark.parametrize("ties", [3, 40, 99, 100, 101, 500])
def test_rows_of_one_key_are_read_in_whatever_order_they_come(ties: int) -> None:
    model = Model(rows=2000)
    for number, identity in enumerate(sorted(model.state)):
        model.now = BEGIN + timedelta(minutes=number // ties)
        model.edit(identity)
    model.settle()
    target: dict[int, Row] = {}
    assert read(changed(model.listing(), None), target).ended
    assert not model.lacking(target)
    assert model.requests < 70


def in_peace_again(model: Model, target: dict[int, Row], bookmark: datetime | None) -> None:
    """The next run, when nothing moves any more, brings what is lacking."""
    model.settle()
    assert read(by_change(model, 100, bookmark), target, bookmark).ended
    assert not model.lacking(target)


@pytest.mark.parametrize("seed", range(10))
def test_rows_that_show_late_are_covered_by_the_margin(seed: int) -> None:
    """300 seconds after their key: the bookmark stays ten minutes behind."""
    model = Model(
        rows=300, seed=seed, behaviour=Behaviour(lag=300), churn=Churn(edits=1, inserts=1), pace=5
    )
    target: dict[int, Row] = {}
    bookmark: datetime | None = None
    for _ in range(3):
        bookmark = read(by_change(model, 100, bookmark), target, bookmark).bookmark
        model.now += timedelta(seconds=60)
    in_peace_again(model, target, bookmark)


@pytest.mark.parametrize("seed", range(10))
def test_a_key_that_is_shown_in_whole_seconds_loses_nothing(seed: int) -> None:
    model = Model(
        rows=300,
        seed=seed,
        behaviour=Behaviour(fraction=False, lower="exclusive"),
        churn=Churn(edits=3, deletes=0.3),
        pace=0.05,
    )
    target: dict[int, Row] = {}
    bookmark: datetime | None = None
    for stop in (2, 3, None):
        walk = by_change(model, 20, bookmark)
        bookmark = read(walk, target, bookmark, stop_after=stop).bookmark
    in_peace_again(model, target, bookmark)


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


def test_an_end_that_nothing_tells_takes_one_look_behind_it() -> None:
    asked = 0

    def respond(query: Query) -> Page:
        nonlocal asked
        asked += 1
        return page_of([{"id": n} for n in range(5)] * (query.number == 1), None, query, BEGIN)

    emitted(counted(Told(respond)))
    assert asked == 2
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


# -- bookmarks -----------------------------------------------------------------------------


def test_the_bookmark_is_the_servers_clock_less_the_margin() -> None:
    model = Model(rows=250)
    assert read(changed(model.listing(), None), {}).bookmark == BEGIN - MARGIN


def test_without_a_clock_the_bookmark_is_the_last_key_less_the_margin() -> None:
    model = Model(rows=250, behaviour=Behaviour(date="missing"))
    last = BEGIN - timedelta(minutes=1)
    assert read(changed(model.listing(), None), {}).bookmark == last - MARGIN
    assert read(changed(model.listing(), last - MARGIN / 2), {}).bookmark == last - MARGIN / 2


def test_without_a_clock_nothing_else_moves_its_bookmark() -> None:
    model = Model(rows=250, behaviour=Behaviour(date="missing"))
    for walk in (
        changed(model.listing(descending=True), None),
        changed_unsorted(model.listing(order="created_at", key="created_at"), None),
        changed(Model(rows=0, behaviour=Behaviour(date="missing")).listing(), None),
    ):
        assert read(walk, {}).bookmark is None


def test_the_bookmark_moves_with_the_batches() -> None:
    model = Model(rows=3000, seed=1)
    target: dict[int, Row] = {}
    bookmarks: list[datetime] = []
    read(changed(model.listing(), None), target, check=bookmarks.append)
    assert bookmarks == sorted(bookmarks)
    assert len(set(bookmarks)) > 1


def test_a_merged_walk_hands_over_the_lowest_bookmark_of_all() -> None:
    model = Model(rows=900, seed=4, statuses=STATUSES[:2])
    walks = [  # two of them are empty
        changed(model.listing(status=status), None) for status in STATUSES
    ]
    target: dict[int, Row] = {}

    def check(upto: datetime) -> None:
        assert not model.unsafe(target, upto)

    outcome = read(merged(walks, None), target, check=check)
    assert outcome.bookmark == BEGIN - MARGIN
    assert not model.lacking(target)


def test_a_bookmark_is_held_back_before_the_oldest_row_that_is_open() -> None:
    keys = minutes(*range(6))

    def walk() -> t.Generator[Records, None, datetime | None]:
        yield Records([{"at": keys[0], "open": False}], keys[0])
        yield Records([{"at": keys[2], "open": True}, {"at": None, "open": True}], keys[3])
        yield Records([{"at": keys[1], "open": True}])
        yield Records([{"at": keys[5], "open": True}], keys[5])
        return keys[5]

    held = held_back(walk(), lambda row: row["at"], lambda row: row["open"])
    ends: list[datetime | None] = []

    def noted() -> t.Generator[Records, None, None]:
        ends.append((yield from held))

    assert [batch.upto for batch in noted()] == [keys[0], keys[2], None, keys[1]]
    assert ends == [keys[1]]


def test_a_row_that_was_open_is_read_again_until_it_is_settled() -> None:
    model = Model(rows=30, seed=6, statuses=("open", "done"))
    model.behaviour.sorts = False  # by creation, like the filter
    target: dict[int, Row] = {}
    bookmark: datetime | None = None
    for _ in range(6):

        def page(query: Query) -> Page:
            found = [
                dict(row)
                for row in model.state.values()
                if not query.since or row["created_at"] >= query.since
            ]
            meta = {"total_count": len(found), "total_pages": -(-len(found) // query.size)}
            return page_of(found[query.start : query.end], meta, query, model.now)

        listing = Told(page, key=lambda row: row["created_at"], size=20)
        held = held_back(
            changed(listing, bookmark),
            lambda row: row["created_at"],
            lambda row: row["status"] == "open",
        )
        bookmark = read(held, target, bookmark).bookmark
        for identity, row in [*model.state.items()]:
            if row["status"] == "open" and model.chance.random() < 0.5:
                model.state[identity] = {**row, "status": "done", "version": row["version"] + 1}
        model.now += timedelta(hours=1)
    read(held_back(changed(listing, bookmark), lambda r: r["created_at"], lambda _: False), target)
    assert not model.lacking(target)


def test_an_error_of_a_request_leaves_the_walk() -> None:
    def page(_: Query) -> Page:
        raise RequestFailed("no")

    for walk in (
        changed(Told(page), None),
        merged([changed(Told(page), None)], None),
        whole(Told(page)),
        held_back(changed(Told(page), None), lambda _: None, lambda _: False),
    ):
        with pytest.raises(RequestFailed, match="no"):
            next(walk)
