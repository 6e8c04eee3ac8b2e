"""The shortage list from openFDA: the same two tables, from JSON."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from shortcast.features.sources import registry
from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.openfda_shortages import SOURCE

AS_OF = date(2026, 3, 31)
RECORD: dict[str, Any] = {
    "package_ndc": "99901-001-01",
    "generic_name": "Velmorine  Hydrochloride Injection",
    "company_name": "Ostrava Labs",
    "contact_info": "555-0100",
    "presentation": "Velmorine, Injection, 10 mg/1 mL (NDC 99901-001-01)",
    "update_type": "Revised",
    "availability": "Limited Availability",
    "shortage_reason": "Demand increase",
    "therapeutic_category": ["Anesthesia", "Neurology"],
    "dosage_form": "Injection",
    "strength": ["10 mg/1 mL"],
    "status": "Current",
    "update_date": "02/10/2026",
    "initial_posting_date": "06/15/2023",
    "openfda": {
        "application_number": ["ANDA099901", "ANDA099902"],
        "rxcui": ["990001"],
    },
}


def record(**values: Any) -> dict[str, Any]:
    return {**RECORD, **values}


def whole(*records: Any) -> dict[str, Any]:
    return {"meta": {"last_updated": "2026-03-31"}, "results": list(records)}


def read_raw(tmp_path: Path, raw: bytes, name: str = "drug-shortages.json") -> Reading:
    path = tmp_path / name
    path.write_bytes(raw)
    return SOURCE.read([path], AS_OF)


def read(tmp_path: Path, *records: Any) -> Reading:
    return read_raw(tmp_path, json.dumps(whole(*records)).encode())


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        for name, raw in members.items():
            bundle.writestr(name, raw)
    return out.getvalue()


def test_it_feeds_the_same_tables_as_the_csv_export() -> None:
    assert SOURCE.tables == registry()["fda_shortages"].tables


def test_a_record_becomes_a_posting_and_a_listing(tmp_path: Path) -> None:
    reading = read(tmp_path, record())
    listing = reading.tables["shortage_listings"].iloc[0]
    assert listing["generic_name"] == "Velmorine Hydrochloride Injection"
    assert listing["package_ndc"] == "99901-001-01"
    assert listing["reason"] == "Demand increase"
    assert listing["reason_category"] == "Demand increase for the drug"
    assert listing["therapeutic_category"] == "Anesthesia;Neurology"
    assert listing["strength"] == "10 mg/1 mL"
    assert listing["openfda_application_number"] == "ANDA099901;ANDA099902"
    assert pd.isna(listing["openfda_brand_name"])
    assert listing["published_at"] == pd.Timestamp("2026-02-10")
    posting = reading.tables["shortage_postings"].iloc[0]
    assert posting["posted_as"] == "Current"
    assert posting["package_ndc"] == "99901-001-01"
    assert posting["published_at"] == pd.Timestamp("2023-06-15")
    assert reading.rejects.empty


def test_the_openfda_block_may_be_missing(tmp_path: Path) -> None:
    bare = record()
    del bare["openfda"]
    table = read(tmp_path, bare, record(openfda={})).tables["shortage_listings"]
    assert table["openfda_application_number"].isna().all()


def test_the_openfda_block_alone_makes_no_new_version() -> None:
    listings = next(t for t in SOURCE.tables if t.name == "shortage_listings")
    block = [c for c in listings.columns if c.name.startswith("openfda_")]
    assert block
    assert all(c.volatile for c in block)


@pytest.mark.parametrize("written", ["06/15/2023", "20230615", "2023-06-15"])
def test_each_way_of_writing_a_date_is_read(tmp_path: Path, written: str) -> None:
    reading = read(tmp_path, record(initial_posting_date=written))
    assert reading.tables["shortage_postings"]["event_date"].tolist() == [
        pd.Timestamp("2023-06-15")
    ]


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.json", lambda raw: raw),
        ("a.json.gz", gzip.compress),
        ("a.json.zip", lambda raw: zipped({"part.json": raw})),
    ],
)
@pytest.mark.parametrize("bare", [True, False], ids=["bare list", "results"])
def test_plain_gzipped_zipped_and_bare_files_read_the_same(
    tmp_path: Path, name: str, pack: Any, bare: bool
) -> None:
    content = [record()] if bare else whole(record())
    reading = read_raw(tmp_path, pack(json.dumps(content).encode()), name)
    assert reading.tables["shortage_listings"]["company_name"].tolist() == ["Ostrava Labs"]
    assert reading.tables["shortage_listings"]["source_file"].tolist() == [name]


def test_bad_records_stand_in_quarantine(tmp_path: Path) -> None:
    reading = read(tmp_path, "no record", record(), record(status=""), record(generic_name=None))
    assert reading.tables["shortage_listings"]["source_row"].tolist() == [2]
    assert reading.rejects["row"].tolist() == [1, 3, 4]
    assert reading.rejects["value"].tolist()[0] == "no record"


@pytest.mark.parametrize(
    ("name", "raw", "told"),
    [
        ("a.json", b"", "is empty"),
        ("a.json", b"<html><body>Bad gateway</body></html>", "HTML page"),
        ("a.json", json.dumps(whole(RECORD)).encode()[:-30], "not whole JSON"),
        ("a.json", b'{"error": {"code": "NOT_FOUND"}}', "no list of 'results'"),
        ("a.json", b'{"results": []}', "no list of 'results'"),
        ("a.json", b'"text"', "no list of 'results'"),
        ("a.json", b'{"results": [{"recall_number": "D-1"}]}', "lacks the column"),
        ("a.json.zip", zipped({"a.json": b"[]", "b.json": b"[]"}), "2 JSON files"),
        ("a.json.zip", zipped({"a.json": b"[]"})[:-30], "not a whole zip"),
        ("a.json.gz", gzip.compress(b'{"results": []}')[:-9], "cut short"),
    ],
    # Packed bytes hold the time, and a test's name must be the same in every worker.
    ids=[
        "empty",
        "a page",
        "cut JSON",
        "an error",
        "no results",
        "a text",
        "another list",
        "two files",
        "cut zip",
        "cut gzip",
    ],
)
def test_a_file_that_is_not_the_list_is_refused_whole(
    tmp_path: Path, name: str, raw: bytes, told: str
) -> None:
    with pytest.raises(SourceError, match=told) as refusal:
        read_raw(tmp_path, raw, name)
    assert name in str(refusal.value)


@pytest.mark.records
def test_no_record_of_the_real_sample_is_lost(records_dir: Path) -> None:
    folder = records_dir / "openfda_shortages" / "2026-06-19"
    reading = SOURCE.read(sorted(folder.iterdir()), date(2026, 6, 19))
    listings = reading.tables["shortage_listings"]
    postings = reading.tables["shortage_postings"]
    assert len(listings) == len(postings) == 250
    assert reading.rejects.empty
    assert listings["package_ndc"].str.fullmatch(r"\d{4,5}-\d{3,4}-\d{1,2}").all()
    assert listings["openfda_application_number"].notna().sum() == 237
    assert postings["event_date"].max() <= pd.Timestamp("2022-06-30")
    assert listings["published_at"].notna().all()
