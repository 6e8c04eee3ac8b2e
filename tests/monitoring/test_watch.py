"""The watch as a whole, and what Prometheus is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from shortcast.errors import ShortcastError
from shortcast.features.sources import Source
from shortcast.monitoring import drift
from shortcast.monitoring.findings import open_findings
from shortcast.monitoring.forecast_log import NewRun, append
from shortcast.monitoring.job_runs import record
from shortcast.monitoring.service_metrics import WatchCollector
from shortcast.monitoring.watch import watch
from shortcast.settings import Settings

TODAY = date(2022, 9, 30)


@pytest.fixture
def troubled(warehouse: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A warehouse with a stale source, a fresh one, and a join below its floor."""
    warehouse.execute(
        """
        INSERT INTO snapshots VALUES
            ('listings', '2022-06-01', 1, 1, 'x', 100, 0, 'accepted', ''),
            ('prices', '2022-09-20', 1, 1, 'x', 97, 3, 'accepted', '');
        INSERT INTO coverage VALUES ('recalls_to_drugs', 'recalls', 200, 100, 0.5, 0.6);
        INSERT INTO shortage_spells VALUES ('b--injection', '2022-04-15');
        """
    )
    return warehouse


def window(seed: int) -> pd.DataFrame:
    rows = 300
    return pd.DataFrame(
        {
            "drug_id": [f"drug-{i}" for i in range(rows)],
            "as_of": pd.Timestamp("2022-09-01"),
            "makers": np.random.default_rng(seed).poisson(4, rows),
        }
    )


def test_a_stale_source_a_weak_join_and_a_shifted_feature_are_all_reported(
    config: Settings, troubled: duckdb.DuckDBPyConnection, sources: dict[str, Source]
) -> None:
    shifted = window(1).assign(makers=lambda now: now["makers"] + 3)
    report = watch(
        troubled,
        TODAY,
        reference=drift.reference(window(0)),
        current=shifted,
        sources=sources,
        settings=config,
    )
    told = {(f.kind, f.subject) for f in open_findings(config)}
    assert told == {("source", "listings"), ("join", "recalls_to_drugs"), ("feature", "makers")}
    assert {(f.kind, f.subject) for f in report.findings} == told
    assert report.summary == (
        "1 of 2 sources fresh, 1 joins and 1 columns looked at, 0 forecasts scored; "
        "3 findings, 3 of them alarms."
    )


def test_without_a_model_a_drift_found_earlier_stays_open(
    config: Settings, troubled: duckdb.DuckDBPyConnection, sources: dict[str, Source]
) -> None:
    watch(
        troubled,
        TODAY,
        reference=drift.reference(window(0)),
        current=window(1).assign(makers=99),
        sources=sources,
        settings=config,
    )
    troubled.execute("UPDATE snapshots SET as_of = '2022-09-29'")
    watch(troubled, TODAY, sources=sources, settings=config)
    assert [f.kind for f in open_findings(config)] == ["feature", "join"]


def samples(collector: WatchCollector) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(collector)
    lines = generate_latest(registry).decode().splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


def test_prometheus_is_told_of_sources_joins_findings_scores_and_jobs(
    config: Settings,
    troubled: duckdb.DuckDBPyConnection,
    sources: dict[str, Source],
    new_run: NewRun,
    forecasts: pd.DataFrame,
    details: pd.DataFrame,
) -> None:
    append(new_run, forecasts, details, config)
    watch(troubled, TODAY, sources=sources, settings=config)
    moments = iter([datetime(2022, 9, 30, 5, tzinfo=UTC) + timedelta(seconds=s) for s in (0, 90)])
    with record("build", TODAY, now=lambda: next(moments), settings=config):
        pass

    @contextmanager
    def opened() -> Iterator[duckdb.DuckDBPyConnection]:
        yield troubled

    told = samples(WatchCollector(opened, lambda: TODAY, config, sources))

    assert told["shortcast_warehouse_up"] == 1
    assert told['shortcast_source_age_days{source="listings"}'] == 121
    assert told['shortcast_source_cadence_days{source="listings"}'] == 7
    assert told['shortcast_source_rejected_share{source="prices"}'] == 0.03
    assert told['shortcast_join_coverage_share{join="recalls_to_drugs"}'] == 0.5
    assert told['shortcast_join_coverage_floor{join="recalls_to_drugs"}'] == 0.6
    assert told['shortcast_findings{kind="source",severity="alarm"}'] == 1
    assert told['shortcast_findings{kind="feature",severity="alarm"}'] == 0
    assert told['shortcast_finding_value{kind="source",subject="listings"}'] == 121
    assert told["shortcast_forecast_age_days"] == 213
    assert told["shortcast_forecast_drugs"] == 4
    assert told['shortcast_scoreboard_matured_forecasts{horizon_months="6"}'] == 1
    assert told['shortcast_scoreboard_ap_over_prevalence{horizon_months="6"}'] == 2
    assert told['shortcast_scoreboard_precision{horizon_months="6",list="25"}'] == 0.25
    assert told['shortcast_job_last_duration_seconds{job="build",outcome="ok"}'] == 90
    end = 'shortcast_job_last_end_timestamp_seconds{job="build",outcome="ok"}'
    assert told[end] == datetime(2022, 9, 30, 5, 1, 30, tzinfo=UTC).timestamp()


def test_without_a_warehouse_the_rest_is_still_told(config: Settings) -> None:
    @contextmanager
    def absent() -> Iterator[duckdb.DuckDBPyConnection]:
        raise ShortcastError("There is no warehouse.")
        yield

    told = samples(WatchCollector(absent, lambda: TODAY, config))
    assert told["shortcast_warehouse_up"] == 0
    assert told['shortcast_findings{kind="join",severity="alarm"}'] == 0
    assert not any(name.startswith("shortcast_source_") for name in told)
