"""What the model of the API gives: lists in an order, and how it answers and changes."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from tap_qonto.errors import RequestRejected
from tap_qonto.pagination.pages import Listing, Observed, Page, Query
from tap_qonto.streams.ways import apart

if t.TYPE_CHECKING:
    import random
    from datetime import datetime

    from qonto_model import Model

    from tap_qonto.pagination.pages import Walk

Row = dict[str, t.Any]
Place = tuple["datetime", int]


class View(t.NamedTuple):
    """Which rows a list has, and in which order."""

    order: str
    status: str | None
    descending: bool


@dataclass
class Rows:
    """The places of the rows of a list; only those asked for are copied.

    Rows of one key have no order of their own: they come in another one at each request.
    """

    state: dict[int, Row]
    places: list[Place]
    chance: random.Random

    def __getitem__(self, part: slice) -> list[Row]:
        places = self.places
        start, end = part.start, min(part.stop, len(places))
        if start >= end:
            return []
        left, right = start, end
        while left and places[left - 1][0] == places[start][0]:
            left -= 1
        while right < len(places) and places[right][0] == places[end - 1][0]:
            right += 1
        found: list[Place] = []
        for _, equal in itertools.groupby(places[left:right], key=lambda place: place[0]):
            several = [*equal]
            self.chance.shuffle(several)
            found += several
        return [dict(self.state[one]) for _, one in found[start - left : end - left]]


class ModelListing(Listing):
    """A list of the model; what is sent ahead is answered at any moment until it is wanted."""

    def __init__(
        self, model: Model, view: View, *, key: str | None, observed: Observed | None
    ) -> None:
        self.model, self.view, self._key = model, view, key
        self.can_open = key == "updated_at" and not view.descending
        self.is_sorted, self.is_descending = key is not None, view.descending
        self.observed = observed or Observed()
        self.sent: dict[Query, Page | RequestRejected | None] = {}
        self.filtered: datetime | None = None  # by another key than the list is sorted by
        self.window: tuple[datetime, datetime | None] | None = None

    def page(self, query: Query) -> Page:
        self.arrive(0.3)
        found = self.sent.pop(query, None) or self._answer(query)
        if isinstance(found, RequestRejected):
            raise found
        return found

    def _answer(self, query: Query) -> Page | RequestRejected:
        try:
            return self.model.answer(query, self)
        except RequestRejected as error:
            return error

    def ahead(self, query: Query) -> bool:
        if query not in self.sent:
            if len(self.sent) >= self.model.window:
                return False
            self.sent[query] = None
            self.arrive(0.1)
        return True

    def is_here(self, query: Query) -> bool:
        return isinstance(self.sent.get(query), Page)

    def arrive(self, share: float) -> None:
        waiting = [query for query, page in self.sent.items() if page is None]
        self.model.chance.shuffle(waiting)
        for query in waiting:
            if self.model.chance.random() < share:
                self.sent[query] = self._answer(query)

    def forget(self) -> None:
        self.sent.clear()

    def key(self, row: Row) -> datetime | None:
        return t.cast("datetime | None", row[self._key]) if self._key else None

    def apart(self, since: datetime, until: datetime) -> Walk:
        def within(since: datetime, until: datetime | None, key: str | None) -> ModelListing:
            view = self.view._replace(order=key or self.view.order)
            found = ModelListing(self.model, view, key=key, observed=None)
            found.size, found.window, found.grows = self.size, (since, until), False
            return found

        second = "created_at" if self.model.behaviour.second else None
        return apart(within, since, until, second)

    def now(self) -> datetime:
        return self.model.now

    def warn(self, text: str) -> None:
        self.model.warnings.append(text)


@dataclass
class Behaviour:
    """How the API answers. The defaults are what one would hope for."""

    lower: str = "inclusive"  # exclusive, seconds, ignored
    upper: str = "inclusive"  # exclusive, seconds, ignored, refused
    count: str = "right"  # missing, constant, stale, low
    count_first: bool = True
    atomic: bool = False  # rows and count are of one moment
    meta: str = "full"  # none (Q19), cards (Q17), links (Q18), text
    date: str = "right"  # missing, ahead, behind
    sorts: bool = True
    largest: int = 500  # rows of a page at most
    fixed_size: int | None = None  # whatever is asked for
    pages: bool = True  # False: `page` is ignored
    fraction: bool = True  # timestamps have milliseconds
    lag: float = 0.0  # seconds until a change becomes visible, at most
    replicas: int = 0  # answers may come from a state so many changes ago
    hydrated: bool = False  # rows show a newer key than they are sorted by, for a while
    depth: int | None = None  # rows behind which nothing is given
    deep: str = "empty"  # what comes there: empty, refused, last
    second: bool = True  # can rows of one key be read by another?


@dataclass
class Churn:
    """What happens at each request, on average."""

    edits: float = 0.0
    inserts: float = 0.0
    deletes: float = 0.0
    bulk: float = 0.0  # an edit of a hundredth to a half of all rows, at one moment

    @property
    def is_quiet(self) -> bool:
        return not (self.edits or self.inserts or self.deletes or self.bulk)
