"""hub/tap-qonto.yml: as Meltano Hub wants it, and in agreement with our own Meltano project."""

from __future__ import annotations

import re
import typing as t
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from pages.hub import plugin_in_meltano_yml

from tap_qonto.settings import SECRETS, SETTINGS, Settings
from tap_qonto.streams import STREAMS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).parents[2] / "hub" / "tap-qonto.yml"

# Facts from the Hub's `schemas/plugin_definitions` and `.yamllint.yaml`, 2026-08. The file as it is
# passed the Hub's own checks.
KEYS = {
    *("capabilities", "commands", "definition", "description", "docs", "domain_url", "executable"),
    *("hidden", "keywords", "label", "log_parser", "logo_url", "maintenance_status", "metadata"),
    *("name", "namespace", "next_steps", "pip_url", "prereq", "python", "quality", "repo"),
    *("requires", "schema", "select", "settings", "settings_group_validation"),
    *("settings_preamble", "supported_python_versions", "usage", "variant"),
}
SETTING_KEYS = {
    *("aliases", "description", "docs", "documentation", "env", "hidden", "kind", "label", "name"),
    *("oauth", "options", "placeholder", "sensitive", "tooltip", "value", "value_post_processor"),
    "value_processor",
}
KINDS = {
    *("array", "boolean", "date_iso8601", "decimal", "email", "file", "hidden", "integer", "oauth"),
    *("object", "options", "password", "string"),
}
CAPABILITIES = {
    *("about", "activate-version", "batch", "catalog", "discover", "log-based", "properties"),
    *("schema-flattening", "state", "stream-maps", "structured-logging", "test"),
}


@pytest.fixture(scope="module")
def definition() -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", yaml.safe_load(FILE.read_text("utf-8")))


def test_the_hub_definition_has_the_keys_that_the_hub_knows(definition: dict[str, t.Any]) -> None:
    assert set(definition) <= KEYS
    assert {"name", "namespace", "variant", "quality"} <= set(definition)
    assert definition["maintenance_status"] in {"active", "beta", "development"}
    assert "meltano_sdk" in definition["keywords"]
    assert set(definition["capabilities"]) <= CAPABILITIES
    assert all(re.fullmatch(r"3\.\d+", one) for one in definition["supported_python_versions"])
    for setting in definition["settings"]:
        assert set(setting) <= SETTING_KEYS
        assert setting["kind"] in KINDS
        assert setting["label"]
        assert setting["description"]
        assert ("options" in setting) == (setting["kind"] == "options")


def test_the_hub_definition_is_sorted_as_its_linter_wants(definition: dict[str, t.Any]) -> None:
    def mappings(value: t.Any) -> Iterator[dict[str, t.Any]]:
        if isinstance(value, dict):
            yield value
        for child in value.values() if isinstance(value, dict) else value:
            if isinstance(child, dict | list):
                yield from mappings(child)

    for mapping in mappings(definition):
        assert all(one < other for one, other in pairwise(mapping)), list(mapping)
    names = [setting["name"] for setting in definition["settings"]]
    assert names == sorted(names)
    assert definition["capabilities"] == sorted(definition["capabilities"])


def test_the_hub_definition_hides_every_secret_and_nothing_else(
    definition: dict[str, t.Any],
) -> None:
    sensitive = {one["name"] for one in definition["settings"] if one.get("sensitive")}
    assert sensitive == set(SECRETS)


def test_every_group_of_required_settings_makes_a_valid_tap(definition: dict[str, t.Any]) -> None:
    names = {setting["name"] for setting in definition["settings"]}
    for group in definition["settings_group_validation"]:
        assert set(group) <= names
        Settings.from_config(dict.fromkeys(group, "x"))


def test_our_meltano_project_and_the_hub_agree(definition: dict[str, t.Any]) -> None:
    plugin = plugin_in_meltano_yml()
    for key in ("name", "namespace", "executable", "commands", "select"):
        assert plugin[key] == definition[key], key
    assert sorted(plugin["capabilities"]) == definition["capabilities"]
    theirs = {setting["name"]: setting for setting in definition["settings"]}
    for setting in plugin["settings"]:
        other = theirs[setting["name"]]
        for key in ("kind", "options", "sensitive"):
            assert setting.get(key) == other.get(key), (setting["name"], key)
    assert {setting["name"] for setting in plugin["settings"]} == theirs.keys()


@pytest.mark.parametrize("project", ["meltano.yml", "examples/airflow/meltano.yml"])
def test_a_number_is_declared_as_one_in_every_project(project: str) -> None:
    plugin = yaml.safe_load((FILE.parents[1] / project).read_text("utf-8"))["plugins"]
    settings = {one["name"]: one for one in plugin["extractors"][0]["settings"]}
    assert settings.keys() >= {setting.name for setting in SETTINGS}
    for name in ("flattening_max_depth", "flattening_max_key_length", "concurrency"):
        assert settings[name]["kind"] == "integer"


def test_settings_that_can_not_work_are_not_offered(definition: dict[str, t.Any]) -> None:
    assert not [one for one in definition["settings"] if one["name"].startswith("faker")]


def test_streams_that_are_off_are_off_in_meltano_too() -> None:
    off = {f"!{stream.name}.*" for stream in STREAMS if not stream.selected_by_default}
    assert {*plugin_in_meltano_yml()["select"]} == off | {"*.*"}
