"""What the FDA's exports share: header styles, FEI and DUNS numbers, broken records."""

from __future__ import annotations

import gzip
import zlib
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources._fda_exports import (
    blank_to_null,
    dates,
    duns_numbers,
    fei_numbers,
    only_file,
    pick_columns,
    read_csv_export,
)
from shortcast.features.sources.contract import SourceError

FIELDS = {"fei_number": ("FEI Number",), "ended": ("Inspection End Date", "Date Ended")}


@pytest.mark.parametrize(
    "header",
    [
        ["FEI Number", "Inspection End Date"],
        ["FEINumber", "InspectionEndDate"],
        ["fei_number", "inspection_end_date"],
        ["FEI NUMBER", "Date Ended"],
    ],
)
def test_a_column_is_found_under_every_style_of_its_name(header: list[str]) -> None:
    frame = pick_columns(pd.DataFrame([["1", "2"]], columns=header), "x.csv", FIELDS)
    assert frame.to_dict("list") == {"fei_number": ["1"], "ended": ["2"]}


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    frame = pd.DataFrame([["1", "2"]], columns=["FEI Number", "Colour"])
    with pytest.raises(SourceError, match=r"x\.csv lacks .*Inspection End Date;.*Colour"):
        pick_columns(frame, "x.csv", FIELDS)


def test_a_column_that_is_there_twice_is_refused() -> None:
    frame = pd.DataFrame([["1", "2", "3"]], columns=["FEI Number", "FEI_NUMBER", "Date Ended"])
    with pytest.raises(SourceError, match=r"FEI Number 2 times"):
        pick_columns(frame, "x.csv", FIELDS)


def test_an_optional_column_that_is_absent_is_empty() -> None:
    frame = pd.DataFrame([["1", "2"]], columns=["FEI Number", "Date Ended"])
    picked = pick_columns(frame, "x.csv", FIELDS, {"city": ("City",)})
    assert picked["city"].tolist() == [""]


def test_fei_numbers_get_one_form() -> None:
    values = pd.Series(["0001234567", "3001234567", " 300-123-4567 ", "", "-", "0000000", "77"])
    numbers, bad = fei_numbers(values)
    assert numbers.dropna().tolist() == ["1234567", "3001234567", "3001234567", "77"]
    assert numbers.isna().tolist() == [False, False, False, True, True, True, False]
    assert not bad.any()


def test_text_and_numbers_too_long_are_no_fei_numbers() -> None:
    numbers, bad = fei_numbers(pd.Series(["Firm 12, Inc.", "30011223344", "3001122334"]))
    assert bad.tolist() == [True, True, False]
    assert numbers.isna().tolist() == [True, True, False]


def test_duns_numbers_keep_nine_digits() -> None:
    numbers, bad = duns_numbers(pd.Series(["001234567", "1234567", "00-123-4567", "000000000", ""]))
    assert numbers.dropna().tolist() == ["001234567"] * 3
    assert numbers.isna().tolist() == [False, False, False, True, True]
    assert not bad.any()


def test_a_hyphen_alone_is_nothing() -> None:
    values = blank_to_null(pd.Series(["-", "", " ", "Baden-Baden"]))
    assert values.dropna().tolist() == ["Baden-Baden"]
    assert values.isna().sum() == 3


def test_dates_are_iso_or_american_and_never_in_the_future() -> None:
    text = pd.Series(["2020-05-31", "5/31/2020", "2108-01-01", "2020-06-01", "31/05/2020", ""])
    parsed, bad = dates(text, date(2020, 5, 31))
    assert parsed.dropna().unique().tolist() == [pd.Timestamp(2020, 5, 31)]
    assert bad.tolist() == [False, False, True, True, True, False]


def test_a_record_of_the_wrong_width_goes_to_quarantine(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("FEI Number,Date Ended\n1,2020-01-01\n2,a, b\n3\n4,2020-01-02\n", "utf-8")
    frame, quarantine = read_csv_export(path, FIELDS)
    assert frame["source_row"].tolist() == [1, 4]
    assert quarantine[0]["row"].tolist() == [2, 3]
    assert quarantine[0]["value"].tolist() == ["3", "1"]


def test_two_files_in_one_snapshot_are_refused() -> None:
    with pytest.raises(SourceError, match=r"2 \(a\.csv, b\.csv\)"):
        only_file([Path("a.csv"), Path("b.csv")], "some_source")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "HTML"),
        (b"FEI Number,Date Ended\n", "no rows"),
        (b"Colour,Shape\nred,round\n", "lacks the column"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=message):
        read_csv_export(path, FIELDS)


def packed() -> bytes:
    """An export of 500 records, gzipped."""
    rows = "".join(f"{n * 7919 % 100003},2020-01-{n % 28 + 1:02}\n" for n in range(500))
    return gzip.compress(f"FEI Number,Date Ended\n{rows}".encode(), mtime=0)


def flipped(raw: bytes, at: int) -> bytes:
    """The same with all bits of sixteen bytes turned round."""
    return raw[:at] + bytes(byte ^ 0xFF for byte in raw[at : at + 16]) + raw[at + 16 :]


@pytest.mark.parametrize(
    ("spoilt", "fault"),
    [
        (packed()[: len(packed()) // 2], EOFError),
        (flipped(packed(), 1000), zlib.error),
        (packed()[:10] + b"\xff" * 8 + packed()[18:], zlib.error),
        (packed()[:-8] + b"\x00" * 8, gzip.BadGzipFile),
    ],
    ids=["cut short", "flipped in its middle", "flipped at its start", "another checksum"],
)
def test_a_damaged_gzip_is_refused_in_one_sentence(
    tmp_path: Path, spoilt: bytes, fault: type[Exception]
) -> None:
    path = tmp_path / "inspections.csv.gz"
    path.write_bytes(packed())
    assert len(read_csv_export(path, FIELDS)[0]) == 500
    with pytest.raises(fault):
        gzip.decompress(spoilt)
    path.write_bytes(spoilt)
    with pytest.raises(SourceError) as refusal:
        read_csv_export(path, FIELDS)
    said = str(refusal.value)
    assert said.startswith("inspections.csv.gz is damaged or cut short (")
    assert said.endswith("); fetch it again.")
    assert "\n" not in said


def test_cp1252_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("FEI Number,Date Ended\n1,Münster\n".encode("cp1252"))
    frame, _ = read_csv_export(path, FIELDS)
    assert frame["ended"].tolist() == ["Münster"]
