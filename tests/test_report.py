"""The closing table: short whatever went wrong, and true about the exit code."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tap_qonto.sync.report import MOST_FIELD_LINES, MOST_FIELDS, MOST_LINES, Report


@pytest.fixture
def report() -> Report:
    return Report(denied_is_failure=False)


def lines(report: Report) -> list[str]:
    return list(report.lines())


def test_nothing_to_say_is_nothing_said(report: Report) -> None:
    assert lines(report) == []
    assert not report.incomplete


def test_streams_with_one_reason_for_the_same_organizations_are_one_line(report: Report) -> None:
    for stream in ("teams", "cards", "labels"):
        for organization in ("o1", "o2") if stream == "cards" else ("o2", "o1"):
            report.denied(stream, organization, "no scope (403)")
    report.denied("quotes", "o2", "no scope (403)")
    assert lines(report) == [
        "skipped  cards, labels, teams: 2 organizations, such as o1: no scope (403)",
        "skipped  quotes: organization o2: no scope (403)",
    ]


def test_many_streams_are_all_named(report: Report) -> None:
    for number in range(30):
        report.denied(f"s{number:02}", "o1", "gone")
    assert lines(report) == [
        f"skipped  {', '.join(f's{number:02}' for number in range(30))}: organization o1: gone"
    ]


def test_a_stream_that_is_missing_everywhere_is_one_line(report: Report) -> None:
    report.denied("cards", None, "the session lacks the scope card.read")
    assert lines(report) == [
        "skipped  cards: all organizations: the session lacks the scope card.read"
    ]


def test_failures_come_first_and_say_stream_and_organization_once(report: Report) -> None:
    report.denied("cards", "o1", "no scope (403)")
    report.warned("labels", "o1", "Qonto counts 3 rows and gave 2, twice")
    report.failed("teams", "o1", "teams of organization o1: Qonto answers 500, request id 1-a.")
    report.failed("teams", "o2", "teams of organization o2: Qonto answers 500, request id 2-b.")
    assert lines(report) == [
        "failed   teams: 2 organizations, such as o1: Qonto answers 500, request id 1-a.",
        "warned   labels: organization o1: Qonto counts 3 rows and gave 2, twice",
        "skipped  cards: organization o1: no scope (403)",
    ]


def test_the_table_has_an_end(report: Report) -> None:
    for number in range(500):
        report.failed(f"s{number}", "o1", f"reason {number}")
    assert len(lines(report)) == MOST_LINES + 1
    assert lines(report)[-1] == f"… and {500 - MOST_LINES} more lines like these"


def test_the_same_is_noted_once_from_any_number_of_threads(report: Report) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(400):
            pool.submit(report.failed, "labels", f"o{number % 4}", "why")
            pool.submit(report.field, "labels", "date", "created_at")
    assert len(report.entries) == 4
    assert "created_at held no date in 400 rows" in lines(report)[-1]


@pytest.mark.parametrize(
    ("note", "denied_is_failure", "incomplete", "mentioned"),
    [
        ("failed", False, True, True),
        ("denied", False, False, True),
        ("denied", True, True, True),
        ("warned", True, False, True),
    ],
)
def test_what_counts_as_a_failure_and_is_mentioned(
    note: str, denied_is_failure: bool, incomplete: bool, mentioned: bool
) -> None:
    report = Report(denied_is_failure=denied_is_failure)
    getattr(report, note)("labels", "o1", "why")
    assert report.incomplete is incomplete
    assert report.mentions("labels") is mentioned
    assert report.mentions("teams") is False


def test_values_that_are_not_as_the_schema_says_are_counted_by_field(report: Report) -> None:
    for kind, field in [("new", "colour")] * 7 + [("converted", "name"), ("misfit", "items[]")]:
        report.field("labels", kind, field)
    assert lines(report) == [
        "null     labels: items[] did not fit its type in 1 rows: null, and kept in unknown_fields",
        "type     labels: name came in another type in 1 rows and was converted",
        "new      labels: 'colour' is not in the schema: kept in unknown_fields in 7 rows",
    ]
    assert not report.incomplete


def test_organizations_are_named_where_they_are_known(report: Report) -> None:
    report.names = {"o1": "Atelier  Brindille", "o3": "Odd\x1b[2J", "o4": "x" * 200}
    report.denied("cards", "o1", "gone")
    report.denied("labels", "o2", "gone")
    report.denied("teams", "o3", "gone")
    report.denied("quotes", "o4", "gone")
    for organization in ("o1", "o2"):
        report.failed("clients", organization, "broken")
    assert lines(report) == [
        "failed   clients: 2 organizations, such as Atelier Brindille (o1): broken",
        "skipped  cards: organization Atelier Brindille (o1): gone",
        "skipped  labels: organization o2: gone",
        f"skipped  quotes: organization {'x' * 40} (o4): gone",
        "skipped  teams: organization o3: gone",
    ]


def test_reasons_that_differ_by_ids_alone_are_one_line(report: Report) -> None:
    for number in range(400):
        row = f"0000{number:04}-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
        one = f"{number % 100:08}-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
        report.denied("quotes", one, f"below {row} of organization {one}: no (403)")
    (line,) = lines(report)
    assert line.startswith("skipped  quotes: 100 organizations, such as 00000000-bbbb-")
    assert "below 00000000-aaaa-4aaa-8aaa-aaaaaaaaaaaa" in line


def test_fields_without_end_are_told_in_a_few_lines(report: Report) -> None:
    for number in range(5000):
        report.field("labels", "new", f"name{number}")
    assert len(lines(report)) == MOST_FIELD_LINES + 1
    assert lines(report)[-1] == f"… and {MOST_FIELDS - MOST_FIELD_LINES} more fields like these"
