"""The test server keeps to the rules of the hosts that it stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from live_market import connected, made_up_records
from official_faults import Always
from official_server import OfficialServer

from shortcast.features.archive import Archive
from shortcast.features.fetching import fetch
from shortcast.features.parse import count_records
from shortcast.features.sources import registry

DAY = date(2025, 12, 15)
NDC = "/www.accessdata.fda.gov/cder/ndctext.zip"
DASHBOARD = "/api-datadashboard.fda.gov/v1/inspections_classifications"
SHORTAGES = "/api.fda.gov/drug/shortages.json"


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_records(tmp_path_factory.mktemp("market") / "records", drugs=40, seed=17)


@pytest.fixture
def server(made_up: Path) -> Iterator[OfficialServer]:
    with OfficialServer(made_up) as found:
        found.day = DAY
        yield found


@pytest.fixture
def http(server: OfficialServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.address, timeout=20, trust_env=False) as client:
        yield client


def test_what_is_handed_out_is_what_was_published_by_the_day(
    server: OfficialServer, http: httpx2.Client, made_up: Path
) -> None:
    path = "/www.accessdata.fda.gov/scripts/drugshortages/Drugshortages.cfm"
    answer = http.get(path)
    newest = made_up / "fda_shortages/2025-11-30/SIMULATED-Drugshortages.csv"
    assert answer.content == newest.read_bytes()
    assert answer.headers["x-shortcast-data"] == "simulated"
    assert answer.headers["date"] == "Mon, 15 Dec 2025 12:00:00 GMT"
    assert "etag" not in answer.headers, "a page that is made when asked for has none"
    server.day = date(2025, 12, 31)
    assert http.get(path).content != answer.content
    server.day = date(2000, 1, 1)
    assert http.get(path).status_code == 404
    assert [(event.source, event.status) for event in server.events] == [
        ("fda_shortages", 200),
        ("fda_shortages", 200),
        ("fda_shortages", 404),
    ]


def test_files_tell_whether_they_have_changed_and_can_be_resumed(http: httpx2.Client) -> None:
    whole = http.get(NDC)
    etag, changed = whole.headers["etag"], whole.headers["last-modified"]
    assert http.get(NDC, headers={"If-None-Match": etag}).status_code == 304
    assert http.get(NDC, headers={"If-Modified-Since": changed}).status_code == 304
    assert http.get(NDC, headers={"If-None-Match": '"another"'}).content == whole.content
    rest = http.get(NDC, headers={"Range": "bytes=1000-", "If-Range": etag})
    assert rest.status_code == 206
    assert rest.content == whole.content[1000:]
    size = len(whole.content)
    assert rest.headers["content-range"] == f"bytes 1000-{size - 1}/{size}"
    again = http.get(NDC, headers={"Range": "bytes=1000-", "If-Range": '"another"'})
    assert (again.status_code, again.content) == (200, whole.content)
    beyond = http.get(NDC, headers={"Range": f"bytes={size}-", "If-Range": etag})
    assert beyond.status_code == 416


def test_openfda_lists_its_bulk_files_and_pages_by_search_after(http: httpx2.Client) -> None:
    listed = http.get("/api.fda.gov/download.json").json()["results"]["drug"]["shortages"]
    address = listed["partitions"][0]["file"].removeprefix("https:/")
    assert http.get(address).content[:2] == b"PK"
    found: list[Any] = []
    path: str | None = f"{SHORTAGES}?limit=7&sort=update_date:asc"
    while path:
        answer = http.get(path)
        found += answer.json()["results"]
        path = answer.links["next"]["url"].removeprefix("https:/") if answer.links else None
    assert len(found) == listed["total_records"]
    assert len({json.dumps(row, sort_keys=True) for row in found}) == len(found)


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("limit=1001", 400, "cannot exceed 1000"),
        ("skip=25001", 400, "25000 or less"),
        ("limit=5&search_after=0=5", 400, "needs sort"),
        ("limit=5&sort=update_date:asc&skip=1&search_after=0=5", 400, "with skip"),
        ("api_key=wrong", 403, "invalid api_key"),
    ],
)
def test_openfda_keeps_to_its_limits(
    http: httpx2.Client, query: str, status: int, told: str
) -> None:
    answer = http.get(f"{SHORTAGES}?{query}")
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


def test_openfda_takes_so_many_requests_a_minute(made_up: Path) -> None:
    with OfficialServer(made_up, per_minute=3) as server, httpx2.Client(trust_env=False) as http:
        address = f"{server.address}{SHORTAGES}"
        assert [http.get(address).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert http.get(address).headers["retry-after"] == "1"
        signed = http.get(address, auth=(server.keys.openfda, ""))
        assert signed.status_code == 200, "one with a key is counted for itself"


def ask(http: httpx2.Client, server: OfficialServer, address: str = DASHBOARD, **more: Any) -> Any:
    body = {"start": 1, "rows": 5000, "sort": "InspectionID", "sortorder": "ASC"}
    body |= {"filters": {}, "columns": [], "returntotalcount": True, **more}
    keys = {
        "Authorization-User": server.keys.dashboard_user,
        "Authorization-Key": server.keys.dashboard_key,
    }
    answer = http.post(address, json=body, headers=keys)
    assert answer.status_code == 200, "whatever is wrong stands in the body"
    return answer.json()


def test_the_dashboard_pages_filters_and_counts(
    http: httpx2.Client, server: OfficialServer
) -> None:
    total = ask(http, server)["totalrecordcount"]
    assert total > 20
    first, second = (ask(http, server, start=start, rows=8)["result"] for start in (1, 9))
    numbers = [row["InspectionID"] for row in first + second]
    assert len(numbers) == 16
    assert numbers == sorted(numbers)
    years = {"InspectionEndDateFrom": ["2024-01-01"], "InspectionEndDateTo": ["2024-12-31"]}
    found = ask(http, server, filters=years)
    assert 0 < found["totalrecordcount"] < total
    assert {row["InspectionEndDate"][:4] for row in found["result"]} == {"2024"}
    assert ask(http, server, sort="Nothing")["statuscode"] == 406
    refused = http.post(DASHBOARD, json={}, headers={"Authorization-Key": "wrong"})
    assert (refused.status_code, refused.json()["statuscode"]) == (200, 401)


def test_the_dashboard_hands_out_5000_rows_at_most_and_says_nothing(
    http: httpx2.Client, server: OfficialServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("official_hosts._MOST_DASHBOARD_ROWS", 10)
    found = ask(http, server)
    assert (found["message"], found["resultcount"], len(found["result"])) == ("success", 10, 10)
    assert found["totalrecordcount"] > 10


@pytest.mark.parametrize(
    ("table", "sort", "area"),
    [
        ("inspections_citations", "InspectionID", {"ProgramArea": ["Drugs"]}),
        ("import_refusals", "ShipmentID", {"ProductCategory": ["Drugs and Biologics"]}),
    ],
)
def test_the_dashboard_has_citations_and_refusals(
    http: httpx2.Client, server: OfficialServer, table: str, sort: str, area: dict[str, list[str]]
) -> None:
    address = DASHBOARD.replace("inspections_classifications", table)
    found = ask(http, server, address=address, sort=sort, filters=area)
    rows = found["result"]
    assert len(rows) == found["totalrecordcount"] > 5
    assert [row[sort] for row in rows] == sorted(row[sort] for row in rows)
    assert {"FEINumber", *area} <= rows[0].keys()
    others = {name: ["Tobacco"] for name in area}
    assert ask(http, server, address=address, sort=sort, filters=others)["result"] == []


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("fda_citations", "inspection_citations"),
        ("fda_import_refusals", "import_refusals"),
        ("openfda_ndc", "openfda_products"),
    ],
)
def test_what_no_feature_rests_on_yet_is_fetched_like_the_rest(
    made_up: Path, tmp_path: Path, name: str, table: str
) -> None:
    with OfficialServer(made_up) as server:
        server.day = DAY
        config = connected(tmp_path / "home", server)
        (outcome,) = fetch([name], today=DAY, config=config).outcomes
        assert outcome.state == "accepted", outcome
        (snapshot,) = Archive(config.archive).snapshots()
        paths = [Archive(config.archive).path(file) for file in snapshot.files]
        reading = registry()[name].read(paths, DAY)
        assert len(reading.tables[table]) == count_records(reading)[0] > 5
        assert all(path.name.startswith("SIMULATED-") for path in paths)
        # Half of it, and it stays out.
        server.day = DAY + timedelta(days=7)
        server.faults = server.shelf.faults = Always("half", name)
        (outcome,) = fetch([name], today=server.day, config=config).outcomes
        assert outcome.state == "quarantined"
        assert len(Archive(config.archive).snapshots()) == 1


def test_warning_letters_come_as_cells_of_a_table(http: httpx2.Client) -> None:
    letters = http.get(
        "/www.fda.gov/datatables/views/ajax?view_name=warning_letter_solr_index&start=1&length=2"
    ).json()
    assert len(letters["data"]) == 2 < letters["recordsTotal"]
    assert letters["data"][0][0].startswith("<time datetime=")


def test_prices_are_found_in_a_catalogue_and_asked_for_week_by_week(http: httpx2.Client) -> None:
    items = http.get("/data.medicaid.gov/api/1/metastore/schemas/dataset/items").json()
    (prices,) = [item for item in items if item["title"].endswith("Cost) 2025")]
    dataset = f"/data.medicaid.gov/api/1/datastore/query/{prices['identifier']}/0"
    newest = http.get(
        f"{dataset}?limit=1&sorts[0][property]=as_of_date&sorts[0][order]=desc"
    ).json()
    week = newest["results"][0]["as_of_date"]
    month, _, year = week.split("/")
    assert (month, year) == ("12", "2025"), "what is out by the day, and no more"
    only = f"conditions[0][property]=as_of_date&conditions[0][value]={week}"
    rows = http.get(f"{dataset}/download?format=csv&{only}&conditions[0][operator]==").text
    assert rows.startswith("NDC Description,NDC,")
    of_week = http.get(f"{dataset}?limit=1&{only}&conditions[0][operator]==").json()["count"]
    assert 0 < of_week == len(rows.splitlines()) - 1 < newest["count"]
    whole = http.get(prices["distribution"][0]["downloadURL"].replace("https:/", "")).text
    assert len(whole.splitlines()) - 1 == newest["count"]


def test_captures_are_listed_and_handed_out_as_they_were(http: httpx2.Client) -> None:
    page = "www.accessdata.fda.gov/scripts/drugshortages/Drugshortages.cfm"
    header, *captures = http.get(f"/web.archive.org/cdx/search/cdx?url={page}&output=json").json()
    newest = dict(zip(header, captures[-1], strict=True))
    assert newest["timestamp"] == "20251130120000"
    capture = http.get(f"/web.archive.org/web/{newest['timestamp']}id_/{newest['original']}")
    assert capture.content == http.get(f"/{page}").content
    older = page.replace("Drugshortages", "default")
    fields = "timestamp,original,statuscode"
    rows = http.get(f"/web.archive.org/cdx/search/cdx?url={older}&output=json&fl={fields}").json()
    assert rows[0] == fields.split(",")
    listed = http.get(f"/web.archive.org/web/{rows[-1][0]}id_/{rows[-1][1]}").text
    assert "dsp_ActiveIngredientDetails.cfm?AI=" in listed


def test_names_of_quarterly_files_drift_and_a_page_links_to_them(http: httpx2.Client) -> None:
    page = http.get("/www.cms.gov/medicare/payment/part-b-drugs/asp-pricing-files").text
    links = re.findall(r'href="(/files/zip/[^"]+)"', page)
    assert any(re.search(r"-asp-pricing-file-\d{6}\.zip$", link) for link in links)
    assert any("crosswalk" in link for link in links)
    for link in links:
        assert http.get(f"/www.cms.gov{link}").content[:2] == b"PK"
    assert http.get("/www.cms.gov/files/zip/july-1990-asp-pricing-file.zip").status_code == 404


def test_reports_are_handed_out_for_a_token(http: httpx2.Client, server: OfficialServer) -> None:
    server.day = date(2025, 12, 31)
    place = "/healthproductshortages.ca/api/v1"
    assert http.get(f"{place}/search").status_code == 401
    form = {"email": server.keys.canada_user, "password": "wrong"}
    assert http.post(f"{place}/login", data=form).status_code == 401
    form["password"] = server.keys.canada_password
    token = http.post(f"{place}/login", data=form).headers["auth-token"]
    page = http.get(f"{place}/search?limit=3&offset=0", headers={"auth-token": token}).json()
    assert 0 < len(page["data"]) == min(page["total"], 3)
    assert {row["status"] for row in page["data"]} <= {
        "active_confirmed",
        "resolved",
        "discontinued",
    }


def test_spending_is_catalogued_by_release_and_has_its_years_side_by_side(
    http: httpx2.Client,
) -> None:
    sets = http.get("/data.cms.gov/v1-1-data.json").json()["dataset"]
    files = [one["distribution"][0] for one in sets if "Part D" in one["title"]]
    text = http.get(files[-1]["downloadURL"].replace("https:/", "")).text
    header = text.splitlines()[0].split(",")
    assert header[:3] == ["Brnd_Name", "Gnrc_Name", "Mftr_Name"]
    assert "Tot_Spndng_2023" in header


@pytest.mark.parametrize(
    ("kind", "status"), [("429", 429), ("500", 500), ("503", 503), ("html", 200), ("clock", 200)]
)
def test_what_goes_wrong_on_the_way_is_kept(made_up: Path, kind: str, status: int) -> None:
    faults = Always(kind, "ndc_directory", first=1, retry_after=7)
    with OfficialServer(made_up, faults=faults) as server, httpx2.Client(trust_env=False) as http:
        server.day = DAY
        bad, good = (http.get(f"{server.address}{NDC}") for _ in range(2))
    assert bad.status_code == status
    assert bad.headers.get("retry-after") == ("7" if kind in ("429", "503") else None)
    assert (bad.content == good.content) == (kind == "clock")
    assert ("2025" in bad.headers["date"]) == (kind != "clock")
    assert [(e.day, e.source, e.fault) for e in server.faulty()] == [(DAY, "ndc_directory", kind)]


def test_an_answer_breaks_off_or_never_comes(made_up: Path) -> None:
    with OfficialServer(made_up, faults=Always("truncated")) as server:
        server.day = DAY
        with pytest.raises(httpx2.RemoteProtocolError):
            httpx2.get(f"{server.address}{NDC}", trust_env=False)
    with OfficialServer(made_up, faults=Always("timeout")) as server:
        server.day = DAY
        with pytest.raises(httpx2.ReadTimeout):
            httpx2.get(f"{server.address}{NDC}", trust_env=False, timeout=0.2)
    assert [event.status for event in server.faulty()] == [0]


@pytest.mark.parametrize("damage", ["half", "halved", "header", "no_openfda"])
def test_damage_is_in_what_is_handed_out_and_the_total_may_tell(
    made_up: Path, damage: str, http: httpx2.Client
) -> None:
    def seen(client: httpx2.Client) -> tuple[int, list[Any]]:
        content = client.get(f"{SHORTAGES}?limit=1000&sort=update_date:asc").json()
        return content["meta"]["results"]["total"], content["results"]

    good_total, good = seen(http)
    faults = Always(damage, "openfda_shortages")
    with (
        OfficialServer(made_up, faults=faults) as server,
        httpx2.Client(base_url=server.address, trust_env=False) as client,
    ):
        server.day = DAY
        total, bad = seen(client)
    assert len(bad) == (len(good) // 2 if damage in ("half", "halved") else len(good))
    assert (total == good_total) == (damage != "halved")
    blocks = sum("openfda" in row for row in bad)
    assert (blocks == 0) == (damage == "no_openfda")
    assert any("renamed" in row for row in bad) == (damage == "header")
