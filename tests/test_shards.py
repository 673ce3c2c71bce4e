"""Many machines: shards are disjoint, complete and stable, and share one session."""

from __future__ import annotations

import ast
import re
import subprocess
import typing as t
import uuid
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from taps import Row, catalog_of, keyed, read, start

from demo.server import running
from tap_qonto.api.organizations import shard_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.server import Server

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/many-machines.md").read_text("utf-8")
STREAMS = ("bank_accounts", "labels", "transactions", "user_organizations")
CATALOG = catalog_of(*STREAMS)


@pytest.fixture
def qonto() -> Iterator[Server]:
    with running(organizations=9, transactions=12, seed=3) as server:
        yield server


@given(st.text(min_size=1), st.integers(1, 64))
def test_an_organization_belongs_to_exactly_one_shard(organization_id, count):
    assert 1 <= shard_of(organization_id, count) <= count


def test_an_organization_stays_in_its_shard_whatever_the_release():
    """A change here would make every sharded pipeline read its organizations anew."""
    ids = [str(uuid.UUID(int=number)) for number in range(8)]
    assert [shard_of(one, 4) for one in ids] == [1, 2, 3, 3, 4, 1, 1, 3]


def test_shards_of_many_organizations_are_of_about_one_size():
    sizes = Counter(shard_of(str(uuid.UUID(int=number)), 16) for number in range(2000))
    assert len(sizes) == 16
    assert max(sizes.values()) < 2 * 2000 / 16


def test_shards_read_together_what_one_run_reads_and_no_row_twice(qonto, store):
    whole = read(qonto.config(token_store=store), catalog=CATALOG)
    shards = [
        read(qonto.config(token_store=store, shard=f"{number}/4"), catalog=CATALOG)
        for number in (1, 2, 3, 4)
    ]
    assert [run.code for run in shards] == [0, 0, 0, 0]
    for stream in STREAMS:
        together: list[Row] = [row for run in shards for row in run.rows(stream)]
        assert keyed(stream, together) == keyed(stream, whole.rows(stream))
        assert len(together) == len(whole.rows(stream)) > 0


def test_a_shard_keeps_its_bookmarks_and_reads_only_what_changed(qonto, store):
    config = qonto.config(token_store=store, shard="2/2")
    first = read(config, catalog=CATALOG)
    qonto.bank.advance(edits=2, adds=1)
    qonto.clock.advance(600)
    second = read(config, catalog=CATALOG, state=first.state)
    mine = {row["id"] for row in first.rows("user_organizations")}
    assert {row["organization_id"] for row in second.rows("transactions")} <= mine
    assert 0 < len(second.rows("transactions")) < len(first.rows("transactions"))


def test_a_shard_without_organizations_is_no_failure(qonto, store):
    empty = next(
        number
        for number in range(1, 65)
        if not any(shard_of(one.id, 64) == number for one in qonto.bank.organizations)
    )
    run = read(qonto.config(token_store=store, shard=f"{empty}/64"), catalog=CATALOG)
    assert run.code == 0
    assert not run.by_stream


@pytest.mark.slow
def test_shards_that_start_at_once_from_one_seed_share_its_one_refresh(qonto, tmp_path):
    config = qonto.config(token_store=f"sqlite:///{tmp_path}/sessions.db")
    processes = []
    for number in (1, 2, 3):
        folder = tmp_path / str(number)
        folder.mkdir()
        shard = {**config, "shard": f"{number}/3"}
        processes.append(start(folder, config=shard, catalog=CATALOG))
    ends = [process.communicate(timeout=100) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    assert Counter(one.path for one in qonto.requests)["/oauth2/token"] == 1
    assert {one.status for one in qonto.requests} == {200}


# -- the page ------------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_kubernetes_job_of_the_page_gives_each_pod_its_shard():
    (text,) = blocks("yaml")
    cron = yaml.safe_load(text)
    job = cron["spec"]["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    count = job["completions"]
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    assert job["completionMode"] == "Indexed"
    assert f'"$((JOB_COMPLETION_INDEX + 1))/{count}"' in container["args"][0]
    assert f'-of-{count}"' in container["args"][0]


def test_a_pod_of_that_job_runs_its_own_shard_under_its_own_state_id(tmp_path):
    (container,) = yaml.safe_load(blocks("yaml")[0])["spec"]["jobTemplate"]["spec"]["template"][
        "spec"
    ]["containers"]
    meltano = tmp_path / "meltano"
    meltano.write_text('#!/bin/sh\necho "$TAP_QONTO_SHARD" "$@"\n')
    meltano.chmod(0o755)
    said = subprocess.check_output(
        [*container["command"], *container["args"]],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "JOB_COMPLETION_INDEX": "1"},
        text=True,
    )
    assert said == "2/8 run --state-id-suffix 2-of-8 tap-qonto target-postgres\n"


def test_the_python_of_the_page_parses():
    for text in blocks("python"):
        ast.parse(text)


def test_the_page_tells_each_setting_of_the_dag():
    dag = (ROOT / "examples/airflow/dags/qonto.py").read_text("utf-8")
    readme = (ROOT / "examples/airflow/README.md").read_text("utf-8")
    names = set(re.findall(r"\bQONTO_[A-Z_]+", dag))
    assert {name for name in names if f"`{name}`" not in readme} == set()
    assert len(names) == 5
