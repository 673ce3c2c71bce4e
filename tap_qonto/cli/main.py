"""`tap-qonto-auth`: log in to Qonto once, and look after the session.

Settings come from `TAP_QONTO_*` and from `.env` in the working folder or above; with
`--config FILE`, from that file alone: all as for the tap. Only those that concern the session are
read, so a mistake elsewhere does not stand in the way of a login.
"""

from __future__ import annotations

import functools
import json
import logging
import typing as t
from pathlib import Path

import click

from tap_qonto.auth.authenticator import QontoAuthenticator, authenticator_for
from tap_qonto.errors import LoginRequired, QontoError, SettingsError
from tap_qonto.settings import SCHEMA, SETTINGS, Settings, doubts, sources

if t.TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("tap-qonto")

DEFAULT_PORT = 8765
_OF_TAP = frozenset(setting.name for setting in SETTINGS if not setting.is_of_login)


class Commands(click.Group):
    """Ends with one sentence instead of a traceback, and with the exit code of the error."""

    def invoke(self, ctx: click.Context) -> t.Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except QontoError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)


def with_settings(
    command: Callable[..., t.Any], more: tuple[str, ...] = ()
) -> Callable[..., t.Any]:
    """Add `--config`, and pass checked settings as first argument; `more` than the session's."""

    @click.option(
        "--config",
        "files",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="JSON file of settings, as for the tap; then TAP_QONTO_* and .env do not count.",
    )
    @functools.wraps(command)
    def wrapped(files: tuple[Path, ...], **options: t.Any) -> t.Any:
        return command(_settings(files, _OF_TAP.difference(more)), **options)

    return wrapped


def _settings(files: tuple[Path, ...], without: frozenset[str]) -> Settings:
    if files:
        config = sources.files(files)
    else:
        sources.read_dotenv()
        config = sources.environment(SCHEMA, without=without)
    config = {name: value for name, value in config.items() if name not in without}
    for doubt in doubts(config):
        logger.warning("%s", doubt)
    return Settings.from_config(config)


def _needs_session(settings: Settings) -> None:
    if settings.api_key_login:
        raise SettingsError(
            ["api_key_login is set: an API key has no session, so there is nothing to do here."]
        )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tap-qonto")
def auth() -> None:
    """Log tap-qonto in to Qonto, and look after its session.

    Set TAP_QONTO_CLIENT_ID and TAP_QONTO_CLIENT_SECRET (environment or .env) to those of your
    OAuth application, then:

    \b
      tap-qonto-auth login            consent in your browser, once
      tap-qonto-auth status           is the session alive, and for how long?
      tap-qonto-auth organizations    what can the tap read?
      tap-qonto-auth doctor           does Qonto behave as the tap assumes?

    In a Meltano project: meltano invoke tap-qonto:login, tap-qonto:status and so on.
    """  # noqa: D301 - \b keeps lines apart in --help
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")


@auth.command()
@with_settings
@click.option(
    "--no-browser",
    is_flag=True,
    help="Print the address, and take the pasted response: for servers and containers.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_PORT,
    envvar="TAP_QONTO_LOGIN_PORT",
    show_default=True,
    show_envvar=True,
    help="Where your browser comes back to: http://localhost:PORT/callback.",
)
@click.option(
    "--redirect-uri",
    envvar="TAP_QONTO_REDIRECT_URI",
    show_envvar=True,
    help="Use this registered redirect address instead; if it is not on this machine, paste.",
)
@click.option(
    "--scope",
    "scopes",
    envvar="TAP_QONTO_SCOPE",
    show_envvar=True,
    help='Ask for these scopes only, such as "organization.read client.read"; or `invoices`, for '
    "invoices alone, which needs no approval by Qonto. [default: all that the tap's streams use]",
)
@click.option(
    "--membership",
    is_flag=True,
    help="Log in to one organization, with an application that Qonto did not approve for more.",
)
def login(  # noqa: PLR0913 - one per option
    settings: Settings,
    *,
    no_browser: bool,
    port: int,
    redirect_uri: str | None,
    scopes: str | None,
    membership: bool,
) -> None:
    """Begin a new session: consent in your browser.

    Register http://localhost:8765/callback as a redirect URI of your application in the Qonto
    developer portal first. A former session is replaced only when the new one is there.

    \b
      tap-qonto-auth login
      tap-qonto-auth login --no-browser          on a server, or in a container
      tap-qonto-auth login --port 9000           if 8765 is taken (register it too)
      tap-qonto-auth login --scope "organization.read client_invoices.read"
      tap-qonto-auth login --scope invoices      without organization.read
    """  # noqa: D301 - \b keeps lines apart in --help
    _needs_session(settings)
    from tap_qonto.cli.authorization import (  # noqa: PLC0415 - --help stays fast
        Authorization,
        asked_scopes,
    )
    from tap_qonto.cli.login import log_in  # noqa: PLC0415

    authorization = Authorization(
        settings,
        redirect_uri or f"http://localhost:{port}/callback",
        asked_scopes(scopes),
        membership=membership,
    )
    log_in(authorization, browser=not no_browser)


@auth.command()
@with_settings
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def status(ctx: click.Context, settings: Settings, *, as_json: bool) -> None:
    """Tell whether the session is alive, and for how long. Reads the token store only.

    \b
    Exit codes, for a monitor:
      0  alive
      4  needs attention: ends within 14 days, or a refresh was interrupted
      3  gone: somebody has to log in
      1  the token store or the settings are wrong
    """  # noqa: D301 - \b keeps lines apart in --help
    _needs_session(settings)
    from tap_qonto.auth.refresh import open_store  # noqa: PLC0415
    from tap_qonto.cli.status import EXIT_CODES, status_of  # noqa: PLC0415 - --help stays fast

    store = open_store(settings)
    found = status_of(settings, store.load(), store.where)
    click.echo(json.dumps(found.json, indent=2) if as_json else found)
    ctx.exit(EXIT_CODES[found.verdict])


@auth.command()
@with_settings
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def organizations(settings: Settings, *, as_json: bool) -> None:
    """List the organizations that the session can read: name, your role, id."""
    from tap_qonto.cli.login import consented, table  # noqa: PLC0415 - --help stays fast

    _, found = consented(settings)
    click.echo(json.dumps(found, indent=2) if as_json else table(found))


@auth.command()
@functools.partial(with_settings, more=("rate_limits", "organization_ids"))
@click.option(
    "--report",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write names, types, counts and codes to FILE, to be attached to an issue; never a value.",
)
@click.pass_context
def doctor(ctx: click.Context, settings: Settings, file: Path | None) -> None:
    """Ask Qonto what the tap assumes of it, and tell what is otherwise. Read only.

    At most 200 requests, within rate_limits; of organization_ids, if they are set. For sessions
    and API keys.

    \b
    Exit codes:
      0  nothing is surprising
      4  something is otherwise than assumed; each line says what follows
      3  somebody has to log in
      1  settings or token store are wrong, or Qonto does not answer
    """  # noqa: D301 - \b keeps lines apart in --help
    from tap_qonto.cli.doctor.examination import examine  # noqa: PLC0415 - --help stays fast

    click.echo("Asking Qonto, read only, at most 200 requests …", err=True)
    found = examine(settings)
    click.echo(found)
    if file:
        found.write(file)
        click.echo(f"The report is in {file}.")
    ctx.exit(found.exit_code)


@auth.command()
@with_settings
def refresh(settings: Settings) -> None:
    """Renew the session now: for a cron job where the tap runs less than once a month.

    \b
      0 6 1,15 * *  tap-qonto-auth refresh
    """  # noqa: D301 - \b keeps lines apart in --help
    _needs_session(settings)
    from tap_qonto.auth.refresh import REFRESH_LIFETIME, moment  # noqa: PLC0415 - --help stays fast

    authenticator = t.cast("QontoAuthenticator", authenticator_for(settings))
    former = authenticator.refresher.store.load().session
    authenticator.refresh(f"Bearer {former.access_token if former else ''}")
    session = authenticator.session()
    authenticator.close()
    ends = moment(session.refreshed_at + REFRESH_LIFETIME)
    click.echo(f"Refreshed. Without another refresh the session would end on {ends}.")


@auth.command()
@with_settings
@click.option("--yes", is_flag=True, help="Do not ask.")
def logout(settings: Settings, *, yes: bool) -> None:
    """End the session: revoke it at Qonto and forget it here."""
    _needs_session(settings)
    from tap_qonto.auth.refresh import no_session, open_store  # noqa: PLC0415
    from tap_qonto.auth.token_endpoint import TokenEndpoint  # noqa: PLC0415 - --help stays fast

    store = open_store(settings)
    stored = store.load()
    if stored == type(stored)(now=stored.now):
        raise LoginRequired(f"{no_session(settings, store.where)}: nothing to end.")
    if not yes:
        question = "End the session? A new one needs a consent in the browser."
        click.confirm(question, abort=True)
    with store.locked():
        session = store.load().session
        revoked = session is not None and TokenEndpoint(settings).revoke(session.refresh_token)
        store.delete()
    click.echo(f"The session is gone from the token store ({store.where}).")
    if not revoked:
        click.echo(
            "Qonto did not confirm the revocation: to be sure, remove the application in Qonto "
            "(Settings, Integrations)."
        )
