"""How far a source reaches, judged from nothing but the rows visible at each date.

A count of zero means something only where the source would have shown more: it must reach back
over the whole window, and must not have fallen silent.
"""

from __future__ import annotations

from shortcast.features.asof import AsOf

#: A source that reports every month and has shown no row for so long tells nothing of the present.
SILENT_MONTHS = 6


def reached(view: AsOf, *tables: str, back_months: int = 0, where: str = "TRUE") -> str:
    """Return SQL of the as-of dates at which the records reach over the window.

    Parameters
    ----------
    view : AsOf
        The view.
    *tables : str
        Fact tables that show the same kind of event; together they must reach.
    back_months : int
        Length of the window: the oldest visible row must be at least as old.
    where : str
        A further condition on ``f`` (the fact) alone.

    Returns
    -------
    str
        SQL in parentheses with ``as_of``: dates at which the oldest visible row became known
        at least ``back_months`` before, and the newest less than `SILENT_MONTHS` before.
    """
    rows = " UNION ALL ".join(
        f"SELECT as_of, known_from FROM {view.moments(table, where)}" for table in tables
    )
    return f"""(
        SELECT as_of
        FROM ({rows})
        GROUP BY as_of
        HAVING min(known_from) <= as_of - INTERVAL {back_months:d} MONTH
           AND max(known_from) >= as_of - INTERVAL {SILENT_MONTHS} MONTH
    )"""
