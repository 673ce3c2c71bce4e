"""How many requests a run takes: what is asked twice, or for nothing, is felt by everybody."""

from __future__ import annotations

import typing as t

from taps import catalog_of, read

from demo.server import running
from tap_qonto.streams import STREAMS

if t.TYPE_CHECKING:
    from demo.server import Server

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
    assert paths.count("/v2/transactions") == 5
    assert len(paths) <= 43


def test_transactions_of_twenty_organizations_take_little_more_than_a_request_each(
    store: str,
) -> None:
    with running(organizations=20, accounts=2, transactions=30, gates=False) as qonto:
        accounts = sum(len(one.accounts) for one in qonto.bank.organizations)
        paths = asked(qonto, store, "transactions")
    least = 1 + 20 + accounts  # the consents, each organization, each account
    assert least <= len(paths) <= least + 14
    assert paths.count("/v2/organization") == 20
