"""What the sources share to read text: encodings, numbers, dates, the one file of a snapshot."""

from __future__ import annotations

import gzip
import zipfile
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from shortcast.features.sources import tables
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


# --- Packed files that unpack to more than a table does ------------------------------------------


def test_a_packed_file_that_is_made_to_fill_the_memory_is_refused(tmp_path: Path) -> None:
    """It packs to a thousandth; no table does."""
    much = bytes(34 << 20)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(much, 1))
    with pytest.raises(SourceError, match=r"a.csv.gz has .* and unpacks to more than .*fetch it"):
        tables.read_bytes(tmp_path / "a.csv.gz")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        bundle.writestr("small.txt", "small")
        bundle.writestr("large.txt", much)
    with pytest.raises(SourceError, match=r"a.zip has .* and unpacks to more than .*fetch it"):
        tables.read_zip(tmp_path / "a.zip")
    assert tables.read_zip(tmp_path / "a.zip", only="small.txt") == {"small.txt": b"small"}


def test_a_large_file_may_unpack_to_much_and_none_to_everything() -> None:
    assert tables.most_unpacked(100) == 32 << 20
    assert tables.most_unpacked(1_000_000) == 200_000_000
    assert tables.most_unpacked(100_000_000) == 1 << 30


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("a.txt", "a")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x03\x04") + 6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=r"a.zip is not a whole zip file \(.*encrypted.*fetch it"):
        tables.read_zip(path)


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_zip_with_flipped_bytes_in_a_member_or_in_its_name_is_refused(
    tmp_path: Path, packing: int
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", packing) as bundle:
        bundle.writestr("\u00e9.txt", "".join(map(str, range(5000))))
    raw = path.read_bytes()
    middle = len(raw) // 2
    for spoilt in (
        raw[:middle] + bytes(b ^ 0xFF for b in raw[middle : middle + 16]) + raw[middle + 16 :],
        raw.replace("\u00e9".encode(), b"\xc3\xff"),
    ):
        path.write_bytes(spoilt)
        with pytest.raises(SourceError, match=r"^a.zip is not a whole zip file \(.*; fetch it ag"):
            tables.read_zip(path)
