"""Whole runs: what arrives is what the bank holds, to the cent; then only what changed."""

from __future__ import annotations

import typing as t
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from taps import Outcome, catalog_of, command, every, keyed, named, names, read, truth, warehouse

from demo.offer import BY_STREAM
from demo.server import running
from tap_qonto.api.contract import endpoints
from tap_qonto.streams import STREAMS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from demo.server import Server

    Config = Callable[..., dict[str, t.Any]]

NAMES = tuple(stream.name for stream in STREAMS)


@pytest.fixture(scope="module")
def qonto() -> Iterator[Server]:
    with running(organizations=4, transactions=24) as server:
        yield server


@pytest.fixture
def config(qonto: Server, store: str) -> Config:
    def make(**more: t.Any) -> dict[str, t.Any]:
        return qonto.config(token_store=store, **more)

    return make


def readable(qonto: Server, stream: str) -> list[str]:
    """Organizations that may read a stream: the gated ones lack some."""
    gated = BY_STREAM[stream].gate is not None
    return [one.id for one in qonto.bank.organizations if not (gated and one.gated)]


@pytest.fixture(scope="module")
def everything(qonto: Server, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Every stream, also those that are off by default, through the command."""
    folder = tmp_path_factory.mktemp("everything")
    return command(
        folder,
        config=qonto.config(token_store=f"sqlite:///{folder}/sessions.db"),
        catalog=catalog_of(*NAMES),
    )


def test_a_run_ends_well_though_a_plan_lacks_some_streams(everything: Outcome) -> None:
    assert everything.code == 0, everything.log
    assert "payment_links: organization" in everything.log
    assert "Traceback" not in everything.log


@pytest.mark.parametrize("stream", [name for name in endpoints() if name != "user_organizations"])
def test_the_rows_of_a_stream_are_those_of_the_bank(
    qonto: Server, everything: Outcome, stream: str
) -> None:
    expected = [row for one in readable(qonto, stream) for row in truth(qonto, stream, one)]
    rows = everything.rows(stream)
    assert keyed(stream, rows) == keyed(stream, expected)
    assert {next(iter(row)) for row in rows} <= {"organization_id"}
    assert {name for row in rows for name in row} <= set(names(stream))


def test_the_organizations_are_those_of_the_consent(qonto: Server, everything: Outcome) -> None:
    rows = everything.rows("user_organizations")
    assert [row["id"] for row in rows] == list(every(qonto))
    assert all(row.keys() <= set(names("user_organizations")) for row in rows)


def test_balances_and_counts_are_those_of_the_bank(qonto: Server, everything: Outcome) -> None:
    balances = {
        row["bank_account_id"]: (row["currency"], row["balance_cents"])
        for row in everything.rows("bank_account_balances")
    }
    counts = {
        (row["bank_account_id"], row["status"]): row["count"]
        for row in everything.rows("transaction_counts")
        if row["count"]
    }
    transactions = [row for one in every(qonto) for row in qonto.bank.rows("transactions", one)]
    assert balances == {
        account: (row["currency"], row["balance_cents"])
        for one in every(qonto)
        for account, row in qonto.bank.balances(one).items()
    }
    assert counts == Counter((row["bank_account_id"], row["status"]) for row in transactions)


def test_a_stream_is_described_once_and_before_its_rows(everything: Outcome) -> None:
    order = [(one["type"], one["stream"]) for one in everything.messages if "stream" in one]
    assert Counter(order).items() >= {("SCHEMA", name): 1 for name in NAMES}.items()
    seen = set()
    for kind, stream in order:
        assert kind == "SCHEMA" or stream in seen
        seen.add(stream)


def test_only_incremental_streams_have_bookmarks(everything: Outcome) -> None:
    with_bookmarks = {name for name, one in everything.state["bookmarks"].items() if one}
    assert with_bookmarks == {one.name for one in STREAMS if one.replication_key}


# -- the second run ----------------------------------------------------------------------------

UPDATED = ("transactions", "clients", "client_invoices", "supplier_invoices")


@pytest.fixture(scope="module")
def deep() -> Iterator[Server]:
    """A bank whose lists have several pages."""
    with running(organizations=1, transactions=700, gates=False, seed=11) as server:
        yield server


def test_the_second_run_carries_what_changed_and_nothing_else(deep: Server, store: str) -> None:
    config = deep.config(token_store=store)
    catalog = catalog_of(*UPDATED)
    first = read(config, catalog=catalog)
    touched = deep.bank.advance(edits=10, adds=7)
    second = read(config, catalog=catalog, state=first.state)
    third = read(config, catalog=catalog, state=second.state)
    assert (first.code, second.code, third.code) == (0, 0, 0)
    for stream in UPDATED:
        changed = {id_ for found in touched.values() for id_ in found.get(stream, ())}
        assert {row["id"] for row in second.rows(stream)} == changed
        assert {row["id"] for row in third.rows(stream)} <= changed  # the margin of a minute
        expected = [row for one in every(deep) for row in truth(deep, stream, one)]
        assert warehouse(stream, first, second) == keyed(stream, expected)


def test_a_list_with_the_newest_first_is_read_as_far_as_it_can_have_changed(store: str) -> None:
    with running(organizations=1, transactions=0, gates=False) as qonto:
        (one,) = every(qonto)
        table = qonto.bank.table("sdd_collections", one)
        row = table.rows()[0]
        for number in range(450):  # of more than a year, one a day
            day = qonto.clock.now().date() - timedelta(days=number)
            table.put(row | {"id": f"id-{number}", "collection_date": str(day)})
        settings, catalog = qonto.config(token_store=store), catalog_of("sdd_collections")
        first = read(settings, catalog=catalog)
        second = read(settings, catalog=catalog, state=first.state)
        assert len(first.rows("sdd_collections")) >= 450
        dates = sorted(row["collection_date"] for row in second.rows("sdd_collections"))
        assert len(dates) == 100  # one page holds the nine weeks
        assert dates[0] < str(qonto.clock.now().date() - timedelta(weeks=9))


def test_an_open_quote_is_read_again_until_it_is_settled(qonto: Server, config: Config) -> None:
    catalog, settings = catalog_of("quotes"), config()
    one = next(every(qonto))
    quote = next(
        row for row in qonto.bank.rows("quotes", one) if row["status"] == "pending_approval"
    )
    first = read(settings, catalog=catalog)
    qonto.bank.edit("quotes", one, quote["id"], status="approved")
    second = read(settings, catalog=catalog, state=first.state)
    qonto.bank.edit("quotes", one, quote["id"], status="pending_approval")
    ids = {row["id"]: row["status"] for row in second.rows("quotes")}
    assert ids[quote["id"]] == "approved"
    assert len(second.rows("quotes")) <= len(first.rows("quotes"))


def test_a_catalog_can_force_a_full_table(config: Config) -> None:
    settings = config(start_date=datetime.now(timezone.utc).isoformat())
    first = read(config(), catalog=catalog_of("transactions"))
    forced = catalog_of("transactions", full_table=["transactions"])
    again = read(settings, catalog=forced, state=first.state)
    assert again.counts == first.counts
    assert again.state == first.state  # and the bookmarks wait for the day it is incremental again


def test_a_catalog_that_wants_another_replication_key_is_not_followed(
    qonto: Server, config: Config
) -> None:
    catalog = catalog_of("transactions")
    for entry in catalog["streams"]:
        if entry["stream"] == "transactions":
            entry["replication_key"] = "settled_at"
    outcome = read(config(), catalog=catalog)
    expected = [row for one in every(qonto) for row in truth(qonto, "transactions", one)]
    assert warehouse("transactions", outcome) == keyed("transactions", expected)
    assert "reading by updated_at" in outcome.log


# -- which rows --------------------------------------------------------------------------------


def test_start_date_leaves_out_what_changed_before(qonto: Server, config: Config) -> None:
    rows = [row for one in every(qonto) for row in truth(qonto, "transactions", one)]
    half = sorted(row["updated_at"] for row in rows)[len(rows) // 2]
    outcome = read(config(start_date=half), catalog=catalog_of("transactions"))
    assert set(warehouse("transactions", outcome)) == {
        (row["organization_id"], row["id"]) for row in rows if row["updated_at"] >= half
    }


def test_organization_ids_choose(qonto: Server, config: Config) -> None:
    first, *_, last = every(qonto)
    outcome = read(
        config(organization_ids=[last, first]),
        catalog=catalog_of("labels", "user_organizations", "transactions"),
    )
    assert {row["id"] for row in outcome.rows("user_organizations")} == {first, last}
    assert {row["organization_id"] for row in outcome.rows("labels")} <= {first, last}
    assert {row["organization_id"] for row in outcome.rows("transactions")} <= {first, last}


def test_an_unknown_organization_is_named_and_nothing_is_written(config: Config) -> None:
    outcome = read(config(organization_ids=["1", "2"]))
    assert outcome.code == 1
    assert "organization_ids names 1, 2, which the user has not consented to" in outcome.log
    assert outcome.out == ""


def test_shards_share_the_organizations_out(tmp_path: Path) -> None:
    with running(organizations=12, transactions=0, gates=False) as qonto:
        settings = qonto.config(token_store=f"sqlite:///{tmp_path}/sessions.db")
        shards = [
            read(settings | {"shard": shard}, catalog=catalog_of("organization"))
            for shard in ("1/3", "2/3", "3/3")
        ]
    found = [row["organization_id"] for one in shards for row in one.rows("organization")]
    assert sorted(found) == sorted(every(qonto))
    assert all(one.rows("organization") for one in shards)


def test_only_the_statuses_wanted_are_asked_for(qonto: Server, config: Config) -> None:
    outcome = read(
        config(transaction_statuses=["declined", "pending"]), catalog=catalog_of("transactions")
    )
    rows = [row for one in every(qonto) for row in truth(qonto, "transactions", one)]
    wanted = [row for row in rows if row["status"] in {"declined", "pending"}]
    assert warehouse("transactions", outcome) == keyed("transactions", wanted)


def test_external_accounts_come_with_their_transactions(qonto: Server, config: Config) -> None:
    streams = ("organization", "transactions", "bank_accounts", "bank_account_balances")
    outcome = read(config(include_external_accounts=True), catalog=catalog_of(*streams))
    for stream in ("organization", "transactions"):
        rows = [row for one in every(qonto) for row in truth(qonto, stream, one, external=True)]
        assert warehouse(stream, outcome) == keyed(stream, rows)
    accounts = [
        account["id"] for row in outcome.rows("organization") for account in row["bank_accounts"]
    ]
    assert {row["bank_account_id"] for row in outcome.rows("bank_account_balances")} == set(
        accounts
    )
    assert sorted(row["id"] for row in outcome.rows("bank_accounts")) == sorted(accounts)


# -- who asks ----------------------------------------------------------------------------------


def test_an_api_key_reads_its_one_organization(qonto: Server) -> None:
    one = list(every(qonto))[1]
    outcome = read(
        {**qonto.api_key(one), "api_url": qonto.url, "rate_limits": []},
        catalog=catalog_of("user_organizations", "transactions", "cards"),
    )
    assert outcome.code == 0, outcome.log
    assert warehouse("transactions", outcome) == keyed(
        "transactions", truth(qonto, "transactions", one)
    )
    assert [row["id"] for row in outcome.rows("user_organizations")] == [one]
    assert f"cards: {named(qonto, one)}: refused to an API key" in outcome.log


def test_a_membership_token_reads_its_one_organization(qonto: Server, store: str) -> None:
    answer = qonto.issue(flow="membership")
    config = qonto.config(token_store=store) | {"refresh_token": answer["refresh_token"]}
    outcome = read(config, catalog=catalog_of("user_organizations", "labels"))
    one = next(every(qonto))
    assert outcome.code == 0, outcome.log
    assert warehouse("labels", outcome) == keyed("labels", truth(qonto, "labels", one))
    assert [row["id"] for row in outcome.rows("user_organizations")] == [one]


# -- what leaves -------------------------------------------------------------------------------


def test_a_deselected_parent_does_not_silence_its_children(qonto: Server, config: Config) -> None:
    outcome = read(config(), catalog=catalog_of("payment_link_payments", "transaction_attachments"))
    for stream in ("payment_link_payments", "transaction_attachments"):
        rows = [row for one in readable(qonto, stream) for row in truth(qonto, stream, one)]
        assert warehouse(stream, outcome) == keyed(stream, rows)
    assert outcome.counts.keys() == {"payment_link_payments", "transaction_attachments"}


def test_a_deselected_field_does_not_leave(qonto: Server, config: Config) -> None:
    catalog = catalog_of(
        "memberships", "transactions", without=[("memberships", "email"), ("transactions", "note")]
    )
    outcome = read(config(), catalog=catalog)
    for stream, gone in (("memberships", "email"), ("transactions", "note")):
        rows = [row for one in every(qonto) for row in truth(qonto, stream, one)]
        without = [{name: row[name] for name in row if name != gone} for row in rows]
        assert warehouse(stream, outcome) == keyed(stream, without)
        (schema,) = [one["schema"] for one in outcome.types("SCHEMA") if one["stream"] == stream]
        assert gone not in schema["properties"]


def test_personal_data_can_be_hashed(qonto: Server, config: Config) -> None:
    maps = {"memberships": {"email": "md5(email) if email else None", "last_name": "__NULL__"}}
    outcome = read(config(stream_maps=maps), catalog=catalog_of("memberships"))
    emails = {row["email"] for one in every(qonto) for row in truth(qonto, "memberships", one)}
    assert outcome.code == 0, outcome.log
    assert all(len(row["email"]) == 32 for row in outcome.rows("memberships") if row["email"])
    assert all("last_name" not in row for row in outcome.rows("memberships"))
    assert not [email for email in emails if email and email in outcome.out]


ONLY_KEYS = {"id": "id", "organization_id": "organization_id", "__else__": None}


@pytest.mark.parametrize("gone", [{"updated_at": "__NULL__"}, ONLY_KEYS, {}])
def test_a_bookmark_is_named_only_where_it_leaves(config: Config, gone: dict[str, t.Any]) -> None:
    maps = {"clients": gone} if gone else {}
    outcome = read(config(stream_maps=maps), catalog=catalog_of("clients"))
    assert outcome.code == 0, outcome.log
    (schema,) = outcome.types("SCHEMA")
    assert schema.get("bookmark_properties") == (None if gone else ["updated_at"])
    assert outcome.rows("clients")


def test_nested_objects_can_be_flattened(qonto: Server, config: Config) -> None:
    outcome = read(
        config(flattening_enabled=True, flattening_max_depth=3), catalog=catalog_of("products")
    )
    (schema,) = [one["schema"]["properties"] for one in outcome.types("SCHEMA")]
    rows = [row for one in every(qonto) for row in truth(qonto, "products", one)]
    assert len(outcome.rows("products")) == len(rows)
    for row in outcome.rows("products"):
        assert row.keys() <= schema.keys()
    flat = {row["id"]: row["unit_price__value"] for row in outcome.rows("products")}
    assert flat == {row["id"]: row["unit_price"]["value"] for row in rows}


def test_batch_config_is_not_followed(config: Config, tmp_path: Path) -> None:
    batch = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{tmp_path}"},
    }
    outcome = read(config(batch_config=batch), catalog=catalog_of("labels"))
    assert outcome.rows("labels")
    assert not list(tmp_path.iterdir())
