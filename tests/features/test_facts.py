"""From snapshots to facts: which version of a row was known from when until when."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scratch import scratch

from shortcast.features.facts import FACT_COLUMNS, TableFile, make_facts
from shortcast.features.sources.contract import Column, Table

Row = dict[str, Any]
Snapshots = Sequence[tuple[date, Sequence[Row]]]

COLUMNS = (
    Column("name", "VARCHAR", "names the row"),
    Column("says", "VARCHAR", "what it says"),
    Column("whim", "VARCHAR", "comes and goes", volatile=True),
)
LIST = Table("made", "a list", COLUMNS, key=("name",), is_list=True)
LOG = Table("made", "a log", COLUMNS, key=("name",))
LAGGED = Table("made", "a log", COLUMNS, key=("name",), assumed_lag_days=30)

SCHEMA = pa.schema(
    [
        *((c.name, pa.string()) for c in COLUMNS),
        *((t, pa.date32()) for t in ("event_date", "published_at", "withdrawn_at", "observed_at")),
        *((t, pa.string()) for t in ("source", "source_file")),
        ("source_row", pa.int64()),
    ]
)


def row(name: str, says: str = "this", **more: Any) -> Row:
    return {"name": name, "says": says, **more}


def day(text: str) -> date:
    return date.fromisoformat(text)


def facts(table: Table, **cases: Snapshots) -> list[Row]:
    """The fact rows of a table that the snapshots of these sources hold."""
    with tempfile.TemporaryDirectory() as folder, scratch() as connection:
        files = []
        for source, snapshots in cases.items():
            for as_of, rows in snapshots:
                lineage = {"source": source, "source_file": "made.csv", "observed_at": as_of}
                whole = [{**lineage, "source_row": n, **r} for n, r in enumerate(rows, start=1)]
                path = Path(folder) / f"{source}'s {as_of}.parquet"  # a home may have an apostrophe
                pq.write_table(pa.Table.from_pylist(whole, schema=SCHEMA), path)
                files.append(TableFile(source, as_of, path))
        make_facts(connection, table, files)
        return connection.sql("SELECT * FROM made").to_arrow_table().to_pylist()


def told(table: Table, snapshots: Snapshots) -> list[str]:
    """Each version as 'name says: from .. until', 'gone' where it was withdrawn."""
    found = sorted(
        facts(table, one=snapshots), key=lambda f: (f["name"], f["occurrence"], f["known_from"])
    )
    return [
        f"{f['name']} {'gone' if f['withdrawn'] else f['says']}: "
        f"{f['known_from']} until {f['known_until'] or 'now'}"
        for f in found
    ]


FIRST, SECOND, THIRD, FOURTH = (
    day("2020-01-10"),
    day("2020-04-10"),
    day("2020-07-10"),
    day("2020-10-10"),
)


def test_a_row_without_dates_is_known_from_the_snapshot_that_shows_it() -> None:
    assert told(LOG, [(FIRST, [row("a")]), (SECOND, [row("a"), row("b")])]) == [
        "a this: 2020-01-10 until now",
        "b this: 2020-04-10 until now",
    ]


def test_a_row_of_the_first_snapshot_is_known_since_it_was_published() -> None:
    published = row("a", published_at=day("2012-03-04"))
    assert told(LOG, [(FIRST, [published])]) == ["a this: 2012-03-04 until now"]


def test_a_publication_between_two_snapshots_counts() -> None:
    new = row("b", published_at=day("2020-02-20"))
    assert told(LOG, [(FIRST, [row("a")]), (SECOND, [row("a"), new])])[1] == (
        "b this: 2020-02-20 until now"
    )


@pytest.mark.parametrize("claimed", ["2019-12-31", "2020-01-10"])
def test_a_back_dated_row_is_known_from_the_snapshot_not_from_its_claim(claimed: str) -> None:
    """The snapshot of January did not show it, whatever the row says of itself."""
    late = row("b", published_at=day(claimed))
    assert told(LOG, [(FIRST, [row("a")]), (SECOND, [row("a"), late])])[1] == (
        "b this: 2020-04-10 until now"
    )


def test_a_claim_to_the_future_is_not_believed() -> None:
    early = row("a", published_at=day("2020-01-11"))
    assert told(LOG, [(FIRST, [early])]) == ["a this: 2020-01-10 until now"]


def test_history_older_than_the_archive_is_known_after_the_assumed_lag() -> None:
    old = row("a", event_date=day("2015-06-01"))
    recent = row("b", event_date=day("2020-01-01"))  # 30 days later lies after the snapshot
    undated = row("c")
    assert told(LAGGED, [(FIRST, [old, recent, undated])]) == [
        "a this: 2015-07-01 until now",
        "b this: 2020-01-10 until now",
        "c this: 2020-01-10 until now",
    ]


def test_the_assumed_lag_is_for_rows_without_a_publication_and_for_first_versions_alone() -> None:
    published = row("a", event_date=day("2015-06-01"), published_at=day("2018-01-01"))
    before = row("b", event_date=day("2020-02-15"))
    after = row("b", "that", event_date=day("2020-05-20"))
    assert told(LAGGED, [(FIRST, [published]), (SECOND, [before]), (THIRD, [after])]) == [
        "a this: 2018-01-01 until now",
        "b this: 2020-03-16 until 2020-07-10",
        "b that: 2020-07-10 until now",
    ]


def test_a_changed_row_has_a_version_for_each_content() -> None:
    snapshots = [
        (FIRST, [row("a", published_at=day("2019-01-01"))]),
        (SECOND, [row("a", "that", published_at=day("2020-03-03"))]),
        (THIRD, [row("a", "else", published_at=day("2020-03-03"))]),
        (FOURTH, [row("a", "else", published_at=day("2020-09-09"))]),
    ]
    assert told(LOG, snapshots) == [
        "a this: 2019-01-01 until 2020-03-03",
        "a that: 2020-03-03 until 2020-07-10",  # its claim lies before the second snapshot
        "a else: 2020-07-10 until now",  # said again is not said anew
    ]


def test_what_a_list_no_longer_shows_is_withdrawn_and_may_come_back() -> None:
    snapshots = [
        (FIRST, [row("a"), row("b")]),
        (SECOND, [row("b")]),
        (THIRD, [row("a"), row("b")]),
    ]
    assert told(LIST, snapshots) == [
        "a this: 2020-01-10 until 2020-04-10",
        "a gone: 2020-04-10 until 2020-07-10",
        "a this: 2020-07-10 until now",
        "b this: 2020-01-10 until now",
    ]


def test_what_a_log_no_longer_shows_still_happened() -> None:
    snapshots = [(FIRST, [row("a"), row("b")]), (SECOND, [row("b")]), (THIRD, [row("a")])]
    assert told(LOG, snapshots) == [
        "a this: 2020-01-10 until now",
        "b this: 2020-01-10 until now",
    ]


def test_a_row_that_changed_while_it_was_away_was_withdrawn_in_between() -> None:
    snapshots = [
        (FIRST, [row("a")]),
        (SECOND, [row("b")]),
        (THIRD, [row("a", "that", published_at=day("2020-05-05")), row("b")]),
    ]
    assert told(LIST, snapshots)[:3] == [
        "a this: 2020-01-10 until 2020-04-10",
        "a gone: 2020-04-10 until 2020-05-05",
        "a that: 2020-05-05 until now",
    ]


def test_a_change_in_a_volatile_column_alone_makes_no_version() -> None:
    snapshots = [
        (FIRST, [row("a", whim="x")]),
        (SECOND, [row("a")]),
        (THIRD, [row("a", whim="y")]),
    ]
    assert told(LIST, snapshots) == ["a this: 2020-01-10 until now"]


def test_the_same_row_twice_counts_once_and_different_rows_under_one_key_both_count() -> None:
    twice = row("a", event_date=day("2019-01-01"))
    other = row("a", "that", event_date=day("2019-02-02"))
    assert told(LIST, [(FIRST, [twice, twice, other]), (SECOND, [other, twice])]) == [
        "a this: 2020-01-10 until now",
        "a that: 2020-01-10 until now",
    ]


def test_a_withdrawal_that_the_source_dates_counts_from_its_own_day() -> None:
    seen = row("a", published_at=day("2015-01-01"), withdrawn_at=day("2016-06-06"))
    assert told(LOG, [(FIRST, [seen])]) == [
        "a this: 2015-01-01 until 2016-06-06",
        "a gone: 2016-06-06 until now",
    ]


def test_a_row_withdrawn_before_it_was_known_never_counts_as_in_force() -> None:
    late = row("b", published_at=day("2015-01-01"), withdrawn_at=day("2016-06-06"))
    assert told(LOG, [(FIRST, [row("a")]), (SECOND, [row("a"), late])])[1:] == [
        "b gone: 2020-04-10 until now"
    ]


def test_an_empty_list_withdraws_all_and_a_snapshot_without_the_list_says_nothing() -> None:
    emptied = [(FIRST, [row("a")]), (SECOND, [])]
    assert told(LIST, emptied)[-1] == "a gone: 2020-04-10 until now"
    # The snapshot of SECOND held other tables only, so it is not among the files of this one.
    assert told(LIST, [(FIRST, [row("a")]), (THIRD, [row("a")])]) == [
        "a this: 2020-01-10 until now"
    ]
    new = row("b", published_at=day("2020-03-03"))
    assert "b this: 2020-03-03 until now" in told(LIST, [(FIRST, [row("a")]), (THIRD, [new])])


def test_without_any_snapshot_the_table_is_empty_with_all_its_columns() -> None:
    with scratch() as connection:
        make_facts(connection, LIST, [])
        made = connection.sql("SELECT * FROM made")
        assert made.columns == [*(c.name for c in COLUMNS), *FACT_COLUMNS]
        assert made.fetchall() == []


def test_two_sources_that_feed_one_table_do_not_withdraw_each_other_s_rows() -> None:
    found = facts(LIST, here=[(FIRST, [row("a")])], there=[(SECOND, [row("a")])])
    assert sorted((f["source"], f["known_from"], f["withdrawn"]) for f in found) == [
        ("here", FIRST, False),
        ("there", SECOND, False),
    ]


# --- The same rules once more, row by row, in plain Python. -------------------------------------


@dataclass
class Version:
    """A content of one row, from the snapshot that first shows it to the one that last does."""

    row: Row
    known_from: date
    last: int


def naive_facts(table: Table, snapshots: Snapshots) -> list[tuple[Any, ...]]:
    days = [as_of for as_of, _ in snapshots]
    chains: dict[tuple[str, int], list[Version]] = {}
    for number, (as_of, rows) in enumerate(snapshots):
        unique = {steady(r): r for r in reversed(rows)}.values()
        for name in {r["name"] for r in unique}:
            same_key = sorted(
                (r for r in unique if r["name"] == name),
                key=lambda r: r.get("event_date") or date.max,
            )
            for occurrence, r in enumerate(same_key, start=1):
                chain = chains.setdefault((name, occurrence), [])
                if chain and steady(chain[-1].row) == steady(r):
                    unbroken = chain[-1].last == number - 1
                    if unbroken or not table.is_list:
                        chain[-1].last = number
                        continue
                claim = r.get("published_at")
                if claim is None and not chain and table.assumed_lag_days and r.get("event_date"):
                    claim = r["event_date"] + timedelta(days=table.assumed_lag_days)
                if claim is None or claim > as_of or (number and claim <= days[number - 1]):
                    claim = as_of
                chain.append(Version(r, claim, number))
    return [fact for chain in chains.values() for fact in spans(table, days, chain)]


def content(r: Row) -> tuple[Any, ...]:
    return (r["name"], r["says"], r.get("event_date"))


def steady(r: Row) -> tuple[Any, ...]:
    return (*content(r), r.get("withdrawn_at"))


def spans(table: Table, days: Sequence[date], chain: Sequence[Version]) -> list[tuple[Any, ...]]:
    """(*content, whim, known_from, known_until, withdrawn) of one row's versions."""
    found = []
    for version, following in zip(chain, [*chain[1:], None], strict=True):
        next_from = following.known_from if following else None
        ends = []
        if version.row.get("withdrawn_at"):
            ends.append(max(version.row["withdrawn_at"], version.known_from))
        if table.is_list and version.last + 1 < len(days):
            missed = days[version.last + 1]
            if next_from is None or missed <= next_from:
                ends.append(missed)
        until = min([*ends, *([next_from] if next_from else [])], default=None)
        what = (*content(version.row), version.row.get("whim"))
        if until != version.known_from:
            found.append((*what, version.known_from, until, False))
        if ends and (next_from is None or min(ends) < next_from):
            found.append((*what, min(ends), next_from, True))
    return found


DAYS = st.dates(day("2019-06-01"), day("2020-12-31"))


@st.composite
def random_snapshots(draw: st.DrawFn) -> Snapshots:
    """Up to five snapshots of a few rows that change, vanish, come back and stand twice."""
    days = sorted(draw(st.sets(DAYS, min_size=1, max_size=5)))
    found = []
    for as_of in days:
        rows = draw(
            st.lists(
                st.builds(
                    row,
                    st.sampled_from("ab"),
                    st.sampled_from(["this", "that"]),
                    whim=st.sampled_from([None, "x"]),
                    event_date=st.sampled_from([None, day("2019-07-01"), day("2020-02-02")]),
                    published_at=st.none() | DAYS,
                    withdrawn_at=st.none() | st.sampled_from([day("2019-09-09"), as_of]),
                ),
                max_size=4,
                # Rows of one key are told apart by their day; on one day the order is any.
                unique_by=lambda r: (r["name"], r["event_date"]),
            )
        )
        found.append((as_of, rows + rows[:1]))  # and one of them is written twice
    return found


#: Several at a time, each as a source of its own: a build takes longer than a look at its rows.
CASES = st.lists(random_snapshots(), min_size=1, max_size=12).map(
    lambda found: {f"case{n}": snapshots for n, snapshots in enumerate(found)}
)
TABLES = st.sampled_from([LIST, LOG, LAGGED])


@settings(max_examples=8, deadline=None)
@given(CASES, TABLES)
def test_every_version_agrees_with_the_rules_followed_row_by_row(
    cases: dict[str, Snapshots], table: Table
) -> None:
    found = facts(table, **cases)
    for source, snapshots in cases.items():
        mine = [
            (*content(f), f["whim"], f["known_from"], f["known_until"], f["withdrawn"])
            for f in found
            if f["source"] == source
        ]
        assert sorted(mine, key=str) == sorted(naive_facts(table, snapshots), key=str)


def in_force(fact: Row, t: date) -> bool:
    return fact["known_from"] < t and (fact["known_until"] is None or t <= fact["known_until"])


def visible(found: list[Row], source: str, t: date) -> list[tuple[str, ...]]:
    return sorted(
        (*map(str, content(f)), str(f["whim"]), str(f["withdrawn"]), str(f["known_from"]))
        for f in found
        if f["source"] == source and in_force(f, t)
    )


@settings(max_examples=6, deadline=None)
@given(CASES, TABLES, st.data())
def test_a_later_snapshot_changes_nothing_of_what_was_known_before(
    cases: dict[str, Snapshots], table: Table, data: st.DataObject
) -> None:
    """Claims are believed back to the snapshot before, so that is how far the past is fixed."""
    held = {
        source: snapshots[: data.draw(st.integers(1, len(snapshots)))]
        for source, snapshots in cases.items()
    }
    then, now = facts(table, **held), facts(table, **cases)
    for source, snapshots in held.items():
        days = [as_of for as_of, _ in snapshots]
        for t in [*days, days[-1] + timedelta(days=1)]:
            assert visible(now, source, t) == visible(then, source, t)


@settings(max_examples=6, deadline=None)
@given(CASES)
def test_on_the_day_after_a_snapshot_a_list_says_what_that_snapshot_shows(
    cases: dict[str, Snapshots],
) -> None:
    found = facts(LIST, **cases)
    for source, snapshots in cases.items():
        for as_of, rows in snapshots:
            shown = {
                content(r)[:3]
                for r in rows
                if r["withdrawn_at"] is None or r["withdrawn_at"] > as_of
            }
            t = as_of + timedelta(days=1)
            told_then = {
                content(f)[:3]
                for f in found
                if f["source"] == source and in_force(f, t) and not f["withdrawn"]
            }
            assert told_then == shown
