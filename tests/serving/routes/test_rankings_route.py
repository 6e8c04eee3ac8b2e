from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["drug_id"] for item in answer["items"]]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_ranking_says_what_it_is_and_what_it_is_not(reader: TestClient) -> None:
    answer = reader.get("/v1/rankings").json()
    assert answer["data"] == "real"
    assert answer["as_of"] == "2022-05-01"
    assert answer["model"] == {"name": "blend", "version": "3"}
    for said in ("estimate from public records", "not a cause", "not medical", "stockpile"):
        assert said in answer["disclaimer"]
    assert "as of 2022-05-01" in answer["citation"]
    assert "version 3" in answer["citation"]
    assert answer["base_rate"]["in_words"] == "about 1 in 140 drugs in any 6 months"
    assert (answer["ranked"], answer["total"]) == (4, 4)
    first = answer["items"][0]
    assert (first["rank"], first["drug_id"], first["score"]) == (1, "velorane--injection", 0.21)
    assert first["reasons"][0]["phrases"][0] == "shortages before: 3"
    assert first["completeness"] == 0.5


def test_drugs_in_shortage_are_not_ranked(reader: TestClient) -> None:
    assert "soranide--inhalation" not in ids(reader.get("/v1/rankings").json())


@pytest.mark.parametrize(("horizon", "score"), [(3, 0.105), (6, 0.21), (12, 0.315)])
def test_each_horizon_has_its_scores(reader: TestClient, horizon: int, score: float) -> None:
    answer = reader.get("/v1/rankings", params={"horizon": horizon}).json()
    assert answer["horizon_months"] == horizon
    assert answer["items"][0]["score"] == pytest.approx(score)


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"q": "VELO"}, ["velorane--injection"]),
        ({"q": "oxadol mistrafen"}, ["mistrafen+oxadol--oral-solid"]),
        ({"q": "injection"}, ["velorane--injection", "quintaline--injection"]),
        ({"form_group": "ophthalmic"}, ["brevosol--ophthalmic"]),
        ({"q": "velo", "form_group": "ophthalmic"}, []),
        ({"q": "%"}, []),
        ({"q": "_"}, []),
        ({"limit": 1, "offset": 1}, ["mistrafen+oxadol--oral-solid"]),
        ({"offset": 99}, []),
    ],
)
def test_search_filter_and_paging(
    reader: TestClient, params: dict[str, Any], found: list[str]
) -> None:
    assert ids(reader.get("/v1/rankings", params=params).json()) == found


def test_a_filtered_ranking_keeps_the_ranks_of_the_whole(reader: TestClient) -> None:
    answer = reader.get("/v1/rankings", params={"q": "quintaline"}).json()
    assert answer["items"][0]["rank"] == 3
    assert (answer["total"], answer["ranked"]) == (1, 4)


def test_a_day_is_answered_with_the_ranking_in_force_then(reader: TestClient) -> None:
    answer = reader.get("/v1/rankings", params={"as_of": "2022-04-20"}).json()
    assert answer["as_of"] == "2022-04-01"
    early = reader.get("/v1/rankings", params={"as_of": "2021-01-01"})
    assert early.status_code == 404
    assert "No forecast was in force on 2021-01-01" in early.json()["detail"]


def test_of_two_models_of_one_day_the_champion_answers(market: Any, client: TestClient) -> None:
    market.add_run(date(2022, 5, 1), {"velorane--injection": 0.5}, (), version="4")
    assert client.get("/v1/rankings").json()["model"]["version"] == "3"
    market.export_champion(version="4")
    assert client.get("/v1/rankings").json()["model"]["version"] == "4"


def test_a_newer_day_goes_before_the_champion(market: Any, client: TestClient) -> None:
    market.add_run(date(2022, 6, 1), version="2")
    assert client.get("/v1/rankings").json()["as_of"] == "2022-06-01"


def test_the_csv_holds_the_whole_ranking_and_says_so_in_each_row(reader: TestClient) -> None:
    response = reader.get("/v1/rankings.csv", params={"horizon": 12})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    table = rows(response.text)
    assert [row["rank"] for row in table] == ["1", "2", "3", "4"]
    assert {row["as_of"] for row in table} == {"2022-05-01"}
    assert {row["data"] for row in table} == {"real"}
    assert all("not a cause" in row["note"] for row in table)
    assert "Shortage history (raises the score): shortages before: 3" in table[0]["reasons"]


def test_a_spreadsheet_does_not_run_a_name(market: Any, client: TestClient) -> None:
    market.add_run(
        date(2022, 6, 1), {"trick--topical": 0.1}, (), names={"trick--topical": '=HYPERLINK("x")'}
    )
    assert rows(client.get("/v1/rankings.csv").text)[0]["name"] == '\'=HYPERLINK("x")'


def test_a_cache_is_told_when_the_ranking_is_replaced(market: Any, client: TestClient) -> None:
    for path in ("/v1/rankings", "/v1/rankings.csv", "/v1/drugs"):
        first = client.get(path)
        held = {"If-None-Match": first.headers["etag"]}
        again = client.get(path, headers=held)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert client.get(f"{path}?q=velo", headers=held).status_code == 200
    held = {"If-None-Match": client.get("/v1/rankings").headers["etag"]}
    market.add_run(date(2022, 6, 1))
    assert client.get("/v1/rankings", headers=held).status_code == 200


def test_without_backtest_figures_the_base_rate_is_the_mean_score(
    market: Any, client: TestClient
) -> None:
    market.export_champion(metrics={})
    base_rate = client.get("/v1/rankings").json()["base_rate"]
    assert base_rate["share"] == pytest.approx((0.21 + 0.084 + 0.031 + 0.004) / 4)
    assert base_rate["source"] == "Mean of all estimates of 1 May 2022."


def test_simulated_records_are_never_passed_off_as_real(
    bare_market: Any, client_of: Callable[[Any], TestClient]
) -> None:
    bare_market.add_run(date(2022, 5, 1), data="simulated")
    client = client_of(bare_market)
    answer = client.get("/v1/rankings").json()
    assert answer["data"] == "simulated"
    assert "SIMULATED" in answer["citation"]
    assert {row["data"] for row in rows(client.get("/v1/rankings.csv").text)} == {"simulated"}


def test_a_champion_of_other_data_lends_no_base_rate(
    bare_market: Any, client_of: Callable[[Any], TestClient]
) -> None:
    bare_market.export_champion(data="simulated")
    bare_market.add_run(date(2022, 5, 1))
    source = client_of(bare_market).get("/v1/rankings").json()["base_rate"]["source"]
    assert source.startswith("Mean of all estimates")
