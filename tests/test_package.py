"""What is installed from the built package, and the project file that people copy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import typing as t
import venv
import zipfile
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from tap_qonto.settings import SCHEMA, Settings
from tap_qonto.tap import TapQonto

ROOT = Path(__file__).parents[1]
KINDS = {"string": "string", "array": "array", "boolean": "boolean", "integer": "integer"}


def extractor() -> dict[str, t.Any]:
    """The tap's entry in `meltano.yml`."""
    project = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))
    found: list[dict[str, t.Any]] = project["plugins"]["extractors"]
    (one,) = found
    return one


def test_meltano_knows_every_setting_its_kind_and_whether_it_is_secret() -> None:
    listed = {setting["name"]: setting for setting in extractor()["settings"]}
    for field in fields(Settings):
        name, wanted = field.name, SCHEMA["properties"][field.name]
        setting = listed[name]
        kind = KINDS[wanted["type"][0]]
        if "enum" in wanted or "allowed_values" in wanted:
            kind = "options"
        elif wanted.get("format") == "date-time":
            kind = "date_iso8601"
        assert (setting["kind"], setting.get("sensitive", False)) == (
            kind,
            wanted.get("secret", False),
        ), name
        if kind == "options":
            assert [one["value"] for one in setting["options"]] == wanted["enum"], name


def test_meltano_selects_what_the_tap_selects_by_default() -> None:
    streams = TapQonto(config={}, validate_config=False).streams
    off = [f"!{name}.*" for name, one in streams.items() if not one.selected_by_default]
    assert sorted(extractor()["select"]) == sorted(["*.*", *off])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_wheel_holds_the_tap_alone_and_works_on_its_own(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"tap_qonto"}
    assert {"tap_qonto/py.typed", "tap_qonto/api/openapi.json"} <= set(names)
    shipped = zipfile.ZipFile(wheel).read("tap_qonto/api/openapi.json")
    assert b'"example"' not in shipped  # for tests: contract/openapi.yaml has them

    venv.create(tmp_path / "venv", with_pip=True)
    tool = tmp_path / "venv" / "bin"
    subprocess.run([tool / "pip", "install", "-qq", wheel], check=True)
    found = subprocess.run(
        [tool / "tap-qonto", "--discover"],
        cwd=tmp_path,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    streams = {stream["stream"] for stream in json.loads(found.stdout)["streams"]}
    assert streams == set(TapQonto(config={}, validate_config=False).streams)
    subprocess.run(
        [tool / "tap-qonto-auth", "--help"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("has_pip", [True, False])
def test_make_installs_the_locked_uv_into_an_environment_that_is_there(
    tmp_path: Path, *, has_pip: bool
) -> None:
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=has_pip)
    subprocess.run(["make", "--silent", f"VENV={folder}", f"{folder}/uv"], cwd=ROOT, check=True)
    uv = [str(folder / "bin" / "python"), "-m", "uv", "--version"]
    version = subprocess.check_output(uv, text=True).split()[1]
    assert f"\nuv=={version} " in (ROOT / "constraints.txt").read_text("utf-8")


@pytest.mark.slow
def test_make_installs_nothing_whose_hash_is_not_the_locked_one(tmp_path: Path) -> None:
    folder, lock = tmp_path / "venv", tmp_path / "constraints.txt"
    text = (ROOT / "constraints.txt").read_text("utf-8")
    place = text.index("\nrequests==")
    end = text.index("\n", text.index("\nrequests-toolbelt==") + 1)
    wrong = re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", text[place:end])
    lock.write_text(text[:place] + wrong + text[end:], "utf-8")
    done = subprocess.run(
        ["make", "--silent", f"VENV={folder}", f"LOCK={lock}", f"{folder}/installed-demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode
    assert "requests" in done.stdout
    assert "hash" in done.stdout.lower()
    assert not (folder / "bin" / "tap-qonto").exists()
