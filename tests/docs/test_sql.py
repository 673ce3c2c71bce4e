"""The SQL in docs/sql: every answer against one that is worked out from the demo's own books."""

from __future__ import annotations

import re
import typing as t
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from postgres import running_postgres
from tables import into_duckdb, into_postgres
from taps import Row, catalog_of, read

from demo.server import running

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from demo.server import Server

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "docs/sql").glob("*.sql"))
STREAMS = (
    "bank_account_balances",
    "bank_accounts",
    "client_invoices",
    "memberships",
    "supplier_invoices",
    "teams",
    "transaction_counts",
    "transactions",
    "user_organizations",
)
AGES = (
    (0, "not yet due"),
    (30, "up to 30 days late"),
    (60, "31 to 60 days late"),
    (90, "61 to 90 days late"),
)


@pytest.fixture(scope="module")
def qonto() -> Iterator[Server]:
    """Four organizations, and in the first also what the demo does not bring by itself."""
    with running(organizations=4, transactions=120, seed=5) as server:
        bank, first = server.bank, server.bank.organizations[0].id
        today = server.clock.now().date()
        unpaid = [r["id"] for r in bank.rows("client_invoices", first) if r["status"] == "unpaid"]
        part = {"value": "10.07", "currency": "EUR"}
        bank.edit("client_invoices", first, unpaid[0], amount_paid=part)
        bank.edit("client_invoices", first, unpaid[1], due_date=None)
        for id_, days in zip(unpaid[2:], (0, 30), strict=False):
            bank.edit("client_invoices", first, id_, due_date=str(today - timedelta(days=days)))
        cards = [
            r["id"]
            for r in bank.rows("transactions", first)
            if r["operation_type"] == "card" and r["status"] == "completed"
        ]
        bank.edit("transactions", first, cards[0], attachment_lost=True, attachment_ids=[])
        bank.edit("transactions", first, cards[1], attachment_ids=None)
        bank.edit("transactions", first, cards[2], initiator_id=None)
        server.clock.advance(600)  # the edits are old enough to be read
        yield server


@pytest.fixture(scope="module")
def messages(qonto: Server, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    store = f"sqlite:///{tmp_path_factory.mktemp('store')}/sessions.db"
    run = read(qonto.config(token_store=store), catalog=catalog_of(*STREAMS))
    assert run.code == 0, run.log
    return run.messages


@pytest.fixture(scope="module")
def database(
    messages: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = into_duckdb(messages, tmp_path_factory.mktemp("tables"))
    yield connection
    connection.close()


@pytest.fixture
def spoiled(database: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables, to be spoiled: what a test does to them is undone."""
    database.begin()
    yield database
    database.rollback()


def ask(database: duckdb.DuckDBPyConnection, name: str) -> list[Row]:
    cursor = database.execute((ROOT / f"docs/sql/{name}.sql").read_text("utf-8"))
    heads = [column[0] for column in cursor.description]
    return [dict(zip(heads, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture
def today(database: duckdb.DuckDBPyConnection) -> date:
    """As the database counts."""
    (found,) = database.execute("select current_date").fetchone() or (None,)
    return t.cast("date", found)


def books(qonto: Server, stream: str) -> Iterator[tuple[str, Row]]:
    """Name of the organization and row, of all."""
    for one in qonto.bank.organizations:
        for row in qonto.bank.rows(stream, one.id):
            yield one.name, row


def cents(amount: dict[str, str]) -> int:
    whole, _, part = amount["value"].partition(".")
    return int(whole + f"{part:0<2}")


def signed(row: Row) -> int:
    return int(row["amount_cents"]) * (1 if row["side"] == "credit" else -1)


# -- the questions -------------------------------------------------------------------------------


def test_cash_of_a_day_is_what_all_movements_until_its_end_add_up_to(database, qonto, today):
    found = {
        (row["day"], row["organization"], row["currency"]): row
        for row in ask(database, "cash_per_day")
    }
    moves: dict[tuple[str, str], dict[date, list[int]]] = defaultdict(lambda: defaultdict(list))
    for name, row in books(qonto, "transactions"):
        if row["status"] == "completed":
            day = date.fromisoformat(row["settled_at"][:10])
            moves[name, row["currency"]][day].append(signed(row))
    expected = {}
    for (name, currency), by_day in moves.items():
        day, balance = min(by_day), 0
        while day <= today:
            here = by_day.get(day, [])
            balance += sum(here)
            expected[day, name, currency] = (
                sum(one for one in here if one > 0),
                -sum(one for one in here if one < 0),
                balance,
            )
            day += timedelta(days=1)
    assert len(expected) > 900
    assert {
        key: (row["in_cents"], row["out_cents"], row["balance_cents"]) for key, row in found.items()
    } == expected


def test_cash_of_today_is_the_balance_that_qonto_tells(database, qonto, today):
    held: dict[tuple[str, str], int] = defaultdict(int)
    for one in qonto.bank.organizations:
        for account in qonto.bank.balances(one.id).values():
            held[one.name, account["currency"]] += account["balance_cents"]
    found = {
        (row["organization"], row["currency"]): row["balance_cents"]
        for row in ask(database, "cash_per_day")
        if row["day"] == today
    }
    assert found == {key: balance for key, balance in held.items() if key in found}
    assert all(balance == 0 for key, balance in held.items() if key not in found)


def test_missing_receipts_are_those_that_qonto_asks_for_and_nobody_gave_or_lost(database, qonto):
    expected = {
        row["id"]
        for _, row in books(qonto, "transactions")
        if row["attachment_required"]
        and not row["attachment_lost"]
        and not row["attachment_ids"]
        and row["status"] in {"completed", "pending"}
    }
    found = ask(database, "missing_receipts")
    assert {row["transaction_id"] for row in found} == expected
    assert len(found) == len(expected) > 20
    assert [row["day"] for row in found] == sorted(row["day"] for row in found)


def test_card_spend_nets_refunds_and_adds_up_to_the_books(database, qonto):
    expected: dict[tuple[t.Any, ...], int] = defaultdict(int)
    people = {
        row["id"]: (f"{row['first_name']} {row['last_name']}", row["team_id"])
        for _, row in books(qonto, "memberships")
    }
    teams = {row["id"]: row["name"] for _, row in books(qonto, "teams")}
    for name, row in books(qonto, "transactions"):
        if row["operation_type"] == "card" and row["status"] in {"completed", "pending"}:
            person, team = people.get(row["initiator_id"], ("(unknown)", None))
            month = date.fromisoformat(row["emitted_at"][:8] + "01")
            key = (month, name, teams.get(team, "(no team)"), person, row["currency"])
            expected[key] -= signed(row)
    found = ask(database, "card_spend")
    names = ("month", "organization", "team", "person", "currency")
    assert {tuple(row[name] for name in names): row["spend_cents"] for row in found} == expected
    assert any(row["person"] == "(unknown)" for row in found)


def test_unpaid_invoices_are_aged_by_due_date_and_count_what_is_still_open(database, qonto, today):
    expected: dict[tuple[str, str], list[int]] = defaultdict(list)
    for name, row in books(qonto, "client_invoices"):
        if row["status"] == "unpaid":
            age = "no due date"
            if row["due_date"]:
                late = (today - date.fromisoformat(row["due_date"])).days
                age = next((age for most, age in AGES if late <= most), "more than 90 days late")
            expected[name, age].append(row["total_amount_cents"] - cents(row["amount_paid"]))
    found = {
        (row["organization"], row["age"]): (row["invoices"], row["open_cents"])
        for row in ask(database, "unpaid_client_invoices")
    }
    assert found == {key: (len(open_), sum(open_)) for key, open_ in expected.items()}
    ages = ["not yet due", "up to 30 days late", "more than 90 days late", "no due date"]
    first = qonto.bank.organizations[0].name
    assert [age for name, age in found if name == first and age in ages] == ages


def test_supplier_invoices_due_are_all_but_the_settled_ones_most_urgent_first(
    database, qonto, today
):
    over = {"paid", "archived", "rejected", "discarded"}
    expected = sorted(
        cents(row["payable_amount"]) * (-1 if row["is_credit_note"] else 1)
        for _, row in books(qonto, "supplier_invoices")
        if row["status"] not in over
    )
    found = ask(database, "supplier_invoices_due")
    assert sorted(row["payable_cents"] for row in found) == expected
    assert any(row["payable_cents"] < 0 for row in found)
    dates = [row["due_date"] or date.max for row in found]
    assert dates == sorted(dates)
    assert dates[-1] == date.max
    assert all(
        row["days_left"] == (row["due_date"] - today).days for row in found if row["due_date"]
    )


# -- the checks ----------------------------------------------------------------------------------


def test_a_healthy_warehouse_has_no_gap_and_every_verdict_is_ok(database, qonto):
    assert ask(database, "balance_continuity") == []
    found = ask(database, "check_accounts")
    accounts = sum(len(qonto.bank.balances(one.id)) for one in qonto.bank.organizations)
    assert len(found) == accounts * 5  # four statuses and the balance
    assert {row["verdict"] for row in found} == {"ok"}


def middle(database: duckdb.DuckDBPyConnection) -> Row:
    """A completed transaction that has others of its account before and after it."""
    cursor = database.execute(
        "select id, bank_account_id, amount_cents::bigint as amount_cents, side from transactions "
        "where status = 'completed' order by settled_at limit 1 offset 40"
    )
    heads = [column[0] for column in cursor.description]
    return dict(zip(heads, cursor.fetchone() or (), strict=True))


def test_a_lost_row_is_found_by_count_and_by_the_jump_of_the_balance(spoiled):
    lost = middle(spoiled)
    spoiled.execute("delete from transactions where id = ?", [lost["id"]])
    (jump,) = ask(spoiled, "balance_continuity")
    assert jump["bank_account_id"] == lost["bank_account_id"]
    assert jump["jump_cents"] == signed(lost)
    wrong = [row for row in ask(spoiled, "check_accounts") if row["verdict"] != "ok"]
    assert [(row["what"], row["verdict"], row["difference"]) for row in wrong] == [
        ("completed", "missing", -1)
    ]
    assert wrong[0]["bank_account_id"] == lost["bank_account_id"]


def test_a_wrong_amount_is_found_though_the_counts_agree(spoiled):
    wrong = middle(spoiled)
    spoiled.execute(
        "update transactions set amount_cents = amount_cents + 1 where id = ?", [wrong["id"]]
    )
    (jump,) = ask(spoiled, "balance_continuity")
    assert jump["transaction_id"] == wrong["id"]
    assert abs(jump["jump_cents"]) == 1
    assert {row["verdict"] for row in ask(spoiled, "check_accounts")} == {"ok"}


def test_the_lost_newest_row_is_found_by_the_balance(spoiled):
    (id_, cents_) = spoiled.execute(
        "select id, amount_cents::bigint from transactions where status = 'completed' "
        "order by settled_at desc limit 1"
    ).fetchone()
    spoiled.execute("delete from transactions where id = ?", [id_])
    assert ask(spoiled, "balance_continuity") == []
    wrong = [row for row in ask(spoiled, "check_accounts") if row["verdict"] != "ok"]
    assert [(row["what"], row["verdict"], abs(row["difference"])) for row in wrong] == [
        ("balance, cents", "differs", cents_),
        ("completed", "missing", 1),
    ]


def test_a_pending_row_that_qonto_has_no_more_is_one_too_many(spoiled):
    spoiled.execute(
        "insert into transactions select * replace ('ghost' as id, 'pending' as status, "
        "null as settled_at, null as settled_balance_cents) from transactions limit 1"
    )
    wrong = [row for row in ask(spoiled, "check_accounts") if row["verdict"] != "ok"]
    assert [(row["what"], row["verdict"], row["difference"]) for row in wrong] == [
        ("pending", "too many", 1)
    ]


def test_a_status_that_was_not_read_from_qonto_is_said_so(spoiled):
    spoiled.execute("delete from transaction_counts where status = 'declined'")
    assert "not asked for" in {row["verdict"] for row in ask(spoiled, "check_accounts")}


# -- movements that settle in one moment ---------------------------------------------------------

CHAIN = [(1000, 1000), (-300, 700), (-200, 500), (250, 750), (-750, 0), (40, 40)]  # cents, balance


def chain(database: duckdb.DuckDBPyConnection, moments: list[int], rows: list[int]) -> None:
    """An account with the movements `rows` of CHAIN, settled at the day of `moments`."""
    database.execute("delete from transactions")
    for number in rows:
        amount, after = CHAIN[number]
        database.execute(
            "insert into transactions (organization_id, bank_account_id, currency, status, id, "
            "settled_at, side, amount_cents, settled_balance_cents) "
            "select id, 'account', 'EUR', 'completed', ?, ?, ?, ?, ? "
            "from user_organizations order by id limit 1",
            [
                f"row {number * 7 % 5}{number}",  # no order by id
                f"2026-01-{moments[number]:02} 04:00:00",
                "credit" if amount > 0 else "debit",
                abs(amount),
                after,
            ],
        )


@pytest.mark.parametrize("moments", [[1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1], [1, 2, 2, 2, 2, 3]])
def test_movements_of_one_moment_are_no_gap_in_whatever_order_they_come(spoiled, moments):
    for rows in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 0, 5, 1, 4, 2]):
        chain(spoiled, moments, rows)
        assert ask(spoiled, "balance_continuity") == []
        assert ask(spoiled, "cash_per_day")[-1]["balance_cents"] == 40


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
@pytest.mark.parametrize("moments", [[1, 2, 3, 4, 5, 6], [1, 2, 2, 2, 2, 3]])
def test_a_movement_that_is_lost_among_others_of_its_moment_is_found(spoiled, moments, lost):
    chain(spoiled, moments, [number for number in range(6) if number != lost])
    (jump,) = ask(spoiled, "balance_continuity")
    assert jump["found_cents"] == CHAIN[lost][1]


def test_a_payment_and_its_refund_in_one_moment_are_no_gap(spoiled):
    chain(spoiled, [1, 2, 3, 4, 5, 6], [0])
    for id_, side, after in (("out", "debit", 900), ("back", "credit", 1000)):
        spoiled.execute(
            "insert into transactions select * replace (? as id, ? as side, 100 as amount_cents, "
            "? as settled_balance_cents, timestamp '2026-01-09' as settled_at) "
            "from transactions where amount_cents = 1000",
            [id_, side, after],
        )
    assert ask(spoiled, "balance_continuity") == []


# -- the files -----------------------------------------------------------------------------------


def test_every_file_begins_with_its_question_and_is_explained_in_a_page():
    pages = "".join(
        (ROOT / f"docs/{page}.md").read_text("utf-8") for page in ("questions", "checking")
    )
    for file in FILES:
        first = file.read_text("utf-8").splitlines()[0]
        assert re.fullmatch(r"-- .+\?( .+)?", first), file.name
        assert f"sql/{file.name}" in pages, file.name


@pytest.mark.slow
def test_postgres_gives_the_same_answers(database, messages):
    with running_postgres() as url, psycopg.connect(url) as postgres:
        postgres.execute("set timezone = 'UTC'")
        into_postgres(messages, postgres)
        for file in FILES:
            there = postgres.execute(file.read_text("utf-8").encode())
            heads = [column.name for column in there.description or ()]
            rows = [dict(zip(heads, row, strict=True)) for row in there.fetchall()]
            here = ask(database, file.stem)
            assert sorted(map(str, rows)) == sorted(map(str, here)), file.name
            assert here or file.stem == "balance_continuity"
