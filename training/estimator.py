"""What every risk model offers: ``fit``, ``decision_function`` (log-odds), ``predict_proba``."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from shortcast.training.calibration import FloatArray, sigmoid

#: Share of the rows without onset that models are fitted on. Neighbouring months of a drug
#: are nearly the same row, so little is lost and a fit is that much faster.
KEEP_NEGATIVES = 0.25


def thin_negatives(y: FloatArray, keep: float, seed: int) -> tuple[np.ndarray, FloatArray]:
    """Choose all rows with an onset and a random share of the others.

    Parameters
    ----------
    y : ndarray of shape (rows,)
        0 or 1.
    keep : float
        Share of the rows without onset that is kept.
    seed : int
        Seed of the draw.

    Returns
    -------
    kept : ndarray of shape (rows,)
        Whether each row is kept.
    weight : ndarray of shape (kept rows,)
        1 for an onset, ``1 / keep`` for the others, so that risks keep their level.
    """
    kept = (y > 0) | (np.random.default_rng(seed).random(len(y)) < keep)
    return kept, np.where(y[kept] > 0, 1.0, 1.0 / keep)


class RiskModel(ClassifierMixin, BaseEstimator):
    """A classifier of drug-months whose natural scale is log-odds.

    Subclasses take the encoded panel of `~shortcast.training.matrix.encode`: one float32
    column a feature, NaN where a value is missing.

    Attributes
    ----------
    recalibrate : bool
        Whether the scores are recalibrated on a later slice. Models with one or two
        parameters are calibrated by their own fit.
    learns_from_shortages : bool
        Whether `fit` also takes the rows of drugs that are in shortage already: no onset can
        come, so their outcome is NaN, but they tell which drugs are prone to shortage.
    classes_ : ndarray of shape (2,)
        False and True.
    """

    recalibrate: bool = True
    learns_from_shortages: bool = False
    classes_ = np.array([False, True])

    def description(self) -> dict[str, Any]:
        """Return what makes the fit, for the log of a run.

        Returns
        -------
        dict of str to object
            The parameters by name.
        """
        return self.get_params()

    def usable(self, y: FloatArray) -> np.ndarray:
        """Return which rows `fit` takes.

        Parameters
        ----------
        y : ndarray of shape (rows,)
            0 or 1, and NaN for drugs that are in shortage already.

        Returns
        -------
        ndarray of shape (rows,)
            All, or those with an outcome; see ``learns_from_shortages``.
        """
        return np.full(len(y), True) if self.learns_from_shortages else ~np.isnan(y)

    def fit(self, X: pd.DataFrame, y: FloatArray) -> Self:
        """Fit on rows with known labels.

        Parameters
        ----------
        X : DataFrame of shape (rows, features)
            Encoded features.
        y : ndarray of shape (rows,)
            0 or 1; with `learns_from_shortages` also NaN, where the drug is short already.

        Returns
        -------
        RiskModel
            Itself.
        """
        raise NotImplementedError

    def decision_function(self, X: pd.DataFrame) -> FloatArray:
        """Return log-odds.

        Parameters
        ----------
        X : DataFrame of shape (rows, features)
            Encoded features.

        Returns
        -------
        ndarray of shape (rows,)
        """
        raise NotImplementedError

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        """Return the probabilities of no onset and of onset.

        Parameters
        ----------
        X : DataFrame of shape (rows, features)
            Encoded features.

        Returns
        -------
        ndarray of shape (rows, 2)
        """
        risk = sigmoid(self.decision_function(X))
        return np.column_stack([1.0 - risk, risk])

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return whether onset is likelier than not.

        Parameters
        ----------
        X : DataFrame of shape (rows, features)
            Encoded features.

        Returns
        -------
        ndarray of shape (rows,)
            Booleans.
        """
        return self.decision_function(X) > 0.0
