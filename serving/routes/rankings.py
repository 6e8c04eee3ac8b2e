"""``/v1/rankings``: drugs by their risk."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from shortcast.features.kind import named
from shortcast.monitoring.forecast_log import ForecastRun
from shortcast.serving import lookup
from shortcast.serving.answers import (
    MAX_CSV_ROWS,
    CSVResponse,
    Envelope,
    Page,
    Paging,
    about,
    as_csv,
    caching,
    cite,
)
from shortcast.serving.fields import (
    Citation,
    DrugId,
    DrugName,
    FormGroupName,
    GroupName,
    GroupTitle,
    HorizonMonths,
    Rank,
    Score,
)
from shortcast.serving.problems import responses
from shortcast.serving.routes.parameters import AsOf, FormGroup, Horizon, Search
from shortcast.serving.service import BaseRate, Service, ServiceOf

router = APIRouter(tags=["rankings"])


class Reason(BaseModel):
    """A group of facts that moved the score."""

    group: GroupName
    title: GroupTitle
    direction: Annotated[
        Literal["raises", "lowers"],
        Field(description="Which way the score moves with it; an association, not a cause"),
    ]
    contribution: Annotated[
        float,
        Field(
            description="What it adds to the natural logarithm of the odds, at 6 months",
            examples=[0.46],
        ),
    ]
    phrases: Annotated[
        list[str],
        Field(
            description="The strongest facts of the group that move the score that way, as "
            "'label: value', with units",
            examples=[["share of its makers' other drugs in shortage: 12 %"]],
        ),
    ]
    sources: Annotated[
        list[str],
        Field(
            description="Public records that the facts rest on; empty in runs that did not keep it",
            examples=[["FDA drug shortage list"]],
        ),
    ] = []


class RankedDrug(BaseModel):
    """A drug's place in the ranking."""

    rank: Rank
    drug_id: DrugId
    name: DrugName
    form_group: FormGroupName
    horizon_months: HorizonMonths
    score: Score
    reasons: Annotated[list[Reason], Field(description="Of the score at 6 months; strongest first")]
    completeness: Annotated[
        float | None, Field(description="Share of the record groups that were known, 0 to 1")
    ]


class Rankings(Page):
    """Part of a ranking."""

    horizon_months: HorizonMonths
    ranked: Annotated[int, Field(description="Drugs in the whole ranking", examples=[2704])]
    base_rate: BaseRate
    citation: Citation
    items: Annotated[list[RankedDrug], Field(description="By rank")]


class RankingFilter(BaseModel, extra="forbid"):
    """What to rank."""

    as_of: AsOf = None
    horizon: Horizon = 6
    form_group: FormGroup | None = None
    q: Search = ""


class RankingQuery(RankingFilter, Paging):
    """Which part of which ranking."""


#: Reasons in one cell of a CSV file; the JSON has them all.
CSV_REASONS = 3

CSV_COLUMNS = (
    "rank",
    "drug_id",
    "name",
    "form_group",
    "horizon_months",
    "score",
    "base_rate",
    "reasons",
    "completeness",
)


@router.get("/v1/rankings", summary="The ranking", responses=responses(404, 422, 503))
def read_rankings(
    service: ServiceOf,
    request: Request,
    response: Response,
    query: Annotated[RankingQuery, Query()],
) -> Rankings:
    """Return drugs by their estimated risk of a new shortage, highest first.

    Drugs that are in shortage already are not ranked; `/v1/drugs?in_shortage=true` lists them.
    """
    run = service.run(query.as_of)
    response.headers.update(caching(request, run, service.champion_version()))
    return find_rankings(service, run, query, query.limit, query.offset)


@router.get(
    "/v1/rankings.csv",
    summary="The ranking as CSV",
    response_class=CSVResponse,
    responses=responses(404, 422, 503),
)
def read_rankings_csv(
    service: ServiceOf, request: Request, query: Annotated[RankingFilter, Query()]
) -> CSVResponse:
    """Return the whole ranking as one table."""
    run = service.run(query.as_of)
    headers = caching(request, run, service.champion_version())
    # Thousands of rows: they are written as they come, without a model for each.
    _, found = _find(service, run, query, MAX_CSV_ROWS, 0)
    said = {
        "horizon_months": query.horizon,
        "base_rate": service.base_rate(run, query.horizon).share,
    }
    rows = (
        {
            **row,
            **said,
            "reasons": in_one_line(told(row["reasons"], run.data)),
            "completeness": row["completeness"].get("share"),
        }
        for row in found
    )
    return as_csv(request, rows, CSV_COLUMNS, Envelope(**about(run)), headers)


def find_rankings(
    service: Service, run: ForecastRun, query: RankingFilter, limit: int, offset: int
) -> Rankings:
    """Return part of the ranking of a run."""
    total, rows = _find(service, run, query, limit, offset)
    what = f"ranking by risk of a new US drug shortage within {query.horizon} months"
    return Rankings(
        **about(run),
        total=total,
        limit=limit,
        offset=offset,
        horizon_months=query.horizon,
        ranked=service.scored(run, query.horizon).drugs,
        base_rate=service.base_rate(run, query.horizon),
        citation=cite(run, what),
        items=[_item(row, query.horizon, run.data) for row in rows],
    )


def _item(row: dict[str, Any], horizon: int, data: str) -> RankedDrug:
    return RankedDrug(
        rank=row["rank"],
        drug_id=row["drug_id"],
        name=row["name"],
        form_group=row["form_group"],
        horizon_months=horizon,
        score=row["score"],
        reasons=[Reason(**reason) for reason in told(row["reasons"], data)],
        completeness=row["completeness"].get("share"),
    )


def _find(
    service: Service, run: ForecastRun, query: RankingFilter, limit: int, offset: int
) -> tuple[int, list[dict[str, Any]]]:
    return lookup.ranking(
        service.settings,
        run.id,
        query.horizon,
        q=query.q,
        form_group=query.form_group,
        limit=limit,
        offset=offset,
    )


def told(reasons: list[dict[str, Any]], data: str) -> list[dict[str, Any]]:
    """Return reasons as the log keeps them with their sources named as what they are."""
    return [
        {**reason, "sources": [named(source, data) for source in reason.get("sources", ())]}
        for reason in reasons
    ]


def in_one_line(reasons: list[dict[str, Any]]) -> str:
    """Return the strongest reasons as text for one cell of a table."""
    return " | ".join(_in_brief(reason) for reason in reasons[:CSV_REASONS])


def _in_brief(reason: dict[str, Any]) -> str:
    said = "; ".join([f"{reason['direction']} the score", *reason.get("sources", ())])
    return f"{reason['title']} ({said}): {'; '.join(reason['phrases'])}"
