"""A manifest for Airbyte's CDK that reads the same lists, and the catalogue that goes with it."""

from __future__ import annotations

import typing as t

from benchmarks.lists import STATUSES, List

CONCURRENCY = 20
SCHEMA = {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}}
ORGANIZATION = "{{ stream_partition['organization_id'] }}"


def manifest(url: str, lists: list[List]) -> dict[str, t.Any]:
    """The source; its only setting is `access_token`."""
    top = stream(url, "user_organizations", "/v2/user_organizations", ["organizations"], {}, {})
    below = {
        "type": "SubstreamPartitionRouter",
        "parent_stream_configs": [parent(top, "id", "organization_id")],
    }
    accounts = next(of_list(url, one, below) for one in lists if one.name == "bank_accounts")
    below_accounts = [
        {
            "type": "SubstreamPartitionRouter",
            "parent_stream_configs": [
                parent(accounts, "id", "bank_account_id", [["organization_id"]])
            ],
        },
        {"type": "ListPartitionRouter", "values": [*STATUSES], "cursor_field": "status"},
    ]
    streams = [of_list(url, one, below_accounts if one.by_account else below) for one in lists]
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["user_organizations"]},
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": CONCURRENCY},
        "streams": [top, *streams],
        "spec": {
            "type": "Spec",
            "connection_specification": {
                "type": "object",
                "properties": {"access_token": {"type": "string", "airbyte_secret": True}},
            },
        },
    }


def catalog(names: list[str]) -> dict[str, t.Any]:
    """What to read."""
    return {
        "streams": [
            {
                "stream": {
                    "name": name,
                    "json_schema": {},
                    "supported_sync_modes": ["full_refresh"],
                },
                "sync_mode": "full_refresh",
                "destination_sync_mode": "append",
            }
            for name in names
        ]
    }


def of_list(url: str, facts: List, router: t.Any) -> dict[str, t.Any]:
    params = {
        name: value if isinstance(value, str) else "{{ " + str(list(value)) + " }}"
        for name, value in facts.params.items()
    }
    organization = ORGANIZATION
    if facts.by_account:
        params |= {
            "bank_account_id": "{{ stream_partition['bank_account_id'] }}",
            "status[]": "{{ stream_partition['status'] }}",
        }
        organization = "{{ stream_slice.extra_fields['organization_id'] }}"
    found = stream(
        url,
        facts.name,
        facts.path,
        [facts.envelope] if facts.envelope else [],
        params,
        {"X-Qonto-Organization-Id": organization},
    )
    retriever = found["retriever"]
    retriever["partition_router"] = router
    retriever["requester"]["http_method"] = facts.method
    if facts.body:
        retriever["requester"]["request_body_json"] = facts.body
    if facts.size:
        retriever["paginator"] = paginator(facts.size)
    found["transformations"] = [
        {
            "type": "AddFields",
            "fields": [
                {"type": "AddedFieldDefinition", "path": ["organization_id"], "value": organization}
            ],
        }
    ]
    return found


def stream(
    url: str,
    name: str,
    path: str,
    field_path: list[str],
    params: dict[str, t.Any],
    headers: dict[str, str],
) -> dict[str, t.Any]:
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": ["id"],
        "schema_loader": SCHEMA,
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {
                "type": "HttpRequester",
                "url_base": url,
                "path": path,
                "http_method": "GET",
                "authenticator": {
                    "type": "BearerAuthenticator",
                    "api_token": "{{ config['access_token'] }}",
                },
                "request_parameters": params,
                "request_headers": headers,
            },
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": field_path},
            },
        },
    }


def paginator(size: int) -> dict[str, t.Any]:
    return {
        "type": "DefaultPaginator",
        "page_token_option": {
            "type": "RequestOption",
            "inject_into": "request_parameter",
            "field_name": "page",
        },
        "page_size_option": {
            "type": "RequestOption",
            "inject_into": "request_parameter",
            "field_name": "per_page",
        },
        "pagination_strategy": {
            "type": "PageIncrement",
            "page_size": size,
            "start_from_page": 1,
            "inject_on_first_request": True,
        },
    }


def parent(
    stream: dict[str, t.Any], key: str, field: str, extra: list[list[str]] | None = None
) -> dict[str, t.Any]:
    return {
        "type": "ParentStreamConfig",
        "stream": stream,
        "parent_key": key,
        "partition_field": field,
        **({"extra_fields": extra} if extra else {}),
    }
