"""Reads Qonto in shards: one mapped task per shard, each a `meltano run` in its own folder.

What the workers need in their environment is listed in the README beside this folder.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROJECT = Path(os.environ.get("QONTO_PROJECT", Path(__file__).parents[1]))  # has meltano.yml
SHARDS = int(os.environ.get("QONTO_SHARDS", "8"))  # parts of the work: generous, then never changed
AT_ONCE = int(os.environ.get("QONTO_AT_ONCE", "4"))  # of them running at the same time
ADDRESSES = int(os.environ.get("QONTO_ADDRESSES", "1"))  # public IP addresses they leave through
# Meltano lets nobody continue a killed run for five minutes.
RETRY = timedelta(minutes=float(os.environ.get("QONTO_RETRY_MINUTES", "6")))

# Qonto counts requests per IP address: those who share one divide its budget.
sharing = max(1, -(-AT_ONCE // ADDRESSES))
LIMITS = [[1000 // sharing, 10], [10000 // sharing, 600]]

with DAG(
    "qonto",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,  # the bookmarks of a shard belong to one run at a time
    default_args={"retries": 2, "retry_delay": RETRY},
):
    BashOperator.partial(
        task_id="shard",
        bash_command=f"exec sh '{PROJECT}/shard.sh' ",  # the blank: it is no template file
        append_env=True,
        map_index_template="{{ task.env['TAP_QONTO_SHARD'] }}",
        max_active_tis_per_dagrun=AT_ONCE,
    ).expand(
        env=[
            {
                "TAP_QONTO_SHARD": f"{number}/{SHARDS}",
                "TAP_QONTO_RATE_LIMITS": json.dumps(LIMITS),
            }
            for number in range(1, SHARDS + 1)
        ]
    )
