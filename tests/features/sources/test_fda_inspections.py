"""Inspections: one row an inspection, plants only, and no page that passes for the whole."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.fda_inspections import SOURCE

AS_OF = date(2022, 3, 31)
HEADER = (
    "FEI Number,Legal Name,City,State,Inspection ID,Inspection End Date,Classification,"
    "Project Area,Product Type"
)
PLANT = "Drug Quality Assurance"


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> Reading:
    path = tmp_path / "inspections.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return SOURCE.read([path], AS_OF)


def line(inspection: str, result: str, *, area: str = PLANT, ended: str = "2021-06-30") -> str:
    return f'3000000001,"Velmora Labs, Inc.",Ghent,-,{inspection},{ended},{result},{area},Drugs'


def test_the_worst_class_over_project_areas_stands(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        line("11", "NAI", area="Unapproved and Misbranded Drugs"),
        line("11", "OAI"),
        line("11", "VAI", area="Over-the-Counter Drug Evaluation"),
        line("12", "VAI"),
    )
    table = reading.tables["inspections"].set_index("inspection_id")
    assert table["classification"].to_dict() == {"11": "OAI", "12": "VAI"}
    assert table["project_area_count"].to_dict() == {"11": 3, "12": 1}
    assert table.loc["11", "project_areas"] == (
        "Drug Quality Assurance|Over-the-Counter Drug Evaluation|Unapproved and Misbranded Drugs"
    )
    assert table.loc["11", "source_row"] == 2
    assert reading.rejects.empty


def test_clinical_sites_are_put_aside_and_do_not_lend_their_class(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        line("11", "OAI", area="Bioresearch Monitoring"),
        line("11", "NAI"),
        line("13", "VAI", area="Bioresearch Monitoring"),
    )
    table = reading.tables["inspections"]
    assert table[["inspection_id", "classification"]].to_numpy().tolist() == [["11", "NAI"]]
    assert reading.rejects["row"].tolist() == [1, 3]
    assert set(reading.rejects["reason"]) == {"clinical site, not a plant"}


def test_times_are_those_of_the_inspection_with_an_assumed_lag(tmp_path: Path) -> None:
    table = read(tmp_path, line("11", "OAI")).tables["inspections"]
    assert table["event_date"].tolist() == [pd.Timestamp(2021, 6, 30)]
    assert "published_at" not in table
    assert SOURCE.tables[0].assumed_lag_days == 90


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        (line("11", "OAI", ended="2108-06-30"), "Inspection End Date"),
        (line("11", "OAI", ended=""), "Inspection End Date"),
        (line("11", "OAI", ended="soon"), "Inspection End Date"),
        (line("11", "Pending"), "Classification"),
        (line("", "OAI"), "Inspection ID"),
        (line("11", "OAI").replace(",Drugs", ",Devices"), "Product Type"),
    ],
)
def test_an_unusable_row_goes_to_quarantine(tmp_path: Path, bad: str, column: str) -> None:
    reading = read(tmp_path, line("10", "VAI"), bad)
    assert reading.tables["inspections"]["inspection_id"].tolist() == ["10"]
    assert reading.rejects[["file", "row", "column"]].to_numpy().tolist() == [
        ["inspections.csv", 2, column]
    ]


def test_a_bad_fei_number_costs_the_number_and_not_the_row(tmp_path: Path) -> None:
    reading = read(tmp_path, line("10", "VAI").replace("3000000001", "Velmora"))
    assert reading.tables["inspections"]["fei_number"].isna().all()
    assert reading.rejects["value"].tolist() == ["Velmora"]


def test_the_layouts_of_the_spreadsheet_and_of_the_interface_are_read(tmp_path: Path) -> None:
    spelt = read(
        tmp_path,
        "3000000001,Velmora Labs,Ghent,Belgium,06/30/2021,Voluntary Action Indicated (VAI),"
        f"{PLANT},Drugs,77",
        header="FEI Number,Legal Name,City,Country/Area,Inspection End Date,Classification,"
        "Project Area,Product Type,Inspection ID",
    ).tables["inspections"]
    coded = read(
        tmp_path,
        f"77,3000000001,Velmora Labs,Ghent,Belgium,2021-06-30,VAI,{PLANT},Drugs",
        header="InspectionID,FEINumber,LegalName,City,CountryName,InspectionEndDate,"
        "ClassificationCode,ProjectArea,ProductType",
    ).tables["inspections"]
    pd.testing.assert_frame_equal(spelt, coded)
    assert spelt["country"].tolist() == ["Belgium"]
    words = read(tmp_path, line("9", "No Action Indicated"), line("8", "official action indicated"))
    assert words.tables["inspections"]["classification"].tolist() == ["NAI", "OAI"]


def test_exactly_one_page_of_the_dashboard_is_refused(tmp_path: Path) -> None:
    page = [line(str(number), "NAI") for number in range(5000)]
    with pytest.raises(SourceError, match=r"exactly 5,000 rows.*fetch all pages"):
        read(tmp_path, *page)
    more = read(tmp_path, *page, line("5001", "NAI"))
    assert len(more.tables["inspections"]) == 5001


def test_a_cut_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "inspections.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n{line('1', 'OAI')}\n".encode())[:-9])
    with pytest.raises(SourceError, match="damaged or cut short"):
        SOURCE.read([path], AS_OF)


@pytest.mark.records
def test_the_real_export_is_read_whole(records_dir: Path) -> None:
    path = records_dir / "fda_inspections/2026-05-28/inspections.csv.gz"
    reading = SOURCE.read([path], date(2026, 5, 28))
    table = reading.tables["inspections"]
    # 22,557 rows (MANIFEST.csv), 7,290 of them clinical sites (SOURCES.md).
    assert table["project_area_count"].sum() + len(reading.rejects) == 22_557
    assert reading.rejects["reason"].value_counts().to_dict() == {
        "clinical site, not a plant": 7_290
    }
    assert table["inspection_id"].is_unique
    assert table["fei_number"].str.fullmatch(r"[1-9]\d{2,9}").all()
    years = table["event_date"].dt.year
    assert years.min() == 2008
    # The known fault of this file: the caveat that forbids counts of NAI and VAI is still true.
    assert set(table.loc[years.between(2013, 2018), "classification"]) == {"OAI"}
