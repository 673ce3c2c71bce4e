"""ACTIVATE_VERSION: a target may drop rows that are gone, but only after all was read."""

from __future__ import annotations

import contextlib
import io
import typing as t

import pytest
from taps import Outcome, catalog_of, every, read
from three import strike

from tap_qonto.tap import TapQonto

if t.TYPE_CHECKING:
    from three import Config

    from demo.server import Server

VERSIONS: dict[str, t.Any] = {"emit_activate_version_messages": True}


def withheld(outcome: Outcome) -> str:
    """Why the message was not sent: one line says it."""
    assert outcome.types("ACTIVATE_VERSION") == []
    lines = [line for line in outcome.log.splitlines() if "ACTIVATE_VERSION was not sent" in line]
    assert len(lines) == 1, lines
    return lines[0]


def test_the_target_may_drop_what_is_gone_after_all_was_read(config: Config) -> None:
    outcome = read(
        config(**VERSIONS), catalog=catalog_of("labels", "user_organizations", "clients")
    )
    versions = {one["stream"]: one["version"] for one in outcome.types("ACTIVATE_VERSION")}
    assert versions.keys() == {"labels", "user_organizations"}  # clients are incremental
    order = [one["type"] for one in outcome.messages if one.get("stream") == "labels"]
    assert order == ["SCHEMA", *["RECORD"] * outcome.counts["labels"], "ACTIVATE_VERSION"]
    for message in outcome.types("RECORD"):
        assert message.get("version") == versions.get(message["stream"])


@pytest.mark.parametrize("more", [{"shard": "1/1"}, {"organization_ids": ...}, {"fault": 500}])
def test_nothing_is_dropped_unless_all_was_read(
    qonto: Server, config: Config, more: dict[str, t.Any]
) -> None:
    if "organization_ids" in more:
        more = {"organization_ids": list(every(qonto))}
    if status := more.pop("fault", None):
        strike(qonto, [("labels", next(every(qonto)))], "nonsense", body={"labels": 7})
    outcome = read(config(**VERSIONS, **more), catalog=catalog_of("labels"))
    assert withheld(outcome)
    assert outcome.code == (1 if status else 0)


def test_a_stream_that_some_organizations_lack_is_never_dropped(
    qonto: Server, config: Config, second: str
) -> None:
    strike(qonto, [("requests", second)], status=403)
    outcome = read(config(**VERSIONS), catalog=catalog_of("requests"))
    assert outcome.rows("requests")
    assert outcome.types("ACTIVATE_VERSION") == []


@pytest.mark.parametrize("streams", [("labels",), ("labels", "transactions")])
def test_the_rows_of_an_organization_that_left_the_consent_stay(
    qonto: Server, config: Config, second: str, streams: tuple[str, ...]
) -> None:
    catalog = catalog_of(*streams)
    first = read(config(**VERSIONS), catalog=catalog)
    assert first.types("ACTIVATE_VERSION")
    qonto.consent(one for one in every(qonto) if one != second)
    state = first.state
    for _ in range(2):  # the state does not forget it
        later = read(config(**VERSIONS), catalog=catalog, state=state)
        assert f"such as {second}, left the consent" in withheld(later)
        state = later.state
    qonto.consent(every(qonto))
    assert read(config(**VERSIONS), catalog=catalog, state=state).types("ACTIVATE_VERSION")


def test_bookmarks_of_earlier_runs_tell_of_organizations_too(
    qonto: Server, config: Config, second: str
) -> None:
    """As where the messages are switched on later."""
    first = read(config(), catalog=catalog_of("clients", "labels"))
    qonto.consent(one for one in every(qonto) if one != second)
    later = read(config(**VERSIONS), catalog=catalog_of("labels"), state=first.state)
    assert "left the consent" in withheld(later)


def test_rows_stay_where_qonto_counts_more_than_it_gives(qonto: Server, config: Config) -> None:
    strike(
        qonto,
        [("labels", next(every(qonto)))],
        "nonsense",
        body={"labels": [], "meta": {"total_count": 6, "total_pages": 1, "current_page": 1}},
    )
    outcome = read(config(**VERSIONS), catalog=catalog_of("labels"))
    assert "counts do not agree" in withheld(outcome)


def test_a_history_is_never_dropped(config: Config) -> None:
    catalog = catalog_of("bank_account_balances", full_table=["bank_account_balances"])
    outcome = read(config(**VERSIONS), catalog=catalog)
    assert outcome.rows("bank_account_balances")
    assert "it is a history" in withheld(outcome)


def test_a_key_sees_one_organization_and_drops_no_other(qonto: Server) -> None:
    key = qonto.api_key(next(every(qonto)))
    limits: dict[str, t.Any] = {"api_url": qonto.url, "rate_limits": []}
    outcome = read({**key, **limits, **VERSIONS}, catalog=catalog_of("labels"))
    assert outcome.rows("labels")
    assert "sees one organization" in withheld(outcome)


def test_statuses_that_are_not_read_are_not_dropped(config: Config) -> None:
    catalog = catalog_of("labels", "transactions", full_table=["transactions"])
    some = read(config(**VERSIONS, transaction_statuses=["completed"]), catalog=catalog)
    assert [one["stream"] for one in some.types("ACTIVATE_VERSION")] == ["labels"]
    assert "not sent for transactions" in some.log
    every_status = read(config(**VERSIONS), catalog=catalog)
    assert len(every_status.types("ACTIVATE_VERSION")) == 2


def test_a_filter_of_a_map_drops_nothing(config: Config) -> None:
    maps = {"labels": {"__filter__": "name is None"}}
    outcome = read(config(**VERSIONS, stream_maps=maps), catalog=catalog_of("labels"))
    assert "__filter__" in withheld(outcome)


def test_a_role_that_was_lowered_drops_nothing(
    qonto: Server, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read(config(**VERSIONS), catalog=catalog_of("labels"))
    assert first.types("ACTIVATE_VERSION")
    owner = next(one for one in qonto.bank.organizations if one.role == "owner")
    # a demo whose roles change is not worth its lines
    monkeypatch.setattr(type(owner), "role", property(lambda _: "employee"))
    state = first.state
    for _ in range(2):
        later = read(config(**VERSIONS), catalog=catalog_of("labels"), state=state)
        assert "as employee" in withheld(later)
        state = later.state


def test_one_partition_alone_drops_nothing(qonto: Server, config: Config) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        tap = TapQonto(config=config(**VERSIONS), catalog=catalog_of("organization"))
        *_, last = every(qonto)
        tap.streams["organization"].sync({"organization_id": last})
    assert '"RECORD"' in out.getvalue()
    assert "ACTIVATE_VERSION" not in out.getvalue()
