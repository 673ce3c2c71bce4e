"""The tap is a house of rooms, each on its floor: the list is in `tap_qonto/__init__.py`."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import rooms

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
FLOOR = {room: -number for number, names in enumerate(rooms.floors()) for room in names}
SINGER_FREE = {"errors", "pagination"}
EACH_FILE = pytest.mark.parametrize("file", rooms.FILES, ids=rooms.module_of)


def room(file: Path) -> str:
    return rooms.room_of(rooms.module_of(file))


def test_every_module_is_in_a_room_of_the_list() -> None:
    assert {room(file) for file in rooms.FILES} == FLOOR.keys()


def test_the_guide_shows_the_same_list() -> None:
    listed = rooms.listed((rooms.PACKAGE / "__init__.py").read_text("utf-8"))
    assert len(listed) > 1
    assert rooms.listed(GUIDE) == listed


def test_a_dozen_names_meet_who_opens_the_package() -> None:
    names = {path.name for path in rooms.PACKAGE.iterdir()} - {"__pycache__"}
    assert len(names) <= 12


def test_no_two_files_have_one_name() -> None:
    names = Counter(file.name for file in rooms.FILES if file.name != "__init__.py")
    assert {name for name, count in names.items() if count > 1} == set()


@EACH_FILE
def test_imports_only_go_down(file: Path) -> None:
    mine = room(file)
    for name in rooms.named_in(file):
        if name.startswith("tap_qonto."):
            other = rooms.room_of(name)
            assert other == mine or FLOOR[other] < FLOOR[mine], f"{mine} names {name}"


def test_no_module_names_one_that_leads_back_to_it() -> None:
    graph = {rooms.module_of(file): {*rooms.named_in(file)} for file in rooms.FILES}
    order = [*TopologicalSorter(graph).static_order()]  # raises CycleError
    assert graph.keys() <= {*order}


@EACH_FILE
def test_the_tap_knows_neither_demo_nor_tests(file: Path) -> None:
    assert {name.split(".")[0] for name in rooms.named_in(file)} & {"demo", "tests"} == set()


@EACH_FILE
def test_files_stay_short(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) < 400


def test_the_lower_rooms_do_not_know_singer() -> None:
    knowing = {
        room(file) for file in rooms.FILES if any("singer" in one for one in rooms.named_in(file))
    }
    assert knowing & SINGER_FREE == set()


WHERE = re.findall(r"^\| .+ \| `(tap_qonto/\S+\.py)` \| `([\w.]+)` \|$", GUIDE, re.MULTILINE)


@pytest.mark.parametrize(("file", "symbol"), WHERE)
def test_the_guide_names_places_that_exist(file: str, symbol: str) -> None:
    place = importlib.import_module(rooms.module_of(ROOT / file))
    for name in symbol.split("."):
        place = getattr(place, name)


def test_the_guide_says_where_ten_things_are() -> None:
    assert len(WHERE) == 10
