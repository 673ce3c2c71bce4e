"""Fold Qonto's contract into rows that a warehouse can trust.

    contract/openapi.yaml  ── fold ──>  tap_qonto/openapi.json

Run `python scripts/contract.py` after an edit of the source; the output depends on nothing else.
When Qonto publishes an OpenAPI document of its own, `python scripts/contract.py --official FILE`
lets its types and descriptions win, wherever it has the path. What it can't know stays ours:
streams, keys, scopes, marks of personal data and of secrets, and fields only seen in live answers.

The rules for every field of a row, with the quirks they settle:

* one type and null, never null in a key; nothing is required (Q54, Q59, Q63, Q76);
* values are never a closed list (Q46): known ones move into the description;
* ids are text without `format: uuid`, since Qonto reserves the right to change them (Q47);
* objects are open, `anyOf`/`oneOf`/`allOf`/`$ref` are dissolved into what they amount to;
* two possible types, or an unknown one, become text and are marked `x-text` (Q63, Q75);
* whatever expires is a credential (Q92) and is marked `x-secret`, like links that open without a
  login (Q96); the tap never emits those fields;
* personal data (Q94) is marked `x-pii` and said in the description, which reaches the catalog.

What only one field needs stands in `FIELDS`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "contract" / "openapi.yaml"
TARGET = ROOT / "tap_qonto" / "openapi.json"

STATEMENT = (
    "Rows and endpoints of the Qonto Business API v2 as tap-qonto reads them. Folded by "
    "scripts/contract.py from an independent reconstruction made from public pages, the official "
    "Postman collections and the source of public clients. Not published or endorsed by Qonto and "
    "not verified against a live account."
)

# Property that carries the id of the parent (x-parent) on each row.
PARENT_PROPERTY = {
    "transactions": "bank_account_id",
    "transaction_attachments": "transaction_id",
    "child_transaction_links": "parent_transaction_id",
    "payment_link_payments": "payment_link_id",
}

PII, SECRET, TIMESTAMP = {"x-pii": True}, {"x-secret": True}, {"format": "date-time"}

# (quirk, stream, property, keywords to add, or None to leave the property out). Properties inside
# objects and lists are not reached: no quirk asks for it.
FIELDS: tuple[tuple[str, str, str, Json | None], ...] = (
    ("Q53", "organization", "contract_signed_at", TIMESTAMP),  # blank for T, no zone: means UTC
    ("Q53", "cards", "shipped_lost_at", TIMESTAMP),  # untyped in every source, like shipped_at
    ("Q60", "organization", "id", {"x-from": "organization_id"}),  # missing on early pages
    ("Q65", "credit_notes", "Invoice_issue_date", None),
    ("Q65", "credit_notes", "invoice_issue_date", {"x-from": "Invoice_issue_date"}),
    ("Q72", "supplier_invoices", "status", {"type": ["string", "null"]}),
    (
        "Q73",
        "supplier_invoices",
        "supplier_id",
        {
            "description": "Null when no supplier was recognised (an all-zero UUID on the wire).",
            "x-null": "00000000-0000-0000-0000-000000000000",
        },
    ),
    (
        "Q79",
        "child_transaction_links",
        "transaction_id",
        {
            "type": "string",
            "description": "Id of the linked transaction, copied from transaction.id.",
            "x-from": "transaction.id",
        },
    ),
    ("Q94", "supplier_invoices", "tin", PII),
    ("Q94", "clients", "vat_number", PII),
    ("Q94", "clients", "city", PII),
    ("Q94", "clients", "zip_code", PII),
    ("Q96", "client_invoices", "invoice_url", SECRET),
    ("Q96", "credit_notes", "invoice_url", SECRET),
    ("Q96", "quotes", "quote_url", SECRET),
    ("Q96", "payment_links", "url", SECRET),
)

# Keys that the contract's own key does not settle (Q79).
KEYS = {"child_transaction_links": ["related_transaction_id", "transaction_id", "link_type"]}

OPERATION = (
    "operationId",
    "tags",
    "summary",
    "description",
    "deprecated",
    "x-stream",
    "x-envelope",
    "x-envelope-optional",
    "x-oauth-scopes",
    "x-api-key-access",
    "x-price-plan",
    "x-pagination",
    "x-incremental",
    "x-client-side-replication-key",
    "parameters",
    "requestBody",
)


def expand(schema: Json, document: Json, trail: tuple[str, ...] = ()) -> Json:
    """Dissolve `$ref`, `allOf`, `anyOf`, `oneOf` and `enum`; a circle ends as an open object."""
    schema = dict(schema)
    if ref := schema.pop("$ref", None):
        if ref in trail:
            return {"type": "object"} | schema
        target = document
        for step in ref.removeprefix("#/").split("/"):
            target = target[step]
        return expand(target | schema, document, (*trail, ref))
    parts = schema.pop("allOf", [])
    options = schema.pop("anyOf", []) + schema.pop("oneOf", [])
    parts = parts + [option for option in options if option.get("type") != "null"]
    merged: Json = {}
    for part in (expand(part, document, trail) for part in parts):
        types = sorted({*kinds(merged), *kinds(part)})
        properties = merged.get("properties", {}) | part.get("properties", {})
        merged |= part | {"type": types} | ({"properties": properties} if properties else {})
    schema = merged | schema
    if "enum" in schema:
        schema.setdefault("x-known-values", [v for v in schema.pop("enum") if v is not None])
    if "properties" in schema:
        schema["properties"] = {
            name: expand(value, document, trail) for name, value in schema["properties"].items()
        }
    if "items" in schema:
        schema["items"] = expand(schema["items"], document, trail)
    return schema


def kinds(schema: Json) -> list[str]:
    """The types a value may have, null aside; empty when the contract does not say."""
    declared = schema.get("type", "object" if "properties" in schema else [])
    types = {declared} if isinstance(declared, str) else set(declared)
    return sorted(types - ({"null", "integer"} if "number" in types else {"null"}))


def overlay(ours: Json, theirs: Json) -> Json:
    """Let an official schema win, but keep our marks and the fields it does not mention."""
    marks = {key: value for key, value in ours.items() if key.startswith("x-")}
    result = ours | theirs | marks
    mine, other = ours.get("properties", {}), theirs.get("properties", {})
    if mine or other:
        result["properties"] = mine | {
            name: overlay(mine.get(name, {}), schema) for name, schema in other.items()
        }
    if "items" in ours and "items" in theirs:
        result["items"] = overlay(ours["items"], theirs["items"])
    return result


def fold(schema: Json, *, null: bool = True) -> Json:
    """Apply the rules that hold for every field to an expanded schema."""
    types = kinds(schema)
    kind = types[0] if len(types) == 1 else "string"
    result: Json = {"type": [kind, "null"] if null else kind}
    if kind == "string" and schema.get("format") in {"date", "date-time"}:
        result["format"] = schema["format"]
    if text := describe(schema):
        result["description"] = text
    if types != [kind]:
        result["x-text"] = True
    if schema.get("x-pii"):
        result["x-pii"] = True
    if schema.get("x-secret") or schema.get("x-expires"):
        result["x-secret"] = True
    if kind == "object":
        if "properties" in schema:
            result["properties"] = {name: fold(p) for name, p in schema["properties"].items()}
        result["additionalProperties"] = True
    if kind == "array":
        result["items"] = fold(schema.get("items", {}), null=False)
    return result


def describe(schema: Json) -> str:
    """The description, followed by known values and by the mark of personal data."""
    known = ", ".join(str(value) for value in schema.get("x-known-values", ()))
    sentences = (
        schema.get("description", "").strip(),
        f"Known values, others may come: {known}." if known else "",
        "Personal data." if schema.get("x-pii") else "",
    )
    return " ".join(sentence for sentence in sentences if sentence)


def row_of(operation: Json, envelope: str | None, document: Json) -> Json:
    """The expanded schema of one row, taken out of its envelope if it sits in one."""
    content = operation["responses"]["200"]["content"]["application/json"]
    schema = expand(content["schema"], document)
    schema = schema.get("properties", {}).get(envelope, schema)
    return dict(schema.get("items", schema))


def row_schema(stream: str, expanded: Json, keys: list[str], parent: Json | None) -> Json:
    """The folded schema of one stream; `organization_id` is added when the tap starts."""
    properties = expanded["properties"]
    added: Json = {}
    if parent and parent["property"] not in properties:
        added[parent["property"]] = {
            "type": "string",
            "description": f"The row of {parent['stream']} under which Qonto lists this one.",
        }
    for _, _, name, change in (field for field in FIELDS if field[1] == stream):
        if change is None:
            properties.pop(name)
        elif name in properties:
            properties[name] = properties[name] | change
        else:
            added[name] = change
    properties = added | properties
    schema = fold(expanded | {"properties": properties}, null=False)
    for name, source in properties.items():
        folded = schema["properties"][name]
        folded |= {mark: source[mark] for mark in ("x-from", "x-null") if mark in source}
        if name in keys:
            folded["type"] = kinds(folded)[0]
    return schema


def answer(operation: Json, stream: str) -> Json:
    """The 200 answer: its envelope around the folded row, and the example as it was."""
    content = operation["responses"]["200"]["content"]["application/json"]
    envelope = operation["x-envelope"]
    schema: Json = {"$ref": f"#/components/schemas/{stream}"}
    if envelope:
        many = isinstance(content["example"].get(envelope), list)
        properties: Json = {envelope: {"type": "array", "items": schema} if many else schema}
        if operation["x-pagination"]["meta"]:
            properties["meta"] = {"$ref": "#/components/schemas/PaginationMeta"}
        schema = {"type": "object", "properties": properties}
    content = {"application/json": {"schema": schema, "example": content["example"]}}
    return {"200": {"description": "Success.", "content": content}}


def contract(ours: Json, official: Json | None = None) -> Json:
    """The document the tap ships: 45 operations and one row schema under each stream's name."""
    paths: Json = {}
    schemas: Json = {}
    for path, operations in ours["paths"].items():
        for method, operation in operations.items():
            stream = operation.get("x-stream") if isinstance(operation, dict) else None
            if not stream:
                continue
            row = row_of(operation, operation["x-envelope"], ours)
            if theirs := (official or {}).get("paths", {}).get(path, {}).get(method):
                row = overlay(row, row_of(theirs, operation["x-envelope"], official or {}))
            keys = KEYS.get(stream, operation["x-primary-key"])
            parent = None
            if "x-parent" in operation:
                parent = operation["x-parent"] | {"property": PARENT_PROPERTY[stream]}
                if parent["property"] not in row["properties"]:
                    keys = [parent["property"], *keys]
            schemas[stream] = row_schema(stream, row, keys, parent)
            shipped = {key: operation[key] for key in OPERATION if key in operation}
            shipped["x-primary-key"] = keys
            shipped |= {"x-parent": parent} if parent else {}
            shipped["responses"] = answer(operation, stream)
            paths.setdefault(path, {})[method] = shipped
    for helper in ("PaginationMeta", "SupplierSearch"):
        schemas[helper] = ours["components"]["schemas"][helper]
    components = ours["components"]
    document = {
        "openapi": ours["openapi"],
        "info": {
            "title": "Qonto Business API v2, as read by tap-qonto",
            "version": ours["info"]["version"],
            "description": STATEMENT,
        },
        "servers": ours["servers"],
        "security": ours["security"],
        "paths": paths,
        "components": {
            "securitySchemes": components["securitySchemes"],
            "parameters": components["parameters"],
            "schemas": schemas,
        },
    }
    return dict(plain(document))


def plain(value: Any) -> Any:
    """A copy without `x-evidence`, which stays in the source."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != "x-evidence"}
    return [plain(item) for item in value] if isinstance(value, list) else value


def render(value: Any, indent: int = 0, width: int = 110) -> str:
    """JSON with one short object or list per line, so that a field's change is one line's diff."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(flat) + indent <= width:
        return flat
    pad = " " * (indent + 1)
    if isinstance(value, list):
        lines = [pad + render(item, indent + 1, width) for item in value]
        return "[\n" + ",\n".join(lines) + "\n" + " " * indent + "]"
    lines = [pad + f"{json.dumps(k)}: {render(v, indent + 1, width)}" for k, v in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"


def load(path: Path) -> Json:
    """Read an OpenAPI document, YAML or JSON (which is YAML too)."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=loader))  # noqa: S506 - safe, in C


def main() -> None:
    """Write `tap_qonto/openapi.json`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--official", type=Path, help="an OpenAPI document published by Qonto")
    parser.add_argument("--output", type=Path, default=TARGET)
    arguments = parser.parse_args()
    official = load(arguments.official) if arguments.official else None
    document = contract(load(SOURCE), official)
    arguments.output.write_text(render(document) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
