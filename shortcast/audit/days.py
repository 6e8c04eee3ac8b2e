"""Days as raw files write them: read, and written back in the file's own way."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

#: How a day is recognised, how it is read, and how it is written.
_STYLES: tuple[tuple[str, str, Callable[[pd.Timestamp], str]], ...] = (
    (r"\d{1,2}/\d{1,2}/\d{4}", "%m/%d/%Y", lambda d: f"{d:%m/%d/%Y}"),
    (r"\d{4}-\d{2}-\d{2}", "%Y-%m-%d", lambda d: f"{d:%Y-%m-%d}"),
    (r"\d{8}", "%Y%m%d", lambda d: f"{d:%Y%m%d}"),
    (r"\d{4}-\d{2}-\d{2} 00:00:00", "%Y-%m-%d %H:%M:%S", lambda d: f"{d:%Y-%m-%d} 00:00:00"),
    (r"\d{4}-\d{2}-\d{2}T00:00:00Z", "%Y-%m-%dT%H:%M:%SZ", lambda d: f"{d:%Y-%m-%d}T00:00:00Z"),
    (r"[A-Z][a-z]{2} \d{1,2}, \d{4}", "%b %d, %Y", lambda d: f"{d:%b} {d.day}, {d.year}"),
    # A month stands for its first day, a year for its last.
    (r"\d{4}-\d{2}", "%Y-%m", lambda d: f"{d:%Y-%m}"),
    (r"\d{4}", "%Y", lambda d: str(d.year)),
)


def text(cells: pd.Series) -> pd.Series:
    """Return cells as text without blanks around it, '' where there is none.

    Parameters
    ----------
    cells : Series
        Of any type.

    Returns
    -------
    Series of str
        On the same index.
    """
    # Columns repeat their words: each is looked at once.
    codes, words = pd.factorize(cells, use_na_sentinel=False)
    plain = np.array([_text(word) for word in words], dtype=object)
    return pd.Series(plain[codes] if len(plain) else [], index=cells.index, dtype=object)


def _text(cell: object) -> str:
    if isinstance(cell, str):
        return cell.strip("\xa0 \t\r\n\xc2")
    return str(cell) if isinstance(cell, (int, float)) else ""


def read_days(cells: pd.Series) -> pd.Series:
    """Read the cells of a column as days.

    Parameters
    ----------
    cells : Series of object
        Text in any of the styles that the records use, or whole numbers for years.

    Returns
    -------
    Series of datetime64
        NaT where a cell is blank or no day.
    """
    codes, words = pd.factorize(cells, use_na_sentinel=False)
    known = pd.Series(pd.NaT, index=range(len(words)), dtype="datetime64[s]")
    wording = pd.Series([_text(word) for word in words], dtype=object)
    for pattern, form, _ in _STYLES:
        fits = wording.str.fullmatch(pattern).astype(bool)
        if not fits.any():
            continue
        days = pd.to_datetime(wording[fits], format=form, errors="coerce")
        if form == "%Y":
            days = days + pd.offsets.YearEnd(0)
        known[fits] = days.astype("datetime64[s]")
    return known.take(codes).set_axis(cells.index)


def write_days(days: pd.Series, cells: pd.Series) -> list[object]:
    """Write days in the style in which a column holds them.

    Parameters
    ----------
    days : Series of datetime64
        The days, none of them NaT.
    cells : Series of object
        The column as it is in the file.

    Returns
    -------
    list
        Text, or whole numbers where the column holds such.

    Raises
    ------
    ValueError
        If the column holds no day whose style could be followed.
    """
    for cell in cells.tolist():
        word = _text(cell)
        for pattern, _, write in _STYLES:
            if re.fullmatch(pattern, word):
                # Columns repeat few days: each is written once.
                codes, known = pd.factorize(days)
                whole = isinstance(cell, int)
                words = [
                    int(write(day)) if whole else write(day) for day in pd.DatetimeIndex(known)
                ]
                return [words[code] for code in codes]
    raise ValueError("the column holds no day")
