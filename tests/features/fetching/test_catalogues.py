"""Files that a catalogue lists, and weeks of a data set."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from shortcast.features import warehouse
from shortcast.features.archive import Archive
from shortcast.features.fetching import fetch, standings
from shortcast.settings import Settings

TODAY = date(2026, 11, 23)
MEDICAID = "data.medicaid.gov/api/1/metastore/schemas/dataset/items"
QUERY = "data.medicaid.gov/api/1/datastore/query"
CMS = "data.cms.gov/v1-1-data.json"
PART_D = "data.cms.gov/sites/default/files/2026-06/part_d.csv"
TITLE = "NADAC (National Average Drug Acquisition Cost)"


def prices(*days: str) -> list[dict[str, str]]:
    return [
        {"ndc": f"0000214338{n}", "nadac_per_unit": "1.5", "effective_date": day, "as_of_date": day}
        for day in days
        for n in range(3)
    ]


def as_csv(rows: list[dict[str, str]]) -> bytes:
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    return "\n".join([*lines, ""]).encode()


@pytest.fixture
def medicaid(official: Any, answer: Any) -> Any:
    """Serves NADAC of this year and the last; `rows` by data set may be added to."""
    official.headers["X-Shortcast-Data"] = "simulated"
    official.rows = {
        "id-2025": prices("2025-12-24", "2025-12-31"),
        "id-2026": prices("2026-11-11", "2026-11-18"),
    }
    sets = [
        {
            "identifier": f"id-{year}",
            "title": f"{TITLE} {year}",
            "modified": f"{year}-12-31",
            "distribution": [
                {
                    "mediaType": "text/csv",
                    "downloadURL": f"https://download.medicaid.gov/data/nadac-{year}.csv",
                }
            ],
        }
        for year in (2024, 2025, 2026)
    ]
    other = {"identifier": "x", "title": "NADAC Comparison 2026", "distribution": []}
    official.serves_json(MEDICAID, [other, *sets])

    def chosen(asked: Any, dataset: str) -> list[dict[str, str]]:
        value = asked.query.get("conditions[0][value]", "")
        keep: Callable[[str], bool] = {
            "=": lambda day: day == value,
            "<": lambda day: day < value,
            "": lambda _: True,
        }[asked.query.get("conditions[0][operator]", "")]
        found = [row for row in official.rows[dataset] if keep(row["as_of_date"])]
        return sorted(found, key=lambda row: row["as_of_date"], reverse=True)

    for dataset in official.rows:
        official.answers[f"{QUERY}/{dataset}/0"] = lambda asked, dataset=dataset: answer(
            json.dumps(
                {"count": len(chosen(asked, dataset)), "results": chosen(asked, dataset)[:1]}
            ).encode()
        )
        official.answers[f"{QUERY}/{dataset}/0/download"] = lambda asked, dataset=dataset: answer(
            as_csv(chosen(asked, dataset))
        )
    for year in (2024, 2025):
        official.serves(
            f"download.medicaid.gov/data/nadac-{year}.csv", as_csv(prices(f"{year}-06-05"))
        )
    return official


def days(config: Settings, source: str) -> list[date]:
    return [s.as_of for s in Archive(config.archive).snapshots() if s.source == source]


def test_first_the_weeks_of_the_year_come_and_then_those_that_are_new(
    medicaid: Any, config: Settings
) -> None:
    first = fetch(["nadac"], today=TODAY, config=config).outcomes
    assert [(o.state, o.as_of) for o in first] == [
        ("accepted", "2026-11-11"),
        ("accepted", "2026-11-18"),
    ]
    (file,) = Archive(config.archive).snapshots()[-1].files
    raw = gzip.decompress(Archive(config.archive).path(file).read_bytes())
    assert raw == as_csv(prices("2026-11-18"))
    assert file.file == "SIMULATED-nadac.csv.gz"

    medicaid.today = TODAY + timedelta(days=1)
    (again,) = fetch(["nadac"], today=medicaid.today, config=config).outcomes
    assert again.state == "unchanged"

    # Two weeks at once, and one that is dated ahead.
    medicaid.rows["id-2026"] += prices("2026-11-25", "2026-12-02", "2026-12-09")
    medicaid.today = date(2026, 12, 8)
    report = fetch(["nadac"], today=medicaid.today, config=config)
    assert [(o.state, o.as_of) for o in report.outcomes] == [
        ("accepted", "2026-11-25"),
        ("accepted", "2026-12-02"),
    ]
    warehouse.build(config)
    with warehouse.open_warehouse(config) as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM nadac_prices").fetchall()
    assert rows == 12


def test_in_january_the_weeks_of_the_last_year_are_not_forgotten(
    medicaid: Any, config: Settings
) -> None:
    del medicaid.rows["id-2026"]
    medicaid.today = date(2025, 12, 26)
    fetch(["nadac"], today=medicaid.today, config=config)
    medicaid.rows["id-2026"] = prices("2026-01-07")
    medicaid.today = date(2026, 1, 9)
    fetch(["nadac"], today=medicaid.today, config=config)
    assert days(config, "nadac") == [date(2025, 12, 24), date(2025, 12, 31), date(2026, 1, 7)]


def test_a_week_that_was_set_apart_is_asked_for_though_later_ones_are_held(
    medicaid: Any, config: Settings, answer: Any
) -> None:
    medicaid.rows["id-2026"] = prices("2026-10-28", "2026-11-04", "2026-11-11", "2026-11-18")
    place = f"{QUERY}/id-2026/0/download"
    whole = medicaid.answers[place]

    def short_of_one(asked: Any) -> Any:
        found = whole(asked)
        return answer(found.body[:60]) if b"2026-11-11" in found.body else found

    medicaid.answers[place] = short_of_one
    report = fetch(["nadac"], today=TODAY, config=config)
    assert [o.as_of for o in report.failed] == ["2026-11-11"]
    assert len(days(config, "nadac")) == 3
    assert standings(config.fetching)["nadac"].last.state == "quarantined", "the gravest of a run"

    medicaid.answers[place] = whole
    medicaid.asked.clear()
    medicaid.today = TODAY + timedelta(days=1)
    (outcome,) = fetch(["nadac"], today=medicaid.today, config=config).outcomes
    assert (outcome.state, outcome.as_of) == ("accepted", "2026-11-11")
    assert standings(config.fetching)["nadac"].last == outcome
    medicaid.asked.clear()
    (outcome,) = fetch(["nadac"], today=medicaid.today, config=config).outcomes
    assert outcome.state == "unchanged"
    assert len(medicaid.asked) == 3, "weeks in a row are not asked for one by one"


def test_a_year_that_is_held_as_one_file_is_not_asked_for_week_by_week(
    medicaid: Any, config: Settings
) -> None:
    fetch(["nadac"], today=TODAY, history=True, config=config)
    assert standings(config.fetching)["nadac"].seen_on is None, "no look at the present"
    medicaid.today = TODAY
    report = fetch(["nadac"], today=TODAY, config=config)
    assert [o.as_of for o in report.outcomes] == ["2026-11-11", "2026-11-18"]
    assert standings(config.fetching)["nadac"].seen_on == TODAY

    fetch(["nadac"], today=TODAY, history=True, config=config)
    assert not standings(config.fetching)["nadac"].last.history


def test_a_week_with_fewer_rows_than_the_source_counts_is_not_taken(
    medicaid: Any, config: Settings, answer: Any
) -> None:
    half = as_csv(prices("2026-11-18")[:2])
    medicaid.answers[f"{QUERY}/id-2026/0/download"] = lambda _: answer(half)
    medicaid.rows["id-2026"] = prices("2026-11-18")
    (outcome,) = fetch(["nadac"], today=TODAY, config=config).outcomes
    assert outcome.state == "quarantined"
    assert "2 records, and the source says that it has 3" in outcome.message


def test_the_past_comes_by_year_and_what_is_held_is_left(medicaid: Any, config: Settings) -> None:
    report = fetch(["nadac"], today=TODAY, history=True, config=config)
    assert [(o.state, o.as_of) for o in report.outcomes] == [
        ("accepted", "2024-12-31"),
        ("accepted", "2025-12-31"),
    ]
    medicaid.asked.clear()
    (outcome,) = fetch(["nadac"], today=TODAY, history=True, config=config).outcomes
    assert outcome.state == "unchanged"
    assert medicaid.paths() == [MEDICAID]

    archive = Archive(config.archive)
    rotten = archive.path(archive.snapshots()[0].files[0])
    whole = rotten.read_bytes()
    rotten.write_bytes(whole[:-1] + b"?")
    (outcome,) = fetch(["nadac"], today=TODAY, history=True, config=config).outcomes
    assert (outcome.state, outcome.as_of) == ("unchanged", "2024-12-31")
    assert rotten.read_bytes() == whole, "a year that has rotted comes again"


# --- Releases ------------------------------------------------------------------------------------

HEADER = "Brnd_Name,Gnrc_Name,Tot_Mftr,Mftr_Name,"
FIGURES = (
    "Tot_Spndng_{0},Tot_Dsg_Unts_{0},Tot_Clms_{0},Tot_Benes_{0},Avg_Spnd_Per_Dsg_Unt_Wghtd_{0},"
    "Avg_Spnd_Per_Clm_{0},Avg_Spnd_Per_Bene_{0},Outlier_Flag_{0}"
)


def part_d(year: int) -> bytes:
    header = HEADER + ",".join(FIGURES.format(y) for y in (year - 1, year)) + ",CAGR_23_24"
    rows = [
        "Velmora ER*,Velmoril,1,Overall,,,,,,,,,200,20,4,3,10,50,66.7,0,",
        "Velmora ER*,Velmoril,1,Velmora Labora,,,,,,,,,200,20,4,3,10,50,66.7,0,",
        "Corvanate,Corvanate Sodium,1,Dunmore,100,10,2,,10,50,,1,110,11,2,,10,55,,0,0.1",
    ]
    return "\n".join([header, *rows, ""]).encode()


def listed(*files: tuple[str, str, str]) -> dict[str, Any]:
    """A catalogue with a release a file: year, day it changed, address."""
    return {
        "dataset": [
            {"title": "Medicare Quarterly Part D Spending by Drug", "distribution": []},
            {
                "title": "Medicare Part D Spending by Drug",
                "distribution": [
                    {"format": "API", "accessURL": "https://data.cms.gov/data-api/v1/dataset/x"},
                    *(
                        {
                            "title": f"Medicare Part D Spending by Drug : {year}-12-01",
                            "mediaType": "text/csv",
                            "temporal": f"{year}-01-01/{year}-12-31",
                            "modified": modified,
                            "downloadURL": f"https://{address}",
                        }
                        for year, modified, address in files
                    ),
                ],
            },
        ]
    }


OLDER = "data.cms.gov/sites/default/files/2025-05/part_d.csv"


def test_the_newest_release_comes_in_cms_own_layout(official: Any, config: Settings) -> None:
    official.headers["X-Shortcast-Data"] = "simulated"
    # The older release was touched last; the newer period counts.
    official.serves_json(CMS, listed(("2024", "2026-06-25", PART_D), ("2023", "2026-09-01", OLDER)))
    official.serves(PART_D, part_d(2024))
    (outcome,) = fetch(["partd_spending"], today=TODAY, config=config).outcomes
    assert outcome.state == "accepted"
    warehouse.build(config)
    with warehouse.open_warehouse(config) as connection:
        rows = connection.execute(
            "SELECT brand_name, manufacturer, year, total_spending_usd, is_outlier "
            "FROM partd_spending ORDER BY ALL"
        ).fetchall()
    assert rows == [
        ("Corvanate", "Dunmore", 2023, 100.0, True),
        ("Corvanate", "Dunmore", 2024, 110.0, False),
        ("Velmora ER", "Velmora Labora", 2024, 200.0, False),
    ]


def test_earlier_releases_are_dated_by_the_catalogue(official: Any, config: Settings) -> None:
    official.headers["X-Shortcast-Data"] = "simulated"
    official.serves_json(CMS, listed(("2024", "2026-06-25", PART_D), ("2023", "2025-05-29", OLDER)))
    official.serves(PART_D, part_d(2024))
    official.serves(OLDER, part_d(2023))
    fetch(["partd_spending"], today=TODAY, history=True, config=config)
    assert days(config, "partd_spending") == [date(2025, 5, 29), date(2026, 6, 25)]


def test_a_catalogue_that_moved_is_asked_under_its_other_address(
    official: Any, config: Settings
) -> None:
    official.headers["X-Shortcast-Data"] = "simulated"
    official.serves_json("data.cms.gov/data.json", listed(("2024", "2026-06-25", PART_D)))
    official.serves(PART_D, part_d(2024))
    (outcome,) = fetch(["partd_spending"], today=TODAY, config=config).outcomes
    assert outcome.state == "accepted"


def test_a_title_that_is_gone_is_said(official: Any, config: Settings) -> None:
    official.serves_json(CMS, {"dataset": [{"title": "Something else"}]})
    (outcome,) = fetch(["partb_spending"], today=TODAY, config=config).outcomes
    assert outcome.state == "failed"
    assert "lists no CSV file under a title" in outcome.message
