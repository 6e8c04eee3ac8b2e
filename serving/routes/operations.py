"""``/health`` and ``/metrics``: for those who run the service."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError

from shortcast.errors import ShortcastError
from shortcast.features.kind import Data
from shortcast.serving.service import Service, ServiceOf
from shortcast.serving.words import DISCLAIMER, disclaimer

log = logging.getLogger(__name__)

router = APIRouter(tags=["operations"])

#: The message of a driver holds the address of the database: it goes into the log alone.
_UNREADABLE = "The application database cannot be read; the log of the service says why."


class Check(BaseModel):
    """One thing that the service needs."""

    check: Annotated[
        Literal["warehouse", "database", "champion", "forecast"],
        Field(description="What was checked"),
    ]
    ok: Annotated[bool, Field(description="Whether all is well")]
    detail: Annotated[str, Field(description="What was found, and what to do if it is not well")]


class Health(BaseModel):
    """Whether the service has all that it needs."""

    status: Annotated[Literal["ok", "degraded"], Field(description="Whether all checks are well")]
    data: Annotated[
        Data, Field(description="Whether the records are real or made up for trying out")
    ]
    checks: Annotated[list[Check], Field(description="Every check")]
    disclaimer: Annotated[str, Field(description="What a score is, and what it is not")] = (
        DISCLAIMER
    )


@router.get(
    "/health",
    summary="Health",
    responses={503: {"model": Health, "description": "Something is amiss; `checks` says what"}},
)
def read_health(service: ServiceOf, response: Response) -> Health:
    """Check the warehouse, the database, the champion and the forecast; 503 if one fails.

    Degraded is not down: forecasts already made go on being answered from the database.
    """
    checks = [
        _warehouse(service),
        _database(service),
        _champion(service),
        _forecast(service),
    ]
    for check in checks:
        # Where this installation lies is nobody's business but its keeper's.
        check.detail = check.detail.replace(str(service.settings.home), "SHORTCAST_HOME")
    well = all(check.ok for check in checks)
    response.status_code = 200 if well else 503
    response.headers["Cache-Control"] = "no-store"
    data = service.data()
    return Health(
        status="ok" if well else "degraded",
        data=data,
        checks=checks,
        disclaimer=disclaimer(data),
    )


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
def read_metrics(request: Request) -> Response:
    """Return the service's counters and the watch's figures in Prometheus' text format."""
    text = generate_latest(request.app.state.metrics.registry)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _warehouse(service: Service) -> Check:
    try:
        with service.warehouse.cursor() as cursor:
            row = cursor.execute("SELECT built_at, data FROM build").fetchone()
    except ShortcastError as error:
        return Check(check="warehouse", ok=False, detail=str(error))
    if service.warehouse.trouble:
        detail = f"{service.warehouse.trouble} The last good one still answers."
        return Check(check="warehouse", ok=False, detail=detail)
    built_at, data = row or ("never", "unknown")
    return Check(check="warehouse", ok=True, detail=f"Built {built_at} from {data} records.")


def _database(service: Service) -> Check:
    try:
        service.ask(sa.text("SELECT 1"))
    except (ShortcastError, SQLAlchemyError) as error:
        log.warning("health: %s", error)
        return Check(check="database", ok=False, detail=_UNREADABLE)
    return Check(check="database", ok=True, detail="Answers.")


def _champion(service: Service) -> Check:
    try:
        bundle = service.champion.bundle()
        service.require_one_kind()
    except ShortcastError as error:
        return Check(check="champion", ok=False, detail=str(error))
    detail = f"{bundle.name} version {bundle.version}, trained through {bundle.trained_through}."
    return Check(check="champion", ok=True, detail=detail)


def _forecast(service: Service) -> Check:
    try:
        run = service.find_run()
    except (ShortcastError, SQLAlchemyError) as error:
        log.warning("health: %s", error)
        return Check(check="forecast", ok=False, detail=_UNREADABLE)
    if run is None:
        detail = "No forecast has been made yet; run 'shortcast score'."
        return Check(check="forecast", ok=False, detail=detail)
    detail = (
        f"As of {run.as_of}, {run.drugs:,} drugs, by {run.model_name} version "
        f"{run.model_version}, from {run.data} records."
    )
    return Check(check="forecast", ok=True, detail=detail)
