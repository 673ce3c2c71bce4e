"""Fold Qonto's contract into rows that a warehouse can trust.

    contract/openapi.yaml  ── fold ──>  tap_qonto/api/openapi.json

Run `python scripts/contract.py` after an edit of the source; the output depends on nothing else.

`--official FILE` reads an OpenAPI document of Qonto's own beside it, once there is one. It brings
fields that we don't know yet, descriptions and types that we lack. Where the two disagree about a
type, ours stays, because it was seen in live answers and published ones have been wrong (Q50, Q72),
and because a column that changes its type is for a person to decide: the script prints such fields.
Streams, keys, scopes and the marks below are facts that no official document has.

The rules for every field of a row, with the quirks they settle:

* one type and null, in lists too, never null in a key; nothing is required (Q54, Q59, Q63, Q76);
* text in a key has a greatest length, since some databases make no key of text without one;
* values are never a closed list (Q46): known ones move into the description;
* ids are text without `format: uuid`, since Qonto reserves the right to change them (Q47);
* objects are open, and one of which nothing is known has no `properties` at all: loaders that make
  columns of objects would drop it; `anyOf`, `oneOf`, `allOf` and `$ref` are dissolved into what
  they amount to;
* what comes as text or as a whole number is an integer marked `x-integer` (Q75), any other choice
  of types, or an unknown one, is text marked `x-text` (Q63): the tap converts the values;
* whatever expires is a credential (Q92) and is marked `x-secret`, like links that open without a
  login (Q96); the tap never emits those fields;
* an object of a list that once was bare text is marked `x-from-text` with the name of the field
  that the text becomes;
* personal data (Q94) is marked `x-pii` and said in the description, which reaches the catalog; so
  are notes, references, names of files and of suppliers wherever they stand (`WRITTEN`).

What only one field needs stands in `FIELDS`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "contract" / "openapi.yaml"
TARGET = ROOT / "tap_qonto" / "api" / "openapi.json"

STATEMENT = (
    "Endpoints and rows of the Qonto Business API v2 as tap-qonto reads them, folded by "
    "scripts/contract.py from an independent reconstruction made of public pages, the official "
    "Postman collections and the source of public clients. Not published or endorsed by Qonto, "
    "not verified against a live account."
)

PII, SECRET, TIMESTAMP = {"x-pii": True}, {"x-secret": True}, {"format": "date-time"}

# Names of fields that hold what people wrote, or the names of those that they wrote about, in any
# row (Q94): a note or the name of a file may say anything of anybody.
WRITTEN = frozenset(
    [
        *("note", "declined_note", "internal_note", "reference", "unique_mandate_reference"),
        *("file_name", "supplier_name", "issuer_name", "nickname"),
    ]
)

# (quirk, schema of the source, property, keywords to add or None to leave the property out)
FIELDS: tuple[tuple[str, str, str, Json | None], ...] = (
    ("Q53", "Organization", "contract_signed_at", TIMESTAMP),  # blank for T, no zone: means UTC
    ("Q53", "Card", "shipped_lost_at", TIMESTAMP),  # null in every sample; like shipped_at
    ("Q60", "Organization", "id", {"x-from": "organization_id"}),  # missing on early pages
    ("Q65", "CreditNote", "Invoice_issue_date", None),
    ("Q65", "CreditNote", "invoice_issue_date", {"x-from": "Invoice_issue_date"}),
    ("Q73", "SupplierInvoice", "supplier_id", {"x-null": "00000000-0000-0000-0000-000000000000"}),
    (
        "Q73",
        "SupplierInvoice",
        "supplier_id",
        {"description": "Null when no supplier was recognised (an all-zero UUID on the wire)."},
    ),
    ("Q75", "ProbativeAttachment", "file_size", {"type": ["string", "integer"]}),  # as its kin
    (
        "Q79",
        "ChildTransactionLink",
        "transaction_id",
        {
            "type": "string",
            "description": "Id of the linked transaction, copied from transaction.id.",
            "x-from": "transaction.id",
        },
    ),
    ("Q94", "Client", "vat_number", PII),
    ("Q94", "Client", "city", PII),
    ("Q94", "Client", "zip_code", PII),
    ("Q94", "EmbeddedClient", "vat_number", PII),
    ("Q94", "EmbeddedClient", "city", PII),
    ("Q94", "EmbeddedClient", "zip_code", PII),
    ("Q94", "Client", "e_invoicing_address", PII),
    ("Q94", "Supplier", "name", PII),
    ("Q94", "SupplierInvoice", "description", PII),
    ("Q94", "SupplierInvoice", "tin", PII),
    ("Q94", "SupplierInvoice", "vat_number", PII),
    ("Q96", "ClientInvoice", "invoice_url", SECRET),
    ("Q96", "CreditNote", "invoice_url", SECRET),
    ("Q96", "Quote", "quote_url", SECRET),
    ("Q96", "PaymentLink", "url", SECRET),
)

# Property of each row that says under which row of its parent (x-parent) it is listed; part of the
# key where the row itself has no such property (Q79).
PARENT_PROPERTY = {
    "transactions": "bank_account_id",
    "transaction_attachments": "transaction_id",
    "child_transaction_links": "parent_transaction_id",
    "payment_link_payments": "payment_link_id",
    "international_currencies": "source_currency",
}

# Characters of a key column: without a bound MySQL and SQL Server refuse keys that loaders make.
# Four of these fit into the 3,072 bytes that MySQL allows for a key; ids of today have 36.
KEY_LENGTH = 128

# A key must stand at the top of the row, and Qonto's has one inside (Q79).
KEYS = {"child_transaction_links": ["related_transaction_id", "transaction_id", "link_type"]}

FACTS = (
    *("operationId", "tags", "summary", "description", "deprecated", "x-stream", "x-envelope"),
    *("x-envelope-optional", "x-oauth-scopes", "x-api-key-access", "x-price-plan"),
    *("x-pagination", "x-incremental", "x-client-side-replication-key"),
    *("parameters", "requestBody"),
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
    options = schema.pop("anyOf", []) + schema.pop("oneOf", [])
    parts = schema.pop("allOf", []) + [part for part in options if part.get("type") != "null"]
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


def overlay(ours: Json, theirs: Json, where: str) -> Json:
    """Add what an official schema knows and ours does not; print what they disagree about."""
    if kinds(ours) and kinds(theirs) and kinds(ours) != kinds(theirs):
        print(
            f"{where}: ours is {kinds(ours)}, theirs {kinds(theirs)}; ours stays", file=sys.stderr
        )
        return ours
    result = theirs | ours
    if "properties" in theirs:
        known = ours.get("properties", {})
        for name in theirs["properties"].keys() - known.keys():
            print(f"{where}.{name}: new", file=sys.stderr)
        result["properties"] = known | {
            name: overlay(known.get(name, {}), schema, f"{where}.{name}")
            for name, schema in theirs["properties"].items()
        }
    if "items" in ours and "items" in theirs:
        result["items"] = overlay(ours["items"], theirs["items"], f"{where}[]")
    return result


def fold(schema: Json, *, null: bool = True) -> Json:
    """Apply the rules that hold for every field to an expanded schema."""
    kind, mark = one_type(kinds(schema))
    result: Json = {"type": [kind, "null"] if null else kind}
    if kind == "string" and schema.get("format") in {"date", "date-time"}:
        result["format"] = schema["format"]
    if text := describe(schema):
        result["description"] = text
    if mark:
        result[mark] = True
    if schema.get("x-pii"):
        result["x-pii"] = True
    if schema.get("x-secret") or schema.get("x-expires"):
        result["x-secret"] = True
    result |= {mark: schema[mark] for mark in ("x-from", "x-null", "x-from-text") if mark in schema}
    if kind == "object":
        if schema.get("properties"):
            result["properties"] = {
                name: fold(child | PII if name in WRITTEN else child)
                for name, child in schema["properties"].items()
            }
        result["additionalProperties"] = True
    if kind == "array":
        result["items"] = fold(schema.get("items", {}))
    return result


def one_type(types: list[str]) -> tuple[str, str | None]:
    """The type a column can have, and the mark that says how values get it."""
    if len(types) == 1:
        return types[0], None
    return ("integer", "x-integer") if types == ["integer", "string"] else ("string", "x-text")


def describe(schema: Json) -> str:
    """The description, followed by known values and by the mark of personal data."""
    known = ", ".join(str(value) for value in schema.get("x-known-values", ()))
    sentences = (
        schema.get("description", "").strip(),
        f"Known values, others may come: {known}." if known else "",
        "Personal data." if schema.get("x-pii") else "",
    )
    return " ".join(sentence for sentence in sentences if sentence)


def row(operation: Json, envelope: str | None, document: Json) -> Json:
    """The expanded schema of one row, taken out of its envelope if it sits in one."""
    content = operation["responses"]["200"]["content"]["application/json"]
    schema = expand(content["schema"], document)
    schema = schema.get("properties", {}).get(envelope, schema)
    return dict(schema.get("items", schema))


def answer(operation: Json) -> Json:
    """The 200 response: its envelope around the folded row."""
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    envelope = operation["x-envelope"]
    schema: Json = {"$ref": f"#/components/schemas/{operation['x-stream']}"}
    if envelope:
        many = isinstance(example.get(envelope), list)
        properties: Json = {envelope: {"type": "array", "items": schema} if many else schema}
        if operation["x-pagination"]["meta"]:
            properties["meta"] = {"$ref": "#/components/schemas/PaginationMeta"}
        schema = {"type": "object", "properties": properties}
    content = {"application/json": {"schema": schema}}
    return {"200": {"description": "Success.", "content": content}}


def stream(operation: Json, expanded: Json) -> tuple[Json, Json]:
    """One operation as shipped, and the schema of its rows.

    `organization_id`, which heads every row and key, is added when the tap starts.
    """
    name = operation["x-stream"]
    shipped = {fact: operation[fact] for fact in FACTS if fact in operation}
    keys = KEYS.get(name) or operation["x-primary-key"]
    properties = expanded["properties"]
    if parent := operation.get("x-parent"):
        property_ = PARENT_PROPERTY[name]
        shipped["x-parent"] = parent | {"property": property_}
        if property_ not in properties:
            what = parent["from"].capitalize()
            text = f"{what} of the row of {parent['stream']} under which Qonto lists this one."
            properties = {property_: {"type": "string", "description": text}} | properties
            keys = [property_, *keys]
    properties = {key: properties[key] for key in keys} | properties
    schema = fold(expanded | {"properties": properties}, null=False)
    for key in keys:
        column = schema["properties"][key]
        column["type"] = kinds(column)[0]
        if column["type"] == "string":
            column["maxLength"] = KEY_LENGTH
    return shipped | {"x-primary-key": keys, "responses": answer(operation)}, schema


def contract(ours: Json, official: Json | None = None) -> Json:
    """The document the tap ships: bulk operations, and a row schema under each stream's name."""
    components = ours["components"]
    for _, name, property_, change in FIELDS:
        properties = components["schemas"][name]["properties"]
        if change is None:
            del properties[property_]
        else:
            properties[property_] = properties.get(property_, {}) | change
    paths: Json = {}
    schemas: Json = {}
    for path, operations in ours["paths"].items():
        for method, operation in operations.items():
            if "x-stream" not in operation:
                continue
            name, envelope = operation["x-stream"], operation["x-envelope"]
            expanded = row(operation, envelope, ours)
            theirs = (official or {}).get("paths", {}).get(path, {}).get(method)
            if official and theirs:
                expanded = overlay(expanded, row(theirs, envelope, official), name)
            elif official:
                print(f"{method.upper()} {path}: not in the official document", file=sys.stderr)
            shipped, schemas[name] = stream(operation, expanded)
            paths.setdefault(path, {})[method] = shipped
    for helper in ("PaginationMeta", "SupplierSearch"):
        schemas[helper] = components["schemas"][helper]
    title = "Qonto Business API v2, as read by tap-qonto"
    document = {
        "openapi": ours["openapi"],
        "info": {"title": title, "version": ours["info"]["version"], "description": STATEMENT},
        "servers": ours["servers"],
        "security": ours["security"],
        "paths": paths,
        "components": {
            "securitySchemes": components["securitySchemes"],
            "parameters": components["parameters"],
            "schemas": schemas,
        },
    }
    return dict(without_evidence(document))


def without_evidence(value: Any, *, names: bool = False) -> Any:
    """A copy without `x-evidence` and examples, which stay in the source.

    `names`: the keys of `value` are names of fields.
    """
    if isinstance(value, dict):
        return {
            key: without_evidence(item, names=key == "properties" and not names)
            for key, item in value.items()
            if names or key not in {"x-evidence", "example"}
        }
    return [without_evidence(item) for item in value] if isinstance(value, list) else value


def render(value: Any, indent: int = 0) -> str:
    """JSON in which whatever fits stands on one line: the change of a field is one line's diff."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or len(flat) + indent <= 110:  # noqa: PLR2004 - width
        return flat
    start, end = "\n" + " " * (indent + 1), "\n" + " " * indent
    if isinstance(value, list):
        return f"[{start}" + f",{start}".join(render(v, indent + 1) for v in value) + f"{end}]"
    lines = (f"{json.dumps(key)}: {render(item, indent + 1)}" for key, item in value.items())
    return f"{{{start}" + f",{start}".join(lines) + f"{end}}}"


def load(path: Path) -> Json:
    """Read an OpenAPI document, YAML or JSON (which is YAML too)."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=loader))  # noqa: S506 - safe, in C


def main() -> None:
    """Fold contract/openapi.yaml into tap_qonto/api/openapi.json."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--official", type=Path, help="an OpenAPI document published by Qonto")
    parser.add_argument("--output", type=Path, default=TARGET)
    arguments = parser.parse_args()
    official = load(arguments.official) if arguments.official else None
    document = contract(load(SOURCE), official)
    arguments.output.write_text(render(document) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
