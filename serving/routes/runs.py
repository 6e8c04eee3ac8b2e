"""``/v1/runs``: what the schedule and people ran, when, on what, and how it ended."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from shortcast.features.kind import Data
from shortcast.monitoring.job_runs import JobRun, count_job_runs, list_job_runs
from shortcast.serving.answers import MAX_CSV_ROWS, CSVResponse, Paging, as_csv
from shortcast.serving.problems import responses
from shortcast.serving.service import Service, ServiceOf

router = APIRouter(tags=["operations"])


class JobRunItem(BaseModel):
    """One run of one job."""

    id: Annotated[int, Field(description="Number of the run of the job", examples=[41])]
    job: Annotated[str, Field(description="Name of the job", examples=["score"])]
    day: Annotated[date, Field(description="The day that it ran for")]
    due_at: Annotated[
        datetime | None,
        Field(description="When the timetable wanted it (UTC); null for a run by hand"),
    ]
    started_at: Annotated[datetime, Field(description="When it began (UTC)")]
    ended_at: Annotated[
        datetime | None,
        Field(description="When it ended, or was found dead (UTC); null while it runs"),
    ]
    outcome: Annotated[
        Literal["running", "ok", "failed", "killed"], Field(description="How it ended")
    ]
    rows: Annotated[
        int | None, Field(description="Rows that it wrote or looked at, in the job's own sense")
    ]
    inputs: Annotated[
        dict[str, Any], Field(description="What it worked from: checksums, versions, dates")
    ]
    message: Annotated[str, Field(description="What it did, or why it failed")]


class JobRuns(BaseModel):
    """Part of the record of job runs."""

    data: Annotated[
        Data, Field(description="Whether the records are real or made up for trying out")
    ]
    total: Annotated[int, Field(description="Runs on record, on all pages")]
    limit: Annotated[int, Field(description="Rows a page", examples=[50])]
    offset: Annotated[int, Field(description="Rows passed over", examples=[0])]
    items: Annotated[list[JobRunItem], Field(description="The newest first")]


CSV_COLUMNS = tuple(JobRunItem.model_fields)


@router.get("/v1/runs", summary="Job runs", responses=responses(422, 503))
def read_runs(service: ServiceOf, query: Annotated[Paging, Query()]) -> JobRuns:
    """Return the record of job runs, the newest first: by the timetable and by hand."""
    return find_job_runs(service, query.limit, query.offset)


@router.get(
    "/v1/runs.csv",
    summary="Job runs as CSV",
    response_class=CSVResponse,
    responses=responses(503),
)
def read_runs_csv(service: ServiceOf, request: Request) -> CSVResponse:
    """Return the record of job runs as one table, at most 100,000 rows."""
    found = find_job_runs(service, MAX_CSV_ROWS, 0)
    rows = (item.model_dump() for item in found.items)
    return as_csv(request, rows, CSV_COLUMNS, None, {"Cache-Control": "no-cache"})


def find_job_runs(service: Service, limit: int, offset: int) -> JobRuns:
    """Return part of the record of job runs.

    Parameters
    ----------
    service : Service
        The running service.
    limit, offset : int
        Rows to return, and to pass over.

    Returns
    -------
    JobRuns
        The newest first.
    """
    return JobRuns(
        data=service.data(),
        total=count_job_runs(service.settings),
        limit=limit,
        offset=offset,
        items=[
            _item(run, str(service.settings.home))
            for run in list_job_runs(limit, service.settings, offset=offset)
        ],
    )


def _item(run: JobRun, home: str) -> JobRunItem:
    outcome: Any = run.outcome
    return JobRunItem(
        id=run.id,
        job=run.job,
        day=run.day,
        due_at=run.due_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        outcome=outcome,
        rows=run.rows,
        inputs=run.inputs,
        # Where this installation lies is nobody's business but its keeper's.
        message=run.message.replace(home, "SHORTCAST_HOME"),
    )
