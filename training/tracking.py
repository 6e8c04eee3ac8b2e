"""MLflow: runs, the reliability figure, the registered model. Imported only where needed."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import lightgbm
import numpy as np
import pandas as pd

from shortcast.errors import ShortcastError
from shortcast.features.kind import marked, warning
from shortcast.settings import settings
from shortcast.training.bundle import Bundle
from shortcast.training.card import model_card
from shortcast.training.figure import draw_reliability

# Nothing leaves the machine unasked. MLflow reads these when it is imported.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

with warnings.catch_warnings():
    # MLflow warns of its own type hints while it is being imported.
    warnings.simplefilter("ignore")
    import mlflow
    import mlflow.pyfunc
    from mlflow import MlflowClient, artifacts
    from mlflow import lightgbm as lightgbm_flavour
    from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    from shortcast.training.backtest import Backtest

P = ParamSpec("P")
R = TypeVar("R")

#: Name of the registered model.
REGISTERED = "shortcast-risk"
#: Alias of the version that the service answers with.
ALIAS = "champion"
#: Experiments by what they hold.
BACKTESTS, TRAININGS, PROMOTIONS = "shortcast-backtest", "shortcast-train", "shortcast-promote"
#: File of a backtest's run: what its champion forecast, beside the prevalence.
FORECASTS = "champion_forecasts.parquet"
#: What MLflow would install to load a model; named, so that it need not guess for a minute.
REQUIREMENTS = [f"{package.__name__}=={package.__version__}" for package in (lightgbm, np, pd)]


def _quietly(function: Callable[P, R]) -> Callable[P, R]:
    """Silence the deprecation warnings that MLflow's own code draws from its libraries."""

    @wraps(function)
    def quiet(*args: P.args, **kwargs: P.kwargs) -> R:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)

    return quiet


def client() -> MlflowClient:
    """Connect to the tracking store that the settings name.

    Returns
    -------
    MlflowClient

    Raises
    ------
    ShortcastError
        If the store cannot be reached or opened.
    """
    uri = settings().tracking_uri
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    # They log every migration of a new store and every model registered; we say it ourselves.
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        found = MlflowClient()
        found.search_experiments(max_results=1)
    except MlflowException as error:
        raise ShortcastError(
            f"The MLflow store {uri} cannot be opened ({error.message}); "
            "check SHORTCAST_MLFLOW_TRACKING_URI, or start the tracking server."
        ) from error
    return found


@contextmanager
def run(experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[mlflow.ActiveRun]:
    """Open a run of an experiment, which is made if it does not exist.

    Parameters
    ----------
    experiment, name : str
        Of the run.
    tags : mapping of str to str
        Tags of the run.

    Yields
    ------
    ActiveRun
    """
    store = client()
    found = store.get_experiment_by_name(experiment)
    if found is None:
        embedded = settings().tracking_uri.startswith("sqlite:")
        place = (settings().artifacts / experiment).resolve().as_uri() if embedded else None
        identity = store.create_experiment(experiment, artifact_location=place)
    else:
        identity = found.experiment_id
    with mlflow.start_run(experiment_id=identity, run_name=name, tags=dict(tags)) as active:
        yield active


@_quietly
def log_backtest(result: Backtest) -> str:
    """Log a backtest: protocol, figures, reliability, checksums of the records.

    Parameters
    ----------
    result : Backtest
        What `~shortcast.training.backtest.run_backtest` found.

    Returns
    -------
    str
        Identifier of the run.
    """
    manifest, metrics = result.manifest, result.metrics
    protocol = metrics["protocol"]
    with run(
        BACKTESTS,
        marked(f"backtest {protocol['from']} to {protocol['to']}", metrics["data"]),
        {
            "data": metrics["data"],
            "code_version": manifest["code_version"],
            "records_checksum": manifest["records_checksum"],
        },
    ) as active:
        mlflow.log_params({key: str(value) for key, value in protocol.items()})
        mlflow.log_params({key: str(value) for key, value in manifest["parameters"].items()})
        mlflow.log_metrics(flat_metrics(metrics))
        mlflow.log_dict(manifest["records"], "records.json")
        for name in ("metrics.json", "manifest.json"):
            mlflow.log_artifact(str(result.out / name))
        with tempfile.TemporaryDirectory() as folder:
            picture = Path(folder) / "reliability.png"
            draw_reliability(result.forecasts, metrics, picture)
            mlflow.log_artifact(str(picture))
            # What a later challenger is held against; all models would be some ten megabytes.
            forecasts = result.forecasts
            kept = forecasts[forecasts["model"].isin([metrics["champion"], "prevalence"])]
            kept.to_parquet(Path(folder) / FORECASTS, compression="zstd", index=False)
            mlflow.log_artifact(str(Path(folder) / FORECASTS))
        for page in result.out.glob("*report.html"):
            mlflow.log_artifact(str(page))
    return active.info.run_id


def flat_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Flatten ``metrics.json`` to names such as ``lightgbm/6/roc_auc``.

    Parameters
    ----------
    metrics : mapping
        As in ``metrics.json``.

    Returns
    -------
    dict of str to float
        Figures of all rows (not of the strata); undefined ones are left out.
    """
    found = {}
    for horizon, entry in metrics["horizons"].items():
        for model, figures in entry["models"].items():
            for key, value in figures.items():
                if isinstance(value, int | float):
                    found[f"{model}/{horizon}/{key}"] = float(value)
                elif key.startswith("events_at_") and value["recall"] is not None:
                    found[f"{model}/{horizon}/{key}"] = float(value["recall"])
    return found


@dataclass(frozen=True)
class TrackedBacktest:
    """A backtest in the store.

    Attributes
    ----------
    run_id : str
        Identifier of its run.
    metrics : dict
        Its ``metrics.json``.
    """

    run_id: str
    metrics: dict[str, Any]


@_quietly
def latest_backtest(records_checksum: str, code_version: str) -> TrackedBacktest | None:
    """Find the latest tracked backtest of the same records by the same version of the code.

    Parameters
    ----------
    records_checksum : str
        Checksum of the records.
    code_version : str
        Version of shortcast.

    Returns
    -------
    TrackedBacktest or None
        None if there is none.
    """
    store = client()
    experiment = store.get_experiment_by_name(BACKTESTS)
    if experiment is None:
        return None
    runs = store.search_runs(
        [experiment.experiment_id],
        f"tags.records_checksum = '{records_checksum}' AND tags.code_version = '{code_version}' "
        "AND attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    if not runs:
        return None
    run_id = runs[0].info.run_id
    return TrackedBacktest(run_id, artifacts.load_dict(f"runs:/{run_id}/metrics.json"))


@_quietly
def log_training(
    bundle: Bundle, parameters: Mapping[str, Any], backtest: TrackedBacktest | None = None
) -> tuple[str, str]:
    """Log a trained model and register it.

    Each Booster is logged in LightGBM's own format, each regression as the file that the
    bundle holds; what is registered is the whole bundle, so that
    ``models:/shortcast-risk@champion`` is what the service answers with.

    Parameters
    ----------
    bundle : Bundle
        The model.
    parameters : mapping of str to object
        Parameters of its training.
    backtest : TrackedBacktest, optional
        What the bundle's figures come from; its run is named, and its reliability figure
        logged again here: on rows that the model has learnt from, it would flatter.

    Returns
    -------
    run_id, version : str
        Of the run and of the registered model.
    """
    tags = {
        "data": bundle.data,
        "code_version": bundle.code_version,
        "records_checksum": bundle.records_checksum,
    }
    name = marked(f"train to {bundle.trained_through}", bundle.data)
    with run(TRAININGS, name, tags) as active:
        mlflow.log_params({key: str(value) for key, value in parameters.items()})
        if bundle.metrics:
            mlflow.log_metrics(flat_metrics(bundle.metrics))
        if backtest is not None:
            mlflow.set_tag("backtest_run", backtest.run_id)
            with tempfile.TemporaryDirectory() as folder:
                picture = artifacts.download_artifacts(
                    run_id=backtest.run_id, artifact_path="reliability.png", dst_path=folder
                )
                mlflow.log_artifact(picture)
        for horizon in bundle.horizons:
            mlflow.log_text(bundle.linear[horizon].to_text(), f"linear-{horizon}-months.json")
            for name, booster in bundle.boosters(horizon).items():
                lightgbm_flavour.log_model(
                    booster, name=f"{name}-{horizon}-months", pip_requirements=REQUIREMENTS
                )
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "bundle"
            bundle.save(place)
            (place / "MODEL_CARD.md").write_text(model_card(bundle), encoding="utf-8")
            logged = mlflow.pyfunc.log_model(
                name="bundle",
                loader_module="shortcast.training.registered",
                data_path=str(place),
                pip_requirements=REQUIREMENTS,
            )
    store = client()
    if not store.search_registered_models(f"name = '{REGISTERED}'"):
        store.create_registered_model(REGISTERED)
    version = store.create_model_version(
        REGISTERED,
        logged.model_uri,
        run_id=active.info.run_id,
        tags={"data": bundle.data},
        model_id=logged.model_id,
        description=warning(bundle.data),
    )
    return active.info.run_id, str(version.version)


@_quietly
def download_bundle(version: str, folder: Path) -> Bundle:
    """Fetch the bundle of a registered version.

    Parameters
    ----------
    version : str
        Version of the registered model.
    folder : Path
        Empty folder to download into.

    Returns
    -------
    Bundle
        Without its version, which is not known when a model is logged.

    Raises
    ------
    ShortcastError
        If there is no such version.
    """
    client()
    try:
        place = artifacts.download_artifacts(
            artifact_uri=f"models:/{REGISTERED}/{version}", dst_path=str(folder)
        )
    except MlflowException as error:
        raise ShortcastError(
            f"There is no version {version} of {REGISTERED} ({error.message}); "
            "run `shortcast train` first."
        ) from error
    found = sorted(Path(place).rglob("bundle.json"))
    if not found:
        raise ShortcastError(f"Version {version} of {REGISTERED} holds no bundle; train again.")
    return Bundle.load(found[0].parent)


@_quietly
def latest_version() -> str:
    """Return the newest version of the registered model.

    Returns
    -------
    str

    Raises
    ------
    ShortcastError
        If no model was ever registered.
    """
    versions = client().search_model_versions(f"name = '{REGISTERED}'")
    if not versions:
        raise ShortcastError("No model has been trained yet; run `shortcast train` first.")
    return str(max(int(version.version) for version in versions))


@_quietly
def set_champion(version: str) -> None:
    """Move the alias ``champion`` to a version.

    Parameters
    ----------
    version : str
        Version of the registered model.
    """
    client().set_registered_model_alias(REGISTERED, ALIAS, version)


@_quietly
def champion_version(data: str) -> str | None:
    """Return the version that is the champion.

    Parameters
    ----------
    data : str
        'real' or 'simulated'.

    Returns
    -------
    str or None
        None if there is none, or it was trained on the other kind of records: one store may know
        the models of two homes.
    """
    store = client()
    try:
        found = store.get_model_version_by_alias(REGISTERED, ALIAS)
    except MlflowException:
        # There is no such alias yet, or no model at all.
        return None
    trained = store.get_run(str(found.run_id)).data.tags.get("data")
    return str(found.version) if trained == data else None


@_quietly
def backtest_forecasts(version: str) -> pd.DataFrame | None:
    """Read what the champion of a version's backtest forecast.

    Parameters
    ----------
    version : str
        Version of the registered model.

    Returns
    -------
    DataFrame or None
        As in ``forecasts.parquet``, dates as timestamps; None if no backtest went with the
        version, or its run holds no forecasts.
    """
    store = client()
    trained = store.get_run(str(store.get_model_version(REGISTERED, version).run_id))
    run_id = trained.data.tags.get("backtest_run")
    if run_id is None or FORECASTS not in {f.path for f in store.list_artifacts(run_id)}:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = artifacts.download_artifacts(run_id=run_id, artifact_path=FORECASTS, dst_path=folder)
        found = pd.read_parquet(path)
    return found.assign(
        as_of=pd.to_datetime(found["as_of"]), onset_date=pd.to_datetime(found["onset_date"])
    )


@_quietly
def log_promotion(verdict: Mapping[str, Any], data: str) -> str:
    """Log what the promotion rule said of a version, and what was done about it.

    Parameters
    ----------
    verdict : mapping
        See `~shortcast.training.promotion.Promotion`.
    data : str
        'real' or 'simulated'.

    Returns
    -------
    str
        Identifier of the run; its figures are metrics such as ``champion/ap/difference``, and
        all of it is ``verdict.json``.
    """
    version = verdict["version"]
    said = "passed" if verdict["passed"] else "forced" if verdict["forced"] else "refused"
    tags = {"data": data, "verdict": said, "reason": verdict["forced"] or ""}
    with run(PROMOTIONS, marked(f"promote version {version}", data), tags) as active:
        mlflow.log_params({"version": version, "champion": verdict["champion"] or "none"})
        mlflow.log_metrics(
            {
                f"{check['name']}/{key}": value
                for check in verdict["checks"]
                for key, value in _numbers(check["figures"]).items()
            }
        )
        mlflow.log_dict(dict(verdict), "verdict.json")
    client().set_model_version_tag(REGISTERED, version, "verdict", said)
    return active.info.run_id


def _numbers(figures: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Flatten figures to names that MLflow takes; an interval becomes its two ends."""
    found: dict[str, float] = {}
    for key, value in figures.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{name}/")
        elif isinstance(value, list):
            ends = zip(("low", "high"), value, strict=True)
            found |= {f"{name}/{end}": float(v) for end, v in ends if v is not None}
        elif isinstance(value, int | float):
            found[name] = float(value)
    return found
