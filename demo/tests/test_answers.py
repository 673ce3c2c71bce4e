"""The page and the tables that the demo ends with, on rows as the marts give them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import date, timedelta
from decimal import Decimal

import pytest

from demo.answers.charts import Bar, bars, columns, lines
from demo.answers.marts import Answers, told
from demo.answers.page import page

FIRST = date(2026, 1, 1)
NAMES = ("Brindille & fils", "<script>alert(1)</script>")


@pytest.fixture(scope="module")
def answers() -> Answers:
    by = [(name, currency) for name in NAMES for currency in ("EUR", "USD")]
    owned = [{"organization": name, "currency": currency} for name, currency in by]
    return Answers(
        days=[
            {**one, "day": FIRST + timedelta(days=n), "cents": 10_000 * n + place}
            for place, one in enumerate(owned)
            for n in range(70)
        ],
        months=[
            {**one, "month": date(2026, month, 1), "in_cents": 50_000, "out_cents": 20_000,
             "net_cents": 30_000, "closing_cents": 123_456}
            for one in owned
            for month in (1, 2, 3)
        ],
        runway=[
            {**one, "cash_cents": 7_654_321, "monthly_in_cents": 1, "monthly_out_cents": 2,
             "runway_months": Decimal("4.5") if place else None}
            for place, one in enumerate(owned)
        ],
        overdue=[
            {**owned[0], "client": "A & B", "invoice_number": "F-1", "due_date": FIRST,
             "days_overdue": days, "age": age, "open_cents": 100_000}
            for days, age in ((9, "2 up to 30 days"), (99, "5 more than 90 days"))
        ],
        receipts=[
            {**one, "person": "Inès", "day": FIRST, "paid_to": "Café <3", "spent_cents": 1_250}
            for one in owned
        ],
    )  # fmt: skip


def test_the_page_asks_no_network_and_shows_names_as_text(answers: Answers) -> None:
    text = page(answers)
    assert not re.findall(r"<script|https?:|src=|href=|url\(|@import", text)
    assert "default-src 'none'" in text
    assert "&lt;script&gt;alert(1)" in text
    assert "Café &lt;3" in text
    assert "prefers-color-scheme: dark" in text


def test_every_picture_is_sound_and_drawn_for_wide_and_narrow_screens(answers: Answers) -> None:
    text = page(answers)
    pictures = [ET.fromstring(svg) for svg in re.findall(r"(?s)<svg.*?</svg>", text)]
    widths = [picture.attrib["viewBox"].split()[2] for picture in pictures]
    assert widths == ["960", "350"] * 4 + ["440", "350"] * 2  # cash and flow in two currencies
    assert all(picture.attrib["aria-label"] for picture in pictures)


def test_currencies_are_told_apart_and_never_added_up(answers: Answers) -> None:
    text = page(answers)
    assert "76,543 EUR" in text
    assert "76,543 USD" in text
    assert "153,086" not in text
    assert "4 payments, 50 EUR" not in text
    assert "2 payments, 12 EUR + 12 USD" in text


def test_nothing_overdue_and_nothing_missing_is_said(answers: Answers) -> None:
    text = page(Answers(answers.days, answers.months, answers.runway, [], []))
    assert "Nothing is overdue." in text
    assert "None is missing." in text


def places(svg: str, kind: str) -> list[tuple[float, float]]:
    """Top and height of the rectangles of a kind."""
    return [
        (float(one.attrib["y"]), float(one.attrib["height"]))
        for one in ET.fromstring(svg).iter("rect")
        if one.attrib["class"] == kind
    ]


def test_columns_stand_on_zero_and_are_as_high_as_their_amounts() -> None:
    svg = columns({FIRST: (30_000, 10_000), date(2026, 2, 1): (0, 20_000)}, "EUR", "x", 200, 400)
    ((top, into), (foot, nothing)), ((here, small), (there, large)) = (
        places(svg, "in"),
        places(svg, "out"),
    )
    assert top + into == pytest.approx(foot) == pytest.approx(here) == pytest.approx(there)
    assert nothing == 0
    assert into == pytest.approx(3 * small, rel=0.01)
    assert large == pytest.approx(2 * small, rel=0.01)


def test_a_line_steps_on_the_day_and_negative_cash_lies_below_zero() -> None:
    days = {FIRST: 10_000, FIRST + timedelta(days=1): -5_000}
    svg = lines({"A": days}, "EUR", "x", 200, 400)
    (path,) = re.findall(r'class="line s0" d="M([\d.]+) ([\d.]+)H([\d.]+)V([\d.]+)"', svg)
    left, high, right, low = map(float, path)
    (zero,) = re.findall(r'class="zero" d="M48 ([\d.]+)', svg)
    assert left < right
    assert high < float(zero) < low
    assert float(zero) - high == pytest.approx(2 * (low - float(zero)), rel=0.01)


def test_bars_share_one_scale() -> None:
    rows = [Bar("a", "3", [("in", 100, "x"), ("in", 200, "y")]), Bar("b", "1", [("in", 150, "z")])]
    widths = [
        float(one.attrib["width"]) + 2  # the gap between two parts
        for one in ET.fromstring(bars(rows, "x", 300)).iter("rect")
    ]
    assert widths == pytest.approx([100, 200, 150], abs=0.2)


def test_the_terminal_shows_four_marts_with_cents_as_amounts(answers: Answers) -> None:
    text = "\n".join(told(answers))
    marts = ("monthly_cash_flow", "runway", "receivables", "missing_receipts")
    assert [name for name in marts if f"qonto__{name}" in text] == list(marts)
    (line,) = [one for one in text.splitlines() if "more than 90 days" in one]
    assert line.split()[-3:] == ["EUR", "1", "1,000.00"]
    assert "76,543.21" in text
    assert text.count("grows") == 1
