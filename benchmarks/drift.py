"""What page numbers lose while a list changes: `python -m benchmarks.drift`. Ours must lose 0.

A model of one list (`tests/support/qonto_model.py`) is edited at every request. Each way of
reading runs once while it is, and once more in peace from its own bookmark. Lost is a row of
which then the newest version was never handed over. All ways meet the same changes.
"""

from __future__ import annotations

import argparse
import random
import time
import typing as t

from qonto_model import Behaviour, Churn, Model, read

from tap_qonto.pagination.pages import Query, Records
from tap_qonto.pagination.readers import changed

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from model_lists import ModelListing

    from tap_qonto.pagination.pages import Listing, Walk

AHEAD = 16  # pages in flight


def pages(listing: Listing, since: datetime | None) -> Walk:
    """Pages by number, ascending: what most taps do. The bookmark is the highest key seen."""
    number, latest = 1, since
    while True:
        page = listing.page(Query(since, number, listing.size))
        yield Records(page.rows)
        latest = max([*map(listing.key, page.rows), latest], key=lambda key: (key is not None, key))
        if page.is_last or not page.rows:
            yield Records([], latest)
            return
        number += 1


def bounded(listing: ModelListing, since: datetime | None) -> Walk:
    """The same, up to the moment at which it began."""
    first = listing.page(Query(since, 1, 1))
    listing.window = (since, first.date)
    yield from pages(listing, since)
    yield Records([], first.date)


def ahead(listing: Listing, since: datetime | None) -> Walk:
    """The same, several pages at once, as many as the first answer counts."""
    first = listing.page(Query(since, 1, listing.size))
    yield Records(first.rows)
    numbers = range(2, -(-(first.total or 0) // listing.size) + 1)
    latest = [listing.key(row) for row in first.rows]
    for place, number in enumerate(numbers):
        for later in numbers[place : place + AHEAD]:
            listing.ahead(Query(since, later, listing.size))
        page = listing.page(Query(since, number, listing.size))
        latest += map(listing.key, page.rows)
        yield Records(page.rows)
    yield Records([], max(latest, default=since))


def strict_key(listing: Listing, since: datetime | None) -> Walk:
    """By key, from the last one on; the next page where a page has one key only."""
    number = 1
    while True:
        page = listing.page(Query(since, number, listing.size))
        yield Records(page.rows)
        last = listing.key(page.rows[-1]) if page.rows else since
        if page.is_last or not page.rows:
            yield Records([], last)
            return
        since, number = (last, 1) if last != since else (since, number + 1)


def one_by_one(listing: Listing, since: datetime | None) -> Walk:
    """Ours, without pages ahead."""
    listing.ahead = lambda _: False  # type: ignore[method-assign]
    return changed(listing, since)


WAYS: dict[str, Callable[[ModelListing, datetime | None], Walk]] = {
    "page numbers": pages,
    "page numbers, bounded": bounded,
    "page numbers, 16 ahead": ahead,
    "key, strictly": strict_key,
    "tap-qonto, one by one": one_by_one,
    "tap-qonto": changed,
}


class Result(t.NamedTuple):
    """Means over all seeds; `lost` is the sum."""

    lost: int
    twice: float
    requests: float
    seconds: float


def compare(
    way: str,
    churn: Churn,
    *,
    rows: int = 10_000,
    seeds: int = 3,
    tied: float = 0.0,
    behaviour: Behaviour | None = None,
) -> Result:
    """Read a list of `rows` while it changes, then in peace; count what is lost, and the cost."""
    lost, twice, requests = 0, 0, 0
    begin = time.perf_counter()
    for seed in range(seeds):
        model = Model(rows, seed, behaviour or Behaviour(), churn, tied=tied, window=AHEAD)
        target: dict[int, dict[str, t.Any]] = {}
        sent: list[tuple[int, int]] = []
        bookmark = read(_noted(WAYS[way](model.listing(), None), sent), target).bookmark
        requests += model.requests
        model.settle()
        read(_noted(WAYS[way](model.listing(), bookmark), sent), target)
        lost += len(model.lacking(target))
        twice += len(sent) - len(set(sent))
    seconds = (time.perf_counter() - begin) / seeds
    return Result(lost, twice / seeds, requests / seeds, seconds)


def _noted(walk: Walk, sent: list[tuple[int, int]]) -> Walk:
    """Pass a walk on; note id and version of each row."""
    for batch in walk:
        sent += [(row["id"], row["version"]) for row in batch.rows]
        yield batch


SCENES: dict[str, tuple[Churn, dict[str, t.Any]]] = {
    "quiet": (Churn(), {}),
    "1 edit in 100 requests": (Churn(edits=0.01), {}),
    "1 edit in 10 requests": (Churn(edits=0.1), {}),
    "1 edit per request": (Churn(edits=1), {}),
    "5 edits per request": (Churn(edits=5), {}),
    "1 edit, 0.3 deletions per request": (Churn(edits=1, deletes=0.3), {}),
    "1 edit per request, half of one moment": (Churn(edits=1), {"tied": 0.5}),
    "bulk edits": (Churn(bulk=0.05), {}),
    "1 edit per 2 requests, stale counts": (
        Churn(edits=0.5),
        {"behaviour": Behaviour(count="stale")},
    ),
    "1 edit per 2 requests, servers that lag": (
        Churn(edits=0.5),
        {"behaviour": Behaviour(replicas=5), "rows": 1000},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    random.seed(0)
    print("| scene | way | rows lost | sent twice | requests |\n|---|---|---|---|---|")
    for scene, (churn, facts) in SCENES.items():
        for way in WAYS:
            asked = {"rows": options.rows, **facts}
            result = compare(way, churn, seeds=options.seeds, **asked)
            print(
                f"| {scene} | {way} | {result.lost / options.seeds:.1f} | {result.twice:.0f} "
                f"| {result.requests:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
