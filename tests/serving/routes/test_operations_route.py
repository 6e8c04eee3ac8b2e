from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from shortcast.serving import lookup


def checks(answer: dict[str, Any]) -> dict[str, bool]:
    return {check["check"]: check["ok"] for check in answer["checks"]}


def samples(client: TestClient) -> dict[tuple[str, ...], float]:
    response = client.get("/metrics")
    assert response.status_code == 200
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_all_well(client: TestClient) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    answer = response.json()
    assert answer["status"] == "ok"
    assert checks(answer) == dict.fromkeys(("warehouse", "database", "champion", "forecast"), True)
    assert response.headers["cache-control"] == "no-store"


def test_an_empty_installation_says_what_is_missing_line_by_line(
    bare_market: Any, client_of: Callable[[Any], TestClient]
) -> None:
    response = client_of(bare_market).get("/health")
    assert response.status_code == 503
    answer = response.json()
    assert answer["status"] == "degraded"
    assert checks(answer) == {
        "warehouse": False,
        "database": True,
        "champion": False,
        "forecast": False,
    }
    details = " ".join(check["detail"] for check in answer["checks"])
    for command in ("shortcast import", "shortcast promote", "shortcast score"):
        assert command in details


def test_a_warehouse_that_went_bad_is_told_while_the_last_good_one_answers(
    market: Any, client: TestClient
) -> None:
    client.get("/v1/products/1234-0567-01")
    (market.settings.home / "bad").write_bytes(b"x" * 9999)
    (market.settings.home / "bad").replace(market.settings.warehouse)
    answer = client.get("/health").json()
    assert checks(answer)["warehouse"] is False
    assert "The last good one still answers" in answer["checks"][0]["detail"]
    assert client.get("/v1/products/1234-0567-01").status_code == 200


def test_the_address_of_a_database_that_is_down_goes_to_the_log_alone(
    market: Any,
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    address = market.settings.home / "private-name"
    address.mkdir()  # a folder is no database
    broken = market.settings.model_copy(update={"database_url": f"sqlite:///{address}"})
    monkeypatch.setattr(client.app.state.service, "settings", broken)  # type: ignore[attr-defined]
    response = client.get("/health")
    assert response.status_code == 503
    found = checks(response.json())
    assert found["database"] is found["forecast"] is False
    assert "private-name" not in response.text
    assert "private-name" in caplog.text


def test_metrics_count_requests_by_route_not_by_address(client: TestClient) -> None:
    client.get("/v1/drugs/velorane--injection")
    client.get("/v1/drugs/nosuch--topical")
    client.get("/wp-login.php")
    found = samples(client)
    route = "/v1/drugs/{drug_id}"
    assert found["shortcast_requests_total", "GET", route, "200"] == 1
    assert found["shortcast_requests_total", "GET", route, "404"] == 1
    assert found["shortcast_requests_total", "GET", "unmatched", "404"] == 1
    assert found["shortcast_request_seconds_count", route] == 2
    assert not any("wp-login" in part for sample in found for part in sample)


def test_made_up_methods_are_counted_as_one(client: TestClient) -> None:
    for method in ("PROPFIND", "X1", "X2"):
        client.request(method, "/v1/sources")
    client.request("DELETE", "/v1/sources")
    found = samples(client)
    methods = {
        sample[1]: count
        for sample, count in found.items()
        if sample[0] == "shortcast_requests_total"
    }
    assert methods["other"] == 3
    assert methods["DELETE"] == 1
    assert set(methods) <= {"other", "DELETE", "GET"}


def test_a_defect_is_counted(client: TestClient, monkeypatch: Any) -> None:
    monkeypatch.setattr(lookup, "ranking", lambda *_, **__: 1 / 0)
    client.get("/v1/rankings")
    assert samples(client)["shortcast_requests_total", "GET", "/v1/rankings", "500"] == 1


def test_metrics_tell_alerts_forecast_and_sources(market: Any, client: TestClient) -> None:
    market.refresh(1)
    found = samples(client)
    assert found["shortcast_alerts_open", "top_50"] == 5
    assert found["shortcast_alerts_open", "shortage"] == 0
    assert found["shortcast_forecast_drugs",] == 4
    assert found["shortcast_warehouse_up",] == 1
    assert found["shortcast_database_up",] == 1
    assert found["shortcast_source_rows", "fda_shortages"] == 1500


def test_metrics_survive_without_warehouse(market: Any, client: TestClient) -> None:
    market.settings.warehouse.unlink()
    assert samples(client)["shortcast_warehouse_up",] == 0
