"""Spells of the FDA's older HTML list, rebuilt from archived pages by others.

One row says that a generic name stood on the list from one archived page to another. The
status is the last one seen. It is taken to hold for the whole spell: in the CSV captures of
2019 to 2022 none of 3,102 notices of discontinuation had been anything else a capture before,
86 of 5,205 current presentations turned into a notice, and of 501 generic names that ended as
a notice 16 had once been in shortage.

``last_seen`` lies in the future of most as-of dates: it serves outcomes only. What a feature may
know is that the row was withdrawn, from the next archived page on. The status of a spell that
lasts beyond the day of the file was seen after that day; such a spell counts as known from the
file only, which is after the CSV captures have taken over and show the listing themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from shortcast.features.sources._fda_exports import (
    blank_to_null,
    date_reason,
    dates,
    drop_rows,
    gather,
    only_file,
    read_csv_export,
    spelled,
)
from shortcast.features.sources.contract import Column, Reading, Source, Table
from shortcast.features.sources.fetching import CAPTURES, CapturedPages, Fetching
from shortcast.features.sources.tables import parse_dates

SPELLS = Table(
    name="shortage_html_spells",
    description="A generic name stood on the FDA's older HTML list from one page to another.",
    columns=(
        Column("generic_name", "VARCHAR", "generic name; 'per' stands for the per cent sign"),
        Column("status", "VARCHAR", "status on the last page that shows it"),
        Column("first_seen", "DATE", "day of the first archived page that shows it"),
        Column("last_seen", "DATE", "day of the last one; for outcomes only"),
    ),
    key=("generic_name", "first_seen"),
)

_REQUIRED = {
    "generic_name": ("Generic Name",),
    "status": ("Status",),
    "first_seen": ("First Seen",),
    "last_seen": ("Last Seen",),
}

#: From then on there are captures of the CSV export, which show presentations.
_CSV_SINCE = date(2019, 10, 31)
_PAGES = CapturedPages(
    CAPTURES,
    of="www.accessdata.fda.gov/scripts/drugshortages/default.cfm",
    file="shortage_list_history.csv",
    until=_CSV_SINCE,
)

# The history was rebuilt later than the day it is filed under, and reaches beyond that day.
_REBUILT = timedelta(days=5 * 366)


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read the rebuilt history.

    Parameters
    ----------
    files : sequence of Path
        The one CSV file of the snapshot.
    as_of : date
        Its day. Spells begin by then; they may last beyond.

    Returns
    -------
    Reading
        ``shortage_html_spells``. ``withdrawn_at`` is the first later page known from the file
        itself, which names only pages on which some spell begins or ends; null for a spell
        that reaches the last one.

    Raises
    ------
    SourceError
        If the file is not this history.
    """
    path = only_file(files, SOURCE.name)
    frame, entries = read_csv_export(path, _REQUIRED)
    frame, entry = drop_rows(
        frame, frame["generic_name"] == "", "generic_name", "", "no generic name"
    )
    entries.append(entry)
    latest = as_of + _REBUILT
    frame["first"], _ = dates(frame["first_seen"], as_of)
    frame["last"], _ = parse_dates(frame["last_seen"], ("%Y-%m-%d",), latest=latest)
    frame, entry = drop_rows(
        frame, frame["first"].isna(), "first_seen", frame["first_seen"], date_reason(as_of)
    )
    entries.append(entry)
    frame, entry = drop_rows(
        frame,
        ~(frame["last"] >= frame["first"]),
        "last_seen",
        frame["last_seen"],
        f"no date between the first page and {latest}",
    )
    entries.append(entry)
    spells = pd.DataFrame(
        {
            "generic_name": frame["generic_name"],
            "status": blank_to_null(frame["status"]),
            "first_seen": frame["first"],
            "last_seen": frame["last"],
            "event_date": frame["first"],
            "published_at": frame["first"].where(frame["last"] <= pd.Timestamp(as_of)),
            "withdrawn_at": _next_page(frame["first"], frame["last"]),
            "source_file": frame["source_file"],
            "source_row": frame["source_row"],
        }
    )
    return Reading({SPELLS.name: spells}, gather(entries))


def _next_page(first: pd.Series, last: pd.Series) -> pd.Series:
    """Return the first page after the last that shows a spell, null after the last page."""
    pages = pd.Series(pd.concat([first, last]).unique()).sort_values(ignore_index=True)
    return last.map(dict(itertools.pairwise(pages)))


SOURCE = Source(
    name="fda_shortages_html",
    title="FDA Drug Shortages, history of the older HTML list",
    publisher="Rebuilt by third parties from archived pages of the US Food and Drug Administration",
    address="https://web.archive.org/web/2014*/accessdata.fda.gov/scripts/drugshortages/",
    licence="Public domain (work of the US government), as collected",
    citation="US Food and Drug Administration. FDA Drug Shortages, archived pages 2014-2022.",
    cadence_days=36500,
    files=("*.csv", "*.csv.gz"),
    tables=(SPELLS,),
    read=read,
    required={"": spelled(_REQUIRED)},
    caveats=(
        "Generic names only: no company, no presentation, no NDC.",
        "The archived pages lie days to months apart, so starts and ends are late by as much.",
        "The status is the last one seen and is taken to hold for the whole spell.",
        "It holds names that the CSV captures do not show, not the whole list of those years.",
        "It is filed under the end of 2019, but its last pages are of October 2022.",
        "Percent signs are written 'per'.",
        "It is fetched as a history only, and only into an archive that holds none.",
    ),
    fetching=Fetching(
        way=_PAGES,
        size=(5_000, 5_000_000),
        rows=100,
        per_minute=20,
        history=_PAGES,
        only_history=True,
    ),
)
