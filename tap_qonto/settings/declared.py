"""Every setting, declared once: `--about`, Meltano, the Hub, the pages and the checks follow."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from singer_sdk import typing as th
from singer_sdk.helpers.capabilities import BATCH_CONFIG, FLATTENING_CONFIG, STREAM_MAPS_CONFIG

from tap_qonto.settings import values

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


@dataclass(frozen=True)
class Setting:
    """One setting. `default` is written as in a configuration; `read` makes it what the tap uses.

    `is_of_login` tells whether `tap-qonto-auth` needs it.
    """

    name: str
    label: str
    description: str
    type: th.JSONTypeHelper[t.Any] | type[th.JSONTypeHelper[t.Any]] = th.StringType
    read: t.Callable[[t.Any], t.Any] = values.text
    default: t.Any = None
    choices: tuple[str, ...] = ()
    is_secret: bool = False
    is_of_login: bool = False

    @property
    def property(self) -> th.Property[t.Any]:
        """The setting in the SDK's terms."""
        return th.Property(
            self.name,
            self.type,
            default=self.default,
            allowed_values=list(self.choices) or None,
            secret=self.is_secret,
            title=self.label,
            description=self.description,
        )


def _text(name: str, label: str, description: str, **more: t.Any) -> Setting:
    return Setting(name, label, description, **more)


def _flag(name: str, label: str, description: str) -> Setting:
    return Setting(name, label, description, th.BooleanType, values.flag, default=False)


def _number(
    name: str, label: str, description: str, *, default: int, most: int | None = None
) -> Setting:
    kind = th.IntegerType(minimum=1, maximum=most)
    return Setting(name, label, description, kind, values.whole(1, most), default)


def _choice(
    name: str, label: str, description: str, choices: t.Iterable[str], **more: t.Any
) -> Setting:
    of = tuple(choices)
    read = values.one_of(of)
    return Setting(name, label, description, read=read, default=of[0], choices=of, **more)


def _choices(name: str, label: str, description: str, choices: tuple[str, ...]) -> Setting:
    kind = th.ArrayType(th.StringType(allowed_values=list(choices)))
    return Setting(name, label, description, kind, values.some_of(choices), list(choices))


SETTINGS: tuple[Setting, ...] = (
    _text(
        "client_id",
        "Client ID",
        "Client id of your Qonto OAuth application. Required unless `api_key_login` is set.",
        is_of_login=True,
    ),
    _text(
        "client_secret",
        "Client secret",
        "Client secret of your Qonto OAuth application. It also encrypts the token store.",
        is_secret=True,
        is_of_login=True,
    ),
    _text(
        "refresh_token",
        "Refresh token (seed)",
        "A refresh token to start from. It is used once; the session then lives in `token_store` "
        "and rotates by itself. Leave it out after `tap-qonto-auth login`.",
        is_secret=True,
        is_of_login=True,
    ),
    _text(
        "api_key_login",
        "API key login",
        "Organization slug, for those without an OAuth application: reads this one organization. "
        "Excludes `client_id`, `client_secret` and `refresh_token`.",
        is_of_login=True,
    ),
    _text(
        "api_key_secret",
        "API key secret",
        "Secret key that goes with `api_key_login`.",
        is_secret=True,
        is_of_login=True,
    ),
    _text(
        "token_store",
        "Token store",
        "SQLAlchemy URL of where sessions live: `sqlite:////path/to/file.db`, or "
        "`postgresql+psycopg://…` to share one session between machines. "
        "Default: an SQLite file in your user data folder.",
        is_secret=True,
        is_of_login=True,
    ),
    _choice(
        "environment",
        "Environment",
        "Qonto's production or its sandbox.",
        ENVIRONMENTS,
        is_of_login=True,
    ),
    _text(
        "staging_token",
        "Staging token",
        "Sent as `X-Qonto-Staging-Token` with every call. Required in the sandbox.",
        is_secret=True,
        is_of_login=True,
    ),
    _text(
        "api_url",
        "API URL",
        "Base address of the data API, for gateways and tests. Default: given by `environment`.",
        read=values.address,
        is_of_login=True,
    ),
    _text(
        "oauth_url",
        "OAuth URL",
        "Base address of the OAuth server, for gateways and tests. "
        "Default: given by `environment`.",
        read=values.address,
        is_of_login=True,
    ),
    Setting(
        "start_date",
        "Start date",
        "Read rows changed since this moment (RFC 3339). Default: everything.",
        th.DateTimeType,
        values.moment,
    ),
    Setting(
        "organization_ids",
        "Organization ids",
        "Read only these organizations. Default: all that the user consented to.",
        th.ArrayType(th.StringType),
        values.ids,
    ),
    _text(
        "shard",
        "Shard",
        "`2/8` reads the second eighth of the organizations (stable by id), to share the work "
        "between machines.",
        read=values.share,
    ),
    _choices(
        "transaction_statuses",
        "Transaction statuses",
        "Which statuses of transactions to read.",
        STATUSES,
    ),
    _flag(
        "include_external_accounts",
        "Include external accounts",
        "Also read the accounts of other banks that are linked in Qonto.",
    ),
    _number(
        "concurrency",
        "Concurrency",
        "Requests in flight at most. The default uses the request limit up where an answer takes "
        "less than a quarter of a second.",
        default=24,
        most=64,
    ),
    Setting(
        "rate_limits",
        "Rate limits",
        "List of `[requests, seconds]` this process keeps within; `[]` for none. "
        "Divide it where several processes share one IP address.",
        th.ArrayType(th.ArrayType(th.NumberType)),
        values.limits,
        RATE_LIMITS,
    ),
    _choice(
        "on_denied",
        "On denied",
        "What to do when Qonto refuses one stream of one organization (403, 404, 410): go on and "
        "report it, or also end the run with an error.",
        ("skip", "fail"),
    ),
    _flag(
        "emit_activate_version_messages",
        "Emit ACTIVATE_VERSION",
        "After a full table that was read without a gap, let the target drop or mark rows that "
        "Qonto no longer has.",
    ),
    _text(
        "files",
        "Files",
        "Folder, or `s3://…`, `gs://…`, `az://…`, for receipts, statements and invoices; adds the "
        "stream `files`. Needs `tap-qonto[files]`. See docs/files.md.",
        read=values.folder,
    ),
    _choices("file_kinds", "File kinds", "Which kinds of files to keep.", FILE_KINDS),
    _number(
        "file_max_bytes",
        "Largest file",
        "Files of more bytes are left out, and named in the closing table.",
        default=FILE_MAX_BYTES,
    ),
)

SCHEMA: dict[str, t.Any] = th.PropertiesList(*(one.property for one in SETTINGS)).to_dict()
SECRETS = tuple(one.name for one in SETTINGS if one.is_secret)

FROM_SDK = frozenset(
    name
    for schema in (STREAM_MAPS_CONFIG, FLATTENING_CONFIG, BATCH_CONFIG)
    for name in schema["properties"]
)
"""Names of the settings that the SDK adds."""
