"""Everything that Qonto offers, as declarations by area. `STREAMS` is the list the tap uses.

To add a stream: declare it in the module of its area. Every class there with a `name` is one.
"""

from __future__ import annotations

from tap_qonto.streams import (
    administration,
    banking,
    cards,
    getting_paid,
    invoicing,
    payables,
    transfers,
)
from tap_qonto.streams.client import QontoStream

AREAS = (administration, banking, cards, transfers, invoicing, payables, getting_paid)

STREAMS: tuple[type[QontoStream], ...] = tuple(
    declared
    for area in AREAS
    for declared in vars(area).values()
    if isinstance(declared, type)
    and issubclass(declared, QontoStream)
    and declared.__module__ == area.__name__
)
