"""Up to when a walk says that every row was handed over."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from lists import (
    STATUSES,
    Row,
    Told,
    emitted,
    minutes,
)
from qonto_model import BEGIN, Behaviour, Model, read

from tap_qonto.errors import RequestFailed
from tap_qonto.pagination.pages import (
    MARGIN,
    Page,
    Query,
    Records,
)
from tap_qonto.pagination.readers import changed, changed_unsorted, held_back, merged, whole
from tap_qonto.streams.meta import page_of

if t.TYPE_CHECKING:
    from datetime import datetime

    from tap_qonto.pagination.pages import Walk


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


@pytest.mark.parametrize("window", [0, 16])
def test_the_bookmark_moves_with_the_batches(window: int) -> None:
    model = Model(rows=3000, seed=1, window=window)
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

    def walk() -> Walk:
        yield Records([{"at": keys[0], "open": False}], keys[0])
        yield Records([{"at": keys[2], "open": True}, {"at": None, "open": True}], keys[3])
        yield Records([{"at": keys[1], "open": True}])
        yield Records([{"at": keys[5], "open": True}], keys[5])

    held = held_back(walk(), lambda row: row["at"], lambda row: row["open"])
    assert [batch.upto for batch in held] == [keys[0], keys[2], None, keys[1]]


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
            emitted(walk)
