"""What the doctor looks at: responses, and the first page of each list."""

from __future__ import annotations

import typing as t

from tap_qonto.api.contract import endpoints

if t.TYPE_CHECKING:
    from tap_qonto.streams.client import Params, QontoStream


class Reply(t.NamedTuple):
    """What Qonto answered; status 0 where nothing usable came."""

    status: int
    body: t.Any = None


class Sample(t.NamedTuple):
    """The first page of a list, or the one row, asked for without order, filters and the like."""

    stream: QontoStream
    organization_id: str
    extra: Params
    reply: Reply
    rows: list[dict[str, t.Any]]

    @property
    def name(self) -> str:
        """The stream."""
        return self.stream.name

    @property
    def meta(self) -> dict[str, t.Any]:
        """The page counters; empty if there are none."""
        meta = self.reply.body.get("meta") if isinstance(self.reply.body, dict) else None
        return meta if isinstance(meta, dict) else {}

    @property
    def total(self) -> int | None:
        """How many rows Qonto counts."""
        total = self.meta.get("total_count")
        return total if type(total) is int else None

    @property
    def identities(self) -> list[tuple[t.Any, ...]]:
        """The key of each row, but for the organization; None for what a row lacks."""
        given = {name.strip("{}"): value for name, value in self.extra}
        if parent := endpoints()[self.name].parent:
            given[parent["property"]] = given.get(parent["param"])
        names = [name for name in self.stream.primary_keys if name != "organization_id"]
        return [
            tuple(given.get(name) if row.get(name) is None else row[name] for name in names)
            for row in self.rows
        ]
