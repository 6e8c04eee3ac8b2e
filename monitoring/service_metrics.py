"""What Prometheus is told: sources, joins, findings, the scoreboard and job runs.

Everything is read when it is asked for, from the warehouse and the application database, so
a scrape shows what the pages show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime

import duckdb
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from shortcast.errors import ShortcastError
from shortcast.features.sources import Source
from shortcast.monitoring.coverage import coverage
from shortcast.monitoring.findings import open_findings
from shortcast.monitoring.forecast_log import latest_run
from shortcast.monitoring.freshness import freshness
from shortcast.monitoring.job_runs import last_ended
from shortcast.monitoring.scoreboard import ScoredRun, read_scoreboard
from shortcast.settings import Settings

OpenWarehouse = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]


def _today() -> date:
    return datetime.now(UTC).date()


class WatchCollector(Collector):
    """Gauges of the watch, for a Prometheus registry.

    Parameters
    ----------
    open_warehouse : callable
        Returns a context with a connection to the warehouse in force.
    today : callable, optional
        The day by which the age of sources is judged.
    settings : Settings, optional
        Settings that name the database.
    sources : mapping of str to Source, optional
        Those of the registry when left out.
    """

    def __init__(
        self,
        open_warehouse: OpenWarehouse,
        today: Callable[[], date] = _today,
        settings: Settings | None = None,
        sources: Mapping[str, Source] | None = None,
    ) -> None:
        self._sources = sources
        self._open_warehouse = open_warehouse
        self._today = today
        self._settings = settings

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering does not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all gauges.

        Yields
        ------
        Metric
            Without a warehouse only ``shortcast_warehouse_up`` (0) of its gauges.
        """
        yield from self._warehouse()
        yield from self._forecasts()
        yield from self._findings()
        yield from self._scoreboard()
        yield from self._jobs()

    def _warehouse(self) -> Iterator[Metric]:
        try:
            with self._open_warehouse() as connection:
                sources = freshness(connection, self._today(), self._sources)
                joins = coverage(connection)
                ((data,),) = connection.execute("SELECT data FROM build").fetchall()
        except (ShortcastError, duckdb.Error):
            yield GaugeMetricFamily(
                "shortcast_warehouse_up", "1 if the warehouse can be read.", value=0
            )
            return
        yield GaugeMetricFamily(
            "shortcast_warehouse_up", "1 if the warehouse can be read.", value=1
        )
        yield InfoMetricFamily(
            "shortcast_records",
            "Which kind of records the warehouse holds: real, or simulated.",
            value={"data": data},
        )
        age = _gauge("shortcast_source_age_days", "Days since the last snapshot.", "source")
        cadence = _gauge(
            "shortcast_source_cadence_days", "Days between two publications.", "source"
        )
        rows = _gauge("shortcast_source_rows", "Rows of the last snapshot.", "source")
        rejected = _gauge(
            "shortcast_source_rejected_share",
            "Share of the last snapshot's rows in quarantine.",
            "source",
        )
        refused = _gauge("shortcast_source_refused_snapshots", "Snapshots refused whole.", "source")
        for source in sources:
            label = [source.source]
            cadence.add_metric(label, source.cadence_days)
            refused.add_metric(label, len(source.refused))
            if source.age_days is not None:
                age.add_metric(label, source.age_days)
                rows.add_metric(label, source.rows)
            if source.rejected_share is not None:
                rejected.add_metric(label, source.rejected_share)
        share = _gauge("shortcast_join_coverage_share", "Share of rows that matched.", "join")
        floor = _gauge("shortcast_join_coverage_floor", "Share that should match.", "join")
        for join in joins:
            if join.share is not None:
                share.add_metric([join.join], join.share)
            if join.floor is not None:
                floor.add_metric([join.join], join.floor)
        yield from (age, cadence, rows, rejected, refused, share, floor)

    def _forecasts(self) -> Iterator[Metric]:
        run = latest_run(settings=self._settings)
        age = _gauge("shortcast_forecast_age_days", "Days since the last as-of date.")
        drugs = _gauge("shortcast_forecast_drugs", "Drugs scored by the last run.")
        if run is not None:
            age.add_metric([], (self._today() - run.as_of).days)
            drugs.add_metric([], run.drugs)
        yield from (age, drugs)

    def _findings(self) -> Iterator[Metric]:
        standing = open_findings(self._settings)
        gauge = _gauge(
            "shortcast_findings", "Findings of the watch that stand.", "kind", "severity"
        )
        # Zeros too: a rule on a series that is not there never fires and never recovers.
        counts = Counter((f.kind, f.severity) for f in standing)
        for kind in ("source", "join", "feature", "score"):
            for severity in ("warning", "alarm"):
                gauge.add_metric([kind, severity], counts[kind, severity])
        value = _gauge(
            "shortcast_finding_value", "What a standing finding measured.", "kind", "subject"
        )
        for finding in standing:
            if finding.value is not None:
                value.add_metric([finding.kind, finding.subject], finding.value)
        yield from (gauge, value)

    def _scoreboard(self) -> Iterator[Metric]:
        ratio = _gauge(
            "shortcast_scoreboard_ap_over_prevalence",
            "Average precision over prevalence of the last matured forecast.",
            "horizon_months",
        )
        calibration = _gauge(
            "shortcast_scoreboard_observed_over_expected",
            "Onsets observed over expected of the last matured forecast.",
            "horizon_months",
        )
        brier = _gauge(
            "shortcast_scoreboard_brier",
            "Brier score of the last matured forecast.",
            "horizon_months",
        )
        precision = _gauge(
            "shortcast_scoreboard_precision",
            "Precision of the list of the last matured forecast.",
            "horizon_months",
            "list",
        )
        matured = _gauge(
            "shortcast_scoreboard_matured_forecasts",
            "Forecasts whose outcomes are known.",
            "horizon_months",
        )
        lines = read_scoreboard(self._settings)
        last: dict[int, ScoredRun] = {}
        for line in lines:
            last.setdefault(line.horizon_months, line)
        for horizon, count in sorted(Counter(line.horizon_months for line in lines).items()):
            matured.add_metric([str(horizon)], count)
            metrics = last[horizon].metrics
            for gauge, key in (
                (ratio, "ap_over_prevalence"),
                (calibration, "observed_over_expected"),
                (brier, "brier"),
            ):
                if metrics[key] is not None:
                    gauge.add_metric([str(horizon)], metrics[key])
            for size, share in metrics["precision_at"].items():
                if share is not None:
                    precision.add_metric([str(horizon), size], share)
        yield from (matured, ratio, calibration, brier, precision)

    def _jobs(self) -> Iterator[Metric]:
        ended = _gauge(
            "shortcast_job_last_end_timestamp_seconds",
            "When a job last ended with an outcome.",
            "job",
            "outcome",
        )
        took = _gauge(
            "shortcast_job_last_duration_seconds", "How long that run took.", "job", "outcome"
        )
        for run in last_ended(self._settings):
            if run.ended_at is not None:
                label = [run.job, run.outcome]
                ended.add_metric(label, run.ended_at.timestamp())
                took.add_metric(label, (run.ended_at - run.started_at).total_seconds())
        yield from (ended, took)


def _gauge(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, labels=labels)
