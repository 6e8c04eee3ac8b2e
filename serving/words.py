"""How numbers and dates are put into words, the same on every page and in every answer."""

from __future__ import annotations

import math
from datetime import date

from shortcast.features import kind
from shortcast.features.groups import units


def disclaimer(data: str) -> str:
    """Return what is said with every answer that holds a score.

    Parameters
    ----------
    data : str
        'real' or 'simulated': what it was made from.

    Returns
    -------
    str
    """
    return (
        f"The score is an estimate from {kind.records_of(data)}. What it rests on is associated "
        "with shortages and is not a cause of them. It is not medical advice, and never a reason "
        "to stockpile."
    )


def short_disclaimer(data: str) -> str:
    """Return the same in one line, for tables and headers.

    Parameters
    ----------
    data : str
        'real' or 'simulated'.

    Returns
    -------
    str
    """
    return (
        f"Estimate from {kind.records_of(data)}; associated with, not a cause; not medical "
        "advice; never a reason to stockpile."
    )


#: Of real records: what stands where nothing is said of an installation.
DISCLAIMER = disclaimer("real")
SHORT_DISCLAIMER = short_disclaimer("real")

#: Said beside every reason.
NOT_A_CAUSE = "Associated with the score, not a cause of a shortage."

#: Said wherever the records are made up.
SIMULATED = kind.WARNING

#: What the form groups are called.
FORM_GROUPS = {
    "injection": "Injection",
    "oral-solid": "Oral solid",
    "oral-liquid": "Oral liquid",
    "ophthalmic": "Ophthalmic",
    "topical": "Topical",
    "inhalation": "Inhalation",
    "other": "Other",
}


def percent(share: float | None) -> str:
    """Return a share as per cent with two significant digits, '8.2 %'.

    Parameters
    ----------
    share : float or None
        Between 0 and 1.

    Returns
    -------
    str
        A dash where there is no value. Below 0.01 % only 'under 0.01 %', and above 99 % only
        'over 99 %': more digits would claim more than a forecast knows.
    """
    if share is None:
        return "–"
    value = share * 100
    if 0 < value < 0.01:
        return "under 0.01 %"
    if 99 < value < 100:
        return "over 99 %"
    return units.percent(share)


def ratio(value: float | None) -> str:
    """Return a figure without a unit with two decimals, '0.81'; a dash where there is none.

    Parameters
    ----------
    value : float or None
        Any figure.

    Returns
    -------
    str
    """
    return "–" if value is None else f"{value:.2f}"


def tenths(value: float | None) -> str:
    """Return a multiple with one decimal, '5.1'; a dash where there is none.

    Parameters
    ----------
    value : float or None
        A multiple.

    Returns
    -------
    str
    """
    return "–" if value is None else f"{value:.1f}"


def one_in(share: float | None) -> str:
    """Return a share as a natural frequency, 'about 1 in 12'.

    Parameters
    ----------
    share : float or None
        Between 0 and 1.

    Returns
    -------
    str
        Above a third, where '1 in 2' would be too coarse, '45 in 100'; a dash for no value.
    """
    if share is None:
        return "–"
    if share <= 0:
        return "none"
    if share > 1 / 3:
        return f"about {round(share * 100)} in 100"
    count = 1 / share
    size = 1 if count < 20 else 5 if count < 100 else 10 if count < 1000 else 100
    return f"about 1 in {round(count / size) * size:,}"


def times(score: float | None, base_rate: float | None) -> str:
    """Return how a score stands to the base rate, '11 times the average'.

    Parameters
    ----------
    score, base_rate : float or None
        Shares between 0 and 1.

    Returns
    -------
    str
        '' where either is unknown or the base rate is 0.
    """
    if score is None or not base_rate:
        return ""
    ratio = score / base_rate
    if ratio < 0.1:
        return "under a tenth of the average"
    if 0.95 <= ratio < 1.05:
        return "the average"
    text = f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:,.0f}"
    return f"{text} times the average"


def odds(contribution: float) -> str:
    """Return a contribution in log-odds as what it does to the odds, '× 2.7' or '÷ 1.4'.

    Parameters
    ----------
    contribution : float
        Log-odds; below 0 it lowers the score.

    Returns
    -------
    str
    """
    factor = math.exp(abs(contribution))
    sign = "×" if contribution >= 0 else "÷"
    return f"{sign} {factor:.1f}" if factor < 99.95 else f"{sign} {factor:,.0f}"


def day(value: date | str | None) -> str:
    """Return a date as '1 May 2022'; a dash where there is none.

    Parameters
    ----------
    value : date, str or None
        A text is read as an ISO date; one that is none is returned as it is.
    """
    if value is None or value == "":
        return "–"
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value[:10])
        except ValueError:
            return str(value)
    return f"{value.day} {value:%B} {value.year}"


def months(count: int) -> str:
    """Return '1 month' or '6 months'.

    Parameters
    ----------
    count : int
        Whole months.

    Returns
    -------
    str
    """
    return f"{count} month" + ("" if count == 1 else "s")


def form_group(name: str | None) -> str:
    """Return what a form group is called; a name that is not known stands for itself.

    Parameters
    ----------
    name : str or None
        A form group as the records write it, 'oral-solid'.

    Returns
    -------
    str
    """
    return FORM_GROUPS.get(name or "", name or "–")


def drug_name(name: str, group: str) -> str:
    """Return a drug's name for a heading: a capital first, and its form group left out.

    Parameters
    ----------
    name : str
        'magnesium sulfate, injection'.
    group : str
        Its form group, which stands beside the name anyway.
    """
    short = name.removesuffix(f", {group.replace('-', ' ')}")
    return short[:1].upper() + short[1:]


def count(value: int | None) -> str:
    """Return a count with separators, '3,104'; a dash where there is none.

    Parameters
    ----------
    value : int or None
        A whole number.

    Returns
    -------
    str
    """
    return "–" if value is None else f"{value:,}"
