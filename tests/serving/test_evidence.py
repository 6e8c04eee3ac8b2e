"""Evidence under load: one prepared view for all, and each drug its own rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import duckdb
import pytest

from shortcast.features import panel
from shortcast.features.asof import AsOf
from shortcast.serving.evidence import EvidenceReader
from shortcast.serving.warehouse import Warehouse

DAY = date(2022, 5, 1)


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[date, ...]]:
    """Stand in for the panel with one row a drug; note the dates that were prepared."""
    dates: list[tuple[date, ...]] = []

    def evidence(
        connection: duckdb.DuckDBPyConnection, drug_id: str, as_of: date, *, view: AsOf
    ) -> list[dict[str, object]]:
        row = connection.execute("SELECT as_of FROM as_of_dates").fetchone()
        assert row is not None
        named = {"group": "history", "summary": drug_id, "source": "s", "source_file": "f"}
        return [{**named, "event_date": row[0], "known_from": row[0], "source_row": 1}]

    monkeypatch.setattr(panel, "prepare", lambda view: dates.append(view.dates))
    monkeypatch.setattr(panel, "evidence", evidence)
    return dates


def summary(reader: EvidenceReader, drug_id: str, as_of: date = DAY) -> tuple[str, date | None]:
    found = reader.of(drug_id, as_of)
    assert found.trouble == ""
    [row] = found.rows["history"]
    return row.summary, row.event_date


def test_many_readers_at_once_get_their_own_drug_from_one_view(
    bare_market: Any, prepared: list[tuple[date, ...]]
) -> None:
    bare_market.write_warehouse()
    reader = EvidenceReader(Warehouse(bare_market.settings))
    drugs = [f"drug-{n}" for n in range(40)] * 2
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda drug: summary(reader, drug), drugs))
    assert found == [(drug, DAY) for drug in drugs]
    assert prepared == [(DAY,)]


def test_another_day_or_another_warehouse_gets_a_view_of_its_own(
    bare_market: Any, prepared: list[tuple[date, ...]]
) -> None:
    bare_market.write_warehouse()
    reader = EvidenceReader(Warehouse(bare_market.settings))
    earlier = date(2021, 5, 1)
    assert summary(reader, "a", DAY) == ("a", DAY)
    assert summary(reader, "a", earlier) == ("a", earlier)
    bare_market.write_warehouse()
    assert summary(reader, "a", earlier) == ("a", earlier)
    assert prepared == [(DAY,), (earlier,), (earlier,)]
