from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shortcast.features.fetch_log import Outcome, note
from shortcast.features.sources import registry
from shortcast.monitoring import findings
from shortcast.monitoring.findings import Finding
from shortcast.serving.service import Service


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "today", lambda self: date(2022, 5, 9))


def test_a_source_says_how_fresh_it_is_and_what_was_wrong_with_it(client: TestClient) -> None:
    answer = client.get("/v1/sources").json()
    items = {item["source"]: item for item in answer["items"]}
    assert set(items) == set(registry())
    source = items["fda_shortages"]
    assert (source["last_snapshot"], source["age_days"]) == ("2022-05-01", 8)
    assert (source["rows"], source["rejected"]) == (1500, 3)
    assert source["reject_reasons"] == {"a date in the future": 3}
    assert source["refused_snapshots"] == [{"as_of": "2022-05-08", "reason": "It is HTML."}]
    assert source["licence"]
    assert source["citation"]
    assert answer["data"] == "real"


def test_how_the_last_fetch_ended_stands_in_the_answer_and_on_the_page(
    market: Any, client: TestClient
) -> None:
    folder = market.settings.fetching
    note(folder, Outcome("fda_shortages", "2022-05-08", "2022-05-08", "accepted", "New."))
    said = "Not taken, because half of it is missing."
    note(folder, Outcome("fda_shortages", "2022-05-09", "2022-05-09", "quarantined", said))
    note(folder, Outcome("nadac", "2022-05-09", "2022-05-01", "unchanged", "Unchanged."))
    items = {item["source"]: item for item in client.get("/v1/sources").json()["items"]}
    assert items["fda_shortages"]["last_fetch"] == {
        "day": "2022-05-09",
        "state": "quarantined",
        "message": said,
        "seen_on": "2022-05-08",
    }
    assert items["orange_book"]["last_fetch"] is None
    page = client.get("/sources").text
    assert f"brought no new snapshot (quarantined): {said}" in page
    assert "nothing new" in page


def test_joins_are_told_with_their_floor(client: TestClient) -> None:
    [join] = client.get("/v1/sources").json()["joins"]
    assert (join["rows"], join["matched"], join["floor"]) == (1500, 1490, 0.98)
    assert join["share"] == pytest.approx(1490 / 1500)


def test_what_the_watch_found_stands_there(market: Any, client: TestClient) -> None:
    found = Finding("source", "fda_shortages", "alarm", "The newest snapshot was refused.")
    findings.store([found], ("source",), date(2022, 5, 9), market.settings)
    [told] = client.get("/v1/sources").json()["findings"]
    assert (told["severity"], told["message"]) == ("alarm", "The newest snapshot was refused.")


def test_the_csv_form(client: TestClient) -> None:
    table = list(csv.DictReader(io.StringIO(client.get("/v1/sources.csv").text)))
    rows = {row["source"]: row for row in table}
    assert rows["fda_shortages"]["snapshots_refused"] == "1"
    assert rows["fda_shortages"]["last_snapshot"] == "2022-05-01"


def test_simulated_records_are_named_so_even_before_a_forecast(
    bare_market: Any, client_of: Any
) -> None:
    bare_market.write_warehouse(data="simulated")
    answer = client_of(bare_market).get("/v1/sources").json()
    assert (answer["data"], answer["as_of"], answer["model"]) == ("simulated", None, None)


def test_without_a_warehouse_the_answer_is_a_problem(bare_market: Any, client_of: Any) -> None:
    response = client_of(bare_market).get("/v1/sources")
    assert response.status_code == 503
    assert response.json()["type"] == "/docs#no-warehouse"
