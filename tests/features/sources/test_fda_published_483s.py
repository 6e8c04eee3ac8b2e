"""Published Form 483s: public from the day of posting, years after the inspection."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.fda_published_483s import SOURCE

AS_OF = date(2022, 3, 31)
HEADER = "Record Date,FEI Number,Legal Name,Record Type,Date Posted,Download,Record ID"


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> Reading:
    path = tmp_path / "fda_483s.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return SOURCE.read([path], AS_OF)


def line(
    recorded: str = "2016-08-01",
    posted: str = "2022-03-08",
    fei: str = "3000000001",
    record: str = "1",
) -> str:
    return f'{recorded},{fei},"Velmora Labs, Inc.",483,{posted},https://x.example/{record},{record}'


def test_a_record_is_public_when_posted(tmp_path: Path) -> None:
    table = read(tmp_path, line()).tables["published_483s"]
    assert table["event_date"].tolist() == [pd.Timestamp(2016, 8, 1)]
    assert table["published_at"].tolist() == [pd.Timestamp(2022, 3, 8)]


def test_a_record_without_a_date_or_number_of_its_own_is_kept(tmp_path: Path) -> None:
    reading = read(tmp_path, line(recorded="", fei=""))
    table = reading.tables["published_483s"]
    assert table["event_date"].isna().all()
    assert table["fei_number"].isna().all()
    assert table["published_at"].notna().all()
    assert reading.rejects.empty


def test_what_stands_wrongly_in_a_column_is_left_empty_and_noted(tmp_path: Path) -> None:
    reading = read(tmp_path, line(fei="Velmora Labs"), line(recorded="2108-08-01", record="2"))
    assert len(reading.tables["published_483s"]) == 2
    assert reading.rejects[["row", "column", "value"]].to_numpy().tolist() == [
        [1, "FEI Number", "Velmora Labs"],
        [2, "Record Date", "2108-08-01"],
    ]


@pytest.mark.parametrize("posted", ["", "2108-03-08", "2022-04-01"])
def test_a_record_without_a_day_of_posting_goes_to_quarantine(tmp_path: Path, posted: str) -> None:
    reading = read(tmp_path, line(record="1"), line(record="2", posted=posted))
    assert reading.tables["published_483s"]["record_id"].tolist() == ["1"]
    assert reading.rejects[["row", "column"]].to_numpy().tolist() == [[2, "Date Posted"]]


def test_another_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Date Posted"):
        read(tmp_path, "1,2", header="Record Date,FEI Number")


@pytest.mark.records
def test_the_real_list_is_read_whole(records_dir: Path) -> None:
    path = records_dir / "fda_published_483s/2024-05-31/fda_483s.csv"
    reading = SOURCE.read([path], date(2024, 5, 31))
    table = reading.tables["published_483s"]
    assert len(table) == 1_723  # MANIFEST.csv
    assert table["record_id"].is_unique
    assert table["event_date"].isna().sum() == 19
    # A firm's name and twice a number of eleven digits stand in the FEI column.
    assert reading.rejects["column"].tolist() == ["FEI Number"] * 3
    lag = (table["published_at"] - table["event_date"]).dt.days
    assert lag.median() == 2_459  # SOURCES.md
    assert lag.min() >= 0
