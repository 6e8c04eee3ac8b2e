"""The drug-month table: its rows, its columns, and the public rows behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from tiny_records import CORVANATE, OSTRUNIDE, TALVERINE, VELMORIL

from shortcast.errors import ShortcastError
from shortcast.features import groups, panel
from shortcast.features.asof import first_of_months
from shortcast.features.groups.contract import Feature, Group
from shortcast.features.warehouse import open_warehouse
from shortcast.settings import Settings

MAY = date(2020, 5, 1)


@pytest.fixture
def connection(tiny_home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse(Settings(home=tiny_home)) as made:
        yield made


def rows(connection: duckdb.DuckDBPyConnection, *dates: date) -> dict[tuple[str, str], Any]:
    table = panel.make_panel(connection, dates).to_pylist()
    return {(row["drug_id"], f"{row['as_of']:%Y-%m}"): row for row in table}


def use_group(monkeypatch: pytest.MonkeyPatch, query: str, **more: Any) -> None:
    """Let the panel consist of one made-up group with the features ``count`` and ``share``."""
    made = Group(
        name="made_up",
        title="Made up",
        features=(
            Feature("count", "BIGINT", "a count"),
            Feature("share", "DOUBLE", "a share", missing="not told"),
        ),
        query=lambda _: query,
        **{"defaults": {"count": 0}, **more},
    )
    monkeypatch.setattr(groups, "registry", lambda: {made.name: made})


def test_it_has_a_row_for_each_drug_known_by_then_and_a_column_for_each_feature(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    table = panel.make_panel(connection, first_of_months("2020-04", "2020-05"))
    assert table.column_names == ["drug_id", "as_of", "at_risk", *groups.features()]
    assert table.select(["drug_id", "as_of"]).to_pylist() == [
        {"drug_id": drug, "as_of": day}
        for day in (date(2020, 4, 1), MAY)
        for drug in (CORVANATE, OSTRUNIDE, TALVERINE, VELMORIL)
    ]


def test_drugs_join_the_universe_when_the_first_of_their_records_is_known(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    # Listed since June 2012; ostrunide is approved, but no list shows approvals before then.
    assert {drug for drug, _ in rows(connection, date(1996, 1, 1))} == {VELMORIL}
    assert len(rows(connection, date(2012, 7, 1))) == 4


def test_a_drug_in_shortage_is_not_at_risk_of_one(connection: duckdb.DuckDBPyConnection) -> None:
    found = rows(connection, *first_of_months("2020-02", "2020-06"))
    at_risk = {key: row["at_risk"] for key, row in found.items()}
    # Posted in the middle of February; gone from the list of 2 April.
    assert [at_risk[CORVANATE, f"2020-0{n}"] for n in (2, 3, 6)] == [True, False, False]
    assert [at_risk[VELMORIL, f"2020-0{n}"] for n in (2, 4, 5)] == [False, False, True]
    # To be discontinued, or resolved, is not short.
    assert at_risk[TALVERINE, "2020-02"]
    assert at_risk[OSTRUNIDE, "2020-02"]


@pytest.mark.slow
def test_how_many_months_are_worked_out_together_changes_no_value(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    months = first_of_months("2019-11", "2020-04")
    told: list[str] = []
    assert panel.write_panel(connection, months, tmp_path / "a", progress=told.append) == 24
    assert told == ["panel 2019-11 to 2020-04: 24 rows"]
    monkeypatch.setattr(panel, "MONTHS_AT_ONCE", 1)
    # Dates in any order, and twice, are the same panel.
    panel.write_panel(connection, [*reversed(months), months[0]], tmp_path / "new" / "b")
    one, other = pq.read_table(tmp_path / "a"), pq.read_table(tmp_path / "new" / "b")
    assert one.equals(other)
    assert one.equals(panel.make_panel(connection, months))


def test_a_panel_of_simulated_records_says_so_inside(
    tiny_home: Path, simulated_tiny_home: Path, tmp_path: Path
) -> None:
    found = {}
    for home in (tiny_home, simulated_tiny_home):
        with open_warehouse(Settings(home=home)) as made:
            panel.write_panel(made, [MAY], tmp_path / "panel.parquet")
        metadata = pq.read_metadata(tmp_path / "panel.parquet").metadata
        found[home] = metadata.get(b"shortcast.data")
    assert found == {tiny_home: None, simulated_tiny_home: b"simulated"}


def test_a_panel_file_appears_whole_or_not_at_all(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, calls = panel.make_panel, []

    def fail_at_the_second(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise duckdb.OutOfMemoryException("no room")
        return make(*arguments)

    monkeypatch.setattr(panel, "make_panel", fail_at_the_second)
    monkeypatch.setattr(panel, "MONTHS_AT_ONCE", 1)
    with pytest.raises(duckdb.OutOfMemoryException):
        panel.write_panel(connection, first_of_months("2020-01", "2020-03"), tmp_path / "p")
    assert list(tmp_path.iterdir()) == []


def test_two_processes_may_write_one_panel_at_once(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "p"
    own = os.getpid()

    def another_writes(_: str) -> None:
        monkeypatch.setattr(os, "getpid", lambda: own + 1)
        with connection.cursor() as cursor:
            cursor.execute("USE warehouse")
            assert panel.write_panel(cursor, [MAY], out) == 4
        assert pq.read_metadata(out).num_rows == 4

    assert panel.write_panel(connection, [MAY], out, progress=another_writes) == 4
    assert pq.read_metadata(out).num_rows == 4
    assert list(tmp_path.iterdir()) == [out]


def test_a_panel_of_no_month_is_refused(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with pytest.raises(ShortcastError, match="name at least one month"):
        panel.write_panel(connection, [], tmp_path / "p")


def test_only_what_a_group_declares_as_a_default_stands_in_for_nothing(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = f"SELECT DATE '{MAY}' AS as_of, '{VELMORIL}' AS drug_id, 7 AS count, 0.5 AS share"
    use_group(monkeypatch, query)
    found = rows(connection, MAY)
    assert found[VELMORIL, "2020-05"] | {"at_risk": True} == {
        **{"drug_id": VELMORIL, "as_of": MAY, "at_risk": True},
        **{"count": 7, "share": 0.5},
    }
    missed = found[CORVANATE, "2020-05"]
    assert (missed["count"], missed["share"]) == (0, None)


def test_a_group_that_gives_a_drug_two_rows_is_named(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rows would double the drug in every model, silently."""
    query = (
        f"SELECT DATE '{MAY}' AS as_of, '{VELMORIL}' AS drug_id, unnest([1, 2]) AS count, "
        "0.5 AS share"
    )
    use_group(monkeypatch, query)
    with pytest.raises(ValueError, match=f"made_up gives {VELMORIL} more than one row as of 2020"):
        panel.make_panel(connection, [MAY])


def test_the_tables_of_the_groups_do_not_pile_up(connection: duckdb.DuckDBPyConnection) -> None:
    def temporary() -> set[str]:
        found = connection.sql("SELECT table_name FROM duckdb_tables() WHERE temporary")
        return {name for (name,) in found.fetchall()}

    first = panel.make_panel(connection, [MAY])
    left = temporary()
    assert not {f"group_{name}" for name in groups.registry()} & left
    assert panel.make_panel(connection, [MAY]).equals(first)
    assert temporary() == left


# --- Evidence ------------------------------------------------------------------------------------


def test_evidence_names_the_public_rows_known_by_then_newest_first(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    before = panel.evidence(connection, VELMORIL, date(2020, 6, 10))
    after = panel.evidence(connection, VELMORIL, date(2020, 6, 11))
    new = [row for row in after if row not in before]
    # The recall was reported on 10 June, so it is known from the day after.
    assert {row["group"] for row in new} >= {"recalls"}
    recalled = next(row for row in new if row["group"] == "recalls")
    assert recalled["known_from"] == date(2020, 6, 10)
    assert recalled["source"] == "openfda_enforcement"
    assert recalled["source_file"] == "drug-enforcement-0001-of-0001.json.zip"
    assert recalled["source_row"] == 1
    for group in {row["group"] for row in after}:
        days = [
            day
            for row in after
            if row["group"] == group and isinstance(day := row["known_from"], date)
        ]
        assert days == sorted(days, reverse=True)
        assert max(days) < date(2020, 6, 11)


def test_telling_rows_come_before_newer_ones(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes a drug count as unapproved must not hide behind ten newer approved listings."""
    rows = """
        SELECT 'velmoril--injection' AS drug_id, DATE '2020-12-01' AS as_of, day AS event_date,
               day AS known_from, what AS summary, 'ndc_directory' AS source, 'f' AS source_file,
               1 AS source_row, what = 'unapproved' AS is_telling
        FROM (VALUES (DATE '2019-01-01', 'unapproved'), (DATE '2020-01-01', 'approved'),
                     (DATE '2020-02-01', 'approved too')) AS v(day, what)"""
    traits = replace(groups.registry()["traits"], evidence=lambda view: rows)
    monkeypatch.setattr(groups, "registry", lambda: {"traits": traits})
    found = panel.evidence(connection, VELMORIL, date(2020, 12, 1), limit=2)
    assert [row["summary"] for row in found] == ["unapproved", "approved too"]


def test_evidence_is_plain_data_and_as_long_as_asked(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = panel.evidence(connection, VELMORIL, date(2020, 12, 1), limit=1)
    names = [str(row["group"]) for row in found]
    assert names == sorted(set(names))
    for row in found:
        assert type(row["known_from"]) is date
        assert row["event_date"] is None or type(row["event_date"]) is date
        assert type(row["source_row"]) is int
        assert isinstance(row["summary"], str)


def test_an_unknown_drug_and_a_time_before_all_records_have_no_evidence(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert panel.evidence(connection, "nosuchdrug--injection", MAY) == []
    assert panel.evidence(connection, VELMORIL, date(1950, 1, 1)) == []


def test_a_group_without_evidence_is_passed_over(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = {name: replace(g, evidence=None) for name, g in groups.registry().items()}
    monkeypatch.setattr(groups, "registry", lambda: bare)
    assert panel.evidence(connection, VELMORIL, MAY) == []
