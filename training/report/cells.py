"""Cells and tables of the page: how figures, intervals and values are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Digits after the point, by figure; three elsewhere.
_DIGITS = {"ap_over_prevalence": 2, "calibration_slope": 2, "observed_over_expected": 2, "ap": 4}


@dataclass(frozen=True)
class Cell:
    """A figure with what stands small beneath it.

    Attributes
    ----------
    text, small : str
        The figure, and its interval.
    """

    text: str
    small: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes
    ----------
    caption : str
        What it shows.
    header : tuple of str
        Column titles; the first is that of the row titles.
    rows : list of list
        The row's title, then its cells: `Cell` or str.
    strong : str
        Title of the row that the page is about.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    strong: str = field(default="")


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """Write a number; '–' for none.

    Parameters
    ----------
    value : float or None
        The number.
    digits : int
        After the point.
    sign : bool
        Whether a plus is written.

    Returns
    -------
    str
    """
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    # A difference that is written as zero has no sign.
    return text.lstrip("+-") if sign and float(text) == 0 else text.replace("-", "−")


def span(ends: Sequence[float | None] | None, digits: int = 3, sign: bool = False) -> str:
    """Write an interval; nothing where there is none.

    Parameters
    ----------
    ends : sequence of two float, or None
        Lower and upper end.
    digits : int
        After the point.
    sign : bool
        Whether a plus is written.

    Returns
    -------
    str
    """
    low, high = ends or (None, None)
    if low is None or high is None:
        return ""
    return f"{number(low, digits, sign)} to {number(high, digits, sign)}"


def figure(figures: Mapping[str, Any], name: str) -> Cell:
    """Write a figure of a model with its interval.

    Parameters
    ----------
    figures : mapping
        Figures and, by the same name with ``_interval``, their intervals.
    name : str
        Which.

    Returns
    -------
    Cell
    """
    digits = _DIGITS.get(name, 3)
    value = figures.get(name)
    ends = figures.get(f"{name}_interval") if value is not None else None
    return Cell(number(value, digits), span(ends, digits))


def difference(found: Mapping[str, Any], digits: int = 3) -> Cell:
    """Write a paired difference with its interval.

    Parameters
    ----------
    found : mapping
        ``difference`` and ``interval``.
    digits : int
        After the point.

    Returns
    -------
    Cell
    """
    return Cell(
        number(found["difference"], digits, sign=True), span(found["interval"], digits, sign=True)
    )


def percent(share: float) -> str:
    """Write a share in per cent, with two digits that count.

    Parameters
    ----------
    share : float
        From 0 to 1.

    Returns
    -------
    str
        '0.42 %', '3.1 %', '12 %'.
    """
    digits = 2 if share < 0.00995 else 1 if share < 0.0995 else 0
    return f"{100 * share:.{digits}f} %"


def value(found: Any) -> str:
    """Write what was known of a drug.

    Parameters
    ----------
    found : object
        A value of the panel, None where it was not known.

    Returns
    -------
    str
    """
    if found is None:
        return "not known"
    if isinstance(found, bool):
        return "yes" if found else "no"
    return f"{found:,.4g}" if isinstance(found, float) else f"{found}"
