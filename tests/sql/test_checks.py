"""What a healthy warehouse passes, and what is found where a row is lost, wrong or too many."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    import duckdb
    from taps import Row


from marts import CASH, ask, signed


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
