"""What a run asks for: no more at a time than is allowed, and nothing twice."""

from __future__ import annotations

import typing as t
from collections import Counter

import pytest
from taps import catalog_of, every, keyed, read, truth

from demo.server import running
from tap_qonto.tap import TapQonto

if t.TYPE_CHECKING:
    from three import Config

    from demo.server import Server


@pytest.mark.parametrize("concurrency", [1, 5])
def test_no_more_requests_are_in_flight_than_concurrency_allows(
    store: str, concurrency: int
) -> None:
    with running(organizations=4, transactions=120, latency=0.01) as qonto:
        outcome = read(
            qonto.config(token_store=store, concurrency=concurrency),
            catalog=catalog_of("transactions", "labels", "clients", "statements"),
        )
        assert outcome.code == 0
        moments = [(one.started, 1) for one in qonto.requests]
        moments += [(one.ended, -1) for one in qonto.requests]
        flying = most = 0
        for _, step in sorted(moments):
            flying += step
            most = max(most, flying)
        assert most == concurrency


def test_nothing_is_asked_twice_for_streams_that_share_an_answer(
    qonto: Server, config: Config
) -> None:
    before = len(qonto.requests)
    catalog = catalog_of("organization", "bank_account_balances", "international_currencies")
    read(config(), catalog=catalog)
    paths = Counter(
        (one.path, one.organization_id) for one in qonto.requests[before:] if "/v2/org" in one.path
    )
    assert set(paths.values()) == {1}


def test_the_rows_of_a_partition_can_be_had_without_a_sync(qonto: Server, config: Config) -> None:
    tap = TapQonto(config=config())
    labels = tap.streams["labels"]
    try:
        rows: list[t.Any] = [
            row for one in labels.partitions or () for row in labels.get_records(one)
        ]
    finally:
        tap.run.close()
    expected = [row for one in every(qonto) for row in truth(qonto, "labels", one)]
    assert keyed("labels", rows) == keyed("labels", expected)
