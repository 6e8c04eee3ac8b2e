"""Whether what was fetched can be trusted: held against its description and the last snapshot.

Nothing here mends anything. Each check says in one sentence what is wrong; a snapshot of which
any says so does not enter the archive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from shortcast.features.fetching.errand import Delivery
from shortcast.features.parse import ParsedSnapshot, count_records
from shortcast.features.sources.contract import Reading, Source, SourceError, Table
from shortcast.features.sources.fetching import Fetching

#: Differences of so few rows are never held against a snapshot.
FEW = 20
#: A month more between two snapshots allows for the same share of change again, up to this.
MOST_CHANGE = 0.5
#: A column that keeps less than this share of its filled cells has been emptied.
EMPTIED = 0.5
#: The newest date may lie this far before that of the last snapshot: its row was withdrawn.
BACK = timedelta(days=14)


@dataclass(frozen=True)
class Figures:
    """What is compared of one table from snapshot to snapshot.

    Attributes
    ----------
    rows : int
        Rows.
    filled : mapping of str to int
        Rows in which each column has a value.
    newest : mapping of str to date or None
        Newest date of each date column that is not after the snapshot's day.
    """

    rows: int
    filled: Mapping[str, int]
    newest: Mapping[str, date | None]


def find_faults(
    source: Source,
    fetching: Fetching,
    delivery: Delivery,
    last: ParsedSnapshot | None,
    *,
    simulated: bool,
    confirmed: bool,
) -> list[str]:
    """Say what is wrong with a delivery.

    Parameters
    ----------
    source : Source
        Its source, whose reader judges the form.
    fetching : Fetching
        What is expected.
    delivery : Delivery
        Files under the names that they shall have in the archive.
    last : ParsedSnapshot or None
        The last good snapshot.
    simulated : bool
        Whether the records are made up: sizes and rhythm of the real source do not hold for them.
    confirmed : bool
        Whether someone has looked at this snapshot and found its size and its gaps right.

    Returns
    -------
    list of str
        One sentence a fault; empty when all is well.
    """
    faults = list(delivery.short)
    size = sum(part.path.stat().st_size for part in delivery.parts)
    least, most = fetching.size
    if not simulated and not confirmed and not least <= size <= most:
        faults.append(f"it has {size:,} bytes, and from {least:,} to {most:,} are expected")
    try:
        reading = source.read([part.path for part in delivery.parts], delivery.as_of)
    except SourceError as error:
        return [*faults, str(error)]
    except Exception as error:  # noqa: BLE001 - whatever a reader trips over must not get in
        return [*faults, f"its reader failed on it ({type(error).__name__}: {error})"]
    kept, lost = count_records(reading)
    if kept == 0:
        return [*faults, "it holds no usable record"]
    if delivery.total is not None and kept + lost != delivery.total:
        faults.append(
            f"it holds {kept + lost:,} records, and the source says that it has {delivery.total:,}"
        )
    if lost > FEW and lost > fetching.unparsed * (kept + lost):
        faults.append(
            f"{lost:,} of {kept + lost:,} records cannot be used, and at most "
            f"{fetching.unparsed:.0%} are expected; the first because {_first(reading.rejects)}"
        )
    if not simulated and not confirmed and kept + lost < fetching.rows:
        faults.append(
            f"it holds {kept + lost:,} records, and at least {fetching.rows:,} are expected"
        )
    figures = {
        table.name: _figures(table, reading.tables[table.name], delivery.as_of)
        for table in source.tables
        if table.name in reading.tables
    }
    faults += _duplicates(fetching, reading)
    if not simulated and not confirmed:
        faults += _stale(fetching, delivery, figures)
    if last is not None and not delivery.is_past:
        faults += _against(source, fetching, delivery, figures, last, confirmed=confirmed)
    return faults


def _first(rejects: pd.DataFrame) -> str:
    """Return why the first record was left out."""
    first = rejects.iloc[0]
    return f"{first['file']} row {first['row']}, column {first['column']}: {first['reason']}"


def _duplicates(fetching: Fetching, reading: Reading) -> Iterator[str]:
    """Say of which tables too many rows repeat another one in everything."""
    for name, frame in reading.tables.items():
        again = int(frame.drop(columns=["source_file", "source_row"]).duplicated().sum())
        if again > FEW and again > fetching.duplicates * len(frame):
            yield (
                f"{again:,} of {len(frame):,} rows of {name} repeat another one in everything, and "
                f"at most {fetching.duplicates:.0%} are expected"
            )


def _stale(fetching: Fetching, delivery: Delivery, figures: Mapping[str, Figures]) -> Iterator[str]:
    """Say if the newest record is older than the source's rhythm allows for."""
    expected = fetching.newest
    if expected is None or delivery.is_past or expected.table not in figures:
        return
    newest = figures[expected.table].newest.get(expected.column)
    if newest is None or (delivery.as_of - newest).days > expected.within_days:
        yield (
            f"the newest {expected.column} of {expected.table} is {newest}, more than "
            f"{expected.within_days} days before {delivery.as_of}"
        )


def _against(
    source: Source,
    fetching: Fetching,
    delivery: Delivery,
    figures: Mapping[str, Figures],
    last: ParsedSnapshot,
    *,
    confirmed: bool,
) -> Iterator[str]:
    """Say what a snapshot has lost, or gained, since the last good one."""
    months = 1 + max((delivery.as_of - last.as_of).days, 0) / 30
    fall = min(fetching.fall * months, MOST_CHANGE)
    growth = fetching.growth * months
    with duckdb.connect(config={"threads": 1}) as connection:
        before = {
            table.name: _figures_of_file(connection, table, last.table(table.name))
            for table in source.tables
            if table.name in last.rows
        }
    for name, old in before.items():
        new = figures.get(name, Figures(0, {}, {}))
        change = new.rows - old.rows
        since = f"than in the last snapshot, {last.as_of}"
        if not confirmed and change < -FEW and -change > fall * old.rows:
            yield f"{name} has {new.rows:,} rows, {-change:,} fewer {since}"
            continue
        if not confirmed and change > FEW and change > growth * old.rows:
            yield f"{name} has {new.rows:,} rows, {change:,} more {since}"
        if not confirmed:
            yield from _emptied(fetching, name, old, new, last.as_of)
        for column, day in old.newest.items():
            latest = new.newest.get(column)
            if day is not None and (latest is None or latest < day - BACK):
                yield (
                    f"the newest {column} of {name} is {latest}, and was {day} in the last "
                    f"snapshot, {last.as_of}: an older state has come"
                )


def _emptied(
    fetching: Fetching, table: str, old: Figures, new: Figures, last: date
) -> Iterator[str]:
    """Say which columns have lost their values."""
    for column, filled in old.filled.items():
        if column in fetching.may_empty or filled <= FEW:
            continue
        expected = filled / old.rows * new.rows
        if new.filled.get(column, 0) < EMPTIED * expected:
            yield (
                f"{column} of {table} has a value in {new.filled.get(column, 0):,} of "
                f"{new.rows:,} rows, and had in {filled:,} of {old.rows:,} in the last snapshot, "
                f"{last}"
            )


def _dates(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.type == "DATE"]


def _figures(table: Table, frame: pd.DataFrame, as_of: date) -> Figures:
    """Return the figures of a table as the reader gives it."""
    names = [column.name for column in table.columns if column.name in frame]
    filled = {name: int(frame[name].notna().sum()) for name in names}
    newest: dict[str, date | None] = {}
    for name in _dates(table):
        days = pd.to_datetime(frame[name]) if name in frame else pd.Series(dtype="datetime64[ns]")
        latest = days[days <= pd.Timestamp(as_of)].max()
        newest[name] = None if pd.isna(latest) else latest.date()
    return Figures(len(frame), filled, newest)


def _figures_of_file(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> Figures:
    """Return the figures of a table of a snapshot that was parsed before."""
    names, days = [column.name for column in table.columns], _dates(table)
    asked = ["count(*)", *(f'count("{name}")' for name in names)]
    asked += [f'max("{day}") FILTER ("{day}" <= observed_at)' for day in days]
    ((rows, *found),) = connection.execute(
        f"SELECT {', '.join(asked)} FROM read_parquet(?)", [str(path)]
    ).fetchall()
    filled = dict(zip(names, found[: len(names)], strict=True))
    return Figures(rows, filled, dict(zip(days, found[len(names) :], strict=True)))
