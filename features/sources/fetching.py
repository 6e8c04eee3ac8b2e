"""How a source is fetched, said in data: where, in which way, and what a good answer looks like.

A source's module declares a `Fetching`; ``shortcast.features.fetching`` does the work, and the
checks, the documentation and the freshness page are made from the same description.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Way:
    """In which way a source hands out its records; each way has its own fields.

    Attributes
    ----------
    address : str
        Official address, ``https://...``, that is asked first.
    """

    address: str


@dataclass(frozen=True)
class PlainFile(Way):
    """One file under one address that never changes.

    Parameters
    ----------
    file : str
        Name under which it lies in the archive.
    """

    file: str


@dataclass(frozen=True)
class OpenFda(Way):
    """An openFDA endpoint: bulk files by ``download.json``, else the API with ``search_after``.

    Parameters
    ----------
    noun, endpoint : str
        As in ``download.json``: ``drug`` and ``shortages``.
    sort : str
        Field that the API sorts by; ``search_after`` needs one that every record has.
    """

    noun: str
    endpoint: str
    sort: str


@dataclass(frozen=True)
class Dashboard(Way):
    """A table of the FDA Data Dashboard, asked by POST, page by page and year by year.

    Parameters
    ----------
    file : str
        Name of the CSV file (``.gz``: packed) that the pages become.
    dated_by : str
        Field whose ``From`` and ``To`` filters part the years.
    since : int
        First year that it has.
    filters : mapping of str to tuple of str
        Further filters.
    sort : str
        Field to sort by, so that pages do not overlap.
    """

    file: str
    dated_by: str
    since: int
    sort: str
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class WebTable(Way):
    """A table of the FDA's website, which its page loads by GET as rows of HTML cells.

    Parameters
    ----------
    file : str
        Name of the CSV file that the rows become.
    query : mapping of str to str
        What names the table.
    columns : tuple of str
        Names of the first cells of a row, '' for one that is not wanted.
    link_column : str
        Column that gets the address in the cell of `link_in`.
    link_in : str
        Column whose cell holds the link.
    """

    file: str
    query: Mapping[str, str]
    columns: tuple[str, ...]
    link_column: str
    link_in: str


@dataclass(frozen=True)
class Newest:
    """How old the newest record of a table may be when it is fetched.

    Parameters
    ----------
    table, column : str
        A date column of one of the source's tables.
    within_days : int
        The newest date that is not in the future lies at most this many days back.
    """

    table: str
    column: str
    within_days: int


@dataclass(frozen=True)
class Fetching:
    """How a source is fetched and what is expected of a fetch.

    Sizes and row counts are those of the real source: made-up records are held only against
    the snapshot before them. A share is of 1.

    Parameters
    ----------
    way : Way
        Where the present state is, and in which form.
    size : (int, int)
        Least and most bytes of all files of a snapshot together; a download that grows beyond
        is broken off.
    rows : int
        Least records of a snapshot, usable or not.
    fall, growth : float
        Share of the last snapshot's rows by which a table may shrink or grow.
    unparsed : float
        Share of records that the reader may leave out.
    duplicates : float
        Share of a table's rows that may repeat another one in everything.
    newest : Newest or None
        How fresh the newest record is.
    may_empty : tuple of str
        Columns that may lose their values from one snapshot to the next: else a column that is
        suddenly mostly empty means a renamed header or a vanished block.
    every_days : int
        Days until it is asked again unless it is named on the command line.
    per_minute : int
        Requests a minute that its hosts are asked at most.
    per_day : int or None
        Requests a day that its hosts allow without a key.
    keys : tuple of str
        Settings that it cannot be fetched without.
    optional_keys : tuple of str
        Settings that it is fetched with where they are set.
    history : Way or None
        How ``fetch --history`` fills the past.
    checked_on : date or None
        When a person last saw that addresses and limits hold.
    """

    way: Way
    size: tuple[int, int]
    rows: int
    fall: float = 0.1
    growth: float = 0.5
    unparsed: float = 0.02
    duplicates: float = 0.01
    newest: Newest | None = None
    may_empty: tuple[str, ...] = ()
    every_days: int = 1
    per_minute: int = 30
    per_day: int | None = None
    keys: tuple[str, ...] = ()
    optional_keys: tuple[str, ...] = ()
    history: Way | None = None
    checked_on: date | None = None
