"""The warehouse: built from the archive, swapped in whole, the same from the same records."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from tiny_records import CAPTURES, LISTED, TREE, shortage_list, write_tree

from shortcast import __version__
from shortcast.errors import ShortcastError
from shortcast.features import warehouse
from shortcast.features.archive import Archive, exclusive
from shortcast.features.archive_confirm import confirm
from shortcast.features.sources import registry
from shortcast.settings import Settings

Content = dict[str, list[tuple[object, ...]]]
NEWER = {"fda_shortages/2020-11-11/Drugshortages.csv": shortage_list(*LISTED[CAPTURES[2]])}


def content(config: Settings) -> Content:
    with warehouse.open_warehouse(config) as connection:
        names = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'warehouse' "
            "AND table_name <> 'build'"
        ).fetchall()
        return {n: connection.execute(f'SELECT * FROM "{n}"').fetchall() for (n,) in names}


def take_in(config: Settings, tree: Path, files: dict[str, bytes]) -> None:
    Archive(config.archive).import_tree(write_tree(tree, files), registry())


@pytest.fixture
def config(own_tiny_home: Path) -> Settings:
    return Settings(home=own_tiny_home)


def test_it_says_what_it_was_built_from(tiny_home: Path) -> None:
    with warehouse.open_warehouse(Settings(home=tiny_home)) as connection:
        ((fingerprint, built_at, code_version, data, records),) = connection.execute(
            "SELECT fingerprint, built_at, code_version, data, records_checksum FROM build"
        ).fetchall()
        snapshots = connection.execute(
            "SELECT source, CAST(as_of AS VARCHAR), files, bytes, state FROM snapshots"
        ).fetchall()
    assert datetime.fromisoformat(built_at).tzinfo is not None
    assert (code_version, data) == (__version__, "real")
    assert len(fingerprint) == len(records) == 64
    days = {(place.split("/")[0], place.split("/")[1]): len(raw) for place, raw in TREE.items()}
    assert {(s, d): size for s, d, _, size, _ in snapshots} == days
    assert {(files, state) for *_, files, _, state in snapshots} == {(1, "accepted")}


def test_every_table_that_a_source_declares_is_there_with_its_times(tiny_home: Path) -> None:
    with warehouse.open_warehouse(Settings(home=tiny_home)) as connection:
        for source in registry().values():
            for table in source.tables:
                columns = [c for c, *_ in connection.execute(f"DESCRIBE {table.name}").fetchall()]
                assert columns[: len(table.columns)] == [c.name for c in table.columns]
                assert {"known_from", "known_until", "withdrawn"} <= set(columns)


def test_simulated_files_make_a_simulated_warehouse_that_is_looked_at_from_its_own_end(
    tiny_home: Path, tmp_path: Path
) -> None:
    """Made-up records end on a made-up day: by the clock all of them would be stale."""
    today = date(2031, 1, 1)
    with warehouse.open_warehouse(Settings(home=tiny_home)) as connection:
        assert warehouse.judged_on(connection, today) == today

    config = Settings(home=tmp_path / "simulated")
    names = [place for place in TREE if place.startswith(("fda_shortages/", "ndc_directory/"))]
    tree = {"/SIMULATED-".join(place.rsplit("/", 1)): TREE[place] for place in names}
    take_in(config, tmp_path / "tree", tree)
    assert warehouse.build(config).snapshots["state"].eq("accepted").all()
    newest = max(date.fromisoformat(place.split("/")[1]) for place in names)
    with warehouse.open_warehouse(config) as connection:
        assert connection.execute("SELECT data FROM build").fetchall() == [("simulated",)]
        assert warehouse.judged_on(connection, today) == newest + timedelta(days=1)
        assert warehouse.judged_on(connection, date(2020, 1, 5)) == date(2020, 1, 5)
        ((drugs,),) = connection.execute("SELECT count(*) FROM drugs").fetchall()
        assert drugs > 0


def test_a_second_build_does_nothing(config: Settings) -> None:
    before = config.warehouse.stat()
    report = warehouse.build(config)
    after = config.warehouse.stat()
    assert not report.rebuilt
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert len(report.snapshots) == len(TREE)
    assert len(report.coverage) > 5


@pytest.mark.slow
def test_the_same_records_make_the_same_warehouse(config: Settings, tmp_path: Path) -> None:
    """Whenever it is built, and in whatever order the records came."""
    held = content(config)
    assert warehouse.build(config, force=True).rebuilt
    assert content(config) == held

    other = Settings(home=tmp_path / "other")
    for number, place in enumerate(reversed(TREE)):
        take_in(other, tmp_path / f"tree{number}", {place: TREE[place]})
    warehouse.build(other)
    assert content(other) == held


def test_a_new_snapshot_makes_a_new_warehouse_with_a_new_checksum(
    config: Settings, tmp_path: Path
) -> None:
    def told() -> tuple[str, str]:
        with warehouse.open_warehouse(config) as connection:
            (found,) = connection.execute(
                "SELECT records_checksum, fingerprint FROM build"
            ).fetchall()
        return found

    checksum, fingerprint = told()
    take_in(config, tmp_path / "more", NEWER)
    assert warehouse.build(config).rebuilt
    assert told()[0] != checksum
    assert told()[1] != fingerprint
    with warehouse.open_warehouse(config) as connection:
        (reach,) = connection.execute(
            "SELECT CAST(records_end AS VARCHAR) FROM records_reach"
        ).fetchall()
    assert reach == ("2020-11-11",)


def test_a_refused_snapshot_is_no_part_of_the_records_until_it_is_confirmed(
    config: Settings, tmp_path: Path
) -> None:
    """Else what is trained and scored before it is confirmed would pass for up to date after."""

    def told() -> tuple[str, bool]:
        assert warehouse.build(config).rebuilt
        with warehouse.open_warehouse(config) as connection:
            ((checksum,),) = connection.execute("SELECT records_checksum FROM build").fetchall()
            states = connection.execute("SELECT state FROM snapshots").fetchall()
        return checksum, ("refused",) in states

    with warehouse.open_warehouse(config) as connection:
        ((before,),) = connection.execute("SELECT records_checksum FROM build").fetchall()
    day = "2020-11-11"
    cut_short = shortage_list(*LISTED[CAPTURES[2]][:1])
    take_in(config, tmp_path / "more", {f"fda_shortages/{day}/Drugshortages.csv": cut_short})
    assert told() == (before, True)
    assert confirm(f"fda_shortages/{day}", config).added == ()
    checksum, is_refused = told()
    assert checksum != before
    assert not is_refused


def test_what_does_not_fit_into_memory_is_spilt_below_the_home(config: Settings) -> None:
    with warehouse.open_warehouse(config) as connection:
        found = connection.execute("SELECT current_setting('temp_directory')").fetchall()
    assert found == [(str(config.home / "tmp"),)]


def test_changed_code_makes_a_new_warehouse(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The joins are code too: what they make of the records is not theirs to keep."""
    read_bytes = Path.read_bytes

    def edited(path: Path) -> bytes:
        return read_bytes(path) + (b"# edited" if path.name == "salts.csv" else b"")

    monkeypatch.setattr(Path, "read_bytes", edited)
    assert warehouse.build(config).rebuilt
    assert not warehouse.build(config).rebuilt


def test_without_records_or_without_a_build_it_says_what_to_run(shortcast_home: Path) -> None:
    config = Settings(home=shortcast_home)
    with pytest.raises(ShortcastError, match=r"is empty; run 'shortcast import DIR' first"):
        warehouse.build(config)
    with pytest.raises(ShortcastError, match=r"no warehouse at .*; run 'shortcast import DIR'"):
        warehouse.open_warehouse(config)


def test_only_one_build_runs_at_a_time(config: Settings) -> None:
    with (
        exclusive(config.home, what="the import"),
        pytest.raises(ShortcastError, match="so the build did not start; wait for it to end"),
    ):
        warehouse.build(config)


def test_it_can_only_be_read(config: Settings) -> None:
    with (
        warehouse.open_warehouse(config) as connection,
        pytest.raises(duckdb.InvalidInputException, match="read-only"),
    ):
        connection.execute("DELETE FROM drugs")


def test_opening_it_anew_gives_the_new_one_while_the_old_one_is_still_open(
    config: Settings, tmp_path: Path
) -> None:
    """DuckDB alone would hand out the old file again, and refuse another number of threads."""
    with warehouse.open_warehouse(config) as old:
        take_in(config, tmp_path / "more", NEWER)
        report = warehouse.build(config)
        assert len(report.snapshots) == len(TREE) + 1
        with warehouse.open_warehouse(config.model_copy(update={"threads": 1})) as new:
            for connection, expected in ((old, len(TREE)), (new, len(TREE) + 1)):
                found = connection.execute("SELECT count(*) FROM snapshots").fetchall()
                assert found == [(expected,)]


def test_a_home_with_an_apostrophe_and_blanks_in_its_path_works(
    tiny_home: Path, tmp_path: Path
) -> None:
    config = Settings(home=tmp_path / "pharmacist's home (new)")
    take_in(config, tmp_path / "tree", {place: TREE[place] for place in list(TREE)[:3]})
    assert warehouse.build(config).rebuilt
    assert not warehouse.build(config).rebuilt
    with warehouse.open_warehouse(config) as connection:
        assert connection.execute("SELECT count(*) FROM snapshots").fetchall() == [(3,)]


def test_two_sources_that_declare_one_table_differently_are_a_defect(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = dict(registry())
    name = "openfda_shortages"
    first, *rest = sources[name].tables
    sources[name] = replace(sources[name], tables=(replace(first, is_list=True), *rest))
    monkeypatch.setattr(warehouse, "registry", lambda: sources)
    with pytest.raises(TypeError, match="shortage_postings is declared in two different ways"):
        warehouse.build(config, force=True)
