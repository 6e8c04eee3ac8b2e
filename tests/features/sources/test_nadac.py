"""NADAC: every header style, and prices public from the day of their weekly file."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.nadac import SOURCE

AS_OF = date(2020, 12, 31)
SPACED = (
    "NDC Description,NDC,NADAC Per Unit,Effective Date,Pricing Unit,Pharmacy Type Indicator,OTC,"
    "Explanation Code,Classification for Rate Setting,"
    "Corresponding Generic Drug NADAC Per Unit,Corresponding Generic Drug Effective Date,As of Date"
)
FULL = (
    '"VELMORA, 5 MG TABLET",99901010130,1.25,06/17/2020,EA,C/I,N,"1, 5",B,'
    "0.11,06/10/2020,07/01/2020"
)
SHORT = "NDC,NADAC_Per_Unit,Effective_Date,As of Date"
ROW = "99901010130,1.25000,06/17/2020,07/01/2020"


def read(tmp_path: Path, *lines: str, name: str = "nadac.csv") -> Reading:
    path = tmp_path / name
    raw = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return SOURCE.read([path], AS_OF)


@pytest.mark.parametrize(
    "header", [SPACED, SPACED.replace(" ", "_"), SPACED.replace(" ", "_").lower()]
)
def test_all_three_header_styles_are_read(tmp_path: Path, header: str) -> None:
    reading = read(tmp_path, header, FULL)
    assert reading.rejects.empty
    row = reading.tables["nadac_prices"].iloc[0]
    assert row["ndc"] == "99901010130"
    assert row["ndc_description"] == "VELMORA, 5 MG TABLET"
    assert row["price_usd_per_unit"] == 1.25
    assert row["pricing_unit"] == "EA"
    assert row["explanation_codes"] == "1, 5"
    assert row["classification"] == "B"
    assert row["generic_price_usd_per_unit"] == 0.11
    assert row["generic_effective_date"] == pd.Timestamp(2020, 6, 10)
    assert reading.tables["nadac_prices"]["otc"].tolist() == [False]


def test_the_rebuilt_file_of_four_columns_is_read(tmp_path: Path) -> None:
    table = read(tmp_path, SHORT, ROW, name="nadac.csv.gz").tables["nadac_prices"]
    assert table["price_usd_per_unit"].tolist() == [1.25]
    absent = ["pricing_unit", "otc", "explanation_codes", "classification", "ndc_description"]
    assert (
        table[[*absent, "generic_price_usd_per_unit", "generic_effective_date"]]
        .isna()
        .all(axis=None)
    )


def test_a_price_is_public_from_its_weekly_file_on(tmp_path: Path) -> None:
    table = read(tmp_path, SHORT, ROW).tables["nadac_prices"]
    assert table["event_date"].tolist() == [pd.Timestamp(2020, 6, 17)]
    assert table["published_at"].tolist() == [pd.Timestamp(2020, 7, 1)]
    assert table["as_of_date"].tolist() == [pd.Timestamp(2020, 7, 1)]


def test_leading_zeros_of_an_ndc_are_kept(tmp_path: Path) -> None:
    table = read(tmp_path, SHORT, "0" + ROW[1:]).tables["nadac_prices"]
    assert table["ndc"].tolist() == ["09901010130"]


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("99901010130", "9901010130", "ndc"),
        ("99901010130", "99901-0101-30", "ndc"),
        ("1.25000", "0", "price_usd_per_unit"),
        ("1.25000", "-1", "price_usd_per_unit"),
        ("1.25000", "inf", "price_usd_per_unit"),
        ("1.25000", "", "price_usd_per_unit"),
        ("06/17/2020", "06/17/2108", "effective_date"),
        ("06/17/2020", "", "effective_date"),
        ("07/01/2020", "01/01/2021", "as_of_date"),
        ("07/01/2020", "today", "as_of_date"),
        ("07/01/2020", "07/01/2020,more", ""),
    ],
)
def test_a_bad_row_goes_to_quarantine(tmp_path: Path, old: str, new: str, column: str) -> None:
    reading = read(tmp_path, SHORT, ROW, ROW.replace(old, new))
    assert reading.tables["nadac_prices"]["source_row"].tolist() == [1]
    rejected = reading.rejects[["file", "row", "column"]].to_numpy().tolist()
    assert rejected == [["nadac.csv", 2, column]]


def test_an_unreadable_generic_price_is_emptied_and_told(tmp_path: Path) -> None:
    bad = FULL.replace("0.11,06/10/2020", "cheap,06/10/2108")
    reading = read(tmp_path, SPACED, FULL, bad)
    table = reading.tables["nadac_prices"]
    assert table["generic_price_usd_per_unit"].isna().tolist() == [False, True]
    assert table["generic_effective_date"].isna().tolist() == [False, True]
    assert reading.rejects[["row", "value"]].to_numpy().tolist() == [
        [2, "06/10/2108"],
        [2, "cheap"],
    ]


def test_every_file_of_a_snapshot_is_read(tmp_path: Path) -> None:
    read(tmp_path, SHORT, ROW, name="nadac-2019.csv")
    read(tmp_path, SPACED, FULL, name="nadac-2020.csv.gz")
    table = SOURCE.read(sorted(tmp_path.glob("nadac-*")), AS_OF).tables["nadac_prices"]
    assert table["source_file"].tolist() == ["nadac-2019.csv", "nadac-2020.csv.gz"]
    assert table["pricing_unit"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["<!DOCTYPE html>", "<html></html>"], "HTML page"),
        ([SHORT], "no rows"),
        ([""], "empty"),
        (["NDC,Price,Effective_Date,As of Date", ROW], r"lacks the column\(s\) nadac_per_unit"),
    ],
)
def test_what_is_no_price_table_is_refused(tmp_path: Path, lines: list[str], says: str) -> None:
    with pytest.raises(SourceError, match=says):
        read(tmp_path, *lines)


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nadac.csv.gz"
    path.write_bytes(gzip.compress(f"{SHORT}\n{ROW}\n".encode() * 50)[:-30])
    with pytest.raises(SourceError, match="damaged or cut short"):
        SOURCE.read([path], AS_OF)
    with pytest.raises(SourceError, match="at least one CSV"):
        SOURCE.read([], AS_OF)


@pytest.mark.records
@pytest.mark.parametrize(
    ("day", "rows", "weeks"),
    # Rows as in MANIFEST.csv.
    [
        pytest.param(date(2020, 12, 31), 509_529, 12, marks=pytest.mark.slow),
        pytest.param(date(2021, 12, 31), 542_179, 12, marks=pytest.mark.slow),
        (date(2022, 10, 31), 474_827, 10),
    ],
)
def test_the_real_files_lose_no_price(records_dir: Path, day: date, rows: int, weeks: int) -> None:
    reading = SOURCE.read([records_dir / "nadac" / str(day) / "nadac.csv.gz"], day)
    table = reading.tables["nadac_prices"]
    assert len(table) == rows
    assert reading.rejects.empty
    assert table["published_at"].nunique() == weeks
    assert not table.duplicated(["ndc", "as_of_date"]).any()
    assert (table["effective_date"] <= table["as_of_date"]).all()
    assert table["price_usd_per_unit"].between(0.0001, 100_000).all()
