from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient


def test_drugs_in_shortage_stand_in_the_list_without_a_score(reader: TestClient) -> None:
    answer = reader.get("/v1/drugs", params={"in_shortage": True}).json()
    assert answer["items"] == [
        {
            "drug_id": "soranide--inhalation",
            "name": "Soranide",
            "form_group": "inhalation",
            "in_shortage": True,
            "score_6_months": None,
            "rank_6_months": None,
        }
    ]


def test_drugs_are_listed_by_name_and_searched(reader: TestClient) -> None:
    items = reader.get("/v1/drugs").json()["items"]
    assert [item["name"] for item in items] == sorted(item["name"] for item in items)
    assert len(items) == 5
    found = reader.get("/v1/drugs", params={"q": "sora"}).json()["items"]
    assert [item["drug_id"] for item in found] == ["soranide--inhalation"]


def test_the_list_has_a_csv_form(reader: TestClient) -> None:
    table = list(csv.DictReader(io.StringIO(reader.get("/v1/drugs.csv").text)))
    assert {row["drug_id"]: row["in_shortage"] for row in table}["soranide--inhalation"] == "true"


def test_a_drug_has_three_horizons_with_rank_of_how_many_and_base_rate(reader: TestClient) -> None:
    answer = reader.get("/v1/drugs/velorane--injection").json()
    assert [
        (h["horizon_months"], round(h["score"], 3), h["rank"], h["of"]) for h in answer["horizons"]
    ] == [(3, 0.105, 1, 4), (6, 0.21, 1, 4), (12, 0.315, 1, 4)]
    assert answer["horizons"][1]["base_rate"]["share"] == 0.0071
    assert answer["data"] == "real"
    assert answer["model"]["version"] == "3"
    assert answer["as_of"] == "2022-05-01"
    assert "not a cause" in answer["wording"]
    assert "not a cause" in answer["disclaimer"]
    assert "velorane--injection" in answer["citation"]


def test_a_reason_carries_its_public_rows(
    client: TestClient, read_evidence: list[tuple[str, date]]
) -> None:
    answer = client.get("/v1/drugs/velorane--injection").json()
    history, prices = answer["reasons"]
    assert history["direction"] == "raises"
    assert "not a cause" in history["wording"]
    [row] = history["evidence"]
    assert row["source_title"].startswith("FDA Drug Shortages")
    assert (row["source_file"], row["source_row"]) == ("shortages.csv", 118)
    assert (row["event_date"], row["known_from"]) == ("2021-03-04", "2021-03-05")
    assert prices["evidence"] == []
    assert history["known_before"] == "2022-05-01"
    # This run was written before sources were kept beside the phrases.
    assert history["sources"] == []
    [other] = answer["other_evidence"]
    assert other["group"] == "recalls"
    assert other["evidence"][0]["event_date"] is None
    assert read_evidence == [("velorane--injection", date(2022, 5, 1))]


def test_completeness_says_what_was_not_known_and_why(reader: TestClient) -> None:
    completeness = reader.get("/v1/drugs/velorane--injection").json()["completeness"]
    assert completeness["share"] == 0.5
    assert [g["why"] for g in completeness["groups"] if not g["known"]] == [
        "not covered by the source"
    ]


def test_a_drug_in_shortage_has_no_estimate(reader: TestClient) -> None:
    answer = reader.get("/v1/drugs/soranide--inhalation").json()
    assert answer["in_shortage"] is True
    assert answer["horizons"] == []


def test_a_combination_is_found_with_and_without_its_plus_escaped(reader: TestClient) -> None:
    for path in ("mistrafen+oxadol--oral-solid", "mistrafen%2Boxadol--oral-solid"):
        assert reader.get(f"/v1/drugs/{path}").json()["name"] == "Mistrafen and oxadol"


def test_an_unknown_drug_is_a_problem_that_says_where_to_look(reader: TestClient) -> None:
    response = reader.get("/v1/drugs/nosuch--topical")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "/docs#unknown-drug"
    assert "/v1/drugs?q=" in response.json()["detail"]


def test_public_rows_are_read_once_for_each_warehouse(
    market: Any, client: TestClient, read_evidence: list[tuple[str, date]]
) -> None:
    client.get("/v1/drugs/velorane--injection")
    client.get("/v1/drugs/velorane--injection")
    assert len(read_evidence) == 1
    market.write_warehouse()
    client.get("/v1/drugs/velorane--injection")
    assert len(read_evidence) == 2


@pytest.mark.parametrize("known_before", [True, False])
def test_a_damaged_warehouse_takes_no_estimate_away(
    market: Any, client: TestClient, tmp_path: Path, known_before: bool
) -> None:
    if known_before:
        client.get("/v1/drugs/velorane--injection")
    market.settings.warehouse.unlink()
    (tmp_path / "damaged").write_bytes(b"x" * 9999)
    (tmp_path / "damaged").replace(market.settings.warehouse)
    answer = client.get("/v1/drugs/velorane--injection").json()
    assert len(answer["horizons"]) == 3
    assert bool(answer["reasons"][0]["evidence"]) is known_before
    assert ("cannot be read" in answer["evidence_trouble"]) is not known_before
