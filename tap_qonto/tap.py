"""TapQonto: the settings, one run, the list of streams, and how a run ends.

Exit codes: 0 done (what Qonto refused is skipped and reported); 1 something failed and will be
read again, or a setting is wrong; 3 log in again; 128 + n stopped by signal n.
"""

from __future__ import annotations

import functools
import os
import sys
import typing as t

import click
from dotenv import find_dotenv, load_dotenv
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._util import load_json
from singer_sdk.plugin_base import _ConfigInput

from tap_qonto.errors import QontoError, SettingsError
from tap_qonto.messages import BufferedWriter, IntervalStateWriter
from tap_qonto.run import Run, Stopped
from tap_qonto.settings import SCHEMA, SECRETS, Settings
from tap_qonto.streams import STREAMS

if t.TYPE_CHECKING:
    from types import FrameType

    from tap_qonto.client import QontoStream


HELP = """Read Qonto; write Singer messages to standard output.

\b
  tap-qonto-auth login                        consent in your browser, once
  tap-qonto --test                            read one row of each stream
  tap-qonto > rows.jsonl                      read everything
  tap-qonto --state state.json > rows.jsonl   read what changed since those bookmarks
  tap-qonto --discover > catalog.json         streams and fields; asks nobody
  tap-qonto --about --format markdown         every setting

Settings come from TAP_QONTO_* and from .env in the working folder or above; with --config FILE,
from that file alone (add --config ENV for both).

\b
Exit codes:
  0  done; what Qonto refused was skipped, see the end of the log
  1  something failed and will be read again, or a setting is wrong
  3  log in again: tap-qonto-auth login
"""


class TapQonto(Tap):
    """Singer tap for Qonto: every resource of every organization that a user consented to."""

    name = "tap-qonto"
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = SCHEMA
    message_writer_class = BufferedWriter

    def __init__(self, **kwargs: t.Any) -> None:
        super().__init__(**kwargs)
        self._state_writer: IntervalStateWriter = IntervalStateWriter(self.message_writer)

    def discover_streams(self) -> list[QontoStream]:
        """Make every stream; needs neither network nor credentials."""
        return [stream(self) for stream in STREAMS]

    @functools.cached_property
    def run(self) -> Run:
        """What the streams of this run share; made when it is first needed."""
        return Run(
            Settings.from_config(self.config),
            lambda: [
                stream
                for stream in t.cast("dict[str, QontoStream]", self.streams).values()
                if stream.selected and stream.is_partitioned
            ],
            user_agent=f"{self.name}/{self.plugin_version}",
            write_state=lambda: self._state_writer.write_state(self.state),
        )

    # -- settings --------------------------------------------------------------------------

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Add the checks that a JSON schema can't express; keep secrets out of messages."""
        errors = super()._validate_config(raise_errors=False)
        try:
            Settings.from_config(self.config)
        except SettingsError as error:
            errors += error.problems
        except Exception:
            if not errors:
                raise
        for name in SECRETS:
            value = self.config.get(name)
            if value:
                errors = [error.replace(repr(value), "<secret>") for error in errors]
        if errors and raise_errors:
            summary = "Config validation failed"
            raise ConfigValidationError(summary, errors=errors, schema=self.config_jsonschema)
        return errors

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> t.Any:
        """Read `TAP_QONTO_*` and `.env` also where no `--config` is given."""
        load_dotenv(find_dotenv(usecwd=True))  # the SDK looks from its own folder upwards
        try:
            return super().cb_config(ctx, param, value or ("ENV",))
        except (OSError, ValueError, TypeError) as error:
            raise click.BadParameter(
                f"can't be read as a JSON object ({type(error).__name__}): {', '.join(value)}"
            ) from None

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Make the command line: the SDK's, with help that helps."""
        command = super().get_singer_command()
        command.help = HELP
        return command

    # -- the run ---------------------------------------------------------------------------

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: t.IO[str] | None = None,
        catalog: t.IO[str] | None = None,
    ) -> None:
        """Run the command line as the SDK does; end with a report and a code."""
        super(Tap, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        config = config or _ConfigInput()
        try:
            tap = cls(
                config=config.config,
                state=None if state is None else load_json(state.read()),
                catalog=None if catalog is None else load_json(catalog.read()),
                parse_env_config=config.parse_env,
                validate_config=True,
            )
        except ValueError as error:
            cls.logger.critical("State, catalog or a TAP_QONTO_* variable: %s", error)
            sys.exit(1)
        sys.exit(tap.to_the_end(tap.sync_all))

    def run_connection_test(self) -> bool:  # type: ignore[misc]
        """Read one row of each stream, for `--test`; exits non-zero if one can't be read."""
        code = self.to_the_end(super().run_connection_test)
        if code:
            sys.exit(code)
        return True

    def to_the_end(self, work: t.Callable[[], object]) -> int:
        """Do `work`; however it ends: write the state, end the threads, report, return the code."""
        code = 0
        try:
            self.run.organizations.rows()  # before the first message: a bad start writes nothing
            work()
        except Stopped as stopped:
            self.logger.warning("Stopped by signal %d; the next run goes on.", stopped.signum)
            code = 128 + stopped.signum
        except BrokenPipeError:
            self.logger.critical("The target ended before the tap did: see its own messages.")
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        except QontoError as error:
            self.logger.critical("%s", error)
            code = error.exit_code
        finally:
            self._state_writer.flush()
            code = max(code, self._close())
        return code

    def _close(self) -> int:
        """End the run and log the closing table."""
        code = 0
        try:
            self.run.close()
        except QontoError as error:
            self.logger.critical("%s", error)
            code = error.exit_code
        lines = list(self.run.report.lines())
        if lines:
            self.logger.warning("Not everything was read:\n%s", "\n".join(lines))
        return max(code, int(self.run.report.incomplete))

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End at the next row instead of in the middle of one."""
        if "run" in self.__dict__:
            self.run.stop(signum)
        else:
            sys.exit(128 + signum)
