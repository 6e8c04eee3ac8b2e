"""Import refusals: drugs by the coarse word or the fine one, and no page as the whole."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources._fda_exports import PAGE_ROWS
from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.fda_import_refusals import SOURCE

AS_OF = date(2022, 3, 31)
HEADER = (
    "FEINumber,FirmName,City,CountryName,DistrictDescription,IndustryCodeDescription,"
    "ProductCategory,ProductCode,ProductCodeDescription,RefusalDate,ShipmentID,"
    "FDASampleAnalysis,PrivateLabAnalysis,RefusalCharges"
)


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> Reading:
    path = tmp_path / "import_refusals.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return SOURCE.read([path], AS_OF)


def line(
    shipment: str = "7000001",
    *,
    category: str = "Drugs and Biologics",
    industry: str = "Human Drugs",
    refused: str = "2021-06-30",
) -> str:
    return (
        f'3000000001,"Velmora Labs, Inc.",Ghent,Belgium,Invented Imports,{industry},{category},'
        f'66ZZZ01,VELMORIL,{refused},{shipment},Yes,No ,"118,508"'
    )


def test_a_refused_line_is_a_row(tmp_path: Path) -> None:
    reading = read(tmp_path, line(), line("7000002", industry="Biologics"))
    table = reading.tables["import_refusals"]
    first = table.iloc[0]
    assert first["firm_name"] == "Velmora Labs, Inc."
    assert (first["product_code"], first["charges"]) == ("66ZZZ01", "118,508")
    assert (first["fda_sampled"], first["private_lab_sampled"]) == (True, False)
    assert table["is_human_drug"].tolist() == [True, False]
    assert table["country"].tolist() == ["Belgium", "Belgium"]
    assert reading.rejects.empty


def test_times_are_those_of_the_refusal_with_an_assumed_lag(tmp_path: Path) -> None:
    table = read(tmp_path, line()).tables["import_refusals"]
    assert table["event_date"].tolist() == [pd.Timestamp(2021, 6, 30)]
    assert "published_at" not in table
    assert SOURCE.tables[0].assumed_lag_days == 60
    assert SOURCE.tables[0].lag_note


def test_drugs_are_known_by_either_word_and_what_is_not_told_stays_open(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        line("1", category="Drugs", industry=""),
        line("2", category="-"),
        line("3", category="Tobacco Products", industry="Tobacco"),
        line("4", category="Human Foods", industry="-"),
    )
    table = reading.tables["import_refusals"]
    assert table["shipment_id"].tolist() == ["1", "2"]
    assert table["is_human_drug"].isna().tolist() == [True, False]
    assert reading.rejects[["row", "value"]].to_numpy().tolist() == [
        [3, "Tobacco Products"],
        [4, "Human Foods"],
    ]
    assert set(reading.rejects["reason"]) == {"not a refusal of drugs"}


@pytest.mark.parametrize("refused", ["", "2108-06-30", "2022-04-01", "June", "-"])
def test_a_refusal_without_a_usable_date_goes_to_quarantine(tmp_path: Path, refused: str) -> None:
    reading = read(tmp_path, line("1"), line("2", refused=refused))
    assert reading.tables["import_refusals"]["shipment_id"].tolist() == ["1"]
    assert reading.rejects[["row", "column", "value"]].to_numpy().tolist() == [
        [2, "Refusal Date", refused]
    ]


def test_a_bad_fei_number_costs_the_number_and_not_the_row(tmp_path: Path) -> None:
    reading = read(tmp_path, line().replace("3000000001", "Velmora"))
    assert reading.tables["import_refusals"]["fei_number"].isna().all()
    assert reading.rejects["value"].tolist() == ["Velmora"]


def test_what_only_some_layouts_have_may_be_missing(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        "3000000001,Velmora Labs,Drugs,66ZZZ01,VELMORIL,06/30/2021,7000001,118",
        header="FEI Number,Firm Legal Name,Product Category,Product Code,"
        "Product Code Description,Refusal Date,Shipment ID,Refusal Charges",
    ).tables["import_refusals"]
    assert table["event_date"].tolist() == [pd.Timestamp(2021, 6, 30)]
    blank = ["country", "industry", "is_human_drug", "fda_sampled", "private_lab_sampled"]
    assert table[blank].isna().all(axis=None)


def test_exactly_one_page_of_the_dashboard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"exactly 5,000 rows.*fetch all pages"):
        read(tmp_path, *(line(str(number)) for number in range(PAGE_ROWS)))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"FEI Number,Firm Name\n1,2\n", r"lacks the column\(s\) Product Category"),
        (f"{HEADER}\n".encode(), "no rows"),
        (b"", "is empty"),
        (b"<html><body>Sign in</body></html>", "HTML page"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "import_refusals.csv"
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=message):
        SOURCE.read([path], AS_OF)


def test_a_cut_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "import_refusals.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n{line()}\n".encode())[:-9])
    with pytest.raises(SourceError, match="damaged or cut short"):
        SOURCE.read([path], AS_OF)
