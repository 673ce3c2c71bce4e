"""Ways to read a list of the model, as the streams do, and lists that answer as they are told."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from qonto_model import BEGIN, Model

from tap_qonto.pagination.pages import Listing, Observed, Page, Query, Records, Walk
from tap_qonto.pagination.readers import changed, changed_unsorted, merged, whole
from tap_qonto.streams.meta import page_of
from tap_qonto.streams.ways import first_accepted

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

Row = dict[str, t.Any]
STATUSES = ("completed", "pending", "declined", "reversed")

Reading: t.TypeAlias = "Callable[[Model, int, datetime | None], t.Any]"


def by_change(
    model: Model,
    size: int,
    since: datetime | None,
    status: str | None = None,
    observed: Observed | None = None,
) -> t.Any:
    """As an `UpdatedStream` reads: the best way first."""
    observed = observed or Observed()
    return first_accepted(
        [
            lambda: changed(model.listing(size, status=status, observed=observed), since),
            lambda: changed_unsorted(
                model.listing(
                    size, order="created_at", key="created_at", status=status, filtered=since
                ),
                since,
            ),
            lambda: whole(model.listing(size, order="created_at", key=None, status=status)),
        ],
        observed,
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
        ]
        meta = {"total_count": len(found), "total_pages": -(-len(found) // query.size)}
        return page_of(found[query.start : query.end], meta, query, BEGIN)

    def apart(since: datetime, until: datetime) -> Walk:
        near = [row for row in rows if row["updated_at"] and since <= row["updated_at"] <= until]
        return counted(listing_of(near, size, **facts))

    return Told(respond, size=size, **{"apart": apart, **facts})


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
