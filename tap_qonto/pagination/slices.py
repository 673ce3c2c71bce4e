"""From slice to slice of a list that moves: by the witness, by the place. Proofs: `pagination`."""

from __future__ import annotations

import itertools
import typing as t
from collections import deque

from tap_qonto.errors import RequestFailed, RequestRejected
from tap_qonto.pagination.pages import TICK, Memory, Records, ask, lacks, opening

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from datetime import datetime

    from tap_qonto.pagination.pages import Listing, Page, Query, Row

SLACK = 3  # rows of overlap asked for at first; doubled whenever they were not enough
SMALLEST = 16  # the smallest full page of which every place can be overlapped
PATIENCE = 30  # requests without progress, one after the other, before a list is given up


def numbered(
    listing: Listing, window: Query, memory: Memory, *, offset: int = 0
) -> Iterator[tuple[list[Row], Page]]:
    """Read a list behind its first `offset` rows, by the witness, pages ahead.

    Yields the rows that `memory` does not know, and the page they came with. Ends before the
    last page if page sizes can't be chosen.

    Raises:
        RequestFailed: the list changes faster than it can be read, has no stable order, or
            ignores page numbers.
    """
    steps = _Steps(listing, window, offset)
    first: Row | None = None  # of the former page, which was asked for at
    start = -1
    try:
        while listing.observed.sizes and listing.size >= SMALLEST:
            query = steps.following()
            page = ask(listing, query)
            repeats = query.start > start >= 0 and page.rows[:1] == [first]
            if query.start and (repeats or not memory.knows_any(page)):
                steps.back(misses=PATIENCE // 3 if repeats else 1)
                continue
            start, first = query.start, page.rows[0] if page.rows else None
            rows = memory.new(page)
            yield rows, page
            if page.is_last:
                return
            steps.forward(start + len(page.rows), page.total or 0, is_new=bool(rows))
            listing.observed.overlaps |= start > 0
    finally:
        listing.forget()


class _Steps:
    """Which pages to ask for, so that they overlap by `slack` rows; how far to step back."""

    def __init__(self, listing: Listing, window: Query, offset: int) -> None:
        self._listing = listing
        self._window = window
        self._offset = self._furthest = offset
        self._total = 0
        self._slack = SLACK
        self._stride = listing.size // 2
        self._misses = self._read = 0
        self._planned: deque[Query] = deque()

    def following(self) -> Query:
        """Return the next query; send others ahead, as far as the count goes.

        At most as many as were read so far: what is wanted may end soon.
        """
        planned = self._planned
        if not planned:
            planned.append(self._overlapping(self._offset))
        while planned[-1].end < self._total and len(planned) <= self._read:
            query = self._overlapping(planned[-1].end)
            if not self._listing.ahead(query):
                break
            planned.append(query)
        return planned.popleft()

    def forward(self, offset: int, total: int, *, is_new: bool) -> None:
        """Go on from `offset`."""
        self._offset, self._total = offset, total
        self._read += 1
        if is_new:
            self._furthest = max(self._furthest, offset)
            self._slack = max(SLACK, self._slack // 2)
            self._stride = self._listing.size // 2
        else:
            self._missed(1)

    def back(self, misses: int) -> None:
        """A gap is possible: step back, further each time."""
        self._listing.forget()
        self._planned.clear()
        self._read = 0
        most = self._listing.size // 2
        if self._slack == most:
            self._offset = max(0, self._offset - self._stride)
            self._stride *= 2
        self._slack = min(2 * self._slack, most)
        self._missed(misses)

    def _missed(self, misses: int) -> None:
        observed, size = self._listing.observed, self._listing.size
        self._misses += misses
        if self._misses > PATIENCE // 3 and not observed.overlaps:
            observed.sizes = False  # never, on no page of the stream
        elif self._misses > PATIENCE + 2 * self._furthest // size:
            raise RequestFailed(
                "the list changes faster than it can be read, has no stable order, or ignores "
                "page numbers"
            )

    def _overlapping(self, offset: int) -> Query:
        """Choose size and number of the page that reaches furthest and begins early enough.

        Pages begin at multiples of their size: of all sizes, some border lies just before the row
        wanted. With too much slack none may reach beyond `offset`; then less has to do.
        """
        slack = self._slack
        while True:
            start = max(0, offset - slack)
            sizes = range(1, self._listing.size + 1)
            end, size = max(((start // size + 1) * size, size) for size in sizes)
            if end > offset or slack <= 1:
                return self._window._replace(number=end // size, size=size)
            slack //= 2


def plain(listing: Listing, window: Query, memory: Memory) -> Iterator[tuple[list[Row], Page]]:
    """Read all pages by number where their size can't be chosen: only as good as the count."""
    number, misses = 1, 0
    former: Page | None = None
    while True:
        page = ask(listing, window._replace(number=number, size=listing.size))
        if former and page.total != former.total:  # something moved: from the beginning
            number, former, misses = 1, None, misses + 1
            if misses > PATIENCE:
                raise RequestFailed("the list changes faster than it can be read")
            continue
        if former and page.rows and page.rows[0] == former.rows[0]:
            raise RequestFailed("Qonto repeats a page: page numbers are ignored")
        yield memory.new(page), page
        if page.is_last:
            return
        number, former = number + 1, page


class Landing(t.NamedTuple):
    """Where a leap ended: nothing of a lower key is missing. `page` is its last, of `query`."""

    key: datetime
    page: Page
    query: Query


def leap(  # noqa: PLR0913 - where from, to, and how
    listing: Listing,
    memory: Memory,
    reached: datetime,
    upto: datetime,
    pages: int,
    *,
    is_closed: bool,
) -> Generator[Records, None, Landing | None]:
    """Read `pages` full pages from `reached` on, in parallel, by the place.

    Returns None if it is not proven that nothing is missing. Rows of a key before `upto` can only
    leave. `is_closed`: with an upper bound, so that the count tells early when one does.
    """
    window = opening(listing, reached)._replace(until=upto - TICK if is_closed else None)
    size = window.size
    try:
        pages, last, bound = _far(listing, window, pages, reached, upto)
    except RequestRejected:
        listing.observed.leaps = False
        return None
    if last is None:
        return None
    keys = t.cast("list[datetime]", last.keys)
    names = {name for name, key in zip(memory.names(last.rows), keys, strict=True) if key < bound}
    place = (pages - 1) * size + len(names)
    try:
        following = 1  # the next to be sent ahead
        for number in range(1, pages):
            following = max(following, number)
            while following < pages and listing.ahead(window._replace(number=following)):
                following += 1
            page = ask(listing, window._replace(number=number))
            fresh = memory.new(page)
            names.update(
                name
                for name, key in zip(memory.last, page.keys, strict=True)
                if key is not None and key < bound
            )
            yield Records(fresh, reached)
            if page.total != last.total or len(page.rows) != size or not is_ascending(page.keys):
                return None
    finally:
        listing.forget()
    yield Records(memory.new(last), reached)
    if len(names) != place or not is_ascending(keys):
        return None
    if last.is_last and not is_closed:
        return Landing(max(upto, *keys), last, window)
    # where a window ends may be earlier than it should be: only rows tell
    return Landing(max(key for key in keys if key <= upto), last, window._replace(number=pages))


def closes(listing: Listing, reached: datetime, left: int) -> bool:
    """Ask, once per stream, if an upper bound cuts the list and its count: `left` are behind it."""
    observed = listing.observed
    if observed.closes is None and listing.can_close:
        try:
            page = ask(listing, opening(listing, reached)._replace(until=reached))
        except RequestRejected:
            observed.closes = False
        else:
            is_cut = all(key and key <= reached for key in page.keys)
            if not is_cut or (page.is_last and page.total != len(page.rows)):
                observed.closes = False
            elif page.total is not None and page.total < left:
                observed.closes = True
    return bool(observed.closes)


def _far(
    listing: Listing, window: Query, pages: int, reached: datetime, upto: datetime
) -> tuple[int, Page | None, datetime]:
    """Ask for a far page whose place tells something: page `pages`, or one near it.

    Returns its number, the page, and a key: all rows of lower ones stand before the page's end.
    It is higher than that of the page's first row, since rows of one key may stand on both sides
    of a border, and than `reached`.
    """
    low, high, number = 0, 0, pages  # pages of one key; pages without a row before `upto`,
    empty = 0  # or without any
    for _ in range(PATIENCE):
        page = ask(listing, window._replace(number=number))
        keys = [key for key in page.keys if key]
        page = page._replace(is_last=page.is_last or number + 1 == empty)
        # a row that changes while it is read may show a later key than that of its place
        bound = max((key for key in keys if key <= upto), default=upto)
        if keys and page.is_last and not keys[0] < bound > reached:
            bound = upto
        if keys and len(keys) == len(page.rows) and keys[0] < bound > reached:
            return number, page, bound
        told = -(-(page.total or 0) // window.size)
        if not page.rows:
            high = empty = number
        elif not keys or keys[0] >= upto:
            high = number
        elif low == number:
            break
        else:
            low = number
        if not high:  # to the last page that is counted, then beyond
            number = told if told > number else 2 * number
        elif high - low > 1:
            number = told if low < told < high else (low + high) // 2
        elif low:
            number = low
        else:
            break
    return number, None, upto


def by_number(listing: Listing, query: Query, first: Page) -> Generator[Records, None, bool]:
    """Read the list that begins with `first`, by the witness; once more if rows are lacking.

    Returns whether nothing can have been lost: False if page sizes can't be chosen.

    Raises:
        RequestFailed: as `numbered`.
    """
    offset = len(first.rows)
    for _ in range(2):
        page, memory = first, Memory(listing)
        if offset:
            yield Records(memory.new(first))
            if first.is_last:
                return True
        for rows, page in numbered(listing, query, memory, offset=offset):  # noqa: B007 - used below
            yield Records(rows)
        is_proven = page.is_last
        if not is_proven:
            for rows, page in plain(listing, query, memory):  # noqa: B007 - used below
                yield Records(rows)
        if not lacks(listing, memory.seen, first.total, page.total):
            return is_proven
        offset = 0
    listing.observed.counts = False
    listing.warn(f"Qonto counts {page.total} rows and gave {memory.seen}, twice")
    return is_proven


def is_ascending(keys: Iterable[datetime | None]) -> bool:
    """Do the keys ascend, all known?"""
    known = t.cast("list[datetime]", [*keys])
    return None not in known and all(one <= other for one, other in itertools.pairwise(known))
