"""The scoreboard: earlier forecasts held against what then happened.

A forecast is scored once the shortage records reach past its horizon, never before, and
against the records as they stand now. New records score it again beside the earlier score,
since records are corrected too. Hindcasts are not scored: their model knew the outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from shortcast.database import Base, UTCDateTime, session
from shortcast.monitoring.forecast_log import (
    ForecastDetail,
    ForecastRun,
    list_runs,
    read_scores,
)
from shortcast.settings import Settings
from shortcast.training.metrics import (
    ap_and_auc,
    brier,
    observed_expected,
    precision_recall_at,
)
from shortcast.training.outcomes import onset_labels

#: Lengths of the list for which precision is told.
LISTS = (25, 50, 100)
#: Length of the list that parts hits from misses.
LIST = 50


class Score(Base):
    """How good the forecasts of one run turned out at one horizon.

    Attributes
    ----------
    records_checksum : str
        The records that it was scored against.
    metrics : dict
        See `score_forecasts`.
    """

    __tablename__ = "scoreboard"

    run_id: Mapped[int] = mapped_column(sa.ForeignKey("forecast_runs.id"), primary_key=True)
    horizon_months: Mapped[int] = mapped_column(primary_key=True)
    records_checksum: Mapped[str] = mapped_column(primary_key=True)
    scored_at: Mapped[datetime] = mapped_column(UTCDateTime)
    metrics: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


@dataclass(frozen=True)
class ScoredRun:
    """A line of the scoreboard: a run, a horizon and how good it was.

    Attributes
    ----------
    run : ForecastRun
        The run.
    horizon_months : int
        The horizon.
    records_checksum : str
        The records that it was scored against.
    scored_at : datetime
        When.
    metrics : dict
        See `score_forecasts`.
    """

    run: ForecastRun
    horizon_months: int
    records_checksum: str
    scored_at: datetime
    metrics: dict[str, Any]


def score_forecasts(
    forecasts: pd.DataFrame,
    names: pd.DataFrame,
    spells: pd.DataFrame,
    as_of: date,
    horizon_months: int,
    records_end: date,
) -> dict[str, Any] | None:
    """Hold the forecasts of one run at one horizon against the onsets that followed.

    Parameters
    ----------
    forecasts : DataFrame
        ``drug_id``, ``score``, ``rank``; every drug in it was at risk.
    names : DataFrame
        ``drug_id``, ``name``, of every drug of the run, those in shortage too.
    spells : DataFrame
        ``drug_id``, ``onset_date``.
    as_of : date
        As-of date of the run.
    horizon_months : int
        The horizon.
    records_end : date
        Last day that the shortage records reach.

    Returns
    -------
    dict or None
        ``drugs``, ``onsets``, ``expected`` (sum of the scores), ``prevalence``, ``ap``,
        ``ap_over_prevalence``, ``brier``, ``observed_over_expected``, ``precision_at``
        (list length as text: precision), ``hits`` (onsets on the list of 50) and
        ``misses`` (onsets below it): lists of ``drug_id``, ``name``, ``rank``, ``score``,
        ``onset_date``, by rank; ``without_forecast``: the same of drugs that began a
        shortage and had no forecast, with null rank and score. Measures without a meaning
        (AP when there was no onset) are None. The whole is None while the records do not
        reach past the horizon.
    """
    rows = forecasts.assign(as_of=pd.Timestamp(as_of), at_risk=True).reset_index(drop=True)
    labels = onset_labels(rows, spells, records_end, (horizon_months,))
    label = labels[f"onset_{horizon_months}"]
    if rows.empty or bool(label.isna().any()):
        return None
    y = label.to_numpy(dtype=float)
    score = rows["score"].to_numpy(dtype=float)
    month = np.zeros(len(rows), dtype=np.int64)
    prevalence = float(y.mean())
    ap = _value(ap_and_auc(y, score)[0][0])
    outcomes = rows.assign(onset_date=labels["next_onset"]).loc[y == 1].sort_values("rank")
    outcomes = outcomes.merge(names[["drug_id", "name"]], on="drug_id", how="left")
    until = pd.Timestamp(as_of) + pd.DateOffset(months=horizon_months)
    onset = pd.to_datetime(spells["onset_date"])
    outside = spells.assign(onset_date=onset).loc[
        (onset >= pd.Timestamp(as_of)) & (onset < until) & ~spells["drug_id"].isin(rows["drug_id"])
    ]
    outside = outside.sort_values("onset_date").drop_duplicates("drug_id")
    outside = outside.merge(names[["drug_id", "name"]], on="drug_id", how="left")
    return {
        "drugs": len(rows),
        "onsets": int(y.sum()),
        "expected": float(score.sum()),
        "prevalence": prevalence,
        "ap": ap,
        "ap_over_prevalence": ap / prevalence if ap is not None and prevalence > 0 else None,
        "brier": brier(y, score),
        "observed_over_expected": _value(observed_expected(y, score)),
        "precision_at": {
            str(size): _value(precision_recall_at(y, score, month, size)[0]) for size in LISTS
        },
        "hits": _named(outcomes.loc[outcomes["rank"] <= LIST]),
        "misses": _named(outcomes.loc[outcomes["rank"] > LIST]),
        "without_forecast": _named(outside.assign(rank=None, score=None)),
    }


def _value(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def _named(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return onsets as plain values for JSON; a drug without a name goes by its identity."""
    plain = pd.DataFrame(
        {
            "drug_id": rows["drug_id"].astype(object),
            "name": rows["name"].fillna(rows["drug_id"]).astype(object),
            "rank": rows["rank"].astype(object),
            "score": rows["score"].astype(object),
            "onset_date": pd.to_datetime(rows["onset_date"]).dt.strftime("%Y-%m-%d"),
        }
    )
    return [{str(key): value for key, value in row.items()} for row in plain.to_dict("records")]


def update(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings | None = None,
    now: datetime | None = None,
) -> list[ScoredRun]:
    """Score every forecast that has matured and is not yet scored on these records.

    Parameters
    ----------
    connection : DuckDBPyConnection
        The warehouse, with ``shortage_spells``, ``records_reach`` and ``build``.
    settings : Settings, optional
        Settings that name the database.
    now : datetime, optional
        When it is done; the present when left out.

    Returns
    -------
    list of ScoredRun
        The lines that were added. Forecasts on simulated data are scored against
        simulated records only, and real ones against real; hindcasts never.
    """
    data, checksum = _one(connection, "SELECT data, records_checksum FROM build")
    (records_end,) = _one(connection, "SELECT records_end FROM records_reach")
    if records_end is None:
        return []
    spells = connection.execute("SELECT drug_id, onset_date FROM shortage_spells").df()
    runs = [
        run
        for run in reversed(list_runs(settings))
        if run.data == data and run.as_of <= records_end and run.is_forecast
    ]
    with session(settings, write=False) as reading:
        done = {
            (run_id, horizon)
            for run_id, horizon in reading.execute(
                sa.select(Score.run_id, Score.horizon_months).where(
                    Score.records_checksum == checksum
                )
            )
        }
    added = []
    for run in runs:
        forecasts = read_scores(run.id, settings)
        names = _names(run.id, settings)
        for horizon, rows in forecasts.groupby("horizon_months"):
            months = int(horizon)  # pyright: ignore[reportArgumentType]
            if (run.id, months) in done:
                continue
            metrics = score_forecasts(rows, names, spells, run.as_of, months, records_end)
            if metrics is not None:
                moment = now or datetime.now(UTC)
                added.append(ScoredRun(run, months, checksum, moment, metrics))
    with session(settings) as writing:
        writing.add_all(
            Score(
                run_id=line.run.id,
                horizon_months=line.horizon_months,
                records_checksum=line.records_checksum,
                scored_at=line.scored_at,
                metrics=line.metrics,
            )
            for line in added
        )
    return added


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    if row is None:
        raise ValueError(f"the warehouse has no row for: {query}")
    return row


def _names(run_id: int, settings: Settings | None) -> pd.DataFrame:
    query = sa.select(ForecastDetail.drug_id, ForecastDetail.name).where(
        ForecastDetail.run_id == run_id
    )
    with session(settings, write=False) as reading:
        rows = [tuple(row) for row in reading.execute(query)]
    return pd.DataFrame(rows, columns=["drug_id", "name"])


def read_scoreboard(settings: Settings | None = None) -> list[ScoredRun]:
    """Return the last score of every forecast and horizon, newest as-of date first.

    Scores of hindcasts, which earlier versions kept, are left out.

    Parameters
    ----------
    settings : Settings, optional
        Settings that name the database; those in force when left out.

    Returns
    -------
    list of ScoredRun
    """
    query = (
        sa.select(Score, ForecastRun)
        .join(ForecastRun, ForecastRun.id == Score.run_id)
        .order_by(Score.scored_at)
    )
    with session(settings, write=False) as reading:
        last = {
            (score.run_id, score.horizon_months): ScoredRun(
                run, score.horizon_months, score.records_checksum, score.scored_at, score.metrics
            )
            for score, run in reading.execute(query)
            if run.is_forecast
        }
    lines = sorted(last.values(), key=lambda line: (line.horizon_months, line.run.id))
    return sorted(lines, key=lambda line: line.run.as_of, reverse=True)
