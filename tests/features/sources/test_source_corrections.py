"""Known errors at a source are corrected by data, and the correction can be seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from tiny_records import openfda, openfda_shortage

from shortcast.features.parse import count_records, reader_version
from shortcast.features.sources import corrections, registry
from shortcast.features.sources.corrections import Correction

AS_OF = date(2026, 6, 19)
SOURCE = registry()["openfda_shortages"]
WRONG = Correction(
    name="a-name",
    source="openfda_shortages",
    table="shortage_listings",
    column="availability",
    match="Avaliable",
    action="replace",
    value="Available",
    reason="misspelt",
    status="open",
)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "drug-shortages-0001-of-0001.json"
    path.write_bytes(
        openfda(
            [
                openfda_shortage("Corvanate", "Dunmore", availability="Avaliable"),
                openfda_shortage("Velmoril", "Dunmore", availability="Unavailable"),
            ]
        )
    )
    return path


def use(monkeypatch: pytest.MonkeyPatch, one: Correction) -> None:
    monkeypatch.setattr(corrections, "corrections", lambda: (one,))


def test_what_is_known_to_be_wrong_is_corrected_and_said(listed: Path) -> None:
    reading = corrections.read(SOURCE, [listed], AS_OF)
    assert reading.tables["shortage_listings"]["availability"].tolist() == [
        "Available",
        "Unavailable",
    ]
    (entry,) = reading.rejects.to_dict("records")
    assert (entry["row"], entry["column"], entry["value"]) == (1, "availability", "Avaliable")
    assert entry["reason"].startswith("corrected (openfda-avaliable): misspelt")
    assert count_records(reading) == (2, 0), "a corrected record is not lost"


def test_a_cell_can_be_left_empty(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, replace(WRONG, action="blank", value=""))
    reading = corrections.read(SOURCE, [listed], AS_OF)
    assert reading.tables["shortage_listings"]["availability"].isna().tolist() == [True, False]


def test_a_row_can_be_left_out(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, replace(WRONG, action="drop", value=""))
    reading = corrections.read(SOURCE, [listed], AS_OF)
    assert reading.tables["shortage_listings"]["generic_name"].tolist() == ["Velmoril"]
    assert "the row is left out" in reading.rejects["reason"].item()


def test_what_is_not_wrong_is_left_as_it_is(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, replace(WRONG, match="Something else"))
    reading = corrections.read(SOURCE, [listed], AS_OF)
    assert reading.rejects.empty
    assert reading.tables["shortage_listings"]["availability"].tolist()[0] == "Avaliable"


def test_a_new_correction_makes_its_source_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: reader_version(registry()[name]) for name in ("openfda_shortages", "nadac")}
    use(monkeypatch, replace(WRONG, value="In stock"))
    assert reader_version(SOURCE) != before["openfda_shortages"]
    assert reader_version(registry()["nadac"]) == before["nadac"]


@pytest.mark.parametrize("one", corrections.corrections(), ids=lambda one: one.name)
def test_every_correction_names_a_column_of_text(one: Correction) -> None:
    tables = {table.name: table for table in registry()[one.source].tables}
    types = {column.name: column.type for column in tables[one.table].columns}
    assert types[one.column] == "VARCHAR"
    assert bool(one.value) == (one.action == "replace")
    assert one.reason
