"""Price concessions in England: two layouts, one table of months with a concession."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shortcast.features.simulated.writers._files import write_sheet
from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.uk_price_concessions import SOURCE

AS_OF = date(2021, 2, 28)
FLAGGED = (
    "month_full,product_pack,active_ingredients,dosage,value,quantity,shortage,"
    "base_no_shortage_estimate,price_per_piece,xaxis_months\n"
)
LISTED = "month,drug,concession_price\n"


def read(tmp_path: Path, content: str | bytes, name: str = "concessions.csv") -> Reading:
    path = tmp_path / name
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return SOURCE.read([path], AS_OF)


def test_the_monthly_list_gives_concessions_public_by_the_end_of_their_month(
    tmp_path: Path,
) -> None:
    reading = read(tmp_path, LISTED + "2020-02,Velmorine 5mg tablets,3.99\n2020-11,Lumixil,12\n")
    table = reading.tables["uk_concessions"]
    assert set(reading.tables) == {"uk_concessions"}
    assert table["product"].tolist() == ["Velmorine 5mg tablets", "Lumixil"]
    assert table["month"].tolist() == [pd.Timestamp("2020-02-01"), pd.Timestamp("2020-11-01")]
    assert table["event_date"].tolist() == table["month"].tolist()
    assert table["published_at"].tolist() == [
        pd.Timestamp("2020-02-29"),
        pd.Timestamp("2020-11-30"),
    ]
    assert table["price_gbp"].tolist() == [3.99, 12.0]
    assert reading.rejects.empty


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_of_the_flagged_table_only_flagged_months_are_concessions(
    tmp_path: Path, name: str
) -> None:
    reading = read(
        tmp_path,
        FLAGGED
        + "2020-01-01,Velmorine 5mg tablets,Velmorine,Tablet,100.5,1000,,100.5,0.1005,Jan 20\n"
        + "2020-02-01,Velmorine 5mg tablets,Velmorine,Tablet,400,1000,TRUE,100,0.4,Feb 20\n",
        name,
    )
    concessions = reading.tables["uk_concessions"]
    assert concessions["month"].tolist() == [pd.Timestamp("2020-02-01")]
    assert concessions["source_row"].tolist() == [2]
    assert concessions["ingredients"].tolist() == ["Velmorine"]
    # The price in this layout is what was paid for a piece, not the concession price.
    assert concessions["price_gbp"].isna().all()
    prescribing = reading.tables["uk_prescribing"]
    assert prescribing["cost_gbp"].tolist() == [100.5, 400.0]
    assert prescribing["quantity_units"].tolist() == [1000.0, 1000.0]
    assert prescribing["price_gbp_per_unit"].tolist() == [0.1005, 0.4]


def test_prescribing_is_known_some_time_after_its_month(tmp_path: Path) -> None:
    reading = read(tmp_path, FLAGGED + "2020-01-01,Velmorine,Velmorine,Tablet,1,1,,1,1,Jan 20\n")
    table = reading.tables["uk_prescribing"]
    assert "published_at" not in table
    assert table["event_date"].tolist() == [pd.Timestamp("2020-01-31")]
    declared = next(t for t in SOURCE.tables if t.name == "uk_prescribing")
    assert declared.assumed_lag_days == 60
    assert declared.lag_note


def test_what_was_computed_with_hindsight_is_left_out() -> None:
    names = {c.name for t in SOURCE.tables for c in t.columns}
    assert not any("estimate" in name or "base" in name for name in names)


def test_bad_rows_stand_in_quarantine_and_bad_values_are_left_empty(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        LISTED
        + "2108-02,Velmorine,3.99\n"
        + "soon,Velmorine,3.99\n"
        + "2020-02,,3.99\n"
        + "2020-02,Velmorine,3.99,surplus\n"
        + "2020-02,Velmorine,cheap\n"
        + "2020-02,Lumixil,0\n"
        + "2020-02,Ostravan,\n",
    )
    table = reading.tables["uk_concessions"]
    assert table["product"].tolist() == ["Velmorine", "Lumixil", "Ostravan"]
    assert table["price_gbp"].isna().all()
    assert reading.rejects.set_index("row")["column"].to_dict() == {
        1: "month",
        2: "month",
        3: "drug",
        4: "",
        5: "concession_price",
        6: "concession_price",
    }


def test_a_flag_that_is_none_is_not_taken_for_no(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        FLAGGED
        + "2020-01-01,Velmorine,Velmorine,Tablet,1,1,perhaps,1,1,Jan 20\n"
        + "2020-02-01,Velmorine,Velmorine,Tablet,1,1,FALSE,1,1,Feb 20\n",
    )
    assert reading.tables["uk_concessions"].empty
    assert reading.tables["uk_prescribing"]["source_row"].tolist() == [2]
    assert reading.rejects[["row", "value"]].to_numpy().tolist() == [[1, "perhaps"]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("<html></html>", "HTML page"),
        (LISTED, "no rows"),
        ("month,drug,drug,concession_price\n2020-01,V,V,1\n", "names the column .drug. twice"),
        ("month,medicine\n2020-01,Velmorine\n", "lacks the column"),
        (FLAGGED.replace("shortage,", "") + "2020-01-01,V,V,T,1,1,1,1,Jan\n", "lacks the column"),
        (LISTED + "2020-01,Velmorine,1\n2020-02,Velm", "cut short"),
    ],
)
def test_a_file_that_is_neither_layout_is_refused_whole(
    tmp_path: Path, content: str, told: str
) -> None:
    with pytest.raises(SourceError, match=told):
        read(tmp_path, content)


@pytest.mark.records
def test_no_row_of_the_real_files_is_lost(records_dir: Path) -> None:
    folder = records_dir / "uk_price_concessions"
    old = SOURCE.read(sorted((folder / "2021-02-28").iterdir()), date(2021, 2, 28))
    assert len(old.tables["uk_prescribing"]) == 20898
    assert len(old.tables["uk_concessions"]) == 1920
    assert old.rejects.empty
    # Hindsight, as the caveats say: every medicine in the file has a concession at some time.
    assert set(old.tables["uk_prescribing"]["product"]) == set(
        old.tables["uk_concessions"]["product"]
    )
    new = SOURCE.read(sorted((folder / "2026-02-28").iterdir()), date(2026, 2, 28))
    table = new.tables["uk_concessions"]
    assert len(table) == 7742  # the manifest counts the header too
    assert new.rejects.empty
    assert table["price_gbp"].between(0.5, 400).all()
    assert table["month"].min() == pd.Timestamp("2020-01-01")
    assert table["published_at"].max() == pd.Timestamp("2026-02-28")
    # Both files name products alike: each flagged month since 2020 stands in the list as well.
    both = old.tables["uk_concessions"].query("month >= '2020-01-01'")[["month", "product"]]
    assert both.merge(table, on=["month", "product"])[["month", "product"]].drop_duplicates().shape[
        0
    ] == len(both)


def sheet(tmp_path: Path, header: list[str], *columns: object) -> Reading:
    path = tmp_path / "price_concession_archive.xlsx"
    write_sheet(path, header, columns)
    return SOURCE.read([path], AS_OF)


def test_the_publishers_spreadsheet_is_read_with_and_without_prices(tmp_path: Path) -> None:
    months = np.array([18_293, 18_567])  # 2020-02-01 and 2020-11-01
    drugs = ["Velmorine 5mg tablets", "Lumixil 10mg"]
    header = ["Month", "Drug", "Price concession (\u00a3)"]
    reading = sheet(tmp_path, header, months, drugs, ["\u00a31,003.99", "n/a"])
    table = reading.tables["uk_concessions"]
    assert table["month"].tolist() == [pd.Timestamp("2020-02-01"), pd.Timestamp("2020-11-01")]
    assert table["product"].tolist() == drugs
    assert table["price_gbp"].tolist()[0] == 1003.99
    assert reading.rejects["value"].tolist() == ["n/a"]
    bare = sheet(tmp_path, ["VMPP SNOMED code", "Month", "Drug"], "1", months, drugs)
    assert bare.tables["uk_concessions"]["price_gbp"].isna().all()
    assert bare.rejects.empty


def test_a_spreadsheet_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no row with the headers Month and Drug"):
        sheet(tmp_path, ["Year", "Medicine"], ["2020"], ["Velmorine"])
    (tmp_path / "cut.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(SourceError, match="not a whole spreadsheet"):
        SOURCE.read([tmp_path / "cut.xlsx"], AS_OF)
