"""Part B spending: suppressed figures are null, and a release is known when it is seen."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.partb_spending import SOURCE

AS_OF = date(2017, 1, 31)
HEADER = (
    "hcpcs_code,hcpcs_description,year,claim_count,total_spending,beneficiary_count,"
    "total_annual_spending_per_user,unit_count,average_cost_per_unit,"
    "average_beneficiary_cost_share,annual_change_in_average_cost_per_unit"
)
ROW = (
    'J9901,"Injection, velmoril, 5 mg",2015,955.0,263564.03,304.0,866.98,2307.5,114.25,177.3,-0.05'
)
SUPPRESSED = "J9902,Ostrunide,2014,NA,NA,NA,NA,NA,NA,NA,NA"


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> Reading:
    path = tmp_path / "part_b_spending.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return SOURCE.read([path], AS_OF)


def test_figures_and_suppressed_figures_are_read(tmp_path: Path) -> None:
    reading = read(tmp_path, ROW, SUPPRESSED)
    assert reading.rejects.empty
    table = reading.tables["partb_spending"]
    assert table["description"].tolist()[0] == "Injection, velmoril, 5 mg"
    assert table["year"].tolist() == [2015, 2014]
    assert table["claims"].tolist() == [955, pd.NA]
    assert table["units"].tolist()[0] == 2307.5
    assert table["change_in_cost_per_unit"].tolist()[0] == -0.05
    figures = ["total_spending_usd", "beneficiaries", "average_cost_per_unit_usd"]
    assert table[figures].isna().all(axis=1).tolist() == [False, True]


def test_a_year_ends_in_december_and_no_day_of_publication_is_claimed(tmp_path: Path) -> None:
    table = read(tmp_path, ROW).tables["partb_spending"]
    assert table["event_date"].tolist() == [pd.Timestamp(2015, 12, 31)]
    assert "published_at" not in table.columns
    assert SOURCE.tables[0].assumed_lag_days is None


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("J9901", "9901", "hcpcs_code"),
        ("2015", "2108", "year"),
        ("2015", "2017", "year"),
        ("2015", "2014.5", "year"),
        ("955.0", "955.5", "claim_count"),
        ("114.25", "cheap", "average_cost_per_unit"),
        ("114.25", "inf", "average_cost_per_unit"),
    ],
)
def test_a_bad_row_goes_to_quarantine(tmp_path: Path, old: str, new: str, column: str) -> None:
    reading = read(tmp_path, SUPPRESSED, ROW.replace(old, new))
    assert reading.tables["partb_spending"]["source_row"].tolist() == [1]
    rejected = reading.rejects[["row", "column", "value"]].to_numpy().tolist()
    assert rejected == [[2, column, new]]


def test_what_is_no_spending_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"lacks the column\(s\) unit_count"):
        read(tmp_path, ROW, header=HEADER.replace("unit_count", "units"))
    with pytest.raises(SourceError, match="no rows"):
        read(tmp_path)
    with pytest.raises(SourceError, match="HTML page"):
        read(tmp_path, header="<!doctype html><html></html>")


@pytest.mark.records
def test_the_real_release_loses_no_row(records_dir: Path) -> None:
    path = records_dir / "partb_spending/2017-01-31/part_b_spending.csv"
    reading = SOURCE.read([path], AS_OF)
    table = reading.tables["partb_spending"]
    assert len(table) == 3_190  # MANIFEST.csv counts the header, too
    assert reading.rejects.empty
    assert table.groupby("year").size().to_dict() == dict.fromkeys(range(2011, 2016), 638)
    assert table["total_spending_usd"].isna().sum() == 376
    unit = table["total_spending_usd"] / table["units"]
    assert ((unit / table["average_cost_per_unit_usd"]).dropna().between(0.999, 1.001)).all()


def test_cms_own_table_has_its_years_side_by_side(tmp_path: Path) -> None:
    figures = ("Tot_Spndng", "Tot_Dsg_Unts", "Tot_Clms", "Tot_Benes")
    averages = ("Avg_Spndng_Per_Dsg_Unt", "Avg_Spndng_Per_Clm", "Avg_Spndng_Per_Bene")
    columns = [f"{name}_{year}" for year in (2014, 2015) for name in (*figures, *averages)]
    header = ",".join(["HCPCS_Cd", "HCPCS_Desc", "Brnd_Name", *columns, "Avg_DY15_ASP_Price"])
    row = 'J9901,"Injection, velmoril",Velmora,,,,,,,,"$1,000.50",200,10,8,5.0,100,125,4.9'
    reading = read(tmp_path, row, header=header)
    assert reading.rejects.empty
    table = reading.tables["partb_spending"]
    assert table["year"].tolist() == [2015], "a year without a figure has no row"
    found = table.iloc[0]
    assert (found["total_spending_usd"], found["units"], found["claims"]) == (1000.5, 200, 10)
    assert (found["beneficiaries"], found["average_cost_per_unit_usd"]) == (8, 5.0)
    with pytest.raises(SourceError, match="no column of figures and year"):
        read(tmp_path, "J9901,x", header="HCPCS_Cd,HCPCS_Desc")
