"""Run this example for real: Airflow, Meltano and Postgres, against the demo server.

    python examples/airflow/check.py postgresql://user:password@localhost/scratch

Installs Airflow and the plugins in a temporary folder, runs the DAG twice with its shards side by
side, and looks whether they are disjoint and complete, share one session, and refreshed it once.
The database gets the schema `qonto` and the tables of Meltano and of the token store; use an empty
one. Ends with 0 if all is well, 1 if not, 77 if Airflow can't be installed here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))  # the demo server is not installed

from demo.project import FOREIGN  # noqa: E402
from demo.server import running  # noqa: E402

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.server import Server

BIN = Path(sys.executable).parent
AIRFLOW = "apache-airflow==3.3.2"
CONSTRAINTS = (
    "https://raw.githubusercontent.com/apache/airflow/constraints-3.3.2/"
    f"constraints-{sys.version_info[0]}.{sys.version_info[1]}.txt"
)
STREAMS = ("user_organizations", "bank_accounts", "transactions")
COLUMNS = ("id", "status", "amount_cents", "settled_balance_cents", "note")  # of transactions


class CheckError(Exception):
    """Something is not as the README says."""


class InstallError(Exception):
    """Airflow can't be installed."""


def main() -> int:
    """Check, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("postgres", help="URL of an empty database")
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--organizations", type=int, default=8)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="qonto-airflow-"))
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    try:
        with running(organizations=given.organizations, transactions=60, now=yesterday) as qonto:
            Check(folder, given.postgres, given.shards, qonto).all()
    except InstallError as error:
        print(f"Airflow can't be installed here: {error}")
        return 77
    except CheckError as error:
        print(f"WRONG: {error}")
        print(f"Everything is left in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


class Check:
    """The steps, in order. `folder` gets the project, Airflow's environment and its home."""

    def __init__(self, folder: Path, postgres: str, shards: int, qonto: Server) -> None:
        self.project = folder / "project"
        self.home = folder / "airflow"
        self.python = folder / "airflow-venv"
        self.postgres = postgres
        self.shards = shards
        self.qonto = qonto
        config = qonto.config()
        store = postgres.replace("postgresql://", "postgresql+psycopg://", 1)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)},
            **{
                f"TAP_QONTO_{name.upper()}": str(config[name])
                for name in ("client_id", "client_secret", "refresh_token", "api_url", "oauth_url")
            },
            "TAP_QONTO__SELECT": str([f"{stream}.*" for stream in STREAMS]).replace("'", '"'),
            "TAP_QONTO_TOKEN_STORE": store,
            "TARGET_POSTGRES_SQLALCHEMY_URL": store,
            "MELTANO_DATABASE_URI": store,
            "QONTO_SHARDS": str(shards),
            "QONTO_AT_ONCE": str(shards),
            "QONTO_RETRY_MINUTES": "0.1",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.project / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": str(shards),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        }
        # Meltano starts three times as fast when it may keep its bytecode
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)

    def all(self) -> None:
        """Install, run, and run again after changes."""
        with timed("install Airflow"):
            self.install_airflow()
        with timed("meltano install"):
            self.install_project()
        with timed("airflow db migrate"):
            self.call(self.python / "bin/airflow", "db", "migrate")
        with self.airflow_server():
            with timed(f"the DAG, {self.shards} shards side by side"):
                self.run_dag()
            self.look(tokens=1)
            self.qonto.bank.advance(edits=5, adds=3)
            self.qonto.clock.advance(1800)
            with timed("the DAG again, after edits and new rows"):
                self.run_dag()
            self.look(tokens=0)

    def install_airflow(self) -> None:
        """Into an environment of its own, as Airflow advises: with its constraints if reachable."""
        pins = []
        with contextlib.suppress(OSError):
            urllib.request.urlopen(CONSTRAINTS, timeout=5).close()
            pins = ["--constraint", CONSTRAINTS]
        uv = BIN / "uv"  # comes with Meltano
        try:
            self.call(uv, "venv", "--quiet", "--python", sys.executable, self.python)
            python = self.python / "bin/python"
            self.call(uv, "pip", "install", "--quiet", "--python", python, AIRFLOW, *pins)
        except CheckError as error:
            raise InstallError(error) from None

    def install_project(self) -> None:
        """Copy the example, with the tap of this checkout."""
        shutil.copytree(HERE, self.project, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        definition = self.project / "meltano.yml"
        text = definition.read_text("utf-8")
        ours = f"\"-e '{ROOT}[postgres]'\""
        definition.write_text(text.replace("tap-qonto[postgres]", ours), "utf-8")
        self.call(BIN / "meltano", "install")

    @contextlib.contextmanager
    def airflow_server(self) -> Iterator[None]:
        """The part of Airflow that running tasks report to."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        url = f"http://127.0.0.1:{port}/execution/"
        self.env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = url
        arguments = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
        with (
            (self.home / "server.log").open("w") as log,
            subprocess.Popen(
                [self.python / "bin/airflow", "api-server", "--apps", "execution", *arguments],
                env=self.env,
                stdout=log,
                stderr=log,
            ) as server,
        ):
            try:
                for _ in range(300):
                    with contextlib.suppress(OSError):
                        urllib.request.urlopen(f"{url}health", timeout=5).close()
                        break
                    time.sleep(0.5)
                else:
                    raise CheckError("Airflow's server does not answer")
                yield
            finally:
                server.terminate()

    def run_dag(self) -> None:
        """One run, on Airflow's LocalExecutor.

        What counts is what its tasks did. Seen once (Airflow 3, 2026-11): they had ended, and the
        executor waited for its workers, which waited for a lock, without end.
        """
        self.qonto.requests.clear()
        self.begun = datetime.now(timezone.utc).replace(tzinfo=None)  # as Meltano writes it
        command = (self.python / "bin/airflow", "dags", "test", "qonto", "--use-executor")
        try:
            self.call(*command, patience=150)
        except subprocess.TimeoutExpired:
            print("      Airflow did not end by itself")

    def look(self, tokens: int) -> None:
        """Say what the run did.

        Raises:
            CheckError: it is not what it should be; `tokens` token requests are expected.
        """
        requests = self.qonto.requests
        asked = sum(one.path == "/oauth2/token" for one in requests)
        with psycopg.connect(self.postgres) as connection:
            states = connection.execute("select state_id, completed_state from state").fetchall()
            runs = connection.execute(
                "select job_name, min(started_at), max(ended_at) from runs where started_at >= %s "
                "group by job_name having bool_or(state = 'SUCCESS') order by job_name",
                [self.begun],
            ).fetchall()
            rows = connection.execute(
                f"select organization_id, {', '.join(COLUMNS)} from qonto.transactions"
            ).fetchall()
        if len(runs) != self.shards:
            raise CheckError(f"{len(runs)} of {self.shards} shards succeeded")
        read = {name.rsplit(":", 1)[1]: organizations(state) for name, state in states}
        for name, begun, ended in runs:
            shard = name.rsplit(":", 1)[1]
            count = len(read[shard])
            print(f"      {shard}  {begun:%H:%M:%S} to {ended:%H:%M:%S}  {count} organizations")
        print(f"      {len(rows)} transactions in the warehouse")
        print(f"      {len(requests)} requests, {asked} of them for a token")

        everywhere = [one for here in read.values() for one in here]
        known = {one.id for one in self.qonto.bank.organizations}
        there = [
            (one, *(row[column] for column in COLUMNS))
            for one in known
            for row in self.qonto.bank.rows("transactions", one)
        ]
        for wrong, what in (
            (len(read) != self.shards, f"{len(read)} shards left a state"),
            (
                max(begun for _, begun, _ in runs) > min(ended for _, _, ended in runs),
                "the shards did not run side by side",
            ),
            (len(everywhere) > len(set(everywhere)), "two shards read the same organization"),
            (set(everywhere) != known, "the shards did not read every organization"),
            (sorted(rows) != sorted(there), "the transactions differ from Qonto's"),
            (asked != tokens, f"{asked} token requests instead of {tokens}"),
        ):
            if wrong:
                raise CheckError(what)

    def call(self, *command: str | Path, patience: float = 600) -> None:
        """Run a command in the project.

        Raises:
            CheckError: it failed; with the end of what it said.
            TimeoutExpired: it did not end within `patience` seconds; it is killed, workers and all.
        """
        with subprocess.Popen(
            [str(part) for part in command],
            cwd=self.project if self.project.is_dir() else ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode:
            said = "\n".join(output.splitlines()[-40:])
            raise CheckError(
                f"{Path(command[0]).name} {command[1]} ended with {process.returncode}\n{said}"
            )


def organizations(state: str) -> set[str]:
    """The organizations that have a bookmark in a state of Meltano's."""
    bookmarks = json.loads(state)["singer_state"]["bookmarks"]
    return {
        partition["context"]["organization_id"]
        for stream in bookmarks.values()
        for partition in stream.get("partitions", ())
    }


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Say what is done, and how long it took."""
    print(f"▶  {what} … ", end="", flush=True)
    begun = time.monotonic()
    yield
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
