"""The Airflow example, run for real: two runs of its DAG, and a look at what they did."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from postgres import running_postgres

ROOT = Path(__file__).parents[2]
CANNOT_INSTALL = 77


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_shards_run_by_airflow_side_by_side_are_disjoint_complete_and_share_one_session() -> None:
    with running_postgres() as url:
        done = subprocess.run(
            [sys.executable, "examples/airflow/check.py", url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    sys.stdout.write(done.stdout)
    if done.returncode == CANNOT_INSTALL:
        pytest.skip(f"NOT TESTED: {done.stdout.splitlines()[-1]}")
    assert done.returncode == 0, done.stdout
