"""The marts, as the views of docs/sql: each answer against one worked out from the demo's books."""

from __future__ import annotations

import re
import typing as t
from collections import defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

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
VIEWS = ROOT / "docs/sql/duckdb.sql"
STREAMS = {"transaction_counts", *re.findall(r"from main\.(\w+)", VIEWS.read_text("utf-8"))}
PARIS = ZoneInfo("Europe/Paris")
AGES = (
    (0, "1 not yet due"),
    (30, "2 up to 30 days"),
    (60, "3 31 to 60 days"),
    (90, "4 61 to 90 days"),
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
    for file in (VIEWS, VIEWS.with_name("duckdb_counts.sql")):
        connection.execute(file.read_text("utf-8"))
    yield connection
    connection.close()


@pytest.fixture
def spoiled(database: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables, to be spoiled: what a test does to them is undone."""
    database.begin()
    yield database
    database.rollback()


def ask(database: duckdb.DuckDBPyConnection, question: str) -> list[Row]:
    """The rows of a mart, or of a whole query."""
    query = question if " " in question else f"select * from analytics.qonto__{question}"
    cursor = database.execute(query)
    heads = [column[0] for column in cursor.description]
    return [dict(zip(heads, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture
def today() -> date:
    """As the models count."""
    return datetime.now(PARIS).date()


def day_of(moment: str) -> date:
    """The day in Paris of a moment as Qonto writes it."""
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone(PARIS).date()


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


CASH = """
    select day, organization, currency, sum(in_cents)::bigint as in_cents,
        sum(out_cents)::bigint as out_cents, sum(balance_cents)::bigint as balance_cents
    from analytics.qonto__daily_balances group by all
"""


def test_cash_of_a_day_is_what_all_movements_until_its_end_add_up_to(database, qonto, today):
    found = {(row["day"], row["organization"], row["currency"]): row for row in ask(database, CASH)}
    moves: dict[tuple[str, str], dict[date, list[int]]] = defaultdict(lambda: defaultdict(list))
    for name, row in books(qonto, "transactions"):
        if row["status"] == "completed":
            moves[name, row["currency"]][day_of(row["settled_at"])].append(signed(row))
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
        for row in ask(database, CASH)
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
            if row["initiator_id"]:  # else the holder of the card is named
                month = day_of(row["emitted_at"]).replace(day=1)
                key = (month, name, teams.get(team, "(no team)"), person, row["currency"])
                expected[key] -= signed(row)
    found: dict[tuple[t.Any, ...], int] = defaultdict(int)
    names = ("month", "organization", "team", "person", "currency")
    for row in ask(database, "card_spend"):
        if row["initiator_id"]:
            found[tuple(row[name] for name in names)] += row["spend_cents"]
    assert found == expected
    assert any(row["initiator_id"] is None for row in ask(database, "card_spend"))


def test_receivables_are_aged_by_due_date_and_count_what_is_still_open(database, qonto, today):
    credited: dict[str, int] = defaultdict(int)
    for _, row in books(qonto, "credit_notes"):
        credited[row["invoice_id"]] += row["total_amount_cents"]
    expected = {}
    for _, row in books(qonto, "client_invoices"):
        if row["status"] == "unpaid":
            age = "0 no due date"
            if row["due_date"]:
                late = (today - date.fromisoformat(row["due_date"])).days
                age = next((age for most, age in AGES if late <= most), "5 more than 90 days")
            left = row["total_amount_cents"] - cents(row["amount_paid"]) - credited[row["id"]]
            if left > 0:
                expected[row["id"]] = (age, left)
    found = {row["invoice_id"]: row for row in ask(database, "receivables")}
    assert {
        id_: (row["age"], row["open_cents"]) for id_, row in found.items() if row["open_cents"]
    } == expected
    assert {age for age, _ in expected.values()} >= {"0 no due date", "1 not yet due", AGES[1][1]}
    assert any(row["is_partly_paid"] for row in found.values())


def test_payables_are_all_but_the_settled_ones_less_what_was_matched(database, qonto, today):
    over = {"paid", "archived", "rejected", "discarded"}
    expected = {
        row["id"]: cents(row["payable_amount"]) * (-1 if row["is_credit_note"] else 1)
        for _, row in books(qonto, "supplier_invoices")
        if row["status"] not in over
    }
    found = {row["invoice_id"]: row for row in ask(database, "payables")}
    opened = {id_: row for id_, row in found.items() if row["status"] not in over}
    assert {id_: row["payable_cents"] for id_, row in opened.items()} == expected
    assert all(
        abs(row["open_cents"]) == max(0, abs(row["payable_cents"]) - abs(row["matched_cents"]))
        for row in opened.values()
    )
    assert not any(row["open_cents"] for id_, row in found.items() if id_ not in opened)
    assert any(row["payable_cents"] < 0 for row in opened.values())
    assert all(
        row["days_left"] == (row["due_date"] - today).days
        for row in opened.values()
        if row["due_date"]
    )


# -- the checks ----------------------------------------------------------------------------------


def test_a_healthy_warehouse_has_no_gap_and_every_verdict_is_ok(database, qonto):
    assert ask(database, "balance_gaps") == []
    found = ask(database, "account_checks")
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
    (jump,) = ask(spoiled, "balance_gaps")
    assert jump["bank_account_id"] == lost["bank_account_id"]
    assert jump["jump_cents"] == signed(lost)
    wrong = [row for row in ask(spoiled, "account_checks") if row["verdict"] != "ok"]
    assert [(row["what"], row["verdict"], row["difference"]) for row in wrong] == [
        ("completed", "missing", -1)
    ]
    assert wrong[0]["bank_account_id"] == lost["bank_account_id"]


def test_a_wrong_amount_is_found_though_the_counts_agree(spoiled):
    wrong = middle(spoiled)
    spoiled.execute(
        "update transactions set amount_cents = amount_cents + 1 where id = ?", [wrong["id"]]
    )
    (jump,) = ask(spoiled, "balance_gaps")
    assert jump["transaction_id"] == wrong["id"]
    assert abs(jump["jump_cents"]) == 1
    assert {row["verdict"] for row in ask(spoiled, "account_checks")} == {"ok"}


def test_the_lost_newest_row_is_found_by_the_balance(spoiled):
    (id_, cents_) = spoiled.execute(
        "select id, amount_cents::bigint from transactions where status = 'completed' "
        "order by settled_at desc limit 1"
    ).fetchone()
    spoiled.execute("delete from transactions where id = ?", [id_])
    assert ask(spoiled, "balance_gaps") == []
    wrong = [row for row in ask(spoiled, "account_checks") if row["verdict"] != "ok"]
    assert {(row["what"], row["verdict"], abs(row["difference"])) for row in wrong} == {
        ("balance, cents", "differs", cents_),
        ("completed", "missing", 1),
    }


def test_a_pending_row_that_qonto_has_no_more_is_one_too_many(spoiled):
    spoiled.execute(
        "insert into transactions select * replace ('ghost' as id, 'pending' as status, "
        "null as settled_at, null as settled_balance_cents) from transactions limit 1"
    )
    wrong = [row for row in ask(spoiled, "account_checks") if row["verdict"] != "ok"]
    assert [(row["what"], row["verdict"], row["difference"]) for row in wrong] == [
        ("pending", "too many", 1)
    ]


def test_a_status_that_was_not_read_from_qonto_is_said_so(spoiled):
    spoiled.execute("delete from transaction_counts where status = 'declined'")
    assert "not asked for" in {row["verdict"] for row in ask(spoiled, "account_checks")}


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
        assert ask(spoiled, "balance_gaps") == []
        (last,) = ask(spoiled, f"{CASH} order by day desc limit 1")
        assert last["balance_cents"] == 40


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
@pytest.mark.parametrize("moments", [[1, 2, 3, 4, 5, 6], [1, 2, 2, 2, 2, 3]])
def test_a_movement_that_is_lost_among_others_of_its_moment_is_found(spoiled, moments, lost):
    chain(spoiled, moments, [number for number in range(6) if number != lost])
    (jump,) = ask(spoiled, "balance_gaps")
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
    assert ask(spoiled, "balance_gaps") == []


# -- the files -----------------------------------------------------------------------------------


def test_every_mart_begins_with_its_question_and_is_explained_in_a_page():
    pages = "".join(
        (ROOT / page).read_text("utf-8")
        for page in ("docs/questions.md", "docs/checking.md", "dbt/README.md")
    )
    for model in (ROOT / "dbt/models/marts").glob("*.sql"):
        first = model.read_text("utf-8").splitlines()[0]
        assert re.fullmatch(r"-- .+\?( .+)?", first), model.name
        assert model.stem in pages, model.name


BLOCKS = re.compile(r"```sql\n(.*?)```\n(?:\n```\n(.*?)\n)?", re.DOTALL)
QUESTIONS = [
    (query, heads)
    for page in ("questions", "checking")
    for query, heads in BLOCKS.findall((ROOT / f"docs/{page}.md").read_text("utf-8"))
]


@pytest.mark.parametrize(("query", "heads"), QUESTIONS)
def test_every_query_of_the_pages_runs_and_its_printed_answer_has_its_columns(
    database, query, heads
):
    found = database.execute(query)
    columns = [column[0] for column in found.description]
    if heads:
        assert heads.split() == columns
    if "intercompany" not in query and "recurring" not in query and "duplicate" not in query:
        assert found.fetchall()


def test_ten_questions_are_asked_and_each_is_a_short_query_on_one_mart():
    asked = [query for query, heads in QUESTIONS if heads]
    assert len(asked) >= 10
    for query in asked:
        assert len(re.findall(r"(?:from|join) analytics\.qonto__", query)) == 1, query
        assert query.count("\n") <= 8, query


@pytest.mark.slow
def test_postgres_gives_the_same_answers(database, messages):
    with running_postgres() as url, psycopg.connect(url) as postgres:
        postgres.execute("set timezone = 'UTC'")
        postgres.execute("create schema qonto")
        postgres.execute("set search_path to qonto")
        into_postgres(messages, postgres)
        for name in ("postgres.sql", "postgres_counts.sql"):
            postgres.execute((ROOT / "docs/sql" / name).read_text("utf-8").encode())
        for model in sorted((ROOT / "dbt/models/marts").glob("*.sql")):
            there = postgres.execute(f"select * from analytics.{model.stem}".encode())
            heads = [column.name for column in there.description or ()]
            rows = [dict(zip(heads, row, strict=True)) for row in there.fetchall()]
            here = ask(database, model.stem.removeprefix("qonto__"))
            assert sorted(map(str, rows)) == sorted(map(str, here)), model.name
        for query, _ in QUESTIONS:
            there = postgres.execute(query.encode())
            here_rows = database.execute(query).fetchall()
            assert len(there.fetchall()) == len(here_rows), query
