"""TapQonto: the settings, one run, the list of streams, and how a run ends.

Exit codes: 0 done (what Qonto refused is skipped and reported); 1 something failed and will be
read again, or a setting is wrong; 3 log in again; 128 + n stopped by signal n.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import re
import sys
import typing as t

import click
from dotenv import find_dotenv, load_dotenv
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError, MappingError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.plugin_base import _ConfigInput

from tap_qonto.api.rate_limit import RateLimiterClosed
from tap_qonto.errors import QontoError, SettingsError
from tap_qonto.settings import SCHEMA, SECRETS, Settings
from tap_qonto.streams import STREAMS
from tap_qonto.sync import inputs
from tap_qonto.sync.run import Run, Stopped
from tap_qonto.sync.writers import BufferedWriter, IntervalStateWriter, OutputLost

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from tap_qonto.streams.client import QontoStream


M_ARENA_MAX = -8  # of glibc's malloc.h

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
    # without BATCH: the SDK's files go past masks and stream maps, and behind the STATE
    capabilities: t.ClassVar = [one for one in Tap.capabilities if one != PluginCapabilities.BATCH]

    def __init__(self, **kwargs: t.Any) -> None:
        super().__init__(**kwargs)
        self._state_writer: IntervalStateWriter = IntervalStateWriter(
            t.cast("BufferedWriter", self.message_writer)
        )
        self._reads_ahead = True

    def discover_streams(self) -> list[QontoStream]:
        """Make every stream; needs neither network nor credentials."""
        streams = [stream(self) for stream in STREAMS]
        if self.config.get("files"):
            streams.append(_files(self))
        return streams

    @functools.cached_property
    def run(self) -> Run:
        """What the streams of this run share; made when it is first needed."""
        return Run(
            Settings.from_config(self.config),
            lambda: [
                stream
                for stream in t.cast("dict[str, QontoStream]", self.streams).values()
                if stream.selected and self._reads_ahead
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
            named = {f"config['{problem.partition(' ')[0]}']" for problem in error.problems}
            errors = [one for one in errors if not any(name in one for name in named)]
            errors += error.problems
        except Exception:
            if not errors:
                raise
        for name in SECRETS:
            value = self.config.get(name)
            if value:
                errors = [error.replace(repr(value), "<secret>") for error in errors]
        errors = [re.sub(r"Decimal\('([^']*)'\)", r"\1", error) for error in errors]
        if errors and raise_errors:
            summary = "Config validation failed"
            raise ConfigValidationError(summary, errors=errors, schema=self.config_jsonschema)
        return errors

    @classproperty
    def _env_var_config(cls) -> dict[str, t.Any]:  # noqa: N805 - the SDK's way
        cls.append_builtin_config(cls.config_jsonschema)
        return inputs.environment(cls.config_jsonschema)

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> t.Any:
        """Read `TAP_QONTO_*` and `.env` also where no `--config` is given."""
        load_dotenv(find_dotenv(usecwd=True))  # the SDK looks from its own folder upwards
        try:
            return super().cb_config(ctx, param, value or ("ENV",))
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise click.BadParameter(
                f"can't be read as a JSON object ({type(error).__name__}): {', '.join(value)}"
            ) from None

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Run `--test`."""
        with refusing():
            super().cb_test(ctx, param, value)

    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        """Run `--discover`."""
        with refusing():
            super().cb_discover(ctx, param, value)

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
        with refusing():
            tap = cls(
                config=config.config,
                state=None if state is None else inputs.state(state.read()),
                catalog=None if catalog is None else inputs.catalog(catalog.read()),
                parse_env_config=config.parse_env,
                validate_config=True,
            )
        _tune()
        sys.exit(tap.to_the_end(tap.sync_all))

    def run_connection_test(self) -> bool:  # type: ignore[misc]
        """Read one row of each stream, for `--test`; exits non-zero if one can't be read."""
        self._reads_ahead = False
        code = self.to_the_end(super().run_connection_test)
        if code:
            sys.exit(code)
        return True

    def to_the_end(self, work: t.Callable[[], object]) -> int:
        """Do `work`; however it ends: write the state, end the threads, report, return the code."""
        code = 0
        try:
            self._begin()
            try:
                work()
            finally:
                self._last_state()
        except (Stopped, RateLimiterClosed):
            signum = self.run.signum or 0
            self.logger.warning("Stopped by signal %d; the next run goes on from here.", signum)
            code = 128 + signum
        except QontoError as error:
            self.logger.critical("%s", error)
            code = error.exit_code
        except OutputLost as lost:
            self.logger.critical("%s", lost)
            # let nothing more be written, not even at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        finally:
            code = max(code, self._close())
        return code

    def _begin(self) -> None:
        """Find out the organizations before the first message: a bad start writes nothing."""
        if not any(stream.selected for stream in self.streams.values()):
            self.logger.warning("The catalog selects no stream: there is nothing to read.")
        if not self.run.patiently(self.run.organizations.rows):
            self.logger.warning(
                "There is no organization to read: the consent names none (see tap-qonto-auth "
                "organizations), or the shard has none."
            )
        left = self.run.organizations.left_consent(inputs.organizations_in(self.state))
        if left:
            self.logger.warning(
                "%d organizations of the state, such as %s, are no longer in the consent: not "
                "read, their bookmarks are kept. To tick them again: tap-qonto-auth login",
                len(left),
                left[0],
            )

    def _last_state(self) -> None:
        if self.state:
            self._state_writer.write_state(self.state)
            self._state_writer.flush()
        t.cast("BufferedWriter", self.message_writer).flush()

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
        """End at the next page instead of in the middle of one."""
        if "run" in self.__dict__:
            self.run.stop(signum)
        else:
            sys.exit(128 + signum)


def _files(tap: TapQonto) -> QontoStream:
    """Make the stream that needs an extra."""
    try:
        from tap_qonto.streams.files import Files  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            [f"files is set, which needs {error.name}: pip install 'tap-qonto[files]'"]
        ) from None
    return Files(tap)


def _tune() -> None:
    """Fit the process to a few dozen threads through which many rows pass (measured 2026-11)."""
    # What is made by now stays; rows hold no cycles, so looking for some is a quarter of the
    # processor's time lost.
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    # glibc gives each thread memory of its own, of which pages leave holes: a fifth of all.
    with contextlib.suppress(OSError, AttributeError, TypeError):  # where there is no glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """End with a sentence per problem where the tap can't be made."""
    try:
        yield
    except ConfigValidationError as error:
        problems = error.errors
    except SettingsError as error:
        problems = error.problems
    except MappingError as error:
        problems = [f"stream_maps: {error}"]
    else:
        return
    for problem in problems:
        TapQonto.logger.critical("%s", problem)
    sys.exit(1)
