"""Shortage spells: onsets and ends in hindsight, and listings as known at a date."""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scratch import scratch

from shortcast.features.asof import AsOf
from shortcast.features.facts import TableFile, make_facts
from shortcast.features.links.listings import link_listings
from shortcast.features.sources._shortage_tables import LISTINGS, POSTINGS
from shortcast.features.sources.contract import Table
from shortcast.features.sources.fda_shortages_html import SPELLS
from shortcast.features.spells import known_listings, make_spells

#: Invented drugs, one for each case of a test.
NAMES = [
    f"{a}{b}" for a in ("Alven", "Belq", "Corv", "Dast", "Effen") for b in ("or", "ine", "um", "il")
]


@dataclass(frozen=True)
class Shown:
    """What one capture of the list shows of one listing."""

    status: str
    posted: date | None
    updated: date
    changed: date | None = None


Row = dict[str, Any]

NOTICE = "To Be Discontinued"

#: What each capture shows of a listing, None where it does not show it.
Listing = Sequence[Shown | None]


@contextmanager
def warehouse(
    captures: Sequence[date],
    listings: Mapping[str, Sequence[Listing]],
    html: Sequence[tuple[str, date, date, date | None]] = (),
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The shortage tables of captures that show these listings of these drugs, by name.

    Parameters
    ----------
    html : sequence of tuple
        Entries of the older list: name, first seen, last seen, withdrawn at.
    """
    with scratch() as connection, tempfile.TemporaryDirectory() as folder:
        connection.execute("CREATE TABLE snapshots (source VARCHAR, as_of DATE, state VARCHAR)")

        def stored(source: str, as_of: date, table: Table, rows: Sequence[Row]) -> TableFile:
            path = Path(folder) / f"{table.name}-{as_of}.parquet"
            lineage = {"source": source, "source_file": "list.csv", "observed_at": as_of}
            whole = [{**lineage, "source_row": n, **row} for n, row in enumerate(rows, start=1)]
            pq.write_table(pa.Table.from_pylist(whole, schema=schema(table)), path)
            return TableFile(source, as_of, path)

        files: dict[str, list[TableFile]] = defaultdict(list)
        for number, as_of in enumerate(captures):
            connection.execute("INSERT INTO snapshots VALUES (?, ?, 'accepted')", [LIST, as_of])
            shown = [
                (f"{name} Injection", f"Firm {n}", seen)
                for name, of_firms in listings.items()
                for n, listing in enumerate(of_firms)
                if (seen := listing[number]) is not None
            ]
            for table, row in ((LISTINGS, listing_row), (POSTINGS, posting_row)):
                rows = [row(*seen) for seen in shown]
                files[table.name].append(stored(LIST, as_of, table, rows))
        if html:
            rows = [html_row(f"{name} Injection", *rest) for name, *rest in html]  # pyright: ignore[reportArgumentType]
            filed = date(2019, 12, 31)
            files[SPELLS.name].append(stored("fda_shortages_html", filed, SPELLS, rows))
        for table in (LISTINGS, POSTINGS, SPELLS):
            make_facts(connection, table, files[table.name])
        link_listings(connection)
        make_spells(connection)
        yield connection


LIST = "fda_shortages"
_ARROW = {"VARCHAR": pa.string(), "DATE": pa.date32(), "BOOLEAN": pa.bool_()}


def schema(table: Table) -> pa.Schema:
    days = ("event_date", "published_at", "withdrawn_at", "observed_at")
    return pa.schema(
        [
            *((c.name, _ARROW[c.type]) for c in table.columns),
            *((name, pa.date32()) for name in days),
            *((name, pa.string()) for name in ("source", "source_file")),
            ("source_row", pa.int64()),
        ]
    )


def listing_row(generic_name: str, company: str, seen: Shown) -> Row:
    """What the reader of the list makes of a row's present state."""
    return {
        "generic_name": generic_name,
        "company_name": company,
        "presentation": "vial",
        "status": seen.status,
        "update_date": seen.updated,
        "change_date": seen.changed,
        "initial_posting_date": seen.posted,
        "event_date": seen.changed or seen.updated,
        "published_at": max(seen.updated, seen.changed or seen.updated),
    }


def posting_row(generic_name: str, company: str, seen: Shown) -> Row:
    """What it makes of the row's posting: a notice older than its posting was posted as one."""
    as_notice = seen.status == NOTICE and seen.posted == seen.changed
    return {
        "generic_name": generic_name,
        "company_name": company,
        "presentation": "vial",
        "initial_posting_date": seen.posted,
        "posted_as": NOTICE if as_notice else "Current",
        "event_date": seen.posted,
        "published_at": seen.posted or max(seen.updated, seen.changed or seen.updated),
    }


def html_row(generic_name: str, first: date, last: date, gone: date | None) -> Row:
    return {
        "generic_name": generic_name,
        "status": "Current",
        "first_seen": first,
        "last_seen": last,
        "event_date": first,
        "published_at": first,
        "withdrawn_at": gone,
    }


def first_of(number: int, start: date = date(2018, 1, 1)) -> date:
    """The first day of the ``number``-th month from the start."""
    months = start.year * 12 + start.month - 1 + number
    return date(months // 12, months % 12 + 1, 1)


def drawn(line: str) -> tuple[list[date], Listing]:
    """Read a line of months: what the capture on the first of each month shows.

    ``P`` current, posted in the middle of the month before; ``C`` current, as posted then;
    ``U`` current without a posting date; ``R`` resolved, in the middle of the month before;
    ``r`` resolved and still listed; ``D`` a notice of discontinuation that followed a listing;
    ``N`` one that did not; ``.`` nothing; ``-`` no capture in this month.
    """
    captures: list[date] = []
    listing: list[Shown | None] = []
    posted: date | None = None
    seen: Shown | None = None
    for number, mark in enumerate(line):
        day = first_of(number)
        middle = first_of(number - 1) + timedelta(days=14)
        if mark in "PN":
            posted = middle
        if mark == "P":
            seen = Shown("Current", posted, middle)
        elif mark == "U":
            posted, seen = None, Shown("Current", None, day - timedelta(days=400))
        elif mark == "C":
            seen = Shown("Current", posted, seen.updated if seen else middle)
        elif mark == "R":
            seen = Shown("Resolved", posted, middle, middle)
        elif mark in "DN" and (seen is None or seen.status != NOTICE):
            seen = Shown(NOTICE, posted, middle, middle)  # and stays as it was given
        if mark != "-":
            captures.append(day)
            listing.append(None if mark == "." else seen)
    return captures, listing


def month_of(day: date) -> int:
    """The number of the first month that begins on the day or after it."""
    number = (day.year - 2018) * 12 + day.month - 1
    return number if day.day == 1 else number + 1


# One mark a month from January 2018. First what the list shows, of one firm or of two; then the
# spells in hindsight, from ^ (posted in the month before, as with P) to ] (by when it was over);
# then what was known on the second of each month: C current, e ended.
EXAMPLES = {
    "a posting opens a spell, and the first list without it ends it": (
        ["..PCCC.........."],
        "..^...].........",
        "..CCCCeeeeeeeeee",
    ),
    "a spell that lasts has no end": (
        ["..PCCCCCCCCCCCCC"],
        "..^.............",
        "..CCCCCCCCCCCCCC",
    ),
    "absence from one list alone is no end, though it could not be known then": (
        ["..PC.CC........."],
        "..^....]........",
        "..CCeCCeeeeeeeee",
    ),
    "absence from the last list alone is no end yet": (
        ["..PCCCCCCCCCCCC."],
        "..^.............",
        "..CCCCCCCCCCCCCe",
    ),
    "absence from two lists in a row is": (
        ["..PCCCCCCCCCCC.."],
        "..^...........].",
        "..CCCCCCCCCCCCee",
    ),
    "a new posting less than six months later is of the same spell": (
        ["..PCC......PC..."],
        "..^..........]..",
        "..CCCeeeeeeCCeee",
    ),
    "six months later it is another": (
        ["..PCC.......PC.."],
        "..^..]......^.].",
        "..CCCeeeeeeeCCee",
    ),
    "months without a list are no absence": (
        ["..PCC----CCC...."],
        "..^.........]...",
        "..CCCCCCCCCCeeee",
    ),
    "a resolution counts from the day that the list gives": (
        ["..PCCCRrrr......"],
        "..^...].........",
        "..CCCCeeeeeeeeee",
    ),
    "also where lists lie far apart": (
        ["..PC-----Rrr...."],
        "..^......]......",
        "..CCCCCCCeeeeeee",
    ),
    "quiet is counted from the resolution, not from when the row left the list": (
        ["..PCRrrrrr..PC.."],
        "..^.].......^.].",
        "..CCeeeeeeeeCCee",
    ),
    "a listing without a posting date is no onset": (
        ["..UUUUU........."],
        "................",
        "..CCCCCeeeeeeeee",
    ),
    "but one that is posted half a year after it is": (
        ["..UUU.......PC.."],
        "............^.].",
        "..CCCeeeeeeeCCee",
    ),
    "a notice of discontinuation is no shortage": (
        ["..NDDDDDD......."],
        "................",
        "................",
    ),
    "but it ends one": (
        ["..PCCCDDDDD....."],
        "..^...].........",
        "..CCCCeeeeeeeeee",
    ),
    "a drug is short as long as any of its listings is": (
        ["..PCCC..........", "....PCCCCC......"],
        "..^.......].....",
        "..CCCCCCCCeeeeee",
    ),
    "another firm's posting soon after is no new onset": (
        ["..PCCC..........", "..........PCCC.."],
        "..^...........].",
        "..CCCCeeeeCCCCee",
    ),
}


@cache
def pictures() -> dict[str, tuple[str, str]]:
    """Spells and knowledge of every example, drawn; those with the same captures at once."""
    worlds: dict[tuple[date, ...], dict[str, str]] = defaultdict(dict)
    for name, example in zip(NAMES, EXAMPLES, strict=False):
        worlds[tuple(drawn(EXAMPLES[example][0][0])[0])][name] = example
    made = {}
    days = [first_of(n) + timedelta(days=1) for n in range(16)]
    for captures, names in worlds.items():
        listings = {n: [drawn(line)[1] for line in EXAMPLES[e][0]] for n, e in names.items()}
        with warehouse(captures, listings) as connection:
            spells = connection.sql("SELECT * FROM shortage_spells").to_arrow_table().to_pylist()
            known = listed_at(connection, *days)
        for name, example in names.items():
            drug_id = f"{name.lower()}--injection"
            hindsight = ["."] * 16
            for spell in spells:
                if spell["drug_id"] == drug_id:
                    hindsight[month_of(spell["onset_date"])] = "^"
                    if spell["end_date_latest"]:
                        hindsight[month_of(spell["end_date_latest"])] = "]"
            marks = {
                day: [is_current for t, d, *_, is_current, _ in known if (t, d) == (day, drug_id)]
                for day in days
            }
            then = ["C" if any(marks[day]) else "e" if marks[day] else "." for day in days]
            made[example] = ("".join(hindsight), "".join(then))
    return made


@pytest.mark.parametrize("example", EXAMPLES)
def test_spells_in_hindsight_and_listings_as_known(example: str) -> None:
    _, spells, known = EXAMPLES[example]
    assert pictures()[example] == (spells, known)


def test_a_second_firm_s_posting_long_after_is_an_onset_and_not_the_first_ever() -> None:
    captures, first = drawn("..PCCC.............")
    _, second = drawn("..............PCC...")
    with warehouse(captures, {"Velmor": [first, second[: len(first)]]}) as connection:
        spells = connection.sql(
            "SELECT first_ever FROM shortage_spells ORDER BY onset_date"
        ).fetchall()
    assert spells == [(True,), (False,)]


def test_the_end_lies_between_the_last_list_that_shows_it_and_the_first_that_does_not() -> None:
    captures, listing = drawn("..PCC---.....")
    with warehouse(captures, {"Velmor": [listing]}) as connection:
        (ends,) = connection.sql(
            "SELECT end_date_earliest, end_date_latest FROM shortage_spells"
        ).fetchall()
    assert ends == (first_of(4), first_of(8))


def test_the_last_day_of_a_listing_that_flickered_out_is_the_last_that_showed_it() -> None:
    captures, listing = drawn("..PCC.")
    with warehouse(captures, {"Velmor": [listing]}) as connection:
        (ends,) = connection.sql(
            "SELECT end_date_earliest, end_date_latest FROM shortage_spells"
        ).fetchall()
    assert ends == (first_of(4), None)


def test_an_onset_is_public_from_its_posting_or_from_the_list_that_shows_it() -> None:
    """A back-dated posting was on no list before."""
    captures, timely = drawn("..PCC")
    late = [None, None, None, Shown("Current", date(2018, 1, 20), date(2018, 1, 20))]
    late = [*late, late[-1]]
    with warehouse(captures, {"Velmor": [timely], "Ostrun": [late]}) as connection:
        spells = connection.sql(
            "SELECT drug_id, onset_date, known_from FROM shortage_spells ORDER BY drug_id"
        ).fetchall()
    assert spells == [
        ("ostrun--injection", date(2018, 1, 20), date(2018, 4, 1)),
        ("velmor--injection", date(2018, 2, 15), date(2018, 2, 15)),
    ]


def test_notices_of_discontinuation_are_an_outcome_of_their_own_and_the_records_end() -> None:
    captures, listing = drawn("..PCCCDDD")
    _, notice = drawn("....NDDDD")
    with warehouse(captures, {"Velmor": [listing], "Ostrun": [notice]}) as connection:
        assert connection.sql(
            "SELECT drug_id, event_date FROM discontinuations ORDER BY drug_id"
        ).fetchall() == [
            ("ostrun--injection", date(2018, 4, 15)),
            ("velmor--injection", date(2018, 6, 15)),
        ]
        assert connection.sql("FROM records_reach").fetchall() == [(first_of(8),)]


# --- The same rules once more, in plain Python, on random captures. -------------------------------

LONG_AGO = date(1900, 1, 1)
Span = tuple[date, date, date | None]  # started, last shown, first not shown


def six_months_after(day: date) -> date:
    return (pd.Timestamp(day) + pd.DateOffset(months=6)).date()


def known_since(captures: Sequence[date], number: int, seen: Shown) -> date:
    """When what a capture newly shows was public: on its own day, if it lies since the last."""
    published = max(seen.updated, seen.changed or seen.updated)
    after_last = number == 0 or published > captures[number - 1]
    return published if after_last and published <= captures[number] else captures[number]


def naive_spans(captures: Sequence[date], listing: Listing) -> Iterator[Span]:
    """Walk through the captures; each turn away from Current closes a span."""
    started: date | None = None
    last_shown = captures[0]
    resolved: dict[date, date] = {}
    for number, seen in enumerate(listing):
        if seen is None:
            gone_for_good = number + 1 < len(captures) and listing[number + 1] is None
            if started and gone_for_good:
                yield started, last_shown, captures[number]
                started = None
            continue
        since = known_since(captures, number, seen)
        if seen.status == "Current":
            posted = seen.posted or LONG_AGO
            if started not in (None, posted):  # posted anew: two spans that touch
                yield started, last_shown, since
            started, last_shown = posted, captures[number]
        elif started:
            ended = since
            if seen.status == "Resolved" and seen.changed and seen.changed < since:
                ended = max(seen.changed, last_shown)
            yield started, last_shown, ended
            started = None
        if seen.status == "Resolved" and seen.posted:
            ended = seen.changed or since
            resolved[seen.posted] = min(ended, resolved.get(seen.posted, ended))
    for posted, ended in resolved.items():
        if posted <= ended:
            yield posted, ended, ended
    if started:
        yield started, last_shown, None


def naive_spells(spans: Sequence[Span]) -> list[tuple[date, date, date | None, bool]]:
    spells: list[list[Span]] = []
    for span in sorted(spans, key=lambda s: (s[0], s[2] or date.max)):
        ends = [end or date.max for _, _, end in (s for spell in spells for s in spell)]
        if not ends or (max(ends) < date.max and span[0] >= six_months_after(max(ends))):
            spells.append([span])
        else:
            spells[-1].append(span)
    return [
        (
            min(started for started, _, _ in spell),
            max(shown for _, shown, _ in spell),
            None
            if any(end is None for _, _, end in spell)
            else max(end or LONG_AGO for *_, end in spell),
            number == 0,
        )
        for number, spell in enumerate(spells)
        if min(started for started, _, _ in spell) > LONG_AGO
    ]


def random_listing(chance: random.Random, captures: Sequence[date]) -> list[Shown | None]:
    """A listing that is posted, updated, resolved, discontinued, lost and found, and so on."""
    listing: list[Shown | None] = []
    seen: Shown | None = None
    for number, day in enumerate(captures):
        earlier = captures[number - 1] if number else day - timedelta(days=100)
        between = earlier + timedelta(days=chance.randrange(-20, (day - earlier).days + 1))
        turn = chance.random()
        if turn < 0.15:
            posted = chance.choice([between, between, between - timedelta(days=250), None])
            seen = Shown("Current", posted, between)
        elif seen and turn < 0.25:
            seen = Shown("Current", seen.posted, between)
        elif seen and turn < 0.35:
            changed = chance.choice([between, between - timedelta(days=60), None])
            seen = Shown("Resolved", seen.posted, between, changed)
        elif seen and turn < 0.4:
            seen = Shown(NOTICE, seen.posted, between, between)
        gone = chance.random() < 0.25 or (listing and listing[-1] is None and chance.random() < 0.5)
        listing.append(None if gone else seen)
    return listing


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6))
def test_spells_agree_with_the_rules_followed_capture_by_capture(seed: int) -> None:
    chance = random.Random(seed)
    captures = sorted(
        {date(2017, 1, 1) + timedelta(days=chance.randrange(1500)) for _ in range(12)}
    )
    listings = {
        name: [random_listing(chance, captures) for _ in range(chance.choice([1, 1, 2]))]
        for name in NAMES
    }
    pages = []
    for name in chance.sample(NAMES, 5):
        first = date(2015, 1, 1) + timedelta(days=chance.randrange(900))
        last = first + timedelta(days=chance.randrange(900))
        pages.append((name, first, last, chance.choice([None, last + timedelta(days=40)])))
    with warehouse(captures, listings, pages) as connection:
        rows = connection.sql(
            "SELECT drug_id, onset_date, end_date_earliest, end_date_latest, first_ever "
            "FROM shortage_spells ORDER BY ALL"
        ).fetchall()
    expected = []
    for name, of_firms in listings.items():
        spans = [span for listing in of_firms for span in naive_spans(captures, listing)]
        for page_name, first, last, gone in pages:
            if page_name == name and first < captures[0]:
                until = max(gone or captures[0], last)
                spans.append((first, min(last, captures[0]), min(until, captures[0])))
        expected += [(f"{name.lower()}--injection", *spell) for spell in naive_spells(spans)]
    assert rows == sorted(expected, key=lambda spell: spell[:2])


# --- Listings as known at a date -----------------------------------------------------------------


def listed_at(connection: duckdb.DuckDBPyConnection, *days: date) -> list[tuple[Any, ...]]:
    view = AsOf(connection, days)
    return connection.sql(f"SELECT * FROM {known_listings(view)} ORDER BY ALL").fetchall()


def test_a_listing_that_is_posted_anew_ends_the_posting_before() -> None:
    captures, listing = drawn("..PC..PC")
    with warehouse(captures, {"Velmor": [listing]}) as connection:
        rows = listed_at(connection, first_of(7) + timedelta(days=1))
    assert [(posted, current, ended) for _, _, _, posted, current, ended in rows] == [
        (date(2018, 2, 15), False, date(2018, 6, 15)),
        (date(2018, 6, 15), True, None),
    ]


def test_a_resolved_listing_ended_on_the_day_it_gives_even_after_it_left_the_list() -> None:
    captures, listing = drawn("..PCCRr....")
    with warehouse(captures, {"Velmor": [listing]}) as connection:
        for number in (6, 9):
            (row,) = listed_at(connection, first_of(number) + timedelta(days=1))
            assert row[4:] == (False, date(2018, 5, 15))


def naive_listings(
    t: date,
    postings: list[Row],
    states: list[Row],
    pages: list[Row],
) -> list[tuple[Any, ...]]:
    """What was known at t of the listings, row by row."""

    def visible(row: Row) -> bool:
        return row["known_from"] < t and (row["known_until"] is None or t <= row["known_until"])

    names = ("source", "generic_name", "company_name", "presentation")
    rows = []
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for posting in postings:
        if visible(posting) and posting["posted_as"] == "Current":
            key = (posting["drug_id"], posting["firm_id"], posting["event_date"])
            groups[(*key, *(posting[n] for n in names))].append(posting)
    for (drug, firm, posted, *listing), _ in groups.items():
        known = [s for s in states if visible(s) and [s[n] for n in names] == listing]
        current = not known
        ended = []
        for state in known:
            later = state["initial_posting_date"]
            posted_anew = later is not None and posted is not None and later > posted
            if state["status"] == "Current" and not state["withdrawn"] and not posted_anew:
                current = True
            changed = state["change_date"] or state["update_date"] or date.max
            is_current = state["status"] == "Current"
            ended.append(state["known_from"] if is_current else min(changed, state["known_from"]))
        rows.append((t, drug, firm, posted, current, None if current else max(ended)))
    for page in pages:
        if visible(page) and page["status"] == "Current":
            gone = page["known_from"] if page["withdrawn"] else None
            rows.append((t, page["drug_id"], None, page["first_seen"], not page["withdrawn"], gone))
    return rows


DAY = date(2020, 1, 1)


def random_rows(chance: random.Random, table: str, columns: Mapping[str, str]) -> list[Row]:
    pools: dict[str, Sequence[Any]] = {
        "status": ("Current", "Current", "Resolved", "To Be Discontinued"),
        "posted_as": ("Current", "Current", "To Be Discontinued"),
        "generic_name": ("one", "two"),
        "company_name": ("here", "there"),
        "drug_id": ("a", "b"),
        "firm_id": ("f", None),
    }

    def value(name: str, kind: str) -> Any:
        if name in pools:
            return chance.choice(pools[name])
        if kind == "DATE":
            return chance.choice([None, DAY + timedelta(days=10 * chance.randrange(20))])
        return {"BOOLEAN": chance.random() < 0.3, "BIGINT": 1}.get(kind, "same")

    rows = []
    for _ in range(8):
        row = {name: value(name, kind) for name, kind in columns.items()}
        row["known_from"] = DAY + timedelta(days=10 * chance.randrange(20))
        if row["known_until"] and row["known_until"] <= row["known_from"]:
            row["known_until"] = None
        if table == "drug_html_spells":
            row["first_seen"] = row["first_seen"] or DAY
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def shortage_tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """The three link tables that listings are known from, as the links make them, empty."""
    with warehouse([DAY], {}) as connection:
        yield connection


TABLES = ("drug_postings", "drug_listing_states", "drug_html_spells")


def fill(connection: duckdb.DuckDBPyConnection, rows: Mapping[str, list[Row]]) -> None:
    for table in TABLES:
        connection.execute(f"DELETE FROM {table}")
        if rows[table]:
            connection.register("made", pa.Table.from_pylist(rows[table]))
            connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM made")
            connection.unregister("made")


def random_market(connection: duckdb.DuckDBPyConnection, seed: int) -> dict[str, list[Row]]:
    chance = random.Random(seed)
    return {
        table: random_rows(
            chance,
            table,
            {n: k for n, k, *_ in connection.execute(f"DESCRIBE {table}").fetchall()},
        )
        for table in TABLES
    }


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_known_listings_agree_with_a_plain_reading_of_the_rows(
    shortage_tables: duckdb.DuckDBPyConnection, seed: int
) -> None:
    rows = random_market(shortage_tables, seed)
    fill(shortage_tables, rows)
    days = [DAY + timedelta(days=n) for n in (0, 51, 110, 150, 300)]
    expected = [r for t in days for r in naive_listings(t, *(rows[table] for table in TABLES))]
    assert sorted(listed_at(shortage_tables, *days), key=str) == sorted(expected, key=str)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), number=st.integers(0, 20))
def test_rows_that_became_known_at_t_or_later_change_nothing_at_t(
    shortage_tables: duckdb.DuckDBPyConnection, seed: int, number: int
) -> None:
    t = DAY + timedelta(days=10 * number)
    rows = random_market(shortage_tables, seed)
    before = {
        table: [
            # What ends a row's time after t was not known at t either.
            {**row, "known_until": None if (row["known_until"] or t) >= t else row["known_until"]}
            for row in rows[table]
            if row["known_from"] < t
        ]
        for table in TABLES
    }
    fill(shortage_tables, rows)
    with_later = listed_at(shortage_tables, t)
    fill(shortage_tables, before)
    assert listed_at(shortage_tables, t) == with_later
