"""The Orange Book: approvals from their own day, holders and status from the vintage."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.orange_book import SOURCE

AS_OF = date(2020, 7, 31)
HEADER = (
    "Ingredient~DF;Route~Trade_Name~Applicant~Strength~Appl_Type~Appl_No~Product_No~TE_Code~"
    "Approval_Date~RLD~RS~Type~Applicant_Full_Name"
)
NEW = (
    "OSTRUNIDE; TALVERINE~TABLET, EXTENDED RELEASE;ORAL, BUCCAL~OSTRUN~OSTRUN~5MG;2MG~A~900201~001"
    "~AB~Oct 7, 2014~No~Yes~RX~OSTRUN PHARMS INC "
)
OLD = (
    "VELMORIL~INJECTABLE;INJECTION~VELMORA~VELMORA LABS~0.04MG/ML **Federal Register determination "
    "that product was not discontinued or withdrawn for safety or efficacy reasons**~N~000101~004"
    "~~Approved Prior to Jan 1, 1982~Yes~No~DISCN~VELMORA LABORATORIES"
)


def bundle(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "EOBZIP.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("products.txt", "\r\n".join([header, *lines, ""]))
        target.writestr("patent.txt", "Appl_Type~Appl_No\r\n")
    return path


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> Reading:
    return SOURCE.read([bundle(tmp_path, *lines, header=header)], AS_OF)


def test_a_product_is_read_as_the_vintage_shows_it(tmp_path: Path) -> None:
    reading = read(tmp_path, NEW, OLD)
    assert reading.rejects.empty
    products = reading.tables["orange_book_products"]
    new, old = products.iloc[0], products.iloc[1]
    assert new["dosage_form"] == "TABLET, EXTENDED RELEASE"
    assert new["route"] == "ORAL, BUCCAL"
    assert new["applicant_full_name"] == "OSTRUN PHARMS INC"
    assert [new["type"], new["te_code"], new["rld"], new["rs"]] == ["RX", "AB", False, True]
    assert new["approval_date"] == pd.Timestamp(2014, 10, 7)
    assert old["strength"] == "0.04MG/ML"
    assert products["not_withdrawn_for_safety"].tolist() == [False, True]
    assert products["te_code"].isna().tolist() == [False, True]
    assert products["source_row"].tolist() == [1, 2]


def test_only_the_approval_reaches_back_before_the_vintage(tmp_path: Path) -> None:
    reading = read(tmp_path, NEW, OLD)
    assert not {"event_date", "published_at"} & set(reading.tables["orange_book_products"].columns)
    approvals = reading.tables["approvals"]
    assert approvals["published_at"].tolist() == [
        pd.Timestamp(2014, 10, 7),
        pd.Timestamp(1982, 1, 1),
    ]
    assert approvals["approval_date"].isna().tolist() == [False, True]
    assert approvals["approved_before_1982"].tolist() == [False, True]
    assert approvals["application_type"].tolist() == ["ANDA", "NDA"]
    # What may change later must not ride on the day of approval.
    assert not {"trade_name", "applicant", "type", "te_code"} & set(approvals.columns)


def test_a_product_with_two_statuses_is_one_approval(tmp_path: Path) -> None:
    reading = read(tmp_path, NEW, NEW.replace("~RX~", "~OTC~"))
    assert reading.tables["orange_book_products"]["type"].tolist() == ["RX", "OTC"]
    assert len(reading.tables["approvals"]) == 1


def test_an_old_vintage_without_reference_standards_is_read(tmp_path: Path) -> None:
    header = HEADER.replace("~RS", "")
    reading = read(tmp_path, NEW.replace("~No~Yes~RX", "~No~RX"), header=header)
    assert reading.tables["orange_book_products"]["rs"].isna().all()
    assert reading.tables["orange_book_products"]["type"].tolist() == ["RX"]


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("Oct 7, 2014", "Oct 7, 2108", "Approval_Date"),
        ("Oct 7, 2014", "Aug 1, 2020", "Approval_Date"),
        ("Oct 7, 2014", "", "Approval_Date"),
        ("~900201~", "~90020~", "Appl_No"),
        ("~001~", "~1~", "Product_No"),
        ("~A~", "~X~", "Appl_Type"),
        ("~RX~", "~Rx only~", "Type"),
        ("INC ", "INC~more", ""),
    ],
)
def test_a_bad_row_goes_to_quarantine(tmp_path: Path, old: str, new: str, column: str) -> None:
    reading = read(tmp_path, OLD, NEW.replace(old, new))
    assert len(reading.tables["orange_book_products"]) == 1
    assert len(reading.tables["approvals"]) == 1
    rejected = reading.rejects[["file", "row", "column"]].to_numpy().tolist()
    assert rejected == [["EOBZIP.zip/products.txt", 2, column]]


def test_what_is_no_orange_book_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"lacks the column\(s\) DF;Route"):
        read(tmp_path, NEW, header=HEADER.replace("DF;Route", "Form"))
    with pytest.raises(SourceError, match="no rows"):
        read(tmp_path)
    with pytest.raises(SourceError, match="HTML page"):
        read(tmp_path, header="<!DOCTYPE html><html></html>")
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as target:
        target.writestr("patent.txt", "Appl_Type~Appl_No\r\n")
    with pytest.raises(SourceError, match=r"lacks products\.txt"):
        SOURCE.read([other], AS_OF)


def test_a_zip_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = bundle(tmp_path, NEW)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SourceError, match="not a whole zip"):
        SOURCE.read([path], AS_OF)


@pytest.mark.records
@pytest.mark.parametrize(
    ("day", "rows", "approvals", "undated"),
    # Rows as in MANIFEST.csv; two products of 2020 stand there with two statuses.
    [(date(2020, 7, 31), 38_615, 38_613, 5_878), (date(2024, 11, 30), 45_752, 45_752, 5_870)],
)
def test_the_real_vintages_lose_no_product(
    records_dir: Path, day: date, rows: int, approvals: int, undated: int
) -> None:
    reading = SOURCE.read([records_dir / "orange_book" / str(day) / "EOBZIP.zip"], day)
    products = reading.tables["orange_book_products"]
    assert len(products) == rows
    assert reading.rejects.empty
    assert products["approval_date"].isna().sum() == undated
    assert products["approval_date"].min() >= pd.Timestamp(1982, 1, 1)
    assert not products["strength"].str.contains("*", regex=False).any()
    assert len(reading.tables["approvals"]) == approvals


@pytest.mark.records
def test_the_real_vintages_chain_by_application_and_product(records_dir: Path) -> None:
    tables = {}
    for day in (date(2020, 7, 31), date(2024, 11, 30)):
        path = records_dir / "orange_book" / str(day) / "EOBZIP.zip"
        tables[day.year] = SOURCE.read([path], day).tables["orange_book_products"]
    key = ["application_no", "product_no"]
    active = tables[2020][tables[2020]["type"] != "DISCN"].drop_duplicates(key)
    gone = tables[2024][tables[2024]["type"] == "DISCN"]
    # Counted independently, see SOURCES.md.
    assert len(active) == 21_114
    assert len(active.merge(gone, on=key)) == 3_452
