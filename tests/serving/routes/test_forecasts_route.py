from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shortcast.database import session
from shortcast.monitoring.forecast_log import latest_run
from shortcast.monitoring.scoreboard import Score

VERDICT = {"drugs": 5, "onsets": 1, "precision_at": {"50": 0.2}, "hits": [], "misses": []}


def test_the_forecasts_of_a_drug_stand_as_they_were_given(reader: TestClient) -> None:
    params = {"drug_id": "velorane--injection", "horizon": 6}
    items = reader.get("/v1/forecasts", params=params).json()["items"]
    assert [(i["as_of"], i["score"]) for i in items] == [("2022-05-01", 0.21), ("2022-04-01", 0.01)]
    assert items[0]["made_at"] == "2022-05-01T06:00:00Z"


def test_the_forecasts_of_a_month(reader: TestClient) -> None:
    answer = reader.get("/v1/forecasts", params={"month": "2022-04"}).json()
    assert answer["total"] == 15
    assert {item["as_of"] for item in answer["items"]} == {"2022-04-01"}


def test_december_ends_with_the_year(market: Any, client: TestClient) -> None:
    market.add_run(date(2021, 12, 1), {"velorane--injection": 0.02}, ())
    assert client.get("/v1/forecasts", params={"month": "2021-12"}).json()["total"] == 3


@pytest.mark.parametrize("month", ["2022-13", "2022", "9999-12", "0000-01", "2022-4"])
def test_what_is_no_month_is_refused(reader: TestClient, month: str) -> None:
    response = reader.get("/v1/forecasts", params={"month": month})
    assert response.status_code == 422
    assert month in response.json()["detail"]


def test_a_forecast_made_long_after_its_day_says_so(market: Any, client: TestClient) -> None:
    later = date(2022, 8, 1)
    market.add_run(date(2022, 6, 1), {"velorane--injection": 0.02}, (), made_on=later)
    items = client.get("/v1/forecasts", params={"drug_id": "velorane--injection"}).json()["items"]
    assert {item["as_of"] for item in items if item["made_later"]} == {"2022-06-01"}
    assert {item["as_of"] for item in items if not item["made_later"]} == {
        "2022-05-01",
        "2022-04-01",
    }


def test_what_a_model_says_of_days_that_it_had_learnt_is_called_a_hindcast(
    market: Any, client: TestClient
) -> None:
    drug = "velorane--injection"
    market.add_run(date(2022, 3, 1), {drug: 0.3}, (), learnt_until=date(2022, 4, 30))
    items = client.get("/v1/forecasts", params={"drug_id": drug, "horizon": 6}).json()["items"]
    assert {item["as_of"]: item["hindcast"] for item in items} == {
        "2022-05-01": False,
        "2022-04-01": False,
        "2022-03-01": True,
    }
    page = client.get(f"/drugs/{drug}").text
    assert 'datetime="2022-04-01"' in page
    assert 'datetime="2022-03-01"' not in page


def test_what_became_of_a_forecast_stands_beside_it(market: Any, client: TestClient) -> None:
    run = latest_run(date(2022, 4, 1), settings=market.settings)
    assert run is not None
    with session(market.settings) as writing:
        writing.add(
            Score(
                run_id=run.id,
                horizon_months=6,
                records_checksum="later",
                scored_at=datetime(2022, 11, 1, tzinfo=UTC),
                metrics=VERDICT,
            )
        )
    [line] = client.get("/v1/forecasts", params={"month": "2022-04"}).json()["scoreboard"]
    assert (line["as_of"], line["horizon_months"]) == ("2022-04-01", 6)
    assert line["metrics"]["precision_at"] == {"50": 0.2}
    assert client.get("/v1/forecasts", params={"month": "2022-05"}).json()["scoreboard"] == []


def test_the_csv_form_names_the_model_of_each_row(market: Any, client: TestClient) -> None:
    market.add_run(date(2022, 6, 1), {"velorane--injection": 0.02}, (), version="4")
    text = client.get("/v1/forecasts.csv", params={"drug_id": "velorane--injection"}).text
    table = list(csv.DictReader(io.StringIO(text)))
    assert {(row["as_of"], row["model_version"]) for row in table} == {
        ("2022-06-01", "4"),
        ("2022-05-01", "3"),
        ("2022-04-01", "3"),
    }


def test_simulated_forecasts_are_not_mixed_in(market: Any, client: TestClient) -> None:
    before = client.get("/v1/forecasts").json()["total"]
    market.add_run(date(2022, 4, 15), data="simulated", records="made up")
    assert client.get("/v1/forecasts").json()["total"] == before
