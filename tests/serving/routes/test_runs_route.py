from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shortcast.errors import ShortcastError
from shortcast.monitoring.job_runs import record

DAY = date(2022, 5, 1)
FIVE = datetime(2022, 5, 1, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _runs(market: Any) -> None:
    """A build by the timetable that took a minute, and a score by hand that failed."""
    ticks: Iterator[datetime] = (FIVE + timedelta(minutes=n) for n in range(9))

    def now() -> datetime:
        return next(ticks)

    with record("build", DAY, FIVE, now, market.settings) as recorder:
        recorder.rows, recorder.inputs, recorder.message = 7, {"snapshots": 2}, "Rebuilt."
    failed = f"No model at {market.settings.home}/models; train one."
    with (
        pytest.raises(ShortcastError),
        record("score", DAY, None, now, market.settings),
    ):
        raise ShortcastError(failed)


def test_what_was_run_is_told_the_newest_first(client: TestClient) -> None:
    answer = client.get("/v1/runs").json()
    assert answer["total"] == 2
    score, build = answer["items"]
    assert build == {
        "id": 1,
        "job": "build",
        "day": "2022-05-01",
        "due_at": "2022-05-01T05:00:00Z",
        "started_at": "2022-05-01T05:00:00Z",
        "ended_at": "2022-05-01T05:01:00Z",
        "outcome": "ok",
        "rows": 7,
        "inputs": {"snapshots": 2},
        "message": "Rebuilt.",
    }
    assert (score["job"], score["due_at"], score["outcome"]) == ("score", None, "failed")


def test_where_the_installation_lies_is_not_told(market: Any, client: TestClient) -> None:
    response = client.get("/v1/runs")
    assert response.json()["items"][0]["message"] == (
        "No model at SHORTCAST_HOME/models; train one."
    )
    assert str(market.settings.home) not in response.text
    assert str(market.settings.home) not in client.get("/sources").text


def test_pages_of_it_fit_together(client: TestClient) -> None:
    answer = client.get("/v1/runs", params={"limit": 1, "offset": 1}).json()
    assert (answer["total"], [item["job"] for item in answer["items"]]) == (2, ["build"])


def test_the_csv_form(client: TestClient) -> None:
    table = list(csv.DictReader(io.StringIO(client.get("/v1/runs.csv").text)))
    assert [(row["job"], row["outcome"], row["rows"]) for row in table] == [
        ("score", "failed", ""),
        ("build", "ok", "7"),
    ]
    assert "model_version" not in table[0], "a run of a job is no forecast"


def test_it_is_told_without_a_warehouse_too(bare_market: Any, client_of: Any) -> None:
    bare_market.settings.warehouse.unlink()
    assert client_of(bare_market).get("/v1/runs").json()["total"] == 2


def test_the_page_of_the_sources_shows_the_last_ones(client: TestClient) -> None:
    page = client.get("/sources").text
    assert "What was run last" in page
    assert 'datetime="2022-05-01T05:00:00+00:00"' in page
    assert "Rebuilt." in page
