"""The contract: what Qonto's rows look like and how its endpoints are asked, from `openapi.json`.

The document is made by `scripts/contract.py`; every quirk of the schemas is folded in there. Each
stream finds its schema there under its own name, through the SDK's schema source:

    schema = StreamSchema(CONTRACT)

Three things happen here and not in the document: `organization_id` becomes the first property of
every row, `unknown_fields` the last, and secrets leave. Secrets are signed download links, which
die after 30 minutes (Q92), links that let anybody pay, sign or read without a login (Q96:
`invoice_url`, `quote_url`, `sign_url`, the `url` of a payment link) and the `secret` of webhooks.
They are in no schema and in no row.

What has to be done to a row so that it fits its schema is in `row_facts`, as data.
"""

from __future__ import annotations

import functools
import importlib.resources
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk import typing as th
from singer_sdk.schema.source import OpenAPISchema, OpenAPISchemaNormalizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Schema = dict[str, Any]

FieldPath = tuple[str, ...]
"""Where a value sits in a row: names from the outside in, `[]` for each item of a list."""

DOCUMENT = importlib.resources.files("tap_qonto.api").joinpath("openapi.json")

ORGANIZATIONS = "user_organizations"

ENGINE_MARKS = frozenset({"x-text", "x-integer", "x-from", "x-from-text", "x-null"})

KEY_LENGTH = 128
"""Characters of a text column in a key, as in `scripts/contract.py`, which says why."""

ORGANIZATION_ID: Schema = {
    "type": "string",
    "description": "The organization the row was read from, as in user_organizations.id.",
    "maxLength": KEY_LENGTH,
}

UNKNOWN_FIELDS = "unknown_fields"
UNKNOWN_FIELDS_SCHEMA: Schema = {
    "type": ["object", "null"],
    "description": (
        "What Qonto sent and this release has no column for, or a column of another type: an "
        "object of values by their path, such as `brand_new` or `items[0].brand_new`. Null where "
        "there is nothing. Holds no links and no secrets. Personal data."
    ),
    "x-pii": True,
    "additionalProperties": True,
}


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What turns a row as Qonto sends it into a row as the stream's schema promises it.

    `organization_id` and the id of the parent are put on the row first, then come `fills`; at last
    each value is made to fit `schema`.
    """

    schema: Schema
    """Of the rows as Qonto sends them: `organization_id` and all marks for the engine included."""

    known: frozenset[str]
    """Top-level names that Qonto is known to send, emitted or not; others are news (Q47)."""

    fills: tuple[tuple[str, FieldPath], ...]
    """Top-level names that take, when missing or null, the value at a path (Q60, Q65, Q79)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One bulk endpoint, as far as documentation, login and tests want to know it."""

    stream: str
    method: str
    """`GET`, and `POST` for the search of suppliers (Q44)."""

    path: str
    """From the root, with the parent's id as `{id}`: `/v2/transactions/{id}/attachments`."""

    summary: str
    description: str
    deprecated: bool

    envelope: str | None
    """Name around the rows; None when the body is the row (Q69)."""

    primary_keys: tuple[str, ...]
    """The stream's key: `organization_id`, the parent's id where there is one, Qonto's key."""

    parent: dict[str, str] | None
    """`stream` and `from` (whose rows, which field), `param` (sent), `property` (of the row)."""

    scopes: tuple[str, ...]
    """OAuth scopes that open it; several are alternatives not yet decided (Q11): ask for all."""

    api_key: bool | None
    """Whether an API key opens it too; None when nobody has shown it (Q81)."""

    plan: str | None
    """Plan, add-on or other condition, in a sentence."""

    pagination: dict[str, Any]
    """`style`, `default-size`, `max-size` and `meta`: the name of the page counters or None."""

    incremental: dict[str, Any] | None
    """`filter`, `field`, `sort`, `captures`, `note`; None when changes can't be asked for."""


class _AsIs(OpenAPISchemaNormalizer):
    """Leaves schemas alone: `scripts/contract.py` has normalised them, once for all runs."""

    def preprocess_schema(self, schema: Schema, *, key_properties: Sequence[str] = ()) -> Schema:  # noqa: ARG002 - the SDK's signature
        return schema


class Contract(OpenAPISchema[str]):
    """The SDK's schema source over `openapi.json`: a stream's name gives the schema of its rows.

    A schema is built once per process and handed out as the same object at each access; with the
    SDK's own normaliser it would be copied for every row.
    """

    def __init__(self) -> None:
        super().__init__(DOCUMENT, preprocessor=_AsIs())

    @functools.cached_property
    def spec(self) -> dict[str, Any]:
        """The document, read at first use."""
        return msgspec.json.decode(DOCUMENT.read_bytes(), type=dict[str, Any])

    def resolve_schema(self, key: str) -> Schema:
        """Build the schema of a stream; raises `KeyError` for a stream that Qonto doesn't have."""
        schema = _public(self.document_schema(key))
        if key != ORGANIZATIONS:
            properties = schema["properties"]
            properties.pop("organization_id", None)
            schema["properties"] = {"organization_id": {**ORGANIZATION_ID}, **properties}
        return with_unknown_fields(schema)

    def document_schema(self, key: str) -> Schema:
        """The row schema as it stands in the document: with secrets and marks for the engine."""
        schema: Schema = self.spec["components"]["schemas"][key]
        return schema


CONTRACT = Contract()


def fields(
    schema: Schema, path: FieldPath = (), *, secret: bool = False
) -> Iterator[tuple[FieldPath, Schema]]:
    """Every field below a schema with its path, outermost first; only secret ones if asked for."""
    children = [((*path, name), child) for name, child in schema.get("properties", {}).items()]
    if "items" in schema:
        children.append(((*path, "[]"), schema["items"]))
    for place, child in children:
        hidden = "x-secret" in child
        if hidden == secret:
            yield place, child
        if not hidden:
            yield from fields(child, place, secret=secret)


@functools.cache
def row_facts(stream: str) -> RowFacts:
    """Read once from the marks in the document what the rows of a stream need."""
    schema = CONTRACT.document_schema(stream)
    if stream != ORGANIZATIONS:
        schema = schema | {
            "properties": {**schema["properties"], "organization_id": ORGANIZATION_ID}
        }
    marked = {name: p["x-from"] for name, p in schema["properties"].items() if "x-from" in p}
    sources = {name: tuple(source.split(".")) for name, source in marked.items()}
    return RowFacts(
        schema=schema,
        known=frozenset(schema["properties"]).union(source[0] for source in sources.values()),
        fills=tuple(sources.items()),
    )


def facts_with_secrets(stream: str) -> RowFacts:
    """Make the facts of rows whose links stay: for who follows them, never for rows that leave."""

    def opened(schema: Schema) -> Schema:
        result = {name: one for name, one in schema.items() if name != "x-secret"}
        if "properties" in schema:
            children = schema["properties"].items()
            result["properties"] = {name: opened(child) for name, child in children}
        if "items" in schema:
            result["items"] = opened(schema["items"])
        return result

    facts = row_facts(stream)
    return replace(facts, schema=opened(facts.schema))


def with_unknown_fields(schema: Schema) -> Schema:
    """Add `unknown_fields` to the schema of a stream that Qonto does not have itself."""
    properties = {**schema["properties"], UNKNOWN_FIELDS: {**UNKNOWN_FIELDS_SCHEMA}}
    return {**schema, "properties": properties}


def own_schema(*columns: th.Property[Any]) -> Schema:
    """Make the schema of rows that the tap itself makes; required columns are their key.

    It has the form of the others: no dialect of JSON Schema, nothing required, a bound on text in
    keys.
    """
    properties = th.PropertiesList(*columns).to_dict()["properties"]
    for column in properties.values():
        if "null" not in column["type"]:
            (column["type"],) = column["type"]
            if column["type"] == "string" and "format" not in column:
                column["maxLength"] = KEY_LENGTH
    return with_unknown_fields(
        {"type": "object", "properties": properties, "additionalProperties": True}
    )


def derived_facts(schema: Schema) -> RowFacts:
    """Make what the rows of such a stream need."""
    properties = {name: one for name, one in schema["properties"].items() if name != UNKNOWN_FIELDS}
    return RowFacts(schema={"properties": properties}, known=frozenset(properties), fills=())


@functools.cache
def secret_names() -> frozenset[str]:
    """Names of fields that are secret in any stream: nothing of that name is kept as unknown."""
    return frozenset(
        path[-1]
        for stream in endpoints()
        for path, _ in fields(CONTRACT.document_schema(stream), secret=True)
    )


@functools.cache
def endpoints() -> dict[str, Endpoint]:
    """All bulk endpoints by the name of their stream, in the order of the document."""
    return {
        operation["x-stream"]: _endpoint(path, method, operation)
        for path, operations in CONTRACT.spec["paths"].items()
        for method, operation in operations.items()
    }


def _endpoint(path: str, method: str, operation: dict[str, Any]) -> Endpoint:
    stream = operation["x-stream"]
    owner = () if stream == ORGANIZATIONS else ("organization_id",)
    return Endpoint(
        stream=stream,
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        deprecated=operation.get("deprecated", False),
        envelope=operation["x-envelope"],
        primary_keys=(*owner, *operation["x-primary-key"]),
        parent=operation.get("x-parent"),
        scopes=tuple(operation["x-oauth-scopes"]),
        api_key={True: True, False: False}.get(operation["x-api-key-access"]),
        plan=operation.get("x-price-plan"),
        pagination=operation["x-pagination"],
        incremental=operation["x-incremental"],
    )


def _public(schema: Schema) -> Schema:
    """A copy without secrets and without the marks that only the engine reads."""
    result = {key: schema[key] for key in schema if key not in ENGINE_MARKS}
    if "properties" in schema:
        result["properties"] = {
            name: _public(child)
            for name, child in schema["properties"].items()
            if "x-secret" not in child
        }
    if "items" in schema:
        result["items"] = _public(schema["items"])
    return result
