"""Every setting: its name, meaning, default and check, for the tap and for `tap-qonto-auth`.

`SCHEMA` is what `--about`, Meltano and the SDK's validation see. `Settings.from_config` turns the
same mapping into typed values and refuses what no JSON schema can express, before any request.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import urlsplit

from singer_sdk import typing as th

from tap_qonto.errors import SettingsError

if t.TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENTS: dict[str, tuple[str, str]] = {
    # name: (api_url, oauth_url); Qonto: "Introduction", "The User OAuth flow", 2026-11
    "production": ("https://thirdparty.qonto.com", "https://oauth.qonto.com"),
    "sandbox": (
        "https://thirdparty-sandbox.staging.qonto.co",
        "https://oauth-sandbox.staging.qonto.co",
    ),
}
STATUSES = ("pending", "completed", "declined", "reversed")  # Q24-Q26
FILE_KINDS = (
    *("transaction_attachment", "certified_copy", "statement"),
    *("client_invoice", "credit_note", "quote", "supplier_invoice"),
)
FILE_MAX_BYTES = 100 * 2**20  # Qonto takes receipts of up to 30 MB
RATE_LIMITS = [[1000, 10], [10000, 600]]  # requests, seconds, per IP address (Q87)

SCHEMA: dict[str, t.Any] = th.PropertiesList(
    th.Property(
        "client_id",
        th.StringType,
        title="Client ID",
        description="Client id of your Qonto OAuth application. "
        "Required unless `api_key_login` is set.",
    ),
    th.Property(
        "client_secret",
        th.StringType,
        secret=True,
        title="Client secret",
        description="Client secret of your Qonto OAuth application. "
        "It also encrypts the token store.",
    ),
    th.Property(
        "refresh_token",
        th.StringType,
        secret=True,
        title="Refresh token (seed)",
        description="A refresh token to start from. It is used once; the session then lives in "
        "`token_store` and rotates by itself. Leave it out after `tap-qonto-auth login`.",
    ),
    th.Property(
        "api_key_login",
        th.StringType,
        title="API key login",
        description="Organization slug, for those without an OAuth application: reads this one "
        "organization. Excludes `client_id`, `client_secret` and `refresh_token`.",
    ),
    th.Property(
        "api_key_secret",
        th.StringType,
        secret=True,
        title="API key secret",
        description="Secret key that goes with `api_key_login`.",
    ),
    th.Property(
        "token_store",
        th.StringType,
        secret=True,
        title="Token store",
        description="SQLAlchemy URL of where sessions live: `sqlite:////path/to/file.db`, or "
        "`postgresql+psycopg://…` to share one session between machines. "
        "Default: an SQLite file in your user data folder.",
    ),
    th.Property(
        "environment",
        th.StringType,
        default="production",
        allowed_values=list(ENVIRONMENTS),
        title="Environment",
        description="Qonto's production or its sandbox.",
    ),
    th.Property(
        "staging_token",
        th.StringType,
        secret=True,
        title="Staging token",
        description="Sent as `X-Qonto-Staging-Token` with every call. Required in the sandbox.",
    ),
    th.Property(
        "api_url",
        th.StringType,
        title="API URL",
        description="Base address of the data API, for gateways and tests. "
        "Default: given by `environment`.",
    ),
    th.Property(
        "oauth_url",
        th.StringType,
        title="OAuth URL",
        description="Base address of the OAuth server, for gateways and tests. "
        "Default: given by `environment`.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Read rows changed since this moment (RFC 3339). Default: everything.",
    ),
    th.Property(
        "organization_ids",
        th.ArrayType(th.StringType),
        title="Organization ids",
        description="Read only these organizations. Default: all that the user consented to.",
    ),
    th.Property(
        "shard",
        th.StringType,
        title="Shard",
        description="`2/8` reads the second eighth of the organizations (stable by id), to share "
        "the work between machines.",
    ),
    th.Property(
        "transaction_statuses",
        th.ArrayType(th.StringType(allowed_values=list(STATUSES))),
        default=list(STATUSES),
        title="Transaction statuses",
        description="Which statuses of transactions to read.",
    ),
    th.Property(
        "include_external_accounts",
        th.BooleanType,
        default=False,
        title="Include external accounts",
        description="Also read the accounts of other banks that are linked in Qonto.",
    ),
    th.Property(
        "concurrency",
        th.IntegerType(minimum=1, maximum=64),
        default=24,
        title="Concurrency",
        description="Requests in flight at most. The default uses the request limit up where an "
        "answer takes less than a quarter of a second.",
    ),
    th.Property(
        "rate_limits",
        th.ArrayType(th.ArrayType(th.NumberType)),
        default=RATE_LIMITS,
        title="Rate limits",
        description="List of `[requests, seconds]` this process keeps within; `[]` for none. "
        "Divide it where several processes share one IP address.",
    ),
    th.Property(
        "on_denied",
        th.StringType,
        default="skip",
        allowed_values=["skip", "fail"],
        title="On denied",
        description="What to do when Qonto refuses one stream of one organization "
        "(403, 404, 410): go on and report it, or also end the run with an error.",
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        default=False,
        title="Emit ACTIVATE_VERSION",
        description="After a full table that was read without a gap, let the target drop or mark "
        "rows that Qonto no longer has.",
    ),
    th.Property(
        "files",
        th.StringType,
        title="Files",
        description="Folder, or `s3://…`, `gs://…`, `az://…`, for receipts, statements and "
        "invoices; adds the stream `files`. Needs `tap-qonto[files]`. See docs/files.md.",
    ),
    th.Property(
        "file_kinds",
        th.ArrayType(th.StringType(allowed_values=list(FILE_KINDS))),
        default=list(FILE_KINDS),
        title="File kinds",
        description="Which kinds of files to keep.",
    ),
    th.Property(
        "file_max_bytes",
        th.IntegerType(minimum=1),
        default=FILE_MAX_BYTES,
        title="Largest file",
        description="Files of more bytes are left out, and named in the closing table.",
    ),
).to_dict()

_Get = t.Callable[[str], t.Any]
SECRETS = tuple(name for name, value in SCHEMA["properties"].items() if value.get("secret"))


@dataclass(frozen=True)
class Settings:
    """Checked settings. Addresses have no trailing slash; `start_date` is aware, in UTC.

    `shard` is (number from 1, count). `rate_limits` are (requests, seconds).
    """

    client_id: str | None
    client_secret: str | None
    refresh_token: str | None
    api_key_login: str | None
    api_key_secret: str | None
    token_store: str | None
    environment: str
    staging_token: str | None
    api_url: str
    oauth_url: str
    start_date: datetime | None
    organization_ids: tuple[str, ...] | None
    shard: tuple[int, int] | None
    transaction_statuses: tuple[str, ...]
    include_external_accounts: bool
    concurrency: int
    rate_limits: tuple[tuple[int, float], ...]
    on_denied: str
    files: str | None
    file_kinds: tuple[str, ...]
    file_max_bytes: int

    @classmethod
    def from_config(cls, config: Mapping[str, t.Any]) -> Settings:
        """Check `config` (the shape of `SCHEMA`) and fill in defaults.

        Raises:
            SettingsError: with every problem found, each naming the setting, the value (never of
                a secret) and what is wanted.
        """
        problems: list[str] = []

        get = config.get

        def text(name: str) -> str | None:
            value = get(name)
            return str(value).strip() or None if value is not None else None

        environment = text("environment") or "production"
        default_api, default_oauth = ENVIRONMENTS.get(environment, ("", ""))
        if not default_api:
            problems.append(
                f"environment is {environment!r}: use one of {', '.join(ENVIRONMENTS)}."
            )
        if environment == "sandbox" and not text("staging_token"):
            problems.append(
                "staging_token is missing: the sandbox wants it on every call "
                "(Qonto developer portal, your application's page)."
            )
        _check_credentials(text, problems)
        settings = cls(
            client_id=text("client_id"),
            client_secret=text("client_secret"),
            refresh_token=text("refresh_token"),
            api_key_login=text("api_key_login"),
            api_key_secret=text("api_key_secret"),
            token_store=text("token_store"),
            environment=environment,
            staging_token=text("staging_token"),
            api_url=_address("api_url", text("api_url") or default_api, problems),
            oauth_url=_address("oauth_url", text("oauth_url") or default_oauth, problems),
            start_date=_moment("start_date", text("start_date"), problems),
            organization_ids=_ids(get("organization_ids"), problems),
            shard=_shard(text("shard"), problems),
            transaction_statuses=_choice("transaction_statuses", get, STATUSES, problems),
            include_external_accounts=bool(get("include_external_accounts", False)),
            concurrency=_whole("concurrency", get, 24, problems, most=64),
            rate_limits=_limits(get("rate_limits", RATE_LIMITS), problems),
            on_denied=text("on_denied") or "skip",
            files=_files(text("files"), problems),
            file_kinds=_choice("file_kinds", get, FILE_KINDS, problems),
            file_max_bytes=_whole("file_max_bytes", get, FILE_MAX_BYTES, problems),
        )
        if settings.on_denied not in {"skip", "fail"}:
            problems.append(f"on_denied is {settings.on_denied!r}: use 'skip' or 'fail'.")
        if problems:
            raise SettingsError(problems)
        return settings


def _check_credentials(text: t.Callable[[str], str | None], problems: list[str]) -> None:
    key = [name for name in ("api_key_login", "api_key_secret") if text(name)]
    oauth = [name for name in ("client_id", "client_secret", "refresh_token") if text(name)]
    if key and oauth:
        problems.append(
            f"{key[0]} and {oauth[0]} are both set: use either an API key or an OAuth "
            "application, not both."
        )
    elif key:
        problems.extend(
            f"{name} is missing: an API key needs api_key_login and api_key_secret."
            for name in ("api_key_login", "api_key_secret")
            if not text(name)
        )
    else:
        problems.extend(
            f"{name} is missing: set it to that of your Qonto OAuth application "
            f"(environment variable TAP_QONTO_{name.upper()})."
            for name in ("client_id", "client_secret")
            if not text(name)
        )


def _address(name: str, value: str, problems: list[str]) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
        problems.append(f"{name} is {value!r}: use an address such as https://host.example.")
    elif parts.username or parts.query or parts.fragment:
        problems.append(f"{name} holds more than scheme, host and path: remove the rest.")
    return value.rstrip("/")


def _moment(name: str, value: str | None, problems: list[str]) -> datetime | None:
    if value is None:
        return None
    try:
        # "Z" is read by fromisoformat from Python 3.11 on
        moment = datetime.fromisoformat(value.replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        problems.append(f"{name} is {value!r}: use RFC 3339, such as 2026-01-31T00:00:00Z.")
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc)


def _ids(value: t.Any, problems: list[str]) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str) or not all(isinstance(one, str) and one.strip() for one in value):
        problems.append(f"organization_ids is {value!r}: use a list of organization ids.")
        return None
    if not value:
        problems.append(
            "organization_ids is an empty list: leave it out to read every organization."
        )
    return tuple(dict.fromkeys(one.strip() for one in value))


def _shard(value: str | None, problems: list[str]) -> tuple[int, int] | None:
    if value is None:
        return None
    number, slash, count = value.partition("/")
    try:
        shard = int(number), int(count)
    except ValueError:
        shard = 0, 0
    if not slash or not 1 <= shard[0] <= shard[1]:
        problems.append(f"shard is {value!r}: use NUMBER/COUNT with NUMBER from 1, such as 2/8.")
        return None
    return shard


def _limits(value: t.Any, problems: list[str]) -> tuple[tuple[int, float], ...]:
    try:
        limits = tuple((int(requests), float(seconds)) for requests, seconds in value or ())
    except (TypeError, ValueError):
        limits = ((0, 0.0),)
    if any(requests < 1 or seconds <= 0 for requests, seconds in limits):
        problems.append(
            f"rate_limits is {value!r}: use a list of [requests, seconds], "
            "such as [[1000, 10], [10000, 600]], or [] for none."
        )
    return limits


def _files(value: str | None, problems: list[str]) -> str | None:
    scheme, separator, _ = (value or "").partition("://")
    if separator and scheme not in {"s3", "gs", "az"}:
        problems.append(f"files begins with {scheme}://: use a folder, s3://, gs:// or az://.")
    return value


def _choice(name: str, get: _Get, of: tuple[str, ...], problems: list[str]) -> tuple[str, ...]:
    value = get(name)
    chosen = of if value is None else tuple(value)
    if not chosen or set(chosen) - set(of):
        problems.append(f"{name} is {list(chosen)!r}: use one or more of {', '.join(of)}.")
    return tuple(dict.fromkeys(chosen))


def _whole(name: str, get: _Get, default: int, problems: list[str], most: int = 2**63) -> int:
    value = default if get(name) is None else get(name)
    if not isinstance(value, int) or not 1 <= value <= most:
        problems.append(f"{name} is {value!r}: use a whole number from 1 to {most}.")
        return default
    return value
