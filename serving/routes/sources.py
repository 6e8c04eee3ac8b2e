"""``/v1/sources``: where the records come from, how fresh they are, and how well they join."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from shortcast.features.sources import registry
from shortcast.monitoring import coverage, findings, freshness
from shortcast.serving.answers import CSVResponse, Envelope, about, as_csv
from shortcast.serving.problems import Problem, responses
from shortcast.serving.service import Service, ServiceOf
from shortcast.serving.warehouse import WarehouseError

router = APIRouter(tags=["sources"])


class Refused(BaseModel):
    """A snapshot that was refused whole."""

    as_of: date
    reason: str


class SourceItem(BaseModel):
    """A public source."""

    source: str
    title: str
    publisher: str
    address: str
    licence: str
    citation: str
    caveats: list[str]
    cadence_days: int
    state: Annotated[
        Literal["fresh", "late", "stale", "never"],
        Field(description="Age of the last snapshot against the rhythm of publication"),
    ]
    last_snapshot: date | None
    age_days: int | None
    rows: Annotated[int, Field(description="Rows taken from the last snapshot")]
    rejected: Annotated[int, Field(description="Rows of it that went to quarantine")]
    reject_reasons: dict[str, int]
    refused_snapshots: list[Refused]


class JoinItem(BaseModel):
    """How much of a join found its counterpart."""

    join: str
    description: str
    rows: int
    matched: int
    share: float | None
    floor: Annotated[float | None, Field(description="Share below which not to rely on it")]


class FindingItem(BaseModel):
    """Something that the watch found wrong and that is not over."""

    kind: str
    subject: str
    severity: str
    message: str
    opened_on: date


class Sources(Envelope):
    """The records behind the forecasts."""

    built_at: Annotated[str, Field(description="When the warehouse was built")]
    records_checksum: str
    items: list[SourceItem]
    joins: list[JoinItem]
    findings: list[FindingItem]


CSV_COLUMNS = (
    "source",
    "title",
    "publisher",
    "address",
    "licence",
    "citation",
    "caveats",
    "cadence_days",
    "state",
    "last_snapshot",
    "age_days",
    "rows",
    "rejected",
    "snapshots_refused",
)


@router.get("/v1/sources", summary="Sources", responses=responses(503))
def read_sources(service: ServiceOf) -> Sources:
    """Return each source with its freshness, rejects, caveats and terms, and every join."""
    return find_sources(service)


@router.get(
    "/v1/sources.csv",
    summary="Sources as CSV",
    response_class=CSVResponse,
    responses=responses(503),
)
def read_sources_csv(service: ServiceOf, request: Request) -> CSVResponse:
    """Return the sources as one table."""
    found = find_sources(service)
    rows = (
        {
            **item.model_dump(exclude={"caveats", "refused_snapshots"}),
            "caveats": " ".join(item.caveats),
            "snapshots_refused": len(item.refused_snapshots),
        }
        for item in found.items
    )
    return as_csv(request, rows, CSV_COLUMNS, found, {"Cache-Control": "no-cache"})


def find_sources(service: Service) -> Sources:
    """Return the sources as the warehouse in force has them."""
    try:
        with service.warehouse.cursor() as cursor:
            states = freshness.freshness(cursor, service.today())
            joins = coverage.coverage(cursor)
            built = cursor.execute("SELECT built_at, data, records_checksum FROM build").fetchone()
    except WarehouseError as error:
        raise Problem(
            503,
            "no-warehouse",
            "The sources cannot be told, for the warehouse cannot be read; /health says why.",
        ) from error
    if built is None:
        raise Problem(503, "no-warehouse", "The warehouse is empty; run 'shortcast build --force'.")
    run = service.find_run()
    envelope = about(run) if run else {"as_of": None, "model": None}
    sources = registry()
    return Sources(
        **{**envelope, "data": built[1]},
        built_at=str(built[0]),
        records_checksum=built[2],
        items=[
            SourceItem(
                source=state.source,
                title=state.title,
                publisher=sources[state.source].publisher,
                address=sources[state.source].address,
                licence=sources[state.source].licence,
                citation=sources[state.source].citation,
                caveats=list(sources[state.source].caveats),
                cadence_days=state.cadence_days,
                state=state.state,
                last_snapshot=state.last_as_of,
                age_days=state.age_days,
                rows=state.rows,
                rejected=state.rejected,
                reject_reasons=dict(state.reject_reasons),
                refused_snapshots=[
                    Refused(as_of=refusal.as_of, reason=refusal.reason) for refusal in state.refused
                ],
            )
            for state in states
        ],
        joins=[JoinItem(**vars(join)) for join in joins],
        findings=[
            FindingItem(
                kind=found.kind,
                subject=found.subject,
                severity=found.severity,
                message=found.message,
                opened_on=found.opened_on,
            )
            for found in findings.open_findings(service.settings)
        ],
    )
