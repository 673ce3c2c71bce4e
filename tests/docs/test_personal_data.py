"""docs/without-personal-data.yml: whatever tells of people by its name has a rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tap_qonto.api.contract import CONTRACT, endpoints, fields

PAGE = Path(__file__).parents[2] / "docs" / "without-personal-data.yml"
RULES = [tuple(rule[1:].split(".")) for rule in yaml.safe_load(PAGE.read_text("utf-8"))["select"]]

# what people write, and what names, reaches or pays them; by the last word of a field's name
WORDS = re.compile(
    r"(^|_|\.)(?<!credit_)(notes?|references?|e?mails?|phone|phone_number|ibans?|birthdate|nationality|tin)$"
    r"|(file|first|last|embossed|supplier|issuer|debitor|creditor|beneficiary|counterparty)_name$"
)
PEOPLE = re.compile(r"(^|\.)(clients?|suppliers?|supplier_snapshot|\w*beneficiar\w*)\.name$")


def names() -> list[str]:
    """Every field of every stream whose name says that it may tell of people."""
    return [
        name
        for stream in endpoints()
        for path, field in fields(CONTRACT.get_schema(stream))
        for name in [".".join((stream, *path))]
        if "properties" not in field and (WORDS.search(name) or PEOPLE.search(name))
    ]


def test_there_are_names_of_each_kind() -> None:
    found = names()
    for one in (
        "transactions.note",
        "transactions.reference",
        "statements.file.file_name",
        "supplier_invoices.file_name",
        "supplier_invoices.supplier_name",
        "suppliers.name",
        "clients.name",
        "sepa_beneficiaries.iban",
    ):
        assert one in found, one


@pytest.mark.parametrize("name", names())
def test_a_field_that_may_tell_of_people_is_left_out_by_the_rules_of_the_page(name: str) -> None:
    path = tuple(name.split("."))
    assert any(path[: len(rule)] == rule or rule == (path[0], "*") for rule in RULES), name
