"""Whatever rests on made-up records says so, and nothing is served from both kinds at once."""

from __future__ import annotations

import csv
import html
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from shortcast.errors import ShortcastError
from shortcast.features import groups
from shortcast.features.sources import registry
from shortcast.serving.app import serve
from shortcast.settings import Settings

Opener = Callable[[Any], TestClient]

LISTS = ("rankings", "drugs", "alerts", "sources", "forecasts", "runs")
ANSWERS = (
    *(f"/v1/{name}" for name in LISTS),
    *("/v1/drugs/velorane--injection", "/v1/products/1234-0567-01", "/v1/model", "/health"),
)


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_says_which_kind_it_is(simulated_reader: TestClient, path: str) -> None:
    assert simulated_reader.get(path).json()["data"] == "simulated"


@pytest.mark.parametrize("path", ANSWERS)
def test_real_records_are_called_real(reader: TestClient, path: str) -> None:
    assert reader.get(path).json()["data"] == "real"


@pytest.mark.parametrize("name", LISTS)
def test_tables_of_simulated_results_say_so_in_their_file_names(
    simulated_reader: TestClient, name: str
) -> None:
    answer = simulated_reader.get(f"/v1/{name}.csv")
    assert f'filename="SIMULATED-shortcast-{name}.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert rows
    for row in rows:
        assert row["data"] == "simulated"
        assert row["note"].startswith("SIMULATED: ")


def strings(value: Any) -> Iterator[str]:
    """Every text of an answer."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def unmarked(texts: Iterable[str]) -> list[str]:
    """Texts that name a public body, or one of its records, as if the rows were its own."""
    names = {group.source for group in groups.registry().values()}
    for source in registry().values():
        names |= {source.title, source.publisher}
    return [
        text for text in texts if any(name in text for name in names) and "SIMULATED" not in text
    ]


PAGES = ("/", "/?q=soranide", "/drugs/velorane--injection", "/drugs/soranide--inhalation")
PAGES += ("/alerts", "/sources", "/model")


def texts(opened: TestClient, path: str) -> list[str]:
    """What a page says, element by element."""
    page = opened.get(path, headers={"accept": "text/html"})
    assert page.status_code == 200
    return [html.unescape(text) for text in re.split(r"<[^>]*>", page.text)]


@pytest.mark.parametrize("path", PAGES)
def test_pages_name_no_public_body_as_the_source_of_made_up_rows(
    simulated_reader: TestClient, path: str
) -> None:
    found = texts(simulated_reader, path)
    assert unmarked(found) == []
    assert "public records" not in " ".join(found).lower()


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_real_records_name_public_records(reader: TestClient, path: str) -> None:
    """What is asked for above is no empty wish."""
    found = texts(reader, path)
    assert "public records" in " ".join(found)
    if path in ("/sources", "/model", "/"):
        assert unmarked(found)


@pytest.mark.parametrize("path", ANSWERS)
def test_answers_name_no_public_body_as_the_source_of_made_up_rows(
    simulated_reader: TestClient, path: str
) -> None:
    assert unmarked(strings(simulated_reader.get(path).json())) == []


def test_sources_of_real_records_are_named_as_they_are(reader: TestClient) -> None:
    assert len(unmarked(strings(reader.get("/v1/sources").json()))) > 2 * len(registry()) - 1


def test_tables_of_real_results_have_no_mark(reader: TestClient) -> None:
    for name in LISTS:
        answer = reader.get(f"/v1/{name}.csv")
        assert f'filename="shortcast-{name}.csv"' in answer.headers["content-disposition"]
        assert "SIMULATED" not in answer.text


def test_pages_of_real_results_have_no_mark(reader: TestClient) -> None:
    for path in ("/", "/docs", "/nowhere"):
        assert "SIMULATED" not in reader.get(path, headers={"accept": "text/html"}).text


@pytest.mark.parametrize("path", ["/docs", "/drugs/no-such-drug", "/nowhere", "/model", "/sources"])
def test_pages_that_show_no_forecast_are_marked_too(
    simulated_reader: TestClient, path: str
) -> None:
    page = simulated_reader.get(path, headers={"accept": "text/html"})
    assert '<p class="banner" role="note"><strong>SIMULATED' in page.text
    assert "<title>SIMULATED · " in page.text


def test_before_the_first_forecast_the_warehouse_says_which_kind_it_is(
    bare_market: Any, client_of: Opener
) -> None:
    bare_market.write_warehouse(data="simulated")
    page = client_of(bare_market).get("/", headers={"accept": "text/html"})
    assert page.status_code == 503
    assert "SIMULATED" in page.text


@pytest.mark.parametrize("data", ["real", "simulated"])
def test_metrics_name_the_kind_of_records(bare_market: Any, client_of: Opener, data: str) -> None:
    bare_market.write_warehouse(data=data)
    text = client_of(bare_market).get("/metrics").text
    assert f'shortcast_records_info{{data="{data}"}} 1.0' in text


def test_simulated_records_are_as_fresh_as_on_the_day_after_their_end(
    simulated_reader: TestClient,
) -> None:
    """Their newest snapshot is of 1 May 2022: by the clock it would be years old."""
    (shortages,) = (
        item
        for item in simulated_reader.get("/v1/sources").json()["items"]
        if item["source"] == "fda_shortages"
    )
    assert (shortages["state"], shortages["age_days"]) == ("fresh", 1)
    assert "days old" not in simulated_reader.get("/").text
    assert "shortcast_forecast_age_days 1.0" in simulated_reader.get("/metrics").text


@pytest.mark.parametrize(("champion", "records"), [("simulated", "real"), ("real", "simulated")])
def test_a_model_of_one_kind_is_not_served_on_records_of_the_other(
    bare_market: Any,
    client_of: Opener,
    monkeypatch: pytest.MonkeyPatch,
    champion: str,
    records: str,
) -> None:
    bare_market.export_champion(data=champion)
    bare_market.write_warehouse(data=records)
    monkeypatch.setattr(uvicorn, "run", lambda *_, **__: pytest.fail("it was served"))
    with pytest.raises(
        ShortcastError,
        match=f"the champion of {champion} and the warehouse of {records} .*SHORTCAST_HOME.*train",
    ):
        serve("127.0.0.1", _free_port(), bare_market.settings)
    # One that runs already, when the other kind is put under it, says so.
    health = client_of(bare_market).get("/health")
    checks = {check["check"]: check for check in health.json()["checks"]}
    assert health.status_code == 503
    assert not checks["champion"]["ok"]
    assert "meet here" in checks["champion"]["detail"]


@pytest.mark.parametrize("data", ["real", "simulated"])
def test_parts_of_one_kind_are_served(
    bare_market: Any, monkeypatch: pytest.MonkeyPatch, data: str
) -> None:
    bare_market.export_champion(data=data)
    bare_market.write_warehouse(data=data)
    bare_market.add_run(date(2022, 5, 1), data=data)
    served: list[object] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **_: served.append(app))
    serve("127.0.0.1", _free_port(), bare_market.settings)
    assert len(served) == 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    "path", ["/v1/rankings", "/v1/rankings.csv", "/v1/drugs", "/v1/drugs/velorane--injection"]
)
def test_a_browser_that_holds_an_answer_of_another_home_is_given_this_one(
    simulated: Any, client_of: Opener, tmp_path: Path, path: str
) -> None:
    """Two homes that are served at one address, one after the other, both have a run 1."""
    held = client_of(simulated).get(path).headers["etag"]
    same = client_of(simulated).get(path, headers={"if-none-match": held})
    assert same.status_code == 304
    real = type(simulated)(Settings(home=tmp_path / "other"))
    real.write_warehouse()
    real.export_champion()
    assert real.add_run(date(2022, 5, 1)) == 1
    assert client_of(real).get(path, headers={"if-none-match": held}).status_code == 200
