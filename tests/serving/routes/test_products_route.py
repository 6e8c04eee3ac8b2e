from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize(
    "ndc", ["1234-0567-01", "01234-0567-01", "01234056701", "1234-0567", "NDC 1234-0567-01"]
)
def test_any_notation_leads_to_the_drug(reader: TestClient, ndc: str) -> None:
    answer = reader.get(f"/v1/products/{ndc}").json()
    assert answer["drug_id"] == "velorane--injection"
    assert answer["drug_page"] == "/drugs/velorane--injection"
    assert answer["listing"]["labeler_name"] == "Nordfell Pharma"
    assert (answer["score_6_months"], answer["rank_6_months"]) == (0.21, 1)
    assert "not a cause" in answer["disclaimer"]


def test_a_listing_that_was_withdrawn_says_until_when_it_stood(reader: TestClient) -> None:
    listing = reader.get("/v1/products/12345-678-90").json()["listing"]
    assert listing["known_until"] == "2020-01-01"


def test_ten_digits_are_refused_with_the_candidates(reader: TestClient) -> None:
    response = reader.get("/v1/products/1234567890")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "/docs#ambiguous-ndc"
    assert {c["ndc"]: c["drug_id"] for c in problem["candidates"]} == {
        "1234-5678-90": None,
        "12345-678-90": "velorane--injection",
        "12345-6789-0": None,
    }


def test_what_is_no_ndc_is_refused(reader: TestClient) -> None:
    response = reader.get("/v1/products/aspirin")
    assert response.status_code == 422
    assert response.json()["type"] == "/docs#bad-ndc"


def test_an_unknown_product_says_what_to_do(reader: TestClient) -> None:
    response = reader.get("/v1/products/9999-9999-99")
    assert response.status_code == 404
    assert response.json()["type"] == "/docs#unknown-product"
    assert "Check the digits" in response.json()["detail"]


def test_without_a_warehouse_products_say_so(market: Any, client: TestClient) -> None:
    market.settings.warehouse.unlink()
    response = client.get("/v1/products/1234-0567-01")
    assert response.status_code == 503
    assert response.json()["type"] == "/docs#no-warehouse"
