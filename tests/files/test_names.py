"""Names that somebody typed, or that attack."""

from __future__ import annotations

import pytest

from tap_qonto.streams.files.names import LONGEST, file_name, folder_name

HOSTILE = [
    ("../../etc/passwd", "passwd"),
    ("..\\..\\boot.ini", "boot.ini"),
    ("/absolute/receipt.pdf", "receipt.pdf"),
    ("C:\\Users\\me\\receipt.pdf", "receipt.pdf"),
    ("..", "file.pdf"),
    (".", "file.pdf"),
    ("", "file.pdf"),
    (None, "file.pdf"),
    (".htaccess", "htaccess"),
    ("re\x00cei\npt\x1b[31m.pdf", "receipt[31m.pdf"),
    ("invoice\u202efdp.exe", "invoicefdp.exe"),
    ("half\ud800.pdf", "half.pdf"),
    ("CON", "CON_"),
    ("nul.pdf", "nul_.pdf"),
    ('what?*<>|:".pdf', "what.pdf"),
    ("trailing. . .", "trailing"),
    ("receipt#1", "receipt_1"),
    ("Reçu du café n° 3.pdf", "Reçu du café n° 3.pdf"),
    ("e\u0301te\u0301.pdf", "été.pdf"),
]


@pytest.mark.parametrize(("given", "name"), HOSTILE, ids=[ascii(one[0]) for one in HOSTILE])
def test_a_name_becomes_one_that_every_file_system_takes(given: str | None, name: str) -> None:
    assert file_name(given, "application/pdf") == name


@pytest.mark.parametrize("letter", ["a", "é", "漢", "😀"])
def test_a_long_name_is_cut_and_keeps_its_suffix(letter: str) -> None:
    name = file_name(letter * 500 + ".pdf", None)
    assert LONGEST - 8 <= len(name.encode()) <= LONGEST
    assert name.endswith(f"{letter}.pdf")
    assert file_name(name, None) == name


@pytest.mark.parametrize(
    "id_", ["../..", "a/b", "", ".", "..", "a.", "x" * 500, "a\0b", "é", "a b"]
)
def test_an_id_that_is_more_than_an_id_becomes_a_folder_of_its_own(id_: str) -> None:
    folder = folder_name(id_)
    assert folder.isascii()
    assert folder.replace("-", "").isalnum()
    assert folder != folder_name(f"{id_}_")


def test_an_id_of_qonto_stays_as_it_is() -> None:
    id_ = "018f71db-c635-78b5-b90a-ea05de98c2bf"
    assert folder_name(id_) == id_
