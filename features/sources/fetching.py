"""How a source is fetched, said in data: where, in which way, and what a good answer looks like.

A source's module declares a `Fetching`; ``shortcast.features.fetching`` does the work, and the
checks, the documentation and the freshness page are made from the same description.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

#: The index of what the Internet Archive captured.
CAPTURES = "https://web.archive.org/cdx/search/cdx"


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
class TableInZip(Way):
    """One table inside a zip, of which some columns are left out before it is kept.

    Parameters
    ----------
    member : str
        File in the zip, of fields parted by tabs.
    file : str
        Name of the CSV file (``.gz``: packed) that it becomes.
    leave_out : tuple of str
        Columns that are not kept: names and addresses of persons.
    """

    member: str
    file: str
    leave_out: tuple[str, ...]


@dataclass(frozen=True)
class LinkedFile(Way):
    """A file under a name that drifts, to which a page links.

    Parameters
    ----------
    link : str
        Regular expression that the link's address matches; the last one on the page counts.
    file : str
        Name under which it lies in the archive.
    """

    link: str
    file: str


@dataclass(frozen=True)
class Quarterly(Way):
    """Files of a quarter that a page links to; without a link, names are tried until one is there.

    Parameters
    ----------
    folder : str
        Address that the tried names are put behind.
    names : tuple of (tuple of str, tuple of str)
        For each file of a quarter the beginnings and the endings that its name has had:
        ``MONTH-YEAR-BEGINNING[...].zip`` is looked for on the page, and
        ``MONTH-YEAR-BEGINNINGENDING.zip`` is tried.
    ahead : int
        Days before its beginning from which a quarter is looked for.
    since : int or None
        First year of the past to be filled; None: the newest quarter alone.
    """

    folder: str
    names: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    ahead: int = 35
    since: int | None = None


@dataclass(frozen=True)
class Catalogue(Way):
    """Files that a catalogue of open data (DCAT) lists under a title.

    Parameters
    ----------
    title : str
        Regular expression that the whole title of a data set matches. A group ``year`` in it
        names the year whose file it is, which counts as published on the last day of that year.
    file : str
        Name under which a file lies in the archive (``.gz``: it is packed).
    also : tuple of str
        Addresses of the catalogue to try where it is not under the first.
    all_vintages : bool
        Every file that is listed, for the past; else the newest.
    """

    title: str
    file: str
    also: tuple[str, ...] = ()
    all_vintages: bool = False


@dataclass(frozen=True)
class Weekly(Way):
    """The newest weeks of a data set of the year, found in a catalogue and asked for one by one.

    Parameters
    ----------
    title : str
        Regular expression that the whole title matches, with a group ``year``.
    query : str
        Address behind which the data set's identifier is put, as DKAN answers it.
    dated_by : str
        Field that names the week.
    file : str
        Name of the packed CSV file of a week.
    """

    title: str
    query: str
    dated_by: str
    file: str


@dataclass(frozen=True)
class Reports(Way):
    """Reports of an interface that needs an account, asked page by page.

    Parameters
    ----------
    sign_in : str
        Address that gives a token for an e-mail address and a password.
    token : str
        Header that holds the token, in the answer and then in every request.
    file : str
        Name of the CSV file (``.gz``: packed) that the reports become.
    columns : mapping of str to tuple of str
        For each column where its value stands in a report, levels parted by dots; the first
        place that has one counts.
    words : mapping of str to str
        What the interface's words are in the file.
    """

    sign_in: str
    token: str
    file: str
    columns: Mapping[str, tuple[str, ...]]
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Captures(Way):
    """Captures of an address in the Internet Archive, one a day or a month at most.

    Parameters
    ----------
    of : str
        The address that was captured.
    file : str
        Name under which a capture lies in the archive.
    monthly : bool
        One of each month that has no snapshot yet, for large files that change little.
    """

    of: str
    file: str
    monthly: bool = False


@dataclass(frozen=True)
class CapturedPages(Way):
    """A list on captured pages of the Internet Archive, put together as who stood on it when.

    Parameters
    ----------
    of : str
        The address that was captured.
    file : str
        Name of the CSV file that the pages become.
    until : date
        Later captures are not wanted.
    a_month : int
        Captures of a month that are read.
    """

    of: str
    file: str
    until: date
    a_month: int = 2


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
    only_history : bool
        The source is a past that is over: nothing new is asked for.
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
    only_history: bool = False
    checked_on: date | None = None

    def needs(self, keys: Collection[str] = ()) -> str:
        """Say which settings it still cannot be fetched without.

        Parameters
        ----------
        keys : collection of str
            Those that are set (`shortcast.settings.Settings.keys`).

        Returns
        -------
        str
            ``it needs SHORTCAST_...``, by their names in the environment; '' if none is missing.
        """
        missing = [f"SHORTCAST_{key.upper()}" for key in self.keys if key not in keys]
        return f"it needs {' and '.join(missing)}" if missing else ""
