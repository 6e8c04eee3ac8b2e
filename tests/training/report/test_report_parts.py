"""How figures are written and drawn on the page."""

from __future__ import annotations

import re

import pytest

from shortcast.training.report import svg
from shortcast.training.report.cells import number, percent, span, value


@pytest.mark.parametrize(
    ("found", "written"),
    [
        (number(None), "–"),
        (number(0.12345), "0.123"),
        (number(-0.5, 1, sign=True), "−0.5"),
        (number(0.5, 1, sign=True), "+0.5"),
        (number(-0.0004, sign=True), "0.000"),
        (span([None, None]), ""),
        (span([-0.1, 0.2], 1, sign=True), "−0.1 to +0.2"),
        (percent(0.00421), "0.42 %"),
        (percent(0.031), "3.1 %"),
        (percent(0.123), "12 %"),
        (value(None), "not known"),
        (value(True), "yes"),
        (value(2), "2"),
        (value(1234.567), "1,235"),
    ],
)
def test_figures_are_written_for_readers(found: str, written: str) -> None:
    assert found == written


def centres(picture: str) -> list[float]:
    return [float(x) for x in re.findall(r'cx="([\d.]+)"', picture)]


def test_a_whisker_is_filled_where_its_interval_leaves_zero_out() -> None:
    rows = [svg.Whisker("a", 0.2, 0.1, 0.3), svg.Whisker("b", -0.1, -0.3, 0.1)]
    picture = svg.whiskers("a < b", rows)
    assert re.findall(r'circle class="(\w+)"', picture) == ["sure", "open"]
    first, second = centres(picture)
    zero = float(re.findall(r'class="zero" x1="([\d.]+)"', picture)[0])
    assert second < zero < first
    assert 'aria-label="a &lt; b"' in picture


def test_what_came_as_forecast_lies_on_the_line() -> None:
    one = svg.Series("blend", tuple(svg.Point(x, x, x / 2, x * 2) for x in (0.001, 0.01, 0.1)))
    picture = svg.reliability("reliability", [one])
    x1, y1, x2, y2 = map(
        float,
        re.findall(r'class="zero" x1="(.*?)" y1="(.*?)" x2="(.*?)" y2="(.*?)"', picture)[0],
    )
    points = re.findall(r'<polyline class="series s0" points="(.*?)"', picture)[0].split()
    for point in points:
        x, y = map(float, point.split(","))
        assert (y - y1) / (y2 - y1) == pytest.approx((x - x1) / (x2 - x1), abs=0.01)


def test_months_ahead_run_towards_the_onset() -> None:
    one = svg.Series("blend", (svg.Point(0, 0.5), svg.Point(5, 0.2)))
    picture = svg.lines("lead", [one], ("months", "share"), backwards=True)
    (now, early) = [
        float(p.split(",")[0]) for p in re.findall(r'points="(.*?)"', picture)[0].split()
    ]
    assert early < now
