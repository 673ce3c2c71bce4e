"""The demo's claim that the warehouse equals the server: does it see what is wrong?"""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # needs DuckDB
TABLES = """
    CREATE TABLE user_organizations AS SELECT 'org' AS id;
    CREATE TABLE labels AS SELECT 'org' AS organization_id, range::VARCHAR AS id FROM range(3);
    CREATE TABLE bank_accounts AS SELECT 'org' AS organization_id, 'a' AS id, 100 AS balance_cents;
"""
TRUTH = {
    "organizations": {
        "org": {
            "name": "Acme",
            "rows": {"labels": 3, "bank_accounts": 1, "requests": 7},
            "balances": {"a": {"name": "Main", "currency": "EUR", "balance_cents": 100}},
        }
    }
}


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ("SELECT 1", []),
        ("DELETE FROM labels WHERE id = '1'", ["labels, Acme: 2 rows landed, Qonto has 3"]),
        ("INSERT INTO labels VALUES ('org', '9')", ["labels, Acme: 4 rows landed, Qonto has 3"]),
        ("DROP TABLE labels", ["labels, Acme: 0 rows landed, Qonto has 3"]),
        (
            "UPDATE bank_accounts SET balance_cents = 99",
            ["balance of Main, Acme: 99 cents landed, Qonto says 100"],
        ),
        (
            "UPDATE user_organizations SET id = 'another'",
            ["user_organizations: not the organizations that the user consented to"],
        ),
    ],
)
def test_a_row_or_a_cent_that_differs_is_named(
    change: str, seen: list[str], tmp_path: Path
) -> None:
    duckdb = pytest.importorskip("duckdb", reason="no DuckDB here: use make test-slow")
    from demo.warehouse import differences, opened  # noqa: PLC0415 - needs DuckDB

    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute(TABLES)
        connection.execute(change)
    with opened(tmp_path / "w.duckdb") as warehouse:
        assert differences(warehouse, TRUTH, deselected={"requests"}) == seen
