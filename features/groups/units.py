"""Units of features, and how a value is said to a reader.

A feature declares its unit; whoever shows a value asks `in_words`. What a model likes to have
as a logarithm is said as the amount or the change that it stands for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

UnitName = Literal[
    "",
    "count",
    "months",
    "years",
    "share",
    "index",
    "schedule",
    "log_usd_per_unit",
    "log_usd_per_billing_unit",
    "log_usd_per_year",
    "log_ratio",
]

#: Ages of more months than this are said in years and months, and of more years in years alone.
MONTHS_ALONE = 24
YEARS_AND_MONTHS = 10

_SCHEDULES = ("not controlled", *(f"Schedule {number}" for number in ("I", "II", "III", "IV", "V")))


@dataclass(frozen=True)
class Unit:
    """A unit of numbers.

    Attributes
    ----------
    title : str
        What the numbers of the column are: 'natural logarithm of US dollars per piece, mL or g'.
    say : callable
        ``say(value) -> str``: one of them for a reader, '$0.0715 per piece, mL or g'.
    """

    title: str
    say: Callable[[float], str]


def in_words(value: object, unit: UnitName) -> str:
    """Say a value of a feature.

    Parameters
    ----------
    value : object
        A number, a truth value or a category; None and NaN are unknown.
    unit : str
        One of `UNITS`, or '' for truth values and categories.

    Returns
    -------
    str
        'not known' for an unknown value.
    """
    if value is None or value != value:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return UNITS[unit or "count"].say(float(value))
    return str(value).replace("-", " ")


def dollars(amount: float) -> str:
    """Say an amount of US dollars: '$0.0715', '$12.30', '$12,300', '$4.5 million'.

    Parameters
    ----------
    amount : float
        US dollars, 0 or more.

    Returns
    -------
    str
    """
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if amount >= 0.9995 * size:
            return f"${_three_digits(amount / size)} {name}"
    if amount >= 999.5:
        return f"${float(f'{amount:.3g}'):,.0f}"
    return f"${amount:.2f}" if amount >= 0.995 else f"${_three_digits(amount)}"


def percent(share: float) -> str:
    """Say a share with two significant digits: '17 %', '9.9 %', '0.42 %'.

    Parameters
    ----------
    share : float
        0 to 1.

    Returns
    -------
    str
    """
    value = 100 * share
    if value in (0, 100) or value >= 9.95:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.995 else f"{value:.2f} %"


def duration(months: float) -> str:
    """Say a length of time: '5 months', '3 years 2 months', '41 years'.

    Parameters
    ----------
    months : float
        Months, 0 or more.

    Returns
    -------
    str
    """
    whole = round(months)
    if whole < 1:
        return "under 1 month"
    if whole <= MONTHS_ALONE:
        return _many(whole, "month")
    years, rest = divmod(whole, 12)
    if years >= YEARS_AND_MONTHS:
        return _many(round(months / 12), "year")
    return _many(years, "year") + (f" {_many(rest, 'month')}" if rest else "")


def change(log_ratio: float) -> str:
    """Say a change: 'up 12 %', 'down 30 %', 'unchanged'; beyond tenfold as a factor.

    Parameters
    ----------
    log_ratio : float
        Natural logarithm of the new value over the old.

    Returns
    -------
    str
    """
    ratio = math.exp(log_ratio)
    if ratio >= 10:
        return f"up to {ratio:,.0f} times"
    if abs(log_ratio) < 5e-4:
        return "unchanged"
    by = abs(round(100 * (ratio - 1)))
    return f"{'up' if ratio > 1 else 'down'} {f'{by} %' if by else 'less than 1 %'}"


def _three_digits(amount: float) -> str:
    """Write an amount with three significant digits, never as a power of ten."""
    if amount <= 0:
        return "0"
    amount = float(f"{amount:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(amount)))
    return f"{amount:.{decimals}f}"


def _many(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _count(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:,.1f}"


def _schedule(value: float) -> str:
    return _SCHEDULES[int(value)]


UNITS: dict[UnitName, Unit] = {
    "count": Unit("count", _count),
    "months": Unit("months", duration),
    "years": Unit("years", lambda value: duration(12 * value)),
    "share": Unit("share from 0 to 1", percent),
    "index": Unit("index from 0 to 1", lambda value: f"{value:.2f} on a scale from 0 to 1"),
    "schedule": Unit("schedule 1 to 5, 0 for none", _schedule),
    "log_usd_per_unit": Unit(
        "natural logarithm of US dollars per piece, mL or g",
        lambda value: f"{dollars(math.exp(value))} per piece, mL or g",
    ),
    "log_usd_per_billing_unit": Unit(
        "natural logarithm of US dollars per billing unit",
        lambda value: f"{dollars(math.exp(value))} per billing unit",
    ),
    "log_usd_per_year": Unit(
        "natural logarithm of US dollars a year",
        lambda value: f"{dollars(math.exp(value))} a year",
    ),
    "log_ratio": Unit("natural logarithm of a ratio", change),
}
