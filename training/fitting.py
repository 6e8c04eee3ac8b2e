"""Fit one model on one fold: the model itself and the recalibration of its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from shortcast.settings import settings
from shortcast.training.calibration import FloatArray, Platt
from shortcast.training.estimator import RiskModel
from shortcast.training.models import Blend, Factory
from shortcast.training.outcomes import as_days
from shortcast.training.splits import Fold, validate_no_overlap

Result = TypeVar("Result")


@dataclass(frozen=True)
class Fitted:
    """A model with its recalibration.

    Attributes
    ----------
    model : RiskModel
        Fitted on all matured rows.
    platt : Platt
        Recalibration: its slope learnt from an earlier fit, on rows that this had not seen; its
        level set on the same rows for the model that is used, which has seen them.
    on_slice : ndarray of shape (2, rows)
        Log-odds on these rows, of the earlier fit and of the model; without rows if the model
        is not recalibrated.
    """

    model: RiskModel
    platt: Platt
    on_slice: FloatArray

    def risk(self, X: pd.DataFrame) -> FloatArray:
        """Return calibrated probabilities.

        Parameters
        ----------
        X : DataFrame of shape (rows, features)
            Encoded features.

        Returns
        -------
        ndarray of shape (rows,)
        """
        return self.platt.apply(self.model.decision_function(X))


@dataclass(frozen=True)
class TrainingRows:
    """The rows with a matured label, and which of them serve the recalibration.

    Attributes
    ----------
    X : DataFrame of shape (rows, features)
        Encoded features.
    y : ndarray of shape (rows,)
        Outcomes, 0 or 1, and NaN for drugs that are in shortage already.
    early : ndarray of shape (rows,)
        Rows whose label had matured when the calibration slice begins.
    late : ndarray of shape (rows,)
        Rows of the calibration slice, without drugs in shortage.
    """

    X: pd.DataFrame
    y: FloatArray
    early: np.ndarray
    late: np.ndarray

    def fitted(self, factory: Factory, chosen: np.ndarray) -> RiskModel:
        """Fit a model on the chosen rows, as far as it can use them.

        Parameters
        ----------
        factory : callable
            Makes an unfitted model.
        chosen : ndarray of shape (rows,)
            Rows to fit on.

        Returns
        -------
        RiskModel
        """
        model = factory()
        chosen = chosen & model.usable(self.y)
        return model.fit(self.X[chosen], self.y[chosen])


def training_rows(
    X: pd.DataFrame, as_of: pd.Series, at_risk: pd.Series, labels: pd.Series, fold: Fold
) -> TrainingRows:
    """Choose the rows of a fold and check them.

    Rows of drugs at risk count if their label had matured, and those of drugs in shortage
    from the same months.

    Parameters
    ----------
    X : DataFrame of shape (rows, features)
        Encoded features of the whole panel.
    as_of : Series of shape (rows,)
        As-of dates.
    at_risk : Series of shape (rows,)
        False where the drug was in shortage, as known at the as-of date.
    labels : Series of shape (rows,)
        Labels as known at the fold's retrain date, null where not matured.
    fold : Fold
        The fold.

    Returns
    -------
    TrainingRows

    Raises
    ------
    ShortcastError
        If a label window of one use reaches into the rows of a later one.
    """
    days = as_days(as_of)
    short = at_risk.astype("boolean").eq(False).fillna(False).astype(bool)
    matured = days <= pd.Timestamp(fold.train_through)
    known = ((labels.notna() | short) & matured).to_numpy()
    chosen = days[known]
    y = np.asarray(labels[known].astype("Float64").to_numpy(na_value=np.nan), dtype=np.float64)
    early = (chosen <= pd.Timestamp(fold.fit_through)).to_numpy()
    late = (chosen >= pd.Timestamp(fold.calibrate_from)).to_numpy() & ~np.isnan(y)
    used = pd.DataFrame(
        {
            "as_of": pd.concat([chosen[early], chosen[late], pd.Series(fold.test)]),
            "use": np.repeat(
                ["fit", "calibrate", "test"], [early.sum(), late.sum(), len(fold.test)]
            ),
        }
    )
    validate_no_overlap(fold, used)
    return TrainingRows(X[known], y, early, late)


def fit(factory: Factory, rows: TrainingRows, horizon_months: int) -> Fitted:
    """Fit a model on all matured rows and recalibrate it by its own earlier self.

    How much the scores exaggerate (the slope) is learnt from a model fitted on the early
    rows alone and scored on the calibration slice, which it has not seen. The model that is
    used learns from the slice too, since the latest year is worth most. Their levels
    differ, because the rate of onsets changes from year to year, so the level is not taken
    from the earlier model: it is set so that the model used expects, over the slice, the
    onsets that there were.

    Parameters
    ----------
    factory : callable
        Makes an unfitted model.
    rows : TrainingRows
        From `training_rows`.
    horizon_months : int
        Horizon of the labels.

    Returns
    -------
    Fitted
    """
    model = rows.fitted(factory, np.ones(len(rows.y), dtype=bool))
    if not model.recalibrate:
        return Fitted(model, Platt(), np.empty((2, 0)))
    earlier, late = rows.fitted(factory, rows.early), rows.X[rows.late]
    on_slice = np.stack([earlier.decision_function(late), model.decision_function(late)])
    return Fitted(model, _recalibration(on_slice, rows, horizon_months), on_slice)


def blend(parts: Mapping[str, Fitted], rows: TrainingRows, horizon_months: int) -> Fitted:
    """Average models that are fitted already: what `fit` would make of a `Blend` of them.

    Parameters
    ----------
    parts : mapping of str to Fitted
        Models by name, fitted on ``rows`` and recalibrated.
    rows : TrainingRows
        From `training_rows`.
    horizon_months : int
        Horizon of the labels.

    Returns
    -------
    Fitted
        Recalibrated by itself: the lines of its parts play no role in it.
    """
    model = Blend.of({name: part.model for name, part in parts.items()})
    on_slice = np.mean([part.on_slice for part in parts.values()], axis=0)
    return Fitted(model, _recalibration(on_slice, rows, horizon_months), on_slice)


def _recalibration(on_slice: FloatArray, rows: TrainingRows, horizon_months: int) -> Platt:
    """Take the slope from the earlier fit and set the level for the model, see `fit`."""
    earlier, own = on_slice
    outcome = rows.y[rows.late]
    return Platt.fit(earlier, outcome, horizon_months).levelled(own, outcome)


def side_by_side(jobs: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run jobs in as many threads as the settings allow.

    Parameters
    ----------
    jobs : sequence of callable
        Fits; their work is done outside Python, so that threads are enough.

    Returns
    -------
    list
        What each returned, in order.
    """
    with ThreadPoolExecutor(settings().threads) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]
