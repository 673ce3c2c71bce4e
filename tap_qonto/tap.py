"""TapQonto: the settings, one run, the list of streams, and how a run ends.

Exit codes: 0 done (what Qonto refused is skipped and reported); 1 something failed and will be
read again, or a setting is wrong; 3 log in again; 128 + n stopped by signal n.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import re
import sys
import typing as t

import click
from singer_sdk import Tap
from singer_sdk.cli import plugin_cli
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.plugin_base import _ConfigInput

from tap_qonto.api.rate_limit import RateLimiterClosed
from tap_qonto.errors import ExtraMissing, IncompleteRead, QontoError, SettingsError
from tap_qonto.settings import SCHEMA, SECRETS, Settings, doubts, given, sources
from tap_qonto.streams import STREAMS
from tap_qonto.sync import inputs, masks, standard, versions
from tap_qonto.sync.run import Run, Stopped
from tap_qonto.sync.signals import heard
from tap_qonto.sync.writers import IntervalStateWriter, LineWriter

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from tap_qonto.streams.client import QontoStream


STREAM_NAMES = frozenset({*(stream.name for stream in STREAMS), "files"})

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
    message_writer_class = LineWriter
    # without BATCH: the SDK's files go past masks and stream maps, and behind the STATE
    capabilities: t.ClassVar = [one for one in Tap.capabilities if one != PluginCapabilities.BATCH]

    def __init__(self, **kwargs: t.Any) -> None:
        """Take what the SDK's taps take.

        Raises:
            SettingsError: the log level, state, catalog, or a mask is wrong.
            ConfigValidationError: settings are; `errors` has a sentence for each.
        """
        standard.refuse_log_settings()
        for name, read in (
            ("config", given),
            ("state", functools.partial(inputs.state, streams=STREAM_NAMES)),
            ("catalog", inputs.catalog),
        ):
            if isinstance(kwargs.get(name), (dict, bytes)):
                kwargs[name] = read(kwargs[name])
        super().__init__(**kwargs)
        self._state_writer: IntervalStateWriter = IntervalStateWriter(
            t.cast("LineWriter", self.message_writer)
        )
        self._reads_ahead = True
        self._is_running = False

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

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, t.Any]) -> None:
        """Add the SDK's settings to ours; `faker_config` only where it can work."""
        super().append_builtin_config(config_jsonschema)
        if importlib.util.find_spec("faker") is None:
            config_jsonschema["properties"].pop("faker_config", None)

    @property
    def _env_var_config(self) -> dict[str, t.Any]:
        self.append_builtin_config(self.config_jsonschema)
        return sources.environment(self.config_jsonschema)

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> t.Any:  # noqa: ARG003
        """Read the files that are given, else `TAP_QONTO_*` and `.env`; `ENV` stands for both."""
        files = [one for one in value if one != "ENV"]
        try:
            reads_environment = not files or "ENV" in value
            if reads_environment:
                sources.read_dotenv()
            return _ConfigInput(sources.files(files), parse_env=reads_environment)
        except SettingsError as error:
            raise click.BadParameter(str(error)) from None

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Run `--test`."""
        with standard.refusing():
            code = cls.to_the_end(functools.partial(super().cb_test, ctx, param, value))
        if code:
            sys.exit(code)

    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        """Run `--discover`."""
        with standard.refusing():
            super().cb_discover(ctx, param, value)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Make the command line: the SDK's, with help that helps."""
        standard.prepare()
        command = super().get_singer_command()
        command.help = HELP
        return command

    @plugin_cli
    def cli(cls) -> click.Command:  # noqa: N805 - the SDK's way
        """Make the command; it ends with a sentence if it can't even log."""
        with standard.refusing():
            standard.refuse_log_settings()
            return super().cli

    def setup_mapper(self) -> None:
        """Prepare stream maps; refuse masks that hide nothing.

        Raises:
            SettingsError: with all of them.
        """
        problems = masks.hiding_nothing(
            {name: one.schema for name, one in self.streams.items()},
            self.config.get("stream_maps") or {},
            self.input_catalog,
        )
        if problems:
            raise SettingsError(problems)
        super().setup_mapper()

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
        with standard.refusing():
            tap = cls(
                config=config.config,
                state=standard.content(state),
                catalog=standard.content(catalog),
                parse_env_config=config.parse_env,
                validate_config=True,
            )
        standard.tune()
        sys.exit(tap.to_the_end(tap.sync_all))

    @classmethod
    def to_the_end(cls, work: t.Callable[[], object]) -> int:
        """Do `work`, which reads; say what ended it, and return the exit code of the command."""
        try:
            work()
        except Stopped as stopped:
            cls.logger.warning("%s", stopped)
            return t.cast("int", stopped.code)
        except IncompleteRead as error:  # the closing table has said it
            return error.exit_code
        except QontoError as error:
            for problem in getattr(error, "problems", [error]):
                cls.logger.critical("%s", problem)
            return error.exit_code
        return 0

    def sync_all(self) -> None:  # type: ignore[misc]
        """Read every selected stream and write it to standard output, STATE in the end.

        Once or several times; each goes on from the state that the last one left. The closing
        table is logged, and in `run.report`.

        Raises:
            IncompleteRead: streams failed; the others were read and written.
            QontoError: what ended the run, such as LoginRequired or OutputLost.
            Stopped: a signal came; a SystemExit, so that who catches nothing ends like the command.
        """
        with self.running():
            super().sync_all()

    def run_sync_dry_run(  # type: ignore[misc]
        self, dry_run_record_limit: int | None = 1, streams: t.Iterable[t.Any] | None = None
    ) -> bool:
        """Read a few rows of each stream, for `--test`. Raises what `sync_all` raises."""
        self._reads_ahead = False
        tested = list(self.streams.values() if streams is None else streams)
        try:
            with self.running():
                result = super().run_sync_dry_run(dry_run_record_limit, tested)
                lines = self.run.report.of_each(stream.name for stream in tested)
                self.logger.info("Tested:\n%s", "\n".join(lines))
                return result
        finally:
            self._reads_ahead = True

    def run_discovery(self) -> str:
        """Write the catalog to standard output; return it.

        Raises:
            OutputLost: it was not written whole.
        """
        text = self.catalog_json_text
        t.cast("LineWriter", self.message_writer).write_lines(f"{text}\n".encode())
        return text

    @contextlib.contextmanager
    def running(self, *, writes: bool = True) -> Iterator[None]:
        """Begin a run, and end it whatever happens: state written, session saved, threads gone.

        Within a run this does nothing, so that parts of a tap can be used by themselves.

        Raises:
            Whatever happened; else IncompleteRead if the report has failures.
        """
        if self._is_running:
            yield
            return
        self._is_running = True
        try:
            with heard(self._stop):
                try:
                    self._begin()
                    try:
                        yield
                    finally:
                        if writes:
                            self._last_state()
                except RateLimiterClosed:
                    self._close(failed=True)
                    raise Stopped(self.run.signum or 0) from None
                except BaseException:
                    self._close(failed=True)
                    raise
                self._close()
        finally:
            self._is_running = False

    def _begin(self) -> None:
        """Find out the organizations before the first message: a bad start writes nothing."""
        for doubt in doubts(self.config):
            self.logger.warning("%s", doubt)
        if "run" in self.__dict__ and self.run.is_closed:
            del self.run
            for stream in t.cast("dict[str, QontoStream]", self.streams).values():
                stream.begin_anew()
        if not any(stream.selected for stream in self.streams.values()):
            self.logger.warning("The catalog selects no stream: there is nothing to read.")
        if not self.run.off_main_thread(self.run.organizations.rows):
            self.logger.warning(
                "There is no organization to read: the consent names none (see tap-qonto-auth "
                "organizations), or the shard has none."
            )
        rows = self.run.organizations.rows()
        self.run.report.names = {
            row["id"]: row["name"] for row in rows if isinstance(row.get("name"), str)
        }
        known = versions.known_roles(self.state)
        left = self.run.organizations.left_consent(known)
        if left:
            self.logger.warning(
                "%d organizations of the state, such as %s, are no longer in the consent: not "
                "read, their bookmarks are kept. To tick them again: tap-qonto-auth login",
                len(left),
                left[0],
            )
        self.run.versions.begin(self.run.settings, self.run.authenticator.flow, known, left, rows)
        if self.config.get("emit_activate_version_messages"):
            versions.remember(self.state, rows)

    def _last_state(self) -> None:
        writer = t.cast("LineWriter", self.message_writer)
        if self.state and not writer.lost:
            self._state_writer.write_state(self.state)
            self._state_writer.flush()

    def _close(self, *, failed: bool = False) -> None:
        """End the run and log the closing table.

        Raises:
            QontoError: if nothing else is raised already: what could not be saved, or read.
        """
        problem: QontoError | None = None
        try:
            self.run.close(wrote=not t.cast("LineWriter", self.message_writer).lost)
        except QontoError as error:
            problem = error
        lines = list(self.run.report.lines())
        if lines:
            self.logger.warning("Not everything was read:\n%s", "\n".join(lines))
        for line in self.run.versions.lines():
            self.logger.warning(line)
        if failed and problem:
            self.logger.critical("%s", problem)
        elif not failed and (problem or self.run.report.incomplete):
            raise problem or IncompleteRead(lines)

    def _setup_signal_handlers(self) -> None:
        """Leave them alone until a run begins: a tap may be made in any program."""

    def _stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End at the next page instead of in the middle of one."""
        if "run" in self.__dict__ and not self.run.is_closed:
            self.run.stop(signum)
        else:
            raise Stopped(signum)


def _files(tap: TapQonto) -> QontoStream:
    """Make the stream that needs an extra."""
    try:
        from tap_qonto.streams.files.files import Files  # noqa: PLC0415
    except ImportError as error:
        raise ExtraMissing(f"files is set, which needs {error.name}", "files") from None
    return Files(tap)
