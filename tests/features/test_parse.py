"""Parsing: each snapshot once, refused whole where it is not what it claims to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from shortcast.errors import ShortcastError
from shortcast.features import parse, sources
from shortcast.features.archive import Archive, ArchivedFile, Snapshot
from shortcast.features.sources.contract import Column, Reading, Source, SourceError, Table
from shortcast.features.sources.tables import rejects

COLUMNS = (Column("name", "VARCHAR", "name"), Column("n", "BIGINT", "number"))
LIST = Table("things", "a list", COLUMNS, key=("name",), is_list=True)
LOG = Table("events", "a log", COLUMNS, key=("name",))

Read = Callable[[Sequence[Path], date], Reading]


def lines(files: Sequence[Path]) -> list[str]:
    return files[0].read_text(encoding="utf-8").splitlines()


def frame(files: Sequence[Path], texts: Sequence[str], first: int = 1) -> pd.DataFrame:
    numbers = range(first, first + len(texts))
    return pd.DataFrame({"name": list(texts), "n": [str(n) for n in numbers]}).assign(
        source_file=files[0].name, source_row=list(numbers)
    )


def read_list(files: Sequence[Path], as_of: date) -> Reading:
    """Each line of the file is a row; one that begins with '!' is a bad one."""
    if lines(files)[:1] == ["HTML"]:
        raise SourceError(f"{files[0].name} is an HTML page; fetch it again.")
    good = [line for line in lines(files) if not line.startswith("!")]
    bad = pd.Series([n for n, line in enumerate(lines(files), 1) if line.startswith("!")])
    return Reading(
        {LIST.name: frame(files, good)},
        rejects(files[0].name, bad, "name", "!", "begins with '!'"),
    )


class World:
    """An archive and made-up sources, and which snapshots were read."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.archive = Archive(root / "archive")
        self.parsed = root / "parsed"
        self.tree = root / "tree"
        self.read: list[str] = []
        self.sources: dict[str, Source] = {}
        monkeypatch.setattr(parse, "registry", lambda: self.sources)

    def source(self, name: str, read: Read, *tables: Table) -> None:
        def counted(files: Sequence[Path], as_of: date) -> Reading:
            self.read.append(f"{name} {as_of}")
            return read(files, as_of)

        more = {"files": ("*.txt",), "tables": tables, "read": counted}
        self.sources[name] = Source(name, name, "", "", "", "", 1, **more)

    def take_in(self, files: dict[str, str]) -> None:
        for place, text in files.items():
            path = self.tree / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.archive.import_tree(self.tree, self.sources)

    def parse(self, **more: Any) -> dict[str, parse.ParsedSnapshot]:
        self.read.clear()
        found = parse.parse_all(self.archive, self.parsed, **more)
        return {f"{p.source} {p.as_of}": p for p in found}

    def rows(self, snapshot: parse.ParsedSnapshot, table: str) -> list[dict[str, Any]]:
        path = str(snapshot.table(table))
        with duckdb.connect() as connection:
            return connection.read_parquet(path).to_arrow_table().to_pylist()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, monkeypatch)
    made.source("list", read_list, LIST)
    return made


def many(n: int) -> str:
    return "".join(f"row {i}\n" for i in range(n))


def test_rows_are_stored_with_their_types_times_and_lineage(world: World) -> None:
    world.take_in({"list/2020-01-10/a.txt": "first\nsecond\n!third\n"})
    told: list[str] = []
    (snapshot,) = world.parse(progress=told.append).values()
    assert told == ["[1/1] list 2020-01-10: 2 rows"]
    assert (snapshot.state, snapshot.rows, snapshot.rejected) == ("accepted", {"things": 2}, 1)
    second = world.rows(snapshot, "things")[1]
    assert second == {
        **{"name": "second", "n": 2, "source": "list", "source_file": "a.txt", "source_row": 2},
        **{"event_date": None, "published_at": None, "withdrawn_at": None},
        "observed_at": date(2020, 1, 10),
    }
    assert world.rows(snapshot, "rejects") == [
        {
            **{"source": "list", "as_of": date(2020, 1, 10), "file": "a.txt", "row": 3},
            **{"column": "name", "value": "!", "reason": "begins with '!'"},
        }
    ]


def test_each_snapshot_is_read_once(world: World) -> None:
    world.take_in({"list/2020-01-10/a.txt": many(3), "list/2020-02-10/a.txt": many(4)})
    first = world.parse()
    assert world.read == ["list 2020-02-10", "list 2020-01-10"]
    assert world.parse() == first
    assert world.read == []
    world.take_in({"list/2020-03-10/a.txt": many(5)})
    assert len(world.parse()) == 3
    assert world.read == ["list 2020-03-10"]


def test_a_changed_reader_reads_all_again_and_what_it_read_before_is_swept_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.take_in({"list/2020-01-10/a.txt": many(3)})
    (before,) = world.parse().values()
    monkeypatch.setattr(parse, "reader_version", lambda source: "changed")
    (after,) = world.parse().values()
    assert world.read == ["list 2020-01-10"]
    assert before.fingerprint != after.fingerprint
    assert list((world.parsed / "list").iterdir()) == [after.folder]


def test_a_cache_that_lost_a_table_is_made_again(world: World) -> None:
    world.take_in({"list/2020-01-10/a.txt": many(3)})
    (snapshot,) = world.parse().values()
    snapshot.table("things").unlink()
    (again,) = world.parse().values()
    assert world.read == ["list 2020-01-10"]
    assert len(world.rows(again, "things")) == 3


def test_a_reader_s_version_covers_the_code_that_it_uses_and_no_other() -> None:
    registry = sources.registry()
    versions = {name: parse.reader_version(source) for name, source in registry.items()}
    assert len(set(versions.values())) == len(versions)
    package = "shortcast.features.sources"
    behind = parse._modules_behind(f"{package}.fda_shortages")
    assert behind == {
        f"{package}.{name}"
        for name in ("fda_shortages", "_shortage_tables", "_fda_exports", "contract", "tables")
    }


# --- Refused whole -------------------------------------------------------------------------------


def test_a_refusal_is_kept_and_not_worked_out_again(world: World) -> None:
    world.take_in({"list/2020-01-10/a.txt": "HTML\n", "list/2020-02-10/a.txt": many(2)})
    for _ in range(2):
        found = world.parse()
        refused = found["list 2020-01-10"]
        assert (refused.state, refused.reason) == (
            "refused",
            "a.txt is an HTML page; fetch it again.",
        )
        assert (refused.rows, refused.rejected) == ({}, 0)
        assert list(refused.folder.glob("*.parquet")) == []
        assert found["list 2020-02-10"].state == "accepted"
    assert world.read == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "list of 2020-01-10 holds no row; fetch it again."),
        (
            "good\n!bad\n!bad\n",
            "list of 2020-01-10: 2 of 3 rows are unusable, the first because a.txt row 2, column n",
        ),
        ("good\n!bad\n", ""),
        ("!bad\n", "list of 2020-01-10: 1 of 1 rows are unusable, the first because a.txt row 1"),
    ],
)
def test_a_snapshot_without_rows_or_with_mostly_bad_ones_is_refused(
    world: World, text: str, reason: str
) -> None:
    world.take_in({"list/2020-01-10/a.txt": text})
    (snapshot,) = world.parse().values()
    assert snapshot.reason.startswith(reason)
    assert snapshot.state == ("refused" if reason else "accepted")


def test_values_left_empty_in_rows_that_are_kept_do_not_count_as_bad_rows(world: World) -> None:
    def read(files: Sequence[Path], as_of: date) -> Reading:
        table = frame(files, lines(files))
        notes = [
            rejects("a.txt/member", table["source_row"], name, "?", "left empty, the row is kept")
            for name in ("name", "n")
        ]
        return Reading({LIST.name: table}, pd.concat(notes))

    world.source("list", read, LIST)
    world.take_in({"list/2020-01-10/a.txt": many(3)})
    (snapshot,) = world.parse().values()
    assert (snapshot.state, snapshot.rejected) == ("accepted", 6)


def test_a_list_that_lost_more_than_half_its_rows_is_refused_until_someone_confirms_it(
    world: World,
) -> None:
    world.take_in(
        {
            "list/2020-01-10/a.txt": many(10),
            "list/2020-02-10/a.txt": many(5),
            "list/2020-03-10/a.txt": many(2),
            "list/2020-04-10/a.txt": many(2),
            "list/2020-05-10/a.txt": many(4),
        }
    )
    states = {name: p.state for name, p in world.parse().items()}
    assert list(states.values()) == ["accepted", "accepted", "refused", "refused", "accepted"]
    assert world.parse()["list 2020-03-10"].reason == (
        "list of 2020-03-10 has 2 rows, less than half of the 5 of the snapshot before it, as if "
        "it were cut short; fetch it again, or if it is whole: shortcast archive confirm "
        "list/2020-03-10."
    )
    third = world.archive.snapshots()[2].files[0]
    marked = replace(third, reason="found right by someone although it is short")
    world.archive.take([[(marked, partial(world.archive.path(third).open, "rb"))]])
    assert {p.state for p in world.parse().values()} == {"accepted"}


def test_a_log_may_be_as_short_as_it_likes_and_a_list_that_is_not_there_has_not_shrunk(
    world: World,
) -> None:
    def read(files: Sequence[Path], as_of: date) -> Reading:
        tables = {LOG.name: frame(files, lines(files)[:1])}
        if as_of.month != 2:
            tables[LIST.name] = frame(files, lines(files))
        return Reading(tables)

    world.source("both", read, LIST, LOG)
    world.take_in({f"both/2020-0{month}-10/a.txt": many(12 // month) for month in (1, 2, 3)})
    states = [p.state for p in world.parse().values()]
    assert states == ["accepted", "accepted", "refused"]  # 12 rows, no list, 4 rows


def test_a_file_that_was_set_aside_stands_in_for_one_that_cannot_be_read(world: World) -> None:
    world.take_in({"list/2020-01-10/a.txt": "HTML\n"})
    world.take_in({"list/2020-01-10/a.txt": "HTML\nagain"})
    world.take_in({"list/2020-01-10/a.txt": many(3)})
    world.take_in({"list/2020-01-10/a.txt": many(9)})
    (snapshot,) = world.parse().values()
    assert (snapshot.state, snapshot.rows) == ("accepted", {"things": 3})
    assert snapshot.checksum == world.archive.stand_ins()["list", date(2020, 1, 10)][1].checksum
    assert world.parse() == {"list 2020-01-10": snapshot}
    assert world.read == []  # the tries are remembered as well


def test_a_snapshot_that_the_archive_has_lost_is_set_apart_until_it_is_back(world: World) -> None:
    world.take_in({f"list/2020-0{month}-10/a.txt": many(10 + month) for month in (1, 2, 3)})
    places = [world.archive.path(s.files[0]) for s in world.archive.snapshots()]
    places[0].unlink()
    places[1].write_text("altered", encoding="utf-8")
    found = world.parse()
    assert [p.state for p in found.values()] == ["refused", "refused", "accepted"]
    assert found["list 2020-01-10"].reason == (
        f"{places[0]} is missing from the archive or no longer what was archived; import it again "
        "(it came from tree/list/2020-01-10/a.txt)."
    )
    world.take_in({})
    assert [p.state for p in world.parse().values()] == ["accepted"] * 3, "not remembered"


def test_an_archive_without_its_files_is_not_taken_for_an_empty_one(world: World) -> None:
    world.take_in({"list/2020-01-10/a.txt": many(10)})
    world.archive.path(world.archive.snapshots()[0].files[0]).unlink()
    with pytest.raises(ShortcastError, match=r"Not one file of .*archive is as it was archived"):
        world.parse()


def test_a_file_that_was_set_aside_stands_in_for_one_that_was_cut_short(world: World) -> None:
    world.take_in({"list/2020-01-10/a.txt": many(10), "list/2020-02-10/a.txt": many(2)})
    world.take_in({"list/2020-02-10/a.txt": many(11)})
    assert [p.rows["things"] for p in world.parse().values()] == [10, 11]


# --- Defects -------------------------------------------------------------------------------------


def test_a_reader_that_fails_stops_the_build_and_the_snapshot_is_named(world: World) -> None:
    def fail(files: Sequence[Path], as_of: date) -> Reading:
        if as_of.month == 2:
            raise KeyError("Classification")
        return read_list(files, as_of)

    world.source("list", fail, LIST)
    world.take_in({"list/2020-01-10/a.txt": many(9), "list/2020-02-10/a.txt": many(5)})
    with pytest.raises(
        parse.ReaderDefectError,
        match=r"the reader of list failed on its snapshot of 2020-02-10 \(a\.txt\); this is a defe",
    ) as failure:
        world.parse()
    assert isinstance(failure.value.__cause__, KeyError)
    # What was read before it is not read again once the reader is mended.
    world.source("list", read_list, LIST)
    assert len(world.parse()) == 2
    assert world.read == ["list 2020-02-10"]


def test_a_column_that_is_not_declared_is_a_defect(world: World) -> None:
    def read(files: Sequence[Path], as_of: date) -> Reading:
        return Reading({LIST.name: frame(files, ["a"]).assign(known_from=date(2000, 1, 1))})

    world.source("list", read, LIST)
    world.take_in({"list/2020-01-10/a.txt": "a"})
    with pytest.raises(parse.ReaderDefectError) as failure:
        world.parse()
    assert str(failure.value.__cause__) == "things: undeclared column(s) ['known_from']"


def test_a_process_killed_for_want_of_memory_is_no_defect_of_a_reader(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pool:
        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *_: object) -> None: ...

        def shutdown(self, **_: object) -> None: ...

        def submit(self, *_: object) -> Future[None]:
            future: Future[None] = Future()
            future.set_exception(BrokenProcessPool("a process died"))
            return future

    monkeypatch.setattr(parse, "_pool", lambda workers, snapshots: Pool())
    world.take_in({"list/2020-01-10/a.txt": many(3)})
    with pytest.raises(ShortcastError, match=r"killed, probably for want of memory; free some"):
        world.parse()


def test_small_snapshots_are_read_here_and_large_ones_in_processes() -> None:
    def snapshots(*sizes: int) -> list[Snapshot]:
        return [
            Snapshot("list", date(2020, 1, n), (ArchivedFile("list", "", "", "", size, "", ""),))
            for n, size in enumerate(sizes, 1)
        ]

    big = parse.PROCESSES_FROM_BYTES
    for workers, sizes, kind in (
        (2, (10, 20), ThreadPoolExecutor),
        (2, (big,), ThreadPoolExecutor),  # one alone gains nothing
        (1, (big, big), ThreadPoolExecutor),
        (2, (big, 10), ProcessPoolExecutor),
    ):
        with parse._pool(workers, snapshots(*sizes)) as pool:
            assert isinstance(pool, kind)


def test_sources_that_are_no_longer_known_are_left_out(world: World) -> None:
    world.take_in({"list/2020-01-10/a.txt": many(3)})
    del world.sources["list"]
    assert world.parse() == {}
