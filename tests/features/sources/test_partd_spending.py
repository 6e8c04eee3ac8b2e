"""Part D spending: late figures, and blank rows that would tell of the future."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.partd_spending import SOURCE

AS_OF = date(2025, 6, 30)


def rows(*changes: dict[str, Any]) -> pd.DataFrame:
    row = {
        "Product_Name": "Velmora  ER",
        "Generic_Name": "Velmoril/Talverine",
        "Manufacturer": "Velmora Labora",
        "Total_Spending": 1745.72,
        "Total_Dosage_Units": 866.5,
        "Total_Claims": 17.0,
        "Total_Beneficiaries": None,
        "Calc_Average_Spending_Per_Dosage_Unit": 2.0158,
        "Calc_Average_Spending_Per_Claim": 102.69,
        "Calc_Average_Spending_Per_Beneficiary": None,
        "Outlier_Flag": 1.0,
        "YEAR": 2022,
        "Brand_vs_Generic": "BRAND",
        "SPECIALTY_DRUG": False,
    }
    return pd.DataFrame([row | change for change in changes])


BLANK: dict[str, Any] = dict.fromkeys(
    (
        "Total_Spending",
        "Total_Dosage_Units",
        "Total_Claims",
        "Calc_Average_Spending_Per_Dosage_Unit",
        "Calc_Average_Spending_Per_Claim",
        "Outlier_Flag",
    )
)


def read(tmp_path: Path, frame: pd.DataFrame) -> Reading:
    path = tmp_path / "partd.parquet"
    frame.to_parquet(path)
    return SOURCE.read([path], AS_OF)


def test_a_row_is_read(tmp_path: Path) -> None:
    reading = read(tmp_path, rows({}, BLANK | {"YEAR": 2021}))
    assert reading.rejects.empty
    table = reading.tables["partd_spending"]
    assert table["brand_name"].tolist() == ["Velmora ER", "Velmora ER"]
    assert table["claims"].tolist() == [17, pd.NA]
    assert table["dosage_units"].tolist()[0] == 866.5
    assert table["is_outlier"].tolist() == [True, pd.NA]
    assert table["is_specialty"].tolist() == [False, False]
    assert table["brand_or_generic"].tolist() == ["brand", "brand"]
    assert table["event_date"].tolist() == [pd.Timestamp(2022, 12, 31), pd.Timestamp(2021, 12, 31)]
    assert table["source_row"].tolist() == [1, 2]


def test_a_row_without_figures_is_known_from_the_snapshot_alone(tmp_path: Path) -> None:
    table = read(tmp_path, rows({}, BLANK | {"YEAR": 2018})).tables["partd_spending"]
    # The first counts as known 540 days after its year; the second would betray that the
    # product was on the market years later.
    assert SOURCE.tables[0].assumed_lag_days == 540
    assert table["published_at"].tolist() == [pd.NaT, pd.Timestamp(AS_OF)]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"Generic_Name": " "}, "Generic_Name"),
        ({"Manufacturer": None}, "Manufacturer"),
        ({"YEAR": 2025}, "YEAR"),
        ({"YEAR": 1999}, "YEAR"),
        ({"Total_Spending": -1.0}, "Total_Spending"),
        ({"Total_Claims": 17.5}, "Total_Claims"),
        ({"Outlier_Flag": 2.0}, "Outlier_Flag"),
    ],
)
def test_a_bad_row_goes_to_quarantine(tmp_path: Path, change: dict[str, Any], column: str) -> None:
    reading = read(tmp_path, rows({}, change))
    assert reading.tables["partd_spending"]["source_row"].tolist() == [1]
    assert reading.rejects[["file", "row", "column"]].to_numpy().tolist() == [
        ["partd.parquet", 2, column]
    ]


def test_what_is_no_spending_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"lacks the column\(s\) YEAR"):
        read(tmp_path, rows({}).drop(columns="YEAR"))
    with pytest.raises(SourceError, match="no rows"):
        read(tmp_path, rows({}).iloc[:0])
    path = tmp_path / "partd.parquet"
    whole = path.read_bytes()
    for raw in (whole[: len(whole) // 2], b"<html></html>", b""):
        path.write_bytes(raw)
        with pytest.raises(SourceError, match="not a whole Parquet file"):
            SOURCE.read([path], AS_OF)


@pytest.mark.records
def test_the_real_release_loses_no_row(records_dir: Path) -> None:
    reading = SOURCE.read([records_dir / "partd_spending/2025-06-30/partd.parquet"], AS_OF)
    table = reading.tables["partd_spending"]
    assert len(table) == 91_178  # MANIFEST.csv
    assert reading.rejects.empty
    assert sorted(table["year"].unique()) == list(range(2015, 2024))
    assert not table.duplicated(list(SOURCE.tables[0].key)).any()
    blank = table["total_spending_usd"].isna()
    assert blank.sum() == 16_411
    assert (table["published_at"].notna() == blank).all()
    # One release: what its last year lacks is not listed in the earlier years either.
    names = ["brand_name", "generic_name", "manufacturer"]
    sets = [set(map(tuple, table.loc[table["year"] == y, names].to_numpy())) for y in (2017, 2021)]
    assert sets[0] == sets[1]
    assert not blank[table["year"] == 2021].any()
