"""openFDA's NDC directory: products and packages of their own, with RxNorm's concepts."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tiny_records import openfda, openfda_product, zipped

from shortcast.features.sources import registry
from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.openfda_ndc import SOURCE

AS_OF = date(2022, 3, 31)
NAME = "drug-ndc-0001-of-0001.json"


def product(ndc: str = "99901-101", **fields: Any) -> dict[str, Any]:
    return openfda_product(ndc, "velmoril", **fields)


def release(*records: Any) -> bytes:
    return zipped({NAME: openfda(records)})


def read(tmp_path: Path, *records: Any) -> Reading:
    path = tmp_path / f"{NAME}.zip"
    path.write_bytes(release(*records))
    return SOURCE.read([path], AS_OF)


def test_a_record_becomes_a_product_and_its_packages(tmp_path: Path) -> None:
    packages = [
        {"package_ndc": "99901-101-30", "description": "30 in 1 BOTTLE", "sample": True},
        {
            "package_ndc": "99901-101-90",
            "marketing_start_date": "20130101",
            "marketing_end_date": "20301231",
        },
    ]
    ingredients = [{"name": "VELMORIL", "strength": "5 mg/1"}, {"name": "TALVERINE"}]
    reading = read(
        tmp_path, product("99900-001"), product(packaging=packages, active_ingredients=ingredients)
    )
    table = reading.tables["openfda_products"]
    second = table.iloc[1]
    assert second["active_ingredients"] == "VELMORIL|TALVERINE"
    assert second["active_strengths"] == "5 mg/1|"
    assert second["finished"]
    assert second["marketing_start_date"] == pd.Timestamp(2012, 6, 1)
    assert table["source_row"].tolist() == [1, 2]
    found = reading.tables["openfda_packages"]
    assert found["package_ndc"].tolist() == ["99900-001-01", "99901-101-30", "99901-101-90"]
    assert found["product_ndc"].tolist() == ["99900-001", "99901-101", "99901-101"]
    assert found["source_row"].tolist() == [1, 2, 2]
    assert found["is_sample"].tolist()[:2] == [False, True]
    assert pd.isna(found["is_sample"][2])
    assert found["marketing_end_date"].tolist()[2] == pd.Timestamp(2030, 12, 31)
    assert reading.rejects.empty


def test_concepts_of_rxnorm_stand_in_the_block_which_makes_no_new_version(tmp_path: Path) -> None:
    block = {"rxcui": ["99000001", "99000002"], "is_original_packager": [True]}
    table = read(
        tmp_path, product(openfda=block), product("99901-102", openfda={}), product("99901-103")
    ).tables["openfda_products"]
    assert table["rxcui"].tolist()[0] == "99000001|99000002"
    assert table["rxcui"].isna().tolist() == [False, True, False]
    assert table["is_original_packager"].tolist()[0] == "True"
    volatile = {c.name for c in SOURCE.tables[0].columns if c.volatile}
    assert {"rxcui", "unii", "manufacturer_name", "spl_set_id", "product_id"} <= volatile
    assert not {"application_number", "marketing_end_date", "labeler_name"} & volatile


def test_rows_are_known_when_they_are_seen_and_gone_when_they_are_not(tmp_path: Path) -> None:
    tables = read(tmp_path, product()).tables
    for table in SOURCE.tables:
        assert table.is_list
        assert table.assumed_lag_days is None
        assert "published_at" not in tables[table.name]
    assert tables["openfda_products"]["event_date"].tolist() == [pd.Timestamp(2012, 6, 1)]


def test_no_other_source_feeds_its_tables() -> None:
    names = {table.name for table in SOURCE.tables}
    others = {t.name for s in registry().values() if s.name != SOURCE.name for t in s.tables}
    assert not names & others


@pytest.mark.parametrize(
    "bad", ["no record", product("99901101"), product(ndc="", packaging=None), product("9-1")]
)
def test_a_product_without_a_proper_number_goes_to_quarantine_with_its_packages(
    tmp_path: Path, bad: Any
) -> None:
    reading = read(tmp_path, product(), bad)
    assert {len(table) for table in reading.tables.values()} == {1}
    assert set(reading.rejects["row"]) == {2}
    assert "product_ndc" in set(reading.rejects["column"])


def test_a_package_without_a_proper_number_is_left_out_alone(tmp_path: Path) -> None:
    reading = read(tmp_path, product(packaging=[{"package_ndc": "1"}, "no package"]))
    assert len(reading.tables["openfda_products"]) == 1
    assert reading.tables["openfda_packages"].empty
    assert reading.rejects[["row", "column", "value"]].to_numpy().tolist() == [
        [1, "package_ndc", "1"]
    ]


def test_a_date_that_cannot_be_is_emptied_and_the_product_kept(tmp_path: Path) -> None:
    ends = ["20301231", "30310101", "soon", "19000101"]
    reading = read(
        tmp_path,
        *(product(f"99901-10{n}", marketing_end_date=day) for n, day in enumerate(ends)),
    )
    days = reading.tables["openfda_products"]["marketing_end_date"]
    assert days.notna().tolist() == [True, False, False, False]
    assert reading.rejects["value"].tolist() == ends[1:]
    assert set(reading.rejects["column"]) == {"marketing_end_date"}


@pytest.mark.parametrize("name", [NAME, f"{NAME}.gz"])
def test_plain_and_gzipped_files_are_read(tmp_path: Path, name: str) -> None:
    raw = openfda([product()])
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    assert len(SOURCE.read([path], AS_OF).tables["openfda_products"]) == 1


def test_a_release_in_parts_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    paths = [tmp_path / f"drug-ndc-000{part}-of-0002.json" for part in (1, 2)]
    for number, path in enumerate(paths, start=1):
        raw = openfda([product(f"99901-10{number}")]).replace(b'"total": 1', b'"total": 2')
        path.write_bytes(raw)
    tables = SOURCE.read(paths, AS_OF).tables
    assert tables["openfda_products"]["product_ndc"].tolist() == ["99901-101", "99901-102"]
    assert tables["openfda_packages"]["source_file"].tolist() == [path.name for path in paths]
    with pytest.raises(SourceError, match="number 2 is missing"):
        SOURCE.read(paths[:1], AS_OF)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (release(product())[:-30], "not a whole zip"),
        (b"", "not a whole zip"),
        (zipped({NAME: b""}), "empty"),
        (zipped({NAME: b"<html><body>Service unavailable</body></html>"}), "HTML"),
        (zipped({NAME: openfda([product()])[:-5]}), "not whole JSON"),
        (zipped({NAME: b'{"error": {"code": "NOT_FOUND"}}'}), "no list 'results'"),
        (release(), "no record"),
        (zipped({NAME: openfda([product()]).replace(b'l": 1', b'l": 9')}), "1 of 9 records"),
        (release({"product_ndc": "99901-101"}), "product_id.*drug/ndc"),
        (zipped({"readme.txt": b"x"}), "0 JSON files"),
    ],
    # Packed bytes differ from worker to worker, and a test's name must not.
    ids=["cut", "nothing", "blank", "a page", "cut JSON", "error", "none", "part", "other", "text"],
)
def test_what_is_no_release_is_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / f"{NAME}.zip"
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=message):
        SOURCE.read([path], AS_OF)
