"""docs/settings.md, and the table of the README: every setting, as it is declared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pages.markdown import MADE, code, quirks, table
from tap_qonto.errors import SettingsError
from tap_qonto.settings import SCHEMA, SETTINGS, Settings
from tap_qonto.tap import TapQonto

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """\
# Settings

The same names in every place:

| Where | How |
|---|---|
| Meltano | `config:` in `meltano.yml`, or `meltano config set tap-qonto client_id …` |
| The environment | `TAP_QONTO_CLIENT_ID=…`; lists as JSON: `TAP_QONTO_ORGANIZATION_IDS='["…"]'` |
| `.env` in the working folder, or above it | the same; the environment wins; no proxies |
| A JSON file | `--config file.json`: then that file alone |
| Both | `tap-qonto --config file.json --config ENV`; the environment wins |

`meltano config set` [writes `meltano.yml` anew](operating.md#selecting-streams).
`tap-qonto --about` prints all settings, too.

Who you are is told in one of three ways; settings of two of them together are refused:

* **Consent of a user**: `client_id` and `client_secret`, then `tap-qonto-auth login` once. Reads
  every organization that the user ticks; Qonto has to approve the application for it (Q3).
* **Consent for one organization**: the same, with `tap-qonto-auth login --membership`.
* **API key**: `api_key_login` and `api_key_secret`. Reads one organization, less the streams that
  Qonto does not open to keys ([API key](streams.md) in each stream's facts).

More about the first two: [session.md](session.md).
"""

OURS = tuple(setting.name for setting in SETTINGS)

# What people get wrong: shown with the answer that `Settings` really gives.
CLIENT = {"client_id": "my-client", "client_secret": "not-shown"}
MISTAKES: tuple[dict[str, Any], ...] = (
    {},
    {**CLIENT, "api_key_login": "acme-1234"},
    {"api_key_login": "acme-1234"},
    {**CLIENT, "environment": "staging"},
    {**CLIENT, "environment": "sandbox"},
    {**CLIENT, "start_date": "01/02/2026"},
    {**CLIENT, "start_date": "2126-01-01"},
    {**CLIENT, "organisation_ids": ["11111111-2222-3333-4444-555555555555"]},
    {**CLIENT, "organization_ids": "11111111-2222-3333-4444-555555555555"},
    {**CLIENT, "organization_ids": []},
    {**CLIENT, "shard": "0/4"},
    {**CLIENT, "transaction_statuses": ["settled"]},
    {**CLIENT, "concurrency": 500},
    {**CLIENT, "rate_limits": [1000, 10]},
    {**CLIENT, "api_url": "thirdparty.qonto.com"},
    {**CLIENT, "on_denied": "ignore"},
    {**CLIENT, "files": "ftp://archive/receipts"},
    {**CLIENT, "files": "receipts", "file_kinds": ["receipts"]},
)


def page() -> str:
    """Make the page."""
    lines = [MADE.format(source="tap_qonto/settings/declared.py"), ""]
    lines += quirks(INTRODUCTION).splitlines()
    lines += ["", "## All settings", ""]
    lines += table(
        ["Setting", "Type", "Default", "Meaning"],
        (
            [f"`{name}`", _type(setting), default(setting), _meaning(setting)]
            for name, setting in our_settings().items()
        ),
    )
    lines += ["", "Secrets never appear in logs, states or messages.", ""]
    lines += ["## Settings of the Singer SDK", ""]
    lines += [
        "These come with the SDK and work as its documentation says: "
        + code(*from_the_sdk())
        + ". Tried examples of `stream_maps`: [personal data](operating.md#personal-data).",
        "",
    ]
    lines += ["## What a wrong setting says", ""]
    lines += [
        (
            "Settings are checked before the first request; all that is wrong is told at once, and "
            "the exit code is 1. Secrets are not repeated."
        ),
        "",
    ]
    lines += table(["Settings", "Message"], _mistakes())
    return "\n".join(lines) + "\n"


def short_table() -> str:
    """Make the table of the README."""
    return "\n".join(
        table(
            ["Setting", "Meaning", "Default"],
            (
                [f"`{name}`", _meaning(setting), default(setting)]
                for name, setting in our_settings().items()
            ),
        )
    )


def our_settings() -> dict[str, dict[str, Any]]:
    """The settings that are not the SDK's."""
    return {name: SCHEMA["properties"][name] for name in OURS}


def from_the_sdk() -> list[str]:
    """Names of the settings that the SDK adds to ours."""
    TapQonto.append_builtin_config(SCHEMA)
    return [name for name in SCHEMA["properties"] if name not in OURS]


def default(setting: dict[str, Any]) -> str:
    """Show the default as JSON, as code; nothing if there is none."""
    return f"`{json.dumps(setting['default'])}`" if "default" in setting else ""


def _meaning(setting: dict[str, Any]) -> str:
    return str(setting["description"]) + (" *Secret.*" if setting.get("secret") else "")


def _type(setting: dict[str, Any]) -> str:
    name = next(one for one in setting["type"] if one != "null")
    if "enum" in setting:
        return " or ".join(f"`{value}`" for value in setting["enum"])
    if name == "array":
        return "list"
    return "timestamp" if setting.get("format") == "date-time" else str(name)


def _mistakes() -> Iterator[list[str]]:
    for settings in MISTAKES:
        try:
            Settings.from_config(settings)
        except SettingsError as error:
            shown = {name: value for name, value in settings.items() if name not in CLIENT}
            what = f"`{json.dumps(shown)}`" if settings else "none at all"
            yield [what, str(error)]
        else:
            raise AssertionError(settings)
