"""An API that is less helpful than its contract, and a consent for less than all."""

from __future__ import annotations

import typing as t

import pytest
from taps import catalog_of, every, keyed, named, read, truth, warehouse
from three import CATALOG, STREAMS, assert_whole, granted_little

if t.TYPE_CHECKING:
    from three import Config

    from demo.server import Received, Server


# -- consent and scopes ------------------------------------------------------------------------


def test_an_organization_that_leaves_the_consent_in_mid_run_is_asked_no_more(
    qonto: Server, config: Config, second: str
) -> None:
    def revoke(received: Received) -> None:
        if (received.path, received.organization_id) == ("/v2/cards", second):
            qonto.consent(one for one in every(qonto) if one != second)

    qonto.on_request = revoke
    before = len(qonto.requests)
    outcome = read(config(concurrency=1))
    asked = [one for one in qonto.requests[before:] if one.organization_id == second]
    refused = [one for one in asked if one.status == 403]
    assert outcome.code == 0
    assert 3 <= len(refused) <= 6, [one.path for one in refused]
    assert f"{named(qonto, second)}: no longer in the consent" in outcome.log
    others = [one for one in every(qonto) if one != second]
    for stream in STREAMS:
        rows = [row for one in others for row in truth(qonto, stream, one)]
        found = {k: v for k, v in warehouse(stream, outcome).items() if k[0] != second}
        assert found == keyed(stream, rows)


def test_a_plan_that_refuses_much_is_not_taken_for_a_consent_that_ended(
    qonto: Server, config: Config, second: str
) -> None:
    qonto.faults.add("status", status=403, path="/v2/[bc]", organization=second)
    outcome = read(config(concurrency=1))
    assert warehouse("labels", outcome) == keyed(
        "labels", [row for one in every(qonto) for row in truth(qonto, "labels", one)]
    )


def test_an_organization_that_left_the_consent_keeps_its_bookmarks(
    qonto: Server, config: Config, second: str
) -> None:
    settings = config()
    whole = read(settings, catalog=CATALOG)
    qonto.consent(one for one in every(qonto) if one != second)
    without = read(settings, catalog=CATALOG, state=whole.state)
    assert without.code == 0
    assert f"1 organizations of the state, such as {second}, are no longer" in without.log
    assert without.bookmark("transactions", second) == whole.bookmark("transactions", second)
    qonto.consent(every(qonto))
    back = read(settings, catalog=CATALOG, state=without.state)
    assert len(back.rows("transactions")) == 0


def test_scopes_that_were_not_granted_are_known_after_one_request(
    qonto: Server, config: Config
) -> None:
    settings = config(**granted_little(qonto))
    before = len(qonto.requests)
    outcome = read(settings)
    asked = [one.path for one in qonto.requests[before:]]
    assert outcome.code == 0
    refused = ("/v2/clients", "/v2/cards", "/v2/teams", "/v2/client_invoices")
    assert [asked.count(path) for path in refused] == [1, 1, 1, 1]
    assert outcome.rows("transactions")
    assert "skipped  cards" in outcome.log or ", cards" in outcome.log
    assert outcome.log.count("not granted the scope client_invoices.read") == 1
    assert "Switch it on for your application, then: tap-qonto-auth login" in outcome.log


def test_a_consent_list_that_is_refused_ends_the_run(qonto: Server, config: Config) -> None:
    qonto.faults.add("status", status=403, path="/v2/user_organizations")
    outcome = read(config(), catalog=CATALOG)
    assert (outcome.code, outcome.out) == (1, "")
    assert "user_organizations: " in outcome.log


def test_a_consent_for_nothing_is_said(qonto: Server, config: Config) -> None:
    qonto.consent([])
    outcome = read(config(), catalog=CATALOG)
    assert outcome.code == 0
    assert "There is no organization to read" in outcome.log


# -- an API that is less helpful than the contract says ----------------------------------------


def test_a_sort_that_is_refused_is_done_without(qonto: Server, config: Config) -> None:
    qonto.options.supplier_invoices_sort = False  # Q32
    settings, catalog = config(), catalog_of("supplier_invoices")
    first = read(settings, catalog=catalog)
    changed = [qonto.bank.edit("supplier_invoices", one)["id"] for one in list(every(qonto))[:2]]
    second = read(settings, catalog=catalog, state=first.state)
    qonto.options.supplier_invoices_sort = True
    rows = [row for one in every(qonto) for row in truth(qonto, "supplier_invoices", one)]
    assert (first.code, second.code) == (0, 0)
    assert "Qonto refuses how supplier_invoices is asked" in first.log
    assert warehouse("supplier_invoices", first, second) == keyed("supplier_invoices", rows)
    assert {row["id"] for row in second.rows("supplier_invoices")} == set(changed)


def test_a_filter_that_is_refused_is_done_without(qonto: Server, config: Config) -> None:
    settings = config(start_date="2001-01-01T00:00:00Z")  # Q29: too far in the past
    outcome = read(settings, catalog=catalog_of("beneficiaries_legacy"))
    rows = [row for one in every(qonto) for row in truth(qonto, "beneficiaries_legacy", one)]
    assert outcome.code == 0
    assert warehouse("beneficiaries_legacy", outcome) == keyed("beneficiaries_legacy", rows)


def test_a_filter_that_is_ignored_loses_nothing(qonto: Server, config: Config) -> None:
    settings = config()
    first = read(settings, catalog=CATALOG)
    qonto.options.clients_filter = False  # Q33
    qonto.bank.edit("clients", next(every(qonto)))
    second = read(settings, catalog=CATALOG, state=first.state)
    qonto.options.clients_filter = True
    assert (first.code, second.code) == (0, 0)
    assert_whole(qonto, first, second)


@pytest.mark.parametrize("body", [[], 7, {}, {"errors": [{"code": "x"}]}, {"subscription": []}])
def test_a_single_row_of_another_shape_is_a_failure_and_no_row_of_nulls(
    qonto: Server, config: Config, second: str, body: t.Any
) -> None:
    qonto.faults.add("nonsense", path="/v2/subscription", organization=second, body=body)
    outcome = read(config(), catalog=catalog_of("subscription"))
    assert outcome.code == 1
    failed = f"failed   subscription: {named(qonto, second)}: "
    assert f"{failed}the response is not" in outcome.log or f"{failed}Qonto answers" in outcome.log
    assert len(outcome.rows("subscription")) == 2


def test_a_list_below_a_row_that_is_refused_is_reported(
    qonto: Server, config: Config, second: str
) -> None:
    qonto.faults.add("status", status=403, path="/payments$", organization=second)
    outcome = read(config(), catalog=catalog_of("payment_link_payments"))
    assert f"skipped  payment_link_payments: {named(qonto, second)}: " in outcome.log
    assert {row["organization_id"] for row in outcome.rows("payment_link_payments")} == {
        next(every(qonto))
    }


def test_currencies_that_are_all_refused_are_a_failure(qonto: Server, config: Config) -> None:
    qonto.faults.add("status", status=422, path="/v2/international/currencies")
    outcome = read(config(), catalog=catalog_of("international_currencies"))
    assert outcome.code == 1
    assert "failed   international_currencies: 3 organizations" in outcome.log


def test_a_count_that_is_not_told_is_a_failure(qonto: Server, config: Config) -> None:
    qonto.options.total_count = "missing"
    outcome = read(config(), catalog=catalog_of("transaction_counts", "transactions"))
    qonto.options.total_count = "right"
    assert outcome.code == 1
    assert "failed   transaction_counts: 3 organizations" in outcome.log
    rows = [row for one in every(qonto) for row in truth(qonto, "transactions", one)]
    assert warehouse("transactions", outcome) == keyed("transactions", rows)


def test_a_catalog_that_selects_nothing_is_said(config: Config) -> None:
    outcome = read(config(), catalog={"streams": []})
    assert outcome.code == 0
    assert "The catalog selects no stream" in outcome.log


# -- what Qonto's pages tell since 2026-11 -------------------------------------------------------


def test_corridors_are_told_apart_by_the_currency_they_start_from(
    qonto: Server, config: Config
) -> None:
    stream = "international_currencies"
    outcome = read(config(), catalog=catalog_of(stream))
    rows = outcome.rows(stream)
    expected = [row for one in every(qonto) for row in truth(qonto, stream, one)]
    assert {row["source_currency"] for row in rows} == {"EUR", "USD"}
    assert len(rows) == len(warehouse(stream, outcome)) == len(expected)
    assert warehouse(stream, outcome) == keyed(stream, expected)


@pytest.mark.parametrize("filter_on_changes", ["honoured", "ignored", "refused"])
def test_changed_international_transfers_are_read_whatever_becomes_of_the_filter(
    qonto: Server, config: Config, filter_on_changes: str
) -> None:
    stream, settings = "international_transfers", config()
    catalog = catalog_of(stream)
    if filter_on_changes != "honoured":
        qonto.options.odd = frozenset([f"filter-{filter_on_changes}"])
    first = read(settings, catalog=catalog)
    changed = [
        qonto.bank.edit(stream, one, status="DECLINED")["id"] for one in list(every(qonto))[:2]
    ]
    second = read(settings, catalog=catalog, state=first.state)
    rows = [row for one in every(qonto) for row in truth(qonto, stream, one)]
    assert (first.code, second.code) == (0, 0)
    assert warehouse(stream, first, second) == keyed(stream, rows)
    assert set(changed) <= {row["id"] for row in second.rows(stream)}
    if filter_on_changes == "honoured":
        assert {row["id"] for row in second.rows(stream)} == set(changed)
    assert first.bookmark(stream, next(every(qonto))) != [None]


def test_matched_transactions_are_objects_in_whichever_form_they_come(
    qonto: Server, config: Config
) -> None:
    first, *_ = every(qonto)
    old, new = [row["id"] for row in qonto.bank.rows("supplier_invoices", first)][:2]
    match = {"subject_id": "s", "subject_type": "transfer", "transaction_id": "t2"}
    qonto.bank.edit("supplier_invoices", first, old, matched_transactions=["t1", None])
    qonto.bank.edit("supplier_invoices", first, new, matched_transactions=[match])
    outcome = read(config(), catalog=catalog_of("supplier_invoices"))
    rows = {row["id"]: row["matched_transactions"] for row in outcome.rows("supplier_invoices")}
    assert [one for one in rows[old] if one] == [{"transaction_id": "t1"}]
    assert rows[new] == [match]
