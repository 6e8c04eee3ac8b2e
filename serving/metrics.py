"""What ``/metrics`` tells Prometheus: requests served, alerts, and the figures of the watch."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shortcast.errors import ShortcastError
from shortcast.monitoring.service_metrics import WatchCollector
from shortcast.serving.alert_rules import KINDS
from shortcast.serving.alerts import Alert
from shortcast.serving.service import Service

log = logging.getLogger(__name__)

#: Methods counted by name; a client may make up any other, and each would be a series of its own.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The metrics of one service.

    Parameters
    ----------
    service : Service
        Whose state is told.
    """

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.requests = Counter(
            "shortcast_requests_total",
            "Requests answered, by route, method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "shortcast_request_seconds",
            "Time to answer a request, by route.",
            ("route",),
            registry=self.registry,
        )
        self.registry.register(_StateCollector(service))


class MetricsMiddleware:
    """Counts and times every request under its route, never under its raw path.

    Parameters
    ----------
    app : ASGIApp
        The application.
    metrics : Metrics
        Where it is counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it when it has been answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "500"
        started = time.perf_counter()

        async def count(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, count)
        finally:
            route = getattr(scope.get("route"), "path", None) or "unmatched"
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.requests.labels(route, method, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)


class _StateCollector(Collector):
    """Reads the state of the installation at each scrape, and says if the database is down."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._watch = WatchCollector(
            open_warehouse=service.warehouse.cursor,
            today=service.today,
            settings=service.settings,
        )

    def describe(self) -> list[Metric]:
        """Describe nothing beforehand: registering must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield what can be read now."""
        up = 1
        try:
            yield from list(self._watch.collect())
            yield self._alerts()
        except (ShortcastError, SQLAlchemyError) as error:
            log.warning("metrics: %s", error)
            up = 0
        yield GaugeMetricFamily(
            "shortcast_database_up", "1 if the application database can be read.", value=up
        )

    def _alerts(self) -> Metric:
        gauge = GaugeMetricFamily(
            "shortcast_alerts_open", "Alerts that stand, by kind.", labels=["kind"]
        )
        query = sa.select(Alert.kind, sa.func.count()).where(Alert.closed_on.is_(None))
        standing = dict(map(tuple, self._service.ask(query.group_by(Alert.kind))))
        for kind in KINDS:
            gauge.add_metric([kind], standing.get(kind, 0))
        return gauge
