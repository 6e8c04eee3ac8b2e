from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shortcast.monitoring.forecast_log import list_runs


@pytest.fixture(autouse=True)
def refreshed(market: Any) -> None:
    for run in reversed(list_runs(market.settings)):
        market.refresh(run.id)


def test_standing_alerts_come_with_name_reason_and_disclaimer(client: TestClient) -> None:
    answer = client.get("/v1/alerts", params={"kind": "risk_rise"}).json()
    assert "stockpile" in answer["disclaimer"]
    # The rises stop below three times the mean score of this small market.
    assert answer["items"] == []
    [alert] = client.get("/v1/alerts", params={"kind": "shortage"}).json()["items"]
    assert (alert["name"], alert["title"]) == ("Soranide", "Newly in shortage")
    assert (alert["opened_on"], alert["closed_on"]) == ("2022-05-01", None)
    assert alert["score_6_months"] is None


def test_closed_alerts_are_kept(client: TestClient) -> None:
    closed = client.get("/v1/alerts", params={"state": "closed"}).json()["items"]
    assert [(a["drug_id"], a["kind"], a["closed_on"]) for a in closed] == [
        ("soranide--inhalation", "top_50", "2022-05-01")
    ]
    everything = client.get("/v1/alerts", params={"state": "all"}).json()
    still_open = client.get("/v1/alerts").json()
    assert everything["total"] == still_open["total"] + 1


def test_only_what_changed_since_a_day(client: TestClient) -> None:
    params = {"state": "all", "since": "2022-05-01"}
    changed = client.get("/v1/alerts", params=params).json()["items"]
    assert {(a["drug_id"], a["kind"]) for a in changed} == {
        ("soranide--inhalation", "shortage"),
        ("soranide--inhalation", "top_50"),
    }


def test_alerts_of_one_drug(client: TestClient) -> None:
    answer = client.get("/v1/alerts", params={"drug_id": "velorane--injection"}).json()
    assert [item["kind"] for item in answer["items"]] == ["top_50"]


def test_the_csv_form(client: TestClient) -> None:
    table = list(csv.DictReader(io.StringIO(client.get("/v1/alerts.csv").text)))
    assert len(table) == 5
    assert {row["kind"] for row in table} == {"top_50", "shortage"}


def test_alerts_of_simulated_runs_stay_out(market: Any, client: TestClient) -> None:
    total = client.get("/v1/alerts").json()["total"]
    simulated = market.add_run(
        date(2022, 4, 15), {"made-up--topical": 0.3}, (), data="simulated", records="made up"
    )
    assert market.refresh(simulated)["opened"] == 1
    assert client.get("/v1/alerts").json()["total"] == total
