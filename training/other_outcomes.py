"""Discontinuation and resolution: outcomes of their own, foreseen by baselines only.

They are not what is served. What they can be foreseen by is reported beside the onsets, so that
nobody mistakes a notice or an end for a shortage, and a better model has something to beat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from shortcast.training.baselines import Logistic, Prevalence
from shortcast.training.evaluation import plain_figures
from shortcast.training.fitting import fit, side_by_side, training_rows
from shortcast.training.models import Factory
from shortcast.training.outcomes import (
    as_days,
    discontinuation_labels,
    known_events,
    resolution_labels,
)
from shortcast.training.splits import Fold

#: Makes the labels of one outcome from the panel, events, and the day until which they are known.
Labels = Callable[[pd.DataFrame, pd.DataFrame, date, Sequence[int]], pd.DataFrame]

#: Labels by outcome, the date of its events, and what rows they are about.
OUTCOMES: Mapping[str, tuple[Labels, str, str]] = {
    "discontinuation": (
        discontinuation_labels,
        "event_date",
        "a maker's notice that it discontinues the drug, for every drug",
    ),
    "resolution": (
        resolution_labels,
        "onset_date",
        "the end of the shortage, for drugs in shortage",
    ),
}


def other_outcomes(
    X: pd.DataFrame,
    panel: pd.DataFrame,
    events: Mapping[str, pd.DataFrame],
    folds: Mapping[int, Sequence[Fold]],
    records_end: date,
    categories: Mapping[str, Sequence[str]],
    seed: int = 0,
) -> dict[str, Any]:
    """Backtest the baselines on the other outcomes, by the folds of the main backtest.

    Parameters
    ----------
    X : DataFrame of shape (rows, features)
        Encoded features of the panel.
    panel : DataFrame
        ``drug_id``, ``as_of``, ``at_risk``.
    events : mapping of str to DataFrame
        Events by outcome: notices (``drug_id``, ``event_date``) and spells (``drug_id``,
        ``onset_date`` and both ends); with ``known_from``, they count in training after that
        day only. An outcome without a table is left out.
    folds : mapping of int to sequence of Fold
        Folds by horizon, in months.
    records_end : date
        Last day that the shortage records reach.
    categories : mapping of str to sequence of str
        Values of the categorical features.
    seed : int
        Seed of the choice of rows.

    Returns
    -------
    dict
        By outcome: ``what`` it is, and by horizon the counts and the figures of
        ``prevalence`` and ``logistic``; a horizon without both outcomes has counts only.
    """
    models: dict[str, Factory] = {
        "prevalence": Prevalence,
        "logistic": lambda: Logistic(list(X.columns), categories, seed=seed),
    }
    found: dict[str, Any] = {}
    for outcome, (labels, date_column, what) in OUTCOMES.items():
        if outcome not in events:
            continue
        jobs = [
            partial(
                _one_horizon,
                X,
                panel,
                events[outcome],
                date_column,
                folds[h],
                records_end,
                labels,
                models,
            )
            for h in folds
        ]
        results = side_by_side(jobs)
        found[outcome] = {
            "what": what,
            "horizons": {str(h): result for h, result in zip(folds, results, strict=True)},
        }
    return found


def _one_horizon(
    X: pd.DataFrame,
    panel: pd.DataFrame,
    events: pd.DataFrame,
    date_column: str,
    folds: Sequence[Fold],
    records_end: date,
    labels: Labels,
    models: Mapping[str, Factory],
) -> dict[str, Any]:
    """Walk forward over the folds of one horizon, and score."""
    horizon = folds[0].horizon
    as_of = as_days(panel["as_of"])
    truth = labels(panel, events, records_end, [horizon]).iloc[:, 0]
    everywhere = pd.Series(data=True, index=panel.index)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in models}
    tested = []
    for fold in folds:
        told = known_events(events, date_column, fold.retrain)
        known = labels(panel, told, fold.retrain, [horizon]).iloc[:, 0]
        rows = training_rows(X, as_of, everywhere, known, fold)
        inside = as_of.isin(pd.to_datetime(list(fold.test))) & truth.notna()
        test = np.flatnonzero(inside.to_numpy())
        if not len(test):
            # Nothing of these months has matured.
            continue
        tested.append(test)
        both = 0 < rows.y[rows.early].sum() < rows.early.sum()
        for name, factory in models.items():
            # Where training knows of no such event, all that can be said is how rare it is.
            fitted = fit(factory if both else Prevalence, rows, horizon)
            parts[name].append(fitted.risk(X.iloc[test]))
    if not tested:
        return {"rows": 0, "positives": 0}
    test = np.concatenate(tested)
    y = truth.iloc[test].to_numpy(dtype=np.float64)
    counts = {"rows": len(y), "positives": int(y.sum())}
    if not 0 < y.sum() < len(y):
        return counts
    month = pd.factorize(as_of.iloc[test], sort=True)[0]
    scores = {name: np.concatenate(values) for name, values in parts.items()}
    return {
        **counts,
        "prevalence": round(float(y.mean()), 6),
        "models": {
            name: plain_figures(y, score, scores["prevalence"], month)
            for name, score in scores.items()
        },
    }
