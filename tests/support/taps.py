"""Run the tap: here, quickly, on real sockets; or as the process that users start."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import typing as t
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path

from folds import folded

from tap_qonto.api.contract import CONTRACT, endpoints
from tap_qonto.tap import TapQonto

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from demo.server import Server

Row = dict[str, t.Any]
COMMAND = Path(sys.executable).with_name("tap-qonto")


@dataclass
class Outcome:
    """What a run left: exit code, lines on standard output, log."""

    code: int
    out: str
    log: str

    @cached_property
    def messages(self) -> list[dict[str, t.Any]]:
        return [json.loads(line, parse_float=Decimal) for line in self.out.splitlines()]

    @cached_property
    def by_stream(self) -> defaultdict[str, list[Row]]:
        found = defaultdict(list)
        for message in self.messages:
            if message["type"] == "RECORD":
                found[message["stream"]].append(message["record"])
        return found

    def rows(self, stream: str) -> list[Row]:
        return self.by_stream[stream]

    def types(self, kind: str) -> list[dict[str, t.Any]]:
        """Messages of one type."""
        return [message for message in self.messages if message["type"] == kind]

    @property
    def counts(self) -> Counter[str]:
        return Counter({stream: len(rows) for stream, rows in self.by_stream.items()})

    @property
    def state(self) -> dict[str, t.Any]:
        states = self.types("STATE")
        return states[-1]["value"] if states else {}

    def bookmark(self, stream: str, organization_id: str) -> list[str | None]:
        """The bookmarks of an organization, one per partition."""
        return [
            one.get("replication_key_value")
            for one in self.state["bookmarks"].get(stream, {}).get("partitions", ())
            if one["context"]["organization_id"] == organization_id
        ]


def read(
    config: dict[str, t.Any],
    *,
    state: dict[str, t.Any] | None = None,
    catalog: dict[str, t.Any] | None = None,
    level: int = logging.INFO,
) -> Outcome:
    """A whole run in this process, from settings to exit code; what it raises is its code -1."""
    log = logging.StreamHandler(io.StringIO())
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    root, before = logging.getLogger(), logging.getLogger().level
    handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    root.addHandler(log)
    root.setLevel(level)
    try:
        with contextlib.redirect_stdout(out):
            tap = TapQonto(
                config=dict(config),
                state=json.loads(json.dumps(state)),  # the tap writes into it
                catalog=json.loads(json.dumps(catalog)),
            )
            code = tap.to_the_end(tap.sync_all)
    except MemoryError:
        code = -1
    finally:
        root.removeHandler(log)
        root.setLevel(before)
        for one, handler in handlers.items():
            signal.signal(one, handler)
    out.flush()
    return Outcome(code, out.buffer.getvalue().decode(), log.stream.getvalue())


def here(folder: Path, *args: str | Path, env: dict[str, str] | None = None) -> Outcome:
    """The command in this process: quicker, and the same code from the first argument on."""
    root, before = logging.getLogger(), logging.getLogger().level
    handlers, hook, folder_before = root.handlers[:], sys.excepthook, Path.cwd()
    signals = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    environment = dict(os.environ)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    os.chdir(folder)
    for name in environment:
        if "QONTO" in name:
            del os.environ[name]
    os.environ.update(env or {})
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            TapQonto.cli.main(list(map(str, args)))
    except SystemExit as end:
        code = t.cast("int", end.code or 0)
    finally:
        os.chdir(folder_before)
        os.environ.clear()
        os.environ.update(environment)
        logging.captureWarnings(capture=False)
        sys.excepthook = hook
        root.handlers[:] = handlers
        root.setLevel(before)
        for one, handler in signals.items():
            signal.signal(one, handler)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return Outcome(code, *texts)


def start(
    folder: Path,
    *args: str | Path,
    config: dict[str, t.Any] | None = None,
    state: t.Any = None,
    catalog: t.Any = None,
    env: dict[str, str] | None = None,
    **more: t.Any,
) -> subprocess.Popen[bytes]:
    """Start the command in `folder`; what is given as data goes there as files."""
    arguments = [str(COMMAND), *map(str, args)]
    for name, content in (("config", config), ("state", state), ("catalog", catalog)):
        if content is not None:
            file = folder / f"{name}.json"
            file.write_text(json.dumps(content), encoding="utf-8")
            arguments += [f"--{name}", str(file)]
    clean = {name: value for name, value in os.environ.items() if "QONTO" not in name}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.Popen(arguments, cwd=folder, env=clean | (env or {}), **options)


def command(folder: Path, *args: str | Path, **more: t.Any) -> Outcome:
    """A whole run of the command."""
    process = start(folder, *args, **more)
    out, log = process.communicate(timeout=100)
    return Outcome(process.returncode, out.decode(), log.decode())


@cache
def discovered() -> str:
    return TapQonto(config={}, validate_config=False).catalog_json_text


def catalog_of(
    *selected: str,
    without: Iterable[tuple[str, str]] = (),
    full_table: Iterable[str] = (),
) -> dict[str, t.Any]:
    """The discovered catalog of `selected` streams; some fields not, some read in full."""
    result = json.loads(discovered())
    skipped = set(without)
    result["streams"] = [entry for entry in result["streams"] if entry["stream"] in selected]
    for entry in result["streams"]:
        for one in entry["metadata"]:
            if not one["breadcrumb"]:
                one["metadata"]["selected"] = True
            elif (entry["stream"], ".".join(one["breadcrumb"][1::2])) in skipped:
                one["metadata"]["selected"] = False
        if entry["stream"] in full_table:
            entry["replication_method"] = "FULL_TABLE"
    return t.cast("dict[str, t.Any]", result)


def truth(qonto: Server, stream: str, organization_id: str, **more: t.Any) -> list[Row]:
    """The rows that a complete read of one stream of one organization gives."""
    if "{" in endpoints()[stream].path or stream == "international_currencies":
        # a list below each row, or currency, of another stream
        return [
            folded(stream, row, organization_id=organization_id, parent_id=parent_id)
            for parent_id, rows in qonto.bank.children(stream, organization_id, **more).items()
            for row in rows
        ]
    return [
        folded(stream, row, organization_id=organization_id)
        for row in qonto.bank.rows(stream, organization_id, **more)
    ]


def keyed(stream: str, rows: Iterable[Row]) -> dict[tuple[t.Any, ...], Row]:
    """Rows as a warehouse keeps them: the last one of each key."""
    keys = endpoints()[stream].primary_keys
    return {tuple(row[key] for key in keys): row for row in rows}


def warehouse(stream: str, *runs: Outcome) -> dict[tuple[t.Any, ...], Row]:
    """What a target holds after these runs."""
    return keyed(stream, (row for run in runs for row in run.rows(stream)))


def names(stream: str) -> tuple[str, ...]:
    """Fields of a stream, in order."""
    return tuple(CONTRACT.get_schema(stream)["properties"])


def every(qonto: Server) -> Iterator[str]:
    """Ids of all organizations."""
    return (one.id for one in qonto.bank.organizations)


def named(qonto: Server, organization_id: str) -> str:
    """An organization as messages name it."""
    names = {one.id: one.name for one in qonto.bank.organizations}
    return f"organization {names[organization_id]} ({organization_id})"
