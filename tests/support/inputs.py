"""A catalog of two streams, and settings that are refused."""

from __future__ import annotations

import json
import typing as t

import pytest
from taps import catalog_of

from tap_qonto.errors import SettingsError
from tap_qonto.tap import TapQonto

if t.TYPE_CHECKING:
    from pathlib import Path

CATALOG = catalog_of("labels", "memberships")


def configured(folder: Path, config: dict[str, t.Any]) -> tuple[str, str]:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return "--config", "config.json"


def refused(config: dict[str, t.Any], **more: t.Any) -> str:
    with pytest.raises(SettingsError) as caught:
        TapQonto(config=config, **more)
    return str(caught.value)
