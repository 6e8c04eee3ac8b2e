"""The as-of rule: what was visible at a date, and nothing that became known at or after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcast.errors import ShortcastError
from shortcast.features.asof import AsOf, first_of_months

DAY = date(2020, 6, 15)
Fact = tuple[int, date, date | None]


def around(days: int) -> date:
    return DAY + timedelta(days=days)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as made:
        made.execute("CREATE TABLE facts (number INT, known_from DATE, known_until DATE)")
        yield made


def visible(
    connection: duckdb.DuckDBPyConnection, facts: list[Fact], *dates: date
) -> list[tuple[date, int]]:
    connection.execute("DELETE FROM facts")
    if facts:
        connection.executemany("INSERT INTO facts VALUES (?, ?, ?)", facts)
    view = AsOf(connection, dates)
    return connection.sql(
        f"SELECT as_of, number FROM {view.known('facts', columns='f.number')} ORDER BY ALL"
    ).fetchall()


@pytest.mark.parametrize(
    ("known_from", "known_until", "seen"),
    [
        (-1, None, True),
        (0, None, False),  # what becomes known on the day itself is not yet known
        (1, None, False),
        (-9, 0, True),  # until its successor is known, on the same day
        (-9, 1, True),
        (-9, -1, False),
    ],
)
def test_a_row_is_visible_after_the_day_it_became_known_and_through_the_day_it_ended(
    connection: duckdb.DuckDBPyConnection, known_from: int, known_until: int | None, seen: bool
) -> None:
    until = None if known_until is None else around(known_until)
    found = visible(connection, [(1, around(known_from), until)], DAY)
    assert found == ([(DAY, 1)] if seen else [])


def test_of_two_versions_exactly_one_is_visible_on_every_day(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    versions: list[Fact] = [(1, around(-5), around(2)), (2, around(2), None)]
    days = [around(n) for n in range(-4, 9)]
    found = visible(connection, versions, *days)
    assert found == [(day, 1 if day <= around(2) else 2) for day in days]


def test_a_further_condition_narrows_what_is_visible(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    visible(connection, [(1, around(-400), None), (2, around(-3), None)], DAY)
    view = AsOf(connection, [DAY])
    recent = view.known("facts", "f.known_from >= d.as_of - INTERVAL 1 YEAR", "f.number")
    assert connection.sql(f"SELECT number FROM {recent}").fetchall() == [(2,)]


def test_dates_are_asked_about_once_each_and_there_must_be_one(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert visible(connection, [(1, around(-1), None)], DAY, DAY) == [(DAY, 1)]
    with pytest.raises(ShortcastError, match="name at least one month"):
        AsOf(connection, [])


DAYS = st.integers(-20, 20).map(around)
FACTS = st.lists(st.tuples(st.integers(0, 9), DAYS, st.none() | DAYS), max_size=12)


@settings(max_examples=30, deadline=None)
@given(facts=FACTS, dates=st.sets(DAYS, min_size=1, max_size=5))
def test_it_agrees_with_the_rule_row_by_row(
    connection: duckdb.DuckDBPyConnection, facts: list[Fact], dates: set[date]
) -> None:
    expected = [
        (t, number)
        for t in dates
        for number, known_from, known_until in facts
        if known_from < t and (known_until is None or t <= known_until)
    ]
    assert visible(connection, facts, *dates) == sorted(expected)


@settings(max_examples=30, deadline=None)
@given(facts=FACTS, later=FACTS, t=DAYS)
def test_rows_that_became_known_at_t_or_later_change_nothing_at_t(
    connection: duckdb.DuckDBPyConnection, facts: list[Fact], later: list[Fact], t: date
) -> None:
    poison = [(n, max(known_from, t), until) for n, known_from, until in later]
    assert visible(connection, facts + poison, t) == visible(connection, facts, t)


def test_months_are_counted_with_both_ends() -> None:
    assert first_of_months("2019-11", "2020-02") == [
        date(2019, 11, 1),
        date(2019, 12, 1),
        date(2020, 1, 1),
        date(2020, 2, 1),
    ]
    assert first_of_months("2020-02", "2020-02") == [date(2020, 2, 1)]


@pytest.mark.parametrize("text", ["2020", "2020-13", "2020-00", "July 2020", "2020-07-01", ""])
def test_what_is_no_month_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ShortcastError, match=r"is not a month; write it as YYYY-MM, .* 2020-07"):
        first_of_months("2019-01", text)


def test_months_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ShortcastError, match="2019-12 lies before 2020-01; swap them"):
        first_of_months("2020-01", "2019-12")
