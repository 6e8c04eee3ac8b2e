"""From forecasts with labels to the figures of ``metrics.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from shortcast.training import metrics
from shortcast.training.calibration import FloatArray, logit
from shortcast.training.metrics import IntArray
from shortcast.training.timing import (
    frozen_scores,
    share_of_month,
    timing_of_changes,
    timing_of_drugs,
)

#: Lengths of the monthly list.
LIST_SIZES = (25, 50, 100)
#: Lengths at which events are counted.
EVENT_SIZES = (50, 100)
#: Models that the others are compared with, and the figures compared.
YARDSTICKS = ("past_listings", "points", "logistic", "lightgbm", "traits")
COMPARED = ("ap", "roc_auc", "precision_at_50")
#: Models that a timing is compared with: what a pharmacist counts, and what never moves.
TIMING_YARDSTICKS = ("points", "traits")
#: Timings: by score, by place among the drugs of the month, and by the change of the score
#: against that of drugs without an onset; in the last, a drift that all share does not count.
TIMINGS = ("auc", "auc_of_places", "auc_of_changes")


@dataclass(frozen=True)
class Rows:
    """Drug-months of one horizon with known outcomes, which all models have scored.

    Attributes
    ----------
    y : ndarray of shape (rows,)
        Outcomes, 0 or 1.
    month, drug : ndarray of shape (rows,)
        Codes of the as-of date, ascending in time, and of the drug.
    event : ndarray of shape (rows,)
        Code of the onset within the horizon, -1 where there is none.
    days, months : ndarray of shape (rows,)
        Days until that onset, and months of the calendar; 0 where there is none.
    scores : dict of str to ndarray of shape (rows,)
        Scores by model; 'prevalence' is what Brier skill is measured against.
    """

    y: FloatArray
    month: IntArray
    drug: IntArray
    event: IntArray
    days: IntArray
    months: IntArray
    scores: dict[str, FloatArray]

    def where(self, chosen: np.ndarray) -> Rows:
        """Keep some of the rows.

        Parameters
        ----------
        chosen : ndarray of shape (rows,)
            Booleans.

        Returns
        -------
        Rows
            With the same codes.
        """
        return Rows(
            self.y[chosen],
            self.month[chosen],
            self.drug[chosen],
            self.event[chosen],
            self.days[chosen],
            self.months[chosen],
            {name: score[chosen] for name, score in self.scores.items()},
        )


def evaluate(
    forecasts: pd.DataFrame,
    events: pd.DataFrame,
    strata: Mapping[str, pd.Series],
    resamples: int = 200,
    seed: int = 0,
    closely: Sequence[str] | None = None,
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
    closely : sequence of str, optional
        Models that get intervals by stratum and year, too; all by default.

    Returns
    -------
    dict
        Counts; under ``models`` the figures of each, of all rows and by stratum, with its frozen
        scores and its timing; under ``years`` counts and models again for the as-of dates of
        each year; under ``ceilings`` the most that a list could hold. Intervals are the 2.5th
        and 97.5th percentile of the bootstrap by drug; the resamples are the same everywhere,
        so that differences are paired. Undefined figures are null.
    """
    horizon = int(forecasts["horizon_months"].iloc[0])
    rows, months, drugs = rows_of(forecasts)
    draws = metrics.drug_draws(len(drugs), resamples, seed)
    window = events["onset_date"].between(
        months[0], months[-1] + pd.DateOffset(months=horizon), inclusive="left"
    )
    keys = pd.MultiIndex.from_arrays([drugs[rows.drug], months[rows.month]])
    found = compare(rows, draws)
    for name, series in strata.items():
        member = series.reindex(keys).to_numpy(dtype=bool, na_value=False)
        for side, inside in (("yes", member), ("no", ~member)):
            part = compare(rows.where(inside), draws, closely=closely)
            counts = {key: part[key] for key in ("rows", "positives", "prevalence")}
            for model, figures in found["models"].items():
                stratum = figures.setdefault("strata", {}).setdefault(name, {})
                stratum[side] = {**counts, **part["models"][model]}
    timings = _timings(rows, draws)
    for model, figures in found["models"].items():
        figures.setdefault("strata", {})
        figures["frozen"] = _frozen(rows, model, figures, draws)
        figures["timing"] = timings[model]
        figures["reliability"] = _reliability(rows, model, draws)
    years = months.year.to_numpy()[rows.month]
    return {
        "rows": found["rows"],
        "drugs": len(drugs),
        "positives": found["positives"],
        "prevalence": found["prevalence"],
        "as_of_first": months[0].date().isoformat(),
        "as_of_last": months[-1].date().isoformat(),
        "events": int(window.sum()),
        "events_at_risk": found["events"],
        "ceilings": {
            f"{what}_at_{size}": _number(value)
            for size in LIST_SIZES
            for what, value in zip(
                ("precision", "recall"), metrics.ceilings_at(rows.y, rows.month, size), strict=True
            )
        },
        "models": found["models"],
        "years": {
            str(year): compare(rows.where(years == year), draws, closely=closely)
            for year in np.unique(years)
        },
    }


def rows_of(forecasts: pd.DataFrame) -> tuple[Rows, pd.DatetimeIndex, pd.Index]:
    """Lay out the forecasts of one horizon for scoring.

    Parameters
    ----------
    forecasts : DataFrame
        As for `evaluate`.

    Returns
    -------
    rows : Rows
        By as-of date and drug.
    months, drugs : Index
        What the codes stand for.

    Raises
    ------
    ValueError
        If a model leaves out rows that 'prevalence' scores.
    """
    wide = forecasts.sort_values(["as_of", "drug_id"], kind="stable")
    by_model = {str(name): rows for name, rows in wide.groupby("model", sort=True)}
    base = by_model["prevalence"].reset_index(drop=True)
    for name, rows in by_model.items():
        if len(rows) != len(base):
            raise ValueError(f"{name} scores {len(rows)} rows, prevalence {len(base)}")
    y = base["label"].to_numpy(dtype=np.float64)
    month, months = pd.factorize(base["as_of"], sort=True)
    drug, drugs = pd.factorize(base["drug_id"], sort=True)
    found = base.loc[y > 0, ["drug_id", "as_of", "onset_date"]]
    event, days, ahead = np.full(len(y), -1), np.zeros_like(month), np.zeros_like(month)
    event[y > 0] = pd.factorize(
        pd.MultiIndex.from_frame(found[["drug_id", "onset_date"]]), sort=True
    )[0]
    onset, as_of = found["onset_date"].dt, found["as_of"].dt
    days[y > 0] = (found["onset_date"] - found["as_of"]).dt.days
    ahead[y > 0] = (onset.year - as_of.year) * 12 + onset.month - as_of.month
    scores = {name: rows["score"].to_numpy(dtype=np.float64) for name, rows in by_model.items()}
    return Rows(y, month, drug, event, days, ahead, scores), pd.DatetimeIndex(months), drugs


def compare(
    rows: Rows,
    draws: FloatArray,
    yardsticks: Sequence[str] = YARDSTICKS,
    closely: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Work out the figures of every model, with intervals and paired differences.

    Parameters
    ----------
    rows : Rows
        Drug-months.
    draws : ndarray of shape (resamples, drugs)
        From `~shortcast.training.metrics.drug_draws`.
    yardsticks : sequence of str
        Models that the others are compared with.
    closely : sequence of str, optional
        Models that get intervals and comparisons with one another; all by default.

    Returns
    -------
    dict
        ``rows``, ``positives``, ``prevalence``, ``events`` and ``models``: figures by name, each
        with ``versus``. Without rows the models have no figures.
    """
    y, month, drug = rows.y, rows.month, rows.drug
    models: dict[str, dict[str, Any]] = {name: {} for name in rows.scores}
    found = {
        "rows": len(y),
        "positives": int(y.sum()),
        "prevalence": _number(float(y.mean())) if len(y) else None,
        "events": len(np.unique(rows.event[rows.event >= 0])),
        "models": models,
    }
    if not len(y):
        return found
    reference = rows.scores["prevalence"]
    samples: dict[str, dict[str, FloatArray]] = {}
    for name, score in rows.scores.items():
        figures = models[name]
        if closely is not None and name not in closely:
            figures |= plain_figures(y, score, reference, month)
            continue
        sample = _bootstrap(y, score, reference, month, drug, draws)
        for key, value in _figures(y, score, reference, month).items():
            figures[key] = _number(value)
            if key in sample and figures[key] is not None:
                figures[f"{key}_interval"] = _interval(sample[key])
        for size in EVENT_SIZES:
            figures[f"events_at_{size}"] = _event_recall(
                rows, metrics.on_list(y, score, month, size), draws
            )
        samples[name] = sample
    for name in samples:
        figures = models[name]
        figures["versus"] = {
            yardstick: {
                key: _difference(
                    figures[key],
                    models[yardstick][key],
                    samples[name][key],
                    samples[yardstick][key],
                )
                for key in COMPARED
            }
            for yardstick in yardsticks
            if yardstick in samples and yardstick != name
        }
    return found


def compared_draws(rows: Rows, score: FloatArray, draws: FloatArray) -> dict[str, FloatArray]:
    """Bootstrap the figures that models are compared by.

    Parameters
    ----------
    rows : Rows
        Drug-months.
    score : ndarray of shape (rows,)
        Scores.
    draws : ndarray of shape (resamples, drugs)
        From `~shortcast.training.metrics.drug_draws`.

    Returns
    -------
    dict of str to ndarray of shape (resamples,)
        By the names of `COMPARED`.
    """
    average, area = metrics.ap_and_auc_draws(rows.y, score, rows.drug, draws)
    lists = metrics.precision_recall_draws(rows.y, score, rows.month, (50,), rows.drug, draws)
    return {"ap": average, "roc_auc": area, "precision_at_50": lists[50][0]}


def _difference(
    own: float | None, other: float | None, own_draws: FloatArray, other_draws: FloatArray
) -> dict[str, Any]:
    """Take a paired difference with its interval."""
    return {
        "difference": _number((own or 0.0) - (other or 0.0)),
        "interval": _interval(own_draws - other_draws),
    }


def _frozen(
    rows: Rows, model: str, figures: Mapping[str, Any], draws: FloatArray
) -> dict[str, Any]:
    """Hold the live scores of a model against those of each drug's first month."""
    live = rows.scores[model]
    frozen = frozen_scores(live, rows.month, rows.drug)
    kept = _figures(rows.y, frozen, rows.scores["prevalence"], rows.month)
    first, second = (compared_draws(rows, score, draws) for score in (live, frozen))
    return {
        **{
            key: value
            for name in COMPARED
            for key, value in (
                (name, _number(kept[name])),
                (f"{name}_interval", _interval(second[name])),
            )
        },
        "live_minus_frozen": {
            key: _difference(figures[key], _number(kept[key]), first[key], second[key])
            for key in COMPARED
        },
    }


def _reliability(rows: Rows, model: str, draws: FloatArray) -> list[dict[str, Any]]:
    """Compare scores with outcomes in tenths of the rows, lowest scores first."""
    found = []
    for part in metrics.tenths(rows.scores[model]):
        score, y, drug = rows.scores[model][part], rows.y[part], rows.drug[part]
        with np.errstate(invalid="ignore", divide="ignore"):
            sample = metrics.sum_draws(y, drug, draws) / metrics.sum_draws(
                np.ones(len(y)), drug, draws
            )
        found.append(
            {
                "expected": _number(float(score.mean())),
                "observed": _number(float(y.mean())),
                "interval": _interval(sample),
                "rows": len(y),
                "positives": int(y.sum()),
            }
        )
    return found


def _timings(rows: Rows, draws: FloatArray) -> dict[str, dict[str, Any]]:
    """Say of every model whether drugs score higher in the months before their onset."""
    drugs = draws.shape[1]
    found: dict[str, dict[str, Any]] = {name: {} for name in rows.scores}
    for key in TIMINGS:
        samples: dict[str, tuple[float, FloatArray]] = {}
        for name, score in rows.scores.items():
            if key == "auc":
                counted, area = timing_of_drugs(rows.y, score, rows.drug, drugs)
            elif key == "auc_of_places":
                place = share_of_month(score, rows.month)
                counted, area = timing_of_drugs(rows.y, place, rows.drug, drugs)
            else:
                counted, area = timing_of_changes(
                    rows.y, logit(score), rows.month, rows.drug, drugs
                )
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.float64(area.sum()) / counted.sum()
                samples[name] = (float(mean), (draws @ area) / (draws @ counted))
            found[name][f"{key}_drugs"] = int(counted.sum())
        for name, (own, sample) in samples.items():
            found[name][key] = _number(own)
            found[name][f"{key}_interval"] = _interval(sample)
            found[name][f"{key}_versus"] = {
                other: {
                    "difference": _number(own - samples[other][0]),
                    "interval": _interval(sample - samples[other][1]),
                }
                for other in TIMING_YARDSTICKS
                if other in samples and other != name
            }
    return found


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
    average, area = metrics.ap_and_auc_draws(y, score, drug, draws)

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


def _event_recall(rows: Rows, on_list: np.ndarray, draws: FloatArray) -> dict[str, Any]:
    """Share of onsets that stood on a list in at least one month before, and how early."""
    before = rows.event >= 0
    listed, days = on_list[before], rows.days[before]
    codes, first, event = np.unique(rows.event[before], return_index=True, return_inverse=True)
    caught = np.bincount(event, weights=listed, minlength=len(codes)) > 0
    lead = np.zeros(len(codes))
    np.maximum.at(lead, event, np.where(listed, days, 0))
    weight = draws[:, rows.drug[before][first]]
    with np.errstate(invalid="ignore", divide="ignore"):
        sample = (weight @ caught.astype(np.float64)) / weight.sum(axis=1)
    quarter, half, three = (
        np.quantile(lead[caught], [0.25, 0.5, 0.75]) if caught.any() else [np.nan] * 3
    )
    months = rows.months[before]
    count = np.bincount(months)
    on = np.bincount(months, weights=listed)
    return {
        "events": len(codes),
        "caught": int(caught.sum()),
        "recall": _number(float(caught.mean()) if len(codes) else float("nan")),
        "recall_interval": _interval(sample),
        "lead_days_median": _number(float(half)),
        "lead_days_quartiles": [_number(float(quarter)), _number(float(three))],
        "months_ahead": [
            {"months": int(i), "listed": int(on[i]), "events": int(count[i])}
            for i in np.flatnonzero(count)
        ],
    }


def _number(value: float) -> float | None:
    """Round to six places; what is undefined becomes null."""
    return round(value, 6) if np.isfinite(value) else None


def _interval(sample: FloatArray) -> list[float | None]:
    """Take the middle 95 % of a bootstrap sample, leaving undefined resamples out."""
    finite = np.sort(sample[np.isfinite(sample)])
    if not len(finite):
        return [None, None]
    # As np.percentile does, which takes ten times as long on so few numbers.
    place = np.array([0.025, 0.975]) * (len(finite) - 1)
    below = place.astype(int)
    above = np.minimum(below + 1, len(finite) - 1)
    low, high = finite[below] + (finite[above] - finite[below]) * (place - below)
    return [_number(float(low)), _number(float(high))]
