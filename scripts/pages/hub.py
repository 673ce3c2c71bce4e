"""hub/tap-qonto.yml: the definition for Meltano Hub.

Settings and capabilities come from what `tap-qonto --about --format json` prints, commands and the
default selection from our `meltano.yml`; only the prose is here. The form follows the rules of the
Hub (its `schemas/plugin_definitions` and `.yamllint.yaml`, 2026-08): keys sorted at every level,
settings by name, nested settings with dots.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tap_qonto.tap import TapQonto

if TYPE_CHECKING:
    from collections.abc import Iterator


MELTANO = Path(__file__).resolve().parent.parent.parent / "meltano.yml"

VARIANT = "OWNER"  # whoever publishes: see hub/README.md
REPO = f"https://github.com/{VARIANT}/tap-qonto"

PREREQ = """\
#### An application at Qonto

1. In the [Qonto developer portal](https://developers.qonto.com), create an OAuth application. To
   read several organizations with one consent it needs Qonto's approval for the user flow
   (`user_organization.read`); without it, log in to one organization with `--membership`, or use an
   API key.
2. Register `http://localhost:8765/callback` as redirect URI.
3. Switch on the read scopes of the streams you want, and `offline_access`. `organization.read` is
   sensitive: Qonto approves it after some days. Invoices alone do without (`--scope invoices`).

#### Your consent

```bash
meltano config set tap-qonto client_id <id>
meltano config set tap-qonto client_secret <secret>
meltano invoke tap-qonto:login                # opens your browser
meltano invoke tap-qonto:login --no-browser   # on a server: paste the address you end at
```

The session is kept in `token_store` and renews itself from then on.
"""

SETTINGS_PREAMBLE = """\
Set `client_id` and `client_secret`, or `api_key_login` and `api_key_secret`; all else has a
default. `refresh_token` is only for those who got one elsewhere: it starts a session, which then
rotates in `token_store`. Where several machines or containers run the tap, point `token_store` to a
Postgres database they share and add the driver: `pip_url: tap-qonto[postgres]`. To keep receipts,
statements and invoices as files, set `files` and install `pip_url: tap-qonto[files]`.
"""

USAGE = f"""\
## Which organizations, and for how long?

```bash
meltano invoke tap-qonto:organizations
meltano invoke tap-qonto:status   # exit code 0 alive, 4 needs attention, 3 log in again
```

## How a run ends

The last lines of the log are a table of what was skipped or failed, and what to do.

| Exit code | |
|---|---|
| 0 | done; what Qonto refused (scope, role, plan, feature) was skipped |
| 1 | something failed and will be read again by the next run, or a setting is wrong |
| 3 | log in again: `meltano invoke tap-qonto:login` |

## More

[Streams and their fields]({REPO}/blob/main/docs/streams.md) ·
[Operating it]({REPO}/blob/main/docs/operating.md) ·
[The session]({REPO}/blob/main/docs/session.md)
"""


def definition() -> str:
    """Make the file."""
    content = yaml.dump(
        entry(), Dumper=_Dumper, sort_keys=True, allow_unicode=True, default_flow_style=False
    )
    return str(content)


def entry() -> dict[str, Any]:
    """Make the definition as data."""
    about = TapQonto._get_about_info()  # noqa: SLF001 - what --about prints
    plugin = plugin_in_meltano_yml()
    return {
        "name": "tap-qonto",
        "variant": VARIANT.lower(),
        "namespace": "tap_qonto",
        "label": "Qonto",
        "description": "Business accounts, cards, transfers and invoices of small companies",
        "domain_url": "https://docs.qonto.com",
        "logo_url": "/assets/logos/extractors/qonto.png",
        "docs": f"{REPO}#readme",
        "repo": REPO,
        "pip_url": "tap-qonto",
        "executable": "tap-qonto",
        "supported_python_versions": list(about.supported_python_versions or ()),
        "capabilities": sorted(capability.value for capability in about.capabilities),
        "log_parser": "singer-sdk",
        "keywords": ["api", "banking", "finance", "invoicing", "meltano_sdk"],
        "maintenance_status": "beta",
        "quality": "silver",
        "prereq": PREREQ,
        "settings_preamble": SETTINGS_PREAMBLE,
        "usage": USAGE,
        "commands": plugin["commands"],
        "select": plugin["select"],
        "settings": sorted(all_settings(), key=lambda setting: str(setting["name"])),
        "settings_group_validation": [
            sorted(group) for group in plugin["settings_group_validation"]
        ],
    }


def plugin_in_meltano_yml() -> dict[str, Any]:
    """The tap as our own Meltano project defines it."""
    project = yaml.safe_load(MELTANO.read_text(encoding="utf-8"))
    return dict(project["plugins"]["extractors"][0])


def all_settings() -> Iterator[dict[str, Any]]:
    """Every setting as Meltano knows it, ours and the SDK's, in the order of `--about`."""
    yield from _nested("", TapQonto._get_about_info().settings)  # noqa: SLF001


def _nested(prefix: str, schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, facts in schema["properties"].items():
        if facts.get("properties") and name != "stream_maps":
            yield from _nested(f"{prefix}{name}.", facts)
        else:
            yield _setting(f"{prefix}{name}", facts)


def _setting(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    types = facts.get("type", "string")
    kind = types if isinstance(types, str) else next(one for one in types if one != "null")
    setting: dict[str, Any] = {
        "name": name,
        "label": facts["title"],
        "description": facts["description"],
        "kind": "date_iso8601" if facts.get("format") == "date-time" else kind,
    }
    if "enum" in facts:
        setting["kind"] = "options"
        setting["options"] = [
            {"label": value.replace("_", " ").capitalize(), "value": value}
            for value in facts["enum"]
        ]
    if facts.get("secret"):
        setting["sensitive"] = True
    if facts.get("default") is not None:
        setting["value"] = facts["default"]
    return setting


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks; refers to nothing twice by anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
