"""Citations: those about drugs, one row each, and no page that passes for the whole."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources._fda_exports import PAGE_ROWS
from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.fda_citations import SOURCE

AS_OF = date(2022, 3, 31)
HEADER = (
    "InspectionID,FEINumber,LegalName,CountryName,InspectionEndDate,ProgramArea,CitationID,"
    "ActCFRNumber,ShortDescription,LongDescription"
)


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> Reading:
    path = tmp_path / "citations.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return SOURCE.read([path], AS_OF)


def line(
    inspection: str = "11",
    *,
    area: str = "Drugs",
    ended: str = "2021-06-30",
    section: str = "21 CFR 211.192",
) -> str:
    return (
        f'{inspection},3000000001,"Velmora Labs, Inc.",Belgium,{ended},{area},1001,{section},'
        '"Failures","None was looked into.\nSpecifically, ""three"" batches."'
    )


def test_every_citation_is_a_row(tmp_path: Path) -> None:
    reading = read(tmp_path, line(), line(section="21 CFR 211.22(d)"), line("12"))
    table = reading.tables["inspection_citations"]
    assert table[["inspection_id", "cfr_number"]].to_numpy().tolist() == [
        ["11", "21 CFR 211.192"],
        ["11", "21 CFR 211.22(d)"],
        ["12", "21 CFR 211.192"],
    ]
    assert table.loc[0, "legal_name"] == "Velmora Labs, Inc."
    assert table.loc[0, "long_description"] == (
        'None was looked into. Specifically, "three" batches.'
    )
    assert not table.duplicated(list(SOURCE.tables[0].key)).any()
    assert reading.rejects.empty


def test_times_are_those_of_the_inspection_with_an_assumed_lag(tmp_path: Path) -> None:
    table = read(tmp_path, line()).tables["inspection_citations"]
    assert table["event_date"].tolist() == [pd.Timestamp(2021, 6, 30)]
    assert "published_at" not in table
    assert SOURCE.tables[0].assumed_lag_days == 90
    assert SOURCE.tables[0].lag_note


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        (line(area="Devices"), "Program Area"),
        (line(area="Bioresearch Monitoring"), "Program Area"),
        (line(inspection=""), "Inspection ID"),
        (line(section="-"), "Act/CFR Number"),
        (line(ended="2108-06-30"), "Inspection End Date"),
        (line(ended=""), "Inspection End Date"),
        (line(ended="2022-04-01"), "Inspection End Date"),
    ],
)
def test_an_unusable_row_goes_to_quarantine(tmp_path: Path, bad: str, column: str) -> None:
    reading = read(tmp_path, line("10"), bad)
    assert reading.tables["inspection_citations"]["inspection_id"].tolist() == ["10"]
    assert reading.rejects[["file", "row", "column"]].to_numpy().tolist() == [
        ["citations.csv", 2, column]
    ]


def test_a_bad_fei_number_costs_the_number_and_not_the_row(tmp_path: Path) -> None:
    reading = read(tmp_path, line().replace("3000000001", "Velmora"))
    assert reading.tables["inspection_citations"]["fei_number"].isna().all()
    assert reading.rejects["value"].tolist() == ["Velmora"]


def test_the_spreadsheet_has_no_number_of_the_citation_and_that_makes_no_new_version(
    tmp_path: Path,
) -> None:
    coded = read(tmp_path, line().replace("\n", " ")).tables["inspection_citations"]
    spelt = read(
        tmp_path,
        '11,3000000001,"Velmora Labs, Inc.",06/30/2021,Drugs,21 CFR 211.192,Failures,'
        '"None was looked into. Specifically, ""three"" batches."',
        header="Inspection ID,FEI Number,Legal Name,Inspection End Date,Program Area,"
        "Act/CFR Number,Short Description,Long Description",
    ).tables["inspection_citations"]
    volatile = [c.name for c in SOURCE.tables[0].columns if c.volatile]
    assert volatile == ["citation_id", "country"]
    assert spelt[volatile].isna().all(axis=None)
    assert coded[volatile].to_numpy().tolist() == [["1001", "Belgium"]]
    pd.testing.assert_frame_equal(
        spelt.drop(columns=volatile), coded.drop(columns=volatile), check_like=True
    )


def test_exactly_one_page_of_the_dashboard_is_refused(tmp_path: Path) -> None:
    page = [f"{n},3,V,B,2021-06-30,Drugs,1,21 CFR 211.192,F,N" for n in range(PAGE_ROWS)]
    with pytest.raises(SourceError, match=r"exactly 5,000 rows.*fetch all pages"):
        read(tmp_path, *page)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"Inspection ID,Legal Name\n1,2\n", r"lacks the column\(s\) FEI Number"),
        (f"{HEADER}\n".encode(), "no rows"),
        (b"", "is empty"),
        (b"<html><body>Sign in</body></html>", "HTML page"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "citations.csv"
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=message):
        SOURCE.read([path], AS_OF)


def test_a_cut_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "citations.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n{line()}\n".encode())[:-9])
    with pytest.raises(SourceError, match="damaged or cut short"):
        SOURCE.read([path], AS_OF)
