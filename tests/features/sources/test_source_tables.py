"""What the sources share to read text: encodings, numbers, dates, the one file of a snapshot."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources.contract import SourceError
from shortcast.features.sources.tables import decode, parse_dates, parse_numbers, single_file


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Müller – 5 µg".encode(), "Müller – 5 µg"),
        ("Müller – 5 µg".encode("cp1252"), "Müller – 5 µg"),
        (b"\xef\xbb\xbfname", "name"),
        ("Müller,".encode() + "Béta".encode("cp1252") + ",Çelik".encode(), "Müller,Béta,Çelik"),
        # 0x81 is no character in either encoding: it costs one mark, not the file.
        (b"a\x81b", "a\ufffdb"),
        ("cut \u2013".encode()[:-1], "cut â€"),
    ],
)
def test_each_byte_is_read_in_the_encoding_it_fits(raw: bytes, text: str) -> None:
    assert decode(raw, "table.csv") == text


def test_numbers_come_with_signs_and_separators_or_not_at_all() -> None:
    numbers, bad = parse_numbers(
        pd.Series(["$1,234.50", "-2", "", "NA", "N/A", "ask", "inf", "nan"])
    )
    assert numbers.tolist()[:2] == [1234.5, -2.0]
    assert numbers[2:].isna().all()
    assert bad.tolist() == [False] * 5 + [True] * 3


def test_dates_keep_their_rows_when_they_repeat() -> None:
    text = pd.Series(
        ["01/02/2020", "", "2020-01-02", "01/02/2108", "01/02/2020", "soon", "12/31/1899"],
        index=range(10, 17),
    )
    days, bad = parse_dates(text, ["%m/%d/%Y", "%Y-%m-%d"], latest=date(2020, 12, 31))
    day = pd.Timestamp(2020, 1, 2)
    assert days.tolist() == [day, pd.NaT, day, pd.NaT, day, pd.NaT, pd.NaT]
    assert bad.tolist() == [False, False, False, True, False, True, True]
    assert days.index.equals(text.index)
    assert bad.index.equals(text.index)


def test_a_snapshot_of_one_file_holds_one_file() -> None:
    assert single_file([Path("a/data.ZIP"), Path("a/note.txt")], ".zip", "the list").name == (
        "data.ZIP"
    )
    for names in ([], ["note.txt"], ["a.zip", "b.zip"]):
        with pytest.raises(SourceError, match=r"A snapshot of the list .*ends in \.zip"):
            single_file([Path(name) for name in names], ".zip", "the list")
