"""The walk-forward backtest and the files that it writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import sklearn

import shortcast
from shortcast.errors import ShortcastError
from shortcast.features.groups import registry
from shortcast.features.groups.contract import Group
from shortcast.features.kind import mark_folder, marked, metadata
from shortcast.training import leaky
from shortcast.training.ablation import group_models, group_worth
from shortcast.training.baselines import PAST_LISTINGS
from shortcast.training.bundle import rank_scores
from shortcast.training.calibration import FloatArray, coherent
from shortcast.training.evaluation import evaluate
from shortcast.training.fitting import Fitted, TrainingRows, blend, fit, side_by_side, training_rows
from shortcast.training.matrix import categories_of, encode, require_columns
from shortcast.training.models import CHAMPION, PARTS, Factory, standing_models
from shortcast.training.onsets import explained, onset_list
from shortcast.training.other_outcomes import other_outcomes
from shortcast.training.outcomes import HORIZONS, as_days, known_events, onset_labels
from shortcast.training.page import evaluation_page
from shortcast.training.report.page import report_page
from shortcast.training.splits import RETRAIN_MONTHS, walk_forward
from shortcast.training.stability import LIST_SIZE, month_to_month, rank_change
from shortcast.training.stages import Stages

#: Columns of ``forecasts.parquet``, in order.
FORECASTS = pa.schema(
    [
        ("drug_id", pa.string()),
        ("as_of", pa.date32()),
        ("horizon_months", pa.int32()),
        ("model", pa.string()),
        ("score", pa.float64()),
        ("rank", pa.int32()),
        ("label", pa.bool_()),
        ("onset_date", pa.date32()),
        ("previously_listed", pa.bool_()),
        ("form_group", pa.string()),
    ]
)

#: Columns of ``events.parquet``, in order.
EVENTS = pa.schema(
    [
        ("drug_id", pa.string()),
        ("onset_date", pa.date32()),
        ("end_date_earliest", pa.date32()),
        ("end_date_latest", pa.date32()),
    ]
)


#: Models that are looked at in every year and kind of drug: the one that is served, and what it
#: must be better than.
CLOSELY = (CHAMPION, "points", "traits")


@dataclass(frozen=True)
class Backtest:
    """What a backtest found.

    Attributes
    ----------
    forecasts, events : DataFrame
        As written to ``forecasts.parquet`` and ``events.parquet``.
    metrics, manifest : dict
        As written to ``metrics.json`` and ``manifest.json``.
    out : Path
        Folder of the files.
    """

    forecasts: pd.DataFrame
    events: pd.DataFrame
    metrics: dict[str, Any]
    manifest: dict[str, Any]
    out: Path


def run_backtest(
    panel: pd.DataFrame | Path,
    spells: pd.DataFrame,
    records_end: date,
    start: date,
    end: date,
    out: Path,
    *,
    horizons: Sequence[int] = HORIZONS,
    retrain_every: int = RETRAIN_MONTHS,
    calibration_months: int = 12,
    resamples: int = 1000,
    seed: int = 0,
    random_split: bool = False,
    report: bool = False,
    by_group: bool = False,
    discontinuations: pd.DataFrame | None = None,
    groups: Mapping[str, Group] | None = None,
    more_models: Mapping[str, Factory] | None = None,
    records: Mapping[str, str] | None = None,
    records_checksum: str = "",
    data: str = "real",
    code_version: str = shortcast.__version__,
    track: bool = True,
    progress: Callable[[str], None] = lambda message: None,
) -> Backtest:
    """Backtest every model, month by month, as it would have been run at the time.

    Models are retrained every ``retrain_every`` months on the labels that had matured by
    then, and score all drugs at risk. Same panel, spells and seed: same bytes in
    ``forecasts.parquet``, ``events.parquet``, ``metrics.json`` and ``evaluation.md`` (the
    figures for readers); what differs from run to run (seconds, memory) stands in
    ``manifest.json`` alone.

    Parameters
    ----------
    panel : DataFrame or Path
        The drug-month table or its Parquet file: ``drug_id``, ``as_of``, ``at_risk`` and all
        features, from well before ``start`` (18 months and the horizon twice) to ``end``.
    spells : DataFrame
        ``drug_id``, ``onset_date``, ``end_date_earliest``, ``end_date_latest``; with the
        column ``known_from``, an onset counts in training only after that day.
    records_end : date
        Last day that the shortage records reach.
    start, end : date
        First and last as-of date to score, first days of months.
    out : Path
        Folder for the files; made if it does not exist.
    horizons : sequence of int
        Months, ascending.
    retrain_every, calibration_months : int
        Cadence and calibration slice, in months.
    resamples : int
        Bootstrap resamples of drugs.
    seed : int
        Seed of the trees and the bootstrap.
    random_split : bool
        Whether to add, as a warning, what a leaky random split would have claimed.
    report : bool
        Whether to write ``report.html``, the page of all figures (``SIMULATED-report.html``
        where the records are made up).
    by_group : bool
        Whether to fit the champion without each feature group, and on each alone, at one
        horizon: dear.
    discontinuations : DataFrame, optional
        ``drug_id``, ``event_date`` and, if the records tell, ``known_from``: an outcome of its
        own, as are the ends of the spells (see `~shortcast.training.other_outcomes`).
    groups : mapping of str to Group, optional
        Feature groups; those of the registry by default.
    more_models : mapping of str to callable, optional
        Further models by name: each call makes an unfitted `RiskModel`.
    records : mapping of str to str, optional
        Checksums of the records by source.
    records_checksum : str
        One checksum of all records; a trained model finds its backtest by it.
    data : str
        'real' or 'simulated'.
    code_version : str
        Version of the code, for the manifest.
    track : bool
        Whether to log the run to MLflow.
    progress : callable
        Told what is being done.

    Returns
    -------
    Backtest

    Raises
    ------
    ShortcastError
        If the panel lacks columns or months, or no label has matured.
    """
    stages = Stages()
    with stages.stage("read"):
        groups = dict(registry()) if groups is None else dict(groups)
        if isinstance(panel, Path):
            progress(f"Reading {panel.name}")
            panel = pd.read_parquet(panel)
        catalogue = {f.name: f for group in groups.values() for f in group.features}
        required = ("drug_id", "as_of", "at_risk", "form_group", PAST_LISTINGS, *catalogue)
        require_columns(panel, required, "panel")
        require_columns(spells, EVENTS.names, "table of shortage spells")
        panel = panel[as_days(panel["as_of"]) <= pd.Timestamp(end)].reset_index(drop=True)
        as_of = as_days(panel["as_of"])
        months = [stamp.date() for stamp in as_of.drop_duplicates().sort_values()]
        categories = categories_of(panel, catalogue.values())
        X = encode(panel, list(catalogue), categories)
        factories = {
            **standing_models(groups, categories, seed),
            **(more_models or {}),
        }
        folds = {
            h: walk_forward(months, start, end, h, retrain_every, calibration_months)
            for h in horizons
        }
        at_risk = panel["at_risk"].astype("boolean").fillna(False).to_numpy(dtype=bool)
        scored = np.flatnonzero(at_risk & (as_of >= pd.Timestamp(start)).to_numpy())
        # The horizon that the page looks at more closely.
        main = 6 if 6 in horizons else horizons[0]
        variants = group_models(groups, categories, seed) if by_group else {}
        # What came to pass is for judging only; no fit sees it.
        outcome = onset_labels(panel, spells, records_end, horizons).iloc[scored]
        came = scored[outcome[f"onset_{main}"].fillna(False).to_numpy(dtype=bool)]

    risk = {name: np.full((len(panel), len(horizons)), np.nan) for name in factories}

    def fit_and_score(
        name: str, rows: TrainingRows, horizon: int, test: np.ndarray, column: int
    ) -> Fitted:
        with stages.stage(f"fit {name}"):
            fitted = fit(factories[name], rows, horizon)
            risk[name][test, column] = fitted.risk(X.iloc[test])
        return fitted

    varied = {name: np.full(len(panel), np.nan) for name in variants}
    champions: dict[tuple[date, int], Fitted] = {}

    def fit_and_score_blend(
        retrain: date, rows: TrainingRows, horizon: int, test: np.ndarray, column: int
    ) -> None:
        # What is averaged stands in the backtest for itself, too: it is fitted once.
        parts = {name: fit_and_score(name, rows, horizon, test, column) for name in PARTS}
        with stages.stage(f"fit {CHAMPION}"):
            champions[retrain, horizon] = blend(parts, rows, horizon)
            risk[CHAMPION][test, column] = champions[retrain, horizon].risk(X.iloc[test])

    def fit_and_score_variant(
        name: str, rows: TrainingRows, horizon: int, test: np.ndarray
    ) -> None:
        with stages.stage("fit groups"):
            varied[name][test] = fit(variants[name], rows, horizon).risk(X.iloc[test])

    moved: dict[tuple[str, pd.Timestamp], Any] = {}
    changes: list[dict[str, Any]] = []
    features = list(catalogue.values())
    retrainings = [folds[horizons[0]][i].retrain for i in range(len(folds[horizons[0]]))]
    for i, retrain in enumerate(retrainings):
        progress(f"Training as of {retrain} ({i + 1} of {len(retrainings)})")
        with stages.stage("label"):
            labels = onset_labels(
                panel, known_events(spells, "onset_date", retrain), retrain, horizons
            )
        fits: list[Callable[[], object]] = []
        for column, horizon in enumerate(horizons):
            fold = folds[horizon][i]
            rows = training_rows(X, as_of, panel["at_risk"], labels[f"onset_{horizon}"], fold)
            test = scored[as_of.iloc[scored].isin(pd.to_datetime(list(fold.test))).to_numpy()]
            fits.append(partial(fit_and_score_blend, retrain, rows, horizon, test, column))
            for name in (name for name in factories if name not in (CHAMPION, *PARTS)):
                fits.append(partial(fit_and_score, name, rows, horizon, test, column))
            if horizon == main:
                fits += [partial(fit_and_score_variant, v, rows, main, test) for v in variants]
        side_by_side(fits)
        with stages.stage("explain"):
            fold = folds[main][i]
            fitted = champions[retrain, main]
            month = scored[(as_of.iloc[scored] == pd.Timestamp(fold.test[0])).to_numpy()]
            if i:
                # The same drugs on the same day, by the model before and by the new one.
                earlier = champions[retrainings[i - 1], main]
                change = rank_change(earlier.risk(X.iloc[month]), fitted.risk(X.iloc[month]))
                changes.append({"as_of": retrain.isoformat(), **change})
            tested = scored[as_of.iloc[scored].isin(pd.to_datetime(list(fold.test))).to_numpy()]
            before = np.intersect1d(tested, came)
            moved |= explained(fitted, X.iloc[before], panel.iloc[before], features)

    with stages.stage("forecasts"):
        progress("Ranking and scoring the forecasts")
        forecasts = _forecasts(panel.iloc[scored], outcome, risk, scored, horizons)
        events = _events(spells)

    with stages.stage("metrics"):
        metrics: dict[str, Any] = {
            "champion": CHAMPION,
            "data": data,
            "protocol": {
                "from": start.isoformat(),
                "to": end.isoformat(),
                "records_end": records_end.isoformat(),
                "retrain_every_months": retrain_every,
                "calibration_months": calibration_months,
                "gap": "the horizon",
                "bootstrap_resamples": resamples,
                "seed": seed,
                "models": sorted(factories),
            },
            "horizons": _evaluate(forecasts, events, panel, horizons, resamples, seed, progress),
        }
        of_main = forecasts[(forecasts["horizon_months"] == main) & forecasts["label"].notna()]
        months_between = of_main[of_main["model"] == CHAMPION]
        metrics["rank_changes"] = {
            "horizon_months": main,
            "list_size": LIST_SIZE,
            "retrainings": changes,
            "months": month_to_month(months_between),
        }
        metrics["onsets"] = {
            "horizon_months": main,
            "list": onset_list(of_main, CHAMPION, moved),
        }
        if variants:
            progress("Comparing the feature groups")
            column = list(horizons).index(main)
            fitted_to = {name: values[:, None] for name, values in varied.items()}
            fitted_to |= {name: risk[name][:, [column]] for name in ("prevalence", CHAMPION)}
            table = _forecasts(panel.iloc[scored], outcome, fitted_to, scored, (main,))
            table = table[table["label"].notna()]
            metrics["groups"] = group_worth(table, groups, resamples, seed)
    with stages.stage("other outcomes"):
        progress("Foreseeing discontinuations and resolutions, by baselines")
        events_of = {"resolution": spells}
        if discontinuations is not None:
            events_of["discontinuation"] = discontinuations
        metrics["other_outcomes"] = other_outcomes(
            X, panel, events_of, folds, records_end, categories, seed
        )
    if random_split:
        with stages.stage("leaky random split"):
            progress("Running the leaky random split, for comparison only")
            metrics["leaky_random_split"] = leaky.random_split(
                X,
                panel["at_risk"],
                onset_labels(panel, spells, records_end, horizons),
                as_of,
                start,
                factories[CHAMPION],
                list(catalogue.values()),
                seed,
                horizon=main,
            )

    with stages.stage("write"):
        out.mkdir(parents=True, exist_ok=True)
        # Their names are fixed: what is made up says so beside them and inside.
        mark_folder(out, data)
        _write_parquet(forecasts, FORECASTS, out / "forecasts.parquet", data)
        _write_parquet(events, EVENTS, out / "events.parquet", data)
        _write_json(metrics, out / "metrics.json")
        (out / "evaluation.md").write_text(evaluation_page(metrics), encoding="utf-8")
    names = ["forecasts.parquet", "events.parquet", "metrics.json", "evaluation.md"]
    for page in ("report.html", marked("report.html", "simulated")):
        # That of an earlier run into this folder tells of other figures.
        (out / page).unlink(missing_ok=True)
    if report:
        with stages.stage("report"):
            names.append(marked("report.html", data))
            (out / names[-1]).write_text(report_page(metrics), encoding="utf-8")
    manifest = {
        "code_version": code_version,
        "data": data,
        "records_checksum": records_checksum,
        "records": dict(sorted((records or {}).items())),
        "panel": {
            "rows": len(panel),
            "drugs": int(panel["drug_id"].nunique()),
            "as_of_first": months[0].isoformat(),
            "as_of_last": months[-1].isoformat(),
            "features": list(catalogue),
        },
        "seeds": {"models": seed, "bootstrap": seed},
        "parameters": factories[CHAMPION]().description(),
        "libraries": {
            "lightgbm": lightgbm.__version__,
            "numpy": np.__version__,
            "pandas": pd.__version__,
            "pyarrow": pa.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "files": {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in names},
        "seconds": stages.seconds,
        "peak_memory_bytes": stages.peak_memory_bytes,
    }
    _write_json(manifest, out / "manifest.json")
    result = Backtest(forecasts, events, metrics, manifest, out)
    if track:
        # mlflow takes seconds to import; a backtest that is not tracked does without.
        from shortcast.training import tracking

        progress("Logging to MLflow")
        tracking.log_backtest(result)
    return result


def _forecasts(
    rows: pd.DataFrame,
    outcome: pd.DataFrame,
    risk: Mapping[str, FloatArray],
    scored: np.ndarray,
    horizons: Sequence[int],
) -> pd.DataFrame:
    """Lay out the forecasts of all models and horizons, ranked and sorted."""
    as_of = as_days(rows["as_of"])
    next_onset = outcome["next_onset"].reset_index(drop=True)
    parts = []
    for name, values in risk.items():
        scores = coherent(values[scored])
        for i, horizon in enumerate(horizons):
            label = outcome[f"onset_{horizon}"].astype("boolean").reset_index(drop=True)
            parts.append(
                pd.DataFrame(
                    {
                        "drug_id": rows["drug_id"].astype(object).to_numpy(),
                        "as_of": as_of.to_numpy(),
                        "horizon_months": np.int32(horizon),
                        "model": name,
                        "score": scores[:, i],
                        "label": label,
                        "onset_date": next_onset.where(label.fillna(False)),
                        "previously_listed": (rows[PAST_LISTINGS].fillna(0) > 0).to_numpy(),
                        "form_group": rows["form_group"].astype(object).to_numpy(),
                    }
                )
            )
    table = pd.concat(parts, ignore_index=True)
    if table["score"].isna().any():
        raise ValueError("a model left drugs at risk without a score")
    table = rank_scores(table, by=("horizon_months", "model", "as_of"))
    return table[FORECASTS.names]


def _events(spells: pd.DataFrame) -> pd.DataFrame:
    """All spells of the records, sorted."""
    dates = {name: as_days(spells[name]) for name in EVENTS.names if name != "drug_id"}
    table = pd.DataFrame({"drug_id": spells["drug_id"].astype(object), **dates})
    return table.sort_values(["onset_date", "drug_id"], kind="stable", ignore_index=True)


def _evaluate(
    forecasts: pd.DataFrame,
    events: pd.DataFrame,
    panel: pd.DataFrame,
    horizons: Sequence[int],
    resamples: int,
    seed: int,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Figures by horizon; a horizon whose labels have not matured says so."""
    keys = pd.MultiIndex.from_arrays([panel["drug_id"].astype(object), as_days(panel["as_of"])])
    strata = {
        "previously_listed": pd.Series((panel[PAST_LISTINGS].fillna(0) > 0).to_numpy(), keys),
        "injection": pd.Series((panel["form_group"] == "injection").to_numpy(), keys),
    }
    if "single_source" in panel.columns:
        single = panel["single_source"].astype("boolean").fillna(False)
        strata["single_source"] = pd.Series(single.to_numpy(dtype=bool), keys)
    found = {}
    for horizon in horizons:
        progress(f"Scoring the forecasts at {horizon} months")
        rows = forecasts[forecasts["horizon_months"] == horizon]
        rows = rows[rows["label"].notna()]
        if rows.empty:
            raise ShortcastError(
                f"No label of {horizon} months has matured in this window; "
                "choose an earlier window or fewer horizons."
            )
        found[str(horizon)] = evaluate(rows, events, strata, resamples, seed, CLOSELY)
    return found


def _write_parquet(table: pd.DataFrame, schema: pa.Schema, path: Path, data: str) -> None:
    """Write a table so that the same rows give the same bytes."""
    # The pandas metadata would carry library versions into the file.
    arrow = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
    pq.write_table(
        arrow.replace_schema_metadata(metadata(data) or None),
        path,
        compression="zstd",
        version="2.6",
        row_group_size=1 << 17,
    )


def _write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write JSON with a fixed layout."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
