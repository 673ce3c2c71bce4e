"""The package as a whole: it builds, knows absent streams, and an increment equals a rebuild."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

from demo.data import plan

if t.TYPE_CHECKING:
    from conftest import Built

ROOT = Path(__file__).parents[2]


def test_every_model_and_test_holds_on_the_demos_rows(warehouse: Built) -> None:
    warehouse.dbt("build")
    models = {path.stem for path in (ROOT / "dbt/models").rglob("*__*.sql")}
    assert set(warehouse.results) >= models
    assert len(warehouse.results) > 200
    assert not warehouse.wrong
    what_the_demos_books_hide_is_found(warehouse)
    for stream in ("transactions", "client_invoices", "supplier_invoices", "cards", "clients"):
        ((there,), (here,)) = warehouse.execute(
            f"select count(*) from main.{stream} union all "
            f"select count(*) from analytics.stg_qonto__{stream}"
        )
        assert there == here > 0, stream
    currencies = warehouse.rows("select distinct currency from analytics.qonto__monthly_cash_flow")
    assert {row["currency"] for row in currencies} >= {"EUR", "USD"}


def faults(warehouse: Built, query: str) -> dict[str, list[t.Any]]:
    """Organization -> the rest of its one row."""
    return {organization: rest for organization, *rest in warehouse.execute(query)}


def what_the_demos_books_hide_is_found(warehouse: Built) -> None:
    """The faults of `demo/data/plan.py`, the same in each organization that has a history."""
    dearer = faults(
        warehouse,
        "select organization, last_cents - previous_cents from analytics.qonto__recurring_spend "
        "where is_dearer",
    )
    assert len(dearer) == 3
    assert {tuple(rest) for rest in dearer.values()} == {(plan.PRICES[1] - plan.PRICES[0],)}
    twice = faults(
        warehouse,
        "select organization, count(*) from analytics.qonto__duplicate_payments group by all",
    )
    assert list(twice.values()) == [[1]] * 3
    invoices = faults(
        warehouse,
        "select organization, sum(overpaid_cents)::bigint, count(*) filter (is_partly_paid) "
        "from analytics.qonto__receivables group by all",
    )
    assert list(invoices.values()) == [[plan.OVERPAID, 1]] * 3
    ((own, paired),) = warehouse.execute(
        "select count(*), count(counterpart_transaction_id) from analytics.int_qonto__own_transfers"
    )
    assert own == paired > 40
    ((unpaired,),) = warehouse.execute("select sum(unpaired) from analytics.qonto__intercompany")
    assert unpaired == 0


def test_every_key_begins_with_the_organization_and_every_sum_is_of_one_currency() -> None:
    marts = yaml.safe_load((ROOT / "dbt/models/marts/qonto.yml").read_text("utf-8"))["models"]
    summing = {"monthly_cash_flow", "runway", "vat_by_month", "card_spend", "recurring_spend"}
    summing |= {"label_totals", "counterparties", "intercompany"}
    assert len(marts) > len(summing)
    for mart in marts:
        key = mart["data_tests"][0]["qonto_unique"]["arguments"]["columns"]
        assert key[0] == "organization_id", mart["name"]
        assert ("currency" in key) == (mart["name"].removeprefix("qonto__") in summing)


def test_a_lonely_table_of_transactions_is_enough(warehouse: Built) -> None:
    names = warehouse.execute("select table_name from duckdb_tables()")
    warehouse.execute(*(f'drop table "{n}"' for (n,) in names if n != "transactions"))
    warehouse.dbt("build")
    assert not warehouse.wrong
    (row,) = warehouse.rows(
        "select count(*) as rows, count(amount_cents) as amounts, count(person) as people "
        "from analytics.qonto__transactions"
    )
    assert row["rows"] == row["amounts"] > 100
    assert row["people"] == 0


def test_a_variable_demands_or_drops_a_stream_and_flattened_tables_are_refused(
    warehouse: Built,
) -> None:
    warehouse.execute(
        "drop table teams",
        "alter table credit_notes rename total_amount to total_amount__value",
    )
    models = ["stg_qonto__memberships", "stg_qonto__credit_notes", "stg_qonto__clients"]
    using = '{"qonto__using_teams": true, "qonto__using_clients": false}'
    out = warehouse.dbt("run", "--select", *models, "--vars", using)
    assert "Load the stream teams with tap-qonto" in out
    assert "without flattening_enabled" in out
    assert warehouse.execute("select count(*) from analytics.stg_qonto__clients") == [(0,)]


TRANSACTIONS = "select * exclude (loaded_at) from analytics.stg_qonto__transactions order by all"


def test_an_increment_equals_a_rebuild_after_edits_deletions_and_late_arrivals(
    warehouse: Built,
) -> None:
    ids = [
        id_
        for (id_,) in warehouse.execute(
            "select id from transactions where status = 'completed' order by emitted_at"
        )
    ]
    late, edited, marked, dropped, silent = ids[:5]
    warehouse.execute(
        f"update transactions set _sdc_batched_at = '2026-11-20' where id = '{silent}'",
        f"create table arriving as select * from transactions where id = '{late}'",
        f"delete from transactions where id = '{late}'",
    )
    warehouse.dbt("run", "--select", "+stg_qonto__transactions")
    new = "_sdc_batched_at = '2026-11-27 10:00:00'"
    warehouse.execute(
        f"update transactions set note = 'late', label_ids = '[\"x\"]', {new} "
        f"where id = '{edited}'",
        f"update transactions set _sdc_deleted_at = '2026-11-27' where id = '{marked}'",
        f"delete from transactions where id = '{dropped}'",
        f"update arriving set {new}",  # emitted and updated long ago, loaded now
        "insert into transactions select * from arriving",
        f"update transactions set note = 'unseen' where id = '{silent}'",  # not by a loader
    )
    warehouse.dbt("run", "--select", "+stg_qonto__transactions")
    by_increment = warehouse.rows(TRANSACTIONS)
    notes = {row["transaction_id"]: row["note"] for row in by_increment}
    assert notes[edited] == "late"
    assert late in notes
    assert not {marked, dropped} & set(notes)
    assert notes[silent] != "unseen", "rows that no loader wrote are not read again"

    warehouse.dbt("run", "--full-refresh", "--select", "+stg_qonto__transactions")
    rebuilt = warehouse.rows(TRANSACTIONS)
    assert [row for row in by_increment if row["transaction_id"] != silent] == [
        row for row in rebuilt if row["transaction_id"] != silent
    ]
    assert len(rebuilt) == len(by_increment) > len(ids) - 2


def test_docs_sql_is_what_the_models_compile_to() -> None:
    check = subprocess.run(
        [sys.executable, str(ROOT / "scripts/sql.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (check.returncode, check.stdout) == (0, ""), check.stdout + check.stderr
