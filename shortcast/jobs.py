"""The jobs that join the four parts, each of which can be run alone and again.

The jobs of the schedule get the day they are run for and say what they did (`JobResult`);
`JOBS` names them. The command line calls the same functions.

What trains, scores or keeps the database is imported where it is used: it takes seconds, and
most commands need little of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd

from shortcast import __version__, features
from shortcast.errors import ShortcastError
from shortcast.features import groups, warehouse
from shortcast.features.archive import Archive, ImportReport, exclusive
from shortcast.features.asof import first_of_months
from shortcast.features.completeness import completeness
from shortcast.features.fetch_log import standings
from shortcast.features.kind import records_of
from shortcast.features.panel import make_panel, write_panel
from shortcast.features.sources import registry
from shortcast.settings import settings
from shortcast.training.splits import months_later

if TYPE_CHECKING:
    from shortcast.training.bundle import Bundle

Progress = Callable[[str], None]

#: First month of the panel that models are trained on: the shortage list is known since 2014.
PANEL_START = "2015-01"

#: Months of panel at the least that there must be to learn from and be judged on.
SHORTEST_PANEL = 60

#: Horizon in months that reasons are given for, between the short and the long one.
REASONS_HORIZON = 6

#: Facts that a reason names: the strongest of those that move the score its way.
PHRASES = 3


@dataclass(frozen=True)
class JobResult:
    """What a job did.

    Attributes
    ----------
    rows : int
        Rows that it wrote or looked at, in the job's own sense.
    inputs : dict
        What it worked from: checksums, versions, dates.
    message : str
        One sentence for the record of runs.
    """

    rows: int
    inputs: dict[str, Any] = field(default_factory=dict)
    message: str = ""


def quiet(_: str) -> None:
    """Take a line of progress and say nothing."""


def import_tree(tree: Path) -> ImportReport:
    """Take a tree ``SOURCE/AS_OF/FILE`` into the archive.

    Parameters
    ----------
    tree : Path
        The folder.

    Returns
    -------
    ImportReport
        What was added, held already, set aside and passed over.

    Raises
    ------
    ShortcastError
        If the folder holds nothing known, or another run is writing.
    """
    config = settings()
    with exclusive(config.home, what="the import"):
        return Archive(config.archive).import_tree(tree, registry())


@dataclass(frozen=True)
class Records:
    """What the warehouse in force says about its own records.

    Attributes
    ----------
    spells, discontinuations : DataFrame
        ``shortage_spells`` and ``discontinuations``.
    records_begin, records_end : date
        Day of the first capture of the shortage list, and last day that the shortage records
        reach.
    checksum, fingerprint, data : str
        Of the records, of the warehouse, and 'real' or 'simulated'.
    files : dict of str to str
        Checksum of every accepted snapshot by ``SOURCE/AS_OF``.
    """

    spells: pd.DataFrame
    discontinuations: pd.DataFrame
    records_begin: date
    records_end: date
    checksum: str
    fingerprint: str
    data: str
    files: dict[str, str]


def read_records(connection: duckdb.DuckDBPyConnection) -> Records:
    """Read what training needs beside the panel.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Connection to the warehouse.

    Returns
    -------
    Records
        The outcome tables and the identity of the records.

    Raises
    ------
    ShortcastError
        If the records hold no capture of the shortage list.
    """
    ((records_end,),) = connection.execute("SELECT records_end FROM records_reach").fetchall()
    if records_end is None:
        raise ShortcastError(
            "The records hold no capture of the FDA shortage list, so there is no outcome to "
            "learn; import one (fda_shortages/AS_OF/Drugshortages.csv) and build again."
        )
    ((records_begin,),) = connection.execute(
        "SELECT min(observed_at) FROM (SELECT observed_at FROM shortage_listings "
        "UNION ALL SELECT observed_at FROM shortage_html_spells)"
    ).fetchall()
    ((checksum, fingerprint, data),) = connection.execute(
        "SELECT records_checksum, fingerprint, data FROM build"
    ).fetchall()
    files = connection.sql(
        "SELECT source || '/' || as_of AS snapshot, checksum FROM snapshots "
        "WHERE state = 'accepted' ORDER BY snapshot"
    ).fetchall()
    return Records(
        spells=connection.sql("SELECT * FROM shortage_spells").df(),
        discontinuations=connection.sql("SELECT * FROM discontinuations").df(),
        records_begin=records_begin or records_end,
        records_end=records_end,
        checksum=checksum,
        fingerprint=fingerprint,
        data=data,
        files=dict(files),
    )


def latest_as_of(records_end: date) -> date:
    """Return the latest as-of date that the records allow: the day after they end.

    What happened after the last capture of the shortage list is not known, so a score for a
    later day would take silence for supply.

    Parameters
    ----------
    records_end : date
        Last day that the shortage records reach.

    Returns
    -------
    date
        The day after.
    """
    return records_end + timedelta(days=1)


def cached_panel(start: str, end: str, *, progress: Progress = quiet) -> Path:
    """Return the panel of the warehouse in force, made once for each warehouse and code.

    Parameters
    ----------
    start, end : str
        First and last month, ``YYYY-MM``.
    progress : callable
        Told what is being done.

    Returns
    -------
    Path
        The Parquet file.
    """
    config = settings()
    with warehouse.open_warehouse(config) as connection:
        fingerprint = read_records(connection).fingerprint
        digest = hashlib.sha256(f"{fingerprint} {start} {end}".encode())
        here = Path(features.__file__).parent
        for path in sorted([*here.glob("*.py"), *(here / "groups").glob("*.py")]):
            digest.update(path.read_bytes())
        folder = config.home / "panel"
        path = folder / f"panel-{start}-{end}-{digest.hexdigest()[:16]}.parquet"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_panel(connection, first_of_months(start, end), path, progress=progress)
            for old in folder.glob(f"panel-{start}-*.parquet"):
                if old != path:
                    old.unlink(missing_ok=True)
    return path


def first_month(records: Records) -> str:
    """Return the first month of the panel that models are trained on, ``YYYY-MM``.

    Real lists were there before their first capture, and tell of that time themselves. A made-up
    market has no sources before its records begin: its panel begins with them, unless it would
    be too short to learn from.

    Parameters
    ----------
    records : Records
        What the warehouse says of its records.

    Returns
    -------
    str
    """
    if records.data == "real":
        return PANEL_START
    begin = months_later(records.records_begin.replace(day=1), 1)
    latest = months_later(records.records_end.replace(day=1), 1 - SHORTEST_PANEL)
    return max(PANEL_START, f"{min(begin, latest):%Y-%m}")


def last_month(records: Records) -> str:
    """Return the last month whose panel rows the records reach, ``YYYY-MM``."""
    return f"{records.records_end:%Y-%m}"


def backtest(
    start: str,
    end: str,
    out: Path,
    *,
    random_split: bool = False,
    report: bool = False,
    by_group: bool = False,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Run the walk-forward backtest on the warehouse in force.

    Parameters
    ----------
    start, end : str
        First and last month to score, ``YYYY-MM``.
    out : Path
        Folder for the files.
    random_split : bool
        Also show what a leaky random split would have claimed.
    report : bool
        Also write ``report.html``, the page of all figures.
    by_group : bool
        Also fit the champion without each feature group and on each alone.
    progress : callable
        Told what is being done.

    Returns
    -------
    dict
        As in ``metrics.json``.
    """
    from shortcast.training.backtest import run_backtest

    months = first_of_months(start, end)
    with warehouse.open_warehouse() as connection:
        records = read_records(connection)
    panel = cached_panel(first_month(records), last_month(records), progress=progress)
    return run_backtest(
        panel,
        records.spells,
        records.records_end,
        months[0],
        months[-1],
        out,
        random_split=random_split,
        report=report,
        by_group=by_group,
        discontinuations=records.discontinuations,
        records=records.files,
        records_checksum=records.checksum,
        data=records.data,
        progress=progress,
    ).metrics


def train(*, progress: Progress = quiet) -> str:
    """Train the served model on all matured labels and register it.

    Parameters
    ----------
    progress : callable
        Told what is being done.

    Returns
    -------
    str
        Version in the model registry.
    """
    from shortcast.monitoring import drift
    from shortcast.training.train import train as fit

    with warehouse.open_warehouse() as connection:
        records = read_records(connection)
    path = cached_panel(first_month(records), last_month(records), progress=progress)
    trained = fit(
        path,
        records.spells,
        records.records_end,
        records_checksum=records.checksum,
        data=records.data,
        progress=progress,
    )
    # Drift is held against what the model learnt from: later months are not part of that.
    learnt = [
        ("as_of", ">=", trained.bundle.trained_from),
        ("as_of", "<=", trained.bundle.trained_through),
    ]
    panel = pd.read_parquet(path, filters=learnt)
    _write_reference(trained.version, drift.reference(panel, trained.bundle.score(panel)))
    return trained.version


def _reference_path(version: str) -> Path:
    """Return where the training window of a model version is summed up."""
    return settings().models / f"reference-{version}.json"


def _write_reference(version: str, reference: Mapping[str, Any]) -> None:
    """Keep the summary of a training window; the file appears whole or not at all."""
    path = _reference_path(version)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_text(json.dumps(reference, sort_keys=True), encoding="utf-8")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _read_reference(version: str) -> dict[str, Any] | None:
    """Return the summary of a training window; None if it is not kept or cannot be read."""
    try:
        return json.loads(_reference_path(version).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def score(day: date, *, as_of: date | None = None, progress: Progress = quiet) -> JobResult:
    """Score every drug with the champion and append to the forecast log.

    Parameters
    ----------
    day : date
        Today.
    as_of : date, optional
        As-of date; today by default, or the day after the records end if that is earlier.
    progress : callable
        Told what is being done.

    Returns
    -------
    JobResult
        Rows are forecasts; ``inputs`` names the run, the model and the records.

    Raises
    ------
    ShortcastError
        If there is no champion, it was trained on data of another kind or on features that
        are no more, the records do not reach the as-of date, or the champion had learnt
        from what came after it.
    """
    from shortcast.database import migrate
    from shortcast.monitoring import forecast_log

    config = settings()
    migrate(config)
    bundle = load_champion()
    with warehouse.open_warehouse(config) as connection:
        records = read_records(connection)
        if bundle.data != records.data:
            raise ShortcastError(
                f"The champion was trained on {bundle.data} records and the warehouse holds "
                f"{records.data} ones; train and promote again."
            )
        if gone := [name for name in bundle.features if name not in groups.features()]:
            raise ShortcastError(
                f"The champion was trained on features that this version of shortcast does not "
                f"have ({', '.join(gone[:5])}{', ...' if gone[5:] else ''}); train and promote "
                "again."
            )
        latest = latest_as_of(records.records_end)
        as_of = as_of or min(day, latest)
        if as_of > latest:
            raise ShortcastError(
                f"The shortage records end on {records.records_end}, and a score as of {as_of} "
                f"would take silence for supply; score as of {latest} (--as-of {latest}), "
                "or import newer records."
            )
        if not forecast_log.is_forecast(as_of, bundle.records_end):
            raise ShortcastError(
                f"The champion learnt from records through {bundle.records_end}, so its scores as "
                f"of {as_of} would be no forecast; score as of {latest_as_of(bundle.records_end)} "
                "or later, and ask the past with 'shortcast backtest'."
            )
        asked = forecast_log.NewRun(
            as_of=as_of,
            model_name=bundle.name,
            model_version=bundle.version,
            data=bundle.data,
            records_checksum=records.checksum,
            code_version=__version__,
            model_records_end=bundle.records_end,
        )
        by = f"as of {as_of} by {bundle.name} version {bundle.version}"
        if bundle.data != "real":
            by += f" from {records_of(bundle.data)}"
        inputs = {
            "as_of": as_of.isoformat(),
            "model": f"{bundle.name} {bundle.version}",
            "records": records.checksum[:12],
        }
        if (held := forecast_log.held_run(asked)) is not None:
            message = f"Nothing new to score: the drugs were scored {by} before, and that stands."
            return JobResult(rows=0, inputs={"run": held, **inputs}, message=message)
        progress(f"Features as of {as_of}")
        panel = make_panel(connection, [as_of]).to_pandas()
        if panel.empty:
            raise ShortcastError(
                f"The records know of no drug before {as_of}; score as of a later day."
            )
        names = connection.sql("SELECT drug_id, name, form_group FROM drugs").df()
    progress(f"Scoring {len(panel):,} drugs")
    forecasts = bundle.score(panel)
    run = forecast_log.append(asked, forecasts, _details(bundle, panel, names))
    return JobResult(
        rows=len(forecasts),
        inputs={"run": run, **inputs},
        message=f"{forecasts['drug_id'].nunique():,} drugs at risk scored {by}.",
    )


def load_champion() -> Bundle:
    """Load the exported champion.

    Raises
    ------
    ShortcastError
        If no model has been promoted.
    """
    from shortcast.training.bundle import Bundle

    folder = settings().champion
    if not folder.exists():
        raise ShortcastError(
            "No model has been promoted yet; run 'shortcast train' and 'shortcast promote'."
        )
    return Bundle.load(folder)


def _details(bundle: Bundle, panel: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """Return what the log keeps about each drug beside its scores."""
    reasons = bundle.reasons(panel, REASONS_HORIZON)
    registry = groups.registry()
    titles = {name: group.title for name, group in registry.items()}
    facts = [
        _strongest(found, total)
        for found, total in zip(reasons["features"], reasons["contribution"], strict=True)
    ]
    declared = groups.features()
    phrases = [[declared[f["name"]].phrase(f["value"]) for f in found] for found in facts]
    sources = [
        list(dict.fromkeys(declared[f["name"]].source or registry[group].source for f in found))
        for group, found in zip(reasons["group"], facts, strict=True)
    ]
    records = reasons.assign(
        title=reasons["group"].map(titles),
        direction=reasons["contribution"].gt(0).map({True: "raises", False: "lowers"}),
        phrases=pd.Series(phrases, index=reasons.index, dtype=object),
        sources=pd.Series(sources, index=reasons.index, dtype=object),
    )[["group", "title", "direction", "contribution", "phrases", "sources"]]
    listed = pd.Series(records.to_dict("records"), index=reasons["drug_id"], dtype=object)
    by_drug = listed.groupby(level=0).agg(list)
    frame = panel[["drug_id"]].assign(
        in_shortage=~panel["at_risk"].astype(bool), completeness=completeness(panel)
    )
    frame = frame.merge(names, on="drug_id", how="left", validate="one_to_one")
    told = by_drug.to_dict()
    frame["reasons"] = [told.get(drug_id, []) for drug_id in frame["drug_id"]]
    return frame


def _strongest(found: list[dict[str, Any]], total: float) -> list[dict[str, Any]]:
    """Return the facts that a reason names: those that move the score its way, strongest first.

    Of facts that are not known one is enough: in a group they mostly have the same reason.
    """
    agreeing = [fact for fact in found if fact["contribution"] * total > 0]
    unknown = [fact for fact in agreeing if fact["value"] is None]
    return [fact for fact in agreeing if fact not in unknown[1:]][:PHRASES]


def _fetch(day: date) -> JobResult:
    """Fetch the sources that are due.

    Raises
    ------
    ShortcastError
        If a source failed: the job is then tried again, and asks those that failed.
    """
    from shortcast.features import fetching

    report = fetching.fetch(today=day)
    if report.failed:
        told = "; ".join(f"{f.source}: {f.message}" for f in report.failed)
        raise ShortcastError(f"{len(report.failed)} sources are not up to date: {told}")
    return JobResult(
        len(report.added),
        {"sources": sorted({outcome.source for outcome in report.outcomes})},
        f"{len(report.added)} snapshots added, {len(report.outcomes) - len(report.added)} sources "
        f"without news, {len(report.not_due)} not due, {len(report.left_out)} left out.",
    )


def _import_inbox(day: date) -> JobResult:
    """Import what lies in the inbox."""
    inbox = settings().records_inbox
    if not inbox.is_dir() or not any(inbox.iterdir()):
        return JobResult(0, {"inbox": inbox.name}, "The inbox is empty: nothing to import.")
    report = import_tree(inbox)
    return JobResult(
        len(report.added),
        {"inbox": inbox.name},
        f"{len(report.added)} files added, {report.held} held already, "
        f"{len(report.set_aside)} set aside, {len(report.passed_over)} passed over.",
    )


def _build(day: date) -> JobResult:
    """Rebuild the warehouse if anything changed."""
    report = warehouse.build()
    refused = report.snapshots[report.snapshots["state"] == "refused"]
    return JobResult(
        int(report.snapshots["rows"].sum()),
        {"snapshots": len(report.snapshots)},
        f"{'Rebuilt' if report.rebuilt else 'Nothing new'}; {len(report.snapshots)} snapshots, "
        f"{len(refused)} refused.",
    )


def _alerts(day: date) -> JobResult:
    """Open and close alerts by the newest run."""
    from shortcast.database import migrate, session
    from shortcast.monitoring import forecast_log
    from shortcast.serving.alerts import refresh_alerts

    migrate(settings())
    run = forecast_log.latest_run()
    if run is None:
        raise ShortcastError("There is no forecast yet; run 'shortcast score' first.")
    with session() as writing:
        counts = refresh_alerts(writing, run.id)
    return JobResult(
        counts["standing"],
        {"run": run.id},
        f"{counts['opened']} alerts opened, {counts['closed']} closed, "
        f"{counts['standing']} standing.",
    )


def _monitor(day: date) -> JobResult:
    """Look at freshness, joins and drift, and score what has matured."""
    from shortcast.database import migrate
    from shortcast.monitoring import forecast_log
    from shortcast.monitoring import watch as monitor

    config = settings()
    migrate(config)
    reference: dict[str, Any] | None = None
    current: pd.DataFrame | None = None
    scores: pd.DataFrame | None = None
    with warehouse.open_warehouse(config) as connection:
        run = forecast_log.latest_run()
        if run is not None:
            reference = _read_reference(run.model_version)
            current = make_panel(connection, [run.as_of]).to_pandas()
            scores = forecast_log.read_scores(run.id)
        judged = warehouse.judged_on(connection, day)
        report = monitor.watch(
            connection,
            judged,
            reference=reference,
            current=current,
            scores=scores,
            fetched=standings(config.fetching, day),
        )
    return JobResult(len(report.findings), {"day": day.isoformat()}, report.summary)


def _score(day: date) -> JobResult:
    """Score for the schedule."""
    return score(day)


#: The jobs of the schedule by name.
JOBS: dict[str, Callable[[date], JobResult]] = {
    "fetch": _fetch,
    "import": _import_inbox,
    "build": _build,
    "score": _score,
    "alerts": _alerts,
    "monitor": _monitor,
}
