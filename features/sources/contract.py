"""What a source file declares, and what its reader returns.

A source is one module in this folder that defines ``SOURCE``. It says where the data are
public, what its tables hold, when a row became public, and how a snapshot is read. Nothing
else in the project knows a source by name; the registry (``shortcast.features.sources``)
finds the modules by itself.

Times
-----
A reader gives every row, where it can,

``event_date``
    when the thing happened;
``published_at``
    when the source says it made *this content* public;
``withdrawn_at``
    when the source itself says (or a rebuilt history shows) that it took the row back.

``observed_at``, ``known_from`` and ``known_until`` are worked out by the warehouse from
these, from the snapshot's own date and from ``Table.assumed_lag_days``; a reader never sets
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.errors import ShortcastError
from shortcast.features.sources.fetching import Fetching

TIME_COLUMNS = ("event_date", "published_at", "withdrawn_at")
REJECT_COLUMNS = ("file", "row", "column", "value", "reason")


class SourceError(ShortcastError):
    """A file is not what it claims to be; the snapshot is refused whole."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
        Name in the warehouse; a unit stands in the name (``price_usd``).
    type : str
        DuckDB type: ``VARCHAR``, ``DATE``, ``DOUBLE``, ``BIGINT`` or ``BOOLEAN``.
    description : str
        What it holds, in one phrase.
    volatile : bool
        True where the source adds and drops the value at whim (the ``openfda`` block): a
        change in it alone makes no new version of the row.
    """

    name: str
    type: str
    description: str
    volatile: bool = False


@dataclass(frozen=True)
class Table:
    """One table that a source feeds.

    Parameters
    ----------
    name : str
        Table name in the warehouse.
    description : str
        What one row is.
    columns : tuple of Column
        The columns, without times and lineage.
    key : tuple of str
        Columns that name a row from one snapshot to the next. Rows of one snapshot that
        share a key are kept apart by an occurrence number.
    is_list : bool
        True where a snapshot shows everything in force, so that a row missing from the
        next snapshot was withdrawn. False for event logs, where absence means nothing.
    assumed_lag_days : int or None
        For rows without ``published_at``: history older than the archive counts as known
        ``event_date`` plus this many days. None: known when first observed.
    lag_note : str
        Where the assumed lag comes from.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    is_list: bool = False
    assumed_lag_days: int | None = None
    lag_note: str = ""


@dataclass(frozen=True)
class Reading:
    """What a reader made of one snapshot.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        For each table name a frame with the declared columns, those of ``event_date``,
        ``published_at`` and ``withdrawn_at`` that apply (``datetime64``/``date`` or null),
        ``source_file`` (file name) and ``source_row`` (1-based record number in that file).
    rejects : DataFrame
        Rows that could not be used, with columns ``file``, ``row``, ``column``, ``value``,
        ``reason``; they go to quarantine and are counted.
    """

    tables: Mapping[str, pd.DataFrame]
    rejects: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=REJECT_COLUMNS))


@dataclass(frozen=True)
class Source:
    """A public source of records.

    Parameters
    ----------
    name : str
        Folder name in an import tree, and the module's own name.
    title, publisher, address, licence, citation : str
        What it is, who publishes it, where, under which terms, how to cite it.
    cadence_days : int
        Days between two regular publications; freshness is judged by it.
    files : tuple of str
        Glob patterns of the files that a snapshot holds.
    tables : tuple of Table
        Tables that it feeds. Two sources may feed one table only if they declare it
        identically (import the same ``Table`` object).
    read : callable
        ``read(files, as_of) -> Reading``; raises `SourceError` to refuse the snapshot.
    required : mapping of str to tuple of str
        Fields without which a file is refused, as the source spells them today, from the very
        constant that the reader checks with. They stand under the file that must have them: the
        member of a zip, the pattern or the table that it feeds; under '' where there is but one.
    caveats : tuple of str
        Known faults, one sentence each, shown wherever the source is named.
    fetching : Fetching or None
        How it is fetched; None where it can only be imported.
    """

    name: str
    title: str
    publisher: str
    address: str
    licence: str
    citation: str
    cadence_days: int
    files: tuple[str, ...]
    tables: tuple[Table, ...]
    read: Callable[[Sequence[Path], date], Reading]
    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    caveats: tuple[str, ...] = ()
    fetching: Fetching | None = None
