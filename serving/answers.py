"""The form of every answer: the envelope, CSV, and what caches may keep."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Self

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shortcast import __version__
from shortcast.features.kind import Data, marked, records_of, warning
from shortcast.monitoring.forecast_log import ForecastRun
from shortcast.serving.fields import ModelVersion
from shortcast.serving.words import DISCLAIMER, disclaimer, short_disclaimer

#: Rows of one JSON answer, and of one CSV file.
MAX_ROWS = 500
MAX_CSV_ROWS = 100_000


class ModelName(BaseModel):
    """Which model scored."""

    name: Annotated[str, Field(description="What the model is", examples=["blend"])]
    version: ModelVersion


class Envelope(BaseModel):
    """What every answer says of itself."""

    model_config = ConfigDict(protected_namespaces=())

    data: Annotated[
        Data, Field(description="Whether the records are real or made up for trying out")
    ]
    as_of: Annotated[
        date | None, Field(description="The forecasts rest on what was known before this day")
    ]
    made_at: Annotated[datetime | None, Field(description="When the run was written (UTC)")] = None
    model: Annotated[ModelName | None, Field(description="The model that scored")]
    disclaimer: Annotated[str, Field(description="What a score is, and what it is not")] = (
        DISCLAIMER
    )

    @model_validator(mode="after")
    def _say_from_what(self) -> Self:
        self.disclaimer = disclaimer(self.data)
        return self


class Page(Envelope):
    """An answer that lists something."""

    total: Annotated[int, Field(description="Rows that match, on all pages")]
    limit: Annotated[int, Field(description="Rows a page", examples=[50])]
    offset: Annotated[int, Field(description="Rows passed over", examples=[0])]


class Paging(BaseModel):
    """Which rows of a list to answer with; unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=MAX_ROWS, description="Rows a page", examples=[50])] = 50
    offset: Annotated[
        int, Field(ge=0, le=10_000_000, description="Rows to pass over", examples=[0])
    ] = 0


def about(run: ForecastRun) -> dict[str, Any]:
    """Return the envelope's members for answers that rest on a forecast run.

    Parameters
    ----------
    run : ForecastRun
        The run that answers.

    Returns
    -------
    dict of str to object
        ``data``, ``as_of``, ``made_at`` and ``model``.
    """
    return {
        "data": run.data,
        "as_of": run.as_of,
        "made_at": run.made_at,
        "model": ModelName(name=run.model_name, version=run.model_version),
    }


def cite(run: ForecastRun, what: str) -> str:
    """Return a line that names a forecast well enough to find it again.

    Parameters
    ----------
    run : ForecastRun
        The run.
    what : str
        What is cited: 'ranking at 6 months', or a drug's name.
    """
    return (
        f"shortcast {run.code_version}: {what}, as of {run.as_of:%Y-%m-%d}; run {run.id}, model "
        f"{run.model_name} version {run.model_version}, made {run.made_at:%Y-%m-%d %H:%M} UTC "
        f"from {records_of(run.data)} (checksum {run.records_checksum[:12]})."
    )


class NotModified(Exception):  # noqa: N818 - an outcome, not an error
    """The caller already holds this answer."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.headers = dict(headers)


def caching(request: Request, run: ForecastRun, *parts: object) -> dict[str, str]:
    """Return the headers that let a cache keep an answer until its run is replaced.

    Parameters
    ----------
    request : Request
        The request; its path and query are part of the answer's identity.
    run : ForecastRun
        The run that the answer is of. Its number alone would not do: another home that is
        served at the same address counts from 1 too.
    *parts : object
        What else the answer rests on: the warehouse's stamp.

    Returns
    -------
    dict of str to str
        ``ETag`` and ``Cache-Control``.

    Raises
    ------
    NotModified
        If the caller named this very answer in ``If-None-Match``.
    """
    of_run = (run.id, run.data, run.records_checksum, run.made_at.isoformat())
    key = "\n".join(
        str(part) for part in (__version__, request.url.path, request.url.query, *of_run, *parts)
    )
    tag = f'W/"{hashlib.sha256(key.encode()).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    held = request.headers.get("if-none-match", "")
    if tag in (item.strip() for item in held.split(",")):
        raise NotModified(headers)
    return headers


class CSVResponse(Response):
    """A table as CSV (RFC 4180), UTF-8."""

    media_type = "text/csv; charset=utf-8"


def as_csv(
    request: Request,
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    envelope: Envelope | None,
    headers: Mapping[str, str] | None = None,
) -> CSVResponse:
    """Return rows as CSV, each with what the envelope says of it.

    Parameters
    ----------
    request : Request
        The request; the file is called after its path, and by what it was made from.
    rows : iterable of mapping
        The rows.
    columns : sequence of str
        Columns in order; those of the envelope follow them.
    envelope : Envelope or None
        What every row carries: a table is cut up and passed on without its page. None for
        what rests on no forecast; the kind of data and the note are there all the same.
    headers : mapping, optional
        Further headers.
    """
    data = envelope.data if envelope is not None else request.app.state.service.data()
    said: dict[str, Any] = {"data": data, "note": _note(data)}
    if envelope is not None:
        said = {
            "as_of": envelope.as_of or "",
            "data": data,
            "model_name": envelope.model.name if envelope.model else "",
            "model_version": envelope.model.version if envelope.model else "",
            "note": said["note"],
        }
    names = [*columns, *(name for name in said if name not in columns)]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows:
        merged = {**said, **row}
        writer.writerow([_cell(merged[name]) for name in names])
    name = marked(f"shortcast-{request.url.path.rsplit('/', 1)[-1]}", data)
    return CSVResponse(
        text.getvalue(),
        headers={"Content-Disposition": f'inline; filename="{name}"', **(headers or {})},
    )


def _note(data: str) -> str:
    """Return what stands in every row of a table: what a score is not, and if it is made up."""
    return " ".join(filter(None, (warning(data), short_disclaimer(data))))


def _cell(value: object) -> object:
    """Return a value as a CSV cell; a text that a spreadsheet would run is quoted."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
