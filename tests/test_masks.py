"""Masks that would not do what they say are refused; those that do are kept."""

from __future__ import annotations

import json
import typing as t

import pytest
from inputs import CATALOG, refused
from taps import discovered, read

from tap_qonto.tap import TapQonto

if t.TYPE_CHECKING:
    from three import Config


# -- masks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        (
            {"Transactions": {"label": "__NULL__"}},
            "stream_maps: Transactions is no stream: did you mean transactions?",
        ),
        (
            {"memberships": {"last_nmae": "__NULL__"}},
            "memberships has no field last_nmae that could be removed: did you mean last_name?",
        ),
        (
            {"memberships": {"last_nmae": None}},
            "memberships has no field last_nmae that could be removed: did you mean last_name?",
        ),
        (
            {"memberships": {"last_nmae": "md5(last_name)"}},
            "has no field last_nmae, so this would add one, and leave last_name as it is",
        ),
        (
            {"memberships": {"emial": "'hidden'"}},
            "did you mean email?",
        ),
        ({"*": {"last_nmae": "__NULL__"}}, "* has no field last_nmae that could be removed"),
        ({"card*": None, "cart*": None}, "stream_maps: cart* is no stream"),
        (
            {"people": {"__source__": "membership_s", "last_name": "__NULL__"}},
            "stream_maps: membership_s is no stream: did you mean memberships?",
        ),
        ({"labels": {"__filtr__": "name != 'x'"}}, "labels has __filtr__, no option: use"),
        (
            {"organization": {"address.city": "__NULL__"}},
            "organization has no field address.city that could be removed",
        ),
    ],
)
def test_a_map_that_hides_nothing_is_refused(
    config: Config, maps: dict[str, t.Any], said: str
) -> None:
    assert said in refused(config(stream_maps=maps))


def test_maps_that_hide_something_or_add_a_column_are_followed(config: Config) -> None:
    maps = {
        "labels": {"name_hash": "md5(name)", "name": "__NULL__"},
        "member*": {"last_name": "__NULL__"},
        "people": {"__source__": "memberships", "first_name": "__NULL__"},
        "files": {"name": "__NULL__"},
        "cards": None,
    }
    outcome = read(config(stream_maps=maps), catalog=CATALOG)
    assert outcome.code == 0, outcome.log
    assert all("name_hash" in row and "name" not in row for row in outcome.rows("labels"))
    assert all("last_name" not in row for row in outcome.rows("memberships"))
    assert outcome.rows("people")


def test_a_pattern_of_select_that_hides_nothing_is_refused(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    patterns = ["*.*", "lables.*", "!memberships.last_nmae", "!Cards.*", "!labels.name", "!*.iban"]
    monkeypatch.setenv("MELTANO_EXTRACT__SELECT", json.dumps(patterns))
    said = refused(config())
    assert "select: !memberships.last_nmae matches no field: did you mean last_name?" in said
    assert "select: !Cards.* matches no stream: did you mean cards?" in said
    assert "labels" not in said
    assert "iban" not in said


def test_a_pattern_of_select_that_reads_nothing_is_named(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELTANO_EXTRACT__SELECT", '["lables.*", "labels.*", "!files.*"]')
    outcome = read(config(), catalog=CATALOG)
    assert outcome.code == 0
    assert "select: lables.* matches no stream: did you mean labels?" in outcome.log


def test_the_discovered_catalog_and_our_own_selection_hide_nothing_in_vain(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pages.hub import plugin_in_meltano_yml  # noqa: PLC0415 - reads YAML

    monkeypatch.setenv("MELTANO_EXTRACT__SELECT", json.dumps(plugin_in_meltano_yml()["select"]))
    assert TapQonto(config=config(), catalog=json.loads(discovered())).streams
