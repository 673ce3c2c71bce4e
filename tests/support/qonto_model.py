"""A pure model of one list of the API: it moves while it is read, and disappoints as told.

    model = Model(rows=300, seed=1, behaviour=Behaviour(count="stale"), churn=Churn(edits=1))
    listing = model.listing(size=20)
    target = read(changed(listing, None))      # rows by id, upserted in the order of emission
    model.churn = Churn()
    assert not model.lacking(target)

An answer takes two queries, one for the count and one for the rows; changes fall before, between
and after them. Pages that are asked for ahead are answered at any moment until they are wanted.
"""

from __future__ import annotations

import random
import sys
import typing as t
from bisect import bisect_left, insort
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from model_lists import Behaviour, Churn, ModelListing, Place, Row, Rows, View

from tap_qonto.errors import RequestFailed, RequestRejected
from tap_qonto.pagination.pages import Observed, Page, Query, Unsorted, Walk
from tap_qonto.streams.meta import page_of

BEGIN = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
Window = tuple[datetime | None, datetime | None]
State = t.Any  # rows by id, and the sorted lists


@dataclass
class Model:
    rows: int
    seed: int = 0
    behaviour: Behaviour = field(default_factory=Behaviour)
    churn: Churn = field(default_factory=Churn)
    tied: float = 0.0  # share of the rows that have one `updated_at`
    statuses: tuple[str, ...] = ("completed",)
    pace: float = 0.15  # seconds between requests
    window: int = 16  # pages ahead at most

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.now = BEGIN
        self.requests = 0
        self.warnings: list[str] = []
        self.state: dict[int, Row] = {}
        self._next = 0
        self._late: list[tuple[datetime, int, Row | None]] = []
        self._lists: dict[str | None, list[Place]] = defaultdict(list)
        self._places: dict[int, tuple[datetime, str]] = {}  # what a row is sorted and found by
        self._unsorted: list[tuple[datetime, int]] = []  # hydrated rows, and until when
        self._former: deque[State] = deque(maxlen=self.behaviour.replicas)
        self._counts: dict[t.Any, tuple[int, int]] = {}
        ties = set(self.chance.sample(range(self.rows), int(self.rows * self.tied)))
        middle = BEGIN - self.rows / 2 * MINUTE
        for number in range(self.rows):
            moment = BEGIN - (self.rows - number) * MINUTE
            row = self._new(middle if number in ties else moment, created=moment)
            self._show(row["id"], row)
        self._former.clear()

    # -- changes ---------------------------------------------------------------------------

    def _new(self, moment: datetime, created: datetime) -> Row:
        self._next += 1
        return {
            "id": self._next,
            "created_at": created,
            "updated_at": moment,
            "version": 0,
            "status": self.chance.choice(self.statuses),
        }

    def _stamp(self) -> datetime:
        return self.now.replace(
            microsecond=self.now.microsecond // 1000 * 1000 if self.behaviour.fraction else 0
        )

    def _change(self, identity: int, row: Row | None) -> None:
        """Let a change become visible, now or a little later."""
        lag = self.chance.random() * self.behaviour.lag
        if lag and self.chance.random() < 0.5:
            self._late.append((self.now + timedelta(seconds=lag), identity, row))
        else:
            self._show(identity, row)

    def _show(self, identity: int, row: Row | None, moment: datetime | None = None) -> None:
        if self.behaviour.replicas:
            lists = defaultdict(list, {name: [*one] for name, one in self._lists.items()})
            self._former.append((dict(self.state), lists, moment or self.now))
        former = self.state.get(identity)
        if row is None:
            self.state.pop(identity, None)
            self._place(identity, None)
        elif former is None or former["version"] < row["version"]:
            self.state[identity] = row
            if former and self.behaviour.hydrated:
                self._unsorted.append(((moment or self.now) + timedelta(seconds=2), identity))
            else:
                self._place(identity, row)

    def _place(self, identity: int, row: Row | None) -> None:
        """Sort a row in where it belongs, or take it out."""
        if identity in self._places:
            moment, status = self._places.pop(identity)
            for name in (None, status):
                del self._lists[name][bisect_left(self._lists[name], (moment, identity))]
        if row is not None:
            self._places[identity] = row["updated_at"], row["status"]
            for name in (None, row["status"]):
                insort(self._lists[name], (row["updated_at"], identity))

    def edit(self, *identities: int) -> None:
        moment = self._stamp()
        for identity in identities:
            late = [row for _, one, row in self._late if one == identity and row]
            row = max([self.state[identity], *late], key=lambda row: row["version"])
            changed = {"updated_at": moment, "version": row["version"] + 1}
            changed["status"] = self.chance.choice(self.statuses)
            self._change(identity, {**row, **changed})

    def insert(self) -> None:
        moment = self._stamp()
        row = self._new(moment, moment)
        self._change(row["id"], row)

    def delete(self, identity: int) -> None:
        self._late = [one for one in self._late if one[1] != identity]
        self._show(identity, None)

    def happen(self, share: float) -> None:
        """Let `share` of what happens at a request happen."""
        for due in sorted(one for one in self._late if one[0] <= self.now):
            self._late.remove(due)
            self._show(due[1], due[2], due[0])
        for unsorted in [one for one in self._unsorted if one[0] <= self.now]:
            self._unsorted.remove(unsorted)
            self._place(unsorted[1], self.state.get(unsorted[1]))
        if self.churn.is_quiet:
            return
        for _ in range(self._times(self.churn.edits * share)):
            if self.state:
                self.edit(self.chance.choice([*self.state]))
        for _ in range(self._times(self.churn.inserts * share)):
            self.insert()
        for _ in range(self._times(self.churn.deletes * share)):
            if self.state:
                self.delete(self.chance.choice([*self.state]))
        if self._times(self.churn.bulk * share) and self.state:
            many = int(len(self.state) * self.chance.choice([0.01, 0.1, 0.5]))
            self.edit(*self.chance.sample([*self.state], many))

    def _times(self, rate: float) -> int:
        whole = int(rate)
        return whole + (self.chance.random() < rate - whole)

    def settle(self, seconds: float = 3600) -> None:
        """Let time go by, and nothing happen any more."""
        self.churn = Churn()
        self.now += timedelta(seconds=seconds)
        self.happen(0)

    # -- answers ---------------------------------------------------------------------------

    def listing(  # noqa: PLR0913 - as many as ways to ask
        self,
        size: int = 100,
        *,
        order: str = "updated_at",
        descending: bool = False,
        key: str | None = "updated_at",
        status: str | None = None,
        observed: Observed | None = None,
        filtered: datetime | None = None,
    ) -> ModelListing:
        view = View(order, status, descending)
        listing = ModelListing(self, view, key=key, observed=observed)
        listing.size = min(size, listing.observed.size or size)
        listing.filtered = filtered
        return listing

    def answer(self, query: Query, listing: ModelListing) -> Page:
        told, chance, view = self.behaviour, self.chance, listing.view
        self.requests += 1
        self.now += timedelta(seconds=self.pace * 2 * chance.random())
        self.happen(0.4)
        replica = self._replica()
        window = listing.window or (listing.filtered or query.since, None)
        total = self._count(window, view.status, replica) if told.count_first else None
        self.happen(0 if told.atomic else 0.2)
        size = told.fixed_size or min(query.size, told.largest)
        start = ((query.number if told.pages else 1) - 1) * size
        if told.depth is not None and start + size > told.depth:
            if told.deep == "refused":
                raise RequestRejected("too deep", 422)
            start = max(0, told.depth - size) if told.deep == "last" else sys.maxsize
        rows = self._rows(window, view, replica)[start : start + size]
        if total is None:
            self.happen(0 if told.atomic else 0.2)
            total = self._count(window, view.status, replica)
        date = self.now.replace(microsecond=0)
        self.happen(0.4)
        if told.date == "ahead":
            date += HOUR
        elif told.date == "behind":
            date -= HOUR
        date = min(date, self.now)  # our own clock is right, and the earlier one counts
        meta = self._meta(query, size, total)
        return page_of(rows, meta, query, None if told.date == "missing" else date)

    def _replica(self) -> State | None:
        """A state that was in force less than half a minute ago; None: that of now."""
        recent = [one for one in self._former if one[2] > self.now - MINUTE / 2]
        return self.chance.choice(recent) if recent and self.chance.random() < 0.3 else None

    def _bounds(self, window: Window, list_: list[Place]) -> tuple[int, int]:
        """Where the rows between two bounds begin and end."""
        told, (since, until) = self.behaviour, window
        if told.upper == "refused" and until:
            raise RequestRejected("no such filter", 422)
        first, end = 0, len(list_)
        if since and told.lower != "ignored":
            if told.lower == "seconds":
                since = since.replace(microsecond=0)
            first = bisect_left(list_, (since, sys.maxsize if told.lower == "exclusive" else 0))
        if until and told.upper != "ignored":
            if told.upper == "seconds":
                until = until.replace(microsecond=0)
            end = bisect_left(list_, (until, 0 if told.upper == "exclusive" else sys.maxsize))
        return first, max(first, end)

    def _rows(self, window: Window, view: View, replica: State | None) -> Rows:
        state, lists, _ = replica or (self.state, self._lists, self.now)
        first, end = self._bounds(window, lists[view.status])
        found = lists[view.status][first:end]
        order = view.order if self.behaviour.sorts else "created_at"
        if order != "updated_at":
            found = sorted((state[identity][order], identity) for _, identity in found)
        if view.descending:
            found.reverse()
        return Rows(state, found, self.chance)

    def _count(self, window: Window, status: str | None, replica: State | None) -> int:
        told = self.behaviour
        _, lists, _ = replica or (self.state, self._lists, self.now)
        first, end = self._bounds(window, lists[status])
        count = end - first
        if told.count == "constant":
            return len(self.state)
        if told.count == "low":
            return count // 2
        if told.count == "stale":
            key = (*window, status)
            stale, age = self._counts.get(key, (count, 0))
            if age > 20:
                stale, age = count, 0
            self._counts[key] = (stale, age + 1)
            return stale
        return count

    def _meta(self, query: Query, size: int, total: int) -> t.Any:
        told = self.behaviour
        pages = -(-total // size)
        facts: dict[str, t.Any] = {
            "current_page": query.number,
            "next_page": query.number + 1 if query.number < pages else None,
            "total_pages": pages,
            "total_count": total,
            "per_page": size,
        }
        if told.meta == "none":
            return None
        if told.meta == "cards" and facts["next_page"] is None:
            del facts["next_page"]
        if told.meta == "links" and facts["next_page"] is None:
            facts["next_page"] = 0
        if told.count == "missing":
            del facts["total_count"], facts["total_pages"]
        if told.meta == "text":
            facts = {name: str(value) for name, value in facts.items() if value is not None}
        return facts

    # -- the end ---------------------------------------------------------------------------

    def lacking(self, target: t.Mapping[int, Row], status: str | None = None) -> list[int]:
        """Return the ids of rows that `target` has not, or not as they are now."""
        return [
            identity
            for identity, row in self.state.items()
            if (status is None or row["status"] == status)
            and (identity not in target or target[identity]["version"] != row["version"])
        ]

    def unsafe(self, target: t.Mapping[int, Row], bookmark: datetime) -> list[int]:
        """Return the ids of rows that a run from `bookmark` on would not repair in `target`."""
        hidden = {identity: row for _, identity, row in self._late if row}
        return [
            identity
            for rows in (self.state, hidden)
            for identity, row in rows.items()
            if row["updated_at"] < bookmark
            and (identity not in target or target[identity]["version"] < row["version"])
        ]


def changed_at(rows: int, after: t.Callable[[int], timedelta], window: int = 16) -> Model:
    """A quiet model in which the row of each number, from 0, changed so long after `BEGIN`."""
    model = Model(rows=rows, window=window)
    for number, identity in enumerate(sorted(model.state)):
        model.now = BEGIN + after(number)
        model.edit(identity)
    model.settle()
    return model


class Outcome(t.NamedTuple):
    bookmark: datetime | None
    batches: int
    ended: bool
    error: str = ""


def read(
    walk: Walk,
    target: dict[int, Row],
    bookmark: datetime | None = None,
    *,
    stop_after: int | None = None,
    check: t.Callable[[datetime], None] = lambda _: None,
) -> Outcome:
    """Upsert what a walk hands over; stop after so many batches, at its end, or when it fails."""
    for number in range(100_000):
        if number == stop_after:
            walk.close()
            return Outcome(bookmark, number, ended=False)
        try:
            rows, upto = next(walk)
        except StopIteration:
            return Outcome(bookmark, number, ended=True)
        except (RequestFailed, Unsorted) as error:
            return Outcome(bookmark, number, ended=False, error=str(error) or "unsorted")
        for row in rows:
            target[row["id"]] = row
        if upto:
            check(upto)
            bookmark = upto
    raise AssertionError("the walk does not end")


__all__ = ["BEGIN", "Behaviour", "Churn", "Model", "Outcome", "changed_at", "read"]
