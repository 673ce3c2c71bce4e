"""No walk loses a row: whatever moves, however the API disappoints, wherever it is stopped."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lists import (
    READINGS,
    STATUSES,
    Row,
)
from qonto_model import BEGIN, Behaviour, Churn, Model, read

from tap_qonto.pagination.pages import (
    MARGIN,
    Page,
    Query,
)
from tap_qonto.pagination.readers import changed

if t.TYPE_CHECKING:
    from datetime import datetime


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


ENDLESS = 500  # pages: a list that grows as fast as it is read has no end


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
    model.now += timedelta(hours=1)  # else the next run reads the last rows again anyway
    target: dict[int, Row] = {}
    bookmark = None

    def check(upto: datetime) -> None:
        if behaviour.lower != "ignored":  # else every run reads all
            assert not model.unsafe(target, upto)

    for stop in scene["stops"]:
        walk = READINGS[kind](model, size, bookmark)
        outcome = read(walk, target, bookmark, stop_after=stop or ENDLESS, check=check)
        bookmark = outcome.bookmark
        model.now += timedelta(seconds=scene["pause"])
        model.happen(0)
    model.settle(3 * 3600)
    outcome = read(READINGS[kind](model, size, bookmark), target, bookmark, check=check)
    if provable(kind, scene):
        assert outcome.ended, outcome.error
    # what can't be proven fails aloud: nothing is lost in silence, but for one world (docs/rows.md)
    if outcome.ended and (behaviour.count != "low" or behaviour.depth != len(model.state) // 2):
        assert not model.lacking(target)


def provable(kind: str, scene: dict[str, t.Any]) -> bool:
    """Worlds in which a quiet list has to be read to its end (docs/rows.md says why not all)."""
    told: Behaviour = scene["behaviour"]
    repeats = scene["tied"] or scene["churn"].bulk or not told.fraction  # a key, or both keys
    usual = (
        scene["size"] > 5  # else the rows of a second fill a page
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


def test_the_key_that_was_reached_is_read_apart_not_the_last_of_a_page() -> None:
    """Pages of 25 rows, whatever is asked for, begin anew among 50 rows of one moment."""
    survive(
        "changed",
        {
            "tied": 0,
            "pause": 10,
            "size": 2,
            "pace": 0.15,
            "stops": [None, 3, 3],
            "rows": 100,
            "churn": Churn(edits=1, inserts=0.1, deletes=0.5, bulk=0.05),
            "window": 0,
            "seed": 3,
            "behaviour": Behaviour(lower="seconds", upper="refused", fixed_size=25, lag=300),
        },
    )


def test_a_page_that_comes_again_is_not_all_if_as_many_rows_came_in_front() -> None:
    """Five rows change between two pages of five, in a list that neither counts nor numbers."""
    survive(
        "newest_first",
        {
            "tied": 0,
            "pause": 10,
            "size": 10,
            "pace": 2,
            "stops": [None, 15],
            "rows": 100,
            "churn": Churn(edits=1, deletes=0.5),
            "window": 16,
            "seed": 150_000,
            "behaviour": Behaviour(meta="none", fixed_size=5, fraction=False, replicas=5),
        },
    )


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


@pytest.mark.parametrize("ahead", [36, 96])  # as many as `concurrency` 24 and 64 allow
def test_a_long_list_is_asked_for_without_a_pause_and_never_deep(ahead: int) -> None:
    """Some servers give no row behind the ten thousandth: the window moves along in time."""
    model = Model(rows=20_000, window=ahead)
    listing, asked, target = model.listing(), list[tuple[int, int]](), dict[int, Row]()
    page = listing.page

    def noted(query: Query) -> Page:
        asked.append((query.end, len(listing.sent)))
        return page(query)

    listing.page = noted  # type: ignore[method-assign]
    assert read(changed(listing, None), target).ended
    assert not model.lacking(target)
    deepest = sorted(end for end, _ in asked)
    assert 20_000 <= deepest[-1] < 20_100  # rows without a key stand there, if there are any
    assert deepest[-2] < 10_000
    assert min(sent for _, sent in asked[25:-100]) > 20


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
