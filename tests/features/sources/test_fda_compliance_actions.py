"""Compliance actions: all product types, flagged, with an assumed lag."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.fda_compliance_actions import SOURCE

AS_OF = date(2022, 3, 31)
HEADER = (
    "FEI Number,Legal Name,State,Country/Area,Product Type,Action Taken Date,Action Type,"
    "Case/Injunction ID"
)


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> Reading:
    path = tmp_path / "compliance_actions.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return SOURCE.read([path], AS_OF)


def test_every_product_type_is_kept_and_drugs_are_flagged(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        '3000000001,"Velmora Labs, Inc.",-,-,Drugs,2021-06-30,Warning Letter,600001',
        "3000000002,Ostrun Devices,Texas,United States,Devices,06/29/2021,Seizure,600002",
    )
    table = reading.tables["compliance_actions"]
    assert table["is_drug"].tolist() == [True, False]
    assert table["product_type"].tolist() == ["Drugs", "Devices"]
    assert table["state"].isna().tolist() == [True, False]
    assert table["country"].isna().tolist() == [True, False]
    assert table["event_date"].tolist() == [pd.Timestamp(2021, 6, 30), pd.Timestamp(2021, 6, 29)]
    assert reading.rejects.empty


def test_the_day_of_the_action_is_not_taken_for_the_day_it_was_public(tmp_path: Path) -> None:
    line = "3000000001,Velmora Labs,-,-,Drugs,2021-06-30,Warning Letter,600001"
    assert "published_at" not in read(tmp_path, line).tables["compliance_actions"]
    assert SOURCE.tables[0].assumed_lag_days == 30
    assert SOURCE.tables[0].lag_note


@pytest.mark.parametrize("taken", ["", "2108-06-30", "1821-06-30", "2022-04-01", "June"])
def test_an_action_without_a_usable_date_goes_to_quarantine(tmp_path: Path, taken: str) -> None:
    reading = read(
        tmp_path,
        "3000000001,Velmora Labs,-,-,Drugs,2021-06-30,Injunction,600001",
        f"3000000001,Velmora Labs,-,-,Drugs,{taken},Injunction,600002",
    )
    assert reading.tables["compliance_actions"]["case_id"].tolist() == ["600001"]
    assert reading.rejects[["row", "column", "value"]].to_numpy().tolist() == [
        [2, "Action Taken Date", taken]
    ]


def test_another_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Action Taken Date"):
        read(tmp_path, "1,2", header="FEI Number,Legal Name")


@pytest.mark.records
def test_the_real_export_is_read_whole(records_dir: Path) -> None:
    path = records_dir / "fda_compliance_actions/2024-06-27/compliance_actions.csv"
    reading = SOURCE.read([path], date(2024, 6, 27))
    table = reading.tables["compliance_actions"]
    assert len(table) == 4_233  # MANIFEST.csv
    assert reading.rejects.empty
    assert table["is_drug"].sum() == 2_341
    assert set(table["action_type"]) == {"Warning Letter", "Injunction", "Seizure"}
    assert table["event_date"].between("2008-10-01", "2024-06-27").all()
    assert not table.duplicated(list(SOURCE.tables[0].key)).any()
    assert table["fei_number"].notna().all()
