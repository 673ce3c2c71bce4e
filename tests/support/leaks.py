"""No test may leave a token behind: in its output, in its log, or in a file.

`conftest.py` takes these hooks in. Tokens of the demo server and of the strict token server can be
told by their form; secrets of `tests/session` also by a mark that they all hold.
"""

from __future__ import annotations

import re
import typing as t

import pytest

TOKEN = re.compile(r"ory_(?:at|rt|ac)_[\w-]{16,}|s3cr3t")
ACCESS = re.compile(rb"ory_at_[\w-]{16,}")  # tests write seeds into settings, but never these


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> t.Generator[None, t.Any, t.Any]:
    """Fail a test whose captured output or log holds a token."""
    report = yield
    leaks = sorted({name for name, text in report.sections if TOKEN.search(text)})
    if leaks and report.passed:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: a token in {', '.join(leaks)}"
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the whole run if states, stores, logs or anything else hold an access token."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is None or factory._basetemp is None:
        return
    for file in sorted(factory.getbasetemp().rglob("*")):
        if file.is_file() and not file.is_symlink() and ACCESS.search(file.read_bytes()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            session.config.get_terminal_writer().line(f"\nan access token in {file}", red=True)
