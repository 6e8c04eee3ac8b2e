"""``/v1/drugs``: which drugs there are, and all that a run says of one."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from shortcast.monitoring import forecast_log
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
from shortcast.serving.evidence import SourceRow
from shortcast.serving.fields import (
    Citation,
    DrugId,
    DrugName,
    FormGroupName,
    GroupName,
    GroupTitle,
    HorizonMonths,
    Rank,
    RankAtSix,
    Score,
    ScoreAtSix,
    Wording,
)
from shortcast.serving.problems import Problem, responses
from shortcast.serving.routes.parameters import AsOf, FormGroup, Search
from shortcast.serving.routes.rankings import Reason, told
from shortcast.serving.service import BaseRate, Service, ServiceOf
from shortcast.serving.words import NOT_A_CAUSE

router = APIRouter(tags=["drugs"])


class DrugItem(BaseModel):
    """A drug in a list."""

    drug_id: DrugId
    name: DrugName
    form_group: FormGroupName
    in_shortage: Annotated[bool, Field(description="On the shortage list, as known then")]
    score_6_months: ScoreAtSix
    rank_6_months: RankAtSix


class Drugs(Page):
    """Part of the drugs of a run."""

    items: Annotated[list[DrugItem], Field(description="By name")]


class Horizon(BaseModel):
    """Risk of a new shortage within a horizon."""

    horizon_months: HorizonMonths
    score: Score
    rank: Rank
    of: Annotated[int, Field(description="Drugs in the ranking", examples=[2704])]
    base_rate: BaseRate


class ReasonWithRows(Reason):
    """A group of facts that moved the score, and the public rows they rest on."""

    wording: Wording = NOT_A_CAUSE
    known_before: Annotated[
        date, Field(description="The facts are what was public before this day")
    ]
    evidence: Annotated[
        list[SourceRow], Field(description="Newest public rows of the group, no two alike")
    ]


class Unmoved(BaseModel):
    """Public rows of a group that is no reason for the score."""

    group: GroupName
    evidence: Annotated[list[SourceRow], Field(description="Newest public rows of the group")]


class KnownGroup(BaseModel):
    """Whether a group of records was known for the drug, and if not, why."""

    group: GroupName
    title: GroupTitle
    known: Annotated[bool, Field(description="Whether any of its facts was known")]
    why: Annotated[str, Field(description="Why none was known; '' if one was")] = ""


class Completeness(BaseModel):
    """How much of the records behind a score was known."""

    share: Annotated[float | None, Field(description="Share of the groups known, 0 to 1")]
    groups: Annotated[list[KnownGroup], Field(description="Every group of facts")]


class Drug(Envelope):
    """All that a run says of one drug."""

    drug_id: DrugId
    name: DrugName
    form_group: FormGroupName
    in_shortage: Annotated[
        bool, Field(description="On the shortage list, as known at the as-of date; not scored then")
    ]
    horizons: Annotated[
        list[Horizon], Field(description="At 3, 6 and 12 months; empty for a drug in shortage")
    ]
    reasons_horizon_months: Annotated[
        int, Field(description="Horizon of the score that the reasons are of")
    ] = 6
    reasons: Annotated[list[ReasonWithRows], Field(description="Strongest first")]
    other_evidence: Annotated[
        list[Unmoved], Field(description="Rows of groups that are no reason for the score")
    ]
    evidence_trouble: Annotated[
        str, Field(description="Why the public rows are missing; '' if they are not")
    ]
    completeness: Completeness
    wording: Wording = NOT_A_CAUSE
    citation: Citation


class DrugFilter(BaseModel, extra="forbid"):
    """Which drugs to list."""

    as_of: AsOf = None
    q: Search = ""
    form_group: FormGroup | None = None
    in_shortage: Annotated[
        bool | None,
        Field(description="Only drugs that are, or are not, in shortage", examples=[True]),
    ] = None


class DrugQuery(DrugFilter, Paging):
    """Which part of which drugs."""


CSV_COLUMNS = (
    "drug_id",
    "name",
    "form_group",
    "in_shortage",
    "score_6_months",
    "rank_6_months",
)


@router.get("/v1/drugs", summary="Drugs, by name", responses=responses(404, 422, 503))
def read_drugs(
    service: ServiceOf,
    request: Request,
    response: Response,
    query: Annotated[DrugQuery, Query()],
) -> Drugs:
    """Return the drugs that the run knows, those in shortage among them."""
    run = service.run(query.as_of)
    response.headers.update(caching(request, run))
    return find_drugs(service, run, query, query.limit, query.offset)


@router.get(
    "/v1/drugs.csv",
    summary="Drugs as CSV",
    response_class=CSVResponse,
    responses=responses(404, 422, 503),
)
def read_drugs_csv(
    service: ServiceOf, request: Request, query: Annotated[DrugFilter, Query()]
) -> CSVResponse:
    """Return all drugs that match as one table."""
    run = service.run(query.as_of)
    headers = caching(request, run)
    found = find_drugs(service, run, query, MAX_CSV_ROWS, 0)
    return as_csv(request, (i.model_dump() for i in found.items), CSV_COLUMNS, found, headers)


@router.get("/v1/drugs/{drug_id}", summary="One drug", responses=responses(404, 422, 503))
def read_drug(
    service: ServiceOf,
    request: Request,
    response: Response,
    drug_id: Annotated[
        str,
        Path(
            max_length=300,
            description="The drug, as /v1/rankings and /v1/drugs name it",
            examples=["cisplatin--injection"],
        ),
    ],
    as_of: Annotated[AsOf, Query()] = None,
) -> Drug:
    """Return the three horizons, the reasons with their public rows, and what was not known."""
    run = service.run(as_of)
    found = find_drug(service, run, drug_id)
    if not found.evidence_trouble:
        response.headers.update(
            caching(request, run, service.champion_version(), service.warehouse.stamp)
        )
    return found


def find_drugs(
    service: Service, run: ForecastRun, query: DrugFilter, limit: int, offset: int
) -> Drugs:
    """Return part of the drugs of a run."""
    total, rows = lookup.drugs(
        service.settings,
        run.id,
        q=query.q,
        form_group=query.form_group,
        in_shortage=query.in_shortage,
        limit=limit,
        offset=offset,
    )
    return Drugs(
        **about(run),
        total=total,
        limit=limit,
        offset=offset,
        items=[DrugItem(**row) for row in rows],
    )


def find_drug(service: Service, run: ForecastRun, drug_id: str) -> Drug:
    """Return what a run says of one drug.

    Raises
    ------
    Problem
        404 if the run does not have it.
    """
    found = forecast_log.read_drug(run.id, drug_id, settings=service.settings)
    if found is None:
        raise Problem(
            404,
            "unknown-drug",
            f"The forecast of {run.as_of} has no drug {drug_id!r}; search for its name with "
            "/v1/drugs?q=NAME, or for a product with /v1/products/NDC.",
        )
    evidence = service.evidence.of(drug_id, run.as_of)
    reasons = [
        ReasonWithRows(
            **reason,
            known_before=run.as_of,
            evidence=evidence.rows.get(reason["group"], []),
        )
        for reason in told(found["reasons"], run.data)
    ]
    named = {reason.group for reason in reasons}
    return Drug(
        **about(run),
        drug_id=drug_id,
        name=found["name"],
        form_group=found["form_group"],
        in_shortage=found["in_shortage"],
        horizons=[_horizon(service, run, forecast) for forecast in found["forecasts"]],
        reasons=reasons,
        other_evidence=[
            Unmoved(group=group, evidence=rows)
            for group, rows in evidence.rows.items()
            if group not in named
        ],
        evidence_trouble=evidence.trouble,
        completeness=Completeness(
            share=found["completeness"].get("share"),
            groups=found["completeness"].get("groups", []),
        ),
        citation=cite(run, f"risk of a new US shortage of {found['name']} ({drug_id})"),
    )


def _horizon(service: Service, run: ForecastRun, forecast: dict[str, Any]) -> Horizon:
    months = forecast["horizon_months"]
    return Horizon(
        horizon_months=months,
        score=forecast["score"],
        rank=forecast["rank"],
        of=service.scored(run, months).drugs,
        base_rate=service.base_rate(run, months),
    )
