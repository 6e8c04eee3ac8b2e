"""A build makes what depends on what is new, takes over the rest, and the result is the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from tiny_records import TREE, enforcement, recall, write_tree

from shortcast.features import links, spells, warehouse
from shortcast.features.archive import Archive
from shortcast.features.links import Link
from shortcast.features.sources import registry
from shortcast.features.steps import Steps
from shortcast.settings import Settings

LETTERS = "fda_warning_letters/2020-06-30/warning_letters.csv"
RECALLS = "openfda_enforcement/2020-06-30/drug-enforcement-0001-of-0001.json.zip"


def take_in(config: Settings, tree: Path, files: dict[str, bytes]) -> None:
    Archive(config.archive).import_tree(write_tree(tree, files), registry())


def content(config: Settings) -> dict[str, list[tuple]]:
    """Every table row by row, as it stands."""
    with warehouse.open_warehouse(config) as connection:
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        return {
            name: connection.execute(f'FROM "{name}"').fetchall()
            for name in names
            if name != "build"
        }


@pytest.fixture
def config(own_tiny_home: Path) -> Settings:
    return Settings(home=own_tiny_home, threads=1)


def test_with_one_changed_source_only_what_depends_on_it_is_made_again(
    config: Settings, tmp_path: Path
) -> None:
    more = TREE[LETTERS].replace(b"600001", b"600009")
    take_in(config, tmp_path / "more", {LETTERS.replace("06-30", "12-31"): more})
    told: list[str] = []
    warehouse.build(config, progress=told.append)
    assert [line for line in told if line.startswith(("facts", "links", "shortage"))] == [
        "facts: warning_letters",
        # A new capture of any source may end a listing: these look at the days of all.
        "links: shortage listings",
        "links: inspections and letters",
        "links: the universe of drugs",
        "links: coverage",
        "shortage spells",
    ]
    held = content(config)
    warehouse.build(config, force=True)
    assert content(config) == held


@pytest.mark.slow
def test_what_hangs_on_a_table_that_was_made_again_is_made_again_too(
    config: Settings, tmp_path: Path
) -> None:
    held = [recall(n, "Velmora Labs, Inc.", f"Velmoril Injection, lot {n}") for n in range(9)]
    raw = enforcement(*held)
    take_in(config, tmp_path / "more", {RECALLS.replace("06-30", "12-31"): raw})
    told: list[str] = []
    warehouse.build(config, progress=told.append)
    made = {line.partition(": ")[2] for line in told if line.startswith(("facts", "links"))}
    assert {"recalls", "recall_states"} <= made
    assert "products" not in made
    by_steps = content(config)
    warehouse.build(config, force=True)
    assert content(config) == by_steps


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("gone", marks=pytest.mark.slow),
        pytest.param("garbage", marks=pytest.mark.slow),
        "older",
        "table",
    ],
)
def test_a_warehouse_in_force_that_is_of_no_use_is_not_asked(
    config: Settings, tmp_path: Path, damage: str
) -> None:
    held = content(config)
    if damage == "gone":
        config.warehouse.unlink()
    elif damage == "garbage":
        config.warehouse.write_bytes(b"no database" * 1000)
    else:
        with duckdb.connect(str(config.warehouse)) as connection:
            connection.execute(f"DROP TABLE {'build_steps' if damage == 'older' else 'recalls'}")
            connection.execute("UPDATE build SET fingerprint = 'another'")
    assert warehouse.build(config).rebuilt
    assert content(config) == held


@pytest.mark.parametrize(
    "link",
    [*links.STEPS, Link("shortage spells", spells.make_spells, spells.NEEDS)],
    ids=lambda link: link.name,
)
def test_a_step_reads_no_table_that_it_does_not_name(tiny_home: Path, link: Link) -> None:
    """Else a change in that table would not make it anew."""
    with warehouse.open_warehouse(Settings(home=tiny_home)) as whole:
        needed = {name: whole.sql(f'FROM "{name}"').to_arrow_table() for name in link.needs}
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        for name, rows in needed.items():
            connection.register("rows", rows)
            connection.execute(f'CREATE TABLE "{name}" AS FROM rows')
            connection.unregister("rows")
        link.run(connection)
        ((made,),) = connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall()
    assert made > len(needed)


def test_a_table_that_nobody_made_cannot_be_needed() -> None:
    with duckdb.connect(":memory:") as connection, pytest.raises(KeyError, match="nothing"):
        Steps(connection).make("a step", lambda: None, needs=("nothing",))


def test_a_step_that_is_no_more_leaves_no_table(tmp_path: Path) -> None:
    def make(table: str) -> None:
        connection.execute(f"CREATE TABLE {table} AS SELECT 1 AS one")

    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        steps = Steps(connection)
        assert steps.make("first", lambda: make("a"))
        assert steps.make("second", lambda: make("b"))
        steps.finish()
        make("stray")
        again = Steps(connection)
        assert not again.make("first", lambda: make("a"))
        again.finish()
        found = connection.execute("SHOW TABLES").fetchall()
    assert found == [("a",), ("build_steps",)]


@pytest.mark.slow
def test_a_build_that_was_killed_leaves_nothing_to_take_over(config: Settings) -> None:
    shutil.copy(config.warehouse, config.warehouse.with_name(".warehouse.duckdb.building"))
    held = content(config)
    assert warehouse.build(config, force=True).rebuilt
    assert content(config) == held
