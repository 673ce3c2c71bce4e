"""Write docs/sql: the models of the dbt package as views, for those without dbt.

    python scripts/sql.py            write them
    python scripts/sql.py --check    only name those that are out of step (exit code 1)

A file for each adapter creates every model as dbt compiles it for the tables that the loaders of
meltano.yml make. Edit dbt/models, not the files. Needs the group `dbt`, and no database.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dbt"
FOLDER = ROOT / "docs" / "sql"
ADAPTERS = {"duckdb": "DuckDB", "postgres": "Postgres"}
COUNTS, COUNTED = "stg_qonto__transaction_counts", "transaction_counts"  # off by default
HEAD = """\
-- The answers of the dbt package `qonto` as views of {database}, for those without dbt.
--
-- Made from dbt/models by scripts/sql.py: edit those, not this. Reads the tables that tap-qonto and
-- the loader of meltano.yml leave in the schema `{schema}`; puts the views into `analytics`. Every
-- stream it names must have been loaded. What a model means stands in its first line.

create schema if not exists analytics;
"""
COUNTS_HEAD = """\
-- Lets qonto__account_checks count: run it after {adapter}.sql, once `transaction_counts`, a stream
-- that is off by default, was loaded.
--
-- Made from dbt/models by scripts/sql.py: edit those, not this.
"""

Node = dict[str, t.Any]


def made() -> dict[Path, str]:
    """Make every file: path -> what should stand in it."""
    files = {}
    for adapter, database in ADAPTERS.items():
        nodes, sources = _compiled(adapter)
        order: list[str] = []
        for key in sorted(nodes):
            _below(key, nodes, order)
        views = {nodes[key]["name"]: _view(nodes[key], nodes, sources) for key in order}
        there = next(source for source in sources.values() if source["name"] == COUNTED)
        head = HEAD.format(database=database, schema=there["schema"])
        with_counts = "\n".join([COUNTS_HEAD.format(adapter=adapter), views[COUNTS]])
        views[COUNTS] = _without_rows(views[COUNTS], there)
        files[FOLDER / f"{adapter}.sql"] = "\n".join([head, *views.values()])
        files[FOLDER / f"{adapter}_counts.sql"] = with_counts
    return files


def _compiled(adapter: str) -> tuple[dict[str, Node], dict[str, Node]]:
    """Models and sources by their unique ids, compiled without asking a database."""
    with tempfile.TemporaryDirectory() as target:
        command = ["compile", "--quiet", "--no-introspect", "--no-populate-cache"]
        places = ["--project-dir", str(PACKAGE), "--profiles-dir", str(PACKAGE)]
        dropped = ("DBT_", "PYTHONDONTWRITEBYTECODE")  # settings; what makes dbt start slowly
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(dropped)},
            "DBT_TARGET_PATH": target,
            "DBT_LOG_PATH": target,
            "DBT_DUCKDB_PATH": ":memory:",
        }
        dbt = Path(sys.executable).with_name("dbt")
        subprocess.run(  # noqa: S603 - the words above
            [dbt, *command, "--target", adapter, *places], env=env, check=True
        )
        manifest = json.loads((Path(target) / "manifest.json").read_text("utf-8"))
    nodes = manifest["nodes"].items()
    models = {key: node for key, node in nodes if node["resource_type"] == "model"}
    return models, manifest["sources"]


def _without_rows(view: str, source: Node) -> str:
    """Make a view that needs no table: the same columns, and no row."""
    nulls = ", ".join(f"null as {name}" for name in source["columns"])
    table = f"from {source['schema']}.{source['name']} as {source['name']}"
    return view.replace(table, f"from (select {nulls}) as {source['name']} where false")


def _below(key: str, nodes: dict[str, Node], order: list[str]) -> None:
    """Append what `key` stands on, and then `key`, to `order`."""
    for parent in nodes[key]["depends_on"]["nodes"]:
        if parent in nodes:
            _below(parent, nodes, order)
    if key not in order:
        order.append(key)


def _view(node: Node, nodes: dict[str, Node], sources: dict[str, Node]) -> str:
    """Create the model as a view; names without a database, and no blank lines of Jinja."""
    sql = node["compiled_code"]
    for named in (*nodes.values(), *sources.values()):
        sql = sql.replace(named["relation_name"], f"{named['schema']}.{named['name']}")
    lines = [line.rstrip() for line in sql.strip().splitlines()]
    body = re.sub(r"\n\n+", "\n\n", "\n".join(lines))
    body = re.sub(r"\n\n(?=\))", "\n", body)
    return f"create or replace view {node['schema']}.{node['name']} as\n{body};\n"


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    stale = {
        file: text
        for file, text in made().items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    }
    for file, text in stale.items():
        if options.check:
            print(f"{file.relative_to(ROOT)} is out of step: run `python scripts/sql.py`")
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
            print(f"wrote {file.relative_to(ROOT)}")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
