"""Each way in which a source hands out its records."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tiny_records import openfda_shortage

from shortcast.features.archive import Archive
from shortcast.features.fetching.client import Client, FetchError
from shortcast.features.fetching.errand import Delivery, Errand
from shortcast.features.fetching.memory import Memory
from shortcast.features.fetching.secrets import Secrets
from shortcast.features.fetching.ways import walk
from shortcast.features.sources import registry
from shortcast.features.sources.fetching import Dashboard, OpenFda, WebTable

TODAY = date(2026, 11, 23)
BULK = "download.open.fda.gov/drug/shortages/drug-shortages-{}-of-0002.json"
OPENFDA = OpenFda(
    "https://api.fda.gov/download.json", noun="drug", endpoint="shortages", sort="update_date"
)
INSPECTIONS = Dashboard(
    "https://api-datadashboard.fda.gov/v1/inspections_classifications",
    file="inspections.csv.gz",
    dated_by="InspectionEndDate",
    since=2024,
    sort="InspectionID",
    filters={"ProductType": ("Drugs",)},
)
LETTERS = WebTable(
    "https://www.fda.gov/datatables/views/ajax",
    file="warning_letters.csv",
    query={"view_name": "warning_letter_solr_index"},
    columns=("posted_date", "letter_date", "company", "issuing_office", "subject"),
    link_column="url",
    link_in="company",
)


@pytest.fixture
def errand(official: Any, tmp_path: Path) -> Any:
    """An errand to the loopback server."""
    source = registry()["openfda_shortages"]
    assert source.fetching is not None
    client = Client(today=TODAY, via=official.address)
    yield Errand(
        source=source,
        fetching=source.fetching,
        client=client,
        memory=Memory(tmp_path / "memory.json", Secrets([])),
        archive=Archive(tmp_path / "archive"),
        held=[],
        folder=tmp_path / "fetching",
        today=TODAY,
    )
    client.close()


def only(way: Any, errand: Errand) -> Delivery:
    (delivery,) = walk(way, errand)
    return delivery


# --- openFDA -------------------------------------------------------------------------------------


def list_bulk(official: Any, numbers: list[int], total: int) -> None:
    parts = [
        {"file": f"https://{BULK.format(f'{i:04}')}", "records": count}
        for i, count in enumerate(numbers, start=1)
    ]
    entry = {"total_records": total, "partitions": parts}
    official.serves_json("api.fda.gov/download.json", {"results": {"drug": {"shortages": entry}}})


def test_every_bulk_file_is_fetched_under_its_own_name(official: Any, errand: Errand) -> None:
    list_bulk(official, [2, 1], 3)
    for number in ("0001", "0002"):
        official.serves(BULK.format(number), f"file {number}".encode())
    delivery = only(OPENFDA, errand)
    names = ["drug-shortages-0001-of-0002.json", "drug-shortages-0002-of-0002.json"]
    assert [part.name for part in delivery.parts] == names
    assert delivery.parts[1].path.read_bytes() == b"file 0002"
    assert delivery.parts[1].address == f"https://{BULK.format('0002')}"
    assert (delivery.as_of, delivery.total, delivery.short) == (TODAY, 3, ())


def test_bulk_files_that_do_not_add_up_to_the_total_are_short(
    official: Any, errand: Errand
) -> None:
    list_bulk(official, [2, 1], 5)
    for number in ("0001", "0002"):
        official.serves(BULK.format(number), b"{}")
    (fault,) = only(OPENFDA, errand).short
    assert "files of 3 records where the source has 5" in fault


def paged(official: Any, answer: Any, records: list[dict[str, Any]], total: int) -> None:
    """Serve the interface two records a page, by ``search_after``."""

    def page(asked: Any) -> Any:
        assert asked.query["limit"] == "1000"
        assert asked.query["sort"] == "update_date:asc"
        after = int(asked.query.get("search_after", 0))
        meta = {"last_updated": "2026-11-22", "results": {"total": total}}
        found = records[after : after + 2]
        raw = json.dumps({"meta": meta, "results": found}).encode()
        query = f"limit=1000&sort=update_date:asc&search_after={after + 2}"
        following = f'<https://api.fda.gov/drug/shortages.json?{query}>; rel="next"'
        return answer(raw, headers={"Link": following} if after + 2 < len(records) else {})

    official.answers["api.fda.gov/drug/shortages.json"] = page


RECORDS = [openfda_shortage(f"Drug {i} Injection", "Dunmore Sterile Products") for i in range(5)]


@pytest.mark.parametrize("listed", [True, False, None], ids=["file gone", "not listed", "no list"])
def test_the_interface_is_paged_through_where_bulk_files_are_missing(
    listed: bool | None, official: Any, answer: Any, errand: Errand
) -> None:
    if listed:
        list_bulk(official, [5], 5)
    elif listed is not None:
        official.serves_json("api.fda.gov/download.json", {"results": {"drug": {}}})
    paged(official, answer, RECORDS, 5)
    delivery = only(OPENFDA, errand)
    (part,) = delivery.parts
    assert json.loads(part.path.read_bytes())["results"] == RECORDS
    assert (delivery.total, delivery.short) == (5, ())
    reading = errand.source.read([part.path], TODAY)
    assert len(reading.tables["shortage_listings"]) == 5


def test_pages_that_end_early_are_short(official: Any, answer: Any, errand: Errand) -> None:
    official.serves_json("api.fda.gov/download.json", {})
    paged(official, answer, RECORDS, 7)
    (fault,) = only(OPENFDA, errand).short
    assert "5 records came, and the source says that it has 7" in fault


def test_the_key_of_openfda_stands_in_no_address(official: Any, errand: Errand) -> None:
    official.serves_json("api.fda.gov/download.json", {})
    official.serves_json(
        "api.fda.gov/drug/shortages.json", {"meta": {"results": {"total": 0}}, "results": []}
    )
    errand.keys = {"openfda_key": "recognisable-key"}
    only(OPENFDA, errand)
    assert {asked.headers["authorization"][:6] for asked in official.asked} == {"Basic "}
    assert "recognisable-key" not in str([asked.query for asked in official.asked])


def test_an_errand_does_not_show_its_keys(errand: Errand) -> None:
    errand.keys = {"openfda_key": "recognisable-key"}
    assert "recognisable-key" not in repr(errand)


# --- Data Dashboard ------------------------------------------------------------------------------


class Inspections:
    """The Dashboard: hands out at most `cap` rows at once, and has `total` of each year."""

    def __init__(self, answer: Any, rows: dict[int, int], *, cap: int = 5000) -> None:
        self.answer, self.rows, self.cap = answer, rows, cap
        self.says: dict[int, int] = dict(rows)
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, asked: Any) -> Any:
        body = json.loads(asked.body)
        self.bodies.append(body)
        year = int(body["filters"]["InspectionEndDateFrom"][0][:4])
        first = body["start"]
        last = min(self.rows.get(year, 0), first + min(body["rows"], self.cap) - 1)
        result = [
            {"InspectionID": year * 100_000 + i, "InspectionEndDate": f"{year}-03-04", "City": None}
            for i in range(first, last + 1)
        ]
        # The status code in the body is what good answers have been seen with.
        content = {"statuscode": 400, "message": "Success.", "result": result}
        content |= {"resultcount": len(result), "totalrecordcount": self.says.get(year, 0)}
        return self.answer(json.dumps(content).encode())


@pytest.fixture
def dashboard(official: Any, answer: Any, errand: Errand) -> Inspections:
    errand.keys = {"dashboard_user": "someone@example.org", "dashboard_key": "a-key"}
    found = Inspections(answer, {2024: 12_000, 2025: 3, 2026: 0})
    official.answers["api-datadashboard.fda.gov/v1/inspections_classifications"] = found
    return found


def test_the_dashboard_is_paged_year_by_year(
    official: Any, dashboard: Inspections, errand: Errand
) -> None:
    delivery = only(INSPECTIONS, errand)
    lines = gzip.decompress(delivery.parts[0].path.read_bytes()).decode().splitlines()
    assert lines[:2] == ["InspectionID,InspectionEndDate,City", "202400001,2024-03-04,"]
    assert len(lines) == 1 + 12_003
    assert len(set(lines)) == len(lines)
    assert delivery.short == ()
    assert [body["start"] for body in dashboard.bodies] == [1, 5001, 10_001, 1, 1]
    assert dashboard.bodies[0] == {
        "start": 1,
        "rows": 5000,
        "sort": "InspectionID",
        "sortorder": "ASC",
        "returntotalcount": True,
        "filters": {
            "ProductType": ["Drugs"],
            "InspectionEndDateFrom": ["2024-01-01"],
            "InspectionEndDateTo": ["2024-12-31"],
        },
        "columns": [],
    }
    assert official.asked[0].headers["authorization-user"] == "someone@example.org"


def test_a_lower_cap_than_is_documented_loses_no_row(
    dashboard: Inspections, errand: Errand
) -> None:
    dashboard.cap = 999
    delivery = only(INSPECTIONS, errand)
    lines = gzip.decompress(delivery.parts[0].path.read_bytes()).decode().splitlines()
    assert len(set(lines)) == 1 + 12_003


def test_a_year_that_falls_short_of_its_count_is_told(
    dashboard: Inspections, errand: Errand
) -> None:
    dashboard.rows[2024] = 5000  # what a page cap leaves of it
    (fault,) = only(INSPECTIONS, errand).short
    assert "for 2024: 5,000 records came, and the source says that it has 12,000" in fault


def test_the_same_rows_make_the_same_bytes(dashboard: Inspections, errand: Errand) -> None:
    first = only(INSPECTIONS, errand).parts[0].sha256
    errand.forget_pages()
    assert only(INSPECTIONS, errand).parts[0].sha256 == first


def test_pages_of_a_killed_run_are_not_asked_for_again(
    official: Any, answer: Any, dashboard: Inspections, errand: Errand
) -> None:
    place = "api-datadashboard.fda.gov/v1/inspections_classifications"

    def breaks_in_2025(asked: Any) -> Any:
        if b"2025-01-01" in asked.body:
            return answer(status=403)
        return dashboard(asked)

    official.answers[place] = breaks_in_2025
    with pytest.raises(FetchError):
        only(INSPECTIONS, errand)
    official.answers[place] = dashboard
    dashboard.bodies.clear()
    delivery = only(INSPECTIONS, errand)
    assert len(gzip.decompress(delivery.parts[0].path.read_bytes()).splitlines()) == 12_004
    assert [body["filters"]["InspectionEndDateFrom"] for body in dashboard.bodies] == [
        ["2025-01-01"],
        ["2026-01-01"],
    ]
    errand.forget_pages()
    assert [path.name for path in errand.folder.iterdir()] == ["inspections.csv.gz"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"statuscode": 401, "message": "Invalid key"}, "without rows .*Invalid key"),
        ({"statuscode": 400, "result": [], "resultcount": 0}, "how many rows there are"),
        ([], "without rows"),
    ],
)
def test_an_answer_of_the_dashboard_that_is_none_is_refused(
    content: Any, said: str, official: Any, dashboard: Inspections, errand: Errand
) -> None:
    official.serves_json("api-datadashboard.fda.gov/v1/inspections_classifications", content)
    with pytest.raises(FetchError, match=said):
        only(INSPECTIONS, errand)


def test_a_page_that_refuses_a_key_is_not_kept_for_the_day(
    official: Any, dashboard: Inspections, errand: Errand
) -> None:
    place = "api-datadashboard.fda.gov/v1/inspections_classifications"
    official.serves_json(place, {"statuscode": 401, "message": "Invalid key"})
    with pytest.raises(FetchError, match="Invalid key"):
        only(INSPECTIONS, errand)
    official.answers[place] = dashboard
    assert only(INSPECTIONS, errand).short == ()


# --- Tables of the website -----------------------------------------------------------------------


def letters(answer: Any, count: int, total: int) -> Any:
    def page(asked: Any) -> Any:
        start = int(asked.query["start"])
        rows = [
            [
                '<time datetime="2026-03-17T04:00:00Z">03/17/2026</time>',
                '<time datetime="2026-03-12T04:00:00Z">03/12/2026</time>',
                f'<a href="/letters/firm-{i:06}-03122026">Firm &amp; Sons,\n No. {i}</a>',
                "Center for Drug Evaluation and Research (CDER)",
                "CGMP/Finished Pharmaceuticals",
                "",
            ]
            for i in range(start, min(count, start + int(asked.query["length"])))
        ]
        content = {"draw": 0, "recordsTotal": total, "recordsFiltered": total, "data": rows}
        return answer(json.dumps(content).encode())

    return page


def test_a_table_of_the_website_becomes_plain_text(
    official: Any, answer: Any, errand: Errand
) -> None:
    official.answers["www.fda.gov/datatables/views/ajax"] = letters(answer, 700, 700)
    delivery = only(LETTERS, errand)
    assert delivery.short == ()
    reading = registry()["fda_warning_letters"].read([delivery.parts[0].path], TODAY)
    table = reading.tables["warning_letters"]
    assert len(table) == 700
    first = table.iloc[0]
    assert first["url"] == "https://www.fda.gov/letters/firm-000000-03122026"
    assert (first["company"], first["case_id"]) == ("Firm & Sons, No. 0", "000000")
    assert str(first["posted_date"].date()) == "2026-03-17"
    assert len(reading.rejects) == 0


def test_a_table_that_ends_before_its_total_is_short(
    official: Any, answer: Any, errand: Errand
) -> None:
    official.answers["www.fda.gov/datatables/views/ajax"] = letters(answer, 700, 3374)
    (fault,) = only(LETTERS, errand).short
    assert "700 records came, and the source says that it has 3,374" in fault


def test_a_page_of_another_shape_is_refused(official: Any, errand: Errand) -> None:
    content = {"recordsTotal": 1, "data": [["03/17/2026", "only two cells"]]}
    official.serves_json("www.fda.gov/datatables/views/ajax", content)
    with pytest.raises(FetchError, match="without a table of 5 columns"):
        only(LETTERS, errand)
