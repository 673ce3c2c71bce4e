"""The project's own `meltano.yml`, laid into a folder of its own and run there.

`make demo` and the tests run real Meltano this way: state, virtual environments and warehouse stay
in that folder, and no setting of the user's environment or `.env` gets in.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

if t.TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
FOREIGN = ("TAP_QONTO_", "TARGET_", "MELTANO_")  # settings of the caller, not ours


class RunFailed(Exception):  # noqa: N818  # reads as what happened
    """A Meltano command ended with an error; the message ends with the last lines of its log."""

    def __init__(self, command: str, code: int, log: str, place: Path | None = None) -> None:
        self.code = code
        self.log = log
        where = f"\nThe whole log: {place}" if place else ""
        tail = "\n".join(log.splitlines()[-30:])
        super().__init__(f"`{command}` ended with {code}:\n{tail}{where}")


class Project:
    """A Meltano project in `folder`; `env` are settings for every command (TAP_QONTO_…)."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.env = dict(env or {})
        folder.mkdir(parents=True, exist_ok=True)
        text = (ROOT / "meltano.yml").read_text("utf-8")
        here = shlex.quote(str(ROOT))  # Meltano splits pip_url like a shell
        text = text.replace("pip_url: -e .", f'pip_url: "-e {here}[files]"')
        text = text.replace("${MELTANO_PROJECT_ROOT}/dbt", str(ROOT / "dbt"))
        (folder / "meltano.yml").write_text(text)

    @property
    def deselected(self) -> set[str]:
        """Streams that `meltano.yml` leaves out (`"!stream.*"`)."""
        plugins = yaml.safe_load((self.folder / "meltano.yml").read_text("utf-8"))["plugins"]
        patterns = plugins["extractors"][0]["select"]
        return {pattern[1:-2] for pattern in patterns if pattern.startswith("!")}

    def meltano(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        timeout: float = 600,
    ) -> str:
        """Run `meltano …` and return its log, standard output and error together.

        Raises:
            RunFailed: with the exit code and the end of the log.
        """
        kept = {
            name: value
            for name, value in os.environ.items()
            # Meltano starts three times as fast when it may keep its bytecode
            if not name.startswith(FOREIGN) and name != "PYTHONDONTWRITEBYTECODE"
        }
        done = subprocess.run(
            [str(Path(sys.executable).parent / "meltano"), *arguments],
            cwd=self.folder,
            env={**kept, "NO_COLOR": "1", **self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        if log:
            log.write_text(done.stdout, "utf-8")
        if done.returncode:
            command = shlex.join(["meltano", *arguments])
            raise RunFailed(command, done.returncode, done.stdout, log)
        return done.stdout
