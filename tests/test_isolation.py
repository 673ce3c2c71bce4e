"""What goes wrong with one stream of one organization stays there; the end says what and why."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from taps import Outcome, catalog_of, every, keyed, names, read, truth, warehouse

from demo.server import running
from tap_qonto.kinds import PerAccountStream

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from demo.server import Received, Server

    Config = Callable[..., dict[str, t.Any]]

STREAMS = ("clients", "labels", "teams", "transactions")
CATALOG = catalog_of(*STREAMS)


@pytest.fixture(scope="module")
def bank() -> Iterator[Server]:
    with running(organizations=3, transactions=40, gates=False) as server:
        yield server


@pytest.fixture
def qonto(bank: Server) -> Iterator[Server]:
    yield bank
    bank.faults.clear()
    bank.on_request = None
    bank.options.retired = frozenset()
    bank.consent(every(bank))


@pytest.fixture
def second(qonto: Server) -> str:
    """The organization that things go wrong with."""
    return list(every(qonto))[1]


@pytest.fixture
def places(qonto: Server, second: str) -> list[tuple[str, str]]:
    """(Stream, organization) that things go wrong with, a whole list and an account's."""
    return [("labels", second), ("transactions", next(every(qonto)))]


@pytest.fixture
def config(qonto: Server, store: str) -> Config:
    def make(**more: t.Any) -> dict[str, t.Any]:
        return qonto.config(token_store=store, **more)

    return make


@pytest.fixture
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries at once: the waits between them are real time and proven elsewhere."""
    monkeypatch.setattr("backoff._sync.time", SimpleNamespace(sleep=lambda _: None))


def assert_whole(qonto: Server, *runs: Outcome, but: Iterable[tuple[str, str]] = ()) -> None:
    """All streams of all organizations are there, `but` those of some (stream, organization)."""
    for stream in STREAMS:
        expected = [
            row
            for one in every(qonto)
            if (stream, one) not in but
            for row in truth(qonto, stream, one)
        ]
        found = warehouse(stream, *runs).items()
        rest = {key: row for key, row in found if (stream, key[0]) not in but}
        assert rest == keyed(stream, expected)


def strike(
    qonto: Server, places: Iterable[tuple[str, str]], kind: str = "status", **facts: t.Any
) -> None:
    """Let a fault strike the list of each (stream, organization)."""
    for stream, organization_id in places:
        qonto.faults.add(kind, path=f"/v2/{stream}$", organization=organization_id, **facts)


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
        assert f"skipped  {stream}: organization {organization_id}: " in outcome.log
    assert all(why in line for line in lines)


def test_an_organization_whose_accounts_are_refused_keeps_its_other_streams(
    qonto: Server, config: Config, second: str
) -> None:
    qonto.faults.add("status", status=403, path="/v2/organization$", organization=second)
    streams = (*STREAMS, "bank_account_balances", "organization")
    outcome = read(config(), catalog=catalog_of(*streams))
    assert outcome.code == 0
    line = f"skipped  bank_account_balances, organization, transactions: organization {second}: "
    assert line in outcome.log
    assert_whole(qonto, outcome, but=[("transactions", second)])


def test_on_denied_fail_makes_a_refusal_a_failure(
    qonto: Server, config: Config, second: str
) -> None:
    strike(qonto, [("labels", second)], status=403)
    outcome = read(config(on_denied="fail"), catalog=CATALOG)
    assert outcome.code == 1
    assert f"failed   labels: organization {second}" in outcome.log
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
    "deep nesting": {
        "kind": "nonsense",
        "body": b'{"labels":' + b"[" * 9_000 + b"]" * 9_000 + b"}",
    },
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
        assert f"failed   {stream}: organization {organization_id}: " in failed.log
    assert_whole(qonto, failed, but=places)
    assert not any(failed.bookmark(*places[1]))
    assert any(failed.bookmark(places[1][0], places[0][1]))


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
    outcome = read(config(), catalog=CATALOG)
    assert outcome.code == 1
    assert f"failed   transactions: organization {second}: the answer of /v2/org" in outcome.log
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
    assert f"organization {second}: an error of the tap itself (ZeroDivisionError)" in outcome.log
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


def test_a_row_that_can_not_be_encoded_ends_its_partition_only(
    qonto: Server, config: Config, second: str
) -> None:
    for depth in (300, 900, 980):
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
    assert f"organization {second}: no longer in the consent" in outcome.log
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


def test_scopes_that_were_not_granted_are_known_before_any_request(
    qonto: Server, store: str
) -> None:
    scope = "offline_access user_organization.read organization.read"
    settings = qonto.config(token_store=store)
    settings["refresh_token"] = qonto.issue(scope=scope)["refresh_token"]
    before = len(qonto.requests)
    outcome = read(settings)
    asked = {one.path for one in qonto.requests[before:]}
    assert outcome.code == 0
    assert not [path for path in asked if "client" in path or "card" in path or "team" in path]
    assert outcome.rows("transactions")
    assert "skipped  cards" in outcome.log or ", cards" in outcome.log
    assert outcome.log.count("client_invoices.read") == 1
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
        {"organization_id": second, "id": "1", "name": "Ada", "created_at": None},
        {
            "organization_id": second,
            "id": "2",
            "name": "Bo",
            "created_at": None,
            "updated_at": None,
        },
    ]
    assert outcome.code == 0
    assert "null     clients: created_at held no date in 2 rows and left as null" in outcome.log
    assert "new      clients: 'new' is not in the schema: left out of 1 rows" in outcome.log
    assert "new" not in names("clients")


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
    assert f"failed   subscription: organization {second}: the answer is not" in outcome.log
    assert len(outcome.rows("subscription")) == 2


def test_a_list_below_a_row_that_is_refused_is_reported(
    qonto: Server, config: Config, second: str
) -> None:
    qonto.faults.add("status", status=403, path="/payments$", organization=second)
    outcome = read(config(), catalog=catalog_of("payment_link_payments"))
    assert f"skipped  payment_link_payments: organization {second}: " in outcome.log
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
