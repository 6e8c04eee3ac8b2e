"""From forecasts with labels to the figures of ``metrics.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from shortcast.training import metrics
from shortcast.training.calibration import FloatArray

#: Lengths of the monthly list.
LIST_SIZES = (25, 50, 100)
#: Lengths at which events are counted.
EVENT_SIZES = (50, 100)
#: Models that the others are compared with, and the figures compared.
YARDSTICKS = ("past_listings", "points", "logistic", "lightgbm", "traits")
COMPARED = ("ap", "roc_auc", "precision_at_50")
#: Resamples weighed at once, which bounds memory.
CHUNK = 20


def evaluate(
    forecasts: pd.DataFrame,
    events: pd.DataFrame,
    strata: Mapping[str, pd.Series],
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, Any]:
    """Score every model at one horizon.

    Parameters
    ----------
    forecasts : DataFrame
        Rows of one horizon with known labels: ``drug_id``, ``as_of``, ``model``, ``score``,
        ``label`` (bool), ``onset_date``, ``horizon_months``; every model scores the same
        drug-months, and 'prevalence' is among them.
    events : DataFrame
        All onsets of the records: ``drug_id``, ``onset_date``.
    strata : mapping of str to Series
        Boolean Series indexed by (``drug_id``, ``as_of``); each splits the rows in two.
    resamples : int
        Bootstrap resamples of drugs, at least 1.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    dict
        Counts, and under ``models`` the figures of each; intervals are the 2.5th and 97.5th
        percentile of the bootstrap by drug. Undefined figures are null.
    """
    horizon = int(forecasts["horizon_months"].iloc[0])
    wide = forecasts.sort_values(["as_of", "drug_id"], kind="stable")
    by_model = {str(name): rows for name, rows in wide.groupby("model", sort=True)}
    base = by_model["prevalence"].reset_index(drop=True)
    y = base["label"].to_numpy(dtype=np.float64)
    month, months = pd.factorize(base["as_of"], sort=True)
    drug, drugs = pd.factorize(base["drug_id"], sort=True)
    draws = metrics.drug_draws(len(drugs), resamples, seed)
    reference = base["score"].to_numpy(dtype=np.float64)
    caught_of = _events_at_risk(base)
    prevalence = float(y.mean())
    keys = pd.MultiIndex.from_frame(base[["drug_id", "as_of"]])
    members = {
        name: series.reindex(keys).to_numpy(dtype=bool, na_value=False)
        for name, series in strata.items()
    }
    window = events["onset_date"].between(
        months[0], months[-1] + pd.DateOffset(months=horizon), inclusive="left"
    )

    models: dict[str, Any] = {}
    samples: dict[str, dict[str, FloatArray]] = {}
    for name, rows in by_model.items():
        score = rows["score"].to_numpy(dtype=np.float64)
        if len(score) != len(y):
            raise ValueError(f"{name} scores {len(score)} rows, prevalence {len(y)}")
        sample = _bootstrap(y, score, reference, month, drug, draws)
        figures: dict[str, Any] = {}
        for key, value in _figures(y, score, reference, month).items():
            figures[key] = _number(value)
            if key in sample and figures[key] is not None:
                figures[f"{key}_interval"] = _interval(sample[key])
        for size in EVENT_SIZES:
            figures[f"events_at_{size}"] = _event_recall(
                caught_of, _on_list(y, score, month, size), draws, drug
            )
        figures["strata"] = {
            stratum: {
                side: _stratum(y[inside], score[inside], reference[inside], month[inside])
                for side, inside in (("yes", member), ("no", ~member))
            }
            for stratum, member in members.items()
        }
        models[name] = figures
        samples[name] = sample
    for name, figures in models.items():
        figures["versus"] = {
            yardstick: {
                key: {
                    "difference": _number((figures[key] or 0.0) - (models[yardstick][key] or 0.0)),
                    "interval": _interval(samples[name][key] - samples[yardstick][key]),
                }
                for key in COMPARED
            }
            for yardstick in YARDSTICKS
            if yardstick in models and yardstick != name
        }
    return {
        "rows": len(y),
        "drugs": len(drugs),
        "positives": int(y.sum()),
        "prevalence": _number(prevalence),
        "as_of_first": months[0].date().isoformat(),
        "as_of_last": months[-1].date().isoformat(),
        "events": int(window.sum()),
        "events_at_risk": len(caught_of["event"].unique()),
        "models": models,
    }


def _figures(
    y: FloatArray, score: FloatArray, reference: FloatArray, month: np.ndarray
) -> dict[str, float]:
    """Compute the figures of one model."""
    average, area = metrics.ap_and_auc(y, score)
    found = {
        "ap": float(average[0]),
        "ap_over_prevalence": float(average[0]) / float(y.mean()) if y.any() else float("nan"),
        "roc_auc": float(area[0]),
    }
    for size in LIST_SIZES:
        precision, recall, hits = metrics.precision_recall_at(y, score, month, size)
        found[f"precision_at_{size}"] = precision
        found[f"recall_at_{size}"] = recall
        found[f"hits_at_{size}"] = hits
    found["brier"] = metrics.brier(y, score)
    found["brier_skill"] = metrics.brier_skill(y, score, reference)
    found["observed_over_expected"] = metrics.observed_expected(y, score)
    found["expected"] = float(score.sum())
    found["calibration_slope"] = metrics.calibration_slope(y, score)
    lowest, highest = (np.full(month.max() + 1, start) for start in (np.inf, -np.inf))
    np.minimum.at(lowest, month, score)
    np.maximum.at(highest, month, score)
    if bool((highest <= lowest).all()):
        # One score for all drugs of a month, as of prevalence: its drift has no slope.
        found["calibration_slope"] = float("nan")
    return found


def plain_figures(
    y: FloatArray, score: FloatArray, reference: FloatArray, month: np.ndarray
) -> dict[str, float | None]:
    """Compute the figures of one model, without intervals.

    Parameters
    ----------
    y : ndarray of shape (rows,)
        Outcomes, 0 or 1, both of them among the rows.
    score, reference : ndarray of shape (rows,)
        Probabilities of the model, and of the rate that its Brier skill is measured against.
    month : ndarray of shape (rows,)
        Number of each row's month, from 0.

    Returns
    -------
    dict of str to float or None
        Undefined figures are null.
    """
    return {key: _number(value) for key, value in _figures(y, score, reference, month).items()}


def _bootstrap(
    y: FloatArray,
    score: FloatArray,
    reference: FloatArray,
    month: np.ndarray,
    drug: np.ndarray,
    draws: FloatArray,
) -> dict[str, FloatArray]:
    """Compute the same figures for each resample of drugs, the counts left out."""
    parts = [
        metrics.ap_and_auc(y, score, draws[i : i + CHUNK][:, drug])
        for i in range(0, len(draws), CHUNK)
    ]
    average, area = (np.concatenate(column) for column in zip(*parts, strict=True))

    def total(values: FloatArray) -> FloatArray:
        return metrics.sum_draws(values, drug, draws)

    rows, observed, error = total(np.ones(len(y))), total(y), total((score - y) ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {
            "ap": average,
            "ap_over_prevalence": average * rows / observed,
            "roc_auc": area,
            "brier": error / rows,
            "brier_skill": 1.0 - error / total((reference - y) ** 2),
            "observed_over_expected": observed / total(score),
            "calibration_slope": metrics.calibration_slope_draws(y, score, drug, draws),
        }
    lists = metrics.precision_recall_draws(y, score, month, LIST_SIZES, drug, draws)
    for size, (precision, recall) in lists.items():
        found[f"precision_at_{size}"] = precision
        found[f"recall_at_{size}"] = recall
    return found


def _events_at_risk(base: pd.DataFrame) -> pd.DataFrame:
    """Rows whose label is an onset: position, event and days until it."""
    positive = base["label"].to_numpy(dtype=bool)
    found = base.loc[positive, ["drug_id", "as_of", "onset_date"]]
    event = pd.factorize(pd.MultiIndex.from_frame(found[["drug_id", "onset_date"]]), sort=True)[0]
    return pd.DataFrame(
        {
            "position": np.flatnonzero(positive),
            "event": event,
            "days": (found["onset_date"] - found["as_of"]).dt.days.to_numpy(),
        }
    )


def _on_list(y: FloatArray, score: FloatArray, month: np.ndarray, size: int) -> np.ndarray:
    """Which rows stand on their month's list, ties in the worst order."""
    order = metrics.list_order(y, score, month)
    on = np.empty(len(y), dtype=bool)
    on[order] = metrics.listed(order, month, size)[0] > 0
    return on


def _event_recall(
    rows: pd.DataFrame, on_list: np.ndarray, draws: FloatArray, drug: np.ndarray
) -> dict[str, Any]:
    """Share of onsets that stood on a list in at least one month before, and how early."""
    listed = rows.assign(listed=on_list[rows["position"]], drug=drug[rows["position"]])
    event = listed.groupby("event").agg(caught=("listed", "any"), drug=("drug", "first"))
    first = listed[listed["listed"]].groupby("event")["days"].max()
    weight = draws[:, event["drug"].to_numpy(dtype=np.int64)]
    with np.errstate(invalid="ignore", divide="ignore"):
        sample = (weight @ event["caught"].to_numpy(dtype=np.float64)) / weight.sum(axis=1)
    quarter, half, three = first.quantile([0.25, 0.5, 0.75]) if len(first) else [np.nan] * 3
    return {
        "events": len(event),
        "caught": int(event["caught"].sum()),
        "recall": _number(float(event["caught"].mean()) if len(event) else float("nan")),
        "recall_interval": _interval(sample),
        "lead_days_median": _number(float(half)),
        "lead_days_quartiles": [_number(float(quarter)), _number(float(three))],
    }


def _stratum(
    y: FloatArray, score: FloatArray, reference: FloatArray, month: np.ndarray
) -> dict[str, Any]:
    """Compute the main figures of a part of the rows, with its counts."""
    if not len(y):
        return {"rows": 0, "positives": 0}
    found = _figures(y, score, reference, month)
    chosen = ("ap", "ap_over_prevalence", "roc_auc", "precision_at_25", "observed_over_expected")
    return {
        "rows": len(y),
        "positives": int(y.sum()),
        "prevalence": _number(float(y.mean())),
        **{key: _number(found[key]) for key in chosen},
    }


def _number(value: float) -> float | None:
    """Round to six places; what is undefined becomes null."""
    return round(value, 6) if np.isfinite(value) else None


def _interval(sample: FloatArray) -> list[float | None]:
    """Take the middle 95 % of a bootstrap sample, leaving undefined resamples out."""
    finite = sample[np.isfinite(sample)]
    if not len(finite):
        return [None, None]
    low, high = np.percentile(finite, [2.5, 97.5])
    return [_number(float(low)), _number(float(high))]
