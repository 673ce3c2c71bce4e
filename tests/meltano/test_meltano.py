"""The tap as people run it: real Meltano, from `meltano.yml`, into a real DuckDB."""

from __future__ import annotations

import re
import typing as t

import pytest
import sameness

from demo.project import RunFailed

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from demo.project import Project
    from demo.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Run = t.Callable[..., str]


@pytest.fixture
def landed(tmp_path: Path) -> Callable[[], sameness.Rows]:
    """Every table of the test's DuckDB, JSON decoded."""
    return lambda: sameness.from_duckdb(tmp_path / "qonto.duckdb")


def test_every_field_lands_and_a_second_run_carries_only_what_changed(
    run: Run, project: Project, qonto: Server, tmp_path: Path, landed: Callable[[], sameness.Rows]
) -> None:
    from demo.warehouse import opened  # noqa: PLC0415 - needs DuckDB

    run("target-duckdb")
    assert not sameness.differences(landed(), sameness.served(qonto, project.deselected))[:20]

    with opened(tmp_path / "qonto.duckdb") as warehouse:
        moment = warehouse.last_batch()
    touched = qonto.bank.advance(edits=4, adds=3)
    qonto.clock.advance(600)
    run("target-duckdb")
    assert not sameness.differences(landed(), sameness.served(qonto, project.deselected))[:20]

    with opened(tmp_path / "qonto.duckdb") as warehouse:
        written = warehouse.written_since(moment)
    for stream in ("transactions", "client_invoices", "supplier_invoices"):
        changed = {id_ for streams in touched.values() for id_ in streams.get(stream, ())}
        assert written[stream] == len(changed), stream


def test_a_failed_run_keeps_what_it_read_and_the_next_one_brings_the_rest(
    run: Run, project: Project, qonto: Server, landed: Callable[[], sameness.Rows]
) -> None:
    qonto.faults.add("status", status=422, path="/v2/statements")
    with pytest.raises(RunFailed) as failed:
        run("target-duckdb")
    assert failed.value.code == 1
    assert re.search("failed +statements", failed.value.log)
    qonto.faults.clear()
    before = len(qonto.requests)
    run("target-duckdb")
    assert not sameness.differences(landed(), sameness.served(qonto, project.deselected))[:20]
    again = [one for one in qonto.requests[before:] if one.path == "/v2/transactions"]
    assert again
    whole = [one for one in again if "updated_at_from" not in dict(one.query)]
    # whether statuses come together is asked of all transactions, of an account or two
    assert len(whole) < len(again) / 2, "state of the failed run"


def test_meltano_finds_the_connection_good(project: Project, run: Run) -> None:
    del run  # sets the session
    assert "valid" in project.meltano("config", "test", "tap-qonto")


def test_only_selected_streams_are_asked_for_and_commands_see_the_session(
    project: Project, qonto: Server, run: Run
) -> None:
    run("target-jsonl", TAP_QONTO__SELECT='["labels.*", "teams.id"]')
    paths = {one.path for one in qonto.requests if one.path.startswith("/v2/")}
    assert paths == {"/v2/user_organizations", "/v2/labels", "/v2/teams"}

    status = project.meltano("invoke", "tap-qonto:status")
    assert re.search("days left +90", status)
    names = project.meltano("invoke", "tap-qonto:organizations")
    for organization in qonto.bank.organizations:
        assert organization.name in names
    assert project.env["TAP_QONTO_REFRESH_TOKEN"] not in status + names


def test_a_selection_that_hides_nothing_is_refused_before_anything_is_asked(
    qonto: Server, run: Run
) -> None:
    before = len(qonto.requests)
    with pytest.raises(RunFailed) as failed:
        run("target-jsonl", TAP_QONTO__SELECT='["memberships.*", "!memberships.last_nmae"]')
    assert "select: !memberships.last_nmae matches no field" in failed.value.log
    assert "did you mean last_name?" in failed.value.log
    assert not [one for one in qonto.requests[before:] if one.path.startswith("/v2/")]
