"""Who is measured, and the command of each. Peers live in environments of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import typing as t
import venv
from pathlib import Path

from benchmarks import airbyte_manifest
from benchmarks.lists import STATUSES, lists

if t.TYPE_CHECKING:
    from benchmarks.server import Server

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
PACKAGES = {"Airbyte CDK": "airbyte-cdk", "dlt": "dlt"}
OURS, PLAIN, AIRBYTE, DLT = "tap-qonto", "plain SDK tap", "Airbyte CDK", "dlt"


class Contestants:
    """Makes commands; files go to `folder`, the peers that can't be installed are left out."""

    def __init__(self, folder: Path, say: t.Callable[[str], None]) -> None:
        self.folder = folder
        self._say = say
        self._peers = {
            name: python for name in PACKAGES if (python := self._installed(name)) is not None
        }

    @property
    def names(self) -> list[str]:
        """Ours first, then the plain tap, then the peers that are there."""
        return [OURS, PLAIN, *self._peers]

    def command(self, name: str, server: Server, only: list[str] | None = None) -> list[str]:
        """What to run against `server`: all default streams, or `only` some."""
        if name == OURS:
            return self.ours(server, only)
        if name == PLAIN:
            return self._plain(server, only)
        return self._airbyte(server, only) if name == AIRBYTE else self._dlt(server, only)

    def ours(self, server: Server, only: list[str] | None = None, **more: t.Any) -> list[str]:
        """The tap, with a session that lives in the folder."""
        config = server.config(str(self.folder / "sessions.db"), **more)
        command = [*self.tap(), "--config", self._file("tap.json", config)]
        return command + (["--catalog", self._catalog(only)] if only else [])

    @staticmethod
    def limit(pages: Path) -> list[str]:
        """Decode and encode what is in the file."""
        return [sys.executable, "-m", "benchmarks.limit", str(pages)]

    @staticmethod
    def tap() -> list[str]:
        """The tap as it is started."""
        return [sys.executable, "-c", "from tap_qonto.tap import TapQonto; TapQonto.cli()"]

    def _plain(self, server: Server, only: list[str] | None) -> list[str]:
        parents = ["user_organizations", "bank_accounts"]
        config: dict[str, t.Any] = {"api_url": server.url, "access_token": server.access_token()}
        if only:
            config["only"] = parents + only
        return [
            *(sys.executable, "-m", "benchmarks.plain"),
            *("--config", self._file("plain.json", config)),
        ]

    def _airbyte(self, server: Server, only: list[str] | None) -> list[str]:
        names = only or [one.name for one in lists()]
        source = airbyte_manifest.manifest(server.url, lists())
        return [
            *(str(self._peers[AIRBYTE].with_name("source-declarative-manifest")), "read"),
            *("--config", self._file("airbyte.json", {"access_token": server.access_token()})),
            *("--catalog", self._file("airbyte-catalog.json", airbyte_manifest.catalog(names))),
            *("--manifest-path", self._file("airbyte-manifest.yaml", source)),
        ]

    def _dlt(self, server: Server, only: list[str] | None) -> list[str]:
        files = self.folder / "dlt"
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        work = {
            "url": server.url,
            "token": server.access_token(),
            "folder": str(files),
            "statuses": STATUSES,
            "lists": [one._asdict() for one in lists()],
            "only": only,
        }
        return [
            *(str(self._peers[DLT]), str(HERE / "dlt_pipeline.py")),
            self._file("dlt.json", work),
        ]

    def _catalog(self, only: list[str]) -> str:
        found = subprocess.run([*self.tap(), "--discover"], capture_output=True, check=True)
        catalog = json.loads(found.stdout)
        for stream in catalog["streams"]:
            for entry in stream["metadata"]:
                if not entry["breadcrumb"]:
                    entry["metadata"]["selected"] = stream["tap_stream_id"] in only
        return self._file("catalog.json", catalog)

    def _file(self, name: str, content: t.Any) -> str:
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)

    def _installed(self, name: str) -> Path | None:
        """The Python of a peer's environment, made if it is not there yet."""
        home = PEERS / PACKAGES[name]
        python = home / "bin" / "python"
        done = home / "installed"
        if not done.exists():
            self._say(f"installing {PACKAGES[name]} into an environment of its own …")
            venv.create(home, with_pip=True, clear=True)
            install = [str(python), "-m", "pip", "install", "--quiet", PACKAGES[name]]
            result = subprocess.run(install, capture_output=True, text=True, check=False)
            if result.returncode:
                self._say(f"SKIPPED: {name} can't be installed here")
                return None
            done.touch()
        return python

    def versions(self) -> str:
        """Who exactly was measured."""
        found = []
        for name, python in self._peers.items():
            code = f"import importlib.metadata as m; print(m.version({PACKAGES[name]!r}))"
            output = subprocess.run([str(python), "-c", code], stdout=subprocess.PIPE, check=True)
            found.append(f"{name} {output.stdout.decode().strip()}")
        return ", ".join(found)
