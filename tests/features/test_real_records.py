"""The warehouse and the panel of the real public records: what they must reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from shortcast.features.asof import first_of_months
from shortcast.features.panel import write_panel
from shortcast.features.warehouse import open_warehouse
from shortcast.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.records]

#: Least share of rows that a join must match, and least rows for the share to mean something.
FLOORS = {
    "shortage rows to drugs": (0.98, 5_000),
    "shortage companies to firms": (0.95, 5_000),
    "recalls to drugs": (0.60, 5_000),
    "recalls to ingredients or firms": (0.75, 5_000),
}
#: Onsets by an independent count of the same rule.
ONSETS = {2018: 47, 2019: 47, 2020: 44, 2021: 36}


@pytest.fixture(scope="module")
def connection(real_home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse(Settings(home=real_home)) as made:
        yield made


@pytest.fixture(scope="module")
def panel(real_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The panel from the first month of training to the last month of the records."""
    return _write_panel(real_home, tmp_path_factory.mktemp("panel") / "panel.parquet")


def _write_panel(home: Path, out: Path) -> Path:
    with open_warehouse(Settings(home=home)) as made:
        write_panel(made, first_of_months("2015-01", "2022-09"), out)
    return out


def test_every_snapshot_is_read(connection: duckdb.DuckDBPyConnection, records_dir: Path) -> None:
    refused = connection.execute(
        "SELECT source, as_of, reason FROM snapshots WHERE state <> 'accepted'"
    ).fetchall()
    assert refused == []
    folders = {(day.parent.name, day.name) for day in records_dir.glob("*/*") if day.is_dir()}
    taken = connection.execute("SELECT source, as_of::VARCHAR FROM snapshots").fetchall()
    assert set(taken) == folders


@pytest.mark.parametrize("join", FLOORS)
def test_joins_reach_what_they_must(join: str, connection: duckdb.DuckDBPyConnection) -> None:
    floor, least = FLOORS[join]
    ((rows, matched, share, watched),) = connection.execute(
        "SELECT rows, matched, share, floor FROM coverage WHERE join_name = ?", [join]
    ).fetchall()
    assert rows >= least
    assert share == pytest.approx(matched / rows)
    assert share >= floor
    assert watched == floor, "what the watch reports as a finding"


def test_onsets_are_those_of_an_independent_count(connection: duckdb.DuckDBPyConnection) -> None:
    found = dict(
        connection.execute(
            "SELECT year(onset_date), count(*) FROM shortage_spells GROUP BY ALL"
        ).fetchall()
    )
    for year, expected in ONSETS.items():
        assert found[year] == pytest.approx(expected, rel=0.1), year


def test_no_drug_stands_twice_in_a_month(panel: Path) -> None:
    twice = duckdb.execute(
        f"SELECT drug_id, as_of FROM '{panel}' GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL"
    ).fetchall()
    assert twice == []


def test_the_universe_is_that_of_prescription_drugs(panel: Path) -> None:
    """Neither without the older drugs nor with allergen extracts and homeopathics."""
    months = duckdb.execute(
        f"SELECT as_of, count(*) AS drugs FROM '{panel}' WHERE as_of >= DATE '2018-01-01' "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert len(months) == 57
    assert [month for month in months if not 2_500 <= month[1] <= 3_500] == []


def test_drugs_in_shortage_are_few_and_never_none(panel: Path) -> None:
    ((least, most),) = duckdb.execute(
        f"SELECT min(share), max(share) FROM (SELECT 1 - avg(at_risk::INT) AS share "
        f"FROM '{panel}' WHERE as_of >= DATE '2018-01-01' GROUP BY as_of)"
    ).fetchall()
    assert 0.01 < least <= most < 0.12


def test_the_same_warehouse_gives_the_same_bytes(
    panel: Path, real_home: Path, tmp_path: Path
) -> None:
    again = _write_panel(real_home, tmp_path / "again.parquet")
    assert again.read_bytes() == panel.read_bytes()
