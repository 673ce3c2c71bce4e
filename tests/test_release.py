"""What releases and installs hang on: the changelog's sections, the lock, the addresses, `.env`."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from dotenv import dotenv_values
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from release import problems, section

from tap_qonto.settings import SCHEMA

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[1]
PROJECT_TEXT = (ROOT / "pyproject.toml").read_text("utf-8")
PROJECT: dict[str, t.Any] = tomllib.loads(PROJECT_TEXT)
CHANGELOG = """# Changelog

## Unreleased

## 1.2.0 (2026-12-01)

### Added

- Two.

## 1.1.0

- One.
"""
URLS = '\nversion = "1.2.0"\n[project.urls]\nHomepage = "https://github.com/someone/tap-qonto"\n'


def test_the_notes_of_a_release_are_its_section_of_the_changelog() -> None:
    assert section(CHANGELOG, "1.2.0") == "### Added\n\n- Two."
    assert section(CHANGELOG, "1.1.0") == "- One."
    assert section(CHANGELOG, "1.1") is None
    assert section(CHANGELOG, "Unreleased") is None


def test_a_tag_is_released_only_with_its_version_address_and_notes() -> None:
    assert problems("v1.2.0", "someone/tap-qonto", URLS, CHANGELOG) == []
    wrong = problems("v1.3.0", "another/tap-qonto", URLS, CHANGELOG)
    assert [one.split()[0] for one in wrong] == ["pyproject.toml", "[project.urls]", "CHANGELOG.md"]


def test_the_release_ends_where_something_is_wrong() -> None:
    command = [sys.executable, "scripts/release.py", "v0.0.0", "nobody/nothing"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "CHANGELOG.md says nothing under '## 0.0.0'" in done.stderr


def test_the_hub_and_the_package_name_one_repository() -> None:
    hub = yaml.safe_load((ROOT / "hub" / "tap-qonto.yml").read_text("utf-8"))
    assert PROJECT["project"]["urls"]["Homepage"] == hub["repo"]


def test_the_lock_has_a_fitting_version_of_all_that_is_installed_by_name() -> None:
    lock = (ROOT / "constraints.txt").read_text("utf-8")
    locked: dict[str, list[str]] = {}
    for name, version, after in re.findall(r"^([\w.-]+)==(\S+)(.*)$", lock, re.MULTILINE):
        locked.setdefault(canonicalize_name(name), []).append(version)
        assert after.endswith("\\"), name
        hashes = lock.partition(f"{name}=={version}{after}\n")[2]
        assert hashes.startswith("    --hash=sha256:"), name
    assert "://" not in lock
    groups = PROJECT["dependency-groups"].values()
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra),
        *(one for group in groups for one in group if isinstance(one, str)),
    ]
    for requirement in map(Requirement, wanted):
        versions = locked[canonicalize_name(requirement.name)]
        assert any(one in requirement.specifier for one in versions), requirement


def test_the_example_of_env_names_settings_and_gives_no_secret() -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    given = dotenv_values(stream=io.StringIO(text.replace("# TAP_", "TAP_")))
    assert len(given) > 4
    for name in given:
        setting = SCHEMA["properties"][name.removeprefix("TAP_QONTO_").lower()]
        assert not (setting.get("secret") and given[name])
    assert all(not value for value in dotenv_values(stream=io.StringIO(text)).values())
