"""Check that a tag may be released, and print its section of the changelog.

    python scripts/release.py v0.1.0 owner/tap-qonto > notes.md

The tag is the version in `pyproject.toml`, whose addresses name the repository, and the changelog
has a section `## 0.1.0`. Else nothing is printed, and the command ends with what is wrong.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def section(changelog: str, version: str) -> str | None:
    """Return what the changelog says of a version, or None."""
    found = re.search(
        rf"^## \[?{re.escape(version)}\]?(?: [^\n]*)?\n(.*?)(?=^## |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    return found[1].strip() or None if found else None


def problems(tag: str, repository: str, project: str, changelog: str) -> list[str]:
    """Say what keeps a tag from being released; `project` is the text of `pyproject.toml`."""
    version = tag.removeprefix("v")
    result = []
    if f'\nversion = "{version}"\n' not in project:
        result.append(f"pyproject.toml has another version than the tag {tag}")
    addresses = set(re.findall(r'"https://github\.com/([^/"]+/[^/"]+)', project))
    if addresses != {repository}:
        result.append(f"[project.urls] does not name {repository}, but {sorted(addresses)}")
    if section(changelog, version) is None:
        result.append(f"CHANGELOG.md says nothing under '## {version}'")
    return result


def main(tag: str, repository: str) -> str | None:
    """Print the notes; return what is wrong, for `sys.exit`."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    if wrong := problems(tag, repository, project, changelog):
        return "\n".join(wrong)
    print(section(changelog, tag.removeprefix("v")))
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
