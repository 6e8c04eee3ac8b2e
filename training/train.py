"""Fit the model that is served, on every label that has matured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

import shortcast
from shortcast.features.groups import registry
from shortcast.features.groups.contract import Group
from shortcast.training.baselines import Logistic
from shortcast.training.bundle import Bundle, BundleFeature
from shortcast.training.fitting import Fitted, fit, side_by_side, training_rows
from shortcast.training.matrix import categories_of, encode, require_columns
from shortcast.training.models import CHAMPION, PARTS, Blend, BoostedTrees, standing_models
from shortcast.training.outcomes import HORIZONS, as_days, known_events, onset_labels
from shortcast.training.splits import training_fold


class Trained(NamedTuple):
    """Where a trained model is to be found.

    Attributes
    ----------
    run_id : str
        Identifier of the MLflow run.
    version : str
        Version of the registered model.
    bundle : Bundle
        The model itself.
    """

    run_id: str
    version: str
    bundle: Bundle


def train(
    panel: pd.DataFrame | Path,
    spells: pd.DataFrame,
    records_end: date,
    *,
    horizons: Sequence[int] = HORIZONS,
    calibration_months: int = 12,
    seed: int = 0,
    groups: Mapping[str, Group] | None = None,
    records_checksum: str = "",
    data: str = "real",
    code_version: str = shortcast.__version__,
    progress: Callable[[str], None] = lambda message: None,
) -> Trained:
    """Train the champion model, log it to MLflow and register it.

    The figures that go with it are those of the latest tracked backtest of the same records by
    the same version of the code.

    Parameters
    ----------
    panel : DataFrame or Path
        The drug-month table or its Parquet file.
    spells : DataFrame
        ``drug_id``, ``onset_date`` and, if the records tell, ``known_from``.
    records_end : date
        Last day that the shortage records reach.
    horizons : sequence of int
        Months, ascending.
    calibration_months : int
        Length of the calibration slice.
    seed : int
        Seed of the trees.
    groups : mapping of str to Group, optional
        Feature groups; those of the registry by default.
    records_checksum, data, code_version : str
        What the model is made from and by.
    progress : callable
        Told what is being done.

    Returns
    -------
    Trained
        Run and version.

    Raises
    ------
    ShortcastError
        If the panel lacks columns or is too short.
    """
    # Heavy, and not needed to fit.
    from shortcast.training import tracking

    if isinstance(panel, Path):
        panel = pd.read_parquet(panel)
    backtest = tracking.latest_backtest(records_checksum, code_version)
    groups = registry() if groups is None else groups
    bundle = fit_bundle(
        panel,
        spells,
        records_end,
        horizons=horizons,
        calibration_months=calibration_months,
        seed=seed,
        groups=groups,
        records_checksum=records_checksum,
        data=data,
        code_version=code_version,
        metrics=summary(backtest.metrics) if backtest else {},
        progress=progress,
    )
    progress("Logging to MLflow")
    parameters = {
        "seed": seed,
        "calibration_months": calibration_months,
        "horizons": list(horizons),
        "records_end": records_end,
        **standing_models(groups, bundle.categories, seed)[CHAMPION]().description(),
    }
    return Trained(*tracking.log_training(bundle, parameters, backtest), bundle)


def fit_bundle(
    panel: pd.DataFrame,
    spells: pd.DataFrame,
    records_end: date,
    *,
    horizons: Sequence[int],
    calibration_months: int,
    seed: int,
    groups: Mapping[str, Group],
    records_checksum: str,
    data: str,
    code_version: str,
    metrics: Mapping[str, Any],
    progress: Callable[[str], None] = lambda message: None,
) -> Bundle:
    """Fit the champion model at every horizon; the parameters are those of `train`.

    Returns
    -------
    Bundle
        Without a version.
    """
    catalogue = {f.name: f for group in groups.values() for f in group.features}
    require_columns(panel, ("drug_id", "as_of", "at_risk", *catalogue), "panel")
    # The last retraining that the records allow; onsets of the begun month do not count yet.
    retrain = records_end.replace(day=1)
    as_of = as_days(panel["as_of"])
    panel = panel[(as_of < pd.Timestamp(retrain)).to_numpy()].reset_index(drop=True)
    as_of = as_days(panel["as_of"])
    categories = categories_of(panel, catalogue.values())
    X = encode(panel, list(catalogue), categories)
    factory = standing_models(groups, categories, seed)[CHAMPION]
    labels = onset_labels(panel, known_events(spells, "onset_date", retrain), retrain, horizons)
    first = as_of.min().date()
    folds = {
        h: training_fold(first, retrain, h, calibration_months=calibration_months) for h in horizons
    }

    def fit_horizon(horizon: int) -> Fitted:
        progress(f"Training for {horizon} months")
        label = labels[f"onset_{horizon}"]
        rows = training_rows(X, as_of, panel["at_risk"], label, folds[horizon])
        return fit(factory, rows, horizon)

    models, linear, platt = {}, {}, {}
    weights: dict[str, float] = {}
    jobs = [partial(fit_horizon, horizon) for horizon in horizons]
    for horizon, fitted in zip(horizons, side_by_side(jobs), strict=True):
        assert isinstance(fitted.model, Blend)
        trees, regression = (fitted.model.parts_[name] for name in PARTS)
        assert isinstance(trees, BoostedTrees)
        assert isinstance(regression, Logistic)
        models[horizon] = {
            name: booster.model_to_string() for name, booster in trees.boosters_.items()
        }
        weights = dict(trees.weights)
        linear[horizon] = regression.linear_
        platt[horizon] = fitted.platt
    group_of = {f.name: name for name, group in groups.items() for f in group.features}
    return Bundle(
        name=CHAMPION,
        version="",
        data=data,
        horizons=tuple(horizons),
        catalogue=tuple(
            BundleFeature(f.name, f.label, group_of[f.name]) for f in catalogue.values()
        ),
        groups={name: group.title for name, group in groups.items()},
        categories=categories,
        platt=platt,
        models=models,
        weights=weights,
        linear=linear,
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
        trained_from=first,
        trained_through=max(fold.train_through for fold in folds.values()),
        records_end=records_end,
        records_checksum=records_checksum,
        code_version=code_version,
        metrics=dict(metrics),
    )


def summary(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of ``metrics.json`` what a reader of the model needs.

    Parameters
    ----------
    metrics : mapping
        As in ``metrics.json``.

    Returns
    -------
    dict
        ``from``, ``to`` and ``horizons``: of every model the figures of the whole window; by kind
        of drug those of the champion.
    """
    champion = metrics["champion"]
    return {
        "from": metrics["protocol"]["from"],
        "to": metrics["protocol"]["to"],
        "horizons": {
            horizon: {
                **{key: value for key, value in found.items() if key != "years"},
                "models": {
                    name: {k: v for k, v in model.items() if k != "strata" or name == champion}
                    for name, model in found["models"].items()
                },
            }
            for horizon, found in metrics["horizons"].items()
        },
    }
