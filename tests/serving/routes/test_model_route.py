from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from fastapi.testclient import TestClient


def test_the_model_tells_how_it_was_made_and_how_good_it_was(reader: TestClient) -> None:
    answer = reader.get("/v1/model").json()
    assert answer["model"] == {"name": "blend", "version": "3"}
    assert answer["trained_through"] == "2021-09-01"
    assert answer["metrics"]["horizons"]["6"]["models"]["blend"]["roc_auc"] == 0.81
    assert answer["features"][0]["label"] == "shortages before"
    assert (answer["features"][0]["unit"], answer["features"][0]["source"]) == (
        "count",
        "FDA drug shortage list",
    )
    [quality] = answer["quality"]
    assert (quality["as_of_first"], quality["as_of_last"]) == ("2020-07-01", "2022-03-01")
    assert quality["precision_at_50_interval"] == [0.08, 0.17]
    assert quality["roc_auc_interval"] is None
    assert quality["observed_over_expected"] == 0.8
    assert quality["observed_over_expected_interval"] == [0.62, 1.04]
    assert quality["brier_skill"] == 0.016
    assert answer["card"].startswith("# Model card")
    assert "not a cause" in answer["disclaimer"]
    assert answer["as_of"] == "2022-05-01"


def test_a_model_that_has_not_scored_yet_claims_no_date(market: Any, client: TestClient) -> None:
    market.export_champion(version="4")
    answer = client.get("/v1/model").json()
    assert (answer["model"]["version"], answer["as_of"]) == ("4", None)


def test_without_a_champion_the_answer_says_what_to_do(
    bare_market: Any, client_of: Callable[[Any], TestClient]
) -> None:
    response = client_of(bare_market).get("/v1/model")
    assert response.status_code == 503
    assert response.json()["type"] == "/docs#no-model"
    assert "shortcast promote" in response.json()["detail"]


def test_a_missing_champion_takes_no_forecast_away(
    bare_market: Any, client_of: Callable[[Any], TestClient]
) -> None:
    bare_market.add_run(date(2022, 5, 1))
    client = client_of(bare_market)
    assert client.get("/v1/rankings").json()["total"] == 4
    assert client.get("/").status_code == 200


def test_a_damaged_champion_is_told_apart_from_a_missing_one(
    market: Any, client: TestClient
) -> None:
    (market.settings.champion / "bundle.json").write_text("{", encoding="utf-8")
    response = client.get("/v1/model")
    assert response.status_code == 503
    assert "not readable" in response.json()["detail"]
