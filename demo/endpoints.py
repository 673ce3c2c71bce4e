"""What a bulk endpoint is: envelope, scope, page sizes, filters and orders.

The lists themselves are in `demo/offer.py`.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Among:
    """Keeps rows whose `field` has one of the values given.

    `names` are the spellings of the parameter that are understood (Q42); `commas` splits one value
    into several; `known` values are the only ones accepted (422 not_in_list otherwise); `default`
    are those in force where the parameter is missing.
    """

    field: str
    names: tuple[str, ...]
    known: tuple[str, ...] = ()
    commas: bool = False
    default: tuple[t.Any, ...] = ()


@dataclass(frozen=True)
class Range:
    """Bounds on `field` by `{name}_from` and, unless `only_from`, `{name}_to`.

    `nested` ones are spelled `filter[{name}_from]`. A lower bound before `earliest` is refused.
    """

    field: str
    name: str | None = None
    nested: bool = False
    only_from: bool = False
    earliest: str | None = None

    @property
    def names(self) -> tuple[str, str]:
        pattern = "filter[{}]" if self.nested else "{}"
        name = self.name or self.field
        return pattern.format(f"{name}_from"), pattern.format(f"{name}_to")


@dataclass(frozen=True)
class Contains:
    """Keeps rows whose `field` contains the text given, in whatever case."""

    field: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Needs:
    """A parameter that must be there, and the refusal when it is not (Q43)."""

    name: str
    status: int
    code: str


Filter = Among | Range | Contains


@dataclass(frozen=True)
class Endpoint:
    """One bulk endpoint; any of `scopes` opens it.

    `size`: default and maximum `per_page`, None where the list is not paged. `meta`: whether the
    page facts are sent. `sorts`: fields that `sort_by` accepts, `aliases` the names of those that
    are called otherwise there. `default`: the order without `sort_by`, which is the only one where
    `sorts` is empty. `gate`: the feature that an organization may lack. `one`: a body of one row.
    `fixed`: field and value that every row of the list has. `single`: envelope of the by-id
    endpoint, "" where it is flat, None where there is none.
    """

    stream: str
    path: str
    envelope: str | None
    scopes: tuple[str, ...]
    key: str = "id"
    method: str = "GET"
    api_key: bool = True
    size: tuple[int, int] | None = (100, 100)
    meta: bool = True
    filters: tuple[Filter, ...] = ()
    sorts: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    default: str | None = None
    gate: str | None = None
    one: bool = False
    needs: Needs | None = None
    fixed: tuple[tuple[str, t.Any], ...] = ()
    single: str | None = None

    @property
    def nested(self) -> bool:
        """Whether it lists what one parent row has."""
        return "{id}" in self.path

    @property
    def orders(self) -> dict[str, str]:
        """What `sort_by` accepts, and the field behind it."""
        return {**{name: name for name in self.sorts}, **dict(self.aliases)}

    @property
    def fields(self) -> tuple[str, ...]:
        """What the rows are compared by."""
        names = [one.field for one in self.filters]
        names += self.orders.values()
        names += [field for field, _ in self.fixed]
        if self.default:
            names.append(self.default.partition(":")[0])
        return tuple(dict.fromkeys(names))
