"""The commands that look after the session, as `meltano invoke tap-qonto:<command>`."""

from __future__ import annotations

import json
import re
import socket
import sys
import typing as t
from pathlib import Path

import pytest

from demo.project import RunFailed

if t.TYPE_CHECKING:
    from demo.project import Project
    from demo.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DESK = Path(__file__).parents[1] / "support" / "desk.py"


def test_login_status_refresh_and_logout_go_through_meltano(
    project: Project, qonto: Server, tmp_path: Path
) -> None:
    config = qonto.config()
    names = ("client_id", "client_secret", "api_url", "oauth_url")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    project.env = {f"TAP_QONTO_{name.upper()}": config[name] for name in names} | {
        "TAP_QONTO_TOKEN_STORE": f"sqlite:///{tmp_path / 'tokens.db'}",
        "BROWSER": f"{sys.executable} {DESK} %s",
    }
    with pytest.raises(RunFailed) as nobody:
        project.meltano("invoke", "tap-qonto:status")
    assert nobody.value.code == 3

    login = project.meltano("invoke", "tap-qonto:login", "--port", str(port))
    for organization in qonto.bank.organizations:
        assert organization.name in login
    status = project.meltano("invoke", "tap-qonto:status", "--json")
    found = json.loads(status[status.index("{") : status.rindex("}") + 1])
    assert (found["status"], found["days_left"]) == ("alive", 90)
    assert re.search("Refreshed. Without another", project.meltano("invoke", "tap-qonto:refresh"))

    assert "gone from the token store" in project.meltano("invoke", "tap-qonto:logout", "--yes")
    with pytest.raises(RunFailed) as gone:
        project.meltano("invoke", "tap-qonto:refresh")
    assert gone.value.code == 3
    assert "There is no session" in gone.value.log
