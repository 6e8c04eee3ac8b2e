"""The service: what it is made of, and how it is started."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware

from shortcast import __version__
from shortcast.database import migrate
from shortcast.errors import ShortcastError
from shortcast.serving import problems
from shortcast.serving.answers import NotModified
from shortcast.serving.metrics import Metrics, MetricsMiddleware
from shortcast.serving.routes import (
    alerts,
    docs,
    drugs,
    forecasts,
    model,
    operations,
    pages,
    products,
    rankings,
    runs,
    sources,
)
from shortcast.serving.security import HeadLikeGet, SecurityHeaders
from shortcast.serving.service import Service
from shortcast.serving.words import DISCLAIMER
from shortcast.settings import Settings
from shortcast.settings import settings as current_settings

log = logging.getLogger(__name__)

_DESCRIPTION = f"""Early warning of US drug shortages from public records.

For each drug: the calibrated risk of a new shortage in the next 3, 6 and 12 months, with the
reasons and the public rows they rest on. {DISCLAIMER}

Where an answer says `"data": "simulated"`, its drugs, makers and figures are made up.

Every list has a CSV form under the same address with `.csv`. Errors are
`application/problem+json`."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    settings : Settings, optional
        Settings in force by default.

    Returns
    -------
    FastAPI
        Ready to be served; it starts without a warehouse, a champion or a forecast too, and
        says at ``/health`` what is missing.
    """
    config = settings or current_settings()
    service = Service(config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            await run_in_threadpool(migrate, config)
        except (ShortcastError, SQLAlchemyError) as error:
            log.error("The application database could not be brought up to date: %s", error)
        yield

    app = FastAPI(
        title="shortcast",
        version=__version__,
        summary="Early warning of US drug shortages from public records, or from made-up ones",
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        # Nothing leaves the machine unasked, whatever the environment says.
        telemetry={"auto_configure": False},
    )
    app.state.service = service
    app.state.metrics = Metrics(service)
    problems.install(app)
    app.add_exception_handler(NotModified, _on_not_modified)
    for part in (
        rankings,
        drugs,
        products,
        alerts,
        forecasts,
        sources,
        runs,
        model,
        operations,
        docs,
        pages,
    ):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")))
    # The last one added sees a request first.
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(MetricsMiddleware, metrics=app.state.metrics)
    app.add_middleware(HeadLikeGet)
    return app


async def _on_not_modified(_: Request, error: Exception) -> Response:
    assert isinstance(error, NotModified)
    return Response(status_code=304, headers=error.headers)


def require_free(host: str, port: int) -> None:
    """Refuse an address that another program listens on.

    Parameters
    ----------
    host : str
        Address to listen on.
    port : int
        Port to listen on.

    Raises
    ------
    ShortcastError
        If the address is taken, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server does: an address that was only just left is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            other = port + 1 if port < 65535 else 8000
            raise ShortcastError(
                f"Cannot listen on {host} port {port} ({error.strerror}); choose another, say "
                f"--port {other} (make up PORT={other})."
            ) from error


def serve(host: str = "127.0.0.1", port: int = 8000, settings: Settings | None = None) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    host : str
        Address to listen on; by default only this machine.
    port : int
        Port to listen on.
    settings : Settings, optional
        Settings in force by default.

    Raises
    ------
    ShortcastError
        If the address is taken, or model, forecasts and records are not of one kind.
    """
    require_free(host, port)
    app = create_app(settings)
    app.state.service.require_one_kind()
    uvicorn.run(app, host=host, port=port, server_header=False)
