"""Walk-forward splits: train on what had matured, test on what came after.

A worked example with real dates, which the tests repeat. The horizon is 6 months and the
model is retrained on 2020-07-01, every 3 months.

- The label of the row (drug, 2020-01-01) asks for an onset in [2020-01-01, 2020-07-01). It
  had matured on 2020-07-01; that of the row of 2020-02-01 had not. So training ends with
  the rows of **2020-01-01**: the gap between training and test is the horizon.
- The last 12 matured months, **2019-02-01 to 2020-01-01**, are the calibration slice: a
  model that has not seen them scores them, and its scores are recalibrated on what then
  happened. That model may know only labels that had matured when the slice begins, on
  2019-02-01, so it is fitted on rows up to **2018-08-01**: the same gap as in the test.
- The model that is tested is fitted on all matured rows, up to 2020-01-01, recalibrated by
  the slice, and scores **2020-07-01, 2020-08-01 and 2020-09-01**. On 2020-10-01 the next
  fold begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import pandas as pd

from shortcast.errors import ShortcastError

#: How often the walk-forward backtest trains anew, in months.
RETRAIN_MONTHS = 3

#: A fold needs at least this many months of rows before its calibration slice.
SHORTEST_FIT_MONTHS = 6


def months_later(day: date, months: int) -> date:
    """Return the first of the month that lies ``months`` after a first of the month.

    Parameters
    ----------
    day : date
        First day of a month.
    months : int
        May be negative.

    Returns
    -------
    date
        First day of a month.

    Raises
    ------
    ShortcastError
        If ``day`` is not the first of a month.
    """
    if day.day != 1:
        raise ShortcastError(f"{day} is not the first day of a month; splits are monthly.")
    month = day.year * 12 + day.month - 1 + months
    return date(month // 12, month % 12 + 1, 1)


@dataclass(frozen=True)
class Fold:
    """One retraining and the months that it is tested on.

    Attributes
    ----------
    horizon : int
        Months.
    retrain : date
        When the model is fitted; nothing that became known on or after this day is used.
    fit_from : date
        First as-of date of the training rows.
    fit_through : date
        Last as-of date of the rows that fit the model scoring the calibration slice.
    calibrate_from : date
        First as-of date of the calibration slice.
    train_through : date
        Last as-of date of the calibration slice and of all training rows.
    test : tuple of date
        As-of dates that are scored.
    """

    horizon: int
    retrain: date
    fit_from: date
    fit_through: date
    calibrate_from: date
    train_through: date
    test: tuple[date, ...]


def training_fold(
    first: date,
    retrain: date,
    horizon: int,
    test: Sequence[date] = (),
    calibration_months: int = 12,
) -> Fold:
    """Lay out the training rows of one retraining.

    Parameters
    ----------
    first : date
        First as-of date of the panel.
    retrain : date
        First day of the month in which the model is fitted.
    horizon : int
        Months.
    test : sequence of date
        As-of dates to score; empty when a model is fitted to be served.
    calibration_months : int
        Length of the calibration slice.

    Returns
    -------
    Fold

    Raises
    ------
    ShortcastError
        If the panel begins too late for this retraining.
    """
    train_through = months_later(retrain, -horizon)
    calibrate_from = months_later(train_through, 1 - calibration_months)
    fit_through = months_later(calibrate_from, -horizon)
    needed = months_later(fit_through, 1 - SHORTEST_FIT_MONTHS)
    if first > needed:
        raise ShortcastError(
            f"The panel begins in {first:%Y-%m}; to train for {horizon} months on "
            f"{retrain} it must begin by {needed:%Y-%m}. Make a longer panel or start later."
        )
    return Fold(horizon, retrain, first, fit_through, calibrate_from, train_through, tuple(test))


def walk_forward(
    months: Iterable[date],
    start: date,
    end: date,
    horizon: int,
    retrain_every: int = RETRAIN_MONTHS,
    calibration_months: int = 12,
) -> list[Fold]:
    """Lay out the folds of a backtest.

    Parameters
    ----------
    months : iterable of date
        As-of dates of the panel, first days of months.
    start, end : date
        First and last as-of date to score, first days of months.
    horizon : int
        Months; also the gap between the last training row and the first test row.
    retrain_every : int
        Months between retrainings.
    calibration_months : int
        Length of the calibration slice.

    Returns
    -------
    list of Fold
        In order of time; each month from ``start`` to ``end`` is tested exactly once.

    Raises
    ------
    ShortcastError
        If the panel lacks a month that is to be scored or begins too late, or a length is
        not positive.
    """
    if min(horizon, retrain_every, calibration_months) < 1:
        raise ShortcastError("Horizon, cadence and calibration slice must be at least 1 month.")
    known = sorted(set(months))
    if end < start:
        raise ShortcastError(f"The window ends in {end:%Y-%m}, before it starts ({start:%Y-%m}).")
    wanted = [start]
    while wanted[-1] < end:
        wanted.append(months_later(wanted[-1], 1))
    missing = sorted(set(wanted) - set(known))
    if missing:
        raise ShortcastError(
            f"The panel has no rows for {missing[0]:%Y-%m}; "
            f"make it from well before {start:%Y-%m} to {end:%Y-%m}."
        )
    return [
        training_fold(
            known[0], wanted[i], horizon, wanted[i : i + retrain_every], calibration_months
        )
        for i in range(0, len(wanted), retrain_every)
    ]


def validate_no_overlap(fold: Fold, rows: pd.DataFrame) -> None:
    """Check the rows that were really used, independently of how they were chosen.

    Parameters
    ----------
    fold : Fold
        The fold that the rows belong to.
    rows : DataFrame
        ``as_of`` and ``use``: 'fit' (fitted the model that scored the calibration slice),
        'calibrate' or 'test'. The tested model is fitted on the rows of the first two and
        of the months between them.

    Raises
    ------
    ShortcastError
        If a label window of one use reaches into the rows of a later use, so that the
        later one would have been foreseen.
    """
    as_of = pd.to_datetime(rows["as_of"])
    by_use = as_of.groupby(rows["use"].to_numpy()).agg(["min", "max"])
    span = pd.DateOffset(months=fold.horizon)
    order = [use for use in ("fit", "calibrate", "test") if use in by_use.index]
    for use in set(order) - {"test"}:
        label_end = pd.Timestamp(str(by_use.loc[use, "max"])) + span
        if label_end > pd.Timestamp(fold.retrain):
            raise ShortcastError(
                f"Rows used to {use} have labels up to {label_end:%Y-%m-%d}, after the model "
                f"was fitted on {fold.retrain}: the split leaks the future."
            )
    for earlier, later in pairwise(order):
        label_end = pd.Timestamp(str(by_use.loc[earlier, "max"])) + span
        begins = pd.Timestamp(str(by_use.loc[later, "min"]))
        if label_end > begins:
            raise ShortcastError(
                f"Rows used to {earlier} have labels up to {label_end:%Y-%m-%d}, but rows used "
                f"to {later} begin on {begins:%Y-%m-%d}: the split leaks the future."
            )
