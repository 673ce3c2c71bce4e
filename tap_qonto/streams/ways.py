"""Several ways to read one list: the next, where Qonto refuses one, or ignores order or bound."""

from __future__ import annotations

import typing as t

from tap_qonto.errors import RequestRejected
from tap_qonto.pagination.pages import Ignored, Observed, Query, Unsorted
from tap_qonto.pagination.readers import whole

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tap_qonto.pagination.pages import Listing, Walk

    Within: t.TypeAlias = Callable[[datetime, datetime | None, str | None], Listing]

Way: t.TypeAlias = "Callable[[], Walk]"


def first_accepted(ways: Sequence[Way], observed: Observed, told: Callable[[], None]) -> Walk:
    """Read in the first of `ways` that Qonto accepts and whose order is what it should be.

    The best way comes first, the plainest last. Those that were refused are not tried again by
    other partitions of the stream; `told` is called when another way is found.

    Raises:
        RequestRejected, Unsorted: of the last way.
    """
    refused = False
    first, last = min(observed.way, len(ways) - 1), len(ways) - 1
    for number in range(first, len(ways)):
        try:
            yield from ways[number]()
        except (RequestRejected, Unsorted) as error:
            if number == last:
                raise
            # unsorted may be this partition alone
            refused = refused or isinstance(error, (RequestRejected, Ignored))
        else:
            if refused and number > observed.way:
                observed.way = number
                told()
            return


def apart(within: Within, since: datetime, until: datetime, field: str | None) -> Walk:
    """Send for the rows between two bounds, and read them: by another `field`, or by count.

    `within` makes the list between its bounds, sorted by a field if one is given; the upper bound
    is left out where Qonto refuses it.
    """
    first = within(since, until, field)
    first.ahead(Query(size=first.size))
    ways = (
        lambda: whole(first),
        lambda: whole(within(since, until, None)),
        lambda: whole(within(since, None, None)),
    )
    return first_accepted(ways, Observed(), lambda: None)
