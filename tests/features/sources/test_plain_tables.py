"""The fast reader of large tables gives what the slow one gives, and loses no record."""

from __future__ import annotations

import pandas as pd
import pytest

from shortcast.features.sources._plain_tables import nullable, read_plain
from shortcast.features.sources.contract import SourceError
from shortcast.features.sources.tables import read_csv

HEADER = b"code\tname\tnote\n"


def test_records_come_out_as_the_slow_reader_gives_them() -> None:
    raw = (
        b'code,name,note\n1," Velmoril,\xc2\xa0 oral ",a\n\n2,"two\nlines",""\n3,short\n'
        b'4,"said ""so""",  b\t b \n,,\n5,wide,c,,\n'
    )
    fast, bad = read_plain(raw, "table.csv", delimiter=",", quoted=True)
    slow = read_csv(raw, "table.csv").drop(columns="field_count")
    assert bad.empty
    assert fast["name"].tolist() == ["Velmoril, oral", "two lines", "short", 'said "so"', "wide"]
    pd.testing.assert_frame_equal(fast, slow, check_dtype=False)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_is_a_line_end(end: bytes) -> None:
    raw = (HEADER + b"1\tAldrin\t\n2\tBeltrin\tx\n").replace(b"\n", end)
    frame, _ = read_plain(raw, "table.txt", delimiter="\t")
    assert frame.to_numpy().tolist() == [["1", "Aldrin", "", 1], ["2", "Beltrin", "x", 2]]


def test_a_stray_carriage_return_stays_inside_its_field() -> None:
    frame, _ = read_plain(HEADER + b"1\tAl\rdrin\tx\n", "table.txt", delimiter="\t")
    assert frame["name"].tolist() == ["Al drin"]


def test_quotes_are_text_where_the_file_does_not_quote() -> None:
    raw = HEADER + b'1\t"Aldrin\tx\n2\tBel "mild"\ty"\n'
    frame, _ = read_plain(raw, "table.txt", delimiter="\t")
    assert frame["name"].tolist() == ['"Aldrin', 'Bel "mild"']


def test_utf8_and_cp1252_may_stand_in_one_file() -> None:
    raw = b"\xef\xbb\xbf" + HEADER + "1\tMüller\t\n".encode() + "2\tBéta\t\n".encode("cp1252")
    frame, _ = read_plain(raw, "table.txt", delimiter="\t")
    assert frame["name"].tolist() == ["Müller", "Béta"]
    assert frame.columns[0] == "code"


def test_a_record_with_a_field_too_many_goes_to_quarantine_with_its_number() -> None:
    # More than Arrow's block of one megabyte, so that numbers must hold across blocks.
    rows = [b"%d\tAldrin of many words\tnote\n" % n for n in range(1, 60_001)]
    rows[49_999] = b"50000\tAldrin\tnote\textra\n"
    rows[54_999] = b"55000\tBeltrin\n"
    frame, bad = read_plain(HEADER + b"".join(rows), "table.txt", delimiter="\t")
    assert bad[["file", "row"]].to_numpy().tolist() == [["table.txt", 50_000]]
    assert "extra" in bad["value"].iloc[0]
    assert "3 columns" in bad["reason"].iloc[0]
    assert len(frame) == 59_999
    assert (frame["code"].astype(int) == frame["source_row"]).all()
    assert frame.loc[frame["source_row"] == 55_000, ["name", "note"]].to_numpy().tolist() == [
        ["Beltrin", ""]
    ]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"<!DOCTYPE html><html><body>Error</body></html>", "HTML page"),
        (HEADER, "no rows"),
        (HEADER + b"\t\t\n", "no rows"),
        (b"code\tname\tcode\n1\tAldrin\t2\n", "names the column 'code' twice"),
    ],
)
def test_what_is_no_table_is_refused(raw: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says) as refusal:
        read_plain(raw, "table.txt", delimiter="\t")
    assert "table.txt" in str(refusal.value)


def test_blank_text_becomes_null_and_numbers_stay() -> None:
    frame = nullable(pd.DataFrame({"name": ["a", ""], "count": [0, 1]}))
    assert frame["name"].isna().tolist() == [False, True]
    assert frame["count"].tolist() == [0, 1]
