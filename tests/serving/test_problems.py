"""Errors: problem+json everywhere, one clear sentence, and nothing of the machine's insides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from shortcast.serving import lookup
from shortcast.serving.problems import KINDS
from shortcast.serving.service import Service


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/nosuch", 404, "/docs lists the addresses"),
        ("GET", "/v1/nosuch", 404, "/docs lists the addresses"),
        ("GET", "/static/../app.py", 404, "Nothing stands"),
        ("GET", "/static/%2e%2e/app.py", 404, "Nothing stands"),
        ("GET", "/static/..%2f..%2fpyproject.toml", 404, "Nothing stands"),
        ("POST", "/v1/rankings", 405, "is read with GET"),
        ("GET", "/v1/rankings?horizon=5", 422, "horizon='5'"),
        ("GET", "/v1/rankings?as_of=yesterday", 422, "as_of='yesterday'"),
        ("GET", "/v1/rankings?form_group=pills", 422, "form_group='pills'"),
        ("GET", "/v1/rankings?limit=0", 422, "limit='0'"),
        ("GET", "/v1/rankings?limit=501", 422, "limit='501'"),
        ("GET", "/v1/rankings?offset=-1", 422, "offset='-1'"),
        ("GET", "/v1/rankings?formgroup=topical", 422, "formgroup='topical'"),
        ("GET", "/v1/alerts?state=old", 422, "state='old'"),
        ("GET", "/v1/drugs/..%2f..%2fetc", 404, "Nothing stands"),
        ("GET", "/v1/drugs/%00", 404, "no drug"),
        ("GET", f"/v1/drugs/{'x' * 400}", 422, "at most 300"),
    ],
)
def test_every_error_is_a_problem(
    reader: TestClient, method: str, path: str, status: int, said: str
) -> None:
    response = reader.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert said in problem["detail"]
    assert problem["title"]
    assert problem["type"].removeprefix("/docs#") in KINDS
    assert "content-security-policy" in response.headers


@pytest.mark.parametrize("path", ["/", "/health", "/v1/rankings", "/static/style.css", "/nosuch"])
def test_head_is_answered_like_get_without_the_body(reader: TestClient, path: str) -> None:
    head, get = reader.head(path), reader.get(path)
    assert head.status_code == get.status_code
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.content == b""


def test_a_refused_parameter_is_named_for_programs(reader: TestClient) -> None:
    [error] = reader.get("/v1/rankings?horizon=5").json()["errors"]
    assert (error["in"], error["parameter"], error["value"]) == ("query", "horizon", "5")


@pytest.mark.parametrize("path", ["/v1/rankings", "/"])
def test_a_defect_tells_nothing_of_the_inside(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret/path/of/this/machine")

    monkeypatch.setattr(lookup, "ranking", fail)
    response = client.get(path)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "/docs#failed"
    assert "secret" not in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_without_a_forecast_the_answer_says_what_to_do(
    bare_market: Any, client_of: Callable[[Any], TestClient]
) -> None:
    client = client_of(bare_market)
    for path in ("/v1/rankings", "/v1/drugs", "/v1/drugs/x--topical", "/v1/alerts"):
        response = client.get(path)
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert "shortcast score" in response.json()["detail"]


def test_a_database_that_cannot_be_read_is_a_problem(
    market: Any, client_of: Callable[[Any], TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(market)
    broken = market.settings.model_copy(
        update={"database_url": f"sqlite:///{market.settings.home}"}
    )
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    monkeypatch.setattr(service, "settings", broken)
    response = client.get("/v1/rankings")
    assert response.status_code == 503
    assert response.json()["type"] == "/docs#no-database"
    assert str(market.settings.home) not in response.text
    health = client.get("/health")
    assert health.status_code == 503
    assert "The application database cannot be read" in health.text
    assert str(market.settings.home) not in health.text


def test_a_browser_gets_a_page(reader: TestClient) -> None:
    response = reader.get("/drugs/nosuch--topical", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")
    assert "has no drug" in response.text


def test_problems_are_described_in_the_api(app: FastAPI) -> None:
    answers = app.openapi()["paths"]["/v1/products/{ndc}"]["get"]["responses"]
    for status in ("404", "422", "503"):
        assert "application/problem+json" in answers[status]["content"]
