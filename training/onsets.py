"""The onsets of a backtest one by one: which stood on a list, and what was known of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from shortcast.features.groups.contract import Feature
from shortcast.training import metrics, sets
from shortcast.training.baselines import Logistic
from shortcast.training.calibration import FloatArray
from shortcast.training.evaluation import rows_of
from shortcast.training.fitting import Fitted
from shortcast.training.models import PARTS, Blend, BoostedTrees

#: Length of the monthly list.
LIST_SIZE = 50
#: Features named for each onset, by what they did to its score.
NAMED = 3
#: Models whose best rank stands beside the champion's.
BESIDE = ("points", "traits")


def contributions(fitted: Fitted, X: pd.DataFrame) -> FloatArray:
    """Say what each feature added to the log-odds of the served model.

    Parameters
    ----------
    fitted : Fitted
        The mean of trees and regression, as fitted at the time.
    X : DataFrame of shape (rows, features)
        Encoded features.

    Returns
    -------
    ndarray of shape (rows, features)
        As `~shortcast.training.bundle.Bundle.reasons` gives them: what moved the estimate.
    """
    assert isinstance(fitted.model, Blend)
    trees, regression = (fitted.model.parts_[name] for name in PARTS)
    assert isinstance(trees, BoostedTrees)
    assert isinstance(regression, Logistic)
    values = X.to_numpy(dtype=np.float32)
    grown = sets.predict(trees.boosters_, trees.weights, values, trees.threads, pred_contrib=True)
    linear = regression.linear_.contributions(values, list(X.columns))
    return (grown[:, : X.shape[1]] + linear) / 2 * fitted.platt.slope


def explained(
    fitted: Fitted, X: pd.DataFrame, panel: pd.DataFrame, features: Sequence[Feature]
) -> dict[tuple[str, pd.Timestamp], dict[str, list[dict[str, Any]]]]:
    """Name what moved the scores of some drug-months most.

    Parameters
    ----------
    fitted : Fitted
        The mean of trees and regression, as fitted at the time.
    X : DataFrame of shape (rows, features)
        Encoded features.
    panel : DataFrame of shape (rows, columns)
        The same rows of the panel.
    features : sequence of Feature
        Catalogue, in the order of the columns of ``X``.

    Returns
    -------
    dict of (str, Timestamp) to dict
        By drug and as-of date, what `named` says.
    """
    if X.empty:
        return {}
    values: list[dict[Any, Any]] = panel[[f.name for f in features]].to_dict("records")
    keys = zip(panel["drug_id"].astype(str), pd.to_datetime(panel["as_of"]), strict=True)
    return {
        key: named(added, known, features)
        for key, added, known in zip(keys, contributions(fitted, X), values, strict=True)
    }


def named(
    added: FloatArray, values: Mapping[str, Any], features: Sequence[Feature]
) -> dict[str, list[dict[str, Any]]]:
    """Name the features that moved one score most, upwards and downwards.

    Parameters
    ----------
    added : ndarray of shape (features,)
        Contributions.
    values : mapping of str to object
        Values by feature, as in the panel.
    features : sequence of Feature
        Catalogue, in the order of ``added``.

    Returns
    -------
    dict
        ``raised`` and ``lowered``: ``name``, ``label``, ``value`` (null if missing) and
        ``contribution`` of up to three each, strongest first.
    """
    order = np.argsort(-np.abs(added), kind="stable")

    def of_sign(sign: int) -> list[dict[str, Any]]:
        chosen = [i for i in order.tolist() if added[i] * sign > 0][:NAMED]
        return [
            {
                "name": features[i].name,
                "label": features[i].label,
                "value": _plain(values[features[i].name]),
                "contribution": round(float(added[i]), 4),
            }
            for i in chosen
        ]

    return {"raised": of_sign(1), "lowered": of_sign(-1)}


def onset_list(
    forecasts: pd.DataFrame, champion: str, moved: Mapping[tuple[str, pd.Timestamp], Any]
) -> list[dict[str, Any]]:
    """List every onset with the best place that its drug had before.

    Parameters
    ----------
    forecasts : DataFrame
        Rows of one horizon with known labels, as in ``forecasts.parquet``.
    champion : str
        The model.
    moved : mapping of (str, Timestamp) to dict
        By drug and as-of date, what `named` says.

    Returns
    -------
    list of dict
        By day of the onset: ``drug_id``, ``onset_date``, ``caught`` (on a list of 50 in any
        month within the horizon before, ties in the worst order), ``months`` in which the drug
        was scored, ``best_rank`` and its ``best_as_of``, ``best_rank_of`` other models,
        ``last_as_of``, ``last_rank`` and ``last_score`` before the onset,
        ``previously_listed``, ``form_group``, and ``raised`` and ``lowered`` at that last date.
    """
    rows, months, drugs = rows_of(forecasts[forecasts["model"].isin([champion, "prevalence"])])
    listed = metrics.on_list(rows.y, rows.scores[champion], rows.month, LIST_SIZE)
    before = rows.event >= 0
    seen = pd.DataFrame(
        {
            "drug_id": drugs[rows.drug[before]],
            "as_of": months[rows.month[before]],
            "listed": listed[before],
        }
    )
    positive = forecasts[forecasts["label"].fillna(False).astype(bool)]
    own = positive[positive["model"] == champion].merge(seen, on=["drug_id", "as_of"])
    others = positive[positive["model"].isin(BESIDE)]
    grouped = others.groupby(["drug_id", "onset_date", "model"])["rank"].min()
    best_of: dict[Any, Any] = grouped.to_dict()
    found = []
    for _, part in own.sort_values("as_of").groupby(["onset_date", "drug_id"]):
        onset, drug = pd.Timestamp(part["onset_date"].iloc[0]), str(part["drug_id"].iloc[0])
        last, best = part.iloc[-1], part.iloc[int(part["rank"].to_numpy().argmin())]
        found.append(
            {
                "drug_id": drug,
                "onset_date": _day(onset),
                "caught": bool(part["listed"].any()),
                "months": len(part),
                "best_rank": int(best["rank"]),
                "best_as_of": _day(best["as_of"]),
                "best_rank_of": {
                    name: int(best_of[drug, onset, name])
                    for name in BESIDE
                    if (drug, onset, name) in best_of
                },
                "last_as_of": _day(last["as_of"]),
                "last_rank": int(last["rank"]),
                "last_score": round(float(last["score"]), 6),
                "previously_listed": bool(last["previously_listed"]),
                "form_group": str(last["form_group"]),
                **moved.get((drug, pd.Timestamp(last["as_of"])), {"raised": [], "lowered": []}),
            }
        )
    return found


def _day(value: Any) -> str:
    """Write a timestamp as a day."""
    return pd.Timestamp(value).date().isoformat()


def _plain(value: Any) -> Any:
    """Return a value of the panel as JSON knows it; null if missing."""
    if pd.isna(value):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), 6)
    return str(value)
