"""Edits, new rows and deletions: visible at once, and the books stay right."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import requests

from demo.command import main, parser
from demo.server import running

if t.TYPE_CHECKING:
    from demo.server import Server
    from demo.tests.conftest import Client, Row

ROOT = Path(__file__).parents[2]


def rows_of(client: Client, number: int = 0, **query: t.Any) -> list[Row]:
    account = client.server.bank.organizations[number].accounts[0].id
    asked = {"bank_account_id": account, "sort_by": "updated_at:asc", **query}
    return [
        row
        for page in client.pages("transactions", number, **asked)
        for row in page["transactions"]
    ]


def chain_holds(server: Server, number: int = 0) -> bool:
    one = server.bank.organizations[number]
    balances = dict.fromkeys(server.bank.balances(one.id), 0)
    rows = [row for row in server.bank.rows("transactions", one.id) if row["settled_at"]]
    for row in sorted(rows, key=lambda row: row["settled_at"]):
        sign = 1 if row["side"] == "credit" else -1
        balances[row["bank_account_id"]] += sign * row["amount_cents"]
        if row["settled_balance_cents"] != balances[row["bank_account_id"]]:
            return False
    return balances == {
        id_: one["balance_cents"] for id_, one in server.bank.balances(one.id).items()
    }


def test_an_edited_row_moves_to_the_end_of_an_ascending_walk(client: Client) -> None:
    bank, one = client.server.bank, client.server.bank.organizations[0]
    before = rows_of(client)
    victim = before[3]["id"]
    edited = bank.edit("transactions", one.id, victim, note="changed")
    after = rows_of(client)
    assert after[-1]["id"] == victim
    assert after[-1]["note"] == "changed"
    assert after[-1]["updated_at"] == edited["updated_at"] > before[-1]["updated_at"]
    assert [row["id"] for row in after[:-1]] == [row["id"] for row in before if row["id"] != victim]
    assert after[-1]["settled_at"] == before[3]["settled_at"]


def test_an_edit_can_be_dated_and_all_at_one_moment(client: Client) -> None:
    bank, one = client.server.bank, client.server.bank.organizations[0]
    moment = "2026-01-01T00:00:00.000Z"
    ids = [row["id"] for row in rows_of(client)[:5]]
    for id_ in ids:
        bank.edit("transactions", one.id, id_, updated_at=moment)
    found = rows_of(client, updated_at_from=moment, updated_at_to=moment)
    assert {row["id"] for row in found} == set(ids)


def test_new_transactions_lengthen_the_chain(client: Client) -> None:
    bank, one = client.server.bank, client.server.bank.organizations[0]
    before = len(rows_of(client))
    ids = bank.add_transactions(one.id, 30)
    assert len(set(ids)) == 30
    assert len(rows_of(client)) == before + 30
    assert chain_holds(client.server)


def test_a_pending_row_that_settles_joins_the_chain(client: Client) -> None:
    server, bank = client.server, client.server.bank
    one = bank.organizations[0]
    account = one.accounts[0].id
    (id_,) = bank.add_transactions(one.id, status="pending", side="debit")
    held = bank.balances(one.id)[account]
    row = next(row for row in rows_of(client, status__="pending") if row["id"] == id_)
    bank.edit("transactions", one.id, id_, status="completed")
    after = bank.balances(one.id)[account]
    assert held["balance_cents"] - after["balance_cents"] == row["amount_cents"]
    assert after["authorized_balance_cents"] == held["authorized_balance_cents"]
    assert rows_of(client)[-1]["id"] == id_
    assert chain_holds(server)


def test_a_pending_row_that_is_declined_frees_its_money(client: Client) -> None:
    bank = client.server.bank
    one = bank.organizations[0]
    (id_,) = bank.add_transactions(one.id, status="pending", side="debit")
    row = bank.edit("transactions", one.id, id_, status="declined")
    assert row["settled_at"] is None
    money = bank.balances(one.id)[one.accounts[0].id]
    held = rows_of(client, status__="pending", side="debit")
    assert money["authorized_balance_cents"] == money["balance_cents"] - sum(
        one["amount_cents"] for one in held
    )


def test_every_stream_can_be_edited_by_chance(server: Server) -> None:
    one = server.bank.organizations[0]
    for stream in ("clients", "client_invoices", "supplier_invoices", "products", "cards"):
        before = {row["id"]: row for row in server.bank.rows(stream, one.id)}
        after = server.bank.edit(stream, one.id)
        assert after["updated_at"] > before[after["id"]]["updated_at"]
        assert set(after) == set(before[after["id"]])
        assert ("+" in after["updated_at"]) == ("+" in before[after["id"]]["updated_at"])


def test_hidden_facts_survive_an_edit(client: Client) -> None:
    bank, one = client.server.bank, client.server.bank.organizations[0]
    imported = {row["id"] for row in bank.rows("client_invoices", one.id)} - {
        row["id"] for row in client.ask("client_invoices").json()["client_invoices"]
    }
    for id_ in imported:
        bank.edit("client_invoices", one.id, id_, footer="new")
    shown = {row["id"] for row in client.ask("client_invoices").json()["client_invoices"]}
    assert not shown & imported
    legacy = bank.rows("external_transfers", one.id)[0]
    bank.edit("external_transfers", one.id, legacy["id"], note="x")
    found = client.ask("external_transfers", updated_at_from=str(server_date(client))).json()
    assert [row["id"] for row in found["external_transfers"]] == [legacy["id"]]


def server_date(client: Client) -> str:
    return client.server.clock.now().strftime("%Y-%m-%dT00:00:00Z")


def test_a_deleted_row_is_gone(client: Client) -> None:
    bank, one = client.server.bank, client.server.bank.organizations[0]
    row = client.ask("labels").json()["labels"][2]
    assert bank.delete("labels", one.id, row["id"]) == row
    assert client.ask(f"labels/{row['id']}").status_code == 404
    assert row not in client.ask("labels").json()["labels"]
    assert row not in bank.rows("labels", one.id)


def test_a_walk_by_page_number_loses_rows_when_one_is_edited_at_every_request(
    client: Client,
) -> None:
    every = {row["id"] for row in rows_of(client)}
    client.server.options.edits_per_request = ("transactions",)
    walked = [row["id"] for row in rows_of(client, per_page=3)]
    assert len(set(walked)) < len(every)  # Q20: which is what the mode is for
    client.server.options.edits_per_request = ()
    assert {row["id"] for row in rows_of(client)} == every


def test_a_test_can_act_between_question_and_answer(client: Client) -> None:
    bank, one = client.server.bank, client.server.bank.organizations[0]
    seen: list[str] = []

    def act(received: t.Any) -> None:
        seen.append(received.path)
        if received.path == "/v2/labels":
            bank.edit("labels", one.id, one.label_id(1), name="just now")

    client.server.on_request = act
    names = [row["name"] for row in client.ask("labels").json()["labels"]]
    assert "just now" in names
    assert seen == ["/v2/labels"]


def test_the_log_tells_what_was_asked(client: Client) -> None:
    one = client.server.bank.organizations[2]
    client.ask("labels", 2, page=3)
    client.ask("nonsense", None)
    first, second = client.server.requests[-2:]
    assert (first.method, first.path, first.query) == ("GET", "/v2/labels", [("page", "3")])
    assert (first.organization_id, first.status) == (one.id, 200)
    assert first.ended > first.started
    assert (second.organization_id, second.status) == (None, 404)


def test_a_day_at_the_office_touches_some_rows_of_each_organization(server: Server) -> None:
    bank = server.bank
    before = {one.id: len(bank.rows("transactions", one.id)) for one in bank.organizations}
    touched = bank.advance(edits=5, adds=4)
    for one in bank.organizations:
        grown = len(bank.rows("transactions", one.id)) - before[one.id]
        assert grown == (0 if one.empty else 4)
        assert (one.id in touched) == (not one.empty)
    for number, one in enumerate(bank.organizations):
        assert chain_holds(server, number)
        if not one.empty:
            assert {"transactions", "client_invoices"} <= set(touched[one.id])
            assert sum(map(len, touched[one.id].values())) == 9


def test_the_date_header_is_the_clock_s(client: Client) -> None:
    client.server.clock.advance(-86400 * 3)
    sent = client.ask("labels").headers["Date"]
    assert sent.split(" ")[1:4] == client.server.clock.now().strftime("%d %b %Y").split(" ")


def test_a_thousand_organizations_cost_little_until_they_are_asked() -> None:
    with running(organizations=1000, transactions=5) as server:
        config = requests.get(f"{server.url}/demo/config", timeout=20).json()
        assert config["api_url"] == server.url
        assert len({one.id for one in server.bank.organizations}) == 1000
        assert len({one.slug for one in server.bank.organizations}) == 1000
        assert len({one.name for one in server.bank.organizations}) == 1000


@pytest.fixture(scope="module")
def process() -> t.Iterator[str]:
    """The address of `python -m demo`, as another process sees it."""
    with subprocess.Popen(
        [sys.executable, "-m", "demo", "--transactions", "40", "--organizations", "3"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:
        assert child.stdout is not None
        yield child.stdout.readline().strip()
        child.send_signal(signal.SIGTERM)
        assert child.stdout.read() == ""


def test_another_process_finds_all_it_needs(process: str) -> None:
    assert process.startswith("http://127.0.0.1:")
    config = requests.get(f"{process}/demo/config", timeout=10).json()
    assert config["oauth_url"] == process
    assert config["rate_limits"] == [[1000, 10.0], [10000, 600.0]]
    assert "A little Qonto" in requests.get(process, timeout=10).text
    before = requests.get(f"{process}/demo/truth", timeout=10).json()
    assert before["user_organizations"] == 3
    done = requests.post(f"{process}/demo/advance", json={"edits": 2, "adds": 3}, timeout=10)
    after = requests.get(f"{process}/demo/truth", timeout=10).json()
    for id_, touched in done.json().items():
        was, now = before["organizations"][id_], after["organizations"][id_]
        assert now["rows"]["transactions"] == was["rows"]["transactions"] + 3
        assert now["balances"] != was["balances"]
        assert touched["transactions"]
    gated = [one for one in after["organizations"].values() if "requests" not in one["rows"]]
    assert [one["country"] for one in gated] == ["DE"]


def test_another_process_can_order_faults(process: str) -> None:
    def tell(method: str, **body: t.Any) -> requests.Response:
        return requests.request(
            method, f"{process}/demo/faults", data=json.dumps(body) if body else None, timeout=10
        )

    assert tell("POST", kind="explode").status_code == 422
    assert len(tell("POST", kind="status", status=503, times=1).json()["faults"]) == 1
    assert requests.get(f"{process}/v2/labels", timeout=10).status_code == 503
    assert requests.get(f"{process}/v2/labels", timeout=10).status_code == 401
    assert tell("DELETE").json() == {"faults": []}


def test_another_process_can_consent_and_move_the_clock(process: str) -> None:
    truth = requests.get(f"{process}/demo/truth", timeout=10).json()
    one, *rest = truth["organizations"]
    requests.post(f"{process}/demo/consent", json={"organizations": [one]}, timeout=10)
    assert list(requests.get(f"{process}/demo/truth", timeout=10).json()["organizations"]) == [one]
    requests.post(f"{process}/demo/consent", json={"organizations": [one, *rest]}, timeout=10)
    moved = requests.post(f"{process}/demo/clock", json={"seconds": 86400}, timeout=10).json()
    day = requests.get(f"{process}/v2/labels", timeout=10).headers["Date"].split(" ")[1]
    assert moved["now"][8:10] == day


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--option", "nonsense=3"], "nonsense"),
        (["--fault", '{"kind": "explode"}'], "explode"),
        (["--fault", "{"], "invalid"),
        (["--now", "yesterday"], "invalid"),
    ],
)
def test_a_wrong_flag_is_named_and_nothing_starts(
    flags: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(flags)
    assert caught.value.code == 2
    assert word in capsys.readouterr().err


def test_help_shows_examples() -> None:
    text = parser().format_help()
    for flag in ("--port", "--seed", "--organizations", "--latency", "--fault", "examples:"):
        assert flag in text
