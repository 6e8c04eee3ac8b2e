"""The one way to read facts: what was known at a date.

**The as-of rule: at date t a row is visible if and only if** ``known_from < t`` **and**
(``known_until`` **is empty or** ``t <= known_until``). It is written once, in `RULE`; no
feature reads the warehouse's tables any other way (a test holds this).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

from shortcast.errors import ShortcastError

#: The as-of rule. ``{row}`` is the alias of a fact, ``{t}`` the date asked about.
RULE = "{row}.known_from < {t} AND ({row}.known_until IS NULL OR {t} <= {row}.known_until)"


def first_of_months(start: str, end: str) -> list[date]:
    """Return the first day of every month from ``start`` to ``end``, both included.

    Parameters
    ----------
    start, end : str
        Months as ``YYYY-MM``.

    Returns
    -------
    list of date
        In ascending order.

    Raises
    ------
    ShortcastError
        If a month is not of the form ``YYYY-MM`` or ``end`` lies before ``start``.
    """
    months = []
    for text in (start, end):
        try:
            year, month = text.split("-")
            months.append(date(int(year), int(month), 1))
        except ValueError as error:
            raise ShortcastError(
                f"{text!r} is not a month; write it as YYYY-MM, for example 2020-07."
            ) from error
    first, last = months
    if last < first:
        raise ShortcastError(f"The month {end} lies before {start}; swap them.")
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [
        date(first.year + (first.month - 1 + i) // 12, (first.month - 1 + i) % 12 + 1, 1)
        for i in range(count)
    ]


class AsOf:
    """A view of the warehouse at a set of as-of dates.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to a warehouse. A temporary table ``as_of_dates`` is made in it.
    dates : sequence of date
        As-of dates, usually first days of months.

    Raises
    ------
    ShortcastError
        If there is no date.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, dates: Sequence[date]) -> None:
        if not dates:
            raise ShortcastError("No as-of date was given; name at least one month.")
        self.connection = connection
        self.dates = tuple(sorted(set(dates)))
        connection.execute("CREATE OR REPLACE TEMP TABLE as_of_dates (as_of DATE PRIMARY KEY)")
        connection.execute("INSERT INTO as_of_dates SELECT unnest(?::DATE[])", [list(self.dates)])

    def known(self, table: str, where: str = "TRUE", columns: str = "f.*") -> str:
        """Return a subquery of the rows of ``table`` that were visible at each date.

        Parameters
        ----------
        table : str
            A fact table of the warehouse (it has ``known_from`` and ``known_until``).
        where : str
            A further condition on ``f`` (the fact) and ``d.as_of`` (the date); a bound
            such as ``f.event_date >= d.as_of - INTERVAL 5 YEAR`` keeps the join small.
        columns : str
            What to select of ``f`` beside ``as_of``.

        Returns
        -------
        str
            SQL in parentheses with the column ``as_of`` first.
        """
        rule = RULE.format(row="f", t="d.as_of")
        return (
            f"(SELECT d.as_of, {columns} FROM as_of_dates AS d "
            f"JOIN {table} AS f ON {rule} WHERE {where})"
        )

    def moments(self, table: str, where: str = "TRUE", *more: str) -> str:
        """Return a subquery of when the rows visible at each date had become known.

        Rows of one moment are told once: who asks how far a table reaches does so without
        joining each of its rows to each date.

        Parameters
        ----------
        table : str
            As in `known`.
        where : str
            A condition on ``f`` (the fact) alone.
        *more : str
            Further columns of the table, of which few values occur.

        Returns
        -------
        str
            SQL in parentheses with ``as_of``, ``known_from`` and those columns.
        """
        rule = RULE.format(row="f", t="d.as_of")
        columns = ", ".join(("known_from", *more))
        return (
            f"(SELECT d.as_of, {columns} FROM as_of_dates AS d "
            f"JOIN (SELECT DISTINCT {columns}, known_until FROM {table} AS f WHERE {where}) AS f "
            f"ON {rule})"
        )
