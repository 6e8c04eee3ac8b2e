"""What a random split would have claimed: a warning, never a result."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from shortcast.features.groups.contract import Feature
from shortcast.training import metrics
from shortcast.training.calibration import FloatArray
from shortcast.training.estimator import RiskModel
from shortcast.training.fitting import side_by_side
from shortcast.training.models import CHAMPION, BoostedTrees, Factory

WARNING = (
    "Not a result. The rows were split at random, so each drug's neighbouring months, which "
    "share its outcome, stood in training: the model had seen the answers. It shows how much "
    "such a protocol overstates; compare it with the walk-forward figures of the same months."
)

#: What boosting is often run with: many leaves, nothing held back.
CARELESS = {
    "num_leaves": 63,
    "learning_rate": 0.1,
    "lambda_l2": 0.0,
    "min_data_in_leaf": 20,
    "feature_fraction": 1.0,
    "extra_trees": False,
    "path_smooth": 0.0,
    "max_bin": 255,
}


def random_split(
    X: pd.DataFrame,
    at_risk: pd.Series,
    labels: pd.DataFrame,
    as_of: pd.Series,
    start: date,
    served: Factory,
    features: Sequence[Feature],
    seed: int,
    horizon: int = 6,
    parts: int = 5,
) -> dict[str, Any]:
    """Cross-validate over random rows and score the months of the real backtest.

    Parameters
    ----------
    X : DataFrame of shape (rows, features)
        Encoded features of the panel.
    at_risk : Series
        False where the drug is in shortage.
    labels : DataFrame
        ``onset_h`` of all rows, with the whole of the records known.
    as_of : Series of shape (rows,)
        As-of dates.
    start : date
        First as-of date that is scored.
    served : callable
        Makes the model that is served.
    features : sequence of Feature
        Features of the careless model.
    seed : int
        For the split and the trees.
    horizon : int
        Months.
    parts : int
        Number of random parts.

    Returns
    -------
    dict
        ``warning`` and the figures of the served model's settings and of careless ones.
    """
    label = labels[f"onset_{horizon}"]
    short = at_risk.astype("boolean").eq(False).fillna(False).astype(bool)
    rows = np.flatnonzero((label.notna() | short).to_numpy())
    y = np.asarray(label.iloc[rows].astype("Float64").to_numpy(na_value=np.nan), dtype=np.float64)
    part = np.random.default_rng(seed).integers(0, parts, len(rows))
    scored = (as_of.iloc[rows] >= pd.Timestamp(start)).to_numpy() & ~np.isnan(y)
    month = pd.factorize(as_of.iloc[rows], sort=True)[0]

    def careless() -> RiskModel:
        model = BoostedTrees(features, seed=seed, keep_negatives=1.0, parameters=CARELESS)
        model.learns_from_shortages = False
        return model

    models = {CHAMPION: served, "careless_lightgbm": careless}
    return {
        "warning": WARNING,
        "horizon_months": horizon,
        "rows": int(scored.sum()),
        "positives": int(y[scored].sum()),
        "prevalence": round(float(y[scored].mean()), 6),
        "models": {
            name: _figures(model, X.iloc[rows], y, part, scored, month)
            for name, model in models.items()
        },
    }


def _figures(
    factory: Factory,
    X: pd.DataFrame,
    y: FloatArray,
    part: np.ndarray,
    scored: np.ndarray,
    month: np.ndarray,
) -> dict[str, float]:
    """Score each random part by a model that saw the others."""
    score = np.full(len(y), np.nan)

    def score_part(this: int) -> None:
        model = factory()
        train = (part != this) & model.usable(y)
        wanted = (part == this) & scored
        score[wanted] = model.fit(X[train], y[train]).decision_function(X[wanted])

    side_by_side([partial(score_part, int(this)) for this in np.unique(part)])
    y, score, month = y[scored], score[scored], month[scored]
    ap, auc = (float(value[0]) for value in metrics.ap_and_auc(y, score))
    return {
        "ap": round(ap, 6),
        "ap_over_prevalence": round(ap / float(y.mean()), 6),
        "roc_auc": round(auc, 6),
        "precision_at_50": round(metrics.precision_recall_at(y, score, month, 50)[0], 6),
    }
