"""docs/streams.md: what each stream holds, how it is read, and what a run can miss."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from pages.joins import JOINS
from pages.markdown import MADE, code, paragraphs, quirks, table
from pages.paths import dotted
from tap_qonto.api.contract import CONTRACT, UNKNOWN_FIELDS, Endpoint, endpoints, fields
from tap_qonto.streams import AREAS, bases, nested
from tap_qonto.streams.client import QontoStream
from tap_qonto.streams.files import files
from tap_qonto.tap import TapQonto

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_qonto.api.contract import FieldPath, Schema

KINDS: tuple[type[QontoStream], ...] = (
    QontoStream,
    *(
        kind
        for module in (bases, nested)
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == module.__name__
    ),
)

SECTIONS = (*AREAS, files)  # the last is there with a setting alone

INTRODUCTION = """\
# Streams

{count} streams, and [files](#files) with the setting of that name, read for every organization of
the session. The primary key of each begins with
`organization_id`, and so should every join ([which join with which](#how-streams-join)).

How to read the facts below:

* **Replication**: *incremental* streams keep a bookmark for each organization (`transactions`: for
  each bank account) and ask only for what changed since; the others are read whole at every run.
* **Can miss**: what an incremental run may not see. To see it, force a full read: all streams with
  `meltano run --full-refresh …`, one stream with `replication-method: FULL_TABLE`
  ([how, and when it pays](operating.md#full-reads)).
* **Rows deleted in Qonto** are never announced by the API (Q41). They stay in the warehouse unless
  you let the tap [mark them as gone](operating.md#rows-deleted-in-qonto).
* **Scope**: what the OAuth application must be allowed to read. Without it the stream is skipped,
  and the closing table of the log gives the login that asks for it too. **API key**: whether an API
  key opens it as well.
* **Off by default** counts for `tap-qonto` without a catalog. In Meltano, which always sends a
  catalog, the `select` rules of our `meltano.yml` say the same.
* **Values** are those that are known (2026-11). Others may come without notice (Q46), so no column
  is a closed list.
* **`unknown_fields`**<a id="unknown_fields"></a> is a column of every stream: {unknown}
* **Personal data** is marked so that you can [drop or hash it](operating.md#personal-data).
* No stream holds links that open without a login, or secrets: they are *left out*.
"""


def page() -> str:
    """Make the page."""
    streams = _streams()
    lines = [MADE.format(source="the classes in tap_qonto/streams"), ""]
    unknown = str(streams["labels"].schema["properties"][UNKNOWN_FIELDS]["description"])
    unknown = unknown.removesuffix(" Personal data.")
    introduction = INTRODUCTION.format(count=len(streams) - 1, unknown=unknown)
    lines += quirks(introduction).splitlines()
    lines += ["", *_index(streams), ""]
    lines += ["## How lists are read", ""]
    lines += ["What a list can be asked for decides its kind: `tap_qonto/streams/`."]
    for kind in KINDS:
        lines += ["", f"### {kind.__name__}", "", "\n\n".join(map(quirks, paragraphs(kind)))]
        lines += ["", f"A run: {quirks(_how(kind))}"] if kind is not QontoStream else []
    for area in SECTIONS:
        lines += ["", f"## {paragraphs(area)[0].rstrip('.')}"]
        for stream in streams.values():
            if type(stream).__module__ == area.__name__:
                lines += ["", *_section(stream)]
    lines += ["", *_joins()]
    return "\n".join(lines) + "\n"


def short_table() -> str:
    """Make the table of the README: the streams of each area."""
    rows = []
    for area in SECTIONS:
        title = paragraphs(area)[0].rstrip(".")
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        names = [
            f"`{stream.name}`" + _when(stream)
            for stream in _streams().values()
            if type(stream).__module__ == area.__name__
        ]
        rows.append([f"[{title}](docs/streams.md#{anchor})", ", ".join(names)])
    return "\n".join(table(["About", "Streams"], rows))


def _when(stream: QontoStream) -> str:
    if isinstance(stream, files.Files):
        return " *with the setting*"
    return "" if stream.selected_by_default else " *off*"


def _streams() -> dict[str, QontoStream]:
    """Every stream, in the order of the areas; the network is not needed."""
    tap = TapQonto(config={"files": "."}, validate_config=False)
    return {stream.name: stream for stream in tap.discover_streams()}


def _index(streams: dict[str, QontoStream]) -> Iterator[str]:
    yield from table(
        ["Stream", "What it holds", "Replication", "Scope", "Default"],
        (
            [
                f"[{stream.name}](#{stream.name})",
                quirks(paragraphs(type(stream))[0]),
                f"incremental on `{stream.replication_key}`"
                if stream.replication_key
                else "full table",
                " or ".join(f"`{scope}`" for scope in stream.scopes),
                "with the setting"
                if isinstance(stream, files.Files)
                else "on"
                if stream.selected_by_default
                else "off",
            ]
            for stream in streams.values()
        ),
    )


def _section(stream: QontoStream) -> Iterator[str]:
    yield f"### {stream.name}"
    yield ""
    yield "\n\n".join(map(quirks, paragraphs(type(stream))))
    yield ""
    yield from table(["", ""], ([f"**{name}**", quirks(value)] for name, value in _facts(stream)))
    yield ""
    columns = list(_columns(stream.schema))
    yield f"<details><summary>{len(columns)} fields</summary>"
    yield ""
    yield from table(
        ["Field", "Type", "Description"],
        (
            [f"`{dotted(path)}`", _type(field), quirks(_description(path[-1], field))]
            for path, field in columns
        ),
    )
    yield ""
    yield "</details>"


def _facts(stream: QontoStream) -> Iterator[tuple[str, str]]:
    endpoint = endpoints()[stream.derived_from or stream.name]
    yield "Key", code(*stream.primary_keys)
    if isinstance(stream, files.Files):
        yield from _facts_of_files(stream)
        return
    if stream.replication_key:
        per = "organization and bank account" if stream.needs_accounts else "organization"
        yield "Replication", f"incremental on `{stream.replication_key}`, a bookmark per {per}"
    else:
        yield "Replication", f"full table: {_why_full(stream, endpoint)}"
    kind = _kind(stream)
    yield "A run", f"{_how(type(stream))} ([{kind.__name__}](#{kind.__name__.lower()}))"
    if isinstance(stream, bases.RecentFirstStream) and stream.again:
        yield "Read again", f"rows of {stream.again.days} days before the bookmark"
    if isinstance(stream, bases.CreatedStream):
        values = " or ".join(f"`{value}`" for value in stream.open_values)
        yield "Read again", f"rows whose `{stream.open_field}` is {values}, until it is not"
    yield "Can miss", stream.missed
    yield "Endpoint", _request(stream, endpoint)
    yield "Scope", " or ".join(f"`{scope}`" for scope in stream.scopes)
    yield "API key", {True: "opens it", False: "refused", None: "not known (Q81)"}[endpoint.api_key]
    if endpoint.plan:
        yield "Availability", endpoint.plan
    if not stream.selected_by_default:
        yield "Off by default", _why_off(stream, endpoint)
    personal = [dotted(path) for path, field in fields(stream.schema) if field.get("x-pii")]
    if personal:
        yield "Personal data", code(*personal)
    if secrets := _secrets(stream):
        yield "Left out", f"{code(*secrets)}: opens without a login, or is a secret (Q92, Q96)"


def _facts_of_files(stream: files.Files) -> Iterator[tuple[str, str]]:
    per = "list below and organization, of transactions per bank account"
    yield "Replication", f"incremental on `{stream.replication_key}`, a bookmark per {per}"
    yield "A run", _how(type(stream))
    yield "Can miss", stream.missed
    lists = {name: code(*source.kinds) for name, source in files.SOURCES.items()}
    yield "Lists", "; ".join(f"[{name}](#{name}): {kinds}" for name, kinds in lists.items())
    links = code("GET /v2/attachments/{id}", "GET /v2/statements/{id}")
    yield "Endpoint", f"those of the lists; {links} for a link that did not come, or died (Q92)"
    yield "Scope", "those of the lists; `attachment.read` or `organization.read` for links (Q11)"
    yield "Personal data", "the files themselves, and `name` ([what to do](files.md#personal-data))"
    yield "Left out", "links: they open without a login (Q92)"


def _how(kind: type[QontoStream]) -> str:
    if kind.walk is QontoStream.walk:
        return "Read the whole list."
    return paragraphs(kind.walk)[0]


def _kind(stream: QontoStream) -> type[QontoStream]:
    return next(kind for kind in type(stream).__mro__ if kind in KINDS)


def _why_full(stream: QontoStream, endpoint: Endpoint) -> str:
    """Say why changes can't be asked for (Q36-Q39)."""
    told = endpoint.incremental
    if issubclass(type(stream), bases.OneRowStream):
        return "one row"
    if endpoint.parent and endpoint.parent["stream"] != "bank_accounts":
        return f"a list per row of `{endpoint.parent['stream']}`"
    if told and told["captures"] == "inserts only":
        return f"`{told['filter']}` finds new rows only, and a list is short (Q36)"
    if told:
        return "rows don't tell when they changed (Q39)"
    if "updated_at" in stream.schema["properties"]:
        return "rows have an `updated_at`, but no filter uses it (Q36)"
    return "rows don't tell when they changed (Q36)"


def _why_off(stream: QontoStream, endpoint: Endpoint) -> str:
    told = re.search(r"Off by default: (.*)", " ".join(paragraphs(type(stream))))
    if told:
        return told[1][0].upper() + told[1][1:]
    if endpoint.deprecated:
        return "Deprecated by Qonto (Q88)."
    assert endpoint.parent, stream.name  # noqa: S101 - a stream that is off says why
    return f"Costs a request per row of `{endpoint.parent['stream']}`, at every run."


def _request(stream: QontoStream, endpoint: Endpoint) -> str:
    sent = [
        f"{name}={value}"
        for name, values in stream.params.items()
        for value in ((values,) if isinstance(values, str) else values)
    ]
    filters = [name for name in (stream.since_param, stream.until_param) if name]
    text = f"`{endpoint.method} {endpoint.path}`"
    if sent:
        text += f", with {code(*sent)}"
    if filters:
        text += f", filtered by {code(*filters)}"
    return text + (f"; `{stream.page_size}` rows a page" if stream.is_paged else "")


def _secrets(stream: QontoStream) -> list[str]:
    schema = CONTRACT.document_schema(stream.derived_from or stream.name)
    return [dotted(path) for path, _ in fields(schema, secret=True)]


def _columns(schema: Schema) -> Iterator[tuple[FieldPath, Schema]]:
    """Fields without the bare items of lists: those are in the type of the list."""
    for path, field in fields(schema):
        if path[-1] != "[]":
            yield path, field


def _type(field: dict[str, Any]) -> str:
    types = field["type"] if isinstance(field["type"], list) else [field["type"]]
    name = next(one for one in types if one != "null")
    if name == "array":
        items = field.get("items") or {}
        return f"list of {_type(items)}s" if "type" in items else "list"
    return {"date-time": "timestamp", "date": "date"}.get(field.get("format", ""), str(name))


def _description(name: str, field: dict[str, Any]) -> str:
    if name == UNKNOWN_FIELDS:
        return "[What this release does not know](#unknown_fields). **Personal data.**"
    text = str(field.get("description", "")).replace("Personal data.", "**Personal data.**")
    return text.replace("Known values, others may come: ", "Values: ")


def _joins() -> Iterator[str]:
    yield from (
        "## How streams join",
        "",
        (
            "`organization_id` is equal on both sides of every join. A list is taken apart first "
            "(`unnest` in SQL). Arrows lead from the row that names another to the one it names. "
            "Accounts of other banks are there where `include_external_accounts` is on "
            "([Q28](quirks.md#q28))."
        ),
    )
    yield from ("", "```mermaid", "flowchart RL")
    for stream, of in dict.fromkeys(
        (join.stream, join.of) for joins in JOINS.values() for join in joins
    ):
        if stream != of:
            yield f"    {stream} --> {of}"
    yield "```"
    for title, joins in JOINS.items():
        yield from ("", f"### {title}", "", "```mermaid", "flowchart LR")
        edges: dict[tuple[str, str], list[str]] = {}
        for join in joins:
            edges.setdefault((join.stream, join.of), []).append(join.field)
        for (stream, of), names in edges.items():
            yield f'    {stream} -- "{"<br>".join(names)}" --> {of}'
        yield from ("```", "")
        yield from table(
            ["Field", "names a row of", "by"],
            (
                [f"`{join.stream}.{join.field}`", f"[{join.of}](#{join.of})", f"`{join.key}`"]
                for join in joins
            ),
        )
