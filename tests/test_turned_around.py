"""Each assumption turned around: a run reads all there is, and the doctor tells just that one."""

from __future__ import annotations

import json
import typing as t

import pytest
from pages.first_contact import ALL, BEHAVIOURS, Behaviour
from taps import Outcome, catalog_of, every, keyed, read, truth, warehouse

from demo.odd import ODD
from demo.server import running
from tap_qonto.cli.doctor.assumptions import ASSUMPTIONS
from tap_qonto.cli.doctor.examination import examine
from tap_qonto.settings import Settings
from tap_qonto.streams import STREAMS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.server import Server

HISTORIES = {"bank_account_balances", "transaction_counts"}  # dated by when they are asked
LISTS = {one.name for one in STREAMS} - HISTORIES - {"organization", "user_organizations"}
QUICK = {"end-refused", "status-unknown", "errors-as-rows", "keys-long"}
SMALL = {"organizations": 2, "transactions": 16, "accounts": 2, "deepest": 4}
LARGER: dict[str, dict[str, int]] = {
    "organizations-paged": {"organizations": 3, "transactions": 16},
    "size-capped": {"organizations": 1, "transactions": 200},
    "ids-for-objects": {"organizations": 1, "transactions": 200},  # with invoices that are paid
    **{
        one.name: {"organizations": 1, "transactions": 700, "deepest": 200}
        for one in BEHAVIOURS
        if one.name.startswith("deep-")
    },
}
OF_LARGER = {"transactions", "supplier_invoices", "labels"}


@pytest.fixture(scope="module")
def small() -> Iterator[Server]:
    with running(**SMALL, gates=False) as server:
        yield server


@pytest.fixture
def qonto(small: Server, behaviour: Behaviour) -> Iterator[Server]:
    """A server that does so."""
    if behaviour.name in LARGER:
        with running(**LARGER[behaviour.name], gates=False) as server:
            turn(server.options, behaviour.name)
            yield server
    else:
        before = vars(small.options).copy()
        turn(small.options, behaviour.name)
        yield small
        vars(small.options).update(before)


def turn(options: t.Any, name: str) -> None:
    """Let the demo do so from now on."""
    option, _, value = name.partition("=")
    if not value:
        options.odd = frozenset([name])
    elif option == "retired":
        options.retired = frozenset([value])
    else:
        setattr(options, option, {"false": False}.get(value, value))


def test_every_behaviour_of_the_demo_and_every_check_has_its_row() -> None:
    assert {one.name for one in BEHAVIOURS} >= {*ODD}
    checked = {one.number for one in ASSUMPTIONS if one.check}
    assert {number for one in BEHAVIOURS for number in one.numbers} == checked - {1}


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(one, id=one.name, marks=[] if one.name in QUICK else pytest.mark.slow)
        for one in BEHAVIOURS
    ],
)
def test_a_run_reads_all_there_is_and_the_doctor_tells_what_is_otherwise(
    qonto: Server, store: str, behaviour: Behaviour
) -> None:
    settings = qonto.config(token_store=store)
    streams = OF_LARGER if behaviour.name in LARGER else LISTS
    outcome = read({**settings, "start_date": "2020-01-01"}, catalog=catalog_of(*streams))
    assert outcome.code == behaviour.code, outcome.log
    assert behaviour.told in outcome.log
    for stream in streams:
        assert_read(qonto, outcome, behaviour, stream)
    assert_told(settings, behaviour)


def assert_read(qonto: Server, outcome: Outcome, behaviour: Behaviour, stream: str) -> None:
    """All keys are there, but for what the behaviour hides."""
    rows = [row for one in every(qonto) for row in truth(qonto, stream, one)]
    found, wanted = {*warehouse(stream, outcome)}, {*keyed(stream, rows)}
    if behaviour.name == "keys-twice":  # what is there twice depends on the page
        assert found or not wanted, stream
    elif behaviour.without == ALL or stream in behaviour.without:
        assert found <= wanted, stream
    else:
        assert found == wanted, stream


def assert_told(settings: dict[str, t.Any], behaviour: Behaviour) -> None:
    """Exactly the assumptions concerned do not hold."""
    found = examine(Settings.from_config(settings))
    wrong = {one.number: finding for one, finding in found.findings if finding.verdict[0] == "d"}
    assert {*wrong} == {*behaviour.numbers}, wrong
    assert all(one.seen for one in wrong.values())
    assert json.dumps(found.report)
