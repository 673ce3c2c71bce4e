"""How many requests a run takes: what is asked twice, or for nothing, is felt by everybody."""

from __future__ import annotations

import typing as t

from taps import catalog_of, read

from demo.server import running
from tap_qonto.streams import STREAMS

if t.TYPE_CHECKING:
    from demo.server import Server

BALANCES = ("balance_cents", "authorized_balance_cents")
BY_DEFAULT = [one.name for one in STREAMS if one.selected_by_default]


def asked(qonto: Server, store: str, *streams: str) -> list[str]:
    """The paths of the data requests of a run."""
    before = len(qonto.requests)
    outcome = read(qonto.config(token_store=store), catalog=catalog_of(*streams))
    assert outcome.code == 0, outcome.log
    return [one.path for one in qonto.requests[before:] if one.path.startswith("/v2/")]


def test_an_organization_whose_lists_are_empty_is_asked_for_each_once(store: str) -> None:
    with running(organizations=5, transactions=10, gates=False) as qonto:  # the last is empty
        qonto.consent([qonto.bank.organizations[-1].id])
        paths = asked(qonto, store, *BY_DEFAULT)
    # of an account without rows nothing tells that statuses come together: each is asked for
    assert {path for path in paths if paths.count(path) > 1} == {"/v2/transactions"}
    assert paths.count("/v2/transactions") == 4
    own = [path for path in paths if path != "/v2/user_organizations"]
    assert len(own) <= 41


def test_transactions_of_twenty_organizations_take_little_more_than_a_request_each(
    store: str,
) -> None:
    with running(organizations=20, accounts=2, transactions=30, gates=False) as qonto:
        accounts = sum(len(one.accounts) for one in qonto.bank.organizations)
        paths = asked(qonto, store, "transactions")
    least = 1 + 20 + accounts  # the consents, each organization, each account
    assert least <= len(paths) <= least + 14
    assert paths.count("/v2/organization") == 20


def test_accounts_that_hold_nothing_are_not_asked_whether_statuses_come_together(
    store: str,
) -> None:
    with running(organizations=1, accounts=6, transactions=120, gates=False) as qonto:
        (organization,) = (one.id for one in qonto.bank.organizations)
        *empty, last = qonto.bank.rows("bank_accounts", organization)
        gone, none = {account["id"] for account in empty}, dict.fromkeys(BALANCES, 0)
        for one in gone:
            qonto.bank.edit("bank_accounts", organization, one, **none)
        for row in qonto.bank.rows("transactions", organization):
            if row["bank_account_id"] in gone:
                qonto.bank.delete("transactions", organization, row["id"])
        asked(qonto, store, "transactions")
        queries = [one.query for one in qonto.requests if one.path == "/v2/transactions"]
    of_last = [query for query in queries if ("bank_account_id", last["id"]) in query]
    assert len(of_last) == 2  # whether they come together, and all of them
    assert len(empty) >= 3  # as many as are asked in vain
    assert len(queries) == 4 * len(empty) + len(of_last)


def test_a_status_that_is_refused_costs_an_account_without_money_no_other(store: str) -> None:
    with running(organizations=5, transactions=10, gates=False, odd=["status-unknown"]) as qonto:
        qonto.consent([qonto.bank.organizations[-1].id])
        outcome = read(qonto.config(token_store=store), catalog=catalog_of("transactions"))
    assert outcome.code == 0, outcome.log
    assert "does not accept the status reversed (422)" in outcome.log
    (partition,) = outcome.state["bookmarks"]["transactions"]["partitions"]
    assert partition["statuses"] == ["pending", "completed", "declined"]
