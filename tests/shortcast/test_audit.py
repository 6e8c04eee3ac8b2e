"""The poisoned future: it must find what looks ahead, and be silent where nothing does."""

from __future__ import annotations

import gzip
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_records import TREE, inspection, inspections, listing, shortage_list, write_tree

from shortcast.audit import falsify, future, poisoned_future
from shortcast.audit.compare import compare_panels
from shortcast.audit.days import read_days, write_days
from shortcast.audit.declared import ALIASES, DECLARED
from shortcast.audit.falsify import Falsified, falsify_source, falsify_tree
from shortcast.audit.raw import read_raw
from shortcast.errors import ShortcastError
from shortcast.features import facts, groups, links, warehouse
from shortcast.features.asof import AsOf
from shortcast.features.facts import TableFile
from shortcast.features.sources import registry
from shortcast.features.sources.contract import Table
from shortcast.features.warehouse import open_warehouse
from shortcast.processes import processes
from shortcast.settings import Settings, settings

MONTH = "2020-04"
CUT = date(2020, 4, 1)


class InThisProcess(ThreadPoolExecutor):
    """Stands in for the pool of processes: starting one takes longer than the tiny records."""

    def __init__(self, _workers: int) -> None:
        super().__init__(1)


@pytest.fixture(scope="module", autouse=True)
def _one_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(falsify, "processes", InThisProcess)
        yield


#: What a quick world is made of; `make test-slow` takes all sources.
FEW_SOURCES = ("drugsatfda", "fda_shortages", "ndc_directory")


@dataclass(frozen=True)
class World:
    """The tiny records, or some of them, and a falsified copy, each with tree and home."""

    records: Path
    copy: Path
    true: Settings
    false: Settings
    done: Falsified


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(FEW_SOURCES, id="few"),
        pytest.param(tuple(DECLARED), id="all", marks=pytest.mark.slow),
    ],
)
def world(
    request: pytest.FixtureRequest, tiny_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """The tiny records, and a copy in which all that became known from T on is false."""
    folder = tmp_path_factory.mktemp("audit")
    files = {place: raw for place, raw in TREE.items() if place.split("/")[0] in request.param}
    records = write_tree(folder / "records", files)
    true = Settings(home=folder / "true", threads=1)
    false = Settings(home=folder / "false", threads=1)
    # What is true was read already.
    shutil.copytree(tiny_home / "parsed", true.parsed)
    future.make_home(records, true)
    done = falsify_tree(records, folder / "copy", CUT, future.tables_held(true))
    shutil.copytree(true.parsed, false.parsed)
    future.make_home(folder / "copy", false)
    return World(records, folder / "copy", true, false, done)


def snapshots_of(tree: Path) -> dict[tuple[str, str], dict[str, bytes]]:
    """The files of a tree by source and day."""
    found: dict[tuple[str, str], dict[str, bytes]] = {}
    for path in sorted(p for p in tree.rglob("*") if p.is_file()):
        source, day, name = path.relative_to(tree).parts
        found.setdefault((source, day), {})[name] = path.read_bytes()
    return found


# --- the false future ------------------------------------------------------------------------


def test_every_source_is_declared() -> None:
    assert set(DECLARED) == set(registry())


def test_a_source_that_is_not_declared_stops_the_audit(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"news_of_tomorrow/2020-01-01/a.csv": b"a,b\n1,2\n"})
    with pytest.raises(ShortcastError, match=r"news_of_tomorrow became public; declare it"):
        falsify_tree(tree, tmp_path / "out", CUT, {})


#: Sources of which there are no real records here: their names are held against the tiny ones.
NOT_AT_HAND = ("fda_citations", "fda_import_refusals", "openfda_ndc")


@pytest.mark.parametrize("source", NOT_AT_HAND)
def test_columns_that_are_declared_occur_in_the_tiny_files(source: str, tmp_path: Path) -> None:
    ((name, raw),) = ((name, raw) for name, raw in TREE.items() if name.startswith(f"{source}/"))
    path = tmp_path / name.split("/")[-1]
    path.write_bytes(raw)
    (frame,) = read_raw(path).tables.values()
    (rule,) = DECLARED[source].rules
    # The one product is neither given up nor due to be listed again.
    seen = {*frame.columns, "marketingenddate", "listingexpirationdate"}
    assert {*rule.later, *rule.days, *rule.names, *rule.ids} <= seen


@pytest.mark.slow
@pytest.mark.records
def test_columns_that_are_declared_occur_in_the_files(records_dir: Path) -> None:
    """A name that is misspelt would leave its column true, and the audit blind to it."""
    named: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {}
    for source, declared in DECLARED.items():
        rules = declared.rules
        # Two sources share their rules: the same list as a table, and as openFDA gives it.
        group = source.replace("openfda_shortages", "fda_shortages")
        for rule in rules:
            columns = {*rule.later, *rule.days, *rule.names, *rule.amounts, *rule.ids}
            named.setdefault(group, set()).update(columns, {rule.needs} - {""})
        if source in NOT_AT_HAND:
            assert not (records_dir / source).exists()
            del named[group]
            continue
        folders = sorted((records_dir / source).iterdir())
        for place in {0, len(folders) // 3, len(folders) // 2, len(folders) - 1}:
            for path in sorted(folders[place].iterdir()):
                tables = read_raw(path, {rule.table for rule in rules} - {""} or None).tables
                for frame in tables.values():
                    columns = {ALIASES.get(name, name) for name in frame.columns}
                    found.setdefault(group, set()).update(columns)
    missing = {source: named[source] - found[source] for source in named}
    # The agency's own price files have a description; the ones at hand were shortened.
    assert missing.pop("nadac") <= {"ndcdescription"}
    assert {source: names for source, names in missing.items() if names} == {}


def test_each_falsified_snapshot_is_read_and_is_not_what_it_was(world: World) -> None:
    future.check_taken(world.false, world.done)
    true, false = snapshots_of(world.records), snapshots_of(world.copy)
    assert true.keys() <= false.keys()
    made_up = set(world.done.snapshots) - true.keys()
    assert len(made_up) == world.done.made_up
    assert made_up >= {("drugsatfda", str(CUT)), ("fda_shortages", str(CUT))}
    assert {day for _, day in made_up} == {str(CUT)}
    later = {key for key in true if key[1] >= str(CUT)}
    assert later
    assert later <= set(world.done.snapshots)
    assert [key for key in later if true[key] == false[key]] == []
    assert {source for source, _ in world.done.snapshots} == {source for source, _ in true}


def test_snapshots_from_before_are_kept_byte_for_byte(world: World) -> None:
    true, false = snapshots_of(world.records), snapshots_of(world.copy)
    before = {key for key in true if key[1] < str(CUT) and not DECLARED[key[0]].foresight}
    assert len(before) > 2
    assert {key: false[key] for key in before} == {key: true[key] for key in before}


def known_before(config: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """What was visible of each table at T, without where it stands in its file."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with open_warehouse(config) as connection:
        for table in {t.name: t for s in registry().values() for t in s.tables}.values():
            # When a row ceases to be visible is known with the file that ends it: false there.
            named = [c.name for c in table.columns if not c.volatile]
            names = [*named, "event_date", "published_at", "known_from", "source", "withdrawn"]
            found[table.name] = connection.execute(
                f"""
                SELECT {", ".join(f'"{name}"' for name in names)} FROM {table.name}
                WHERE known_from < $t AND (known_until IS NULL OR $t <= known_until)
                ORDER BY ALL
                """,
                {"t": CUT},
            ).fetchall()
    return found


def test_what_was_known_before_is_known_in_the_copy_and_nothing_else(world: World) -> None:
    true, false = known_before(world.true), known_before(world.false)
    assert {name: rows for name, rows in false.items() if rows != true[name]} == {}
    assert len([name for name, rows in true.items() if rows]) > 5


def test_the_same_records_and_day_make_the_same_false_future(world: World, tmp_path: Path) -> None:
    held = future.tables_held(world.true)
    falsify_source(world.records / "fda_shortages", tmp_path / "fda_shortages", CUT, held)
    again = snapshots_of(tmp_path)
    copy = snapshots_of(world.copy)
    assert again == {key: copy[key] for key in copy if key[0] == "fda_shortages"}


def test_only_what_a_file_is_the_first_to_say_is_falsified(tmp_path: Path) -> None:
    """Inspections count as known 90 days after they ended, if the last file was before that."""
    lag = timedelta(days=90)
    ends = [date(2019, 1, 1) + timedelta(days=2 * n) for n in range(300)]
    rows = [inspection(1000 + n, f"Firm {n}", str(end), "NAI") for n, end in enumerate(ends)]
    held = date(2019, 8, 1)
    tree = write_tree(
        tmp_path / "tree",
        {
            f"fda_inspections/{held}/inspections.csv.gz": inspections(
                *(row for row, end in zip(rows, ends, strict=True) if end < held)
            ),
            "fda_inspections/2020-09-01/inspections.csv.gz": inspections(*rows),
        },
    )
    both = dict.fromkeys(
        [("fda_inspections", str(held)), ("fda_inspections", "2020-09-01")],
        frozenset({"inspections"}),
    )
    falsify_source(tree / "fda_inspections", tmp_path / "copy", CUT, both)
    # The snapshot that is made up for T itself is the first to say what became known before.
    raw = gzip.decompress((tmp_path / f"copy/{CUT}/inspections.csv.gz").read_bytes())
    lines = raw.decode().splitlines()
    false = [tuple(line.split(",")) for line in lines[1:]]
    said_before = {row for row, end in zip(rows, ends, strict=True) if held < end + lag < CUT}
    assert len(said_before) > 100
    assert said_before <= set(false)
    assert len(set(rows) - set(false)) > 30
    for row in set(false) - said_before:
        public = date.fromisoformat(row[5]) + lag
        assert not held < public < CUT, row
    made_up = {row[4] for row in false} - {row[4] for row in rows}
    assert len(made_up) > 5


def falsified_list(folder: Path, rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Rows of the shortage list as a capture of T shows them when what came later is false."""
    write_tree(
        folder / "tree", {"fda_shortages/2020-09-14/Drugshortages.csv": shortage_list(*rows)}
    )
    held = {("fda_shortages", "2020-09-14"): frozenset({"shortage_listings"})}
    falsify_source(folder / "tree/fda_shortages", folder / "copy", CUT, held)
    (frame,) = read_raw(folder / f"copy/{CUT}/Drugshortages.csv").tables.values()
    return list(frame[frame.columns[:15]].itertuples(index=False, name=None))


def test_of_a_listing_that_was_posted_before_only_its_state_is_falsified(tmp_path: Path) -> None:
    posted = [
        listing(
            f"Velmoril {n} Injection",
            f"Firm {n}",
            posted="3/1/2020",
            updated="3/20/2020" if n % 2 else "8/1/2020",
        )
        for n in range(60)
    ]
    false = falsified_list(tmp_path, posted)
    copied = {row[0]: row for row in false if row[14] == "3/1/2020"}
    assert copied.keys() >= {row[0] for row in posted}
    for row in posted[1::2]:
        assert copied[row[0]] == row, "all of it was known before"
    for row in posted[::2]:
        name, company, _, presentation = row[:4]
        assert (copied[name][1], copied[name][3]) == (company, presentation)
        assert read_days(pd.Series([copied[name][5]], dtype=object))[0] >= pd.Timestamp(CUT)
    assert len({copied[row[0]][11] for row in posted[::2]}) == 3, "every status occurs"


def test_what_was_posted_as_a_notice_of_discontinuation_stays_one(tmp_path: Path) -> None:
    """Of a listing that became one, the list would tell by the day of the notice."""
    notices = [
        listing(
            f"Talverine {n} Drops",
            f"Firm {n}",
            status="To Be Discontinued",
            kind="New",
            posted="3/1/2020",
            changed="3/1/2020",
            updated="8/1/2020",
        )
        for n in range(40)
    ]
    copied = {row[0]: row for row in falsified_list(tmp_path, notices) if row[14] == "3/1/2020"}
    assert copied.keys() >= {row[0] for row in notices}
    for row in notices:
        status, changed = copied[row[0]][11:13]
        assert (status, changed) == ("To Be Discontinued", "3/1/2020")
    assert [row for row in notices if copied[row[0]] != row], "what it says since is false"


# --- what the audit says ---------------------------------------------------------------------


@pytest.fixture
def audit(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Told]:
    """The whole audit on the homes that stand, which takes a second and not ten."""
    homes = {"true": world.true.home, "false": world.false.home}

    def make_home(_records: Path, config: Settings, _progress: future.Progress) -> None:
        shutil.copytree(homes[config.home.name], config.home, dirs_exist_ok=True)

    def falsify_again(_records: Path, out: Path, *_: Any, **__: Any) -> Falsified:
        shutil.copytree(world.copy, out)
        return world.done

    monkeypatch.setattr(future, "make_home", make_home)
    monkeypatch.setattr(future, "falsify_tree", falsify_again)
    monkeypatch.setattr(future, "FIRST_MONTH", "2020-01")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def run() -> Told:
        lines: list[str] = []
        return Told(poisoned_future(world.records, [MONTH], lines.append), lines)

    return run


@dataclass(frozen=True)
class Told:
    """What the audit returns, and what it says on its way."""

    sentences: list[str]
    progress: list[str]

    @property
    def columns(self) -> set[str]:
        """The columns that it names; ``rows`` for rows that stand in one panel only."""
        found = {
            re.fullmatch(
                r"T = 2020-04: (?:(\w+) differs in [1-9]\d* rows|\d+ (rows) stand in one panel "
                r"only), the first is \S+--\S+ at 2020-0[1-4]-01.*",
                sentence,
            )
            for sentence in self.sentences
        }
        return {match[1] or match[2] for match in found if match}


def test_without_a_leak_it_finds_nothing_although_the_future_is_another(
    audit: Callable[[], Told], tmp_path: Path
) -> None:
    told = audit()
    assert told.sentences == []
    reaction = re.search(
        r"at 2020-10-01 the false future shows in (\d+) columns", told.progress[-1]
    )
    assert reaction
    assert int(reaction[1]) > 15
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def columns_of(*names: str) -> set[str]:
    return {f.name for name in names for f in groups.registry()[name].features}


def look_ahead(patch: pytest.MonkeyPatch, table: str) -> None:
    """Let features see what one table holds half a year before it was known."""
    known = AsOf.known

    def leaky(view: AsOf, name: str, where: str = "TRUE", columns: str = "f.*") -> str:
        if name != table:
            return known(view, name, where, columns)
        return (
            f"(SELECT d.as_of, {columns} FROM as_of_dates AS d JOIN {name} AS f "
            f"ON f.known_from < d.as_of + INTERVAL 6 MONTH WHERE {where})"
        )

    patch.setattr(AsOf, "known", leaky)


#: Keys of the panel, which stand in no group.
KEYS = {"rows", "at_risk"}


@pytest.mark.parametrize(
    ("table", "touched", "named"),
    [
        (
            "drug_postings",
            KEYS | columns_of("history"),
            {"at_risk", "listings_before", "ever_listed"},
        ),
        pytest.param(
            "drug_approvals",
            KEYS | columns_of("history", "makers", "traits"),
            {"newest_approval_years"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_group_that_looks_ahead_is_found_and_its_columns_are_named(
    table: str,
    touched: set[str],
    named: set[str],
    audit: Callable[[], Told],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look_ahead(monkeypatch, table)
    told = audit()
    assert len(told.columns) == len(told.sentences)
    assert named <= told.columns <= touched


@pytest.mark.slow
def test_a_link_that_dates_rows_too_early_fails_the_audit_from_the_tree_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_links = links.make_links

    def too_early(connection: duckdb.DuckDBPyConnection, **more: Any) -> None:
        make_links(connection, **more)
        connection.execute("UPDATE drug_postings SET known_from = known_from - INTERVAL 6 MONTH")

    monkeypatch.setattr(links, "make_links", too_early)
    monkeypatch.setattr(future, "FIRST_MONTH", "2020-01")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("SHORTCAST_HOME", str(world.true.home))
    settings.cache_clear()
    records = snapshots_of(world.records)
    lines: list[str] = []
    told = Told(poisoned_future(world.records, [MONTH], lines.append), lines)
    named = {"at_risk", "listings_before", "ever_listed"}
    assert named <= told.columns <= KEYS | columns_of("history")
    assert snapshots_of(world.records) == records
    parsed = {line.split()[2].rstrip(":") for line in lines if re.match(r"\[\d+/\d+\]", line)}
    assert {str(CUT), "2020-09-14"} <= parsed
    assert {"2018-04-09", "2019-12-23"} & parsed == set(), "these were parsed before"


@pytest.mark.slow
def test_facts_known_from_the_day_they_are_about_fail_the_audit(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reporting lags are switched off, as in `benchmarks/lags_off.py`."""

    def without_lags(
        connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[TableFile]
    ) -> None:
        facts.make_facts(connection, table, files)
        connection.execute(
            f"UPDATE {table.name} SET known_from = event_date "
            "WHERE NOT withdrawn AND event_date < known_from"
        )

    monkeypatch.setattr(warehouse, "make_facts", without_lags)
    monkeypatch.setattr(future, "FIRST_MONTH", "2020-01")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("SHORTCAST_HOME", str(world.true.home))
    settings.cache_clear()
    told = Told(poisoned_future(world.records, [MONTH]), [])
    named = {"at_risk", "listings_before", "newest_approval_years"}
    if (world.records / "fda_inspections").exists():
        named |= {"firm_oai_24m", "firm_letters_24m", "partb_log_price_usd", "uk_concession_now"}
    assert told.columns >= named


def test_a_falsified_snapshot_that_was_not_read_stops_the_audit(
    world: World, audit: Callable[[], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its rows would be missing, and nothing could leak from them."""
    lost = replace(world.done, snapshots=(*world.done.snapshots, ("nadac", "2019-12-31")))
    falsify_again = future.falsify_tree

    def lose(*arguments: Any, **named: Any) -> Falsified:
        falsify_again(*arguments, **named)
        return lost

    monkeypatch.setattr(future, "falsify_tree", lose)
    with pytest.raises(ShortcastError, match=r"nadac of 2019-12-31 was not read \(it was not imp"):
        audit()


@pytest.mark.parametrize(
    ("months", "sentence"),
    [
        (["2020-13"], "'2020-13' is not a month"),
        (["2014-12"], "Name at least one month T, not before 2015-01"),
        ([], "Name at least one month"),
    ],
)
def test_a_month_that_cannot_be_audited_is_refused(
    months: list[str], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ShortcastError, match=sentence):
        poisoned_future(tmp_path, months)


def test_an_audit_with_nothing_to_falsify_is_none(world: World, tmp_path: Path) -> None:
    """Else it would always pass."""
    tree = tmp_path / "tree"
    shutil.copytree(world.records / "ndc_directory", tree / "ndc_directory")
    with pytest.raises(ShortcastError, match="so there is nothing to falsify; choose an earlier"):
        falsify_tree(tree, tmp_path / "copy", CUT, {})


# --- two panels --------------------------------------------------------------------------------


def write_panel(path: Path, **columns: list[Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_panels_are_compared_cell_by_cell_within_the_dates(tmp_path: Path) -> None:
    days = [date(2020, 1, 1), date(2020, 2, 1), date(2020, 3, 1), date(2020, 4, 1)]
    same = {"drug_id": list("aabb"), "as_of": days, "at_risk": [True, None, False, True]}
    true = write_panel(
        tmp_path / "t", **same, price=[1.0, None, None, 5.0], share=[None, 0.0, float("nan"), 1.0]
    )
    false = write_panel(
        tmp_path / "f", **same, price=[1.0, None, 2.0, 9.0], share=[0.0, 0.0, float("nan"), 1.0]
    )
    found = compare_panels(true, false, days[0], days[2])
    assert [(d.column, d.cells, d.drug_id, d.as_of, d.true, d.false) for d in found] == [
        ("price", 1, "b", days[2], "missing", "2.0"),
        ("share", 1, "a", days[0], "missing", "0.0"),
    ]
    assert found[0].sentence("2020-03") == (
        "T = 2020-03: price differs in 1 rows, the first is b at 2020-03-01: missing from the "
        "records, 2.0 from the falsified copy"
    )
    assert compare_panels(true, false, days[1], days[1]) == []


@pytest.mark.parametrize("lacks", ["t", "f"])
def test_a_row_that_one_panel_lacks_is_told(lacks: str, tmp_path: Path) -> None:
    days = [date(2020, 1, 1)] * 2
    whole = {"drug_id": ["a", "b"], "as_of": days, "at_risk": [True, True], "price": [1.0, 2.0]}
    part = {name: values[:1] for name, values in whole.items()}
    for name in ("t", "f"):
        write_panel(tmp_path / name, **(part if name == lacks else whole))
    (found,) = compare_panels(tmp_path / "t", tmp_path / "f", days[0], days[0])
    told = ("none", "a row") if lacks == "t" else ("a row", "none")
    assert (found.column, found.cells, found.drug_id, found.true, found.false) == (
        *("rows", 1, "b"),
        *told,
    )
    assert "1 rows stand in one panel only, the first is b at 2020-01-01" in found.sentence("2020")


def test_panels_with_different_columns_are_not_compared(tmp_path: Path) -> None:
    day = [date(2020, 1, 1)]
    true = write_panel(tmp_path / "t", drug_id=["a"], as_of=day, at_risk=[True], price=[1.0])
    false = write_panel(tmp_path / "f", drug_id=["a"], as_of=day, at_risk=[True])
    with pytest.raises(ValueError, match="same columns"):
        compare_panels(true, false, day[0], day[0])


# --- days --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "day", "later"),
    [
        ("3/1/2020", "2020-03-01", "07/15/2021"),
        ("2020-03-01", "2020-03-01", "2021-07-15"),
        ("20200301", "2020-03-01", "20210715"),
        ("2020-03-01 00:00:00", "2020-03-01", "2021-07-15 00:00:00"),
        ("2020-03-01T00:00:00Z", "2020-03-01", "2021-07-15T00:00:00Z"),
        ("Mar 1, 2020", "2020-03-01", "Jul 15, 2021"),
        ("2020-03", "2020-03-01", "2021-07"),
        ("2020", "2020-12-31", "2021"),
        (2020, "2020-12-31", 2021),
    ],
)
def test_days_are_read_and_written_as_the_file_has_them(
    cell: object, day: str, later: object
) -> None:
    cells = pd.Series([None, cell, "", " never "], dtype=object)
    found = read_days(cells)
    assert found.notna().tolist() == [False, True, False, False]
    assert found[1] == pd.Timestamp(day)
    assert write_days(pd.Series(pd.to_datetime(["2021-07-15"])), cells) == [later]


def test_a_column_without_a_day_shows_no_way_to_write_one() -> None:
    with pytest.raises(ValueError, match="no day"):
        write_days(pd.Series(pd.to_datetime(["2021-07-15"])), pd.Series(["", "x"], dtype=object))


# --- the real records --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.records
def test_no_cell_of_the_real_panel_knows_the_future(
    records_dir: Path, real_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(falsify, "processes", processes)
    # What was parsed for the other tests is not parsed again.
    monkeypatch.setenv("SHORTCAST_HOME", str(real_home))
    settings.cache_clear()
    told: list[str] = []
    assert poisoned_future(records_dir, ["2021-05"], told.append) == []
    (reaction,) = [line for line in told if "the false future shows in" in line]
    match = re.search(r"shows in (\d+) columns", reaction)
    assert match
    assert int(match[1]) > 60
