"""The contract: nothing of Qonto's rows is lost, and warehouses can take what is left."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from folds import folded, spots
from jsonschema import Draft202012Validator
from singer_sdk import Stream, Tap
from singer_sdk.exceptions import SchemaNotFoundError
from singer_sdk.schema.source import StreamSchema
from source import examples, operations, source

from tap_qonto.api.contract import CONTRACT, ORGANIZATIONS, endpoints, fields, row_facts
from tap_qonto.streams import STREAMS as DECLARED

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "contract.py"
SOURCE = source()
STREAMS = sorted(endpoints())
EACH_STREAM = pytest.mark.parametrize("stream", STREAMS)

# Fields of the source that no row carries, and why. All else of the source must be in the schemas.
LEFT_OUT = {
    ("transactions", "attachments.[].url"): "Q92 signed link",
    ("transactions", "attachments.[].probative_attachment.url"): "Q92 signed link",
    ("transaction_attachments", "url"): "Q92 signed link",
    ("transaction_attachments", "probative_attachment.url"): "Q92 signed link",
    ("child_transaction_links", "transaction.attachments.[].url"): "Q92 signed link",
    (
        "child_transaction_links",
        "transaction.attachments.[].probative_attachment.url",
    ): "Q92 signed link",
    ("statements", "file.file_url"): "Q92 signed link",
    ("client_invoices", "invoice_url"): "Q96 opens without a login",
    ("credit_notes", "invoice_url"): "Q96 opens without a login",
    ("quotes", "quote_url"): "Q96 opens without a login",
    ("payment_links", "url"): "Q96 opens without a login",
    ("sdd_mandates", "sign_url"): "Q96 opens without a login",
    ("sdd_subscriptions", "sign_url"): "Q96 opens without a login",
    ("webhook_subscriptions", "secret"): "signs webhooks",
    ("credit_notes", "Invoice_issue_date"): "Q65 becomes invoice_issue_date",
}


def schema_of(stream: str) -> dict[str, Any]:
    return CONTRACT.get_schema(stream)


def source_fields(schema: dict[str, Any], path: tuple[str, ...] = ()) -> set[str]:
    """All field paths of a schema of the source, by a walk that shares nothing with the script."""
    if "$ref" in schema:
        return source_fields(SOURCE["components"]["schemas"][schema["$ref"].split("/")[-1]], path)
    found = {".".join(path)} if path else set()
    for option in schema.get("anyOf", []):
        found |= source_fields(option, path)
    for name, child in schema.get("properties", {}).items():
        found |= source_fields(child, (*path, name))
    if "items" in schema:
        found |= source_fields(schema["items"], (*path, "[]"))
    return found


def source_row(stream: str) -> set[str]:
    operation = operations()[stream]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    prefix = f"{operation['x-envelope']}." if operation["x-envelope"] else ""
    found = source_fields(answer)
    many = f"{prefix}[]."
    prefix = many if any(field.startswith(many) for field in found) else prefix
    return {field.removeprefix(prefix) for field in found if field.startswith(prefix)}


def example_rows(stream: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(json.dumps(examples(stream)))
    return found


def test_there_are_the_46_bulk_endpoints() -> None:
    assert len(STREAMS) == 46
    assert set(STREAMS) == set(operations())


def test_the_document_is_what_the_script_makes_of_its_source(tmp_path: Path) -> None:
    made = tmp_path / "openapi.json"
    subprocess.run([sys.executable, str(SCRIPT), "--output", str(made)], check=True)
    assert made.read_bytes() == (ROOT / "tap_qonto" / "api" / "openapi.json").read_bytes()


@EACH_STREAM
def test_no_field_of_the_source_is_lost(stream: str) -> None:
    ours = {".".join(path) for path, _ in fields(schema_of(stream))}
    left_out = {field for name, field in LEFT_OUT if name == stream}
    assert source_row(stream) - ours == left_out
    assert [*schema_of(stream)["properties"]][-1] == "unknown_fields"


@EACH_STREAM
def test_every_field_has_one_type_and_may_be_null_unless_it_is_a_key(stream: str) -> None:
    schema, keys = schema_of(stream), endpoints()[stream].primary_keys
    assert schema["type"] == "object"
    for path, field in fields(schema):
        types = [field["type"]] if isinstance(field["type"], str) else field["type"]
        kind, *null = types
        assert kind in {"string", "integer", "number", "boolean", "object", "array"}, path
        assert null == ([] if path in {(key,) for key in keys} else ["null"])
        assert field.get("additionalProperties") is (True if kind == "object" else None), path
        assert ("items" in field) == (kind == "array"), path


@EACH_STREAM
def test_no_keyword_is_left_that_targets_stumble_over(stream: str) -> None:
    schema = schema_of(stream)
    allowed = {"type", "description", "format", "properties", "items", "additionalProperties"}
    keys = {(key,) for key in endpoints()[stream].primary_keys}
    for path, field in [((), schema), *fields(schema)]:
        assert field.keys() <= {*allowed, "x-pii", *(["maxLength"] if path in keys else [])}, path
        assert field.get("format", "date") in {"date", "date-time"}, path


@EACH_STREAM
def test_an_object_of_unknown_fields_says_nothing_of_properties(stream: str) -> None:
    # With an empty list of them a loader that makes columns of objects would drop what is in it.
    for path, field in fields(schema_of(stream)):
        assert field.get("properties") != {}, path


@pytest.mark.parametrize("stream", DECLARED, ids=lambda one: one.name)
def test_every_schema_has_one_form_and_its_text_keys_have_a_bound(stream: type[Stream]) -> None:
    # Loaders believe in one draft of JSON Schema, MySQL makes no key of text without a length.
    schema = vars(stream).get("schema") or schema_of(stream.name)
    assert schema.keys() - {"description"} == {"type", "properties", "additionalProperties"}
    keys = vars(stream).get("primary_keys") or endpoints()[stream.name].primary_keys
    for name in keys:
        key = schema["properties"][name]
        kind, form = key["type"], key.get("format")
        assert key.get("maxLength") == (128 if (kind, form) == ("string", None) else None), name


@EACH_STREAM
def test_names_differ_by_more_than_case(stream: str) -> None:
    schema = schema_of(stream)
    for path, field in [((), schema), *fields(schema)]:
        names = [name.lower() for name in field.get("properties", {})]
        assert len(names) == len(set(names)), path


@EACH_STREAM
def test_the_organization_comes_first_in_rows_and_keys(stream: str) -> None:
    first, *_ = schema_of(stream)["properties"]
    keys = endpoints()[stream].primary_keys
    if stream == ORGANIZATIONS:
        assert (first, keys) == ("id", ("id",))
    else:
        assert (first, keys[0]) == ("organization_id", "organization_id")
    assert set(keys) <= set(schema_of(stream)["properties"])


@EACH_STREAM
def test_an_example_fits_its_schema_once_it_is_folded(stream: str) -> None:
    schema, facts = schema_of(stream), row_facts(stream)
    rows = example_rows(stream)
    assert rows
    for row in rows:
        assert row.keys() <= facts.known
        result = folded(stream, row)
        Draft202012Validator(schema).validate(result)
        assert all(result[key] is not None for key in endpoints()[stream].primary_keys)
        patterns = {"date-time": r"\d{4}-\d\d-\d\dT[\d:.]+Z$", "date": r"\d{4}-\d\d-\d\d$"}
        for path, field in fields(schema):
            if pattern := patterns.get(field.get("format", "")):
                for box, key in spots(result, path):
                    assert box[key] is None or re.match(pattern, box[key]), path


def test_what_is_named_like_a_moment_is_a_timestamp() -> None:
    for stream in STREAMS:
        for path, field in fields(schema_of(stream)):
            if path[-1].endswith("_at"):
                assert field["format"] == "date-time", (stream, path)


def test_no_link_that_opens_without_a_login_leaves_with_a_row() -> None:
    rows = json.dumps([folded(stream, row) for stream in STREAMS for row in example_rows(stream)])
    source = json.dumps([example_rows(stream) for stream in STREAMS])
    for host in ("files.example", "pay.example"):
        assert host in source
        assert host not in rows


def test_the_folds_of_single_fields_are_known_to_the_engine() -> None:
    assert row_facts("credit_notes").fills == (("invoice_issue_date", ("Invoice_issue_date",)),)
    assert "Invoice_issue_date" in row_facts("credit_notes").known
    assert row_facts("child_transaction_links").fills == (
        ("transaction_id", ("transaction", "id")),
    )


def test_a_row_keeps_the_documented_date_when_both_spellings_arrive() -> None:
    row = {"id": "1", "invoice_issue_date": "2026-01-01", "Invoice_issue_date": "2026-01-02"}
    assert folded("credit_notes", row)["invoice_issue_date"] == "2026-01-01"


@pytest.mark.parametrize(
    ("stream", "field", "sent", "emitted"),
    [
        ("transaction_attachments", "file_size", "48213", 48213),
        ("transaction_attachments", "file_size", 48213, 48213),
        ("transaction_attachments", "file_size", "47 KB", None),
        ("suppliers", "outstanding_balance", {"value": "1.00"}, '{"value":"1.00"}'),
        ("suppliers", "outstanding_balance", 12, "12"),
        ("supplier_invoices", "supplier_id", "00000000-0000-0000-0000-000000000000", None),
        ("organization", "contract_signed_at", "2022-12-01 08:57:00.12", "2022-12-01T08:57:00.12Z"),
        ("client_invoices", "created_at", "2026-03-01T00:22:10+01:00", "2026-02-28T23:22:10Z"),
        ("cards", "discard_on", "2026-02-31", "2026-02-31"),
        ("statements", "period", "02-2026", "02-2026"),
    ],
)
def test_odd_values_become_what_the_schema_promises(
    stream: str, field: str, sent: Any, emitted: Any
) -> None:
    row = folded(stream, {**example_rows(stream)[0], field: sent})
    assert row[field] == emitted
    Draft202012Validator(schema_of(stream)).validate(row)


def test_every_schema_is_built_once() -> None:
    for stream in STREAMS:
        assert schema_of(stream) is schema_of(stream)


def test_a_stream_that_qonto_does_not_have_is_refused() -> None:
    with pytest.raises(SchemaNotFoundError, match="terminal_payments"):
        schema_of("terminal_payments")


class _Bare(Stream):
    """A stream of the plain SDK with nothing of ours but the schema."""

    schema: ClassVar[Any] = StreamSchema(CONTRACT)

    def get_records(self, context: Any) -> Any:  # noqa: ARG002 - the SDK's signature
        return iter(())


class _BareTap(Tap):
    name = "tap-bare"
    config_jsonschema: ClassVar[dict[str, Any]] = {"type": "object", "properties": {}}

    def discover_streams(self) -> list[Stream]:
        return [
            type(name, (_Bare,), {"name": name, "primary_keys": endpoint.primary_keys})(self)
            for name, endpoint in endpoints().items()
        ]


def test_the_catalog_says_which_fields_are_personal() -> None:
    # The SDK drops `x-pii` on the way to the catalog, so the description has to carry it.
    catalog = {entry["stream"]: entry["schema"] for entry in _BareTap().catalog_dict["streams"]}
    told = 0
    for stream in STREAMS:
        described = dict(fields(catalog[stream]))
        for path, field in fields(schema_of(stream)):
            assert described[path]["type"] == field["type"], (stream, path)
            personal = described[path].get("description", "").endswith("Personal data.")
            assert personal == field.get("x-pii", False), (stream, path)
            told += personal
    assert told > 60


@EACH_STREAM
def test_every_endpoint_tells_what_documentation_and_login_need(stream: str) -> None:
    endpoint, operation = endpoints()[stream], operations()[stream]
    assert endpoint.path.startswith("/v2/")
    assert endpoint.method == ("POST" if stream == "suppliers" else "GET")
    assert list(endpoint.scopes) == operation["x-oauth-scopes"]
    assert endpoint.plan == operation.get("x-price-plan")
    assert (endpoint.incremental is None) == (operation["x-incremental"] is None)
    assert (endpoint.parent is None) == ("x-parent" not in operation)


def test_every_fold_names_a_quirk_and_a_property_of_the_source() -> None:
    for quirk, schema, name, change in runpy.run_path(str(SCRIPT))["FIELDS"]:
        assert re.fullmatch(r"Q\d+", quirk)
        known = SOURCE["components"]["schemas"][schema]["properties"]
        assert name in known or "x-from" in change, (schema, name)


def test_an_official_document_adds_fields_and_overrules_no_type(tmp_path: Path) -> None:
    # In the style of OpenAPI 3.0, with other names for schemas, enums, and Qonto's slip of Q72.
    official = {
        "openapi": "3.0.3",
        "paths": {
            "/v2/supplier_invoices": {
                "get": {
                    "responses": {
                        "200": {
                            "content": {
                                "application/json": {
                                    "schema": {"$ref": "#/components/schemas/InvoiceList"}
                                }
                            }
                        }
                    }
                }
            }
        },
        "components": {
            "schemas": {
                "InvoiceList": {
                    "type": "object",
                    "properties": {
                        "supplier_invoices": {
                            "type": "array",
                            "items": {"allOf": [{"$ref": "#/components/schemas/Invoice"}]},
                        }
                    },
                },
                "Invoice": {
                    "type": "object",
                    "required": ["id", "status", "mood"],
                    "properties": {
                        "id": {"type": "string", "format": "uuid"},
                        "status": {"type": "object", "properties": {"const": {"type": "string"}}},
                        "mood": {"type": "string", "enum": ["calm", "cross"], "nullable": True},
                        "file_name": {"type": "string", "description": "Name of the file."},
                        "parent": {"$ref": "#/components/schemas/Invoice"},
                    },
                },
            }
        },
    }
    given, made = tmp_path / "official.json", tmp_path / "made.json"
    given.write_text(json.dumps(official))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--official", str(given), "--output", str(made)],
        check=True,
        capture_output=True,
        text=True,
    )
    schemas = json.loads(made.read_text())["components"]["schemas"]
    properties = schemas["supplier_invoices"]["properties"]
    assert properties["mood"] == {
        "type": ["string", "null"],
        "description": "Known values, others may come: calm, cross.",
    }
    assert properties["parent"] == {"type": ["object", "null"], "additionalProperties": True}
    assert properties["file_name"]["description"] == "Name of the file. Personal data."
    assert properties["status"]["type"] == ["string", "null"]
    assert properties["id"] == {"type": "string", "maxLength": 128}
    assert "supplier_invoices.status: ours is ['string'], theirs ['object']" in done.stderr
    assert "supplier_invoices.mood: new" in done.stderr
    assert "GET /v2/labels: not in the official document" in done.stderr
    untouched = json.loads((ROOT / "tap_qonto" / "api" / "openapi.json").read_text())["components"][
        "schemas"
    ]
    assert {name: schema for name, schema in schemas.items() if name != "supplier_invoices"} == {
        name: schema for name, schema in untouched.items() if name != "supplier_invoices"
    }
