"""``/v1/forecasts``: forecasts as they were given, and how they turned out."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from shortcast.monitoring.forecast_log import is_forecast
from shortcast.monitoring.scoreboard import ScoredRun, read_scoreboard
from shortcast.serving import lookup
from shortcast.serving.answers import MAX_CSV_ROWS, CSVResponse, Page, Paging, about, as_csv
from shortcast.serving.fields import (
    DrugId,
    HorizonMonths,
    ModelVersion,
    Rank,
    RunAsOf,
    RunId,
    RunMadeAt,
    Score,
)
from shortcast.serving.problems import responses
from shortcast.serving.routes.parameters import Horizon, OfDrug
from shortcast.serving.service import Service, ServiceOf

router = APIRouter(tags=["forecasts"])


class ForecastItem(BaseModel):
    """An estimate of one drug at one horizon, as it was given."""

    run_id: RunId
    as_of: RunAsOf
    made_at: RunMadeAt
    made_later: Annotated[
        bool,
        Field(
            description="Made more than a week after its as-of date: nobody could have read it then"
        ),
    ]
    hindcast: Annotated[
        bool,
        Field(
            description="The model had learnt from records of the as-of date or later, or an "
            "earlier version did not note what it had learnt from: no forecast, and not on the "
            "scoreboard"
        ),
    ]
    model_name: Annotated[str, Field(description="The model that scored", examples=["blend"])]
    model_version: ModelVersion
    drug_id: DrugId
    horizon_months: HorizonMonths
    score: Score
    rank: Rank


class Verdict(BaseModel):
    """How the forecasts of a run turned out at a horizon, once their outcomes were known."""

    run_id: RunId
    as_of: RunAsOf
    horizon_months: HorizonMonths
    model_version: ModelVersion
    scored_at: Annotated[datetime, Field(description="When it was held against the outcomes")]
    metrics: Annotated[
        dict[str, Any],
        Field(description="Onsets, expected onsets, precision at 25, 50 and 100, hits, misses"),
    ]


class Forecasts(Page):
    """Part of the forecast log."""

    items: Annotated[list[ForecastItem], Field(description="The newest first")]
    scoreboard: Annotated[
        list[Verdict], Field(description="Of the runs of these rows whose outcomes are known")
    ]


class ForecastFilter(BaseModel, extra="forbid"):
    """Which forecasts to list."""

    drug_id: OfDrug = None
    month: Annotated[
        str | None,
        Field(
            pattern=r"^(19|20|21)\d{2}-(0[1-9]|1[0-2])$",
            description="Month of the as-of date, YYYY-MM",
            examples=["2022-05"],
        ),
    ] = None
    horizon: Horizon | None = None


class ForecastQuery(ForecastFilter, Paging):
    """Which part of which forecasts."""


CSV_COLUMNS = tuple(ForecastItem.model_fields)


@router.get("/v1/forecasts", summary="Past forecasts", responses=responses(422, 503))
def read_forecasts(service: ServiceOf, query: Annotated[ForecastQuery, Query()]) -> Forecasts:
    """Return forecasts of the log, newest first: of a drug, of a month, or all.

    The log is never changed: what was said stays as it was said.
    """
    return find_forecasts(service, query, query.limit, query.offset)


@router.get(
    "/v1/forecasts.csv",
    summary="Past forecasts as CSV",
    response_class=CSVResponse,
    responses=responses(422, 503),
)
def read_forecasts_csv(
    service: ServiceOf, request: Request, query: Annotated[ForecastFilter, Query()]
) -> CSVResponse:
    """Return the forecasts that match as one table, at most 100,000 rows."""
    found = find_forecasts(service, query, MAX_CSV_ROWS, 0)
    rows = (item.model_dump() for item in found.items)
    return as_csv(request, rows, CSV_COLUMNS, found, {"Cache-Control": "no-cache"})


def find_forecasts(service: Service, query: ForecastFilter, limit: int, offset: int) -> Forecasts:
    """Return part of the forecast log of the data that the service answers with."""
    run = service.run()
    since = before = None
    if query.month is not None:
        year, month = map(int, query.month.split("-"))
        since = date(year, month, 1)
        before = date(year + month // 12, month % 12 + 1, 1)
    total, rows = lookup.past_forecasts(
        service.settings,
        run.data,
        drug_id=query.drug_id,
        horizon=query.horizon,
        since=since,
        before=before,
        limit=limit,
        offset=offset,
    )
    shown = {row["run_id"] for row in rows}
    return Forecasts(
        **about(run),
        total=total,
        limit=limit,
        offset=offset,
        items=[
            ForecastItem(
                **row,
                made_later=_made_later(row["as_of"], row["made_at"]),
                hindcast=not is_forecast(row["as_of"], row["model_records_end"]),
            )
            for row in rows
        ],
        scoreboard=[
            _verdict(line)
            for line in read_scoreboard(service.settings)
            if line.run.id in shown and query.horizon in (None, line.horizon_months)
        ],
    )


def _made_later(as_of: date, made_at: datetime) -> bool:
    return (made_at - datetime.combine(as_of, time(), UTC)).days > 7


def _verdict(line: ScoredRun) -> Verdict:
    return Verdict(
        run_id=line.run.id,
        as_of=line.run.as_of,
        horizon_months=line.horizon_months,
        model_version=line.run.model_version,
        scored_at=line.scored_at,
        metrics=line.metrics,
    )
