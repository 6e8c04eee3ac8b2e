"""What every route needs: the settings, the warehouse, the champion, the run that answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Request
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError

from shortcast.database import session
from shortcast.errors import ShortcastError
from shortcast.features.kind import Data, shortage_list
from shortcast.features.warehouse import judged_on
from shortcast.monitoring import forecast_log
from shortcast.monitoring.forecast_log import ForecastRun
from shortcast.serving import lookup, quality
from shortcast.serving.champion import Champion
from shortcast.serving.evidence import EvidenceReader
from shortcast.serving.problems import Problem
from shortcast.serving.warehouse import Warehouse, WarehouseError
from shortcast.serving.words import day, one_in
from shortcast.settings import Settings


class BaseRate(BaseModel):
    """How often a new shortage comes about at all: what a score is to be held against."""

    horizon_months: Annotated[int, Field(description="Months ahead", examples=[6])]
    share: Annotated[
        float | None, Field(description="Share of drugs with a new shortage in the horizon")
    ]
    in_words: Annotated[str, Field(description="The same as a natural frequency")]
    source: Annotated[str, Field(description="Where the share comes from")]


class Service:
    """State of one running service.

    Parameters
    ----------
    settings : Settings
        Settings in force.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.warehouse = Warehouse(settings)
        self.champion = Champion(settings)
        self.evidence = EvidenceReader(self.warehouse)
        # Runs never change, so what was counted once stays true.
        self._scored: dict[int, dict[int, lookup.Scored]] = {}

    def find_run(self, as_of: date | None = None) -> ForecastRun | None:
        """Return the forecast run that answers, or None if there is none.

        Parameters
        ----------
        as_of : date, optional
            The run in force on that day: the newest whose as-of date is not later.

        Returns
        -------
        ForecastRun or None
            The newest as-of date comes first; of several runs for it, the champion's.
        """
        newest = forecast_log.latest_run(as_of, settings=self.settings)
        bundle = self.champion.bundle_or_none()
        if newest is None or bundle is None or newest.model_version == bundle.version:
            return newest
        same_day = forecast_log.latest_run(as_of, bundle.version, settings=self.settings)
        return same_day if same_day is not None and same_day.as_of == newest.as_of else newest

    def run(self, as_of: date | None = None) -> ForecastRun:
        """Return the forecast run that answers.

        Parameters
        ----------
        as_of : date, optional
            The run in force on that day; the newest when left out.

        Returns
        -------
        ForecastRun

        Raises
        ------
        Problem
            503 if no forecast was ever made, 404 if none was in force on that day.
        """
        found = self.find_run(as_of)
        if found is not None:
            return found
        if as_of is None or self.find_run() is None:
            raise Problem(
                503,
                "no-forecast",
                "No forecast has been made yet; run 'shortcast score' once there is a champion.",
            )
        raise Problem(
            404,
            "no-forecast",
            f"No forecast was in force on {as_of}; ask for a later day. /v1/forecasts lists them.",
        )

    def today(self) -> date:
        """Return the day by which ages are judged: today, or where simulated records end."""
        today = datetime.now(UTC).date()
        try:
            with self.warehouse.cursor() as cursor:
                return judged_on(cursor, today)
        except WarehouseError:
            return today

    def kinds(self) -> dict[str, Data]:
        """Return which kind of records each part in force rests on.

        Returns
        -------
        dict of str to {'real', 'simulated'}
            For the newest forecast, the champion and the warehouse, as far as they are there
            and can be read.
        """
        found: dict[str, Any] = {}
        try:
            run = self.find_run()
        except (ShortcastError, SQLAlchemyError):
            run = None
        if run is not None:
            found["newest forecast"] = run.data
        bundle = self.champion.bundle_or_none()
        if bundle is not None:
            found["champion"] = bundle.data
        try:
            with self.warehouse.cursor() as cursor:
                built = cursor.execute("SELECT data FROM build").fetchall()
        except WarehouseError:
            return found
        return {**found, "warehouse": built[0][0]} if built else found

    def data(self) -> Data:
        """Return which kind of records this service tells of; real where there are none yet."""
        return "simulated" if "simulated" in self.kinds().values() else "real"

    def require_one_kind(self) -> None:
        """Refuse parts that rest on records of different kinds.

        Raises
        ------
        ShortcastError
            If real records and simulated ones meet.
        """
        kinds = self.kinds()
        if len(set(kinds.values())) > 1:
            parts = " and ".join(f"the {part} of {data}" for part, data in kinds.items())
            raise ShortcastError(
                f"Real and simulated records meet here: {parts} records. Give each kind a home "
                "(SHORTCAST_HOME) and a database (SHORTCAST_DATABASE_URL) of its own; or run "
                "'shortcast train', 'shortcast promote' and 'shortcast score' to make all of "
                "them from the records of this home."
            )

    def ask(self, query: sa.Executable) -> Sequence[sa.Row[Any]]:
        """Return all rows of a query on the application database.

        Parameters
        ----------
        query : Executable
            A query that only reads.

        Returns
        -------
        sequence of Row
        """
        with session(self.settings, write=False) as reading:
            return reading.execute(query).all()

    def champion_version(self) -> str:
        """Return the version of the champion in force; '' where there is none."""
        bundle = self.champion.bundle_or_none()
        return bundle.version if bundle else ""

    def scored(self, run: ForecastRun, horizon: int) -> lookup.Scored:
        """Return how many drugs a run scored at a horizon, their mean score and the highest.

        Parameters
        ----------
        run : ForecastRun
            The run.
        horizon : int
            Months.

        Returns
        -------
        Scored
            Zeros where the run scored no drug at that horizon.
        """
        if run.id not in self._scored:
            self._scored[run.id] = lookup.scored(self.settings, run.id)
        return self._scored[run.id].get(horizon, lookup.Scored(0, 0.0, 0.0))

    def base_rate(self, run: ForecastRun, horizon: int) -> BaseRate:
        """Return how often a new shortage comes about within a horizon.

        Parameters
        ----------
        run : ForecastRun
            The run whose scores are held against it.
        horizon : int
            Months.

        Returns
        -------
        BaseRate
            As counted in the champion's backtest; where it brought no figures, the mean
            score of the run, which is what calibrated scores expect.
        """
        bundle = self.champion.bundle_or_none()
        if bundle is not None and bundle.data == run.data:
            counted = quality.of_horizon(bundle, horizon)
            if counted is not None and counted.prevalence is not None:
                return BaseRate(
                    horizon_months=horizon,
                    share=counted.prevalence,
                    in_words=_in_words(counted.prevalence, horizon),
                    source=f"Counted over {counted.span} ({shortage_list(run.data)}).",
                )
        share = self.scored(run, horizon).mean or None
        return BaseRate(
            horizon_months=horizon,
            share=share,
            in_words=_in_words(share, horizon),
            source=f"Mean of all estimates of {day(run.as_of)}.",
        )


def _in_words(share: float | None, horizon: int) -> str:
    if share is None:
        return "not known"
    return f"{one_in(share)} drugs in any {horizon} months"


def _service(request: Request) -> Service:
    return request.app.state.service


ServiceOf = Annotated[Service, Depends(_service)]
