"""The settings of the tap in our Meltano projects: `meltano.yml` and the Airflow example."""

from __future__ import annotations

import yaml

from pages.hub import all_settings

KEYS = ("name", "kind", "sensitive", "label", "description", "options")


def block() -> str:
    """Make the block with what Meltano shows of each setting; defaults are the tap's."""
    return _block(KEYS)


def short_block() -> str:
    """Make the block with what Meltano needs to read each setting."""
    return _block(("name", "kind", "sensitive", "options"))


def _block(keys: tuple[str, ...]) -> str:
    lines = []
    for setting in all_settings():
        shown = {key: setting[key] for key in keys if key in setting}
        text = yaml.safe_dump(
            shown, sort_keys=False, default_flow_style=True, allow_unicode=True, width=10**6
        )
        lines.append(f"- {text.strip()}")
    return "\n".join(lines)
