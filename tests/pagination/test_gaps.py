"""Gaps between the pages of a list that is sorted by a key: found, and read a little later."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from lists import Row, Told, emitted, in_some_way, listing_of, minutes
from qonto_model import BEGIN, Model, read

from tap_qonto.errors import RequestFailed
from tap_qonto.pagination.readers import changed
from tap_qonto.streams.meta import page_of

if t.TYPE_CHECKING:
    from tap_qonto.pagination.pages import Page, Query


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
    model = Model(rows=1200, window=window)
    for number, one in enumerate(sorted(model.state)):
        model.now = BEGIN + timedelta(seconds=number // 300)
        model.edit(one)
    model.settle()
    target: dict[int, Row] = {}
    assert read(changed(model.listing(), None), target).ended
    assert not model.lacking(target)
    assert model.requests < 60


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
    assert requests[0] < requests[1] <= requests[0] + 6


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
