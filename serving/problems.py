"""Errors as ``application/problem+json`` (RFC 9457), and as a page for people's browsers.

Every problem says what is wrong, where, and what to do. Its ``type`` is an anchor of the
page ``/docs``, so that it can be followed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from shortcast.database import DatabaseError
from shortcast.errors import ShortcastError
from shortcast.serving.security import HEADERS
from shortcast.serving.templating import page

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger(__name__)

#: Kinds of problem with what they mean; listed at ``/docs``.
KINDS: Mapping[str, str] = {
    "not-found": "Nothing stands at this address.",
    "unknown-drug": "The forecast named by the answer holds no drug of this identity.",
    "unknown-product": "The NDC is well formed, but no known product of the universe carries it.",
    "bad-ndc": "The text is not an NDC in any notation in use.",
    "ambiguous-ndc": "Ten digits without hyphens can be split in several ways into an NDC, and "
    "more than one of them is a product; `candidates` names them.",
    "bad-request": "A parameter is missing or has a value it cannot have; `errors` says which.",
    "no-forecast": "No forecast has been made yet, or none for the day asked about.",
    "no-model": "No champion has been promoted and exported yet, or it cannot be read.",
    "no-warehouse": "The warehouse is missing or damaged. Forecasts are served all the same.",
    "no-database": "The application database cannot be read.",
    "failed": "A defect of the service; the details are in its log.",
}


class Problem(Exception):  # noqa: N818 - the name of the RFC
    """An answer that is a problem.

    Parameters
    ----------
    status : int
        HTTP status.
    kind : str
        One of `KINDS`.
    detail : str
        What is wrong and what to do, in one or two sentences.
    extra : mapping
        Further members of the problem.
    """

    def __init__(self, status: int, kind: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.extra = extra


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of problems with these statuses."""
    schema = {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "description": "Address of what this kind means"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What is wrong and what to do"},
            "instance": {"type": "string", "description": "The path that was asked for"},
        },
    }
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def _answer(
    request: Request, problem: Problem, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the problem as JSON, or as a page where a browser asked for a page."""
    title = HTTPStatus(problem.status).phrase
    is_page = not request.url.path.startswith(("/v1/", "/health", "/metrics", "/static"))
    if is_page and "text/html" in request.headers.get("accept", ""):
        return page(
            request,
            "problem.html",
            {"title": title, "detail": problem.detail, "status": problem.status},
            status_code=problem.status,
            headers=headers,
        )
    body = {
        "type": f"/docs#{problem.kind}",
        "title": title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.url.path,
        **problem.extra,
    }
    return JSONResponse(body, problem.status, headers=headers, media_type=MEDIA_TYPE)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(request, error)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    kind = "bad-request"
    if error.status_code == 404:
        kind = "not-found"
        detail = (
            f"Nothing stands at {request.url.path}; /docs lists the addresses that this "
            "service answers."
        )
    elif error.status_code == 405:
        detail = f"{request.method} is not possible here; this address is read with GET."
    return _answer(request, Problem(error.status_code, kind, detail), error.headers)


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {
            "in": str(item["loc"][0]),
            "parameter": ".".join(str(part) for part in item["loc"][1:]),
            "value": str(item.get("input")),
            "reason": item["msg"],
        }
        for item in error.errors()
    ]
    named = "; ".join(f"{e['parameter']}={e['value']!r}: {e['reason']}" for e in errors)
    detail = f"The request cannot be answered: {named}. Mend the parameter; /docs describes it."
    return _answer(request, Problem(422, "bad-request", detail, errors=errors))


async def _on_refusal(request: Request, error: Exception) -> Response:
    """Answer for a failure that the rest of the project explained; its paths stay in the log."""
    if isinstance(error, DatabaseError):
        return await _on_database(request, error)
    log.error("%s: %s", request.url.path, error)
    detail = "The records behind this answer cannot be read; /health says which and what to do."
    return _answer(request, Problem(503, "no-warehouse", detail))


async def _on_database(request: Request, error: Exception) -> Response:
    log.error("%s: %s", request.url.path, error)
    detail = "The application database cannot be read; /health says why."
    return _answer(request, Problem(503, "no-database", detail))


async def _on_defect(request: Request, error: Exception) -> Response:
    log.error("%s failed", request.url.path, exc_info=error)
    detail = (
        "The service failed on this request; nothing was changed. Try again, and report it with "
        "the time if it stays: the service's log holds the details."
    )
    # This answer passes by the middleware that would add them.
    return _answer(request, Problem(500, "failed", detail), HEADERS)


def install(app: FastAPI) -> None:
    """Make every error of an application a problem.

    Parameters
    ----------
    app : FastAPI
        The application; changed in place.
    """
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(ShortcastError, _on_refusal)
    app.add_exception_handler(SQLAlchemyError, _on_database)
    app.add_exception_handler(Exception, _on_defect)
