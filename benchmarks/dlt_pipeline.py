"""dlt's REST source over the same lists; run with a Python that has dlt, and no more.

    python dlt_pipeline.py WORK.json

WORK: {"url", "token", "folder", "statuses", "lists": [facts, …], "only": [names] or null}.
Extraction only: what is written are dlt's own files, as a tap's messages are before a target.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
os.environ["EXTRACT__WORKERS"] = "20"
os.environ["EXTRACT__MAX_PARALLEL_ITEMS"] = "40"
os.environ["DLT_DATA_DIR"] = "."

import dlt
from dlt.sources.rest_api import rest_api_source

work = json.loads(Path(sys.argv[1]).read_text())


def resource(facts: dict, status: str | None = None) -> dict:
    """A resource; transactions are one for each status, in one table."""
    params = dict(facts["params"])
    organization = "{resources.user_organizations.id}"
    if status:
        params |= {"bank_account_id": "{resources.bank_accounts.id}", "status[]": status}
        organization = "{resources.bank_accounts.organization_id}"
    if facts["size"]:
        params["per_page"] = facts["size"]
    paginator = {
        "type": "page_number",
        "base_page": 1,
        "page_param": "page",
        "total_path": "meta.total_pages",
    }
    if facts["name"] == "bank_accounts":  # no meta, and never more than a page
        paginator = "single_page"
    found = {
        "name": f"{facts['name']}_{status}" if status else facts["name"],
        "table_name": facts["name"],
        "write_disposition": "append",
        "parallelized": True,
        "endpoint": {
            "path": facts["path"],
            "method": facts["method"],
            "headers": {"X-Qonto-Organization-Id": organization},
            "params": params,
            "data_selector": facts["rows"],
            "paginator": paginator if facts["size"] else "single_page",
        },
    }
    if facts["body"]:
        found["endpoint"]["json"] = facts["body"]
    if not status:
        found["include_from_parent"] = ["id"]
    return found


resources = [
    {
        "name": "user_organizations",
        "endpoint": {
            "path": "/v2/user_organizations",
            "data_selector": "organizations",
            "paginator": "single_page",
        },
    }
]
for facts in work["lists"]:
    if facts["by_account"]:
        resources += [resource(facts, status) for status in work["statuses"]]
    else:
        resources.append(resource(facts))

source = rest_api_source(
    {
        "client": {
            "base_url": work["url"],
            "auth": {"type": "bearer", "token": work["token"]},
        },
        "resources": resources,
    }
)
if work["only"]:
    names = [r["name"] for r in resources if r.get("table_name", r["name"]) in work["only"]]
    source = source.with_resources(*names)
pipeline = dlt.pipeline(
    "bench", destination="dummy", dataset_name="bench", pipelines_dir=work["folder"]
)
pipeline.extract(source)
metrics = [m for parts in pipeline.last_trace.last_extract_info.metrics.values() for m in parts]
tables = {}
for part in metrics:
    for name, facts in part["table_metrics"].items():
        tables[name] = tables.get(name, 0) + facts.items_count
rows = sum(count for name, count in tables.items() if not name.startswith("_dlt"))
for _ in range(rows):
    print('{"type": "RECORD"}')  # so that rows are counted as those of the others are
