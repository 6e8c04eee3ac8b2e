"""``/v1/alerts``: what changed from run to run."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from shortcast.database import session
from shortcast.monitoring.forecast_log import ForecastDetail, ForecastRun
from shortcast.serving.alert_rules import KINDS
from shortcast.serving.alerts import Alert
from shortcast.serving.answers import MAX_CSV_ROWS, CSVResponse, Page, Paging, about, as_csv
from shortcast.serving.fields import DrugId, DrugName, FormGroupName, RunId
from shortcast.serving.problems import responses
from shortcast.serving.routes.parameters import OfDrug
from shortcast.serving.service import Service, ServiceOf

router = APIRouter(tags=["alerts"])


class AlertItem(BaseModel):
    """An alert."""

    id: Annotated[int, Field(description="Number of the alert", examples=[7])]
    drug_id: DrugId
    name: DrugName
    form_group: FormGroupName
    kind: Annotated[
        Literal["top_50", "risk_rise", "discontinuation", "shortage"],
        Field(description="What happened"),
    ]
    title: Annotated[
        str, Field(description="The same in words", examples=["Discontinuation notice"])
    ]
    opened_on: Annotated[date, Field(description="As-of date of the run that opened it")]
    closed_on: Annotated[date | None, Field(description="Null while it stands")]
    run_id: RunId
    score_6_months: Annotated[float | None, Field(description="When it opened")]
    rank_6_months: Annotated[int | None, Field(description="When it opened")]
    message: Annotated[str, Field(description="Why it opened")]


class Alerts(Page):
    """Part of the alerts."""

    items: Annotated[list[AlertItem], Field(description="The newest first")]


class AlertFilter(BaseModel, extra="forbid"):
    """Which alerts to list."""

    state: Annotated[
        Literal["open", "closed", "all"],
        Field(description="Those that stand, by default", examples=["open"]),
    ] = "open"
    kind: Annotated[
        Literal["top_50", "risk_rise", "discontinuation", "shortage"] | None,
        Field(description="Only alerts of this kind", examples=["discontinuation"]),
    ] = None
    drug_id: OfDrug = None
    since: Annotated[
        date | None,
        Field(
            description="Only what opened or closed on that day or later", examples=["2022-05-01"]
        ),
    ] = None


class AlertQuery(AlertFilter, Paging):
    """Which part of which alerts."""


CSV_COLUMNS = tuple(AlertItem.model_fields)


@router.get("/v1/alerts", summary="Alerts", responses=responses(422, 503))
def read_alerts(service: ServiceOf, query: Annotated[AlertQuery, Query()]) -> Alerts:
    """Return alerts, the newest first.

    An alert says that an estimate moved or a notice appeared. It is no advice to buy.
    """
    return find_alerts(service, query, query.limit, query.offset)


@router.get(
    "/v1/alerts.csv",
    summary="Alerts as CSV",
    response_class=CSVResponse,
    responses=responses(422, 503),
)
def read_alerts_csv(
    service: ServiceOf, request: Request, query: Annotated[AlertFilter, Query()]
) -> CSVResponse:
    """Return all alerts that match as one table."""
    found = find_alerts(service, query, MAX_CSV_ROWS, 0)
    rows = (item.model_dump() for item in found.items)
    return as_csv(request, rows, CSV_COLUMNS, found, {"Cache-Control": "no-cache"})


def find_alerts(service: Service, query: AlertFilter, limit: int, offset: int) -> Alerts:
    """Return part of the alerts of the data that the service answers with."""
    run = service.run()
    chosen = (
        sa.select(Alert, ForecastDetail.name, ForecastDetail.form_group)
        .join(ForecastRun, ForecastRun.id == Alert.run_id)
        .join(
            ForecastDetail,
            sa.and_(ForecastDetail.run_id == Alert.run_id, ForecastDetail.drug_id == Alert.drug_id),
        )
        .where(ForecastRun.data == run.data)
    )
    if query.state != "all":
        stands = Alert.closed_on.is_(None)
        chosen = chosen.where(stands if query.state == "open" else sa.not_(stands))
    if query.kind is not None:
        chosen = chosen.where(Alert.kind == query.kind)
    if query.drug_id is not None:
        chosen = chosen.where(Alert.drug_id == query.drug_id)
    if query.since is not None:
        chosen = chosen.where(
            sa.or_(Alert.opened_on >= query.since, Alert.closed_on >= query.since)
        )
    in_order = chosen.order_by(
        Alert.opened_on.desc(), Alert.rank.is_(None), Alert.rank, Alert.drug_id, Alert.kind
    )
    with session(service.settings, write=False) as reading:
        total = reading.scalar(sa.select(sa.func.count()).select_from(chosen.subquery())) or 0
        rows = reading.execute(in_order.limit(limit).offset(offset)).all()
    return Alerts(
        **about(run), total=total, limit=limit, offset=offset, items=[_item(*row) for row in rows]
    )


def _item(alert: Alert, name: str, form_group: str) -> AlertItem:
    kind: Any = alert.kind
    return AlertItem(
        id=alert.id,
        drug_id=alert.drug_id,
        name=name,
        form_group=form_group,
        kind=kind,
        title=KINDS[alert.kind],
        opened_on=alert.opened_on,
        closed_on=alert.closed_on,
        run_id=alert.run_id,
        score_6_months=alert.score,
        rank_6_months=alert.rank,
        message=alert.message,
    )
