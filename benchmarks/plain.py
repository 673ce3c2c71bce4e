"""A tap as one writes it with the SDK in an afternoon: `RESTStream`, parent and child, pages.

Nothing here is made slow on purpose, and nothing is made fast: it is what the SDK gives.
"""

from __future__ import annotations

import sys
import typing as t

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.pagination import BasePageNumberPaginator

from benchmarks.lists import STATUSES, List, lists
from tap_qonto.api.contract import CONTRACT

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    import requests
    from singer_sdk.helpers.types import Context, Record


class Pages(BasePageNumberPaginator):
    """Counts pages as `meta` tells."""

    def has_more(self, response: requests.Response) -> bool:
        meta = response.json().get("meta") or {}
        return self.current_value < (meta.get("total_pages") or 0)


class QontoStream(RESTStream[int]):
    """A list of one organization."""

    facts: t.ClassVar[List]
    # the SDK's default fails on objects without properties; this is also the cheaper one
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.ROOT_ONLY

    @property
    def url_base(self) -> str:
        return t.cast("str", self.config["api_url"])

    @property
    def http_headers(self) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.config['access_token']}"}
        if self.context:
            headers["X-Qonto-Organization-Id"] = self.context["organization_id"]
        return headers

    def get_new_paginator(self) -> Pages | None:
        return Pages(1) if self.facts.size else None

    def get_url_params(self, context: Context | None, next_page_token: int | None) -> t.Any:
        params: dict[str, t.Any] = {**self.facts.params}
        if self.facts.size:
            params |= {"per_page": self.facts.size, "page": next_page_token or 1}
        if self.facts.by_account and context:
            params["bank_account_id"] = context["bank_account_id"]
            params["status[]"] = context["status"]
        if self.facts.since and (since := self.get_starting_timestamp(context)):
            params[self.facts.since] = since.isoformat()
        return params

    def prepare_request_payload(self, *_: t.Any) -> t.Any:
        return self.facts.body

    @property
    def records_jsonpath(self) -> str:
        return self.facts.rows

    def post_process(self, row: Record, context: Context | None = None) -> Record:
        if context:
            row["organization_id"] = context["organization_id"]
        return row


class UserOrganizations(QontoStream):
    """The parent of all."""

    name = "user_organizations"
    path = "/v2/user_organizations"
    primary_keys = ("id",)
    schema = CONTRACT.resolve_schema("user_organizations")
    facts = List(
        "", "", "", None, "$.organizations[*]", {}, None, None, by_account=False, body=None
    )

    def get_child_context(self, record: Record, context: Context | None) -> dict[str, t.Any]:  # noqa: ARG002
        return {"organization_id": record["id"]}


def declared(facts: List, parent: type[QontoStream]) -> type[QontoStream]:
    """The class one would write for a list."""
    return type(
        facts.name.title().replace("_", ""),
        (QontoStream,),
        {
            "name": facts.name,
            "path": facts.path,
            "http_method": facts.method,
            "schema": CONTRACT.resolve_schema(facts.name),
            "primary_keys": ("organization_id", "id"),
            "replication_key": "updated_at" if facts.since else None,
            "parent_stream_type": parent,
            "facts": facts,
        },
    )


ALL = {facts.name: facts for facts in lists()}


class BankAccounts(declared(ALL["bank_accounts"], UserOrganizations)):  # type: ignore[misc]
    """Accounts, the parents of transactions: one child for each status."""

    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[dict[str, t.Any]]:
        for status in STATUSES:
            yield {**(context or {}), "bank_account_id": record["id"], "status": status}


class PlainTap(Tap):
    """All of them, or those that `only` names."""

    name = "tap-plain"
    config_jsonschema = th.PropertiesList(
        th.Property("api_url", th.StringType, required=True),
        th.Property("access_token", th.StringType, required=True),
        th.Property("only", th.ArrayType(th.StringType)),
    ).to_dict()

    def discover_streams(self) -> list[QontoStream]:
        classes: list[type[QontoStream]] = [UserOrganizations, BankAccounts]
        for facts in ALL.values():
            if facts.name != "bank_accounts":
                parent = BankAccounts if facts.by_account else UserOrganizations
                classes.append(declared(facts, parent))
        only = self.config.get("only")
        return [one(self) for one in classes if not only or one.name in only]


if __name__ == "__main__":
    sys.argv[0] = "tap-plain"
    PlainTap.cli()
