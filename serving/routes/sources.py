"""``/v1/sources``: where the records come from, how fresh they are, and how well they join."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from shortcast.features.fetch_log import Standing, standings
from shortcast.features.kind import of_real_source
from shortcast.features.source_page import in_words
from shortcast.features.sources import registry
from shortcast.monitoring import coverage, findings, freshness
from shortcast.serving.answers import CSVResponse, Envelope, about, as_csv
from shortcast.serving.problems import Problem, responses
from shortcast.serving.service import Service, ServiceOf
from shortcast.serving.warehouse import WarehouseError

router = APIRouter(tags=["sources"])


class Refused(BaseModel):
    """A snapshot that was refused whole."""

    as_of: Annotated[date, Field(description="Date of the snapshot")]
    reason: Annotated[str, Field(description="What is wrong with it, and what to do")]


class LastFetch(BaseModel):
    """How the last fetch of a source ended."""

    day: Annotated[date, Field(description="Day of the fetch")]
    state: Annotated[
        Literal["accepted", "unchanged", "held", "quarantined", "failed", "waiting"],
        Field(description="How it ended; 'quarantined': it came, and failed a check"),
    ]
    message: Annotated[str, Field(description="What happened, and what to do")]
    seen_on: Annotated[
        date | None, Field(description="Last day on which the source's newest state was held")
    ]


class SourceItem(BaseModel):
    """A public source."""

    source: Annotated[str, Field(description="Name of the source", examples=["nadac"])]
    title: Annotated[str, Field(description="What it is called")]
    publisher: Annotated[str, Field(description="Who publishes it")]
    address: Annotated[str, Field(description="Where it is published")]
    licence: Annotated[str, Field(description="Its terms of use")]
    citation: Annotated[str, Field(description="A line to cite it by")]
    caveats: Annotated[list[str], Field(description="What to bear in mind with it")]
    fetching: Annotated[
        list[str], Field(description="How it is fetched and what is expected of it, in sentences")
    ]
    cadence_days: Annotated[int, Field(description="Days between publications", examples=[7])]
    state: Annotated[
        Literal["fresh", "late", "stale", "never"],
        Field(description="Age of the last snapshot against the rhythm of publication"),
    ]
    last_snapshot: Annotated[
        date | None, Field(description="Date of the newest snapshot; null if there is none")
    ]
    age_days: Annotated[int | None, Field(description="Days since then")]
    rows: Annotated[int, Field(description="Rows taken from the last snapshot")]
    rejected: Annotated[int, Field(description="Rows of it that went to quarantine")]
    reject_reasons: Annotated[dict[str, int], Field(description="Rows in quarantine by reason")]
    refused_snapshots: Annotated[list[Refused], Field(description="Snapshots refused whole")]
    last_fetch: Annotated[
        LastFetch | None,
        Field(description="How its last fetch ended; null if it was only imported"),
    ]


class JoinItem(BaseModel):
    """How much of a join found its counterpart."""

    join: Annotated[str, Field(description="Name of the join")]
    description: Annotated[str, Field(description="What is counted")]
    rows: Annotated[int, Field(description="Rows that should match")]
    matched: Annotated[int, Field(description="Rows that do")]
    share: Annotated[float | None, Field(description="Share that do, 0 to 1", examples=[0.993])]
    floor: Annotated[float | None, Field(description="Share below which not to rely on it")]


class FindingItem(BaseModel):
    """Something that the watch found wrong and that is not over."""

    kind: Annotated[str, Field(description="What kind of thing")]
    subject: Annotated[str, Field(description="Source, join or feature that it is about")]
    severity: Annotated[str, Field(description="How grave it is")]
    message: Annotated[str, Field(description="What was found, and what to do")]
    opened_on: Annotated[date, Field(description="Since when")]


class Sources(Envelope):
    """The records behind the forecasts."""

    built_at: Annotated[str, Field(description="When the warehouse was built")]
    records_checksum: Annotated[
        str, Field(description="Checksum of the records behind the warehouse")
    ]
    items: Annotated[list[SourceItem], Field(description="Every known source")]
    joins: Annotated[list[JoinItem], Field(description="Every join of the warehouse")]
    findings: Annotated[
        list[FindingItem], Field(description="What the watch found wrong and is not over")
    ]


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
            **item.model_dump(exclude={"caveats", "fetching", "refused_snapshots", "last_fetch"}),
            "caveats": " ".join(item.caveats),
            "snapshots_refused": len(item.refused_snapshots),
        }
        for item in found.items
    )
    return as_csv(request, rows, CSV_COLUMNS, found, {"Cache-Control": "no-cache"})


def _last_fetch(fetched: Standing | None) -> LastFetch | None:
    """Return how the last fetch ended; None if there was none."""
    if fetched is None:
        return None
    last = fetched.last
    return LastFetch(
        day=date.fromisoformat(last.day),
        state=last.state,
        message=last.message,
        seen_on=fetched.seen_on,
    )


def find_sources(service: Service) -> Sources:
    """Return the sources as the warehouse in force has them."""
    try:
        with service.warehouse.cursor() as cursor:
            fetched = standings(service.settings.fetching, service.today())
            states = freshness.freshness(cursor, service.today(), fetched=fetched)
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
    data = built[1]
    return Sources(
        **{**envelope, "data": data},
        built_at=str(built[0]),
        records_checksum=built[2],
        items=[
            SourceItem(
                source=state.source,
                title=state.title,
                publisher=of_real_source(sources[state.source].publisher, data),
                address=sources[state.source].address,
                licence=of_real_source(sources[state.source].licence, data),
                citation=of_real_source(sources[state.source].citation, data),
                caveats=list(sources[state.source].caveats),
                fetching=in_words(sources[state.source]),
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
                last_fetch=_last_fetch(state.fetched),
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
