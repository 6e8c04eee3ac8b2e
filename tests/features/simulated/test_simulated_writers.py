"""The made-up market's files: official formats that the readers take, dirt and all."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from shortcast.cli import app
from shortcast.errors import ShortcastError
from shortcast.features import simulated, warehouse
from shortcast.features.archive import Archive, checksum
from shortcast.features.kind import PREFIX
from shortcast.features.simulated.parameters import Parameters
from shortcast.features.simulated.world import World, simulate
from shortcast.features.simulated.writers._dirt import dice
from shortcast.features.simulated.writers._words import Words
from shortcast.features.simulated.writers.shortages import listings
from shortcast.features.sources import registry
from shortcast.settings import Settings

SIZE = Parameters(drugs=300, years=1, seed=4, futures=1_000)
TINY = Parameters(drugs=80, years=1, seed=2, futures=1_000, burn_in_months=36)
#: Rows that a reader leaves out because they are none of its business.
OUT_OF_SCOPE = "clinical site, not a plant"


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(SIZE)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated.records(SIZE, tmp_path_factory.mktemp("simulated") / "records")


@pytest.fixture(scope="module")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with the warehouse of the records."""
    config = Settings(home=tmp_path_factory.mktemp("home") / "home")
    Archive(config.archive).import_tree(tree, registry())
    warehouse.build(config)
    return config


def query(config: Settings, sql: str) -> pd.DataFrame:
    with duckdb.connect(str(config.warehouse), read_only=True) as connection:
        return connection.sql(sql).df()


def exports(tree: Path) -> list[bytes]:
    """The monthly exports of the shortage list, in order."""
    return [path.read_bytes() for path in sorted(tree.glob("fda_shortages/*/*.csv"))]


def test_every_source_has_snapshots_and_every_name_says_simulated(tree: Path) -> None:
    assert {path.name for path in tree.iterdir() if path.is_dir()} == set(registry())
    files = [path for path in tree.rglob("*") if path.is_file()]
    assert all(path.name.startswith(PREFIX) for path in files)
    assert {path.name for path in tree.iterdir() if path.is_file()} == {
        simulated.TRUTH,
        simulated.ABOUT,
    }
    days = {date.fromisoformat(path.parent.name) for path in files if path.parent != tree}
    assert max(days) == date(2025, 12, 31)


def test_the_folder_says_in_words_what_it_is(tree: Path) -> None:
    text = (tree / simulated.ABOUT).read_text(encoding="utf-8")
    assert "NOTHING IN THIS FOLDER IS REAL" in text
    assert f"seed = {SIZE.seed}" in text


def test_import_takes_the_tree_as_it_is(tree: Path, tmp_path: Path) -> None:
    report = Archive(tmp_path / "archive").import_tree(tree, registry())
    assert not report.passed_over
    assert not report.set_aside
    assert len(report.added) == sum(1 for path in tree.glob("*/*/*"))


def test_lists_of_letters_and_actions_never_fall_silent(tree: Path) -> None:
    """As the real ones, they tell of devices too: a market of a few drugs has a letter a year."""
    (letters,) = map(pd.read_csv, tree.glob("fda_warning_letters/2025-12-31/*.csv"))
    (actions,) = map(pd.read_csv, tree.glob("fda_compliance_actions/2025-12-31/*.csv"))
    about_drugs = letters["issuing_office"].str.contains("CDER")
    assert 0 < about_drugs.sum() < (~about_drugs).sum()
    for days, is_drug in (
        (letters["posted_date"], about_drugs),
        (actions["Action Taken Date"], actions["Product Type"].eq("Drugs")),
    ):
        told = pd.to_datetime(days, errors="coerce", format="mixed").dropna().sort_values()
        assert told.diff().max() < pd.Timedelta(days=92)
        assert told.max() > pd.Timestamp(2025, 11, 1)
        assert is_drug.any()


@pytest.mark.slow
def test_readers_take_every_file_and_little_ends_in_quarantine(built: Settings) -> None:
    snapshots = query(built, "SELECT * FROM snapshots")
    assert set(snapshots["state"]) == {"accepted"}
    bad = query(built, f"SELECT * FROM quarantine WHERE reason <> '{OUT_OF_SCOPE}'")
    assert 0 < len(bad) < 0.004 * snapshots["rows"].sum()
    assert bad["source"].nunique() >= 3


@pytest.mark.slow
def test_no_snapshot_holds_what_came_out_after_its_day(built: Settings) -> None:
    tables = query(
        built,
        "SELECT DISTINCT table_name FROM duckdb_columns() WHERE column_name = 'published_at' "
        "AND table_name IN ('recalls', 'warning_letters', 'published_483s', 'nadac_prices', "
        "'canada_reports', 'uk_concessions', 'shortage_postings', 'shortage_listings')",
    )["table_name"]
    assert len(tables) == 8
    for table in tables:
        late = query(
            built, f"SELECT count(*) AS late FROM {table} WHERE published_at > observed_at"
        )
        assert late["late"].item() == 0, table


@pytest.mark.slow
def test_drugs_of_the_truth_are_those_of_the_warehouse(built: Settings, tree: Path) -> None:
    truth = set(pq.read_table(tree / simulated.TRUTH, columns=["drug_id"])["drug_id"].to_pylist())
    assert len(truth) == SIZE.drugs
    known = set(query(built, "SELECT drug_id FROM drugs")["drug_id"])
    assert len(truth & known) >= 0.97 * len(truth)
    # Neither renaming nor typing errors make drugs that there are not.
    assert known <= truth


def onsets(world: World) -> pd.DataFrame:
    """The shortages that were posted while the records ran, by drug and month."""
    listed = world.reports.shortages.query("outcome == 'listed'")
    start, end = pd.Timestamp(world.starts_on), pd.Timestamp(world.ends_on)
    inside = listed[(listed["published_at"] >= start) & (listed["published_at"] < end)]
    drug = world.catalogue.drugs["drug_id"].iloc[inside["drug"]].to_numpy()
    return pd.DataFrame({"drug_id": drug, "month": inside["published_at"].dt.strftime("%Y-%m")})


def found_onsets(config: Settings, start: date) -> pd.DataFrame:
    return query(
        config,
        "SELECT drug_id, strftime(onset_date, '%Y-%m') AS month FROM shortage_spells "
        f"WHERE onset_date >= DATE '{start}'",
    )


@pytest.mark.slow
def test_listed_shortages_are_onsets_in_their_months(built: Settings, world: World) -> None:
    expected, found = onsets(world), found_onsets(built, world.starts_on)
    assert len(expected) >= 2
    assert len(expected.merge(found)) >= 0.98 * len(expected)
    assert len(found.merge(expected)) >= 0.98 * len(found)


@pytest.mark.slow
def test_joins_reach_what_they_reach_on_real_records(built: Settings) -> None:
    share = query(built, "SELECT * FROM coverage").set_index("join_name")["share"]
    assert share["shortage rows to drugs"] >= 0.98
    assert share["shortage companies to firms"] >= 0.98
    assert share["recalls to drugs"] >= 0.70
    assert share["recalls to ingredients or firms"] >= 0.90
    assert share["inspections to makers"] >= 0.95
    assert share["retail prices to drugs"] >= 0.95
    assert share["shortages abroad to ingredients"] >= 0.90


def test_exports_come_in_several_encodings_and_header_styles(tree: Path) -> None:
    raw = exports(tree)
    assert {text.startswith(b"\xef\xbb\xbf") for text in raw} == {True, False}
    heads = {text.decode("utf-8-sig", "replace").lstrip()[:12] for text in raw}
    assert heads == {"Generic Name", "generic_name"}
    assert any("’" in text.decode("cp1252", "replace") for text in raw)


def test_the_list_is_dirty_as_real_lists_are() -> None:
    world = simulate(Parameters(drugs=1500, years=3, seed=4, futures=1_000))
    found = listings(world, Words.of(world))
    days = [date(2023, 1, 31) + timedelta(days=30 * n) for n in range(35)]
    shown = [found.on(day, dice(world, "fda_shortages", day)) for day in days]
    seen = [set(of.listing.tolist()) for of in shown]
    # A row disappears from one export and is back in the next.
    threes = zip(seen, seen[1:], seen[2:], strict=False)
    assert any((before & after) - between for before, between, after in threes)
    assert any(len(of.listing) > len(set(of.listing.tolist())) for of in shown)
    old, new = found.columns(shown[0])["generic_name"], found.columns(shown[-1])["generic_name"]
    assert shown[-1].renamed
    assert not shown[0].renamed
    forms = tuple(world.catalogue.drugs["form_words"].replace("Tablet", "Tablets"))
    assert sum(not name.endswith(forms) for name in old) > sum(
        not name.endswith(forms) for name in new
    )
    wrong = found.rows["misspelt_company"] != found.rows["company_name"]
    assert 0 < wrong.mean() < 0.03
    assert 0 < (found.rows["late_from"] > found.rows["posted"]).mean() < 0.04


def test_a_posting_that_comes_late_keeps_its_date(world: World) -> None:
    found = listings(world, Words.of(world))
    late = found.rows["late_from"] > found.rows["posted"]
    first = found.states["shown_from"][found.states["rank"] == 0].min()
    assert late.any()
    assert (found.rows["posted"][late] >= first).all()


def test_rows_of_an_export_have_as_many_cells_as_its_header(tree: Path) -> None:
    good = total = 0
    for raw in exports(tree):
        text = raw.decode("utf-8-sig" if raw.startswith(b"\xef\xbb\xbf") else "cp1252")
        header, *rows = [row for row in csv.reader(io.StringIO(text.lstrip(), newline="")) if row]
        good += sum(len(row) == len(header) for row in rows)
        total += len(rows)
        assert len(rows[-1]) == len(header)
    assert 0.99 < good / total <= 1


@pytest.mark.slow
def test_one_seed_makes_the_same_bytes_again(tmp_path: Path) -> None:
    def sums(parameters: Parameters, name: str) -> dict[str, str]:
        tree = simulated.records(parameters, tmp_path / name)
        return {
            path.relative_to(tree).as_posix(): checksum(path)
            for path in sorted(tree.rglob("*"))
            if path.is_file()
        }

    first = sums(TINY, "first")
    assert sums(TINY, "second") == first
    other = sums(Parameters(**{**vars(TINY), "seed": 3}), "other")
    assert sum(other.get(name) == digest for name, digest in first.items()) == 0


@pytest.mark.slow
def test_a_market_in_which_hardly_anything_happens_is_written_too(tmp_path: Path) -> None:
    tree = simulated.records(
        Parameters(drugs=20, years=1, seed=2, futures=1_000), tmp_path / "records"
    )
    for name, source in registry().items():
        for day in sorted((tree / name).glob("*")):
            reading = source.read(sorted(day.iterdir()), date.fromisoformat(day.name))
            assert sum(len(table) for table in reading.tables.values()), day


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "mine.txt").write_text("mine")
    with pytest.raises(ShortcastError, match="holds something already"):
        simulated.records(TINY, tmp_path / "records")
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["mine.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_the_records_end_when_they_are_told_to(tmp_path: Path) -> None:
    command = ["simulate", "--drugs", "80", "--years", "1", "--seed", "2", "--to", "2019"]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "SIMULATED" in result.output
    days = sorted(path.name for path in (tmp_path / "out" / "fda_shortages").iterdir())
    assert days[-1] == "2019-12-31"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_size_that_makes_no_market_is_wrong_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["simulate", "--drugs", "3", "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "drugs is 3" in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_market_of_the_usual_size_is_read_back(tmp_path: Path) -> None:
    parameters = Parameters(drugs=800, years=10, seed=1, futures=1_000)
    tree = simulated.records(parameters, tmp_path / "records")
    config = Settings(home=tmp_path / "home")
    Archive(config.archive).import_tree(tree, registry())
    report = warehouse.build(config)
    assert set(report.snapshots["state"]) == {"accepted"}
    market = simulate(parameters)
    expected, found = onsets(market), found_onsets(config, market.starts_on)
    assert len(expected) > 60
    assert len(expected.merge(found)) >= 0.98 * len(expected)
    assert len(found.merge(expected)) >= 0.98 * len(found)
    known = set(query(config, "SELECT drug_id FROM drugs")["drug_id"])
    assert known == set(market.catalogue.drugs["drug_id"])
