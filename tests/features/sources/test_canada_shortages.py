"""Canadian reports: three layouts, and no later state on an early publication."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.canada_shortages import SOURCE, VOLUNTARY_LAG_DAYS
from shortcast.features.sources.contract import Reading, SourceError

AS_OF = date(2018, 5, 17)

VOLUNTARY = (
    "product_name,drug_name,company_name,company_type,outcome,start_date,last_updated,din,dose,"
    "pharmaceutical_form,route_of_administration,medical_necessity,"
    "marketed_by_other_manufacturers,est_resupply_date,discontinued,discontinuation_date\n"
)
COMMON = (
    "Report ID,Drug Identification Number,Report Type,Brand name,Company Name,"
    "Common or Proper name,Ingredients,Strength(s),Packaging size,Route of administration,"
)
SHORTAGES = (
    COMMON + "Shortage status,Dosage form(s),ATC Code,ATC description,Anticipated start date,"
    "Actual start date,Estimated end date,Actual end date,Reason,Date Created,"
)
DISCONTINUATIONS = (
    COMMON + "Discontinuation status,Dosage form(s),ATC Code,ATC description,"
    "Discontinuation date,Discontinuation decision reversal,Reason,Date Created,"
)
LATER = (
    COMMON + "Shortage status,Dosage form(s),Anticipated start date,Actual start date,"
    "Estimated end date,Actual end date,Reason,Date Created,Date Updated,Tier 3\n"
)
DRUG = "00099901,{kind},VELMOR {brand},OSTRAVA INC,Velmorine,VELMORINE,5MG,100,ORAL"


def read(tmp_path: Path, content: str, as_of: date = AS_OF) -> Reading:
    path = tmp_path / "export.csv"
    path.write_text(content, encoding="utf-8")
    return SOURCE.read([path], as_of)


def shortage(
    number: str,
    *,
    status: str = "Actual shortage",
    anticipated: str = "",
    actual: str = "2018-01-10",
    estimated: str = "",
    ended: str = "",
    created: str = "2018-01-12",
    brand: str = "5",
) -> str:
    drug = DRUG.format(kind="Shortage", brand=brand)
    return (
        f"      {number},{drug},{status},TABLET,N01AA,OPIOIDS,{anticipated},{actual},{estimated},"
        f"{ended},Demand increase for the drug.,{created},"
    )


def discontinuation(number: str, *, on: str = "2018-04-01", reversed_: str = "No") -> str:
    drug = DRUG.format(kind="Discontinuation", brand="10")
    return (
        f"      {number},{drug},To be discontinued,TABLET,N01AA,OPIOIDS,{on},{reversed_},"
        "Business reasons,2018-02-01,"
    )


def export(shortages: list[str], discontinuations: list[str]) -> str:
    return "\n".join(
        [
            "      Shortage reports,",
            f"      {SHORTAGES}",
            *shortages,
            "        Discontinuation reports,",
            f"      {DISCONTINUATIONS}",
            *discontinuations,
            "  ",
        ]
    )


def later(
    number: str, *, status: str = "Resolved", updated: str = "2018-03-02", tier: str = "No"
) -> str:
    drug = DRUG.format(kind="Shortage", brand="5")
    return (
        f"{number},{drug},{status},TABLET,,2018-01-10,2018-02-28,2018-03-01,"
        f"Demand increase for the drug.,2018-01-12,{updated},{tier}\n"
    )


def voluntary(
    *,
    din: str = "00099901",
    start: str = "2015-03-01",
    updated: str = "2015-06-01",
    others: str = "",
    discontinued: str = "No",
) -> str:
    return (
        f"VELMOR 5,VELMORINE,Ostrava Inc.,Generic,Current,{start}T00:00:00Z,{updated}T00:00:00Z,"
        f"{din},5 mg,Tablet,Oral,Yes,{others},2015-07-01T00:00:00Z,{discontinued},\n"
    )


def test_the_two_tables_of_one_file_are_read_with_their_titles_and_indents(
    tmp_path: Path,
) -> None:
    content = export(
        [shortage("101"), shortage("102", brand="A&amp;amp;B")],
        [discontinuation("201", reversed_="Yes")],
    )
    reading = read(tmp_path, content)
    reports = reading.tables["canada_reports"].set_index("report_id")
    assert reports["report_type"].to_dict() == {
        "101": "Shortage",
        "102": "Shortage",
        "201": "Discontinuation",
    }
    assert reports.loc["102", "brand_name"] == "VELMOR A&B"
    assert reports["din"].unique().tolist() == ["00099901"]
    assert reports["mandatory"].all()
    assert reports["source_row"].tolist() == [1, 2, 5]
    states = reading.tables["canada_report_states"].set_index("report_id")
    assert states["status"].tolist() == ["Actual shortage"] * 2 + ["To be discontinued"]
    assert states.loc["201", "discontinuation_date"] == pd.Timestamp("2018-04-01")
    assert states.loc["201", "discontinuation_reversed"]
    # This layout does not date its states: they are known when observed.
    assert states["published_at"].isna().all()
    assert reading.rejects.empty


def test_an_export_without_discontinuations_is_read(tmp_path: Path) -> None:
    reading = read(tmp_path, export([shortage("101")], []))
    assert reading.tables["canada_reports"]["report_id"].tolist() == ["101"]


@pytest.mark.parametrize(
    ("dates", "event"),
    [
        ({"actual": "2018-01-10"}, "2018-01-10"),
        ({"actual": "2018-01-10", "anticipated": "2018-01-05"}, "2018-01-10"),
        # An actual start after the creation was not known at the creation.
        ({"actual": "2018-02-20", "anticipated": "2018-03-01"}, "2018-03-01"),
        ({"actual": "2018-02-20"}, "2018-01-12"),
        ({"actual": "", "anticipated": "2018-09-01"}, "2018-09-01"),
        ({"actual": ""}, "2018-01-12"),
    ],
)
def test_a_report_is_public_from_its_creation_with_what_was_known_then(
    tmp_path: Path, dates: dict[str, str], event: str
) -> None:
    report = read(tmp_path, export([shortage("101", **dates)], [])).tables["canada_reports"].iloc[0]
    assert report["published_at"] == pd.Timestamp("2018-01-12")
    assert report["event_date"] == pd.Timestamp(event)


def test_nothing_that_came_later_stands_in_the_reports() -> None:
    reports = next(t for t in SOURCE.tables if t.name == "canada_reports")
    states = next(t for t in SOURCE.tables if t.name == "canada_report_states")
    mutable = {"status", "actual_start_date", "actual_end_date", "estimated_end_date", "tier_3"}
    assert mutable <= {c.name for c in states.columns}
    assert not mutable & {c.name for c in reports.columns}
    assert states.assumed_lag_days is None


def test_the_later_export_dates_its_states(tmp_path: Path) -> None:
    reading = read(tmp_path, "\ufeff" + LATER + later("301", tier="Yes"))
    state = reading.tables["canada_report_states"].iloc[0]
    assert state["published_at"] == state["date_updated"] == pd.Timestamp("2018-03-02")
    assert state["actual_end_date"] == pd.Timestamp("2018-03-01")
    assert state["tier_3"]


def test_a_state_from_after_the_snapshot_is_quarantined_and_its_report_kept(
    tmp_path: Path,
) -> None:
    reading = read(tmp_path, LATER + later("301", updated="2018-06-01") + later("302"))
    assert reading.tables["canada_reports"]["report_id"].tolist() == ["301", "302"]
    assert reading.tables["canada_report_states"]["report_id"].tolist() == ["302"]
    assert reading.rejects[["row", "column", "value"]].to_numpy().tolist() == [
        [1, "date_updated", "2018-06-01"]
    ]


def test_the_voluntary_list_has_no_numbers_and_no_day_of_creation(tmp_path: Path) -> None:
    content = (
        VOLUNTARY
        + voluntary()
        + voluntary(updated="2015-06-20", others="2.0")
        + voluntary(din="", updated="2015-03-09", discontinued="Yes")
        + voluntary(start="2015-07-01", updated="2015-06-20")
    )
    reading = read(tmp_path, content)
    reports = reading.tables["canada_reports"]
    assert reports["report_id"].tolist() == [
        "voluntary-00099901-20150301",
        "voluntary-00099901-20150301-2",
        "voluntary-none-20150301",
        "voluntary-00099901-20150701",
    ]
    assert not reports["mandatory"].any()
    assert reports["ingredients"].tolist()[0] == "VELMORINE"
    assert reports["event_date"].tolist()[0] == pd.Timestamp("2015-03-01")
    # Public by the assumed lag, or by the last update where that came sooner.
    assert reports["published_at"].isna().tolist() == [True, True, False, False]
    assert reports["published_at"].tolist()[2:] == [
        pd.Timestamp("2015-03-09"),
        pd.Timestamp("2015-06-20"),
    ]
    declared = next(t for t in SOURCE.tables if t.name == "canada_reports")
    assert declared.assumed_lag_days == VOLUNTARY_LAG_DAYS
    states = reading.tables["canada_report_states"]
    assert states["report_id"].tolist() == reports["report_id"].tolist()
    assert states["discontinued"].tolist() == [False, False, True, False]
    assert states["other_makers"].tolist()[1] == 2.0
    assert states["estimated_end_date"].tolist()[0] == pd.Timestamp("2015-07-01")
    assert states["published_at"].tolist()[0] == pd.Timestamp("2015-06-01")


def test_bad_dates_are_left_empty_and_noted(tmp_path: Path) -> None:
    content = export(
        [
            shortage("101", anticipated="0017-04-24", actual=""),
            shortage("102", estimated="2108-02-05"),
            shortage("103", ended="2018-06-29"),
        ],
        [discontinuation("201", on="0216-04-15")],
    )
    reading = read(tmp_path, content)
    assert len(reading.tables["canada_reports"]) == 4
    states = reading.tables["canada_report_states"]
    assert states[["estimated_end_date", "actual_end_date"]].isna().all(axis=None)
    assert reading.rejects[["row", "column", "value"]].to_numpy().tolist() == [
        [1, "anticipated_start_date", "0017-04-24"],
        [2, "estimated_end_date", "2108-02-05"],
        [3, "actual_end_date", "2018-06-29"],
        [6, "discontinuation_date", "0216-04-15"],
    ]
    assert reading.tables["canada_reports"]["event_date"].tolist()[0] == pd.Timestamp("2018-01-12")


def test_rows_that_cannot_be_used_stand_in_quarantine(tmp_path: Path) -> None:
    content = export(
        [
            shortage("101"),
            shortage("102", created="2018-09-09"),
            shortage("103", created=""),
            shortage(""),
            shortage("104") + "surplus,fields",
        ],
        [discontinuation("201", reversed_="maybe")],
    )
    reading = read(tmp_path, content)
    assert reading.tables["canada_reports"]["report_id"].tolist() == ["101", "201"]
    assert reading.rejects.set_index("row")["column"].to_dict() == {
        2: "date_created",
        3: "date_created",
        4: "report_id",
        5: "",
        8: "discontinuation_reversed",
    }


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("<!DOCTYPE html><html></html>", "HTML page"),
        (LATER, "no rows"),
        (export([], []), "no rows"),
        ("Report ID,Brand name\n1,VELMOR\n", "lacks the column"),
        (VOLUNTARY.replace("outcome,", "") + "a\n", "lacks the column|cut short"),
        (export([shortage("101")], [discontinuation("201")])[:-60], "cut short"),
        (LATER + later("301") + later("302")[:70], "cut short"),
    ],
    ids=["empty", "html", "header", "headers", "columns", "old columns", "truncated", "cut"],
)
def test_a_file_that_is_no_export_is_refused_whole(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(SourceError, match=told) as refusal:
        read(tmp_path, content)
    assert "export.csv" in str(refusal.value)


@pytest.mark.records
@pytest.mark.parametrize(
    ("day", "reports", "states", "notes"),
    [
        ("2016-03-31", 2616, 2421, 195),
        ("2018-05-17", 5541, 5541, 11),
        ("2023-12-31", 3129, 2340, 789),
    ],
)
def test_no_report_of_the_real_exports_is_lost(
    records_dir: Path, day: str, reports: int, states: int, notes: int
) -> None:
    # The manifest counts headers and titles too: 1, 4 and 1 lines.
    files = sorted((records_dir / "canada_shortages" / day).iterdir())
    reading = SOURCE.read(files, date.fromisoformat(day))
    table = reading.tables["canada_reports"]
    assert len(table) == reports
    assert table["report_id"].is_unique
    assert len(reading.tables["canada_report_states"]) == states
    assert len(reading.rejects) == notes
    assert reports - states == reading.rejects["reason"].str.contains("its state is not").sum()
    assert (table["published_at"].dropna() <= pd.Timestamp(day)).all()
    assert table["din"].dropna().str.fullmatch(r"\d{8}").mean() > 0.99
    kinds = table["report_type"].value_counts().to_dict()
    assert kinds == (
        {"Shortage": 4870, "Discontinuation": 671} if day == "2018-05-17" else {"Shortage": reports}
    )
