"""The tap as a process, with files."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

from benchmarks import measure

if t.TYPE_CHECKING:
    from demo.server import Server

TAP = str(Path(sys.executable).with_name("tap-qonto"))


class Tap:
    """The tap, with its files in `folder`, and the requests that each run made."""

    def __init__(self, server: Server, folder: Path, **settings: t.Any) -> None:
        self.server, self.folder = server, folder
        self.kept = folder / "files"
        config = server.config(
            token_store=f"sqlite:///{folder}/store.db", files=str(self.kept), **settings
        )
        (folder / "config.json").write_text(json.dumps(config))
        self._command = [TAP, "--config", str(folder / "config.json")]
        catalog = json.loads(
            subprocess.check_output([*self._command, "--discover"], stderr=subprocess.DEVNULL)
        )
        for stream in catalog["streams"]:
            for one in stream["metadata"]:
                if not one["breadcrumb"]:
                    one["metadata"]["selected"] = stream["tap_stream_id"] == "files"
        (folder / "catalog.json").write_text(json.dumps(catalog))
        self._command += ["--catalog", str(folder / "catalog.json")]

    def command(self, state: t.Any = None) -> list[str]:
        """The command line of a run that goes on from `state`."""
        if state is None:
            return self._command
        (self.folder / "state.json").write_text(json.dumps(state))
        return [*self._command, "--state", str(self.folder / "state.json")]

    def timed(self, state: t.Any = None) -> tuple[measure.Measured, int, int]:
        """Run; (what it cost, requests to Qonto, downloads)."""
        before = len(self.server.requests), len(self.server.files.requests)
        cost = measure.run(self.command(state))
        after = len(self.server.requests), len(self.server.files.requests)
        return cost, after[0] - before[0], after[1] - before[1]

    def state(self) -> t.Any:
        """The last STATE of one more run."""
        out = subprocess.check_output(self.command(), stderr=subprocess.DEVNULL)
        found = [json.loads(line) for line in out.splitlines() if b'"STATE"' in line]
        return found[-1]["value"]
