"""The FDA's shortage list, as its website exports it to CSV.

Headers come in two styles with odd spaces, text in cp1252 or UTF-8, cells with line breaks, and
a long presentation at times runs over into records of its own; all of these are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from shortcast.features.sources._fda_exports import note_values, only_file, pick_columns, spelled
from shortcast.features.sources._shortage_tables import LISTINGS, POSTINGS, read_listings
from shortcast.features.sources.contract import Reading, Source
from shortcast.features.sources.fetching import CAPTURES, Captures, Fetching, Newest, PlainFile
from shortcast.features.sources.tables import (
    read_bytes,
    read_csv,
    refuse_cut_short,
    rejects,
    tidy,
)

_REQUIRED = {
    "generic_name": ("Generic Name",),
    "company_name": ("Company Name",),
    "presentation": ("Presentation",),
    "update_type": ("Type of Update", "update_type"),
    "update_date": ("Date of Update", "update_date"),
    "availability": ("Availability Information", "availability"),
    "related_info": ("Related Information", "related_info"),
    "resolved_note": ("Resolved Note",),
    "reason": ("Reason for Shortage", "shortage_reason"),
    "therapeutic_category": ("Therapeutic Category",),
    "status": ("Status",),
    "change_date": ("Change Date",),
    "discontinued_date": ("Date Discontinued", "discontinued_date"),
    # "initia" is how one export of 2021 writes it.
    "initial_posting_date": ("Initial Posting Date", "initia_posting_date"),
}
_OPTIONAL = {
    "contact_info": ("Contact Info",),
    "generic_name_note": ("Generic Name Note",),
    "generic_name_link": ("Generic Name Link",),
    "related_info_link": ("Related Info Link",),
    "resolved_note_link": ("Resolved Note Link",),
    "discontinued_note_link": ("Discontinued Note Link",),
}

# Free text, long enough to run over.
_FREE_TEXT = ("presentation", "availability", "related_info", "resolved_note")


def read(files: Sequence[Path], as_of: date) -> Reading:
    """Read one CSV export of the list.

    Parameters
    ----------
    files : sequence of Path
        The one file of the snapshot.
    as_of : date
        Its day.

    Returns
    -------
    Reading
        ``shortage_postings`` and ``shortage_listings``.

    Raises
    ------
    SourceError
        If the file is not the export, or is cut short.
    """
    path = only_file(files, SOURCE.name)
    raw = read_csv(read_bytes(path), path.name)
    width = raw.shape[1] - 2  # source_row and field_count stand beside the file's own
    frame = pick_columns(raw, path.name, _REQUIRED, _OPTIONAL)
    frame["source_file"], frame["source_row"] = path.name, raw["source_row"]
    refuse_cut_short(raw["field_count"], width, path.name)
    broken = raw["field_count"] != width
    entries = [
        rejects(
            path.name,
            raw.loc[broken, "source_row"],
            "",
            raw.loc[broken, "field_count"],
            f"the record does not have the header's {width} fields",
        )
    ]
    frame, entry = _join_run_overs(frame[~broken].reset_index(drop=True))
    return read_listings(frame, as_of, [*entries, entry])


def _join_run_overs(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give text that ran over into records of its own back to the cell before it.

    Such a record is blank but for the rest of a free text (often just the NDC of a
    presentation), or blank throughout.
    """
    cells = frame.drop(columns=[*_FREE_TEXT, "source_file", "source_row"])
    run_over = (cells == "").all(axis=1)
    entry = note_values(
        frame,
        run_over,
        "",
        frame["presentation"].str.cat(frame[list(_FREE_TEXT[1:])], sep=" ").map(tidy),
        "runs on from the record before it; the text was joined to the same cell of that record",
    )
    kept = frame[~run_over].reset_index(drop=True)
    owner = (~run_over).cumsum()[run_over] - 1
    for name in _FREE_TEXT:
        rest = frame.loc[run_over, name].groupby(owner).agg(" ".join)
        rest = rest[rest.index >= 0].astype("str")
        kept.loc[rest.index, name] = kept.loc[rest.index, name].str.cat(rest, sep=" ").map(tidy)
    return kept, entry


SOURCE = Source(
    name="fda_shortages",
    title="FDA Drug Shortages, CSV export",
    publisher="US Food and Drug Administration",
    address="https://www.accessdata.fda.gov/scripts/drugshortages/Drugshortages.cfm",
    licence="Public domain (work of the US government)",
    citation="US Food and Drug Administration. FDA Drug Shortages (CSV export).",
    cadence_days=1,
    files=("*.csv", "*.csv.gz"),
    tables=(POSTINGS, LISTINGS),
    read=read,
    required={"": spelled(_REQUIRED)},
    caveats=(
        "The list is a snapshot that resolved rows leave; history is only what was captured.",
        "'To Be Discontinued' is a notice of discontinuation, not a shortage.",
        "The Initial Posting Date is when a row joined the website, not when a shortage began.",
        "On some notices the Initial Posting Date is that of the whole generic name.",
        "Long cells run over into records of their own, which are joined and quarantined.",
        "About 5 % of Current rows, all of old listings, have no Initial Posting Date.",
        "Captures between 2019 and 2022 lie two to ten months apart.",
        "The day of a capture is inferred from its newest update.",
        "The last capture leaves Change Date and Date Discontinued mostly blank.",
        "The FDA renamed many generic names around 2023.",
    ),
    fetching=Fetching(
        way=PlainFile(
            "https://www.accessdata.fda.gov/scripts/drugshortages/Drugshortages.cfm",
            "Drugshortages.csv",
        ),
        size=(200_000, 5_000_000),
        rows=800,
        fall=0.2,
        unparsed=0.05,
        newest=Newest("shortage_listings", "update_date", within_days=45),
        history=Captures(
            CAPTURES,
            of="www.accessdata.fda.gov/scripts/drugshortages/Drugshortages.cfm",
            file="Drugshortages.csv",
        ),
    ),
)
