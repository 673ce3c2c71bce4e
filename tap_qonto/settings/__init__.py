"""Settings for the tap and for `tap-qonto-auth`, checked before any request.

They are declared in `declared`; `SCHEMA` is what `--about`, Meltano and the SDK's validation see.
`Settings.from_config` makes typed values of them, and refuses what no JSON schema can express.
"""

from __future__ import annotations

import importlib.util
import typing as t
from dataclasses import dataclass, fields

from tap_qonto.errors import SettingsError, did_you_mean
from tap_qonto.settings.declared import (
    ENVIRONMENTS,
    FILE_KINDS,
    FROM_SDK,
    SCHEMA,
    SECRETS,
    SETTINGS,
    STATUSES,
)
from tap_qonto.settings.values import is_in_clear, lacks_zone

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

__all__ = [
    "FILE_KINDS",
    "SCHEMA",
    "SECRETS",
    "SETTINGS",
    "STATUSES",
    "Settings",
    "doubts",
    "given",
]

KNOWN = FROM_SDK.union(SCHEMA["properties"])


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
        config = given(config)
        problems = [
            f"{name} is no setting{did_you_mean(name, KNOWN)} All of them: tap-qonto --about"
            for name in sorted(config.keys() - KNOWN)
        ]
        found: dict[str, t.Any] = {}
        for setting in SETTINGS:
            value = config.get(setting.name, setting.default)
            try:
                found[setting.name] = None if value is None else setting.read(value)
            except ValueError as error:
                problems.append(f"{setting.name} {error}")
        problems += _contradictions(found)
        if problems:
            raise SettingsError(problems)
        api_url, oauth_url = ENVIRONMENTS[found["environment"]]
        found["api_url"] = found["api_url"] or api_url
        found["oauth_url"] = found["oauth_url"] or oauth_url
        return cls(**{field.name: found[field.name] for field in fields(cls)})


def given(config: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The settings of `config` that are set: null and empty text mean that one is not."""
    return {
        name: value
        for name, value in config.items()
        if value is not None and not (isinstance(value, str) and not value.strip())
    }


def doubts(config: Mapping[str, t.Any]) -> Iterator[str]:
    """Yield what is allowed in `config`, but should not go unsaid."""
    config = given(config)
    for name in ("api_url", "oauth_url"):
        if is_in_clear(url := str(config.get(name, ""))):
            yield (
                f"{name} is {url}: tokens and data cross the network in clear, for anybody on it "
                "to read. Use https://."
            )
    start = str(config.get("start_date", ""))
    if "T" in start.upper() and lacks_zone(start):
        yield (
            f"start_date is {start}, without a zone: read as UTC. If that is not what you wrote, "
            "Meltano made it of that: it takes 01/02/2026 for the 2nd of January, and a year alone "
            "for a day in it. Write a date as 2026-02-01, a moment as 2026-02-01T00:00:00Z."
        )
    if "batch_config" in config:
        yield "batch_config does nothing: rows leave as messages only, so that masks hold."
    if "faker_config" in config and importlib.util.find_spec("faker") is None:
        yield "faker_config does nothing without the package faker: pip install faker."


def _contradictions(found: Mapping[str, t.Any]) -> Iterator[str]:
    """Yield what is wrong between settings, each of which may be right."""
    if found.get("environment") == "sandbox" and not found["staging_token"]:
        yield (
            "staging_token is missing: the sandbox wants it on every call "
            "(Qonto developer portal, your application's page)."
        )
    key = [name for name in ("api_key_login", "api_key_secret") if found[name]]
    oauth = [name for name in ("client_id", "client_secret", "refresh_token") if found[name]]
    if key and oauth:
        yield (
            f"{key[0]} and {oauth[0]} are both set: use either an API key or an OAuth "
            "application, not both."
        )
    elif key:
        for name in ("api_key_login", "api_key_secret"):
            if not found[name]:
                yield f"{name} is missing: an API key needs api_key_login and api_key_secret."
    else:
        for name in ("client_id", "client_secret"):
            if not found[name]:
                yield (
                    f"{name} is missing: set it to that of your Qonto OAuth application "
                    f"(environment variable TAP_QONTO_{name.upper()})."
                )
