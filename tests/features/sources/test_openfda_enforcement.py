"""Recalls of openFDA: when each became public, and what may ride on that date."""

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

from shortcast.features.sources.contract import Reading, SourceError
from shortcast.features.sources.openfda_enforcement import SOURCE

AS_OF = date(2022, 3, 31)
NAME = "drug-enforcement-0001-of-0001.json"


def record(**changes: Any) -> dict[str, Any]:
    return {
        "recall_number": "D-0001-2021",
        "event_id": "80001",
        "recalling_firm": "Velmora Labs, Inc.",
        "city": "Fenwick",
        "classification": "Class II",
        "product_type": "Drugs",
        "product_description": "Ostrumab  Injection,\n 10 mg,  NDC 99999-001-01",
        "code_info": "Lot 1",
        "more_code_info": None,
        "reason_for_recall": "Lack of Assurance of Sterility",
        "recall_initiation_date": "20210105",
        "center_classification_date": "20210301",
        "report_date": "20210310",
        "status": "Ongoing",
        "voluntary_mandated": "Voluntary: Firm Initiated",
        "openfda": {},
        **changes,
    }


def payload(*records: Any, total: int | None = None) -> bytes:
    meta = {"results": {"skip": 0, "limit": len(records), "total": total or len(records)}}
    return json.dumps({"meta": meta, "results": list(records)}).encode()


def zipped(raw: bytes, name: str = NAME) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(name, raw)
    return buffer.getvalue()


def read(tmp_path: Path, *records: Any) -> Reading:
    path = tmp_path / f"{NAME}.zip"
    path.write_bytes(zipped(payload(*records)))
    return SOURCE.read([path], AS_OF)


def refuse(tmp_path: Path, raw: bytes, message: str, name: str = f"{NAME}.zip") -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=message):
        SOURCE.read([path], AS_OF)


def test_a_recall_is_public_from_its_report_not_from_its_beginning(tmp_path: Path) -> None:
    table = read(tmp_path, record()).tables["recalls"]
    assert table["event_date"].tolist() == [pd.Timestamp(2021, 1, 5)]
    assert table["published_at"].tolist() == [pd.Timestamp(2021, 3, 10)]


def test_a_class_decided_after_the_report_was_not_in_the_report(tmp_path: Path) -> None:
    late = record(center_classification_date="20210520", classification="Class I")
    table = read(tmp_path, late).tables["recalls"]
    assert table["published_at"].tolist() == [pd.Timestamp(2021, 5, 20)]
    assert table["report_date"].tolist() == [pd.Timestamp(2021, 3, 10)]


def test_a_recall_not_yet_classified_is_public_from_its_report(tmp_path: Path) -> None:
    early = record(
        recall_number="", classification="Not Yet Classified", center_classification_date=None
    )
    table = read(tmp_path, early).tables["recalls"]
    assert table["published_at"].tolist() == [pd.Timestamp(2021, 3, 10)]
    assert table["recall_number"].isna().all()
    assert table["classification"].tolist() == ["Not Yet Classified"]


def test_what_changes_later_is_known_only_when_it_is_seen(tmp_path: Path) -> None:
    reading = read(tmp_path, record(status="Terminated", termination_date="20211231"))
    states = reading.tables["recall_states"]
    assert not {"event_date", "published_at"} & set(states.columns)
    assert states["status"].tolist() == ["Terminated"]
    assert states["termination_date"].tolist() == [pd.Timestamp(2021, 12, 31)]
    assert not {"status", "termination_date"} & set(reading.tables["recalls"].columns)
    assert SOURCE.tables[1].assumed_lag_days is None


def test_the_openfda_block_is_laid_out_flat_and_volatile(tmp_path: Path) -> None:
    block = {
        "product_ndc": ["99999-001", "99999-002"],
        "substance_name": ["OSTRUMAB"],
        "product_type": ["HUMAN PRESCRIPTION DRUG"],
    }
    table = read(tmp_path, record(openfda=block), record()).tables["recalls"]
    assert table["product_ndc"].tolist()[0] == "99999-001|99999-002"
    assert table["openfda_product_type"].tolist()[0] == "HUMAN PRESCRIPTION DRUG"
    assert table["product_type"].tolist() == ["Drugs", "Drugs"]
    assert table[["product_ndc", "substance_name"]].isna().to_numpy().tolist() == [
        [False, False],
        [True, True],
    ]
    assert table["route"].isna().all()
    volatile = {column.name for column in SOURCE.tables[0].columns if column.volatile}
    assert {"product_ndc", "package_ndc", "generic_name", "substance_name", "route"} <= volatile
    assert "product_description" not in volatile


def test_text_is_tidied_so_that_spelling_alone_makes_no_new_version(tmp_path: Path) -> None:
    table = read(tmp_path, record()).tables["recalls"]
    assert table["product_description"].tolist() == ["Ostrumab Injection, 10 mg, NDC 99999-001-01"]
    assert table["voluntary_mandated"].tolist() == ["Voluntary: Firm initiated"]
    assert table["more_code_info"].isna().all()
    assert table["state"].isna().all()


def test_rows_are_numbered_as_in_the_file(tmp_path: Path) -> None:
    reading = read(tmp_path, record(), record(report_date=""), record(recall_number="D-0003-2021"))
    assert reading.tables["recalls"]["source_row"].tolist() == [1, 3]
    assert reading.tables["recalls"]["source_file"].unique().tolist() == [f"{NAME}.zip"]
    assert reading.rejects["row"].tolist() == [2]


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        (record(report_date="21080310"), "report_date"),
        (record(report_date="20220401"), "report_date"),
        (record(report_date="soon"), "report_date"),
        (record(product_type="Devices"), "product_type"),
        (record(event_id=""), "event_id"),
        ("no record at all", "product_type"),
    ],
)
def test_an_unusable_record_goes_to_quarantine(tmp_path: Path, bad: Any, column: str) -> None:
    reading = read(tmp_path, record(), bad)
    assert len(reading.tables["recalls"]) == len(reading.tables["recall_states"]) == 1
    assert reading.rejects[["row", "column"]].to_numpy().tolist() == [[2, column]]


def test_a_bad_date_that_is_not_the_reports_costs_the_date_alone(tmp_path: Path) -> None:
    reading = read(tmp_path, record(recall_initiation_date="21080105"))
    assert reading.tables["recalls"]["event_date"].isna().all()
    assert reading.tables["recalls"]["published_at"].notna().all()
    assert reading.rejects["column"].tolist() == ["recall_initiation_date"]


def test_with_an_unreadable_day_of_classification_no_day_of_publication_is_claimed(
    tmp_path: Path,
) -> None:
    reading = read(tmp_path, record(center_classification_date="21080301"))
    assert reading.tables["recalls"]["published_at"].isna().all()


@pytest.mark.parametrize("name", [NAME, f"{NAME}.gz"])
def test_plain_and_gzipped_files_are_read(tmp_path: Path, name: str) -> None:
    raw = payload(record())
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    assert len(SOURCE.read([path], AS_OF).tables["recalls"]) == 1


def test_a_release_in_parts_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    paths = [tmp_path / f"drug-enforcement-000{part}-of-0002.json" for part in (1, 2)]
    for number, path in enumerate(paths, start=1):
        path.write_bytes(payload(record(recall_number=f"D-000{number}-2021"), total=2))
    table = SOURCE.read(paths, AS_OF).tables["recalls"]
    assert table["recall_number"].tolist() == ["D-0001-2021", "D-0002-2021"]
    assert table["source_file"].tolist() == [path.name for path in paths]
    with pytest.raises(SourceError, match="number 2 is missing"):
        SOURCE.read(paths[:1], AS_OF)


def test_one_page_of_an_answer_is_refused(tmp_path: Path) -> None:
    refuse(tmp_path, payload(record(), total=15_000), r"1 of 15,000 records", "page.json")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (zipped(payload(record()))[:-30], "not a whole zip"),
        (b"", "not a whole zip"),
        (zipped(b""), "empty"),
        (zipped(b"<html><body>Service unavailable</body></html>"), "HTML"),
        (zipped(payload(record())[:-5]), "not whole JSON"),
        (zipped(b'{"error": {"code": "NOT_FOUND"}}'), "no list 'results'"),
        (zipped(b"[1, 2]"), "no list 'results'"),
        (zipped(payload()), "no record"),
        (zipped(payload({"package_ndc": "99999-001-01"})), "recall_number.*drug/enforcement"),
        (zipped(b"x", name="readme.txt"), "0 JSON files"),
    ],
)
def test_what_is_no_release_is_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    refuse(tmp_path, raw, message)


@pytest.mark.records
@pytest.mark.parametrize(
    ("as_of", "rows", "late"),
    [
        ("2021-04-28", 12_504, 316),
        pytest.param("2023-08-05", 15_542, 410, marks=pytest.mark.slow),
    ],
)
def test_the_real_releases_are_read_whole(
    records_dir: Path, as_of: str, rows: int, late: int
) -> None:
    path = records_dir / "openfda_enforcement" / as_of / f"{NAME}.zip"
    reading = SOURCE.read([path], date.fromisoformat(as_of))
    recalls, states = reading.tables["recalls"], reading.tables["recall_states"]
    assert len(recalls) == len(states) == rows  # MANIFEST.csv
    assert reading.rejects.empty
    assert (recalls["published_at"] > recalls["report_date"]).sum() == late
    assert recalls["report_date"].min() == pd.Timestamp(2012, 6, 20)
    assert recalls["published_at"].max() <= pd.Timestamp(as_of)
    lag = (recalls["report_date"] - recalls["event_date"]).dt.days
    assert lag.min() >= 0
    assert 50 <= lag.median() <= 60  # SOURCES.md: 55
    assert 0.17 < recalls["product_ndc"].notna().mean() < 0.19  # SOURCES.md: 18 %
    assert set(recalls["classification"]) == {
        "Class I",
        "Class II",
        "Class III",
        "Not Yet Classified",
    }
