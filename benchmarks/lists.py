"""What everybody reads: the tap's default streams as plain facts, for taps that are not ours."""

from __future__ import annotations

import typing as t

from tap_qonto.api.contract import endpoints
from tap_qonto.streams import STREAMS
from tap_qonto.streams.bases import OneRowStream

STATUSES = ("pending", "completed", "declined", "reversed")


class List(t.NamedTuple):
    """One list of an organization, or of an account where `by_account`.

    `size` is None for what comes in one answer; `rows` is the JSONPath of the rows in it.
    """

    name: str
    method: str
    path: str
    envelope: str | None
    rows: str
    params: dict[str, str | tuple[str, ...]]
    size: int | None
    since: str | None
    by_account: bool
    body: dict[str, t.Any] | None


def lists() -> list[List]:
    """The default streams, less `user_organizations`, which everybody reads first.

    `bank_account_balances` comes from the answer of `organization`: nobody else asks for it.
    Currencies are asked from euros only. So the others send a few requests less than the tap.
    """
    found = []
    for stream in STREAMS:
        if not stream.selected_by_default or stream.name in {
            "user_organizations",
            "bank_account_balances",
        }:
            continue
        endpoint = endpoints()[stream.name]
        paged = endpoint.pagination["style"] == "page_number"
        params = dict(stream.params)
        if stream.name == "international_currencies":
            params["source"] = "EUR"
        search = getattr(stream, "search", None)
        envelope = endpoint.envelope
        many = not issubclass(stream, OneRowStream)
        found.append(
            List(
                stream.name,
                endpoint.method,
                stream.path,
                envelope,
                f"$.{envelope}{'[*]' if many else ''}" if envelope else "$",
                params,
                endpoint.pagination.get("max-size") if paged else None,
                stream.since_param if stream.replication_key == "updated_at" else None,
                stream.name == "transactions",
                {**search, "pagination": {"page": 1, "per_page": 100}} if search else None,
            )
        )
    return sorted(found)
