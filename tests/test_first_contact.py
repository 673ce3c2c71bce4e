"""The first answers of a real account: other than expected, and read all the same."""

from __future__ import annotations

import re
import typing as t

import pytest
from jsonschema import Draft7Validator
from taps import catalog_of, every, keyed, named, read, truth, warehouse
from three import CATALOG, assert_whole, granted_little

from demo.options import SCOPES
from demo.server import running
from tap_qonto.cli.authorization import SENSITIVE_SCOPES, asked_scopes

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from three import Config

    from demo.server import Server


@pytest.fixture
def options(qonto: Server) -> Iterator[t.Any]:
    before = vars(qonto.options).copy()
    yield qonto.options
    vars(qonto.options).update(before)


# -- the kind of session -----------------------------------------------------------------------


@pytest.mark.parametrize("told", ["untold", "short", "commas", "once"])
def test_the_user_flow_is_read_whatever_the_token_answer_says_of_scopes(
    qonto: Server, config: Config, options: t.Any, told: str
) -> None:
    options.odd = frozenset({f"scope-{told}"})
    settings = config()
    outcome = read(settings, catalog=CATALOG)
    assert outcome.code == 0
    assert "skipped" not in outcome.log
    assert_whole(qonto, outcome)
    again = read(settings, catalog=CATALOG, state=outcome.state)  # of a session that is stored
    assert again.code == 0
    assert "skipped" not in again.log


@pytest.mark.parametrize("told", ["short", "untold"])
def test_a_membership_is_known_by_what_it_is_refused(
    qonto: Server, config: Config, options: t.Any, told: str
) -> None:
    options.odd = frozenset({f"scope-{told}"})
    settings = config()
    second = list(every(qonto))[1]
    scope = " ".join(SCOPES - {"user_organization.read"})
    issued = qonto.issue(scope=scope, flow="membership", organizations=[second])
    settings["refresh_token"] = issued["refresh_token"]
    before = len(qonto.requests)
    outcome = read(settings, catalog=CATALOG)
    assert outcome.code == 0
    assert {row["organization_id"] for row in outcome.rows("labels")} == {second}
    assert keyed("labels", outcome.rows("labels")) == keyed(
        "labels", truth(qonto, "labels", second)
    )
    assert not [one for one in qonto.requests[before:] if one.organization_id]  # no header


def test_the_usual_session_costs_no_request_more(qonto: Server, config: Config) -> None:
    before = len(qonto.requests)
    read(config(), catalog=catalog_of("labels"))
    asked = [one.path for one in qonto.requests[before:] if one.path.startswith("/v2/")]
    assert sorted(asked) == ["/v2/labels"] * 3 + ["/v2/user_organizations"]


def test_scopes_that_were_not_granted_cost_a_request_and_not_one_per_organization(
    qonto: Server, config: Config
) -> None:
    settings = config(**granted_little(qonto))
    before = len(qonto.requests)
    outcome = read(settings, catalog=catalog_of("labels", "cards", "clients"))
    paths = [one.path for one in qonto.requests[before:]]
    assert outcome.code == 0
    assert [paths.count(f"/v2/{one}") for one in ("labels", "cards", "clients")] == [3, 1, 1]
    assert "skipped  cards: all organizations: the session was not granted" in outcome.log


def test_a_missing_scope_is_told_with_the_command_that_asks_for_it_too(
    qonto: Server, config: Config
) -> None:
    settings = config(**granted_little(qonto))
    outcome = read(settings, catalog=catalog_of("labels", "cards"))
    command = re.search(r'tap-qonto-auth login --scope "([^"]+)"', outcome.log)
    assert command
    assert asked_scopes(command[1]) == ("card.read", "organization.read")
    consented = f"offline_access user_organization.read {command[1]}"
    settings["refresh_token"] = qonto.issue(scope=consented)["refresh_token"]
    again = read(settings, catalog=catalog_of("labels", "cards"))
    assert "skipped" not in again.log
    rows = [row for one in every(qonto) for row in truth(qonto, "cards", one)]
    assert warehouse("cards", again) == keyed("cards", rows)


def test_invoices_alone_are_read_without_the_scope_that_qonto_has_to_approve(
    qonto: Server, store: str
) -> None:
    scopes = asked_scopes("invoices")
    assert not {*scopes} & {*SENSITIVE_SCOPES}
    settings = qonto.config(token_store=store)
    scope = " ".join(("offline_access", "user_organization.read", *scopes))
    settings["refresh_token"] = qonto.issue(scope=scope)["refresh_token"]
    outcome = read(settings)
    assert outcome.code == 0
    for stream in ("clients", "client_invoices", "credit_notes", "supplier_invoices", "suppliers"):
        rows = [row for one in every(qonto) for row in truth(qonto, stream, one)]
        assert warehouse(stream, outcome) == keyed(stream, rows), stream


def test_a_refusal_for_another_reason_than_the_scope_hides_no_other_organization(
    qonto: Server, config: Config, options: t.Any
) -> None:
    options.odd = frozenset({"scope-short"})
    first, *others = every(qonto)
    qonto.faults.add("status", status=403, path="/v2/cards$", organization=first)
    outcome = read(config(), catalog=catalog_of("cards"))
    rows = [row for one in others for row in truth(qonto, "cards", one)]
    assert warehouse("cards", outcome) == keyed("cards", rows)


# -- organizations -----------------------------------------------------------------------------


def test_organizations_in_pages_are_all_read(qonto: Server, config: Config, options: t.Any) -> None:
    options.odd = frozenset({"organizations-paged"})
    outcome = read(config(), catalog=catalog_of("labels", "user_organizations"))
    assert {row["id"] for row in outcome.rows("user_organizations")} == {*every(qonto)}
    rows = [row for one in every(qonto) for row in truth(qonto, "labels", one)]
    assert warehouse("labels", outcome) == keyed("labels", rows)


def test_an_organization_whose_id_fits_no_header_is_reported_alone(
    qonto: Server, config: Config
) -> None:
    rows = qonto.bank.user_organizations([*every(qonto)])
    body = {"organizations": [*rows, {**rows[0], "id": "a\r\nX-Evil: 1", "name": "Odd SAS"}]}
    qonto.faults.add("nonsense", body=body, path="/v2/user_organizations")
    outcome = read(config(), catalog=CATALOG)
    assert outcome.code == 1
    assert "failed   user_organizations: all organizations: the organization Odd SAS" in outcome.log
    assert_whole(qonto, outcome)


def test_accounts_without_id_are_found_in_the_list_of_accounts(
    qonto: Server, config: Config, options: t.Any, second: str
) -> None:
    options.odd = frozenset({"accounts-without-id"})
    streams = ("transactions", "bank_accounts", "bank_account_balances", "international_currencies")
    outcome = read(config(), catalog=catalog_of(*streams))
    assert outcome.code == 0
    for stream in ("transactions", "bank_accounts"):
        rows = [row for one in every(qonto) for row in truth(qonto, stream, one)]
        assert warehouse(stream, outcome) == keyed(stream, rows)
    balances = [
        row for row in outcome.rows("bank_account_balances") if row["organization_id"] == second
    ]
    assert {row["bank_account_id"] for row in balances} == {
        row["id"] for row in truth(qonto, "bank_accounts", second)
    }


@pytest.mark.parametrize(
    "odd",
    [
        "amounts-as-text",
        "floats",
        "no-dates",
        "nulls-in-lists",
        "ids-for-objects",
        "new-fields",
    ],
)
def test_rows_with_odd_values_are_all_read_and_fit_their_schemas(
    qonto: Server, config: Config, options: t.Any, odd: str
) -> None:
    streams = ("transactions", "bank_accounts", "clients", "supplier_invoices", "client_invoices")
    expected = {
        stream: {key for one in every(qonto) for key in keyed(stream, truth(qonto, stream, one))}
        for stream in streams
    }
    options.odd = frozenset({odd})
    outcome = read(config(), catalog=catalog_of(*streams))
    assert outcome.code == 0
    schemas = {one["stream"]: one["schema"] for one in outcome.types("SCHEMA")}
    for stream in streams:
        assert warehouse(stream, outcome).keys() == expected[stream]
        for row in outcome.rows(stream):
            Draft7Validator(schemas[stream]).validate(row)
    if odd == "new-fields":
        assert all(
            row["unknown_fields"]["brand_new"] == {"a": 1} for row in outcome.rows("transactions")
        )
        assert "new      transactions: 'brand_new' is not in the schema" in outcome.log
        row = outcome.rows("client_invoices")[0]
        assert row["unknown_fields"]["client.brand_new"] == {"a": 1}
        assert "brand_new" not in row["client"]


# -- rows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", [None, {}, "x" * 0])
def test_one_row_without_its_key_is_set_aside_and_the_others_are_read(
    qonto: Server, config: Config, second: str, id_: t.Any
) -> None:
    rows = [dict(row) for row in qonto.bank.rows("labels", second)]
    rows[1]["id"] = id_
    if id_ is None:
        del rows[1]["id"]
    qonto.faults.add("nonsense", body={"labels": rows}, path="/v2/labels$", organization=second)
    outcome = read(config(), catalog=catalog_of("labels"))
    found = [row for row in outcome.rows("labels") if row["organization_id"] == second]
    lost = 1 if not isinstance(id_, (dict, str)) else 0
    assert len(found) == len(rows) - lost
    if lost:
        told = f"warned   labels: {named(qonto, second)}: 1 rows without id, their key: set aside"
        assert told in outcome.log
    assert outcome.code == 0


@pytest.mark.parametrize("stream", ["subscription", "membership", "einvoicing_settings"])
@pytest.mark.parametrize(
    "body",
    [
        {"status": 500, "reason": "oops"},
        {"errors": [{"code": "internal"}]},
        {"code": 503, "id": "1"},
        {"error": "nothing", "id": "1"},
    ],
)
def test_a_200_whose_body_is_an_error_is_no_row(
    qonto: Server, config: Config, second: str, stream: str, body: t.Any
) -> None:
    path = {"einvoicing_settings": "/v2/einvoicing/settings"}.get(stream, f"/v2/{stream}$")
    qonto.faults.add("nonsense", body=body, path=path, organization=second)
    outcome = read(config(), catalog=catalog_of(stream))
    assert outcome.code == 1
    assert (
        f"failed   {stream}: {named(qonto, second)}: Qonto answers 200 with an error" in outcome.log
    )
    assert second not in {row["organization_id"] for row in outcome.rows(stream)}


def test_ids_that_are_numbers_or_paths_reach_the_address_quoted(
    qonto: Server, config: Config, second: str
) -> None:
    links = [{"id": 7, "status": "open"}, {"id": "../../x?y=1"}, {"id": ".."}]
    qonto.faults.add("nonsense", body={"payment_links": links}, path="links$", organization=second)
    before = len(qonto.requests)
    outcome = read(config(), catalog=catalog_of("payment_link_payments", "payment_links"))
    asked = {
        one.path
        for one in qonto.requests[before:]
        if one.organization_id == second and one.path.endswith("/payments")
    }
    assert asked == {"/v2/payment_links/7/payments", "/v2/payment_links/../../x?y=1/payments"}
    assert "tap itself" not in outcome.log


def test_a_session_store_is_not_needed_to_find_the_flow(tmp_path: Path) -> None:
    with running(organizations=2, transactions=10, gates=False) as qonto:
        first = next(every(qonto))
        settings = {
            **qonto.config(token_store=f"sqlite:///{tmp_path / 's.db'}"),
            **qonto.api_key(first),
        }
        for name in ("client_id", "client_secret", "refresh_token", "token_store"):
            settings.pop(name, None)
        outcome = read(settings, catalog=catalog_of("labels"))
        assert {row["organization_id"] for row in outcome.rows("labels")} == {first}


# -- keys that fit no key column ---------------------------------------------------------------


def test_a_key_that_is_too_long_is_set_aside_and_told_and_no_record_breaks_its_schema(
    qonto: Server, config: Config, second: str
) -> None:
    rows = [dict(row) for row in qonto.bank.rows("labels", second)]
    rows[0]["id"], rows[1]["id"] = "x" * 200, "y" * 128
    qonto.faults.add("nonsense", body={"labels": rows}, path="/v2/labels$", organization=second)
    outcome = read(config(), catalog=catalog_of("labels"))
    found = {row["id"] for row in outcome.rows("labels") if row["organization_id"] == second}
    assert found == {row["id"] for row in rows[1:]}
    assert outcome.code == 0
    assert f"labels: {named(qonto, second)}: 1 rows without id, their key: set aside" in outcome.log
    assert "null     labels: id was longer than a key may be in" in outcome.log
    (schema,) = (one["schema"] for one in outcome.types("SCHEMA"))
    for row in outcome.rows("labels"):
        Draft7Validator(schema).validate(row)


def test_an_account_whose_id_fits_no_address_is_reported_and_the_others_are_read(
    qonto: Server, config: Config, second: str
) -> None:
    accounts = [dict(row) for row in qonto.bank.rows("bank_accounts", second)]
    odd, *others = accounts
    odd["id"] = "x" * 200
    body: dict[str, t.Any] = {"organization": {"id": second, "bank_accounts": accounts}}
    qonto.faults.add("nonsense", body=body, path="/v2/organization$", organization=second)
    body = {"bank_accounts": accounts}
    qonto.faults.add("nonsense", body=body, path="/v2/bank_accounts$", organization=second)
    outcome = read(config(), catalog=catalog_of("transactions"))
    assert outcome.code == 1
    assert "a bank account came without an id that fits an address: not read" in outcome.log
    wanted = {one["id"] for one in others}
    rows = [row for row in truth(qonto, "transactions", second) if row["bank_account_id"] in wanted]
    found = {
        key: row for key, row in warehouse("transactions", outcome).items() if key[0] == second
    }
    assert found == keyed("transactions", rows)
