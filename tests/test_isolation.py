"""What goes wrong with one stream of one organization stays there; the end says what and why."""

from __future__ import annotations

import gc
import typing as t

import pytest
from taps import catalog_of, every, keyed, named, names, read, truth, warehouse
from three import CATALOG, STREAMS, assert_whole, strike

from tap_qonto.streams.nested import PerAccountStream

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from three import Config

    from demo.server import Received, Server


# -- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "why"),
    [(403, "scope, role, plan or consent"), (404, "switched off"), (410, "retired")],
)
def test_what_qonto_refuses_is_skipped_and_reported(
    qonto: Server, config: Config, places: list[tuple[str, str]], status: int, why: str
) -> None:
    strike(qonto, places, status=status)
    outcome = read(config(), catalog=CATALOG)
    assert outcome.code == 0
    assert_whole(qonto, outcome, but=places)
    lines = [line for line in outcome.log.splitlines() if line.startswith("skipped")]
    assert len(lines) == 2
    for stream, organization_id in places:
        assert f"skipped  {stream}: {named(qonto, organization_id)}: " in outcome.log
    assert all(why in line for line in lines)


def test_an_organization_whose_accounts_are_refused_keeps_its_other_streams(
    qonto: Server, config: Config, second: str
) -> None:
    qonto.faults.add("status", status=403, path="/v2/organization$", organization=second)
    streams = (*STREAMS, "bank_account_balances", "organization")
    outcome = read(config(), catalog=catalog_of(*streams))
    assert outcome.code == 0
    line = f"skipped  bank_account_balances, organization, transactions: {named(qonto, second)}: "
    assert line in outcome.log
    assert_whole(qonto, outcome, but=[("transactions", second)])


def test_on_denied_fail_makes_a_refusal_a_failure(
    qonto: Server, config: Config, second: str
) -> None:
    strike(qonto, [("labels", second)], status=403)
    outcome = read(config(on_denied="fail"), catalog=CATALOG)
    assert outcome.code == 1
    assert f"failed   labels: {named(qonto, second)}" in outcome.log
    assert_whole(qonto, outcome, but=[("labels", second)])


# -- failed ------------------------------------------------------------------------------------

FAULTS: dict[str, dict[str, t.Any]] = {
    "an error of the server": {"kind": "status", "status": 500},
    "a rejection": {"kind": "status", "status": 422},
    "a web page": {"kind": "html"},
    "no body": {"kind": "empty"},
    "half a body": {"kind": "truncated"},
    "rows that are a text": {"kind": "wrong_type"},
    "null": {"kind": "nonsense", "body": None},
    "a number": {"kind": "nonsense", "body": 7},
    "a list of numbers": {"kind": "nonsense", "body": [1, 2]},
    "an error with status 200": {"kind": "nonsense", "body": {"errors": []}},
    "rows without a key": {"kind": "nonsense", "body": {"rows": [{"a": 1}]}},
    "a cut connection": {"kind": "cut", "when": "mid"},
}


@pytest.mark.usefixtures("without_waiting")
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_what_fails_is_reported_and_its_bookmark_stays(
    qonto: Server, config: Config, places: list[tuple[str, str]], fault: dict[str, t.Any]
) -> None:
    strike(qonto, places, **fault)
    failed = read(config(), catalog=CATALOG)
    assert all(one.struck for one in qonto.faults.rules())
    assert failed.code == 1
    assert "Traceback" not in failed.log
    for stream, organization_id in places:
        assert f"failed   {stream}: {named(qonto, organization_id)}: " in failed.log
    assert_whole(qonto, failed, but=places)
    assert not any(failed.bookmark(*places[1]))
    assert any(failed.bookmark(places[1][0], places[0][1]))


def test_a_stream_that_takes_no_token_is_not_mistaken_for_a_session_that_ended(
    qonto: Server, config: Config
) -> None:
    qonto.faults.add("unauthorized", path="/v2/transactions$")
    outcome = read(config(), catalog=CATALOG)
    assert outcome.code == 1
    assert "failed   transactions: 3 organizations" in outcome.log
    assert_whole(qonto, outcome, but=[("transactions", one) for one in every(qonto)])


@pytest.fixture
def _without_collector() -> Iterator[None]:
    """Else what other tests left behind may be finalised at the bottom of a deep recursion."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_waiting", "_without_collector")
def test_an_answer_that_is_nested_beyond_reason_is_a_failure(
    qonto: Server, config: Config, second: str
) -> None:
    body = b'{"labels":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    strike(qonto, [("labels", second)], "nonsense", body=body)
    outcome = read(config(), catalog=CATALOG)
    assert f"failed   labels: {named(qonto, second)}: the response is not the JSON" in outcome.log
    assert_whole(qonto, outcome, but=[("labels", second)])


@pytest.mark.usefixtures("without_waiting")
def test_what_fails_is_read_by_the_next_run_from_the_bookmark_before(
    qonto: Server, config: Config, second: str
) -> None:
    settings = config()
    whole = read(settings, catalog=CATALOG)
    before = whole.bookmark("clients", second)
    assert before != [None]
    strike(qonto, [("clients", second)], status=500)
    qonto.bank.edit("clients", second)
    failed = read(settings, catalog=CATALOG, state=whole.state)
    assert failed.bookmark("clients", second) == before
    qonto.faults.clear()
    assert_whole(qonto, whole, failed, read(settings, catalog=CATALOG, state=failed.state))


@pytest.mark.usefixtures("without_waiting")
def test_an_organization_whose_accounts_are_unreadable_loses_no_other(
    qonto: Server, config: Config, second: str
) -> None:
    qonto.faults.add("wrong_type", path="/v2/organization$", organization=second)
    qonto.faults.add("wrong_type", path="/v2/bank_accounts$", organization=second)
    outcome = read(config(), catalog=CATALOG)
    assert outcome.code == 1
    failed = (
        f"failed   transactions: {named(qonto, second)}: bank_accounts: the response is not the"
    )
    assert failed in outcome.log
    assert_whole(qonto, outcome, but=[("transactions", second)])


def test_a_mistake_of_the_tap_itself_stays_in_its_partition(
    qonto: Server, config: Config, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = PerAccountStream.walk

    # a bug has to be put in, since none is known
    def mistaken(self: t.Any, context: t.Any, fetch: t.Any, since: t.Any) -> t.Any:
        if context["organization_id"] == second:
            raise ZeroDivisionError
        return (yield from walk(self, context, fetch, since))

    monkeypatch.setattr(PerAccountStream, "walk", mistaken)
    outcome = read(config(), catalog=CATALOG)
    assert outcome.code == 1
    assert f"{named(qonto, second)}: an error of the tap itself (ZeroDivisionError)" in outcome.log
    assert_whole(qonto, outcome, but=[("transactions", second)])


def test_a_stream_whose_partitions_can_not_be_found_loses_no_other(
    qonto: Server, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(_: t.Any) -> t.Any:
        raise ZeroDivisionError

    monkeypatch.setattr(PerAccountStream, "contexts", mistaken)
    outcome = read(config(), catalog=CATALOG)
    assert outcome.code == 1
    assert "failed   transactions: all organizations: an error of the tap itself" in outcome.log
    assert_whole(qonto, outcome, but=[("transactions", one) for one in every(qonto)])


@pytest.mark.usefixtures("_without_collector")
def test_a_row_that_is_nested_deeply_ends_its_partition_at_most(
    qonto: Server, config: Config, second: str
) -> None:
    for depth in (300, 900):
        name = b"[" * depth + b"]" * depth
        body = b'{"labels":[{"id":"1","name":%s}],"meta":{"total_pages":1}}' % name
        fault = qonto.faults.add("nonsense", path="/v2/labels$", organization=second, body=body)
        outcome = read(config(), catalog=catalog_of("labels", "teams"))
        qonto.faults.remove(fault)
        assert outcome.code in {0, 1}
        assert "Traceback" not in outcome.log
        assert len(outcome.rows("teams")) == sum(
            len(truth(qonto, "teams", o)) for o in every(qonto)
        )
        others = {row["organization_id"] for row in outcome.rows("labels")} - {second}
        assert others == {next(every(qonto))}


def test_a_row_that_a_stream_map_fails_on_ends_its_partition_only(
    qonto: Server, config: Config
) -> None:
    maps = {"labels": {"name": "name + 1"}}
    outcome = read(config(stream_maps=maps), catalog=CATALOG)
    assert outcome.code == 1
    assert outcome.rows("labels") == []
    assert "failed   labels: 2 organizations" in outcome.log
    assert "stream_maps" in outcome.log
    for stream in ("clients", "transactions"):
        rows = [row for one in every(qonto) for row in truth(qonto, stream, one)]
        assert warehouse(stream, outcome) == keyed(stream, rows)


@pytest.mark.usefixtures("without_waiting")
def test_request_ids_do_not_make_a_line_each(qonto: Server, config: Config) -> None:
    qonto.faults.add("status", status=422, path="/v2/labels$")
    outcome = read(config(), catalog=catalog_of("labels"))
    lines = [line for line in outcome.log.splitlines() if line.startswith("failed")]
    assert len(lines) == 1
    assert "3 organizations, such as" in lines[0]


# -- streams of several lists ------------------------------------------------------------------


def test_a_parent_row_that_is_deleted_meanwhile_is_passed_over(
    qonto: Server, config: Config, second: str
) -> None:
    gone = next(iter(qonto.bank.children("payment_link_payments", second)))
    qonto.faults.add("status", status=404, path=f"/v2/payment_links/{gone}/payments$")
    outcome = read(config(), catalog=catalog_of("payment_link_payments"))
    expected = [
        row
        for one in every(qonto)
        for row in truth(qonto, "payment_link_payments", one)
        if row["payment_link_id"] != gone
    ]
    assert outcome.code == 0
    assert warehouse("payment_link_payments", outcome) == keyed("payment_link_payments", expected)


def test_a_list_that_is_refused_below_every_parent_row_is_reported(
    qonto: Server, config: Config
) -> None:
    qonto.faults.add("status", status=404, path="/v2/payment_links/.*/payments$")
    outcome = read(config(), catalog=catalog_of("payment_link_payments"))
    assert "skipped  payment_link_payments: 2 organizations" in outcome.log


def test_a_currency_that_is_not_accepted_is_passed_over(qonto: Server, config: Config) -> None:
    def choose(received: Received) -> None:
        if received.path == "/v2/international/beneficiaries":
            fault.times = fault.struck + ("USD" in dict(received.query).values())

    fault = qonto.faults.add("status", status=422, path="/v2/international/ben", times=1)
    qonto.on_request = choose
    outcome = read(config(), catalog=catalog_of("international_beneficiaries"))
    assert outcome.code == 0
    assert "Qonto does not accept the currency" in outcome.log
    assert outcome.rows("international_beneficiaries")


# -- odd rows ----------------------------------------------------------------------------------


def test_dates_that_no_column_takes_leave_as_null_and_are_counted(
    qonto: Server, config: Config, second: str
) -> None:
    body = {
        "clients": [
            {"id": "1", "name": "Ada\x00", "created_at": "0000-00-00T00:00:00Z"},
            {"id": "2", "name": "Bo", "created_at": "", "updated_at": 1_700_000_000, "new": 1},
        ],
        "meta": {"total_pages": 1, "total_count": 2},
    }
    qonto.faults.add("nonsense", body=body, path="/v2/clients$", organization=second)
    outcome = read(config(), catalog=catalog_of("clients"))
    rows = [row for row in outcome.rows("clients") if row["organization_id"] == second]
    assert rows == [
        {
            "organization_id": second,
            "id": "1",
            "name": "Ada",
            "created_at": None,
            "unknown_fields": {"created_at": "0000-00-00T00:00:00Z"},
        },
        {
            "organization_id": second,
            "id": "2",
            "name": "Bo",
            "created_at": None,
            "updated_at": None,
            "unknown_fields": {"updated_at": 1_700_000_000, "new": 1},
        },
    ]
    assert outcome.code == 0
    assert "null     clients: created_at held no date in 2 rows and left as null" in outcome.log
    assert (
        "new      clients: 'new' is not in the schema: kept in unknown_fields in 1 rows"
        in outcome.log
    )
    assert "new" not in names("clients")
