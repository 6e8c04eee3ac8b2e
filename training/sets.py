"""The sets of boosted trees, one of onsets and one of prone drugs, and how much each counts."""

from __future__ import annotations

from collections.abc import Mapping

import lightgbm as lgb
import numpy as np

#: Weight of each set in the log-odds of the trees. Chosen by walk-forward on as-of dates 2017-10
#: to 2019-12, whose outcomes all lie before the reported window (see docs/decisions.md).
WEIGHTS = {"onset": 0.75, "prone": 0.25}
#: The same for trees that know only what a drug is: both sets learn from the same there.
EQUAL_WEIGHTS = {"onset": 0.5, "prone": 0.5}


def weighted_mean(margins: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Average what the sets predict.

    Parameters
    ----------
    margins : mapping of str to ndarray
        Log-odds, or contributions to them, by set; all of one shape.
    weights : mapping of str to float
        Weight of each set; what the sets at hand weigh counts as the whole.

    Returns
    -------
    ndarray
        Of the shape of each, float64.
    """
    names = list(margins)
    stacked = np.asarray([margins[name] for name in names], dtype=np.float64)
    return np.average(stacked, axis=0, weights=[weights[name] for name in names])


def predict(
    boosters: Mapping[str, lgb.Booster],
    weights: Mapping[str, float],
    values: np.ndarray,
    threads: int,
    **wanted: bool,
) -> np.ndarray:
    """Return the weighted mean of what the boosters of each set predict.

    Parameters
    ----------
    boosters : mapping of str to Booster
        By set.
    weights : mapping of str to float
        Weight of each set.
    values : ndarray of shape (rows, features)
        Encoded features.
    threads : int
        Threads of LightGBM.
    **wanted : bool
        ``raw_score=True`` for log-odds, ``pred_contrib=True`` for contributions to them.

    Returns
    -------
    ndarray
        A row for each of ``values``, float64.
    """
    return weighted_mean(
        {
            name: np.asarray(booster.predict(values, num_threads=threads, **wanted))
            for name, booster in boosters.items()
        },
        weights,
    )
