"""What came to pass: onset, discontinuation and resolution within a horizon.

The three are separate outcomes. A label exists once the records reach past the horizon;
before that it is null, never False.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from shortcast.training.matrix import require_columns

#: Horizons in months that every model is trained and scored for.
HORIZONS = (3, 6, 12)


def add_months(days: pd.Series, months: int) -> pd.Series:
    """Return each date plus a number of calendar months.

    Parameters
    ----------
    days : Series
        Dates.
    months : int
        Months to add.

    Returns
    -------
    Series
        ``datetime64[s]`` with the same index.
    """
    stamps = as_days(days)
    distinct = pd.DatetimeIndex(stamps.unique())
    later = (distinct + pd.DateOffset(months=months)).to_numpy()
    return pd.Series(
        later[distinct.get_indexer(pd.DatetimeIndex(stamps))],
        index=days.index,
        dtype="datetime64[s]",
    )


def as_days(values: pd.Series) -> pd.Series:
    """Return dates of any kind as ``datetime64[s]``.

    Parameters
    ----------
    values : Series
        ``datetime.date``, text or timestamps.

    Returns
    -------
    Series
        With the same index; null stays null.
    """
    return pd.to_datetime(values).astype("datetime64[s]")


#: Notices come every week; where none is known for so long, they are lost, not absent.
LONGEST_SILENCE = pd.Timedelta(days=365)


def next_event(panel: pd.DataFrame, events: pd.DataFrame, column: str) -> pd.Series:
    """Find the first event of the same drug on or after each as-of date.

    Parameters
    ----------
    panel : DataFrame
        ``drug_id`` and ``as_of``.
    events : DataFrame
        ``drug_id`` and the date ``column``.
    column : str
        The event's date.

    Returns
    -------
    Series
        ``datetime64[s]`` with the panel's index; null where there is none.
    """
    left = pd.DataFrame(
        {
            "drug_id": panel["drug_id"].astype("str").array,
            "as_of": as_days(panel["as_of"]).to_numpy(),
            "position": np.arange(len(panel)),
        }
    ).sort_values("as_of", kind="stable")
    right = pd.DataFrame(
        {
            "drug_id": events["drug_id"].astype("str").array,
            "event": as_days(events[column]).to_numpy(),
        }
    )
    right = right.dropna(subset=["event"]).sort_values("event", kind="stable")
    joined = pd.merge_asof(
        left, right, left_on="as_of", right_on="event", by="drug_id", direction="forward"
    ).sort_values("position")
    return pd.Series(joined["event"].to_numpy(), index=panel.index, dtype="datetime64[s]")


def known_events(events: pd.DataFrame, column: str, day: date) -> pd.DataFrame:
    """Keep the events that were known before a day.

    Parameters
    ----------
    events : DataFrame
        The date ``column`` and, if the records tell, ``known_from``.
    column : str
        The event's date, which counts where the records do not tell more.
    day : date
        The day.

    Returns
    -------
    DataFrame
        The rows kept.
    """
    known = "known_from" if "known_from" in events.columns else column
    return events[(as_days(events[known]) < pd.Timestamp(day)).to_numpy()]


def onset_labels(
    panel: pd.DataFrame,
    spells: pd.DataFrame,
    records_end: date,
    horizons: Sequence[int] = HORIZONS,
) -> pd.DataFrame:
    """Label each row by whether a new shortage begins in ``[as_of, as_of + horizon)``.

    Parameters
    ----------
    panel : DataFrame
        ``drug_id``, ``as_of``, ``at_risk``.
    spells : DataFrame
        ``drug_id``, ``onset_date``.
    records_end : date
        Last day that the shortage records reach.
    horizons : sequence of int
        Months.

    Returns
    -------
    DataFrame
        With the panel's index: ``next_onset`` (the first onset on or after the as-of date,
        whatever the horizon) and, for each horizon h, ``onset_h`` (boolean with nulls). A
        label is null where the drug is in shortage at the as-of date or the records end
        before ``as_of + horizon``.

    Raises
    ------
    ShortcastError
        If a column is missing.
    """
    require_columns(panel, ("drug_id", "as_of", "at_risk"), "panel")
    require_columns(spells, ("drug_id", "onset_date"), "table of shortage spells")
    onset = next_event(panel, spells, "onset_date")
    at_risk = panel["at_risk"].astype("boolean").fillna(False).to_numpy(dtype=bool)
    labels = pd.DataFrame({"next_onset": onset})
    for horizon in horizons:
        until = add_months(panel["as_of"], horizon)
        labels[f"onset_{horizon}"] = _nullable(
            (onset < until).to_numpy(), at_risk & (until <= pd.Timestamp(records_end)).to_numpy()
        )
    return labels


def discontinuation_labels(
    panel: pd.DataFrame,
    discontinuations: pd.DataFrame,
    records_end: date,
    horizons: Sequence[int] = HORIZONS,
) -> pd.DataFrame:
    """Label each row by whether a discontinuation is notified in ``[as_of, as_of + horizon)``.

    A notice that a maker will stop is no shortage; it has labels of its own. Drugs in
    shortage can be discontinued too, so every row is at risk.

    Parameters
    ----------
    panel : DataFrame
        ``drug_id``, ``as_of``.
    discontinuations : DataFrame
        ``drug_id``, ``event_date``.
    records_end : date
        Last day that the shortage records reach.
    horizons : sequence of int
        Months.

    Returns
    -------
    DataFrame
        With the panel's index; ``discontinuation_h`` for each horizon h, null where the
        records end before ``as_of + horizon``, and before the month of the first notice
        that another one follows within a year: the list drops old ones, and those that it
        had dropped before its first capture are lost.
    """
    require_columns(panel, ("drug_id", "as_of"), "panel")
    require_columns(discontinuations, ("drug_id", "event_date"), "table of discontinuations")
    event = next_event(panel, discontinuations, "event_date")
    told = as_days(panel["as_of"]) >= _unbroken_from(discontinuations["event_date"])
    labels = pd.DataFrame(index=panel.index)
    for horizon in horizons:
        until = add_months(panel["as_of"], horizon)
        labels[f"discontinuation_{horizon}"] = _nullable(
            (event < until).to_numpy(), (told & (until <= pd.Timestamp(records_end))).to_numpy()
        )
    return labels


def _unbroken_from(days: pd.Series) -> pd.Timestamp:
    """Return the first day of the month of the first event that another one follows in a year."""
    told = as_days(days).dropna().sort_values(ignore_index=True)
    if told.empty:
        return pd.Timestamp.max.floor("D")
    # An old notice that stands alone has survived by chance; a silence later on is a silence.
    followed = told.index[told.diff().shift(-1) <= LONGEST_SILENCE]
    return told[followed[0] if len(followed) else len(told) - 1].to_period("M").start_time


def resolution_labels(
    panel: pd.DataFrame,
    spells: pd.DataFrame,
    records_end: date,
    horizons: Sequence[int] = HORIZONS,
) -> pd.DataFrame:
    """Label each row in shortage by whether it ends before ``as_of + horizon``.

    Ends are interval-censored between captures of the list. The label is True if the
    latest possible end lies before ``as_of + horizon``, False if the earliest possible
    end does not, and null while the interval straddles it.

    Parameters
    ----------
    panel : DataFrame
        ``drug_id``, ``as_of``, ``at_risk``.
    spells : DataFrame
        ``drug_id``, ``onset_date``, ``end_date_earliest``, ``end_date_latest``; both ends
        are null while the spell goes on.
    records_end : date
        Last day that the shortage records reach.
    horizons : sequence of int
        Months.

    Returns
    -------
    DataFrame
        With the panel's index; ``resolution_h`` for each horizon h. Null for drugs that
        are not in shortage, have no spell begun by then, or whose records end too early.
    """
    require_columns(panel, ("drug_id", "as_of", "at_risk"), "panel")
    columns = ("onset_date", "end_date_earliest", "end_date_latest")
    require_columns(spells, ("drug_id", *columns), "table of shortage spells")
    left = pd.DataFrame(
        {
            "drug_id": panel["drug_id"].astype("str").array,
            "as_of": as_days(panel["as_of"]).to_numpy(),
            "position": np.arange(len(panel)),
        }
    ).sort_values("as_of", kind="stable")
    right = pd.DataFrame({"drug_id": spells["drug_id"].astype("str").array}).assign(
        **{column: as_days(spells[column]).to_numpy() for column in columns}
    )
    joined = pd.merge_asof(
        left,
        right.sort_values("onset_date", kind="stable"),
        left_on="as_of",
        right_on="onset_date",
        by="drug_id",
        direction="backward",
    ).sort_values("position")
    # Where it is not known whether the drug is at risk, nothing is said of its shortage either.
    in_shortage = ~panel["at_risk"].astype("boolean").fillna(True).to_numpy(dtype=bool)
    earliest = joined["end_date_earliest"].to_numpy()
    latest = joined["end_date_latest"].to_numpy()
    over = ~np.isnat(latest) & (latest < joined["as_of"].to_numpy())
    begun = in_shortage & joined["onset_date"].notna().to_numpy() & ~over
    labels = pd.DataFrame(index=panel.index)
    for horizon in horizons:
        until = add_months(panel["as_of"], horizon).to_numpy()
        ended = ~np.isnat(latest) & (latest < until)
        lasting = np.isnat(earliest) | (earliest >= until)
        matured = until <= np.datetime64(records_end)
        labels[f"resolution_{horizon}"] = _nullable(ended, begun & matured & (ended | lasting))
    return labels


def _nullable(values: np.ndarray, known: np.ndarray) -> pd.arrays.BooleanArray:
    """Booleans that are null wherever they are not known."""
    return pd.arrays.BooleanArray(np.asarray(values & known, dtype=bool), ~known)
