"""A real Meltano project, installed once, and a little Qonto for each test to read."""

from __future__ import annotations

import importlib.util
import typing as t
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from demo.project import Project
from demo.server import running

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.server import Server

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests on one core: they share a project that takes a minute to install."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("meltano"))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Tap and loaders in environments of their own, as `meltano.yml` says."""
    if not importlib.util.find_spec("meltano") or not importlib.util.find_spec("duckdb"):
        pytest.skip("no Meltano in this environment: use make test-slow")
    found = Project(tmp_path_factory.mktemp("project"))
    found.meltano("install")
    return found


@pytest.fixture
def qonto() -> Iterator[Server]:
    """Three organizations. The clock starts a day ago, so that tests can move it on."""
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    with running(organizations=3, transactions=60, seed=11, now=yesterday) as server:
        yield server


@pytest.fixture
def run(project: Project, qonto: Server, tmp_path: Path) -> Callable[..., str]:
    """`run("target-duckdb")` runs a pipeline with state, session and warehouse of this test."""
    suffix, config = uuid.uuid4().hex, qonto.config()
    names = ("client_id", "client_secret", "refresh_token", "api_url", "oauth_url")
    project.env = {f"TAP_QONTO_{name.upper()}": config[name] for name in names}
    project.env |= {
        "TAP_QONTO_TOKEN_STORE": f"sqlite:///{tmp_path / 'tokens.db'}",
        "TARGET_DUCKDB_PATH": str(tmp_path / "qonto.duckdb"),
        "TARGET_JSONL_DESTINATION_PATH": str(tmp_path / "jsonl"),
    }

    def run(loader: str, **env: str) -> str:
        return project.meltano("run", f"--state-id-suffix={suffix}", "tap-qonto", loader, env=env)

    return run
