"""`tap-qonto-auth doctor`: what it asks, what it tells, and what it never tells."""

from __future__ import annotations

import json
import logging
import typing as t

import pytest
from click.testing import CliRunner, Result
from taps import catalog_of, every, keyed, read, truth, warehouse
from token_server import MARK

from demo import odd
from demo.server import running
from tap_qonto.cli.doctor.assumptions import ASSUMPTIONS
from tap_qonto.cli.main import auth

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from three import Config

    from demo.server import Server

    Doctor = Callable[..., Result]

NUMBER = 7_654_321_987


@pytest.fixture
def doctor(tmp_path: Path, config: Config) -> Doctor:
    """Run the command with the settings of a file, the usual ones or others."""

    def run(*options: str, settings: dict[str, t.Any] | None = None) -> Result:
        file = tmp_path / "config.json"
        file.write_text(json.dumps(settings or config()), encoding="utf-8")
        return CliRunner().invoke(auth, ["doctor", "--config", str(file), *options])

    return run


def verdicts(result: Result) -> Iterator[tuple[str, int]]:
    """(Verdict, number), as the table has them."""
    for line in result.stdout.splitlines():
        for verdict in ("does not hold", "can't tell", "holds"):
            if line.startswith(f"{verdict} "):
                yield verdict, int(line[13:].split()[0])


def test_every_assumption_has_a_number_of_its_own_and_says_what_follows() -> None:
    assert [one.number for one in ASSUMPTIONS] == [*range(1, len(ASSUMPTIONS) + 1)]
    assert all(one.sentence and one.otherwise for one in ASSUMPTIONS)
    assert all(one.check.__doc__ for one in ASSUMPTIONS if one.check)


def test_an_account_that_is_as_assumed_is_told_so_after_reading_only(
    qonto: Server, doctor: Doctor
) -> None:
    before = len(qonto.requests)
    result = doctor()
    asked = qonto.requests[before:]
    assert result.exit_code == 0, result.output
    assert {verdict for verdict, _ in verdicts(result)} <= {"holds", "can't tell"}
    assert [number for _, number in verdicts(result) if _ == "holds"]
    assert f"3 organizations, {len(asked)} requests" in result.stdout
    assert len(asked) <= 200
    writing = {(one.method, one.path) for one in asked if one.method != "GET"}
    assert writing == {("POST", "/oauth2/token"), ("POST", "/v2/suppliers/search")}


def test_what_does_not_hold_comes_first_with_what_follows(qonto: Server, doctor: Doctor) -> None:
    qonto.options.odd = frozenset({"amounts-as-text", "includes-refused"})
    result = doctor()
    told = [*verdicts(result)]
    assert result.exit_code == 4
    assert told[:2] == [("does not hold", 18), ("does not hold", 28)]
    assert all(verdict != "does not hold" for verdict, _ in told[2:])
    assert "[422] So: They are asked for without: those columns are null." in result.stdout
    assert "bank_accounts.balance" in result.stdout


def test_a_membership_and_an_api_key_can_be_examined_too(
    qonto: Server, doctor: Doctor, config: Config, second: str
) -> None:
    issued = qonto.issue(
        scope="offline_access organization.read membership.read",
        flow="membership",
        organizations=[second],
    )
    membership = doctor(settings={**config(), "refresh_token": issued["refresh_token"]})
    assert "Asked with a membership session: 1 organization, " in membership.stdout
    assert "Not read here (403): " in membership.stdout
    names = ("api_url", "oauth_url", "rate_limits")
    settings = {name: config()[name] for name in names} | qonto.api_key(second)
    key = doctor(settings=settings)
    assert "Asked with an API key: 1 organization, " in key.stdout
    assert "Not read here (401): " in key.stdout
    for result in (membership, key):
        assert result.exit_code == 0, result.output
        assert {number: verdict for verdict, number in verdicts(result)}[9] == "holds"


def test_an_account_without_data_says_that_it_can_not_tell(
    tmp_path: Path, doctor: Doctor, store: str
) -> None:
    with running(organizations=5, transactions=10) as qonto:  # the last one is empty
        empty = qonto.bank.organizations[-1].id
        qonto.consent([empty])
        result = doctor("--report", str(tmp_path / "r"), settings=qonto.config(token_store=store))
    found = {number: verdict for verdict, number in verdicts(result)}
    assert result.exit_code == 0, result.output
    assert {found[number] for number in (12, 14, 15, 16, 17, 18, 19, 35)} == {"can't tell"}
    assert json.loads((tmp_path / "r").read_text())["streams"]["cards"]["rows"] == 0


def test_only_the_chosen_organizations_are_asked(
    qonto: Server, doctor: Doctor, config: Config, second: str
) -> None:
    before = len(qonto.requests)
    result = doctor(settings=config(organization_ids=[second]))
    asked = {one.organization_id for one in qonto.requests[before:]}
    foreign = "00000000-0000-4000-8000-000000000000"
    assert "1 organization, " in result.stdout
    assert asked == {None, second, foreign}


def test_the_session_is_refreshed_and_kept_as_by_a_run(
    qonto: Server, doctor: Doctor, config: Config
) -> None:
    settings = config()
    qonto.faults.add("unauthorized", path="/v2/cards$", times=1)
    assert doctor(settings=settings).exit_code == 0
    refreshes = [one for one in qonto.requests if one.path == "/oauth2/token"]
    assert len(refreshes) >= 2  # the first use of the seed, and the 401
    outcome = read(settings, catalog=catalog_of("labels"))  # with what the doctor left
    assert outcome.code == 0
    rows = [row for one in every(qonto) for row in truth(qonto, "labels", one)]
    assert warehouse("labels", outcome) == keyed("labels", rows)


def test_without_a_session_somebody_is_sent_to_log_in(doctor: Doctor, config: Config) -> None:
    result = doctor(settings={**config(), "refresh_token": f"{MARK}-nobody-knows"})
    assert result.exit_code == 3
    assert "tap-qonto-auth login" in result.stderr
    assert MARK not in result.output


def test_no_more_than_the_budget_is_asked_and_what_is_left_can_not_be_told(
    qonto: Server, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_qonto.cli.doctor.account.MOST_REQUESTS", 40)
    before = len(qonto.requests)
    result = doctor()
    assert result.exit_code == 0
    assert len(qonto.requests) - before <= 40
    assert "requests are used up]" in result.stdout


def test_endpoints_that_are_broken_are_named_and_the_rest_is_looked_into(
    qonto: Server, doctor: Doctor, without_waiting: None
) -> None:
    del without_waiting
    qonto.faults.add("status", status=500, path="/v2/labels$")
    qonto.faults.add("html", path="/v2/teams$")
    qonto.faults.add("nonsense", path="/v2/cards$", body=[[1]])
    result = doctor()
    assert "Not read here (no usable answer): labels, teams." in result.stdout
    found = {number: verdict for verdict, number in verdicts(result)}
    assert found[14] == "holds"
    assert "Traceback" not in result.output


def plant(row: dict[str, t.Any]) -> None:
    """Put values that can be found again where people have theirs, and names that are values."""
    kept = ("id", "_at", "_date", "status", "currency", "source", "period")
    for name, value in [*row.items()]:
        if isinstance(value, dict):
            plant(value)
        elif isinstance(value, str) and not name.endswith(kept):
            row[name] = f"{MARK} & Söhne"
        elif isinstance(value, int) and not isinstance(value, bool):
            row[name] = NUMBER
    row |= {
        "brand_new": {MARK: {MARK: [MARK]}, "count": NUMBER},
        f"{MARK} FR76 1234": 1,
        "people": [{f"{MARK}": NUMBER}, f"{MARK}"],
    }


def test_no_value_gets_into_the_report_the_table_or_the_log(
    qonto: Server,
    doctor: Doctor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="tap-qonto")
    monkeypatch.setitem(odd.ROWS, "planted", plant)
    qonto.options.odd = frozenset({"planted"})
    result = doctor("--report", str(tmp_path / "report.json"))
    report = (tmp_path / "report.json").read_text(encoding="utf-8")
    values = {str(value) for one in every(qonto) for value in planted(qonto, one)}
    assert len(values) > 50
    for text in (result.output, report, caplog.text):
        assert MARK not in text
        assert str(NUMBER) not in text
        assert not {value for value in values if value in text}
    found = json.loads(report)
    assert found["assumptions"]["32"]["verdict"] == "does not hold"
    fields = found["streams"]["transactions"]["fields"]
    assert fields["label"] == {"text": fields["label"]["text"]}
    assert fields["brand_new"].keys() == {"object"}
    assert fields["brand_new.…"].keys() >= {"object", "integer"}
    assert "brand_new.…" in fields


def planted(qonto: Server, organization_id: str) -> Iterator[t.Any]:
    """Ids, moments and texts that a person could be known by."""
    telling = ("id", "_at", "name", "email", "iban")
    for stream in ("transactions", "memberships", "bank_accounts", "clients"):
        for row in qonto.bank.rows(stream, organization_id):
            for name, value in row.items():
                if isinstance(value, str) and name.endswith(telling):
                    yield value


def test_a_report_that_can_not_be_written_is_a_sentence(doctor: Doctor, tmp_path: Path) -> None:
    result = doctor("--report", str(tmp_path / "nowhere" / "r.json"))
    assert result.exit_code == 1
    assert "can't be written: No such file" in result.stderr
