"""Warning letters: public from the day they were posted."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.fda_warning_letters import SOURCE

AS_OF = date(2022, 3, 31)
HEADER = "url,posted_date,letter_date,company,issuing_office,subject"


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> Reading:
    path = tmp_path / "warning_letters.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return SOURCE.read([path], AS_OF)


def line(
    posted: str = "03/08/2022",
    written: str = "02/24/2022",
    url: str = "/letters/velmora-labs-inc-600001-02242022",
) -> str:
    return f'{url},{posted},{written},"Velmora Labs, Inc.",,CGMP/Finished Pharmaceuticals'


def test_a_letter_is_public_when_posted_not_when_written(tmp_path: Path) -> None:
    table = read(tmp_path, line()).tables["warning_letters"]
    assert table["published_at"].tolist() == [pd.Timestamp(2022, 3, 8)]
    assert table["event_date"].tolist() == [pd.Timestamp(2022, 2, 24)]
    assert table["issuing_office"].isna().all()
    assert table["company"].tolist() == ["Velmora Labs, Inc."]


def test_a_letter_posted_before_it_was_written_counts_from_its_own_date(tmp_path: Path) -> None:
    table = read(tmp_path, line(posted="02/01/2022")).tables["warning_letters"]
    assert table["published_at"].tolist() == [pd.Timestamp(2022, 2, 24)]
    assert table["posted_date"].tolist() == [pd.Timestamp(2022, 2, 1)]


@pytest.mark.parametrize(
    ("url", "case"),
    [
        ("/letters/velmora-labs-inc-600001-02242022", "600001"),
        ("https://www.fda.gov/letters/velmora-600001-02242022-0", "600001"),
        ("/letters/velmora-600001-velmora-llc", None),
        ("/letters/velmora-02242022", None),
    ],
)
def test_the_case_number_is_read_from_the_address(
    tmp_path: Path, url: str, case: str | None
) -> None:
    table = read(tmp_path, line(url=url)).tables["warning_letters"]
    assert table["case_id"].dropna().tolist() == ([case] if case else [])
    assert table["url"].str.startswith("https://www.fda.gov/letters/velmora").all()


@pytest.mark.parametrize("posted", ["", "13/13/2021", "03/08/2108", "04/01/2022"])
def test_a_letter_without_a_day_of_posting_goes_to_quarantine(tmp_path: Path, posted: str) -> None:
    good = line(url="/letters/ostrun-600002-01012022")
    reading = read(tmp_path, good, line(posted=posted))
    assert reading.tables["warning_letters"]["case_id"].tolist() == ["600002"]
    assert reading.rejects[["row", "column"]].to_numpy().tolist() == [[2, "posted_date"]]


def test_a_bad_letter_date_is_left_empty_and_noted(tmp_path: Path) -> None:
    reading = read(tmp_path, line(written="02/24/2202"))
    table = reading.tables["warning_letters"]
    assert table["event_date"].isna().all()
    assert table["published_at"].tolist() == [pd.Timestamp(2022, 3, 8)]
    assert reading.rejects["value"].tolist() == ["02/24/2202"]


def test_the_header_of_the_fdas_own_download_is_read(tmp_path: Path) -> None:
    header = "Posted Date,Letter Issue Date,Company Name,Issuing Office,Subject,Link"
    row = "03/08/2022,02/24/2022,Velmora,CDER,CGMP,/letters/velmora-600001-02242022"
    table = read(tmp_path, row, header=header).tables["warning_letters"]
    assert table["case_id"].tolist() == ["600001"]
    assert table["published_at"].tolist() == [pd.Timestamp(2022, 3, 8)]


def test_a_web_page_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "warning_letters.csv"
    path.write_bytes(b"\n<html><head><title>Warning Letters</title></head></html>")
    with pytest.raises(SourceError, match="HTML page"):
        SOURCE.read([path], AS_OF)


@pytest.mark.records
def test_the_real_list_is_read_whole(records_dir: Path) -> None:
    path = records_dir / "fda_warning_letters/2026-03-17/warning_letters.csv"
    reading = SOURCE.read([path], date(2026, 3, 17))
    table = reading.tables["warning_letters"]
    assert len(table) == 3_374  # MANIFEST.csv
    assert reading.rejects.empty
    assert table["url"].is_unique
    assert (table["published_at"] >= table["event_date"]).all()
    assert (table["posted_date"] < table["letter_date"]).sum() == 2  # as the caveat says
    lag = (table["posted_date"] - table["letter_date"]).dt.days
    assert lag.median() == 8  # SOURCES.md
    assert table["case_id"].isna().mean() < 0.03
