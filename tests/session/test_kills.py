"""SIGKILL in the middle of a refresh: never a lost session within the grace, and clear words later.

`kills.py` prints the whole table.
"""

from __future__ import annotations

import sys
import typing as t

import pytest
from kills import STAGES, tally

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from token_server import TokenServer

    from tap_qonto.settings import Settings


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("database", "kills"), [("sqlite", 15), ("postgres", 6)])
def test_no_kill_costs_the_session_if_the_next_run_comes_within_the_grace(  # noqa: PLR0913, PLR0917
    server: TokenServer,
    settings: Callable[..., Settings],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    database: str,
    kills: int,
) -> None:
    url = f"sqlite:///{tmp_path / 'sessions.db'}"  # on a real disk, unlike `folder`
    if database == "postgres":
        url = request.getfixturevalue("postgres")
    table = tally(server, settings(token_store=url), kills=kills)
    sys.stdout.write(f"{table}\n")
    within = [key for key in table.lost if not key[1]]
    assert within == []
    lost_later = {stage for stage, later in table.lost if later}
    assert lost_later <= set(STAGES[3:7])  # only where the token may have been used
    assert table.sentences
    for sentence in table.sentences:
        assert "A refresh that began 14 minutes ago" in sentence
        assert "tap-qonto-auth login" in sentence
