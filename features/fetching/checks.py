"""Whether what was fetched can be trusted: held against its description and the last snapshot.

Nothing here mends anything. Each check says in one sentence what is wrong; a snapshot of which
any says so does not enter the archive.
"""

from __future__ import annotations

import gzip
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from shortcast.features.fetching.client import FetchError
from shortcast.features.fetching.errand import Delivery
from shortcast.features.parse import (
    MAX_REJECTED_SHARE,
    ParsedSnapshot,
    count_records,
    in_memory,
)
from shortcast.features.sources import corrections
from shortcast.features.sources.contract import Reading, Source, SourceError, Table
from shortcast.features.sources.fetching import Fetching
from shortcast.features.sources.tables import DAMAGED_ZIP

#: Differences of so few rows are never held against a snapshot; nor is it that a short list has
#: so many new ones.
FEW, SOME = 5, 20
#: A month more since the last snapshot, or since it was found unchanged, allows for the same
#: share of change again, up to this; half a list is never a whole one.
MOST_CHANGE = 0.4
#: A column that keeps less than this share of its filled cells has been emptied. One that few
#: rows ever filled, such as a note, comes and goes.
EMPTIED, RARELY_FILLED = 0.5, 0.05
#: So many filled cells do not all vanish by chance.
VANISHED = 5
#: Months after which an older snapshot no longer says which columns are filled. Our choice: of
#: seven captures of the shortage list, months apart, three differ in their notes and links.
OLD = 4
#: The newest date may lie this far before that of the last snapshot: its row was withdrawn.
BACK = timedelta(days=14)


#: What reading a packed file that is damaged ends with.
_DAMAGED = (*DAMAGED_ZIP, OSError)
#: Between the cells of the first line of a table of text.
_BETWEEN = re.compile("[,\t~|]")
#: The first line of a table lies within so many bytes.
_BEGINNING = 1 << 16


#: Kinds of faults that someone who has looked at a snapshot may find right, and why. Not among
#: them is what no look can mend: what its reader cannot read or the build would refuse
#: ("unreadable"), and pages that are known not to have come ("short"); those are fetched again.
MAY_BE_CONFIRMED: Mapping[str, str] = {
    "size": "a source may have grown or shrunk beyond what was expected of it",
    "rows": "as its size",
    "total": "the source may count otherwise than its file",
    "rejects": "rows may have got a new form; they stay in quarantine until the reader knows it",
    "duplicates": "a source may write a row twice",
    "stale": "a source may rest for longer than was expected",
    "change": "a list may have been tidied or joined with another",
    "columns": "a source may have dropped a column, or no longer fill it",
    "older": "a source may have withdrawn its newest records",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a delivery.

    Attributes
    ----------
    kind : str
        One of `MAY_BE_CONFIRMED`, or another, which may not be confirmed.
    text : str
        One sentence without its end.
    """

    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


def may_be_confirmed(faults: Iterable[Fault]) -> bool:
    """Return whether someone who has looked at a snapshot may take it in despite its faults.

    Parameters
    ----------
    faults : iterable of Fault
        All that is wrong with it.

    Returns
    -------
    bool
    """
    return all(fault.kind in MAY_BE_CONFIRMED for fault in faults)


@dataclass(frozen=True)
class Figures:
    """What is compared of one table from snapshot to snapshot.

    Attributes
    ----------
    rows : int
        Rows.
    filled : mapping of str to int
        Rows in which each column has a value.
    newest : date or None
        Newest date, not after the snapshot's day, of the column that `Fetching.newest` names.
    """

    rows: int
    filled: Mapping[str, int]
    newest: date | None


def find_faults(
    source: Source,
    fetching: Fetching,
    delivery: Delivery,
    last: ParsedSnapshot | None,
    *,
    files: Mapping[str, Path] | None = None,
    seen: date | None = None,
    simulated: bool,
) -> list[Fault]:
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
    files : mapping of str to Path, optional
        Where those of its files lie, by official name, that the archive holds as they were.
    seen : date, optional
        When it was last found unchanged, if that is later than its own day.
    simulated : bool
        Whether the records are made up: sizes and rhythm of the real source do not hold for them.

    Returns
    -------
    list of Fault
        Empty when all is well.
    """
    faults = [Fault("short", text) for text in delivery.short]
    size = sum(part.path.stat().st_size for part in delivery.parts)
    least, most = fetching.size
    if not simulated and not least <= size <= most:
        text = f"it has {size:,} bytes, and from {least:,} to {most:,} are expected"
        faults.append(Fault("size", text))
    try:
        paths = [part.path for part in delivery.parts]
        reading = corrections.read(source, paths, delivery.as_of)
    except SourceError as error:
        return [*faults, Fault("unreadable", str(error).rstrip("."))]
    except Exception as error:  # noqa: BLE001 - whatever a reader trips over must not get in
        text = f"its reader failed on it ({type(error).__name__}: {error})"
        return [*faults, Fault("unreadable", text)]
    kept, lost = count_records(reading)
    if kept == 0:
        return [*faults, Fault("unreadable", "it holds no usable record")]
    if delivery.total is not None and kept + lost != delivery.total:
        text = f"it holds {kept + lost:,} records, and the source says that it has "
        faults.append(Fault("total", f"{text}{delivery.total:,}"))
    if lost > FEW and lost > fetching.unparsed * (kept + lost):
        text = (
            f"{lost:,} of {kept + lost:,} records cannot be used, and at most "
            f"{fetching.unparsed:.0%} are expected; the first because {_first(reading.rejects)}"
        )
        is_refused = lost > MAX_REJECTED_SHARE * (kept + lost)
        faults.append(Fault("unreadable" if is_refused else "rejects", text))
    if not simulated and kept + lost < fetching.rows:
        text = f"it holds {kept + lost:,} records, and at least {fetching.rows:,} are expected"
        faults.append(Fault("rows", text))
    figures = {
        table.name: _figures(fetching, table, reading.tables[table.name], delivery.as_of)
        for table in source.tables
        if table.name in reading.tables
    }
    faults += _of("duplicates", _duplicates(fetching, reading))
    if not simulated:
        faults += _of("stale", _stale(fetching, delivery, figures))
    if last is not None and not delivery.is_past:
        since = max(last.as_of, seen or last.as_of)
        months = 1 + max((delivery.as_of - since).days, 0) / 30
        gone = _without_columns(delivery, files or {}, last.as_of, is_recent=months < OLD)
        faults += _of("columns", gone)
        faults += _against(source, fetching, delivery, figures, last, months)
    return faults


def _of(kind: str, texts: Iterable[str]) -> list[Fault]:
    """Return faults of one kind."""
    return [Fault(kind, text) for text in texts]


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
    newest = figures[expected.table].newest
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
    months: float,
) -> Iterator[Fault]:
    """Say what a snapshot has lost, or gained, since the last good one."""
    fall = min(fetching.fall * months, MOST_CHANGE)
    growth = fetching.growth * months
    try:
        with in_memory() as connection:
            before = {
                table.name: _figures_of_file(connection, fetching, table, last.table(table.name))
                for table in source.tables
                if table.name in last.rows
            }
    except duckdb.Error as error:
        raise FetchError(
            f"{last.folder}, with which it is to be compared, is damaged "
            f"({type(error).__name__}); delete that folder, which is made again, and fetch again."
        ) from error
    for name, old in before.items():
        new = figures.get(name, Figures(0, {}, None))
        change = new.rows - old.rows
        than = f"than in the last snapshot, {last.as_of}"
        counted = not delivery.is_part
        if counted and change < -FEW and -change > fall * old.rows:
            yield Fault("change", f"{name} has {new.rows:,} rows, {-change:,} fewer {than}")
            continue
        if counted and change > SOME and change > growth * old.rows:
            yield Fault("change", f"{name} has {new.rows:,} rows, {change:,} more {than}")
        if months < OLD:
            yield from _of("columns", _emptied(fetching, name, old, new, last.as_of))
        if old.newest is not None and (new.newest is None or new.newest < old.newest - BACK):
            text = (
                f"the newest record of {name} is of {new.newest}, and was of {old.newest} in the "
                f"last snapshot, {last.as_of}: an older state has come"
            )
            yield Fault("older", text)


def _emptied(
    fetching: Fetching, table: str, old: Figures, new: Figures, last: date
) -> Iterator[str]:
    """Say which columns have lost their values."""
    for column, filled in old.filled.items():
        if not filled or column in fetching.may_empty or filled < RARELY_FILLED * old.rows:
            continue
        kept, expected = new.filled.get(column, 0), filled / old.rows * new.rows
        vanished = kept == 0 and filled >= VANISHED and expected >= VANISHED
        if vanished or (filled > SOME and kept < EMPTIED * expected):
            yield (
                f"{column} of {table} has a value in {kept:,} of {new.rows:,} rows, and had in "
                f"{filled:,} of {old.rows:,} in the last snapshot, {last}"
            )


def _without_columns(
    delivery: Delivery, files: Mapping[str, Path], last: date, *, is_recent: bool
) -> Iterator[str]:
    """Say which columns the first lines no longer name.

    A column that few rows ever filled is not missed by its values, and a reader takes it for one
    that older states of the file did not have either. Another layout that the reader knows is left
    to the values alone (`_is_another_layout`), as long as they are compared.
    """
    for part in delivery.parts:
        if part.name not in files:
            continue
        try:
            before = _first_lines(files[part.name], part.name)
        except _DAMAGED as error:
            raise FetchError(
                f"{files[part.name]}, with which it is to be compared, is damaged "
                f"({type(error).__name__}); bring it back from a backup: 'shortcast archive "
                "verify' names all that is damaged."
            ) from error
        try:
            now = _first_lines(part.path, part.name)
        except _DAMAGED as error:
            yield f"{part.name} cannot be unpacked ({type(error).__name__}: {error})"
            continue
        for table, names in before.items():
            gone = sorted(names - now[table]) if now.get(table) else []
            if gone and not (is_recent and _is_another_layout(names, now[table])):
                yield (
                    f"{table} no longer has the column {gone[0]!r} of the last snapshot, {last}"
                    + (f", nor {len(gone) - 1} more" if len(gone) > 1 else "")
                )


def _is_another_layout(before: set[str], now: set[str]) -> bool:
    """Return whether a file was laid out anew: a third of its names are gone, and others came.

    In one export of 2021 the shortage list named 10 of 22 columns as before, 5 otherwise, and the
    rest not at all; a column or two that are gone, or renamed, are no layout.
    """
    gone, came = before - now, now - before
    return len(gone) >= 3 and 3 * len(gone) >= len(before) and 3 * len(came) >= len(gone)


def _first_lines(path: Path, name: str) -> dict[str, set[str]]:
    """Return what the first line of each table of text names; by file, or by member of a zip.

    Names are small letters only. Those with a digit are left out: they bear a year, or are no
    names.
    """
    begin: dict[str, bytes] = {}
    if name.endswith(".zip"):
        with zipfile.ZipFile(path) as bundle:
            for member in bundle.namelist():
                if member.lower().endswith((".txt", ".csv")):
                    with bundle.open(member) as stream:
                        begin[member] = stream.read(_BEGINNING)
    elif name.endswith((".csv", ".csv.gz")):
        with gzip.open(path) if name.endswith(".gz") else path.open("rb") as stream:
            begin[name] = stream.read(_BEGINNING)
    return {table: _names(raw.decode("latin-1")) for table, raw in begin.items()}


def _names(text: str) -> set[str]:
    for line in text.splitlines():
        cells = {re.sub("[^a-z0-9]", "", cell.lower()) for cell in _BETWEEN.split(line)}
        if names := {cell for cell in cells if cell and not re.search("[0-9]", cell)}:
            return names
    return set()


def _newest_column(fetching: Fetching, table: Table) -> str | None:
    """Return the column of a table by which its newest record is known."""
    newest = fetching.newest
    return newest.column if newest is not None and newest.table == table.name else None


def _figures(fetching: Fetching, table: Table, frame: pd.DataFrame, as_of: date) -> Figures:
    """Return the figures of a table as the reader gives it."""
    names = [column.name for column in table.columns if column.name in frame]
    filled = {name: int(frame[name].notna().sum()) for name in names}
    column, newest = _newest_column(fetching, table), None
    if column is not None:
        days = pd.to_datetime(frame[column])
        latest = days[days <= pd.Timestamp(as_of)].max()
        newest = None if pd.isna(latest) else latest.date()
    return Figures(len(frame), filled, newest)


def _figures_of_file(
    connection: duckdb.DuckDBPyConnection, fetching: Fetching, table: Table, path: Path
) -> Figures:
    """Return the figures of a table of a snapshot that was parsed before."""
    names, column = [c.name for c in table.columns], _newest_column(fetching, table)
    newest = f'max("{column}") FILTER ("{column}" <= observed_at)' if column else "NULL"
    asked = ["count(*)", newest, *(f'count("{name}")' for name in names)]
    ((rows, day, *counts),) = connection.execute(
        f"SELECT {', '.join(asked)} FROM read_parquet(?)", [str(path)]
    ).fetchall()
    return Figures(rows, dict(zip(names, counts, strict=True)), day)
