"""Each mart against an answer worked out from the demo's books, on DuckDB and on Postgres."""

from __future__ import annotations

import re
import typing as t
from collections import defaultdict
from datetime import date, datetime, timedelta

import psycopg
import pytest
from postgres import running_postgres
from tables import into_postgres

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from taps import Row

    from demo.server import Server

from marts import CASH, PARIS, ROOT, ask, signed

AGES = (
    (0, "1 not yet due"),
    (30, "2 up to 30 days"),
    (60, "3 31 to 60 days"),
    (90, "4 61 to 90 days"),
)


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


# -- the questions -------------------------------------------------------------------------------


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
