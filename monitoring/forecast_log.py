"""The forecast log: every forecast that was ever given out, kept for good.

A run is one scoring of the whole market: an as-of date, a model version and a state of the
records. Runs are only ever added. A trigger in the database refuses to change or delete
them, so that an earlier ranking can be cited and scored as it was given.

A forecast is what a model says that had learnt from nothing on or after the as-of date.
Anything else is a hindcast: it may look right, and says nothing of how good forecasts are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from shortcast.database import Base, UTCDateTime, session
from shortcast.errors import ShortcastError
from shortcast.settings import Settings

FORECAST_COLUMNS = ("drug_id", "as_of", "horizon_months", "score", "rank")
DETAIL_COLUMNS = ("drug_id", "name", "form_group", "in_shortage", "reasons", "completeness")


class ForecastLogError(ShortcastError):
    """Forecasts that do not hang together; nothing of them is written."""


class ForecastRun(Base):
    """One scoring of the market.

    Attributes
    ----------
    id : int
        Number of the run.
    as_of : date
        The forecasts rest on what was known before this day.
    made_at : datetime
        When the run was written, in UTC.
    model_name, model_version : str
        The model that scored.
    data : str
        ``real`` or ``simulated`` records.
    records_checksum : str
        Checksum of the records behind the warehouse.
    code_version : str
        Version of shortcast that scored.
    drugs : int
        Number of drugs that got a forecast.
    model_records_end : date or None
        Last day of the records that the model had learnt from; None for runs made before
        the log kept it.
    """

    __tablename__ = "forecast_runs"
    __table_args__ = (
        sa.UniqueConstraint(
            "as_of",
            "model_name",
            "model_version",
            "records_checksum",
            name="uq_forecast_runs_key",
        ),
        sa.CheckConstraint("data IN ('real', 'simulated')", name="data"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    as_of: Mapped[date]
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    model_name: Mapped[str]
    model_version: Mapped[str]
    data: Mapped[str]
    records_checksum: Mapped[str]
    code_version: Mapped[str]
    drugs: Mapped[int]
    model_records_end: Mapped[date | None]

    @property
    def is_forecast(self) -> bool:
        """Whether the model knew nothing of what it was asked; False if that is not known."""
        return is_forecast(self.as_of, self.model_records_end)


def is_forecast(as_of: date, model_records_end: date | None) -> bool:
    """Return whether scores as of a day are forecasts, not hindcasts.

    Parameters
    ----------
    as_of : date
        As-of date of the scores.
    model_records_end : date or None
        Last day of the records that the model had learnt from; None if it is not known.

    Returns
    -------
    bool
        False if it is not known.
    """
    return model_records_end is not None and as_of > model_records_end


class Forecast(Base):
    """Score and rank of one drug at one horizon in one run."""

    __tablename__ = "forecasts"
    __table_args__ = (
        sa.UniqueConstraint("run_id", "horizon_months", "rank", name="uq_forecasts_rank"),
        sa.CheckConstraint("score >= 0 AND score <= 1", name="score"),
    )

    run_id: Mapped[int] = mapped_column(sa.ForeignKey("forecast_runs.id"), primary_key=True)
    drug_id: Mapped[str] = mapped_column(primary_key=True)
    horizon_months: Mapped[int] = mapped_column(primary_key=True)
    score: Mapped[float] = mapped_column(sa.Double)
    rank: Mapped[int]


class ForecastDetail(Base):
    """What stood beside a drug's forecasts: its name, the reasons, the data behind them.

    A drug in shortage has a detail row and no forecast: it is not at risk of a new onset.
    """

    __tablename__ = "forecast_details"

    run_id: Mapped[int] = mapped_column(sa.ForeignKey("forecast_runs.id"), primary_key=True)
    drug_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    form_group: Mapped[str]
    in_shortage: Mapped[bool]
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    completeness: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


@dataclass(frozen=True)
class NewRun:
    """What names a run before it is written; see `ForecastRun` for the fields."""

    as_of: date
    model_name: str
    model_version: str
    data: str
    records_checksum: str
    code_version: str
    model_records_end: date
    made_at: datetime | None = None


def _check(run: NewRun, forecasts: pd.DataFrame, details: pd.DataFrame) -> None:
    """Refuse a run whose parts contradict each other, with the first fault found."""
    for what, frame, columns in (
        ("forecasts", forecasts, FORECAST_COLUMNS),
        ("details", details, DETAIL_COLUMNS),
    ):
        missing = [column for column in columns if column not in frame.columns]
        if missing:
            raise ForecastLogError(f"The {what} lack the column {missing[0]!r}; add it.")
    where = f"in the run of {run.as_of} by {run.model_name} {run.model_version}"

    def refuse(bad: pd.Series, frame: pd.DataFrame, fault: str) -> None:
        if bad.any():
            drug = frame.loc[bad.to_numpy(), "drug_id"].iloc[0]
            raise ForecastLogError(f"Drug {drug} {where} {fault}; nothing was written.")

    if forecasts.empty:
        raise ForecastLogError(f"There is no forecast {where}; nothing was written.")
    scores = forecasts["score"].astype(float)
    days = pd.to_datetime(forecasts["as_of"])
    refuse(~scores.between(0, 1), forecasts, "has a score that is not between 0 and 1")
    refuse(days != pd.Timestamp(run.as_of), forecasts, "is dated another day than the run")
    refuse(
        forecasts.duplicated(["drug_id", "horizon_months"]),
        forecasts,
        "has two scores for one horizon",
    )
    ranks = forecasts["rank"].astype(int)
    expected = ranks.groupby(forecasts["horizon_months"]).rank(method="first")
    refuse(ranks != expected, forecasts, "has a rank that does not run from 1 without a gap")
    refuse(details.duplicated("drug_id"), details, "has two detail rows")
    nameless = details[["name", "form_group"]].isna().any(axis=1)
    refuse(nameless, details, "has no name or no form group")
    refuse(
        ~forecasts["drug_id"].isin(details["drug_id"]), forecasts, "has a score but no detail row"
    )
    in_shortage = details.loc[details["in_shortage"].astype(bool), "drug_id"]
    refuse(
        forecasts["drug_id"].isin(in_shortage),
        forecasts,
        "is in shortage, hence not at risk, and yet has a score",
    )


def held_run(run: NewRun, settings: Settings | None = None) -> int | None:
    """Return the number of the run with the same as-of date, model and records, if it was written.

    Parameters
    ----------
    run : NewRun
        What names the run.
    settings : Settings, optional
        Settings that name the database.

    Returns
    -------
    int or None
    """
    query = sa.select(ForecastRun.id).where(
        ForecastRun.as_of == run.as_of,
        ForecastRun.model_name == run.model_name,
        ForecastRun.model_version == run.model_version,
        ForecastRun.records_checksum == run.records_checksum,
    )
    with session(settings, write=False) as reading:
        return reading.scalar(query)


def _records(frame: pd.DataFrame, run_id: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = frame.to_dict("records")  # pyright: ignore[reportAssignmentType]
    return [{"run_id": run_id, **row} for row in rows]


def append(
    run: NewRun,
    forecasts: pd.DataFrame,
    details: pd.DataFrame,
    settings: Settings | None = None,
) -> int:
    """Write a run and everything in it, in one transaction; once.

    A run with the same as-of date, model and records that is already there stands as it
    was first given: its number comes back and nothing is written.

    Parameters
    ----------
    run : NewRun
        What names the run; ``made_at`` is now when left out.
    forecasts : DataFrame
        ``drug_id``, ``as_of``, ``horizon_months``, ``score`` (probability), ``rank`` (1 is
        the highest; 1 to n without gaps at each horizon).
    details : DataFrame
        ``drug_id``, ``name``, ``form_group``, ``in_shortage``, ``reasons`` (list of dict,
        strongest first), ``completeness`` (dict); one row a drug, also for drugs in
        shortage, which have no forecast.
    settings : Settings, optional
        Settings that name the database.

    Returns
    -------
    int
        Number of the run.

    Raises
    ------
    ForecastLogError
        If the frames contradict each other or the run; nothing is written then.
    """
    held = held_run(run, settings)
    if held is not None:
        return held
    _check(run, forecasts, details)
    try:
        with session(settings) as writing:
            made = ForecastRun(
                as_of=run.as_of,
                made_at=run.made_at or datetime.now(UTC),
                model_name=run.model_name,
                model_version=run.model_version,
                data=run.data,
                records_checksum=run.records_checksum,
                code_version=run.code_version,
                drugs=int(forecasts["drug_id"].nunique()),
                model_records_end=run.model_records_end,
            )
            writing.add(made)
            writing.flush()
            scores = forecasts[["drug_id", "horizon_months", "score", "rank"]].astype(
                {"horizon_months": int, "score": float, "rank": int}
            )
            writing.execute(sa.insert(Forecast), _records(scores, made.id))
            facts = details[list(DETAIL_COLUMNS)].astype({"in_shortage": bool})
            writing.execute(sa.insert(ForecastDetail), _records(facts, made.id))
            return made.id
    except IntegrityError:
        # Another process wrote the same run between our look and our writing.
        held = held_run(run, settings)
        if held is None:
            raise
        return held


def latest_run(
    as_of: date | None = None, version: str | None = None, settings: Settings | None = None
) -> ForecastRun | None:
    """Return the newest run, or the one that stood at a date.

    Parameters
    ----------
    as_of : date, optional
        Take the run in force on that day: the newest whose as-of date is not later.
    version : str, optional
        Only runs of this model version.
    settings : Settings, optional
        Settings that name the database.

    Returns
    -------
    ForecastRun or None
        Of several runs of one as-of date the one made last; None when there is none.
    """
    query = sa.select(ForecastRun)
    if as_of is not None:
        query = query.where(ForecastRun.as_of <= as_of)
    if version is not None:
        query = query.where(ForecastRun.model_version == version)
    query = query.order_by(
        ForecastRun.as_of.desc(), ForecastRun.made_at.desc(), ForecastRun.id.desc()
    )
    with session(settings, write=False) as reading:
        return reading.scalars(query.limit(1)).first()


def run_before(reading: Session, run: ForecastRun) -> ForecastRun | None:
    """Return the newest run of the same kind of data with an earlier as-of date.

    Parameters
    ----------
    reading : Session
        Session of the database.
    run : ForecastRun
        The run at hand.

    Returns
    -------
    ForecastRun or None
        Of several of one as-of date the one made last; None if `run` was the first.
    """
    return reading.scalar(
        sa.select(ForecastRun)
        .where(ForecastRun.as_of < run.as_of, ForecastRun.data == run.data)
        .order_by(ForecastRun.as_of.desc(), ForecastRun.made_at.desc(), ForecastRun.id.desc())
        .limit(1)
    )


def list_runs(settings: Settings | None = None) -> list[ForecastRun]:
    """Return every run, newest as-of date first.

    Parameters
    ----------
    settings : Settings, optional
        Settings that name the database; those in force when left out.

    Returns
    -------
    list of ForecastRun
    """
    query = sa.select(ForecastRun).order_by(
        ForecastRun.as_of.desc(), ForecastRun.made_at.desc(), ForecastRun.id.desc()
    )
    with session(settings, write=False) as reading:
        return list(reading.scalars(query))


def read_rankings(
    run_id: int,
    horizon: int,
    limit: int | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Return the ranking of one run at one horizon.

    Parameters
    ----------
    run_id : int
        Number of the run.
    horizon : int
        Horizon in months.
    limit : int, optional
        Only the first so many.
    settings : Settings, optional
        Settings that name the database.

    Returns
    -------
    DataFrame
        ``rank``, ``drug_id``, ``name``, ``form_group``, ``score``, ``reasons``,
        ``completeness``, by rank; empty for a run or horizon that is not there.
    """
    columns = (
        Forecast.rank,
        Forecast.drug_id,
        ForecastDetail.name,
        ForecastDetail.form_group,
        Forecast.score,
        ForecastDetail.reasons,
        ForecastDetail.completeness,
    )
    query = (
        sa.select(*columns)
        .join(
            ForecastDetail,
            sa.and_(
                ForecastDetail.run_id == Forecast.run_id,
                ForecastDetail.drug_id == Forecast.drug_id,
            ),
        )
        .where(Forecast.run_id == run_id, Forecast.horizon_months == horizon)
        .order_by(Forecast.rank)
        .limit(limit)
    )
    with session(settings, write=False) as reading:
        rows = [tuple(row) for row in reading.execute(query)]
    return pd.DataFrame(rows, columns=[column.key for column in columns])


def read_scores(run_id: int, settings: Settings | None = None) -> pd.DataFrame:
    """Return all forecasts of one run.

    Parameters
    ----------
    run_id : int
        The run.
    settings : Settings, optional
        Settings that name the database; those in force when left out.

    Returns
    -------
    DataFrame
        ``drug_id``, ``horizon_months``, ``score``, ``rank``.
    """
    query = (
        sa.select(Forecast.drug_id, Forecast.horizon_months, Forecast.score, Forecast.rank)
        .where(Forecast.run_id == run_id)
        .order_by(Forecast.horizon_months, Forecast.rank)
    )
    with session(settings, write=False) as reading:
        rows = [tuple(row) for row in reading.execute(query)]
    frame = pd.DataFrame(rows, columns=["drug_id", "horizon_months", "score", "rank"])
    return frame.astype({"horizon_months": np.int64, "score": float, "rank": np.int64})


def read_drug(
    run_id: int, drug_id: str, settings: Settings | None = None
) -> Mapping[str, Any] | None:
    """Return what one run says of one drug.

    Parameters
    ----------
    run_id : int
        Number of the run.
    drug_id : str
        The drug.
    settings : Settings, optional
        Settings that name the database.

    Returns
    -------
    mapping or None
        ``drug_id``, ``name``, ``form_group``, ``in_shortage``, ``reasons``,
        ``completeness`` and ``forecasts``: a list of ``horizon_months``, ``score``,
        ``rank``, by horizon; empty for a drug in shortage. None if the run has no such
        drug.
    """
    with session(settings, write=False) as reading:
        detail = reading.get(ForecastDetail, (run_id, drug_id))
        if detail is None:
            return None
        forecasts = reading.scalars(
            sa.select(Forecast)
            .where(Forecast.run_id == run_id, Forecast.drug_id == drug_id)
            .order_by(Forecast.horizon_months)
        ).all()
    return {
        "drug_id": detail.drug_id,
        "name": detail.name,
        "form_group": detail.form_group,
        "in_shortage": detail.in_shortage,
        "reasons": detail.reasons,
        "completeness": detail.completeness,
        "forecasts": [
            {"horizon_months": row.horizon_months, "score": row.score, "rank": row.rank}
            for row in forecasts
        ],
    }
